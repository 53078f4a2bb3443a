"""The odds of loss, each way of finding them held against the others."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from packtrain.erasure.placement import DriveSpec, Group, Placement, Survival, place, survives
from packtrain.forecast.drawn_odds import drawn_odds
from packtrain.forecast.fleet import even_cases
from packtrain.forecast.layout import GivenCases, Layout, vehicles
from packtrain.forecast.odds import chance_after_a_case, chance_of_loss, exact_odds
from packtrain.forecast.risks import Risks


def placed(num_cases: int, drives_a_case: int, survive: Survival) -> tuple[Placement, dict[str, str]]:
    names = [f"{chr(65 + number // 26)}{chr(65 + number % 26)}" for number in range(num_cases)]
    case_of = {f"{case}{number}": case for case in names for number in range(1, drives_a_case + 1)}
    return place([DriveSpec(label, case, 10**12) for label, case in case_of.items()], survive), case_of


def alone(case_loss: float) -> Risks:
    return Risks(case_loss=case_loss)


def counted_loss(
    placement: Placement, case_of: Mapping[str, str], drive_loss: float, risks: Risks, num_draws: int, seed: int
) -> float:
    """Return in which part of `num_draws` voyages something is lost; its standard error is sqrt(p (1 - p) / draws).

    The plainest way: every vehicle, case and drive is drawn. It stands on neither the sum nor the strata.
    """
    rng = random.Random(seed)
    loads = vehicles(list(dict.fromkeys(case_of.values())), risks.cases_together)
    losses = 0
    for _ in range(num_draws):
        loss = risks.of_bad_batch(drive_loss) if rng.random() < risks.bad_batch else drive_loss
        gone: set[str] = set()
        for load in loads:
            is_lost = rng.random() < risks.shared_loss
            gone.update(case for case in load if rng.random() < risks.own_loss or is_lost)
        losses += any(
            sum(case_of[label] in gone or rng.random() < loss for label in group.drives) > group.m
            for group in placement.groups
        )
    return losses / num_draws


@settings(max_examples=25, deadline=None)
@given(
    num_cases=st.integers(1, 3),
    drives_a_case=st.integers(1, 3),
    drive_loss=st.floats(0.001, 0.6),
    case_loss=st.floats(0.0, 0.4),
)
def test_the_exact_odds_are_those_of_trying_every_loss(
    num_cases: int, drives_a_case: int, drive_loss: float, case_loss: float
) -> None:
    placement, case_of = placed(num_cases, drives_a_case, Survival(0, 1 if num_cases * drives_a_case > 1 else 0))
    expected = 0.0
    labels, cases = sorted(case_of), sorted(set(case_of.values()))
    for lost_cases in itertools.chain.from_iterable(itertools.combinations(cases, n) for n in range(len(cases) + 1)):
        chance = case_loss ** len(lost_cases) * (1 - case_loss) ** (len(cases) - len(lost_cases))
        for lost in itertools.chain.from_iterable(itertools.combinations(labels, n) for n in range(len(labels) + 1)):
            if not survives(placement, case_of, lost, lost_cases):
                expected += chance * drive_loss ** len(lost) * (1 - drive_loss) ** (len(labels) - len(lost))
    found = chance_of_loss(placement, case_of, drive_loss, alone(case_loss))
    assert found.method == "exact"
    assert found.probability == pytest.approx(expected, rel=1e-9, abs=1e-15)


@pytest.mark.parametrize(
    ("survive", "risks", "seed"),
    [
        (Survival(1, 0), alone(0.1), 1),
        (Survival(0, 2), alone(0.1), 2),
        (Survival(1, 1), alone(0.1), 3),
        (Survival(1, 0), Risks(case_loss=0.1, cases_together=2, together_part=0.7), 4),
        (Survival(1, 0), Risks(case_loss=0.05, bad_batch=0.3, batch_factor=5), 5),
        (Survival(2, 0), Risks(case_loss=0.1, cases_together=3, bad_batch=0.1), 6),
    ],
)
def test_drawing_every_drive_agrees_with_the_exact_odds(survive: Survival, risks: Risks, seed: int) -> None:
    placement, case_of = placed(4, 3, survive)
    exact = chance_of_loss(placement, case_of, 0.05, risks).probability
    draws = 20_000
    drawn = counted_loss(placement, case_of, 0.05, risks, draws, seed)
    # Five standard errors: once in two million runs, and the seed is fixed.
    assert abs(drawn - exact) < 5 * math.sqrt(exact * (1 - exact) / draws)


@settings(max_examples=30, deadline=None)
@given(
    num_cases=st.integers(2, 9),
    drives_a_case=st.integers(1, 4),
    survive=st.sampled_from([Survival(1, 0), Survival(0, 1), Survival(1, 1)]),
    drive_loss=st.floats(1e-5, 0.3),
    case_loss=st.floats(1e-4, 0.3),
    cases_together=st.integers(1, 4),
    together_part=st.floats(0, 1),
    seed=st.integers(0, 2**32),
)
def test_drawing_strata_agrees_with_the_exact_odds(
    num_cases: int,
    drives_a_case: int,
    survive: Survival,
    drive_loss: float,
    case_loss: float,
    cases_together: int,
    together_part: float,
    seed: int,
) -> None:
    # Two drives a case more than what is survived, or there is no grouping.
    placement, case_of = placed(num_cases + survive.drives, drives_a_case, survive)
    risks = Risks(case_loss=case_loss, cases_together=cases_together, together_part=together_part)
    layout = Layout(placement, case_of)
    given_cases = GivenCases(layout, drive_loss)
    loads = vehicles(layout.cases, cases_together)
    exact = exact_odds(given_cases, loads, risks)
    summed = drawn_odds(given_cases, loads, risks, seed=seed, survived_cases=survive.cases, most_enumerated=10**9)
    assert summed.is_exact
    assert summed.probability == pytest.approx(exact, rel=1e-9, abs=1e-14)
    drawn = drawn_odds(given_cases, loads, risks, seed=seed, survived_cases=survive.cases, most_enumerated=1)
    # The interval holds it in 95 of 100; three times as wide, so that no seed in a few thousand fails.
    margin = 2 * (drawn.high - drawn.low) + 1e-12
    assert drawn.low - margin <= exact <= drawn.high + margin


def test_the_interval_of_what_is_drawn_holds_the_exact_odds_about_as_often_as_it_says() -> None:
    placement, case_of = placed(9, 3, Survival(1, 0))
    layout = Layout(placement, case_of)
    given_cases = GivenCases(layout, 0.02)
    risks = Risks(case_loss=0.05, cases_together=3)
    loads = vehicles(layout.cases, 3)
    exact = exact_odds(given_cases, loads, risks)
    held = 0
    for seed in range(60):
        drawn = drawn_odds(given_cases, loads, risks, seed=seed, survived_cases=1, most_enumerated=1, num_draws=400)
        held += drawn.low <= exact <= drawn.high
    # 57 of 60 are expected; 50 or fewer would be once in some thousand runs, and the seeds are fixed.
    assert held > 50


def test_sixty_cases_are_drawn_and_agree_with_drawing_every_drive() -> None:
    placement, case_of = placed(60, 1, Survival(1, 0))
    risks = Risks(case_loss=0.01, cases_together=6, together_part=0.5)
    found = chance_of_loss(placement, case_of, 0.01, risks)
    assert found.method == "drawn"
    assert found.low <= found.probability <= found.high
    draws = 20_000
    drawn = counted_loss(placement, case_of, 0.01, risks, draws, 7)
    assert abs(drawn - found.probability) < 5 * math.sqrt(drawn * (1 - drawn) / draws) + found.high - found.low


def test_one_in_billions_is_not_drawn_as_never() -> None:
    placement, case_of = placed(40, 2, Survival(2, 2))
    found = chance_of_loss(placement, case_of, 1e-5, Risks(case_loss=1e-5))
    assert 0 < found.low <= found.probability <= found.high < 1e-9


def test_a_lost_case_leaves_less_and_never_more() -> None:
    placement, case_of = placed(4, 3, Survival(1, 0))
    risks = Risks(case_loss=0.01, cases_together=2)
    whole = chance_of_loss(placement, case_of, 0.01, risks).probability
    after = chance_of_loss(placement, case_of, 0.01, risks, ["AA"]).probability
    assert 0 < whole < after < 1
    assert chance_after_a_case(placement, case_of, 0.01, risks).probability >= after


def test_after_a_case_is_known_where_cases_are_many() -> None:
    placement, case_of = placed(50, 1, Survival(1, 0))
    found = chance_after_a_case(placement, case_of, 0.01, alone(0.01))
    assert chance_of_loss(placement, case_of, 0.01, alone(0.01)).probability < found.probability <= 1


def test_the_worst_case_of_uneven_ones_is_taken() -> None:
    groups = (Group(2, 1, ("A1", "B1", "C1")), Group(2, 1, ("A2", "B2", "D1")), Group(1, 1, ("C2", "D2")))
    placement = Placement(groups, Survival(1, 0))
    case_of = {label: label[0] for group in groups for label in group.drives}
    after = {
        case: chance_of_loss(placement, case_of, 0.03, alone(0.01), [case]).probability for case in ("A", "B", "C", "D")
    }
    assert chance_after_a_case(placement, case_of, 0.03, alone(0.01)).probability == max(after.values())


def test_going_together_never_helps_where_one_case_may_be_lost() -> None:
    placement, case_of = placed(6, 2, Survival(1, 0))
    apart = chance_of_loss(placement, case_of, 0.005, Risks(case_loss=0.01)).probability
    together = chance_of_loss(placement, case_of, 0.005, Risks(case_loss=0.01, cases_together=3)).probability
    assert together > apart


@given(case_loss=st.floats(0, 0.9), part=st.floats(0, 1))
def test_a_case_is_as_likely_lost_whichever_way_it_travels(case_loss: float, part: float) -> None:
    risks = Risks(case_loss=case_loss, cases_together=4, together_part=part)
    assert 1 - (1 - risks.shared_loss) * (1 - risks.own_loss) == pytest.approx(case_loss, abs=1e-12)


def test_nothing_is_lost_where_nothing_fails_and_all_where_all_does() -> None:
    for num_cases in (4, 40):
        placement, case_of = placed(num_cases, 1, Survival(1, 0))
        assert chance_of_loss(placement, case_of, 0.0, alone(0.0)).probability == 0
        assert chance_of_loss(placement, case_of, 1.0, alone(0.0)).probability == 1


def test_odds_of_one_in_a_million_of_millions_keep_their_digits() -> None:
    placement = Placement((Group(2, 6, tuple(f"A{n}" for n in range(8))),), Survival(0, 6))
    case_of = dict.fromkeys(placement.groups[0].drives, "A")
    loss = 1e-3
    expected = 8 * loss**7 * (1 - loss) + loss**8
    assert chance_of_loss(placement, case_of, loss, alone(0.0)).probability == pytest.approx(expected, rel=1e-9)


def test_the_odds_given_lost_cases_are_those_of_each_group_by_itself() -> None:
    placement, case_of = placed(5, 4, Survival(1, 0))
    given_cases = GivenCases(Layout(placement, case_of), 0.02)
    rng = random.Random(11)
    for _ in range(50):
        lost = set(rng.sample(sorted(set(case_of.values())), rng.randint(0, 3)))
        kept = 1.0
        for group in placement.groups:
            gone = sum(case_of[label] in lost for label in group.drives)
            left = len(group.drives) - gone
            kept *= math.fsum(
                math.comb(left, more) * 0.02**more * 0.98 ** (left - more) for more in range(group.m - gone + 1)
            )
        assert given_cases.odds(lost) == pytest.approx(1 - kept, abs=1e-12)


def test_once_a_case_is_lost_the_worst_is_told_wherever_it_travelled() -> None:
    # Seven cases, three in a vehicle: the last travels alone, and both whole vehicles are still on their way.
    case_of = even_cases(14, 7)
    placement = place([DriveSpec(label, case, 10**12) for label, case in case_of.items()], Survival(2, 1), bays=7)
    risks = Risks(case_loss=0.05, cases_together=3)
    each = [chance_of_loss(placement, case_of, 0.006, risks, [case]).probability for case in "ABCDEFG"]
    assert chance_after_a_case(placement, case_of, 0.006, risks).probability == max(each) > 1.5 * each[0]


def test_once_a_case_is_lost_it_matters_with_whom_it_shared_its_groups() -> None:
    # A with B twice: B alone is missed. C with D and with E: either is.
    pairs = ("AB", "AB", "CD", "DE", "EC")
    case_of = {f"{case}{number}": case for number, pair in enumerate(pairs) for case in pair}
    groups = tuple(Group(1, 1, (f"{pair[0]}{n}", f"{pair[1]}{n}")) for n, pair in enumerate(pairs))
    found = chance_after_a_case(Placement(groups, Survival(1, 0)), case_of, 0.0, alone(0.1))
    assert found.probability == pytest.approx(1 - 0.9**2 * (1 - 0.1**2), rel=1e-9)
