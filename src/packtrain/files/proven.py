"""A file that is proven before its first byte is handed out, and held against that proof whenever it is read."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from typing import Final

from packtrain.errors import IncompleteKnowledge, IntegrityError
from packtrain.files.entries import Entry, Source
from packtrain.units import MIB

_PIECE_BYTES: Final = MIB
_DIGEST_BYTES: Final = 32
# 32 bytes a megabyte: half a megabyte for a file of 16 GB.
_MOST_FILES: Final = 256


class Proofs:
    """What was proven of files, so that each is read whole once. Any number of threads may use it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pieces: OrderedDict[tuple[str, int], bytes] = OrderedDict()

    def proven(self, entry: Entry, source: Source) -> Source:
        """Return the content of a file after it was held against its SHA-256.

        The medium may give other bytes the next time: each megabyte is held against its own digest of the first time.

        Raises:
            IntegrityError: it is another file.
            IncompleteKnowledge: no signed document says what its SHA-256 is.
        """
        if entry.sha256 is None:
            raise IncompleteKnowledge(
                "no document here says what the SHA-256 of this file is: it cannot be proven",
                where=entry.name,
                hint="read it from the drives, whose catalog has it, or do without: verify=False",
            )
        # By what it is and not by its name: another shipment may have another file of this name.
        key = entry.sha256, entry.bytes
        with self._lock:
            pieces = self._pieces.get(key)
        if pieces is None:
            pieces = _prove(entry, source)
            with self._lock:
                self._pieces[key] = pieces
                while len(self._pieces) > _MOST_FILES:
                    self._pieces.popitem(last=False)
        return _ProvenSource(entry, source, pieces)


def differs(entry: Entry, found: str) -> IntegrityError:
    """Return the error for a file whose content has another SHA-256."""
    return IntegrityError(
        "file differs from what was signed",
        where=entry.name,
        expected=str(entry.sha256)[:12],
        found=found[:12],
        hint='use nothing of what was read of it; "packtrain check" looks at the drives, and "packtrain load" restores',
    )


def _prove(entry: Entry, source: Source) -> bytes:
    whole = hashlib.sha256()
    pieces = bytearray()
    buffer = memoryview(bytearray(min(_PIECE_BYTES, max(entry.bytes, 1))))
    for offset in range(0, entry.bytes, _PIECE_BYTES):
        count = source.read_into(offset, buffer[: min(_PIECE_BYTES, entry.bytes - offset)])
        whole.update(buffer[:count])
        pieces += hashlib.sha256(buffer[:count]).digest()
    if whole.hexdigest() != entry.sha256:
        raise differs(entry, whole.hexdigest())
    return bytes(pieces)


class _ProvenSource:
    def __init__(self, entry: Entry, source: Source, pieces: bytes) -> None:
        self._entry = entry
        self._source = source
        self._pieces = pieces
        self._number = -1
        self._piece = b""

    def read_into(self, offset: int, target: memoryview) -> int:
        end = min(offset + len(target), self._entry.bytes)
        at = offset
        while at < end:
            number, begin = divmod(at, _PIECE_BYTES)
            piece = self._read(number)
            count = min(len(piece) - begin, end - at)
            target[at - offset : at - offset + count] = piece[begin : begin + count]
            at += count
        return max(at - offset, 0)

    def _read(self, number: int) -> bytes:
        if number != self._number:
            length = min(_PIECE_BYTES, self._entry.bytes - number * _PIECE_BYTES)
            buffer = bytearray(length)
            count = self._source.read_into(number * _PIECE_BYTES, memoryview(buffer))
            found = hashlib.sha256(memoryview(buffer)[:count]).digest()
            if found != self._pieces[number * _DIGEST_BYTES : (number + 1) * _DIGEST_BYTES]:
                raise IntegrityError(
                    "file is not any more what it was when it was proven", where=self._entry.name, hint="do not use it"
                )
            self._number, self._piece = number, bytes(buffer)
        return self._piece

    def close(self) -> None:
        self._source.close()
