"""Whether so many cells can pass a checksum by chance."""

from __future__ import annotations

import math
from typing import Final

MOST_ODDS: Final = 1e-6
"""A column of random numbers becomes a finding once in a million such columns or less often."""


def odds_of_chance(num_passed: int, num_tried: int, chance: float) -> float:
    """Return how likely it is that so many or more of `num_tried` pass, if each does with `chance` (binomial tail)."""
    if num_passed <= 0 or chance >= 1:
        return 1.0
    if chance <= 0:
        return 0.0
    total = 0.0
    for passed in range(num_passed, num_tried + 1):
        ways = math.lgamma(num_tried + 1) - math.lgamma(passed + 1) - math.lgamma(num_tried - passed + 1)
        total += math.exp(ways + passed * math.log(chance) + (num_tried - passed) * math.log1p(-chance))
    return min(total, 1.0)
