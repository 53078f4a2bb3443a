"""The odds of loss where cases are many: strata by how many cases and vehicles are lost, each drawn from as it weighs.

How likely so many are lost is known exactly (two binomials); within such a stratum every choice of cases is as likely
as another. Strata with few choices are summed over all of them, of the others some are drawn, more where it matters
(Neyman's allocation after a first round). Each draw counts with its exact odds, so an event of one in a billion is not
rounded to never.
"""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from packtrain.forecast.layout import GivenCases
from packtrain.forecast.risks import Risks

NUM_DRAWS: Final = 4000
MOST_ENUMERATED: Final = 1200
"""A stratum with no more choices is summed instead of drawn from."""
_LEAST_WEIGHT: Final = 1e-16
_TWO_SIDED_95: Final = 1.96


@dataclass(frozen=True, slots=True)
class DrawnOdds:
    """An estimate with its interval of 95 in 100; `is_exact` where no stratum had to be drawn from."""

    probability: float
    low: float
    high: float
    is_exact: bool


@dataclass(slots=True)
class _Stratum:
    """So many vehicles lost, and so many cases by themselves.

    Attributes:
        weight: how likely that is.
        may_be_over: whether the code's promise may be exceeded by cases alone: then odds of 1 may hide in it.
    """

    num_vehicles: int
    num_cases: int
    weight: float
    may_be_over: bool
    values: list[float] = field(default_factory=list[float])

    def mean(self) -> float:
        return math.fsum(self.values) / len(self.values)

    def variance(self) -> float:
        """Return the variance of one draw; where a few draws could have missed a certain loss, never nothing."""
        seen = [*self.values, 0.0, 1.0] if self.may_be_over else self.values
        mean = math.fsum(seen) / len(seen)
        return math.fsum((value - mean) ** 2 for value in seen) / max(1, len(seen) - 1)


def drawn_odds(
    given: GivenCases,
    loads: Sequence[Sequence[str]],
    risks: Risks,
    lost_cases: Collection[str] = (),
    *,
    seed: int,
    survived_cases: int,
    most_enumerated: int = MOST_ENUMERATED,
    num_draws: int = NUM_DRAWS,
) -> DrawnOdds:
    """Return the probability that something is lost for good.

    Args:
        given: the odds once the lost cases are known.
        loads: the cases that may still be lost, by vehicle.
        risks: of cases and vehicles.
        lost_cases: those that are lost already.
        seed: the same gives the same.
        survived_cases: so many lost cases never cost anything by themselves.
        most_enumerated, num_draws: how much work is done.
    """
    open_cases = [case for load in loads for case in load]
    strata, left_out = _strata(len(loads), len(open_cases), risks, survived_cases - len(lost_cases))
    rng = random.Random(seed)
    exact: list[float] = []
    drawn: list[_Stratum] = []
    for stratum in strata:
        choices = math.comb(len(loads), stratum.num_vehicles) * math.comb(len(open_cases), stratum.num_cases)
        if choices <= most_enumerated:
            odds = [given.odds({*lost_cases, *lost}) for lost in _all_choices(stratum, loads, open_cases)]
            exact.append(stratum.weight * math.fsum(odds) / choices)
        else:
            drawn.append(stratum)
    first_round = max(16, num_draws // (4 * len(drawn))) if drawn else 0
    for stratum in drawn:
        _draw(stratum, first_round, given, loads, open_cases, lost_cases, rng)
    shares = [stratum.weight * math.sqrt(stratum.variance()) for stratum in drawn]
    whole = math.fsum(shares)
    for stratum, share in zip(drawn, shares, strict=True):
        more = round(num_draws * share / whole) if whole > 0 else 0
        _draw(stratum, more, given, loads, open_cases, lost_cases, rng)
    probability = math.fsum([*exact, *(stratum.weight * stratum.mean() for stratum in drawn)])
    error = math.sqrt(math.fsum(s.weight**2 * s.variance() / len(s.values) for s in drawn))
    return DrawnOdds(
        min(1.0, probability),
        max(math.fsum(exact), probability - _TWO_SIDED_95 * error),
        min(1.0, probability + _TWO_SIDED_95 * error + left_out),
        not drawn,
    )


def _strata(num_loads: int, num_cases: int, risks: Risks, survived_cases: int) -> tuple[list[_Stratum], float]:
    """Return the strata that weigh anything, and how likely one is met that does not."""
    loads = _binomial(num_loads, risks.shared_loss)
    cases = _binomial(num_cases, risks.own_loss)
    found: list[_Stratum] = []
    kept: list[float] = []
    for (lost_loads, load_weight), (lost_cases, case_weight) in itertools.product(loads, cases):
        weight = load_weight * case_weight
        if weight >= _LEAST_WEIGHT:
            over = lost_loads * risks.cases_together + lost_cases > survived_cases
            found.append(_Stratum(lost_loads, lost_cases, weight, over))
            kept.append(weight)
    return found, max(0.0, 1 - math.fsum(kept))


def _binomial(number: int, probability: float) -> list[tuple[int, float]]:
    """Return how likely so many of `number` are lost, of all counts that weigh anything."""
    if probability <= 0:
        return [(0, 1.0)]
    found: list[tuple[int, float]] = []
    for count in range(number + 1):
        log = (
            math.lgamma(number + 1)
            - math.lgamma(count + 1)
            - math.lgamma(number - count + 1)
            + count * math.log(probability)
            + (number - count) * math.log1p(-probability)
        )
        if log > math.log(_LEAST_WEIGHT):
            found.append((count, math.exp(log)))
    return found


def _all_choices(stratum: _Stratum, loads: Sequence[Sequence[str]], cases: Sequence[str]) -> Iterator[set[str]]:
    for some_loads in itertools.combinations(loads, stratum.num_vehicles):
        together = {case for load in some_loads for case in load}
        for some_cases in itertools.combinations(cases, stratum.num_cases):
            yield together.union(some_cases)


def _draw(
    stratum: _Stratum,
    number: int,
    given: GivenCases,
    loads: Sequence[Sequence[str]],
    cases: Sequence[str],
    lost_cases: Collection[str],
    rng: random.Random,
) -> None:
    for _ in range(number):
        lost = {*lost_cases, *rng.sample(cases, stratum.num_cases)}
        for load in rng.sample(loads, stratum.num_vehicles):
            lost.update(load)
        stratum.values.append(given.odds(lost))
