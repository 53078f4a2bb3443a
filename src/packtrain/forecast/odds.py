"""How likely something is lost for good: exactly where cases are few, by drawing lots where they are many.

Drives fail independently of each other; a case takes all its drives with it. Given which cases are lost the groups are
independent, so the exact answer sums over the subsets of cases and multiplies over the groups. Drawing lots uses none
of that, and so checks it.
"""

from __future__ import annotations

import itertools
import math
import random
from collections import Counter
from collections.abc import Collection, Mapping
from typing import Final

from packtrain.erasure.placement import Placement

MAX_EXACT_CASES: Final = 16
"""2 ** 16 subsets of cases take about a second."""


def loss_probability(
    placement: Placement,
    case_of: Mapping[str, str],
    drive_loss: float,
    case_loss: float,
    lost_cases: Collection[str] = (),
) -> float:
    """Return the probability that some group loses more drives than its m: that something is lost for good.

    Args:
        placement: the groups.
        case_of: each drive's case, by label.
        drive_loss, case_loss: of one drive by itself, and of one case, both from 0 to 1.
        lost_cases: cases that are lost already; the others may still be.

    Raises:
        ValueError: more than `MAX_EXACT_CASES` cases.
    """
    members = [Counter(case_of[label] for label in group.drives) for group in placement.groups]
    open_cases = sorted({case for cases in members for case in cases} - set(lost_cases))
    if len(open_cases) > MAX_EXACT_CASES:
        raise ValueError(f"{len(open_cases)} cases: draw lots instead")
    # The tail of each binomial that occurs: (drives left, spare losses) -> probability that more are lost.
    tails: dict[tuple[int, int], float] = {}
    total = 0.0
    for count in range(len(open_cases) + 1):
        for lost in itertools.combinations(open_cases, count):
            gone = {*lost, *lost_cases}
            chance = case_loss**count * (1 - case_loss) ** (len(open_cases) - count)
            whole_log = 0.0
            for group, cases in zip(placement.groups, members, strict=True):
                lost_here = sum(number for case, number in cases.items() if case in gone)
                key = (len(group.drives) - lost_here, group.m - lost_here)
                if key not in tails:
                    tails[key] = _more_than(key[1], key[0], drive_loss)
                whole_log += math.log1p(-tails[key]) if tails[key] < 1 else -math.inf
            # 1 - exp(x) by expm1: at one in a billion a plain difference would have no digits left.
            total += chance * -math.expm1(whole_log)
    return min(total, 1.0)


def drawn_loss_probability(
    placement: Placement, case_of: Mapping[str, str], drive_loss: float, case_loss: float, num_draws: int, seed: int
) -> float:
    """Return the same by drawing lots `num_draws` times; its standard error is sqrt(p (1 - p) / num_draws)."""
    rng = random.Random(seed)
    cases = sorted(set(case_of.values()))
    losses = 0
    for _ in range(num_draws):
        gone = {case for case in cases if rng.random() < case_loss}
        losses += any(
            sum(case_of[label] in gone or rng.random() < drive_loss for label in group.drives) > group.m
            for group in placement.groups
        )
    return losses / num_draws


def _more_than(spare: int, num_drives: int, probability: float) -> float:
    """Return the probability that more than `spare` of `num_drives` are lost."""
    if spare < 0:
        return 1.0
    return math.fsum(
        math.comb(num_drives, lost) * probability**lost * (1 - probability) ** (num_drives - lost)
        for lost in range(spare + 1, num_drives + 1)
    )
