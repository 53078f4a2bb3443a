"""How large the data set becomes, and how much more the planned drives hold: a forecast from what was read so far.

What is kept is settled after reading, so all of this is before duplicates and filters.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from packtrain.units import counted, format_bytes

_SPREAD: Final = 2.0
"""Standard deviations to each side: 19 of 20 sets of which the rest is like what was read end within."""


@dataclass(frozen=True, slots=True)
class BudgetOutlook:
    """A forecast.

    Attributes:
        read_bytes, total_bytes: of the sources.
        kept_bytes, num_kept: bytes and number of the samples so far.
        low_bytes, likely_bytes, high_bytes: of the whole data set; low and high are none before two units of a kind.
        capacity_bytes: what the planned drives hold beside their parity; None where nothing is planned.
    """

    read_bytes: int
    total_bytes: int
    kept_bytes: int
    num_kept: int
    low_bytes: int | None
    likely_bytes: int
    high_bytes: int | None
    capacity_bytes: int | None

    @property
    def room_bytes(self) -> int | None:
        """Return how much more fits beside what is kept so far; below 0 where that is too much already."""
        return None if self.capacity_bytes is None else self.capacity_bytes - self.kept_bytes

    @property
    def is_over(self) -> bool:
        """Return whether the drives will not hold it: not even the low end, or what is likely where there is none."""
        if self.capacity_bytes is None:
            return False
        least = self.likely_bytes if self.low_bytes is None else self.low_bytes
        return self.read_bytes > 0 and least > self.capacity_bytes


@dataclass(slots=True)
class _KindRate:
    """What units of one kind read and kept: sums, squares and products."""

    num_units: int = 0
    read: float = 0.0
    kept: float = 0.0
    read_read: float = 0.0
    read_kept: float = 0.0
    kept_kept: float = 0.0

    def add(self, read_bytes: int, kept_bytes: int) -> None:
        self.num_units += 1
        self.read += read_bytes
        self.kept += kept_bytes
        self.read_read += read_bytes * read_bytes
        self.read_kept += read_bytes * kept_bytes
        self.kept_kept += kept_bytes * kept_bytes

    def rest(self, total_bytes: int) -> tuple[float, float | None]:
        """Return what the sources that are left will become, and the variance of that; None where it is not known."""
        left = max(total_bytes - self.read, 0.0)
        if left == 0:
            return 0.0, 0.0
        if self.read == 0:
            return left, None
        rate = self.kept / self.read
        if self.num_units < 2:
            return left * rate, None
        squares = max(self.kept_kept - 2 * rate * self.read_kept + rate * rate * self.read_read, 0.0)
        num_left = left / (self.read / self.num_units)
        # Of a sum of `num_left` more units: their own scatter, and that of the rate they are reckoned with.
        return left * rate, squares / (self.num_units - 1) * (num_left + num_left * num_left / self.num_units)


@dataclass(slots=True)
class Budget:
    """The forecast while units are read.

    Args:
        total_bytes: of the sources, by kind.
        capacity_bytes: what the planned drives hold beside their parity; None where nothing is planned.
    """

    total_bytes: Mapping[str, int]
    capacity_bytes: int | None
    num_kept: int = 0
    _rates: dict[str, _KindRate] = field(default_factory=dict[str, _KindRate])

    def add(self, kind: str, read_bytes: int, kept_bytes: int, num_kept: int) -> None:
        """Count one unit: bytes of its sources, bytes and number of its samples."""
        self._rates.setdefault(kind, _KindRate()).add(read_bytes, kept_bytes)
        self.num_kept += num_kept

    def outlook(self) -> BudgetOutlook:
        """Return the forecast; a kind of which nothing was read yet is taken to keep its bytes."""
        kept = sum(rate.kept for rate in self._rates.values())
        likely, variance, is_ranged = kept, 0.0, True
        for kind, total_bytes in self.total_bytes.items():
            rest, scatter = self._rates.get(kind, _KindRate()).rest(total_bytes)
            likely += rest
            variance += scatter or 0.0
            is_ranged = is_ranged and scatter is not None
        spread = _SPREAD * math.sqrt(variance)
        return BudgetOutlook(
            read_bytes=round(sum(rate.read for rate in self._rates.values())),
            total_bytes=sum(self.total_bytes.values()),
            kept_bytes=round(kept),
            num_kept=self.num_kept,
            low_bytes=round(max(likely - spread, kept)) if is_ranged else None,
            likely_bytes=round(likely),
            high_bytes=round(likely + spread) if is_ranged else None,
            capacity_bytes=self.capacity_bytes,
        )


def budget_line(outlook: BudgetOutlook) -> str:
    """Return what more fits, in words; "" where no drives are planned."""
    room = outlook.room_bytes
    if room is None:
        return ""
    if room < 0:
        return f"{format_bytes(-room)} more than the planned drives hold"
    more = ""
    if outlook.num_kept and outlook.kept_bytes:
        num_more = room * outlook.num_kept // outlook.kept_bytes
        more = f": at today's keep rate {counted(num_more, 'more sample')}"
    return f"{format_bytes(room)} more fits{more}"


def size_in_words(outlook: BudgetOutlook) -> str:
    """Return the forecast size, in words."""
    likely = format_bytes(outlook.likely_bytes)
    if outlook.low_bytes is None or outlook.high_bytes is None:
        return f"about {likely} (too little was read for a range), before duplicates"
    return f"{format_bytes(outlook.low_bytes)} to {format_bytes(outlook.high_bytes)}, before duplicates"
