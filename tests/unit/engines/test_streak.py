"""How often in a row a run may fail, on every engine."""

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packtrain.engines.attempt import Outcome
from packtrain.engines.streak import Streak

LATER = Streak(num_failed=2, furthest=10)
FAILURES = sorted({*get_args(Outcome)} - {"done", "saved"})
attempts = st.lists(st.tuples(st.sampled_from([*FAILURES, "saved"]), st.integers(-1, 50), st.booleans()), max_size=60)


@pytest.mark.parametrize(
    ("outcome", "reached", "is_taken_away", "num_failed"),
    [
        ("lost", 11, False, 1),  # it got further: the count starts anew
        ("lost", 10, False, 3),
        ("host lost", -1, False, 3),
        ("stalled", 12, False, 1),
        ("saved", 12, False, 0),
        ("saved", 10, False, 3),  # time too short for a step has an end
        ("interrupted", -1, True, 2),  # nobody failed
        ("interrupted", 12, True, 0),
    ],
)
def test_who_gets_further_starts_the_count_anew(
    outcome: Outcome, reached: int, is_taken_away: bool, num_failed: int
) -> None:
    after = LATER.after(outcome, reached, is_taken_away=is_taken_away)
    assert after == Streak(num_failed, max(10, reached))
    assert after.is_too_long(2) == (num_failed > 2)


@given(st.lists(st.tuples(st.sampled_from(FAILURES), st.integers(-1, 50)), max_size=60), st.integers(0, 5))
def test_failures_since_the_last_that_got_further_are_counted(told: list[tuple[Outcome, int]], restarts: int) -> None:
    streak, since = Streak(), 0
    for outcome, reached in told:
        since = 1 if reached > streak.furthest else since + 1
        streak = streak.after(outcome, reached)
        assert streak.num_failed == since
        assert streak.is_too_long(restarts) == (since > restarts)


@given(attempts, st.integers(0, 5))
def test_a_run_ends_however_its_attempts_do_unless_they_are_taken_away(
    told: list[tuple[Outcome, int, bool]], restarts: int
) -> None:
    streak, furthest = Streak(), -1
    for outcome, reached, is_taken_away in told:
        before, streak = streak, streak.after(outcome, reached, is_taken_away=is_taken_away)
        furthest = max(furthest, reached)
        assert streak.furthest == furthest
        assert streak.num_failed <= before.num_failed + 1
        if is_taken_away:
            assert streak.num_failed <= before.num_failed
    for _ in range(restarts + 1):
        streak = streak.after("saved", -1)
    assert streak.is_too_long(restarts)
