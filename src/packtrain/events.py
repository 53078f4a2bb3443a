"""What a stage tells while it works. Stages call a sink with these; only `cli/terminal` prints them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StageStarted:
    """A stage begins its work (it was not up to date)."""

    stage: str


@dataclass(frozen=True, slots=True)
class StageFinished:
    """A stage ended; `fresh` means that its receipt was still valid and nothing was done."""

    stage: str
    elapsed_seconds: float
    fresh: bool


@dataclass(frozen=True, slots=True)
class DriveProgress:
    """How far one drive is.

    Attributes:
        label: as on its sticker; its mount point where the label is not known.
        state: what it does now, a word or two ("writing", "reading back", "waiting", "done").
        done_bytes, total_bytes: bytes that went to or came from it; the total is 0 where it is not known.
        busy_seconds: how long the drive itself was waited for. Drives of a group keep step, so that by the clock all
            are as slow as the slowest; by this time each shows its own rate.
        moved_bytes: all bytes that it wrote and read in that time.
    """

    label: str
    state: str
    done_bytes: int = 0
    total_bytes: int = 0
    busy_seconds: float = 0.0
    moved_bytes: int = 0


@dataclass(frozen=True, slots=True)
class DriveNamed:
    """A stage knows which drive this is, and what of it is to be written or read; whoever meters drives takes it.

    Attributes:
        location: where it is mounted.
        label: as on its sticker.
        total_bytes, done_bytes: what there is to do, and what of it earlier runs did.
        num_passes: how often each byte passes: 2 where what is written is read back.
    """

    location: str
    label: str
    total_bytes: int = 0
    done_bytes: int = 0
    num_passes: int = 1


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a stage is.

    Attributes:
        stage: the verb.
        activity: what is being done now, a few words ("writing volumes").
        done_bytes, total_bytes: bytes, or 0 and 0 where the work is not counted in bytes.
        done_items, total_items: items (samples, volumes, steps), or 0 and 0.
        unit: the plural name of the items.
        note: what else is known by now, a few words.
        drives: the drives at work, where there are some.
        wave, num_waves: which mounting of drives this is, and of how many; 0 where the work has no waves.
    """

    stage: str
    activity: str
    done_bytes: int = 0
    total_bytes: int = 0
    done_items: int = 0
    total_items: int = 0
    unit: str = "items"
    note: str = ""
    drives: tuple[DriveProgress, ...] = ()
    wave: int = 0
    num_waves: int = 0


@dataclass(frozen=True, slots=True)
class Notice:
    """A line a person should read now: what was found, repaired, set aside, or cannot be shown here."""

    stage: str
    text: str
    is_warning: bool = False


@dataclass(frozen=True, slots=True)
class TrainingStep:
    """One step line of the training program, as read by the engine."""

    attempt: int
    step: int
    loss: float | None
    num_samples: int | None


@dataclass(frozen=True, slots=True)
class WorkersStarted:
    """An attempt's workers run; `pids` in rank order (for operators and for fault injection).

    `hosts` are their hosts, each once, in rank order; () where the engine is of one machine.
    """

    attempt: int
    pids: tuple[int, ...]
    hosts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class WorkerLost:
    """A worker ended before it was done; `host` is "" where the engine is of one machine."""

    attempt: int
    rank: int
    reason: str
    host: str = ""


@dataclass(frozen=True, slots=True)
class HostLost:
    """A host no longer takes part: it did not answer, or what runs there ended."""

    attempt: int
    host: str
    reason: str


@dataclass(frozen=True, slots=True)
class HostsAwaited:
    """What a run of many hosts waits for, told when it changes: which hosts, and for what. No hosts: for none any more.

    Attributes:
        attempt: its number.
        hosts: their names; () where the wait is over, or where any host would do.
        what: a few words that follow "waits for": "2 more hosts", "its workers to start", "its copy of step-00000040".
            "" where the wait is over.
    """

    attempt: int
    hosts: tuple[str, ...]
    what: str


Event = (
    StageStarted
    | StageFinished
    | Progress
    | DriveNamed
    | Notice
    | TrainingStep
    | WorkersStarted
    | WorkerLost
    | HostLost
    | HostsAwaited
)
Sink = Callable[[Event], None]


def discard(event: Event) -> None:
    """Drop an event: the sink of callers who do not watch."""
