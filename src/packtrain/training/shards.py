"""The open shards of one process: bytes at offsets of a tar, row groups of a Parquet file."""

from __future__ import annotations

import io
import os
import stat
from collections import OrderedDict
from pathlib import Path, PurePosixPath
from typing import Final, NamedTuple

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from packtrain.errors import IntegrityError

_MAX_OPEN_SHARDS: Final = 64


class _Open(NamedTuple):
    descriptor: int
    size_bytes: int


class OpenShards:
    """The shards below a folder that this process has open, at most 64 of each form; named as in the index.

    Raises, in every method:
        IntegrityError: a shard lies outside of the folder, is missing, or does not hold what is asked for.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._process = os.getpid()
        self._open: OrderedDict[str, _Open] = OrderedDict()
        self._tables: OrderedDict[str, tuple[pq.ParquetFile, dict[tuple[int, int], int]]] = OrderedDict()

    def read(self, shard: str, offset: int, length: int) -> bytes:
        """Return bytes of a shard."""
        descriptor = self._checked(shard, offset, length)
        pieces: list[bytes] = []
        while length > 0:
            piece = os.pread(descriptor, length, offset)
            if not piece:
                raise IntegrityError("shard became shorter while it was read", where=shard)
            pieces.append(piece)
            offset, length = offset + len(piece), length - len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def read_into(self, shard: str, offset: int, target: memoryview) -> None:
        """Fill `target` with bytes of a shard."""
        descriptor = self._checked(shard, offset, len(target))
        while target:
            num_bytes = os.preadv(descriptor, [target], offset)
            if not num_bytes:
                raise IntegrityError("shard became shorter while it was read", where=shard)
            offset, target = offset + num_bytes, target[num_bytes:]

    def announce(self, shard: str, offset: int, length: int) -> None:
        """Tell the kernel that these bytes will be read soon: it goes on without being waited for."""
        os.posix_fadvise(self._opened(shard).descriptor, offset, length, os.POSIX_FADV_WILLNEED)

    def rows(self, shard: str, first_row: int, num_rows: int) -> bytes:
        """Return a row group as CSV with a header line."""
        try:
            reader, group_of = self._parquet(shard)
            group = group_of.get((first_row, num_rows))
            if group is None:
                raise IntegrityError("index names rows that are no row group of the shard", where=shard)
            rows = reader.read_row_group(group, use_threads=False)
            buffer = io.BytesIO()
            pa_csv.write_csv(rows, buffer)
        except (OSError, pa.ArrowException) as error:
            raise IntegrityError(f"table shard cannot be read: {error}", where=shard) from error
        return buffer.getvalue()

    def _checked(self, shard: str, offset: int, length: int) -> int:
        if offset < 0 or length < 0:
            raise IntegrityError("index holds a negative offset or length", where=shard)
        # Before reading: a length from the index is believed only as far as the file reached when it was opened.
        found = self._opened(shard)
        if offset + length > found.size_bytes:
            raise IntegrityError("shard is shorter than the index says", where=shard)
        return found.descriptor

    def _opened(self, shard: str) -> _Open:
        found = self._open.get(shard)
        if found is not None:
            self._open.move_to_end(shard)
            return found
        try:
            descriptor = os.open(self._path(shard), os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError as error:
            raise IntegrityError(f"shard cannot be opened: {error.strerror}", where=shard) from error
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise _no_file(shard)
        if len(self._open) >= _MAX_OPEN_SHARDS:
            os.close(self._open.popitem(last=False)[1].descriptor)
        return self._open.setdefault(shard, _Open(descriptor, os.fstat(descriptor).st_size))

    def _parquet(self, shard: str) -> tuple[pq.ParquetFile, dict[tuple[int, int], int]]:
        if self._process != os.getpid():
            # A file position is shared with the process that forked us: two readers would move it under each other.
            self._tables, self._process = OrderedDict(), os.getpid()
        found = self._tables.pop(shard, None)
        if found is None:
            if self._path(shard).exists() and not self._path(shard).is_file():
                raise _no_file(shard)
            reader = pq.ParquetFile(self._path(shard), page_checksum_verification=True)
            found = reader, row_groups(reader)
            if len(self._tables) >= _MAX_OPEN_SHARDS:
                self._tables.popitem(last=False)[1][0].close()
        self._tables[shard] = found
        return found

    def _path(self, shard: str) -> Path:
        parts = PurePosixPath(shard).parts
        if not parts or shard.startswith("/") or ".." in parts or "\0" in shard:
            raise IntegrityError("index names a shard outside the data set", where=shard[:200])
        return self._root.joinpath(*parts)

    def __del__(self) -> None:
        for shard in self._open.values():
            os.close(shard.descriptor)


def _no_file(shard: str) -> IntegrityError:
    return IntegrityError("shard is no regular file", where=shard)


def row_groups(reader: pq.ParquetFile) -> dict[tuple[int, int], int]:
    """Return the number of each row group, by its first row and how many it has."""
    groups: dict[tuple[int, int], int] = {}
    first = 0
    for number in range(reader.metadata.num_row_groups):
        length = reader.metadata.row_group(number).num_rows
        groups[first, length] = number
        first += length
    return groups
