"""What a training job tells whoever follows it, now or later: a line for each event, in the job's folder."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias, cast

import msgspec

from packtrain.engines.slurm_place import JobOrder, Lines, Place, Standing, Tail, Verdict, encode
from packtrain.events import Event, HostLost, HostsAwaited, Notice, TrainingStep, WorkerLost, WorkersStarted
from packtrain.ports import AttemptRecord, StepRecord

Entry: TypeAlias = (
    HostLost | HostsAwaited | Notice | TrainingStep | WorkerLost | WorkersStarted | AttemptRecord | Verdict
)
_KINDS: Final = {
    kind.__name__: kind
    for kind in (HostLost, HostsAwaited, Notice, TrainingStep, WorkerLost, WorkersStarted, AttemptRecord, Verdict)
}


@dataclass(frozen=True, slots=True)
class At:
    """An entry, and when it was written, in seconds since 1970."""

    at: float
    entry: Entry


class EventWriter:
    """Writes entries; it is a `Sink` too."""

    def __init__(self, path: Path) -> None:
        self._lines = Lines(path)

    def __call__(self, event: Event) -> None:
        """Write an event of the attempt."""
        if type(event).__name__ in _KINDS:
            self.write(cast("Entry", event))

    def write(self, entry: Entry) -> None:
        """Write an entry."""
        line = {"at": time.time(), "kind": type(entry).__name__, "entry": json.loads(encode(entry))}
        self._lines.write(json.dumps(line).encode("ascii"))


def read_entries(tail: Tail) -> Iterator[At]:
    """Yield the entries that came since the last call; a line that is none is left out."""
    for line in tail.lines():
        try:
            found: Any = json.loads(line)
            kind = _KINDS[found["kind"]]
            entry = msgspec.convert(found["entry"], kind)
            yield At(float(found["at"]), entry)
        except (ValueError, KeyError, TypeError, RecursionError):
            continue


def all_entries(path: Path) -> Iterator[At]:
    """Yield every entry that there is."""
    tail = Tail(path)
    before = -1
    while tail.offset != before:
        before = tail.offset
        yield from read_entries(tail)


def step_record(found: At, submitted: float) -> StepRecord | None:
    """Return the step that an entry tells of, in seconds since the job was submitted; None where it tells of none."""
    entry = found.entry
    if not isinstance(entry, TrainingStep):
        return None
    return StepRecord(entry.attempt, entry.step, entry.loss, entry.num_samples, max(0.0, found.at - submitted))


def last_step(place: Place, attempt: int) -> int:
    """Return the last step that an attempt told; -1 without one."""
    told = (found.entry for found in all_entries(place.events))
    return max((step.step for step in told if isinstance(step, TrainingStep) and step.attempt == attempt), default=-1)


def is_recorded(place: Place, attempt: int) -> bool:
    """Return whether an attempt's end was told."""
    told = (found.entry for found in all_entries(place.events))
    return any(isinstance(record, AttemptRecord) and record.attempt == attempt for record in told)


def record_of_left(left: Standing, order: JobOrder, reason: str, lost_host: str | None = None) -> AttemptRecord:
    """Return the record of an attempt that could not write down its own end, which is taken to be now."""
    return AttemptRecord(
        attempt=left.attempt,
        started_seconds=round(left.begun - order.submitted, 3),
        ended_seconds=round(time.time() - order.submitted, 3),
        reason=reason,
        lost_rank=None,
        hosts=left.hosts,
        lost_host=lost_host,
    )
