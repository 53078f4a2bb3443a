"""The bytes of one sample as a stream: out of its shard, out of what its unit read, or from the source file itself."""

from __future__ import annotations

import io
import os
import stat
from pathlib import Path
from typing import BinaryIO, Final

from packtrain.dataset.looking.set_tables import Row
from packtrain.dataset.looking.where import Where
from packtrain.dataset.window import Window

_BUFFER_BYTES: Final = 1 << 16


class NotThere(Exception):
    """The bytes of a sample cannot be had; the page says why in the place of its picture."""


class _OwnWindow(Window):
    """A part of a file as a file of its own; closing it closes the file."""

    def __init__(self, stream: BinaryIO, start: int, num_bytes: int) -> None:
        super().__init__(stream.fileno(), start, num_bytes)
        self._stream = stream

    def close(self) -> None:
        self._stream.close()
        super().close()


def open_kept(where: Where, row: Row) -> BinaryIO:
    """Return the bytes of a sample of the index, out of its shard.

    Raises:
        NotThere: the shard is not there, or shorter than the index says.
    """
    return _opened(where.shard(row["shard"]), row["offset"], row["length"], f"shard {row['shard']}")


def open_read(where: Where, row: Row) -> BinaryIO:
    """Return the bytes of a sample that was read, kept or not.

    Raises:
        NotThere: what its unit wrote, or its source, is not there any more or has another length.
    """
    if where.adopted:
        return open_source(where, row["source"], row["blob_bytes"], row["blob_offset"])
    if row["blob_offset"] >= 0:
        path = where.units.blobs(row["unit"])
        return _opened(path, row["blob_offset"], row["blob_bytes"], "what was read of its source")
    return open_source(where, row["source"], row["blob_bytes"])


def open_part(where: Where, row: Row) -> BinaryIO:
    """Return the Parquet file of table blocks in which a block of a table lies; for errors see `open_read`."""
    return _opened(where.units.blobs(row["unit"]), row["blob_offset"], row["part_bytes"], "what was read of its source")


def open_source(where: Where, name: str, num_bytes: int | None = None, start: int | None = None) -> BinaryIO:
    """Return the bytes of a source file, or of a part of it.

    Args:
        where: what lies where.
        name: of the source.
        num_bytes: its length when it was read, where that is known; or that of the part.
        start: where the part begins, None for all of it.

    Raises:
        NotThere: it is not there, or has another length now.
    """
    if where.sources is None:
        raise NotThere("a source path of voyage.toml is not there")
    try:
        path = where.sources.path_of(name)
    except (KeyError, ValueError) as error:
        raise NotThere("no source path of voyage.toml has this name") from error
    return _opened(path, start or 0, num_bytes, "its source file", is_whole=start is None)


def _opened(path: Path, start: int, num_bytes: int | None, what: str, *, is_whole: bool = False) -> BinaryIO:
    try:
        # What was a file when it was read may have become a link or a pipe since.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise NotThere(f"{what} cannot be opened: {error.strerror}") from error
    stream = os.fdopen(descriptor, "rb")
    status = os.fstat(descriptor)
    end = status.st_size if num_bytes is None else start + num_bytes
    if not stat.S_ISREG(status.st_mode) or end > status.st_size or (is_whole and end < status.st_size):
        stream.close()
        raise NotThere(f"{what} has changed since it was read")
    return io.BufferedReader(_OwnWindow(stream, start, end - start), _BUFFER_BYTES)
