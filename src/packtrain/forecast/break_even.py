"""From how many bytes on carrying is faster than a link, at the same drives and delays.

Both ways grow in a straight line with the bytes: carrying has its delays and swaps before the first byte, sending its
link. So the line at which they meet is computed, not searched for.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from packtrain.erasure.placement import Placement
from packtrain.forecast.question import MOST_BYTES, Question
from packtrain.forecast.steps import DAY_SECONDS, MACHINE_SPREAD, load_pace, pack_pace, send_pace

LINK_RATES: Final = (50e6, 100e6, 200e6, 500e6, 1e9, 2e9, 5e9, 10e9, 40e9, 100e9)
"""Bits a second at which the break-even is told."""
CURVE_RATES: Final = tuple(10 ** (7 + number / 20) for number in range(81))
"""And at which it is drawn: 10 Mbit/s to 100 Gbit/s, evenly on a logarithmic axis."""


@dataclass(frozen=True, slots=True)
class BreakEven:
    """The bytes at which both ways take as long on one link; None where carrying never is faster.

    Attributes:
        likely: if every delay is its likeliest.
        low, high: if every delay of carrying is its shortest, or its longest.
    """

    link_rate: float
    likely: int | None
    low: int | None
    high: int | None


def break_evens(question: Question, placement: Placement, rates: tuple[float, ...]) -> tuple[BreakEven, ...]:
    """Return the break-even at these bits a second; the free part of the link is as in the question."""
    pack, load = pack_pace(question, placement), load_pace(question, placement)
    swaps, slope = pack.fixed_seconds + load.fixed_seconds, pack.slope + load.slope

    def least(rate: float, delay_days: float, spread: float) -> int | None:
        gain = send_pace(question, rate * question.link_free).slope - slope * spread
        if gain <= 0:
            return None
        found = math.ceil((delay_days * DAY_SECONDS + swaps * spread) / gain)
        return max(1, found) if found <= MOST_BYTES else None

    low, likely, high = (sum(getattr(leg.days, name) for leg in question.legs) for name in ("low", "likely", "high"))
    fast, usual, slow = MACHINE_SPREAD
    return tuple(
        BreakEven(rate, least(rate, likely, usual), least(rate, low, fast), least(rate, high, slow)) for rate in rates
    )
