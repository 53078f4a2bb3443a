"""What a stage tells while it works. Stages call a sink with these; only `cli/terminal.py` prints them."""

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
class Progress:
    """How far a stage is.

    Attributes:
        stage: the verb.
        activity: what is being done now, a few words ("writing volumes").
        done_bytes, total_bytes: bytes, or 0 and 0 where the work is not counted in bytes.
        done_items, total_items: items (samples, volumes, steps), or 0 and 0.
        unit: the plural name of the items.
        note: what else is known by now, a few words.
    """

    stage: str
    activity: str
    done_bytes: int = 0
    total_bytes: int = 0
    done_items: int = 0
    total_items: int = 0
    unit: str = "items"
    note: str = ""


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
    """An attempt's workers run; `pids` in rank order (for operators and for fault injection)."""

    attempt: int
    pids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class WorkerLost:
    """A worker ended before it was done."""

    attempt: int
    rank: int
    reason: str


Event = StageStarted | StageFinished | Progress | Notice | TrainingStep | WorkersStarted | WorkerLost
Sink = Callable[[Event], None]


def discard(event: Event) -> None:
    """Drop an event: the sink of callers who do not watch."""
