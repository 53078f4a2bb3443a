"""Tables of every form, as blocks of rows.

Cells of text formats stay the text they are: no type is guessed, so a postcode keeps its leading zero and a number the
digits somebody wrote. Parquet keeps its types. A sample is one block of rows, and one row group of a Parquet shard.
"""

from __future__ import annotations

import io
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.csv as pa_csv

from packtrain.dataset.arrow import RecordBatch, Table
from packtrain.dataset.kinds.delimited import read_delimited
from packtrain.dataset.kinds.piece import Damaged, OpenSource, Piece, Setback, Tally, one_line
from packtrain.dataset.kinds.records import read_json_lines, read_parquet
from packtrain.dataset.kinds.sheet import Sheet
from packtrain.dataset.kinds.workbooks import read_workbook
from packtrain.digest import sha256_bytes
from packtrain.documents.recipe import RecipeSection


def pieces_of_table(source: OpenSource, recipe: RecipeSection) -> Iterator[Piece | Setback | Tally]:
    """Yield every sheet of a table file in blocks of `table_block_rows` rows; the last block of a sheet may be shorter.

    Payloads are Arrow IPC streams of one block; a block's digest is that of its CSV (see `csv_of`), so equal rows under
    equal names are duplicates, whatever file form they come from.

    Raises:
        Damaged: the file cannot be read, or holds no row.
    """
    if source.size_bytes == 0:
        raise Damaged("file is empty")
    num_samples = 0
    first_loss = ""
    for found in _sheets(source):
        if not isinstance(found, Sheet):
            if isinstance(found, Setback) and not first_loss:
                first_loss = f"; first, {found.place}: {found.error.rstrip('.')}"
            yield found
            continue
        first_row = 0
        for block in _blocks(found, recipe.table_block_rows):
            num_samples += 1
            detail = {
                "sheet": found.name,
                "first_row": first_row,
                "rows": block.num_rows,
                "columns": block.num_columns,
            }
            first_row += block.num_rows
            try:
                digest = sha256_bytes(csv_of(block))
            except pa.ArrowException as error:
                raise Damaged(f"a column has no form in text: {one_line(error)}") from error
            yield Piece(
                ipc_of(block), "parquet", detail, sha256=digest, group=f"s{found.number:02d}", num_rows=block.num_rows
            )
    if num_samples == 0:
        raise Damaged(f"table has no rows that could be kept{first_loss}")


def csv_of(block: Table) -> bytes:
    """Return a block as CSV by pyarrow's writer at its defaults: a header line, text in quotes, null as nothing."""
    target = io.BytesIO()
    pa_csv.write_csv(block, target)
    return target.getvalue()


def ipc_of(block: Table) -> bytes:
    """Return a block as one Arrow IPC stream."""
    target = io.BytesIO()
    with pa.ipc.new_stream(target, block.schema) as writer:
        writer.write_table(block)
    return target.getvalue()


def block_of_ipc(payload: bytes) -> Table:
    """Return the block that `ipc_of` wrote."""
    with pa.ipc.open_stream(payload) as reader:
        return reader.read_all()


def _sheets(source: OpenSource) -> Iterator[Sheet | Setback | Tally]:
    match source.suffix.removesuffix(".gz"):
        case "csv" | "tsv":
            return read_delimited(source)
        case "jsonl" | "ndjson":
            return read_json_lines(source)
        case "parquet":
            return read_parquet(source)
        case _:
            return read_workbook(source)


def _blocks(sheet: Sheet, num_rows: int) -> Iterator[Table]:
    """Yield the rows of a sheet in tables of exactly `num_rows`, but for the last."""
    held: list[RecordBatch] = []
    num_held = 0
    for batch in sheet.batches:
        at = 0
        while at < batch.num_rows:
            taken = batch.slice(at, num_rows - num_held)
            held.append(taken)
            at, num_held = at + taken.num_rows, num_held + taken.num_rows
            if num_held == num_rows:
                yield pa.Table.from_batches(held).combine_chunks()
                held, num_held = [], 0
    if held:
        yield pa.Table.from_batches(held).combine_chunks()
