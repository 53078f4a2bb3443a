"""One Parquet file as a shard: every row group is a sample, as it is, tiny or giant."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any, BinaryIO, Final

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from packtrain.dataset.adopt.row import MAX_SAMPLES, AdoptedShard
from packtrain.dataset.arrow import RecordBatch
from packtrain.dataset.kinds.blocks import BlockMeasures
from packtrain.dataset.kinds.piece import Damaged, Piece, one_line

_BATCH_ROWS: Final = 8192
_READ_BYTES: Final = 1 << 20
"""Of a column at a time, and nothing ahead: Arrow's own way is to read a row group whole, which may be gigabytes."""
_MAX_FOOTER_BYTES: Final = 256 << 20  # thrift takes several times as much in memory
_FAILS: Final = (pa.ArrowException, ValueError, OverflowError, MemoryError, EOFError)


class _HashedText:
    """Takes what a CSV writer writes, and keeps its digest alone."""

    closed = False

    def __init__(self) -> None:
        self.state = hashlib.sha256()

    def write(self, data: Any) -> int:
        """Take bytes."""
        self.state.update(data)
        return len(data)

    def flush(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


def adopt_parquet(
    found: AdoptedShard, stream: BinaryIO, unit: str, take: Callable[[Piece], None] | None = None
) -> None:
    """Read all row groups; fill in a row for each that has rows.

    The digest of a sample is that of its rows as CSV (`kinds.blocks.csv_of`), computed batch by batch: a row group may
    be larger than memory. Page checksums are checked where the file has them.

    Args:
        found: takes the rows; its digest is known already.
        stream: the file.
        unit: id of the unit.
        take: is shown the rows, for the data scan.

    Raises:
        Damaged: not a Parquet file, cut, a page with another checksum, or a column that has no form in text.
    """
    _check_footer(stream, found.shard.size_bytes)
    try:
        with pq.ParquetFile(
            stream, buffer_size=_READ_BYTES, pre_buffer=False, page_checksum_verification=True
        ) as reader:
            if reader.metadata.num_row_groups > MAX_SAMPLES:
                raise Damaged(f"more than {MAX_SAMPLES} row groups in one file")
            first_row = 0
            for number in range(reader.metadata.num_row_groups):
                first_row += _adopt_group(found, reader, number, first_row, unit, take)
    except _FAILS as error:
        raise Damaged(f"not a readable Parquet file: {one_line(error)}") from error
    except OSError as error:
        # Arrow says of damaged bytes what it says of a damaged disk; the kernel's own errors have a number.
        if error.errno is not None:
            raise
        raise Damaged(f"not a readable Parquet file: {one_line(error)}") from error


def _adopt_group(
    found: AdoptedShard, reader: Any, number: int, first_row: int, unit: str, take: Callable[[Piece], None] | None
) -> int:
    schema = reader.schema_arrow
    num_rows = int(reader.metadata.row_group(number).num_rows)
    if num_rows == 0:
        return 0
    text = _HashedText()
    num_read = 0
    num_empty = text_bytes = 0.0
    try:
        with pa_csv.CSVWriter(pa.PythonFile(text, "w"), schema) as writer:
            for batch in reader.iter_batches(_BATCH_ROWS, row_groups=[number], use_threads=False):
                writer.write_batch(batch)
                num_read += batch.num_rows
                measured = BlockMeasures(pa.Table.from_batches([batch]))
                num_empty += measured["null_fraction"] * batch.num_rows * len(schema)
                text_bytes += measured["text_bytes"]
                if take is not None:
                    take(_piece(batch))
    except pa.ArrowInvalid as error:
        if "Unsupported Type" in str(error):
            raise Damaged(f"a column has no form in text: {one_line(error)}") from error
        raise
    if num_read != num_rows:
        raise Damaged(f"row group {number} has {num_read} rows and says {num_rows}")
    found.num_samples += 1
    found.add(
        kind="table",
        sha256=text.state.hexdigest(),
        suffix="parquet",
        offset=first_row,
        length=int(reader.metadata.row_group(number).total_byte_size),
        unit=unit,
        num_rows=num_rows,
        detail={"sheet": "", "first_row": first_row, "rows": num_rows, "columns": len(schema), "row_group": number},
        measures={
            "rows": float(num_rows),
            "columns": float(len(schema)),
            "null_fraction": num_empty / max(num_rows * len(schema), 1),
            "text_bytes": text_bytes,
        },
    )
    return num_rows


def _piece(batch: RecordBatch) -> Piece:
    block = pa.Table.from_batches([batch])
    return Piece(None, "parquet", {"sheet": ""}, group="s01", num_rows=block.num_rows, block=block)


def _check_footer(stream: BinaryIO, size_bytes: int) -> None:
    """Refuse a file whose end is no Parquet's, or whose footer claims more than is there or than is sane."""
    if size_bytes < 12:
        raise Damaged("file is too short for Parquet")
    stream.seek(size_bytes - 8)
    tail = stream.read(8)
    stream.seek(0)
    if tail[4:] != b"PAR1":
        raise Damaged("file does not end as Parquet does: it is cut, or encrypted, or another form")
    length = int.from_bytes(tail[:4], "little")
    if length > min(size_bytes - 12, _MAX_FOOTER_BYTES):
        raise Damaged(f"its footer claims {length} bytes")
