"""The time of steps, line by line, in bounded memory: what of it counts, and what a restart took back."""

from __future__ import annotations

import math
from array import array
from dataclasses import dataclass, field
from typing import Final

MOST_OPEN_STEPS: Final = 1 << 14
"""So many of the newest steps are known one by one (24 bytes each). A restart that falls back by more takes back the
time of these alone."""


@dataclass(slots=True)
class Stint:
    """The step lines of one attempt.

    Attributes:
        first_step, last_step: of its lines.
        num_steps: that count still.
        first_at, last_at: when its first and its last line came, in seconds from the start of the command.
        kept_seconds: between its lines, of steps that count.
        redone_seconds, num_redone: of steps that a later attempt took back.
        is_timed: its lines tell times.
    """

    attempt: int
    first_step: int
    last_step: int
    num_steps: int = 0
    first_at: float = 0.0
    last_at: float = 0.0
    kept_seconds: float = 0.0
    redone_seconds: float = 0.0
    num_redone: int = 0
    is_timed: bool = False


@dataclass(slots=True)
class StepTally:
    """Steps that count and their time, by attempt; `stints` in the order of their first lines.

    What counts is what `metrics.steps_that_count` says: an attempt that begins at step s undoes all from s on.
    """

    stints: list[Stint] = field(default_factory=list[Stint])
    _steps: array[int] = field(default_factory=lambda: array("q"))
    _seconds: array[float] = field(default_factory=lambda: array("d"))
    _owners: array[int] = field(default_factory=lambda: array("q"))

    @property
    def num_steps(self) -> int:
        """Return how many steps count."""
        return sum(stint.num_steps for stint in self.stints)

    @property
    def num_redone(self) -> int:
        """Return how many steps a restart took back."""
        return sum(stint.num_redone for stint in self.stints)

    def add(self, attempt: int, step: int, elapsed: float | None) -> None:
        """Take in one step line; `elapsed` is in seconds from the start of the command that read it."""
        stint = self.stints[-1] if self.stints else None
        since = 0.0
        if stint is None or stint.attempt != attempt:
            while self._steps and self._steps[-1] >= step:
                self._take_back()
            stint = Stint(attempt, step, step)
            self.stints.append(stint)
        elif self._steps and self._steps[-1] == step:
            # The same step told twice: one step, and the time of both lines.
            self._steps.pop()
            since = self._seconds.pop()
            self._owners.pop()
            stint.num_steps -= 1
            stint.kept_seconds -= since
        if elapsed is not None and math.isfinite(elapsed) and elapsed >= 0:
            if not stint.is_timed:
                stint.first_at = stint.last_at = elapsed
                stint.is_timed = True
            since += max(0.0, elapsed - stint.last_at)
            stint.last_at = max(stint.last_at, elapsed)
        self._steps.append(step)
        self._seconds.append(since)
        self._owners.append(len(self.stints) - 1)
        stint.last_step = step
        stint.num_steps += 1
        stint.kept_seconds += since
        if len(self._steps) > MOST_OPEN_STEPS:
            # Half at a time: what is cut off moves all that follows.
            half = MOST_OPEN_STEPS // 2
            del self._steps[:half], self._seconds[:half], self._owners[:half]

    def _take_back(self) -> None:
        self._steps.pop()
        seconds, owner = self._seconds.pop(), self.stints[self._owners.pop()]
        owner.num_steps -= 1
        owner.kept_seconds -= seconds
        owner.num_redone += 1
        owner.redone_seconds += seconds
