"""Tables of every form, as blocks of rows.

Cells of text formats stay the text they are: no type is guessed, so a postcode keeps its leading zero and a number the
digits somebody wrote. Parquet keeps its types. A sample is one block of rows, and one row group of a Parquet shard.
"""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

from packtrain.dataset.arrow import RecordBatch, Table
from packtrain.dataset.kinds.blocks import BlockMeasures, csv_of
from packtrain.dataset.kinds.piece import Damaged, OpenSource, Piece, Setback, Tally, one_line
from packtrain.dataset.kinds.registry import near_method
from packtrain.dataset.kinds.sheet import Sheet
from packtrain.digest import sha256_bytes
from packtrain.documents.recipe import RecipeSection


def pieces_of_table(source: OpenSource, recipe: RecipeSection) -> Iterator[Piece | Setback | Tally]:
    """Yield every sheet of a table file in blocks of `table_block_rows` rows; the last block of a sheet may be shorter.

    A block's digest is that of its CSV (see `csv_of`), so equal rows under equal names are duplicates, whatever file
    form they come from.

    Raises:
        Damaged: the file cannot be read, or holds no row.
    """
    if source.size_bytes == 0:
        raise Damaged("file is empty")
    num_samples = 0
    first_loss = ""
    is_compared = near_method(recipe, "table") is not None
    for found in _sheets(source, recipe.table_block_rows):
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
                **found.detail,
            }
            first_row += block.num_rows
            try:
                text = csv_of(block)
            except pa.ArrowException as error:
                raise Damaged(f"a column has no form in text: {one_line(error)}") from error
            yield Piece(
                None,
                "parquet",
                detail,
                sha256=sha256_bytes(text),
                group=f"s{found.number:02d}",
                num_rows=block.num_rows,
                block=block,
                block_bytes=len(text),
                measures=BlockMeasures(block),
                fingerprint=_fingerprint(block) if is_compared else b"",
            )
    if num_samples == 0:
        raise Damaged(f"table has no rows that could be kept{first_loss}")


def _fingerprint(block: Table) -> bytes:
    from packtrain.dataset.near.blocks import fingerprint_of_block

    return fingerprint_of_block(block)


def _sheets(source: OpenSource, block_rows: int) -> Iterator[Sheet | Setback | Tally]:
    # Imported here: a worker that reads CSV loads no library for workbooks.
    match source.suffix.removesuffix(".gz"):
        case "csv" | "tsv":
            from packtrain.dataset.kinds.delimited import read_delimited

            return read_delimited(source, block_rows)
        case "jsonl" | "ndjson":
            from packtrain.dataset.kinds.records import read_json_lines

            return read_json_lines(source)
        case "parquet":
            from packtrain.dataset.kinds.records import read_parquet

            return read_parquet(source)
        case _:
            from packtrain.dataset.kinds.workbooks import read_workbook

            return read_workbook(source)


def _blocks(sheet: Sheet, num_rows: int) -> Iterator[Table]:
    """Yield the rows of a sheet in tables of one chunk and exactly `num_rows`, but for the last."""
    held: list[RecordBatch] = []
    num_held = 0
    for batch in sheet.batches:
        at = 0
        while at < batch.num_rows:
            taken = batch.slice(at, num_rows - num_held)
            held.append(taken)
            at, num_held = at + taken.num_rows, num_held + taken.num_rows
            if num_held == num_rows:
                yield _joined(held)
                held, num_held = [], 0
    if held:
        yield _joined(held)


def _joined(batches: list[RecordBatch]) -> Table:
    table = pa.Table.from_batches(batches)
    # One batch is not copied; a part of it keeps the whole alive, and no longer than its neighbours do.
    return table if len(batches) == 1 else table.combine_chunks()
