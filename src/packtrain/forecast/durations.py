"""How long something takes that nobody knows exactly."""

from __future__ import annotations

import math
import random
import re
from dataclasses import dataclass
from typing import Final

MOST_DAYS: Final = 36_500.0
"""A hundred years: what is said to take longer is a slip of the pen."""
_NUMBER: Final = r"(\d{1,9}(?:\.\d{1,9})?)"
_RANGE: Final = re.compile(rf"\s*{_NUMBER}(?:\s*\.\.\s*{_NUMBER})?(?:\s*\.\.\s*{_NUMBER})?\s*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Days:
    """A duration in days that is not known exactly: at least, most likely, at most."""

    low: float
    likely: float
    high: float

    def __post_init__(self) -> None:
        if not 0 <= self.low <= self.likely <= self.high < math.inf:
            raise ValueError(f"not in order: {self.low}, {self.likely}, {self.high} days")

    @classmethod
    def parse(cls, text: str) -> Days:
        """Return the range that "3", "2..5" or "2..3..7" names; of two numbers the middle is taken as likely.

        Raises:
            ValueError: the text is no such range, or longer than a hundred years.
        """
        match = _RANGE.fullmatch(text)
        if match is None:
            raise ValueError(f"not a number of days: {text!r} (write 3, 2..5 or 2..3..7)")
        numbers = [float(part) for part in match.groups() if part is not None]
        low, high = numbers[0], numbers[-1]
        if max(numbers) > MOST_DAYS:
            raise ValueError(f"more than a hundred years: {max(numbers):g} days")
        return cls(low, numbers[1] if len(numbers) == 3 else (low + high) / 2, high)

    def draw(self, rng: random.Random) -> float:
        """Return one possible duration: a triangle, because three numbers are all that is known."""
        return rng.triangular(self.low, self.high, self.likely) if self.low < self.high else self.low


@dataclass(frozen=True, slots=True)
class Leg:
    """A part of the way whose time no machine decides: `name` says who does what."""

    name: str
    days: Days
