import itertools
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from packtrain.erasure.placement import DriveSpec, Group, Placement, Survival, place, survives
from packtrain.forecast.odds import drawn_loss_probability, loss_probability


def placed(num_cases: int, drives_a_case: int, survive: Survival) -> tuple[Placement, dict[str, str]]:
    case_of = {f"{case}{number}": case for case in "ABCDEFGH"[:num_cases] for number in range(1, drives_a_case + 1)}
    return place([DriveSpec(label, case, 10**12) for label, case in case_of.items()], survive), case_of


@settings(max_examples=25)
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
    assert loss_probability(placement, case_of, drive_loss, case_loss) == pytest.approx(expected, rel=1e-9, abs=1e-15)


@pytest.mark.parametrize(("survive", "seed"), [(Survival(1, 0), 1), (Survival(0, 2), 2), (Survival(1, 1), 3)])
def test_drawing_lots_agrees_with_the_exact_odds(survive: Survival, seed: int) -> None:
    placement, case_of = placed(4, 3, survive)
    exact = loss_probability(placement, case_of, 0.05, 0.1)
    draws = 20_000
    drawn = drawn_loss_probability(placement, case_of, 0.05, 0.1, draws, seed)
    # Five standard errors: once in two million runs, and the seed is fixed.
    assert abs(drawn - exact) < 5 * math.sqrt(exact * (1 - exact) / draws)


def test_a_lost_case_leaves_less_and_never_more() -> None:
    placement, case_of = placed(4, 3, Survival(1, 0))
    whole = loss_probability(placement, case_of, 0.01, 0.01)
    after = loss_probability(placement, case_of, 0.01, 0.01, ["A"])
    assert 0 < whole < after < 1


def test_nothing_is_lost_where_nothing_fails_and_all_where_all_does() -> None:
    placement, case_of = placed(4, 3, Survival(1, 0))
    assert loss_probability(placement, case_of, 0.0, 0.0) == 0
    assert loss_probability(placement, case_of, 1.0, 0.0) == 1


def test_odds_of_one_in_a_million_of_millions_keep_their_digits() -> None:
    placement = Placement((Group(2, 6, tuple(f"A{n}" for n in range(8))),), Survival(0, 6))
    case_of = dict.fromkeys(placement.groups[0].drives, "A")
    loss = 1e-3
    expected = 8 * loss**7 * (1 - loss) + loss**8
    assert loss_probability(placement, case_of, loss, 0.0) == pytest.approx(expected, rel=1e-9)
