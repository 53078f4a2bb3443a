"""Drives that are metered: how many bytes each moved and how long it was waited for, added to what a stage tells.

A stage counts its own work; which of sixty drives holds it up is seen here, where every byte passes, whatever the verb.
"""

from __future__ import annotations

import contextlib
import dataclasses
import threading
import time
from collections.abc import Iterator
from typing import Final

from packtrain.events import DriveNamed, DriveProgress, Event, Progress, Sink
from packtrain.ports import Drive, DriveReader, DriveWriter, Readback

_WAITING_SECONDS: Final = 1.0


class DriveMeter:
    """What passed to and from one drive. Several threads may use it."""

    def __init__(self, location: str) -> None:
        self._label = location
        self._named: DriveNamed | None = None
        self._lock = threading.Lock()
        self._moved_bytes = 0
        self._written_bytes = 0
        self._named_at_bytes = 0
        self._busy_seconds = 0.0
        self._num_calls = 0
        self._since = 0.0
        self._state = ""

    def name(self, named: DriveNamed) -> None:
        """Take which drive this is, and what of it is to be moved from now on."""
        with self._lock:
            self._label, self._named, self._named_at_bytes = named.label, named, self._moved_bytes

    def begin(self, state: str) -> None:
        """Note that the drive is waited for from now on."""
        now = time.monotonic()
        with self._lock:
            if not self._num_calls:
                self._since = now
            self._num_calls += 1
            self._state = "reading back" if state == "reading" and self._written_bytes else state

    def end(self, moved_bytes: int, *, is_write: bool) -> None:
        """Note that it answered."""
        now = time.monotonic()
        with self._lock:
            self._num_calls -= 1
            if not self._num_calls:
                self._busy_seconds += now - self._since
                self._since = now
            self._moved_bytes += moved_bytes
            if is_write:
                self._written_bytes += moved_bytes

    def row(self) -> DriveProgress | None:
        """Return how far the drive is; None where nothing passed, and nothing is known that will."""
        now = time.monotonic()
        with self._lock:
            if not self._moved_bytes and not (self._named is not None and self._named.total_bytes):
                return None
            busy_seconds = self._busy_seconds + (now - self._since if self._num_calls else 0.0)
            named, moved_bytes = self._named, self._moved_bytes
            done_bytes, total_bytes, state = moved_bytes, 0, self._state
            if named is not None:
                total_bytes = named.total_bytes
                done_bytes = named.done_bytes + (moved_bytes - self._named_at_bytes) // named.num_passes
                done_bytes = min(done_bytes, total_bytes) if total_bytes else done_bytes
            if not self._num_calls and now - self._since > _WAITING_SECONDS:
                state = "done" if total_bytes and done_bytes >= total_bytes else "waiting"
        return DriveProgress(self._label, state, done_bytes, total_bytes, busy_seconds, moved_bytes)


class WatchedDrive:
    """A drive that is metered, and otherwise the drive inside (see `ports.Drive`)."""

    def __init__(self, inner: Drive, meter: DriveMeter) -> None:
        self._inner = inner
        self._meter = meter
        self.location = inner.location

    @property
    def serial(self) -> str | None:
        """Return the number by now: the opener takes it back where two drives show the same."""
        return self._inner.serial

    def free_bytes(self) -> int:
        """See the port."""
        return self._inner.free_bytes()

    def names(self) -> Iterator[str]:
        """See the port."""
        return self._inner.names()

    def size_bytes(self, name: str) -> int | None:
        """See the port."""
        return self._inner.size_bytes(name)

    def open_reader(self, name: str, *, past_cache: bool = False) -> DriveReader:
        """See the port."""
        return _WatchedReader(self._inner.open_reader(name, past_cache=past_cache), self._meter)

    @contextlib.contextmanager
    def open_writer(self, name: str) -> Iterator[DriveWriter]:
        """See the port."""
        inner = self._inner.open_writer(name)
        writer = _WatchedWriter(inner.__enter__(), self._meter)
        try:
            yield writer
        except BaseException as error:
            if not inner.__exit__(type(error), error, error.__traceback__):
                raise
            return
        # Here the drive is really written to: until now the kernel took the bytes.
        self._meter.begin("writing")
        try:
            inner.__exit__(None, None, None)
        finally:
            self._meter.end(0, is_write=True)

    def read_bytes(self, name: str, max_bytes: int) -> bytes:
        """See the port."""
        return self._inner.read_bytes(name, max_bytes)

    def write_bytes(self, name: str, payload: bytes) -> None:
        """See the port."""
        self._inner.write_bytes(name, payload)

    def remove(self, name: str) -> None:
        """See the port."""
        self._inner.remove(name)


class _WatchedReader:
    def __init__(self, inner: DriveReader, meter: DriveMeter) -> None:
        self._inner = inner
        self._meter = meter
        self.size_bytes = inner.size_bytes
        self.readback: Readback = inner.readback

    def read_into(self, buffer: memoryview, offset: int) -> int:
        self._meter.begin("reading")
        length = 0
        try:
            length = self._inner.read_into(buffer, offset)
        finally:
            self._meter.end(length, is_write=False)
        return length

    def close(self) -> None:
        self._inner.close()


class _WatchedWriter:
    def __init__(self, inner: DriveWriter, meter: DriveMeter) -> None:
        self._inner = inner
        self._meter = meter

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self._meter.begin("writing")
        try:
            self._inner.write(data)
        finally:
            self._meter.end(len(data), is_write=True)


class DriveWatch:
    """A sink that adds the drives of a run to the progress that its stage tells.

    Args:
        sink: gets the events.
    """

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._meters: dict[str, DriveMeter] = {}
        self._activity = ""
        # What had passed of each drive when the activity began.
        self._moved_before: dict[str, int] = {}

    def watched(self, drive: Drive) -> Drive:
        """Return the drive with a meter in front of it."""
        return WatchedDrive(drive, self._meters.setdefault(drive.location, DriveMeter(drive.location)))

    def __call__(self, event: Event) -> None:
        """Take one event; names of drives end here."""
        if isinstance(event, DriveNamed):
            if (meter := self._meters.get(event.location)) is not None:
                meter.name(event)
            return
        if isinstance(event, Progress) and self._meters and not event.drives:
            event = dataclasses.replace(event, drives=self._rows(event.activity))
        self._sink(event)

    def _rows(self, activity: str) -> tuple[DriveProgress, ...]:
        """Return the drives, but for those that were done with before this activity and are not touched by it."""
        rows = {place: row for place, meter in self._meters.items() if (row := meter.row()) is not None}
        if activity != self._activity:
            self._activity = activity
            self._moved_before = {place: row.moved_bytes for place, row in rows.items()}
        return tuple(
            row
            for place, row in rows.items()
            if row.moved_bytes != self._moved_before.get(place) or not 0 < row.total_bytes <= row.done_bytes
        )
