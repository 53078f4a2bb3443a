"""Whether so many cells can pass a checksum by chance."""

from __future__ import annotations

import math
from typing import Final

_MOST_ODDS: Final = 1e-6
"""A column of random numbers becomes a finding once in a million such columns or less often."""


def is_evidence(num_hits: int, num_filled: int, least_share: int, num_passed: int, num_tried: int, chance: int) -> bool:
    """Return whether what passes in a column is more than chance.

    Args:
        num_hits, num_filled: cells that pass, of those that are filled; `least_share` of a thousand must pass.
        num_passed, num_tried: the same of different texts; `chance` of a million random ones would pass.
    """
    if num_hits * 1000 < least_share * num_filled:
        return False
    return odds_of_chance(num_passed, num_tried, chance / 1_000_000) <= _MOST_ODDS


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
