"""One volume being unpacked: a thread that takes ciphertext and stages files.

Either the thread reads the volume itself (`ReadAlone`), or the one who reads a stripe feeds several of them side by
side (`Unpacking`). It always takes all there is, even after it found a fault, because only the SHA-256 over everything
says whose fault it was: the medium's, or the consignor's.
"""

from __future__ import annotations

import contextlib
import hashlib
import queue
import threading
from collections.abc import Callable
from typing import Final

from packtrain.documents.group import Volume
from packtrain.errors import DriveFailed, DriveFull, PacktrainError, WorkerCrashed
from packtrain.ports import Drive, DriveReader
from packtrain.units import KIB

# For what is read only to be hashed.
_DRAIN_BYTES: Final = 256 * KIB
# One block is read while one is waiting and one is worked on: more would only cost memory.
_WAITING_BLOCKS: Final = 1
# How long a thread that waits for a block goes without looking whether anybody is left to feed it.
_LOOK_UP_SECONDS: Final = 0.5


Source = Callable[[memoryview], int]
"""Fills a buffer with ciphertext; returns the count of bytes, 0 at the end."""


class _GivenUp(Exception):
    """The way out of a reader that waits for bytes that will not come."""


class ReadAlone:
    """One volume that its own thread reads from its drive, from the first to the last byte.

    Args:
        volume: what group.json says of it.
        drive: where it lies.
        name: its file name there.
        stop: set when nobody waits for the result any more.

    Attributes:
        is_whole: all bytes came and have the SHA-256 of group.json; ask after the thread has ended.
        fault: what `work` raised about the bytes; it counts only if `is_whole`.
    """

    def __init__(self, volume: Volume, drive: Drive, name: str, stop: threading.Event) -> None:
        self.volume = volume
        self.fault: PacktrainError | None = None
        self.is_whole = False
        self._drive = drive
        self._name = name
        self._stop = stop
        self._state = hashlib.sha256()
        self._offset = 0
        self._reader: DriveReader | None = None

    def run(self, work: Callable[[Source], None]) -> None:
        """Do all the work in this thread.

        Args:
            work: as of `Unpacking`.

        Raises:
            DriveFull, DriveFailed, OSError: the store cannot take the files; nothing is wrong with the volume.
            WorkerCrashed: a process that unpacks died; nothing is wrong with the volume either.
        """
        try:
            try:
                self._reader = self._drive.open_reader(self._name)
            except DriveFailed:
                return
            try:
                work(self._read)
            except (DriveFull, DriveFailed, WorkerCrashed):
                raise
            except PacktrainError as error:
                self.fault = error
            if self._offset < self.volume.bytes:
                drained = memoryview(bytearray(_DRAIN_BYTES))
                while self._read(drained):
                    pass
            self.is_whole = self._offset == self.volume.bytes and self._state.hexdigest() == self.volume.sha256
        except _GivenUp:
            return
        finally:
            if self._reader is not None:
                self._reader.close()

    def _read(self, buffer: memoryview) -> int:
        if self._stop.is_set():
            raise _GivenUp
        assert self._reader is not None
        view = buffer[: self.volume.bytes - self._offset]
        if not view:
            return 0
        try:
            got = self._reader.read_into(view, self._offset)
        except DriveFailed as error:
            raise _GivenUp from error
        if got != len(view):
            raise _GivenUp
        self._state.update(view)
        self._offset += got
        return got


class Unpacking:
    """The state of one volume between its reader and its thread.

    Args:
        volume: what group.json says of it.
        work: does all the unpacking from a function that fills a buffer with ciphertext, and returns 0 at the end.

    Attributes:
        fault: what `work` raised about the bytes; it counts only if `is_whole`.
        is_given_up: the volume is beyond repair.
        has_failed: the store cannot take the files; reading on is of no use.
    """

    def __init__(self, volume: Volume, work: Callable[[Source], None]) -> None:
        self.volume = volume
        self.fault: PacktrainError | None = None
        self.is_given_up = False
        self.has_failed = False
        self._is_abandoned = False
        self._work = work
        self._queue: queue.Queue[bytes | None] = queue.Queue(_WAITING_BLOCKS)
        self._state = hashlib.sha256()
        self._total_bytes = 0
        self._block = b""
        self._at = 0
        self._ended = False

    def put(self, block: bytes) -> None:
        """Feed the next block; waits while the thread is behind."""
        self._queue.put(block)

    def give_up(self) -> None:
        """Say that the rest cannot be read."""
        self.is_given_up = True

    def end(self) -> None:
        """Say that this was all."""
        self._queue.put(None)

    def abandon(self) -> None:
        """Say that nobody feeds any more: the thread ends by itself. Never waits, so an interrupt may do it."""
        self._is_abandoned = True

    def run(self) -> None:
        """Do the work in this thread, then take what is left of the feed.

        Raises:
            DriveFull, DriveFailed, OSError: the store cannot take the files; nothing is wrong with the volume.
        """
        try:
            self._work(self._read)
        except (DriveFull, DriveFailed, OSError):
            self.has_failed = True
            raise
        except _GivenUp:
            pass
        except PacktrainError as error:
            self.fault = error
        finally:
            self._drain()

    @property
    def is_whole(self) -> bool:
        """Return whether all bytes came and have the SHA-256 of group.json; ask after the thread has ended."""
        return (
            not self.is_given_up
            and self._total_bytes == self.volume.bytes
            and self._state.hexdigest() == self.volume.sha256
        )

    def _read(self, buffer: memoryview) -> int:
        if self._at == len(self._block):
            self._next()
            if self._ended:
                if self.is_given_up:
                    raise _GivenUp
                return 0
        count = min(len(buffer), len(self._block) - self._at)
        buffer[:count] = memoryview(self._block)[self._at : self._at + count]
        self._at += count
        return count

    def _next(self) -> None:
        block = None if self._ended else self._wait()
        self._at = 0
        self._block = block or b""
        if block is None:
            self._ended = True
            return
        self._state.update(block)
        self._total_bytes += len(block)

    def _wait(self) -> bytes | None:
        while True:
            with contextlib.suppress(queue.Empty):
                return self._queue.get(timeout=_LOOK_UP_SECONDS)
            if self._is_abandoned:
                self.is_given_up = True
                return None

    def _drain(self) -> None:
        while not self._ended:
            self._next()
