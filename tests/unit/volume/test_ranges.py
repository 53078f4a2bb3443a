"""Numbers that follow each other are one range, whatever order they come in."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from packtrain.volume.ranges import Ranges

NUMBERS = st.lists(st.integers(0, 40), max_size=30)
PAIRS = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)).map(lambda pair: (min(pair), max(pair))), max_size=8)


def num_runs(numbers: set[int]) -> int:
    return sum(number - 1 not in numbers for number in numbers)


@given(NUMBERS)
def test_it_is_the_set_of_the_numbers_in_as_few_ranges_as_there_are_runs(numbers: list[int]) -> None:
    found, expected = Ranges.of(numbers), set(numbers)
    assert list(found) == sorted(expected)
    assert (len(found), bool(found)) == (len(expected), bool(expected))
    assert [number in found for number in range(43)] == [number in expected for number in range(43)]
    assert found.num_ranges == num_runs(expected)


@given(PAIRS)
def test_ranges_that_overlap_or_touch_are_joined(pairs: list[tuple[int, int]]) -> None:
    expected = {number for first, last in pairs for number in range(first, last + 1)}
    assert Ranges(pairs) == Ranges.of(expected)


@given(NUMBERS)
def test_between_two_turns_nothing_changes(numbers: list[int]) -> None:
    found = Ranges.of(numbers)
    turns = [0, *found.turns(), 43]
    for begin, end in itertools.pairwise(turns):
        assert len({number in found for number in range(begin, end)}) <= 1


def test_four_million_blocks_on_end_are_one_range() -> None:
    found = Ranges([(0, 3_999_998)])
    found.add(3_999_999)
    assert (found.num_ranges, len(found)) == (1, 4_000_000)
