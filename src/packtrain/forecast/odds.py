"""How likely something is lost for good: exactly where cases are few, by drawing lots where they are many.

Drives fail independently of each other; a case takes all its drives with it, and a lost vehicle all its cases; a bad
batch makes every drive likelier to fail. The exact answer sums over the subsets of cases. `drawn_odds.py` draws which
cases are lost, stratum by stratum, and takes the exact odds of each draw: what is rarer than one in the number of draws
is still seen. Tests hold both against drawing every drive and every case.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from packtrain.erasure.placement import Placement
from packtrain.forecast.drawn_odds import drawn_odds
from packtrain.forecast.layout import GivenCases, Layout, vehicles
from packtrain.forecast.risks import Risks

MAX_EXACT_CASES: Final = 11
"""2 ** 11 subsets of cases, for each of a dozen codes, are computed in a second."""
_MOST_LOOKS: Final = 20_000
_SEED: Final = 20_250_101


@dataclass(frozen=True, slots=True)
class Chance:
    """A probability, and how well it is known.

    Attributes:
        low, high: of a drawn one, the interval that holds it in 95 of 100 forecasts.
    """

    probability: float
    low: float
    high: float
    method: Literal["exact", "drawn"] = "exact"


def chance_of_loss(
    placement: Placement, case_of: Mapping[str, str], drive_loss: float, risks: Risks, lost_cases: Collection[str] = ()
) -> Chance:
    """Return how likely some group loses more drives than its m: that something is lost for good.

    Args:
        placement: the groups.
        case_of: each drive's case, by label.
        drive_loss: of one drive by itself on the whole voyage.
        risks: of cases, vehicles and batches.
        lost_cases: cases that are lost already, each by itself; the others may still be.
    """
    layout = Layout(placement, case_of)
    usual = _chance(layout, drive_loss, risks, lost_cases)
    if risks.bad_batch == 0:
        return usual
    bad = _chance(layout, risks.of_bad_batch(drive_loss), risks, lost_cases)
    good_part, bad_part = 1 - risks.bad_batch, risks.bad_batch
    # Both ends added up: wider than need be, and never too narrow.
    return Chance(
        good_part * usual.probability + bad_part * bad.probability,
        good_part * usual.low + bad_part * bad.low,
        good_part * usual.high + bad_part * bad.high,
        "exact" if usual.method == bad.method == "exact" else "drawn",
    )


def chance_after_a_case(placement: Placement, case_of: Mapping[str, str], drive_loss: float, risks: Risks) -> Chance:
    """Return the same once one case is lost already, for the case whose loss weighs most."""
    layout = Layout(placement, case_of)
    one_of_each = {layout.shape(case, risks.cases_together): case for case in reversed(layout.cases)}
    candidates = list(one_of_each.values())
    if len(layout.cases) > MAX_EXACT_CASES + 1:
        candidates = [_heaviest(layout, candidates, drive_loss, risks)]
    found = [chance_of_loss(placement, case_of, drive_loss, risks, [case]) for case in candidates]
    return max(found, key=lambda chance: chance.probability)


def _heaviest(layout: Layout, candidates: Sequence[str], drive_loss: float, risks: Risks) -> str:
    """Return the case whose loss weighs most: alone, or with one more vehicle; with one more case, if they are few."""
    given = GivenCases(layout, drive_loss)

    def weight(case: str) -> float:
        others = vehicles(layout.cases, risks.cases_together, [case])
        if len(candidates) * len(layout.cases) > _MOST_LOOKS:
            return given.odds([case])
        more = [risks.shared_loss * given.odds([case, *load]) for load in others if risks.shared_loss]
        more += [risks.own_loss * given.odds([case, other]) for load in others for other in load]
        return given.odds([case]) + math.fsum(more)

    return max(candidates, key=weight)


def _chance(layout: Layout, drive_loss: float, risks: Risks, lost_cases: Collection[str]) -> Chance:
    given = GivenCases(layout, drive_loss)
    loads = vehicles(layout.cases, risks.cases_together, lost_cases)
    if sum(map(len, loads)) <= MAX_EXACT_CASES:
        found = exact_odds(given, loads, risks, lost_cases)
        return Chance(found, found, found)
    drawn = drawn_odds(given, loads, risks, lost_cases, seed=_SEED, survived_cases=layout.survives_cases)
    return Chance(drawn.probability, drawn.low, drawn.high, "exact" if drawn.is_exact else "drawn")


def exact_odds(
    given: GivenCases, loads: Sequence[Sequence[str]], risks: Risks, lost_cases: Collection[str] = ()
) -> float:
    """Return the probability of a loss: the sum over every subset of the cases that may still be lost.

    Args:
        given: the odds once the lost cases are known.
        loads: those cases, by vehicle.
        risks: of cases and vehicles.
        lost_cases: those that are lost already.
    """
    choices = [_lost_of_vehicle(load, risks) for load in loads]
    terms: list[float] = []
    for parts in itertools.product(*choices):
        weight = math.prod(part[0] for part in parts)
        if weight > 0:
            terms.append(weight * given.odds([*lost_cases, *(case for part in parts for case in part[1])]))
    return min(1.0, math.fsum(terms))


def _lost_of_vehicle(load: Sequence[str], risks: Risks) -> list[tuple[float, tuple[str, ...]]]:
    """Return every set of cases of one vehicle that may be lost, with its probability."""
    own, shared = risks.own_loss, risks.shared_loss
    found: list[tuple[float, tuple[str, ...]]] = []
    for count in range(len(load) + 1):
        weight = (1 - shared) * own**count * (1 - own) ** (len(load) - count) + (shared if count == len(load) else 0.0)
        found += [(weight, lost) for lost in itertools.combinations(load, count)]
    return found
