"""logs/live.json: how far the stage is that works in this folder, for whoever watches from another process.

It is no part of the record: not synced, not signed, gone without harm, and never a reason for a stage to fail. It holds
what a terminal shows, no key and no passphrase. At most two are written a second, and one more when workers start or
what a run of many hosts waits for is another thing.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import os
import platform
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Literal

import msgspec

from packtrain.durable import plain_file
from packtrain.errors import MoreDrivesWanted
from packtrain.events import Event, HostsAwaited, Progress, Sink, StageFinished, StageStarted, WorkersStarted
from packtrain.record.awaited import Wait, after
from packtrain.record.pace import DrivePace, Pace, PaceKeeper
from packtrain.record.receipts import instant

LIVE_NAME: Final = "live.json"
_TEMPORARY: Final = ".live.json.part"
_WRITE_SECONDS: Final = 0.5
MAX_LIVE_BYTES: Final = 256 * 1024
# Together they stay below that: 300 drives, a sentence and a row each.
_MAX_TEXT: Final = 200
_MAX_DRIVES: Final = 300
_MOST_HOSTS: Final = 16

State = Literal["running", "done", "wants drives", "failed", "stopped"]
"""What became of it: it works; it ended; these drives are done, others are wanted; an error; Ctrl-C or a signal."""


class Live(msgspec.Struct, frozen=True, kw_only=True):
    """What a stage told last.

    Attributes:
        stage: the verb.
        state: see `State`; a process that was killed leaves "running": ask `is_running`.
        activity: what it does now; "" where nothing was told yet.
        done_bytes, total_bytes, done_items, total_items, unit, note, wave, num_waves: see `events.Progress`.
        rate: bytes a second over the last seconds (items, where bytes are not counted); None while it is not known.
        left_seconds: at this rate; None where it is not known.
        stalled_seconds: for so long nothing had moved.
        slow: of drives that are slow, a sentence each.
        drives: one by one, see `pace.DrivePace`.
        attempt, num_hosts, num_ranks: of a training, what runs: the newest attempt, its hosts (0 where the engine is of
            one machine) and its workers; zeros before the first.
        awaits: what is waited for, as in `events.HostsAwaited`; "" where nothing is.
        awaited_hosts, num_awaited_hosts: of whom: the first 16 names, and how many there are.
        awaited_since: UTC instant at which waiting began; "" where nothing is waited for.
        started, updated: UTC instants.
        host, machine: its name; and this boot of it, with the space that process numbers are of.
        pid, pid_started: the process, and when it started in ticks since that boot: numbers of processes come again.
    """

    stage: str
    state: State
    started: str
    updated: str
    host: str
    machine: str
    pid: int
    pid_started: int
    activity: str = ""
    done_bytes: int = 0
    total_bytes: int = 0
    done_items: int = 0
    total_items: int = 0
    unit: str = "items"
    note: str = ""
    wave: int = 0
    num_waves: int = 0
    rate: float | None = None
    left_seconds: float | None = None
    stalled_seconds: float = 0.0
    slow: tuple[str, ...] = ()
    drives: tuple[DrivePace, ...] = ()
    attempt: int = 0
    num_hosts: int = 0
    num_ranks: int = 0
    awaits: str = ""
    awaited_hosts: tuple[str, ...] = ()
    num_awaited_hosts: int = 0
    awaited_since: str = ""

    @property
    def is_running(self) -> bool | None:
        """Return whether the process still works; None where that cannot be known: it runs on another machine."""
        if self.state != "running":
            return False
        if self.machine != _machine():
            # After a new start of the same machine none of its processes is left; elsewhere nobody can say.
            return False if self.host == platform.node() and not _same_boot(self.machine) else None
        return self.pid_started != 0 and _started(self.pid) == self.pid_started


def read_live(root: Path) -> Live | None:
    """Return what the stage in this voyage folder told last; None where there is nothing that can be read.

    Args:
        root: the voyage folder.
    """
    try:
        with plain_file(root / "logs" / LIVE_NAME) as stream:
            payload = stream.read(MAX_LIVE_BYTES + 1)
        return msgspec.json.decode(payload, type=Live) if len(payload) <= MAX_LIVE_BYTES else None
    except (OSError, ValueError):  # msgspec's errors are ValueErrors
        return None


class LiveFile:
    """A sink that keeps logs/live.json and hands every event on. Several threads may call it.

    Args:
        root: the voyage folder.
        sink: gets the events.
        verb: what is run; the file is first written when there is something to tell of it.
    """

    def __init__(self, root: Path, sink: Sink, verb: str = "") -> None:
        self._folder = root / "logs"
        self._sink = sink
        self._verb = verb
        self._keeper = PaceKeeper()
        self._lock = threading.Lock()
        self._started: str | None = None
        self._written_at = 0.0
        self._is_mine = True
        self._workers: WorkersStarted | None = None
        self._wait: Wait | None = None
        self._awaited_since = ""

    def __call__(self, event: Event) -> None:
        """Take one event."""
        self._sink(event)
        if isinstance(event, Progress):
            with self._lock:
                now = time.monotonic()
                self._keeper.take(event, now)
                if now - self._written_at >= _WRITE_SECONDS:
                    self._write(event.stage, "running", now)
        elif isinstance(event, StageStarted):
            with self._lock:
                self._write(event.stage, "running", time.monotonic())
        elif isinstance(event, WorkersStarted | HostsAwaited):
            with self._lock:
                self._take(event)
        elif isinstance(event, StageFinished) and self._started is not None:
            self.end(None)

    def end(self, error: BaseException | None) -> None:
        """Note how the verb ended, if anything was told of it; None for well."""
        state: State = "done"
        if isinstance(error, MoreDrivesWanted):
            state = "wants drives"
        elif isinstance(error, Exception):
            state = "failed"
        elif error is not None:
            state = "stopped"
        with self._lock:
            if self._started is not None:
                self._write(self._verb, state, time.monotonic())
                self._started, self._keeper = None, PaceKeeper()
                self._workers = self._wait = None

    @contextlib.contextmanager
    def ending(self) -> Iterator[None]:
        """Note at the end of the context how the verb ended."""
        try:
            yield
        except BaseException as error:
            self.end(error)
            raise
        self.end(None)

    def _take(self, event: WorkersStarted | HostsAwaited) -> None:
        if isinstance(event, WorkersStarted):
            self._workers, self._wait = event, None
        else:
            before, self._wait = self._wait, after(self._wait, event, time.monotonic())
            if self._wait is not None and (before is None or before.since != self._wait.since):
                self._awaited_since = instant()
        # Written at once: silence may follow, and then this is what one wants to know.
        self._write(self._verb or "train", "running", time.monotonic())

    def _write(self, stage: str, state: State, now: float) -> None:
        self._written_at = now
        if self._started is None:
            self._started = instant()
            self._verb = stage
            # Drives may be erased side by side: the first of those processes has the file.
            before = read_live(self._folder.parent)
            self._is_mine = before is None or before.pid == os.getpid() or not before.is_running
        if not self._is_mine:
            return
        live = _live(stage, state, self._started, self._keeper.pace(now))
        if (workers := self._workers) is not None:
            live = msgspec.structs.replace(
                live, attempt=workers.attempt, num_hosts=len(workers.hosts), num_ranks=len(workers.pids)
            )
        if self._wait is not None:
            awaited = self._wait.told
            live = msgspec.structs.replace(
                live,
                attempt=awaited.attempt,
                awaits=awaited.what[:_MAX_TEXT],
                awaited_hosts=tuple(host[:_MAX_TEXT] for host in awaited.hosts[:_MOST_HOSTS]),
                num_awaited_hosts=len(awaited.hosts),
                awaited_since=self._awaited_since,
            )
        with contextlib.suppress(OSError):
            _replace(self._folder, msgspec.json.encode(live))


def _replace(folder: Path, payload: bytes) -> None:
    """Put the bytes in the place of the file before; on an error it is as it was."""
    folder.mkdir(exist_ok=True)
    temporary = folder / _TEMPORARY
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        written = os.write(descriptor, payload)
    finally:
        os.close(descriptor)
    if written == len(payload):
        temporary.rename(folder / LIVE_NAME)


def _live(stage: str, state: State, started: str, pace: Pace | None) -> Live:
    pid = os.getpid()
    live = Live(
        stage=stage,
        state=state,
        started=started,
        updated=instant(),
        host=platform.node(),
        machine=_machine(),
        pid=pid,
        pid_started=_started(pid),
    )
    if pace is None:
        return live
    told = pace.progress
    return msgspec.structs.replace(
        live,
        activity=told.activity[:_MAX_TEXT],
        done_bytes=told.done_bytes,
        total_bytes=told.total_bytes,
        done_items=told.done_items,
        total_items=told.total_items,
        unit=told.unit,
        note=told.note[:_MAX_TEXT],
        wave=told.wave,
        num_waves=told.num_waves,
        rate=pace.rate,
        left_seconds=pace.left_seconds,
        stalled_seconds=pace.stalled_seconds,
        slow=tuple(text[:_MAX_TEXT] for text in pace.slow[:_MAX_DRIVES]),
        drives=tuple(dataclasses.replace(drive, label=drive.label[:_MAX_TEXT]) for drive in pace.drives[:_MAX_DRIVES]),
    )


@functools.cache
def _machine() -> str:
    """Return this boot of this machine, and the space of its process numbers (a container has its own)."""
    try:
        return f"{Path('/proc/sys/kernel/random/boot_id').read_text().strip()} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return ""


def _same_boot(machine: str) -> bool:
    return machine.partition(" ")[0] == _machine().partition(" ")[0]


def _started(pid: int) -> int:
    """Return when a process started, in ticks since the boot; 0 where there is no such process, or a dead one."""
    try:
        # The name in parentheses may hold anything; of what follows the state is the first field, this the 20th.
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
        return 0 if fields[0] in (b"Z", b"X") else int(fields[19])
    except (OSError, IndexError, ValueError):
        return 0
