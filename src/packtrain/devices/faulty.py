"""A drive that misbehaves on orders, to show in tests what happens when real drives do; without orders a plain one.

It wraps another drive, whose `location` must be a folder: damage to the medium is done to the files in it.
"""

from __future__ import annotations

import contextlib
import errno
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal, NoReturn

from packtrain.durable import TEMPORARY_SUFFIX
from packtrain.errors import DriveFailed, DriveFull
from packtrain.ports import Drive, DriveReader, DriveWriter, Readback

KILLED: Final = 77
"""Exit code of a process that died in a torn write."""


def _die() -> NoReturn:
    os._exit(KILLED)  # no handler, no `finally`, no flush: what a power cut leaves


@dataclass
class Orders:
    """What a FaultyDrive does wrong. Calls are counted from 1, those that write and those that read apart.

    Writing calls are: begin a file, write a piece, finish a file, remove a file. Reading calls: list, look up a length,
    open, read a piece.

    Attributes:
        fail_writes: writing calls that end with EIO, all others work.
        fail_reads: reading calls that do.
        fail_names: files that cannot be opened for reading or writing, ever.
        fail_writes_of: files of which no piece can be written.
        unreadable: file -> offset of a byte that the medium does not give back: reading a piece with it ends with EIO.
        full_after_bytes: after so many bytes written the drive is full.
        torn_write: the writing call of which half reaches the medium before the process dies.
        die: how it dies.
        flip_on_read: file -> offset of the byte that reads return with one bit turned; the medium is right.
        flip_once: only the first read of that byte does so.
        flip_when_finished: file -> offset of the byte that the medium turns as soon as the file is finished.
        pulled_at: from this call on (of any kind) every call fails, until `plug_in`.
        short_reads: pieces come back half as long as they are.
        real_bytes: what the medium really holds, whatever it says.
        beyond: what becomes of bytes beyond that: they overwrite the first ones, or are lost.
        reads_wait_for: reads begin when this is set; a slow drive without a clock.
    """

    fail_writes: frozenset[int] = frozenset()
    fail_reads: frozenset[int] = frozenset()
    fail_names: frozenset[str] = frozenset()
    fail_writes_of: frozenset[str] = frozenset()
    unreadable: dict[str, int] = field(default_factory=dict[str, int])
    full_after_bytes: int | None = None
    torn_write: int | None = None
    die: Callable[[], NoReturn] = _die
    flip_on_read: dict[str, int] = field(default_factory=dict[str, int])
    flip_once: bool = False
    flip_when_finished: dict[str, int] = field(default_factory=dict[str, int])
    pulled_at: int | None = None
    short_reads: bool = False
    real_bytes: int | None = None
    beyond: Literal["wraps", "is lost"] = "wraps"
    reads_wait_for: threading.Event | None = None


@dataclass(frozen=True, slots=True)
class _Extent:
    """Where on the medium a part of a file lies: `start` counts all bytes ever written before it."""

    name: str
    start: int
    length: int


