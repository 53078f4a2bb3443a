"""What the drives hold and what the data set becomes, from what was read so far."""

import random

from hypothesis import given
from hypothesis import strategies as st

from packtrain.dataset.budget import Budget, budget_line, size_in_words


def _budget(capacity: int | None = 1000, **totals: int) -> Budget:
    return Budget(totals, capacity)


def test_what_more_fits_is_told_in_bytes_and_samples() -> None:
    budget = _budget(image=4000)
    budget.add("image", 100, 50, 5)
    outlook = budget.outlook()
    assert (outlook.room_bytes, outlook.likely_bytes) == (950, 2000)
    assert budget_line(outlook) == "950 B more fits: at today's keep rate 95 more samples"
    assert size_in_words(outlook) == "about 2 kB (too little was read for a range), before duplicates"


def test_without_planned_drives_there_is_no_line() -> None:
    budget = _budget(None, image=100)
    budget.add("image", 100, 50, 5)
    assert budget_line(budget.outlook()) == ""
    assert not budget.outlook().is_over


def test_kinds_are_forecast_by_their_own_rates() -> None:
    budget = _budget(image=1000, clip=1000)
    for _ in range(2):
        budget.add("image", 100, 10, 1)
        budget.add("clip", 100, 200, 1)
    outlook = budget.outlook()
    assert (outlook.low_bytes, outlook.likely_bytes, outlook.high_bytes) == (2100, 2100, 2100)


def test_a_kind_that_nobody_read_yet_keeps_its_bytes_and_gives_no_range() -> None:
    budget = _budget(image=1000, clip=500)
    budget.add("image", 500, 250, 1)
    budget.add("image", 500, 250, 1)
    assert (budget.outlook().likely_bytes, budget.outlook().low_bytes) == (1000, None)


def test_it_is_over_only_when_all_of_the_range_is() -> None:
    budget = _budget(1200, image=1000)
    budget.add("image", 100, 300, 1)
    budget.add("image", 100, 10, 1)
    assert budget.outlook().likely_bytes > 1200
    assert not budget.outlook().is_over
    for _ in range(6):
        budget.add("image", 100, 160, 1)
    assert budget.outlook().is_over


def test_what_is_read_to_its_end_is_no_forecast_any_more() -> None:
    budget = _budget(image=300)
    for kept in (10, 200, 35):
        budget.add("image", 100, kept, 1)
    outlook = budget.outlook()
    assert (outlook.low_bytes, outlook.likely_bytes, outlook.high_bytes) == (245, 245, 245)


@given(st.integers(0, 2**32))
def test_the_range_holds_the_end_in_most_sets_whose_rest_is_like_what_was_read(seed: int) -> None:
    draw = random.Random(seed)
    held = 0
    for _ in range(20):
        units = [(size := draw.randint(500, 1500), round(size * draw.uniform(0.1, 0.9))) for _ in range(60)]
        budget = _budget(image=sum(read for read, _ in units))
        for read, kept in units[:20]:
            budget.add("image", read, kept, 1)
        outlook = budget.outlook()
        assert outlook.low_bytes is not None and outlook.high_bytes is not None
        held += outlook.low_bytes <= sum(kept for _, kept in units) <= outlook.high_bytes
    assert held >= 13
