import random
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from near_parts import bits_apart, dropped_and_components, random_fingerprints, with_flips
from packtrain.dataset.near.groups import NearGroups
from packtrain.dataset.near.pairs import NearPairs


def _slow_rule(rows: list[bytes], threshold: int) -> dict[int, tuple[int, float]]:
    """Return what is dropped: walked in order, a row stays unless it is near one that stays; equal ones go together."""
    kept: list[int] = []
    dropped: dict[int, tuple[int, float]] = {}
    for number, row in enumerate(rows):
        if (first := rows.index(row)) < number:
            dropped[number] = dropped.get(first, (first, 0))
            continue
        near = [(apart, other) for other in kept if (apart := bits_apart(row, rows[other])) <= threshold]
        if near:
            apart, other = min(near)
            dropped[number] = (other, apart)
        else:
            kept.append(number)
    return dropped


def _slow_components(rows: list[bytes], threshold: int) -> list[int]:
    component = list(range(len(rows)))
    for number, row in enumerate(rows):
        for other in range(number):
            if bits_apart(row, rows[other]) <= threshold and component[number] != component[other]:
                old, new = sorted((component[number], component[other]))[::-1]
                component = [new if one == old else one for one in component]
    return component


def _chains(num_rows: int, seed: int) -> list[bytes]:
    """Return fingerprints of which most are some bits from one before: chains with unlike ends, and equal ones."""
    chance = random.Random(seed)
    rows = random_fingerprints(num_rows, 32, seed)
    for number in range(1, num_rows):
        if chance.random() < 0.8:
            rows[number] = with_flips(
                rows[chance.randrange(number)], chance.sample(range(256), chance.choice([0, 5, 20, 25]))
            )
    return rows


@settings(max_examples=25)
@given(st.integers(0, 2**32), st.integers(1, 60))
def test_what_is_dropped_and_what_hangs_together_is_what_the_slow_rule_says(seed: int, num_rows: int) -> None:
    rows = _chains(num_rows, seed)
    dropped, components = dropped_and_components("pdq", rows)
    assert dropped == _slow_rule(rows, 31)
    assert components == _slow_components(rows, 31)


def test_the_end_of_a_chain_stays_and_stays_in_the_group() -> None:
    first = random_fingerprints(1, 32, 1)[0]
    middle = with_flips(first, range(20))
    end = with_flips(middle, range(20, 45))
    dropped, components = dropped_and_components("pdq", [first, middle, end])
    assert dropped == {1: (0, 20)}
    assert components == [0, 0, 0]


def test_a_row_equal_to_a_dropped_one_goes_with_it() -> None:
    first = random_fingerprints(1, 32, 1)[0]
    near = with_flips(first, range(9))
    dropped, _ = dropped_and_components("pdq", [first, near, near, first])
    assert dropped == {1: (0, 9), 2: (0, 9), 3: (0, 0)}


def test_long_chains_and_stars_are_one_group_in_any_order_of_pairs(tmp_path: Path) -> None:
    num_rows = 3_000
    chain = [(number, number + 1) for number in range(999)]
    star = [(1_000, number) for number in range(1_001, 2_000)]
    pairs = chain + star
    for seed in range(3):
        random.Random(seed).shuffle(pairs)
        with NearGroups(num_rows, tmp_path) as groups:
            for start in range(0, len(pairs), 100):
                first, second = np.array(pairs[start : start + 100]).T
                groups.add(NearPairs(first, second, np.ones(len(first), dtype=np.float32)))
            assert groups.components().tolist() == [0] * 1_000 + [1_000] * 1_000 + list(range(2_000, 3_000))


def test_a_pair_that_comes_twice_counts_once(tmp_path: Path) -> None:
    with NearGroups(3, tmp_path) as groups:
        for _ in range(2):
            groups.add(NearPairs(np.array([0]), np.array([2]), np.array([3], dtype=np.float32)))
        blocks = list(groups.dropped())
    assert [(block.row.tolist(), block.kept.tolist(), block.distance.tolist()) for block in blocks] == [
        ([2], [0], [3.0])
    ]
