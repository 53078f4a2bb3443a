"""What both ways cost, of what has a price. Numbers without a currency: the person who gives them knows it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

_MONTH_DAYS: Final = 365.25 / 12
MOST_PRICE: Final = 1e12


@dataclass(frozen=True, slots=True)
class Prices:
    """What one of each costs; None where nobody said.

    Attributes:
        drive, case: bought once.
        carrier: of one case for one trip: a ticket, a courier.
        shipping: of one trip for all cases together: freight, insurance, customs fees.
        link_month: of the network for a month; a month that began is paid.
        currency: only printed.
    """

    drive: float | None = None
    case: float | None = None
    carrier: float | None = None
    shipping: float | None = None
    link_month: float | None = None
    currency: str = ""

    def __post_init__(self) -> None:
        given = [value for value in (getattr(self, name) for name in PRICED) if value is not None]
        if not all(0 <= value <= MOST_PRICE for value in given):
            raise ValueError("a price is a number from 0 to 10^12")


PRICED: Final = ("drive", "case", "carrier", "shipping", "link_month")


@dataclass(frozen=True, slots=True)
class CostLine:
    """So many of something at this price."""

    what: str
    number: int
    each: float

    @property
    def total(self) -> float:
        """Number times price."""
        return self.number * self.each


@dataclass(frozen=True, slots=True)
class Cost:
    """What one way costs.

    Attributes:
        unpriced: what belongs to this way and has no price, and so is not in the total.
    """

    lines: tuple[CostLine, ...]
    unpriced: tuple[str, ...]

    @property
    def total(self) -> float | None:
        """The sum; None where nothing has a price."""
        return math.fsum(line.total for line in self.lines) if self.lines else None


def months_begun(days: float) -> int:
    """Return how many months of a network are paid for so many days."""
    return max(1, math.ceil(days / _MONTH_DAYS)) if days > 0 else 0


def cost(prices: Prices, needed: dict[str, int]) -> Cost:
    """Return what so many of each cost; `needed` has names of `PRICED`."""
    lines: list[CostLine] = []
    unpriced: list[str] = []
    for name, number in needed.items():
        if number < 1:
            continue
        each = getattr(prices, name)
        if each is None:
            unpriced.append(name)
        else:
            lines.append(CostLine(name, number, each))
    return Cost(tuple(lines), tuple(unpriced))