class FaultyDrive:
    """A drive that does what its orders say, and otherwise what the drive inside does (see `ports.Drive`).

    Args:
        inner: the drive that holds the files.
        orders: what goes wrong; they may be changed at any time.

    Attributes:
        num_writes, num_reads: calls so far, of each kind.
        written_bytes: bytes written so far, rewritten files included.
    """

    def __init__(self, inner: Drive, orders: Orders | None = None) -> None:
        self.orders = orders or Orders()
        self.location = inner.location
        self.serial = inner.serial
        self.num_writes = 0
        self.num_reads = 0
        self.written_bytes = 0
        self._inner = inner
        self._is_pulled = False
        self._extents: list[_Extent] = []
        # Reads of one drive may come from several threads; orders must still count each call once.
        self._lock = threading.Lock()

    # --- the port ---

    def free_bytes(self) -> int:
        """Return what the drive says; a lying or a soon full one says as much as the one inside."""
        self.before_reading("")
        return self._inner.free_bytes()

    def names(self) -> Iterator[str]:
        """Yield the names of all files; see the port."""
        self.before_reading("")
        yield from self._inner.names()

    def size_bytes(self, name: str) -> int | None:
        """Return a file's length, or None; see the port."""
        self.before_reading("")
        return self._inner.size_bytes(name)

    def open_reader(self, name: str, *, past_cache: bool = False) -> DriveReader:
        """Return an open file; see the port for errors."""
        self.before_reading(name)
        return _FaultyReader(self, name, self._inner.open_reader(name, past_cache=past_cache))

    @contextlib.contextmanager
    def open_writer(self, name: str) -> Iterator[DriveWriter]:
        """Yield a writer; see the port."""
        self._writing(name)
        before = self.written_bytes
        with self._inner.open_writer(name) as inner:
            yield _FaultyWriter(self, name, inner)
            # Before the rename: a call that fails leaves no file, as a flush that failed would.
            self._writing(name)
        self._finished(_Extent(name, before, self.written_bytes - before))

    def read_bytes(self, name: str, max_bytes: int) -> bytes:
        """Return a whole small file; see the port for errors."""
        self.before_reading(name)
        payload = bytearray(self._inner.read_bytes(name, max_bytes))
        length = self.spoil(name, memoryview(payload), 0, len(payload))
        return bytes(payload[:length])

    def write_bytes(self, name: str, payload: bytes) -> None:
        """Write a whole small file; see the port."""
        with self.open_writer(name) as writer:
            writer.write(payload)

    def remove(self, name: str) -> None:
        """Remove a file; see the port."""
        self._writing(name)
        self._inner.remove(name)
        with self._lock:
            self._forget(name)

    # --- what a test does to it ---

    def plug_in(self) -> None:
        """Make a pulled drive answer again; it stays in until another order pulls it."""
        self._is_pulled = False
        self.orders.pulled_at = None

    def flip(self, name: str, offset: int) -> None:
        """Turn one bit of a byte on the medium."""
        with self._path(name).open("r+b") as stream:
            stream.seek(offset)
            byte = stream.read(1)[0]
            stream.seek(offset)
            stream.write(bytes([byte ^ 1]))

    # --- orders ---

    def before_reading(self, name: str) -> None:
        """Count a reading call, and fail it if it is ordered to."""
        if self.orders.reads_wait_for is not None:
            self.orders.reads_wait_for.wait()
        with self._lock:
            self.num_reads += 1
            self._obey(name, self.num_reads in self.orders.fail_reads, "read")

    def _writing(self, name: str) -> bool:
        """Count a writing call; return whether it is the one that is torn."""
        with self._lock:
            self.num_writes += 1
            self._obey(name, self.num_writes in self.orders.fail_writes, "written")
            return self.num_writes == self.orders.torn_write

    def _obey(self, name: str, is_to_fail: bool, what: str) -> None:
        pulled_at = self.orders.pulled_at
        self._is_pulled |= pulled_at is not None and self.num_reads + self.num_writes >= pulled_at
        if self._is_pulled:
            raise self._failed(name, "is gone", errno.ENODEV)
        if is_to_fail or name in self.orders.fail_names:
            raise self._failed(name, f"cannot be {what}", errno.EIO)

    def _failed(self, name: str, what: str, code: int) -> DriveFailed:
        error = DriveFailed(
            f"drive {what}: {os.strerror(code)}",
            where=f"{self.location}: {name}" if name else self.location,
            hint="check cable, bay and kernel log; run the same command again, or replace the drive",
        )
        error.__cause__ = OSError(code, os.strerror(code))
        return error

    def write_piece(self, name: str, inner: DriveWriter, data: bytes | bytearray | memoryview) -> None:
        """Hand a piece on to the file inside, or do with it what is ordered."""
        is_torn = self._writing(name)
        if name in self.orders.fail_writes_of:
            raise self._failed(name, "cannot be written", errno.EIO)
        view = memoryview(data).cast("B")
        if is_torn:
            # What was buffered before is lost with the process; of this piece the first half is on the medium.
            with self._path(name + TEMPORARY_SUFFIX).open("ab") as stream:
                stream.write(view[: len(view) // 2])
            self.orders.die()
        with self._lock:
            self.written_bytes += len(view)
            is_full = self.orders.full_after_bytes is not None and self.written_bytes > self.orders.full_after_bytes
        if is_full:
            raise DriveFull(
                "no space left on the drive",
                where=f"{self.location}: {name}",
                hint="give a larger drive or plan again, then run the same command: it goes on where it stopped",
            ) from OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        inner.write(view)

    def spoil(self, name: str, buffer: memoryview, offset: int, length: int) -> int:
        """Spoil what was read to `buffer` as ordered; return how much of it is said to be there."""
        missing = self.orders.unreadable.get(name)
        if missing is not None and offset <= missing < offset + length:
            raise self._failed(name, "cannot be read", errno.EIO)
        turned = self.orders.flip_on_read.get(name)
        if turned is not None and offset <= turned < offset + length:
            buffer[turned - offset] ^= 1
            if self.orders.flip_once:
                del self.orders.flip_on_read[name]
        return (length + 1) // 2 if self.orders.short_reads else length

    def _finished(self, extent: _Extent) -> None:
        with self._lock:
            self._forget(extent.name)
            self._extents.append(extent)
        turned = self.orders.flip_when_finished.get(extent.name)
        if turned is not None:
            self.flip(extent.name, turned)
        if self.orders.real_bytes is not None and extent.start + extent.length > self.orders.real_bytes:
            self._overflow(extent, self.orders.real_bytes)

    def _forget(self, name: str) -> None:
        self._extents = [extent for extent in self._extents if extent.name != name]

    def _overflow(self, extent: _Extent, real_bytes: int) -> None:
        """Do to the medium what a drive does that says to be larger than it is: addresses count modulo its size."""
        first = max(0, real_bytes - extent.start)
        if self.orders.beyond == "is lost":
            self._patch(extent.name, first, bytes(extent.length - first))
            return
        payload = self._path(extent.name).read_bytes()
        for other in self._extents:
            # A cell of the medium is written once a lap: every earlier lap's bytes at it are overwritten. A file does
            # not overwrite itself here: none in a test is larger than the medium.
            for lap in range(1, (extent.start + extent.length) // real_bytes + 1):
                start = max(other.start, extent.start + first - lap * real_bytes)
                stop = min(other.start + other.length, extent.start + extent.length - lap * real_bytes)
                if start < stop and other != extent:
                    at = start + lap * real_bytes - extent.start
                    self._patch(other.name, start - other.start, payload[at : at + stop - start])

    def _patch(self, name: str, offset: int, payload: bytes) -> None:
        with self._path(name).open("r+b") as stream:
            stream.seek(offset)
            stream.write(payload)

    def _path(self, name: str) -> Path:
        return Path(self.location) / name


class _FaultyReader:
    def __init__(self, drive: FaultyDrive, name: str, inner: DriveReader) -> None:
        self._drive = drive
        self._name = name
        self._inner = inner
        self.size_bytes = inner.size_bytes
        self.readback: Readback = inner.readback

    def read_into(self, buffer: memoryview, offset: int) -> int:
        self._drive.before_reading(self._name)
        length = self._inner.read_into(buffer, offset)
        return self._drive.spoil(self._name, buffer, offset, length)

    def close(self) -> None:
        self._inner.close()


class _FaultyWriter:
    def __init__(self, drive: FaultyDrive, name: str, inner: DriveWriter) -> None:
        self._drive = drive
        self._name = name
        self._inner = inner

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self._drive.write_piece(self._name, self._inner, data)
