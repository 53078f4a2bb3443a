"""What the workers of `program.py` said, read while they run: who they are, and when each step ended."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_LOOK_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class StepLine:
    """One step that ended.

    Attributes:
        run: of the process of rank 0 that said it: another one after every start.
        at: seconds of the monotonic clock.
    """

    run: str
    step: int
    at: float
    world: int


@dataclass(frozen=True, slots=True)
class Recovery:
    """The first step after a fault.

    Attributes:
        seconds: from the fault to its end.
        world: workers after the fault.
        steps_lost: how many steps were made again.
    """

    seconds: float
    world: int
    steps_lost: int


def lines_of(text: str) -> list[dict[str, Any]]:
    """Return the whole lines: a worker that dies may leave a torn one."""
    found: list[dict[str, Any]] = []
    for line in text.split("\n")[:-1]:
        try:
            body = json.loads(line)
        except ValueError:
            continue
        if isinstance(body, dict) and "run" in body and "at" in body:
            found.append(body)
    return found


def steps_of(lines: Sequence[dict[str, Any]]) -> list[StepLine]:
    """Return the step lines."""
    return [StepLine(line["run"], line["step"], line["at"], line["world"]) for line in lines if "step" in line]


def recovery(steps: Sequence[StepLine], fault_at: float) -> Recovery | None:
    """Return the first step of processes that were started after a fault; None while there is none.

    A step of the old processes that ends after the fault is no sign of life.
    """
    before = [step for step in steps if step.at <= fault_at]
    runs = {step.run for step in before}
    after = next((step for step in steps if step.at > fault_at and step.run not in runs), None)
    if after is None:
        return None
    last = max((step.step for step in steps if step.run in runs), default=0)
    return Recovery(round(after.at - fault_at, 2), after.world, max(0, last - after.step + 1))


def workers_of(lines: Sequence[dict[str, Any]]) -> dict[int, int]:
    """Return rank -> process id of the workers that were started last."""
    # A smaller world after a larger one leaves no rank of the larger behind: the last `world` says how many count.
    started = [line for line in lines if "pid" in line]
    world = started[-1]["world"] if started else 0
    return {line["rank"]: line["pid"] for line in started if line["rank"] < world and line["world"] == world}


@dataclass(slots=True)
class TraceFile:
    """The file that the workers write into."""

    path: Path

    def lines(self) -> list[dict[str, Any]]:
        """Return what was said so far."""
        return lines_of(self.path.read_text("utf-8")) if self.path.exists() else []

    def steps(self) -> list[StepLine]:
        """Return the step lines so far."""
        return steps_of(self.lines())

    def wait_for_steps(self, number: int, after: float, seconds: float, is_over: Callable[[], bool]) -> bool:
        """Wait until so many steps ended after a time; return whether they did before the end of `seconds` or all."""
        end = time.monotonic() + seconds
        while sum(step.at > after for step in self.steps()) < number:
            if time.monotonic() > end or is_over():
                return False
            time.sleep(_LOOK_SECONDS)
        return True

    def wait_for_recovery(self, fault_at: float, seconds: float, is_over: Callable[[], bool]) -> Recovery | None:
        """Return the first step after a fault; None where the launcher ended, or there was none within `seconds`."""
        end = fault_at + seconds
        while (found := recovery(self.steps(), fault_at)) is None:
            if time.monotonic() > end:
                return None
            if is_over():
                return recovery(self.steps(), fault_at)
            time.sleep(_LOOK_SECONDS)
        return found
