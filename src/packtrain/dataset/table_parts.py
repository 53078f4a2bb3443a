"""Parts: the Parquet files of table blocks that pass 1 leaves in a unit's blobs.

A part is cut as a shard is. If nothing of it is dropped, the shard is the part, byte for byte; otherwise the blocks
that are kept are read from it and written anew, by the same writer.
"""

from __future__ import annotations

import hashlib
from typing import Any, BinaryIO, Final

import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet as pq

from packtrain.dataset.arrow import ParquetWriter, Table
from packtrain.dataset.part import MAX_SAMPLES, Part
from packtrain.dataset.window import Window

pc: Any = pyarrow.compute  # its functions are made when it is imported: no checker sees them
_BUFFER_BYTES: Final = 1 << 20
# A dictionary costs a page a column and block: it pays where a block is long and every text is there four times.
_LEAST_ROWS_FOR_DICTIONARY: Final = 1024
_LEAST_REPEATS: Final = 4
_ROWS_LOOKED_AT: Final = 4096


def block_writer(stream: Any, first: Table) -> ParquetWriter:
    """Return the writer of table shards: zstd, a checksum in every page, nothing of machine or time in it.

    Without minima and maxima: over rows as somebody typed them they tell little, and took a fifth of the time.

    Args:
        stream: where to.
        first: the first block: what it repeats is stored as a dictionary in all of them.
    """
    return pq.ParquetWriter(
        stream,
        first.schema,
        compression="zstd",
        write_page_checksum=True,
        store_schema=False,
        write_statistics=False,
        use_dictionary=_repeated_columns(first),  # pyright: ignore[reportArgumentType]
    )


def write_block(writer: ParquetWriter, block: Table) -> None:
    """Append a block as one row group, however many rows it has."""
    writer.write_table(block, row_group_size=block.num_rows)


def _repeated_columns(block: Table) -> list[str] | bool:
    if block.num_rows < _LEAST_ROWS_FOR_DICTIONARY:
        return False
    head = block.slice(0, _ROWS_LOOKED_AT)
    found: list[str] = []
    for name, column in zip(head.schema.names, head.columns, strict=True):
        try:
            num_distinct = pc.count_distinct(column, mode="all").as_py()
        except pa.ArrowNotImplementedError:
            continue
        if num_distinct * _LEAST_REPEATS <= head.num_rows:
            found.append(name)
    return found or False


class PartWriter:
    """Writes the blocks of one source into a unit's blobs, part after part.

    Args:
        blobs: the unit's blobs, at their end.
        shard_bytes: of the recipe; a part ends before the CSV of its blocks would grow past it.
    """

    def __init__(self, blobs: BinaryIO, shard_bytes: int) -> None:
        self._blobs = blobs
        self._shard_bytes = shard_bytes
        self._group = ""
        self._rows: list[dict[str, object]] = []
        self._held_bytes = 0
        self._open: tuple[ParquetWriter, Any, _PartStream] | None = None

    @property
    def num_open(self) -> int:
        """Return how many rows have not been told their place yet: those of the open part, the last ones."""
        return len(self._rows)

    def add(self, block: Table, group: str, num_bytes: int, row: dict[str, object]) -> None:
        """Append a block; its row of the samples is told the place when the part is closed.

        Args:
            block: rows.
            group: the table they belong to; blocks of two tables share no part.
            num_bytes: of the block as CSV.
            row: gets `blob_offset`, `part_bytes`, `part_sha256`, `part_blocks` and `row_group`.

        Raises:
            OSError: no space is left.
        """
        is_full = self._held_bytes + num_bytes > self._shard_bytes or len(self._rows) == MAX_SAMPLES
        if self._open is not None and (group != self._group or is_full):
            self.close()
        if self._open is None:
            stream = _PartStream(self._blobs)
            # The writer makes several small pieces a column: gathered, or each would be a call back into Python.
            buffered = pa.BufferedOutputStream(pa.PythonFile(stream, mode="w"), _BUFFER_BYTES)
            self._open, self._group = (block_writer(buffered, block), buffered, stream), group
        write_block(self._open[0], block)
        self._rows.append(row)
        self._held_bytes += num_bytes

    def close(self) -> None:
        """End the open part, if there is one."""
        if self._open is None:
            return
        writer, buffered, stream = self._open
        rows = self._rows
        writer.close()
        buffered.flush()
        self._forget()
        for number, row in enumerate(rows):
            row["blob_offset"] = stream.offset
            row["part_bytes"] = stream.num_bytes
            row["part_sha256"] = stream.state.hexdigest()
            row["part_blocks"] = len(rows)
            row["row_group"] = number

    def discard(self) -> None:
        """Forget the open part: whatever its writer still has to say goes nowhere."""
        if self._open is not None:
            self._open[2].is_lost = True
        self._forget()

    def _forget(self) -> None:
        self._open, self._rows, self._held_bytes = None, [], 0


class _PartStream:
    """A file for the Parquet writer that begins where the blobs end; hashes what passes."""

    closed = False

    def __init__(self, blobs: BinaryIO) -> None:
        self._blobs = blobs
        self.offset = blobs.tell()
        self.num_bytes = 0
        self.state = hashlib.sha256()
        self.is_lost = False

    def write(self, piece: Any) -> int:
        length = len(memoryview(piece))
        if not self.is_lost:
            try:
                self._blobs.write(piece)
            except OSError:
                self.is_lost = True  # or the writer would try again where it is thrown away
                raise
            self.state.update(piece)
            self.num_bytes += length
        return length

    def tell(self) -> int:
        return self.num_bytes

    def flush(self) -> None: ...

    def close(self) -> None: ...


def window_of(blobs: BinaryIO, part: Part) -> Window:
    """Return a part as a file of its own; the blobs must stay open."""
    return Window(blobs.fileno(), part.offset, part.num_bytes)


class PartReader:
    """Reads single blocks of a part."""

    def __init__(self, blobs: BinaryIO, part: Part) -> None:
        self._file = pq.ParquetFile(window_of(blobs, part), page_checksum_verification=True, pre_buffer=True)

    def block(self, row_group: int) -> Table:
        """Return one block as it was written.

        Raises:
            pa.ArrowException: the part is damaged, or has no such block.
        """
        if not 0 <= row_group < self._file.num_row_groups:
            raise pa.ArrowInvalid(f"there is no row group {row_group}")
        found = self._file.read_row_group(row_group, use_threads=False).combine_chunks()
        # Without what the reader adds to the fields (their numbers): it would be written down the second time.
        return pa.Table.from_arrays(found.columns, names=found.schema.names)
