"""One open file of a shipment, as every Python program reads one."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from packtrain.files.entries import Entry, Source
from packtrain.files.proven import differs
from packtrain.units import KIB, MIB

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_AHEAD_BYTES: Final = MIB
_CHUNK_BYTES: Final = 64 * KIB


class ShipmentFile(io.BufferedReader):
    """Reads one file: a megabyte ahead where it is read on end, a chunk of 64 KiB where it is read here and there.

    What is read from its first byte to its last, in order, is held against the SHA-256 that was signed; a file that is
    another raises `IntegrityError` at its end, in place of the last bytes.

    Attributes:
        size: length in bytes.
        path: as the file system names it.
    """

    def __init__(
        self, path: str, entry: Entry, open_source: Callable[[], Source], reopen: Callable[[], ShipmentFile]
    ) -> None:
        super().__init__(_RawFile(entry, open_source), _AHEAD_BYTES)
        self.path = path
        self.size = entry.bytes
        self._reopen = reopen

    def __reduce__(self) -> tuple[Callable[[Callable[[], ShipmentFile], int], ShipmentFile], tuple[object, int]]:
        """Another process opens its own, at the same place."""
        return _reopened, (self._reopen, self.tell())


def _reopened(reopen: Callable[[], ShipmentFile], place: int) -> ShipmentFile:
    file = reopen()
    file.seek(place)
    return file


class _RawFile(io.RawIOBase):
    def __init__(self, entry: Entry, open_source: Callable[[], Source]) -> None:
        super().__init__()
        self._entry = entry
        self._open_source = open_source
        self._source = open_source()
        self._opened_by = os.getpid()
        self._at = 0
        self._read_to = -1  # where the last read ended: one that begins there is a reading on end
        self._hashed = hashlib.sha256() if entry.sha256 is not None else None
        self._hashed_bytes = 0
        self._is_another: str | None = None  # what its SHA-256 was found to be

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._entry.bytes}[whence]
        if base + offset < 0:
            raise ValueError(f"negative position: {base + offset}")
        self._at = base + offset
        return self._at

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        target = memoryview(buffer).cast("B")
        if self._at != self._read_to:
            # Not more than is there in the chunk: a reader of footers and columns comes back for another place.
            target = target[: _CHUNK_BYTES - self._at % _CHUNK_BYTES]
        return self._fill(target)

    def readall(self) -> bytes:
        whole = bytearray(max(self._entry.bytes - self._at, 0))
        view = memoryview(whole)
        done = 0
        while done < len(view) and (count := self._fill(view[done : done + _AHEAD_BYTES])):
            done += count
        return bytes(view[:done])

    def close(self) -> None:
        if not self.closed:
            self._source.close()
        super().close()

    def _fill(self, target: memoryview) -> int:
        if self._opened_by != os.getpid():
            # A forked process has none of the threads that rebuild, and its parent's locks as they stood.
            self._source, self._opened_by = self._open_source(), os.getpid()
        if self._is_another is not None:
            # Who reads on after the error, or from the start once more, gets the bytes of the other file no more.
            raise differs(self._entry, self._is_another)
        count = self._source.read_into(self._at, target)
        if self._hashed is not None and count:
            if self._at == self._hashed_bytes:
                self._hashed.update(target[:count])
                self._hashed_bytes += count
                if self._hashed_bytes == self._entry.bytes and self._hashed.hexdigest() != self._entry.sha256:
                    self._is_another = self._hashed.hexdigest()
                    raise differs(self._entry, self._is_another)
            elif self._at > self._hashed_bytes:
                self._hashed = None  # some of it was left out: nothing can be said any more
        self._at += count
        self._read_to = self._at
        return count
