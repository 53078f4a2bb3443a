"""How far two runs of a program agree, step line by step line: the measure that a disturbed one is held to."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from packtrain.ports import StepRecord
from packtrain.training.metrics import steps_that_count

# Of a program that differs from run to run: ten times what was seen, or this where that is less. See `Likeness.of`.
LEAST_TOLERANCE: Final = 1e-3
SPREADS: Final = 10


@dataclass(frozen=True, slots=True)
class Likeness:
    """How far two runs of the program agree before anything is done to it.

    Attributes:
        compared: steps whose losses were compared.
        differing: the first of them with two losses, as text; empty where all are equal to the last bit.
        tolerance: by how much losses may differ, as a fraction of the undisturbed one. 0.0 for a program that repeats
            itself.
    """

    compared: int
    differing: str
    tolerance: float

    @classmethod
    def of(cls, undisturbed: Sequence[StepRecord], again: Sequence[StepRecord]) -> Likeness:
        """Return the likeness of the undisturbed run's lines and of those of another before its first disturbance."""
        expected = last_of_each_step(undisturbed)
        compared, differing, spread = 0, "", 0.0
        for record in again:
            twin = expected.get(record.step)
            if twin is None or twin.loss is None or record.loss is None:
                continue
            compared += 1
            if not same(twin.loss, record.loss, 0.0):
                differing = differing or f"loss of step {record.step} was {twin.loss!r} and, run again, {record.loss!r}"
                spread = max(spread, _apart(twin.loss, record.loss))
        # What a few steps showed is not the most that may be; a thousandth is far below what other samples make.
        tolerance = max(LEAST_TOLERANCE, SPREADS * spread) if differing else 0.0
        return cls(compared, differing, tolerance)


def last_of_each_step(steps: Sequence[StepRecord]) -> dict[int, StepRecord]:
    """Return the line that counts of each step: a later attempt did some of them again."""
    return {record.step: record for record in steps_that_count(steps)}


def first_difference(undisturbed: Sequence[StepRecord], found: Sequence[StepRecord], tolerance: float) -> str:
    """Return where a run's lines leave those of the undisturbed one, in words; empty where they do not."""
    expected = last_of_each_step(undisturbed)
    for record in found:
        twin = expected.get(record.step)
        if twin is None:
            return f"it made a step {record.step}, which the undisturbed run did not"
        if not same(twin.loss, record.loss, tolerance):
            return (
                f"from step {record.step} of attempt {record.attempt} on the losses differ: "
                f"{twin.loss!r} undisturbed, {record.loss!r} here"
            )
    return ""


def same(one: float | None, other: float | None, tolerance: float) -> bool:
    """Return whether two losses agree, to the last bit where the tolerance is 0."""
    # NaN is no difference here: LOSS tells of it.
    if one == other or one is None or other is None or (math.isnan(one) and math.isnan(other)):
        return True
    return _apart(one, other) <= tolerance


def _apart(one: float, other: float) -> float:
    return abs(one - other) / max(abs(one), 1e-9) if math.isfinite(one - other) else math.inf
