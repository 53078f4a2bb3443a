"""timeline.jsonl: when each `packtrain train` began and ended, and what of its hosts was told meanwhile.

It lies beside the steps and the attempts, and says what they cannot: the hour at which a command began, the hosts of an
attempt that still runs, and from when to when hosts were waited for. A line a moment, in seconds from the command's
start. The program can write there too: every line is bounded, and one that is none is passed over.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec

from packtrain import durable
from packtrain.errors import DriveFull
from packtrain.events import Event, HostLost, HostsAwaited, WorkerLost, WorkersStarted
from packtrain.record.receipts import instant

TIMELINE_NAME: Final = "timeline.jsonl"
MOST_SECONDS: Final = 1e9
"""Some thirty years: a line that says more was not written by an engine."""
_MOST_LINES: Final = 100_000
_MAX_LINE_BYTES: Final = 1 << 20
_MAX_TEXT: Final = 200
_MOST_HOSTS: Final = 4096

Told = Literal["began", "workers", "absent", "awaits", "settled", "host lost", "worker lost", "ended"]
"""What a moment says: the command began; workers run; hosts are waited for that are not there; something of hosts that
are there is waited for; nothing is any more; a host was lost; a worker; the command ended."""

Seconds = Annotated[float, msgspec.Meta(ge=0, le=MOST_SECONDS)]
Number = Annotated[int, msgspec.Meta(ge=0, lt=2**53)]


class Moment(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line.

    Attributes:
        at: seconds from the command's start.
        told: see `Told`.
        attempt: its number; 0 of a command.
        hosts: names: those of the workers in rank order, or the one that was lost.
        ranks: how many workers.
        rank: of the worker that was lost.
        words: the UTC instant at which the command began; what is waited for; why a host or worker was lost; how the
            command ended: "done", "failed" or "stopped".
    """

    at: Seconds
    told: Told
    attempt: Number = 0
    hosts: tuple[str, ...] = ()
    ranks: Number = 0
    rank: Number | None = None
    words: str = ""


_decoder: Final = msgspec.json.Decoder(Moment)


def read_timeline(path: Path) -> tuple[Moment, ...]:
    """Return the whole lines, in the order in which they were written; at most the first 100,000."""
    found: list[Moment] = []
    for line in bounded_lines(path, _MAX_LINE_BYTES):
        if len(found) == _MOST_LINES:
            break
        with contextlib.suppress(msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            moment = _decoder.decode(line)
            hosts = tuple(shown(host) for host in moment.hosts[:_MOST_HOSTS])
            found.append(msgspec.structs.replace(moment, hosts=hosts, words=shown(moment.words)))
    return tuple(found)


def bounded_lines(path: Path, max_bytes: int) -> Iterator[bytes]:
    """Yield the whole lines of a plain file that are no longer than `max_bytes`; none of a file that cannot be read."""
    try:
        stream = durable.plain_file(path)
    except OSError:
        return
    with stream:
        while line := stream.readline(max_bytes):
            if line.endswith(b"\n"):
                yield line
            elif len(line) == max_bytes:
                while (rest := stream.readline(max_bytes)) and not rest.endswith(b"\n"):
                    pass


def shown(text: str) -> str:
    """Return the beginning of a text, in one line that moves no cursor: the program can write what is read here."""
    return "".join(sign if sign.isprintable() else " " for sign in text[:_MAX_TEXT])


class Timeline:
    """Writes the moments of one command, and hands every event on. Its time counts from `began`.

    Args:
        path: the file; earlier commands wrote to it.
        clock: seconds of a clock that never goes back.
    """

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._clock = clock
        self._started = clock()
        self._waits: Told = "settled"

    def elapsed_seconds(self) -> float:
        """Return seconds since the command began."""
        return self._clock() - self._started

    @contextlib.contextmanager
    def command(self) -> Iterator[None]:
        """Note that a command begins, and at the end of the context that and how it ended."""
        self._started = self._clock()
        with contextlib.suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
        self._note("began", words=instant())
        try:
            yield
        except Exception:
            self._note("ended", words="failed")
            raise
        except BaseException:
            self._note("ended", words="stopped")
            raise
        self._note("ended", words="done")

    def take(self, event: Event) -> None:
        """Note what an event says of hosts; others say nothing here."""
        match event:
            case WorkersStarted():
                hosts = event.hosts[:_MOST_HOSTS]
                self._note("workers", attempt=event.attempt, hosts=hosts, ranks=len(event.pids))
                self._waits = "settled"
            case HostsAwaited():
                # A line for each kind of waiting and not for each host: which of them are there is told elsewhere.
                waits: Told = "settled" if not event.what else "awaits" if event.hosts else "absent"
                if waits != self._waits:
                    self._note(waits, attempt=event.attempt, words=event.what[:_MAX_TEXT])
                    self._waits = waits
            case HostLost():
                self._note("host lost", attempt=event.attempt, hosts=(event.host,), words=event.reason[:_MAX_TEXT])
            case WorkerLost():
                hosts = (event.host,) if event.host else ()
                words = event.reason[:_MAX_TEXT]
                self._note("worker lost", attempt=event.attempt, hosts=hosts, rank=event.rank, words=words)
            case _:
                pass

    def _note(
        self,
        told: Told,
        *,
        attempt: int = 0,
        hosts: tuple[str, ...] = (),
        ranks: int = 0,
        rank: int | None = None,
        words: str = "",
    ) -> None:
        moment = Moment(
            at=round(max(0.0, self.elapsed_seconds()), 3),
            told=told,
            attempt=attempt,
            hosts=hosts,
            ranks=ranks,
            rank=rank,
            words=words,
        )
        # What is said of a training is never a reason for it to fail.
        with contextlib.suppress(DriveFull, OSError):
            durable.append_line(self._path, msgspec.json.encode(moment))
