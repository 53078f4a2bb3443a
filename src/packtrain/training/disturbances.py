"""What the rehearsal does to a running program: kills a worker, asks all to stop, lets one hang. And what came of it.

A disturber is a sink that stands between the engine and the terminal: it hears of every attempt and every step line,
and acts on the workers by their process ids. One disturbance an attempt; the attempt after the last runs to its end.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from packtrain.events import Event, Sink, TrainingStep, WorkerLost, WorkersStarted
from packtrain.ports import StepRecord, TrainingRun
from packtrain.training.checkpoints import is_beyond, newest_checkpoint

Kind = Literal["last worker killed", "rank 0 killed", "asked to stop", "rank 0 hung"]
_SIGNALS: Final[dict[Kind, signal.Signals]] = {
    "last worker killed": signal.SIGKILL,
    "rank 0 killed": signal.SIGKILL,
    "asked to stop": signal.SIGTERM,
    "rank 0 hung": signal.SIGSTOP,
}


@dataclass(frozen=True, slots=True)
class When:
    """When to act on an attempt.

    Attributes:
        step: at its first line of this step or a later one; None for a program without step lines.
        latest: without a complete checkpoint it waits for one, but not beyond this step.
        seconds: where no line tells the time, so long after the attempt's start.
        first: the first step that has a line: a checkpoint that is not beyond it shows nothing of going on.
    """

    step: int | None
    latest: int | None
    seconds: float
    first: int | None = None

    @classmethod
    def at_half(cls, undisturbed: TrainingRun) -> When:
        """Return half of a run, by its lines or by its time."""
        steps = sorted({record.step for record in undisturbed.steps})
        return cls(
            step=steps[(len(steps) - 1) // 2] if steps else None,
            latest=steps[len(steps) * 3 // 4] if len(steps) > 1 else None,
            seconds=undisturbed.elapsed_seconds / 2,
            first=steps[0] if steps else None,
        )


@dataclass(frozen=True, slots=True)
class Disturbance:
    """One that was made.

    Attributes:
        attempt: the attempt it was made in.
        after_step: the last step line before it; 0 before the first.
        had_checkpoint: whether a complete checkpoint was there, of a step beyond the first.
        elapsed_seconds: since the disturber was made, as the step records have it.
    """

    kind: Kind
    attempt: int
    after_step: int
    had_checkpoint: bool
    elapsed_seconds: float


@dataclass(slots=True)
class Lived:
    """What was heard of a run: attempts in order with why they ended, and every step line of them."""

    attempts: list[int] = field(default_factory=list[int])
    reasons: dict[int, str] = field(default_factory=dict[int, str])
    steps: list[StepRecord] = field(default_factory=list[StepRecord])
    made: list[Disturbance] = field(default_factory=list[Disturbance])

    def lines_of(self, attempt: int | None) -> list[StepRecord]:
        """Return the step lines of an attempt."""
        return [record for record in self.steps if record.attempt == attempt]

    def attempt_after(self, attempt: int) -> int | None:
        """Return the attempt that followed, or None."""
        return next((number for number in self.attempts if number > attempt), None)


class Disturber:
    """Passes events on, keeps what it hears, and makes one disturbance after another. See the module.

    Args:
        sink: where events go on to.
        kinds: what to make, one in each attempt, in this order; a disturbance that found no time is tried again in the
            next attempt.
        when: when to make it.
        checkpoints: the program's folder of checkpoints.
        before_next: called when the workers of an attempt that follows a disturbance have started.

    Attributes:
        lived: what was heard so far.
    """

    def __init__(
        self,
        sink: Sink,
        kinds: Sequence[Kind],
        when: When,
        checkpoints: Path,
        before_next: Callable[[], None] = lambda: None,
    ) -> None:
        self._sink = sink
        self._waiting = list(kinds)
        self._when = when
        self._checkpoints = checkpoints
        self._before_next = before_next
        self._clock_started = time.monotonic()
        self._started = 0.0
        self._pids: tuple[int, ...] = ()
        self._attempt = 0
        self._step = 0
        self._is_disturbed = False
        self._lock = threading.Lock()
        self.lived = Lived()

    def __call__(self, event: Event) -> None:
        """Take an event of the engine."""
        self._sink(event)
        if isinstance(event, WorkersStarted):
            self._begin(event)
        elif isinstance(event, WorkerLost):
            self.lived.reasons[event.attempt] = event.reason
        elif isinstance(event, TrainingStep):
            self._step = event.step
            elapsed_seconds = time.monotonic() - self._clock_started
            self.lived.steps.append(
                StepRecord(event.attempt, event.step, event.loss, event.num_samples, elapsed_seconds)
            )
            if self._when.step is not None and event.step >= self._when.step:
                self._disturb(even_without=self._when.latest is not None and event.step >= self._when.latest)

    def look(self) -> None:
        """Act by the clock where no step line can tell the time; called from the thread of a checkpoint watch."""
        if self._when.step is None and self._pids and time.monotonic() - self._started >= self._when.seconds:
            self._disturb(even_without=False)

    def _begin(self, event: WorkersStarted) -> None:
        with self._lock:
            was_disturbed, self._is_disturbed = self._is_disturbed, False
            self._attempt, self._pids, self._step, self._started = event.attempt, event.pids, 0, time.monotonic()
            self.lived.attempts.append(event.attempt)
        if was_disturbed:
            self._before_next()

    def _disturb(self, *, even_without: bool) -> None:
        with self._lock:
            if self._is_disturbed or not self._waiting:
                return
            newest = newest_checkpoint(self._checkpoints)
            had_checkpoint = newest is not None and is_beyond(newest, self._checkpoints, self._when.first)
            if not had_checkpoint and not even_without:
                return
            kind = self._waiting.pop(0)
            elapsed_seconds = time.monotonic() - self._clock_started
            self._is_disturbed = True
            self.lived.made.append(Disturbance(kind, self._attempt, self._step, had_checkpoint, elapsed_seconds))
            chosen = {"last worker killed": self._pids[-1:], "asked to stop": self._pids}.get(kind, self._pids[:1])
            for pid in chosen:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, _SIGNALS[kind])


def longest_gap_seconds(run: TrainingRun) -> float:
    """Return the longest time without a step line: from the start to the first, or between two."""
    moments = [0.0, *(record.elapsed_seconds for record in run.steps)]
    return max((later - earlier for earlier, later in itertools.pairwise(moments)), default=0.0)
