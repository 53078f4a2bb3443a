import random
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from near_parts import bits_apart, found_pairs, random_fingerprints, with_flips
from packtrain.dataset.near.blocks import BLOCK_BYTES
from packtrain.dataset.near.fingerprint import CLIP_FRAMES, Method
from packtrain.dataset.near.groups import NearGroups
from packtrain.dataset.near.pairs import PairFinder


def _planted(num_rows: int, num_bytes: int, most_flips: int, seed: int) -> list[bytes]:
    """Return random fingerprints of which every third is one of those before it with some bits turned."""
    chance = random.Random(seed)
    rows = random_fingerprints(num_rows, num_bytes, seed)
    for number in range(2, num_rows, 3):
        flips = chance.sample(range(8 * num_bytes), chance.randint(0, most_flips))
        rows[number] = with_flips(rows[chance.randrange(number)], flips)
    return rows


def _slow_pairs(rows: Sequence[bytes], threshold: int) -> dict[tuple[int, int], float]:
    """Return the pairs of all first rows of equal fingerprints, and each later equal row with its first."""
    firsts: dict[bytes, int] = {}
    pairs: dict[tuple[int, int], float] = {}
    for number, row in enumerate(rows):
        if row in firsts:
            pairs[firsts[row], number] = 0
            continue
        pairs |= {
            (first, number): apart for other, first in firsts.items() if (apart := bits_apart(row, other)) <= threshold
        }
        firsts[row] = number
    return pairs


@pytest.mark.parametrize(
    ("method", "num_bytes", "threshold"),
    [("pdq", 32, 31), ("pdq", 32, 7), ("pdq", 32, 0), ("phash", 8, 2), ("phash", 8, 4)],
)
def test_all_pairs_within_the_threshold_are_found_and_no_other(method: Method, num_bytes: int, threshold: int) -> None:
    for seed in (1, 2, 3):
        rows = _planted(900, num_bytes, threshold + 3, seed)
        assert found_pairs(method, enumerate(rows), threshold) == (_slow_pairs(rows, threshold), 0)


@given(
    st.lists(st.binary(min_size=2, max_size=2), min_size=0, max_size=40),
    st.integers(0, 31),
)
def test_few_bits_that_differ_anywhere_are_found(pieces: list[bytes], threshold: int) -> None:
    # Two bytes spread over the whole fingerprint: neighbours at every distance from 0 to 16, in every band.
    rows = [(piece + bytes(14)) + (bytes(15) + piece[:1]) for piece in pieces]
    assert found_pairs("pdq", enumerate(rows), threshold) == (_slow_pairs(rows, threshold), 0)


@pytest.mark.long
def test_pairs_are_found_among_so_many_rows_that_bands_grow_wider() -> None:
    rows = random_fingerprints(120_000, 32, 9)
    chance = random.Random(9)
    planted = {}
    for number in range(100_000, 101_000):
        source = chance.randrange(100_000)
        rows[number] = with_flips(rows[source], chance.sample(range(256), 31))
        planted[source, number] = 31
    pairs, num_bounded = found_pairs("pdq", enumerate(rows))
    assert num_bounded == 0
    # Two copies of one row may be near each other too; every pair is near all the same.
    assert planted.items() <= pairs.items()
    assert all(bits_apart(rows[one], rows[other]) == apart for (one, other), apart in pairs.items())


def test_the_order_in_which_rows_come_does_not_matter() -> None:
    rows = list(enumerate(_planted(300, 32, 31, 4)))
    pairs, _ = found_pairs("pdq", rows)
    random.Random(1).shuffle(rows)
    again, _ = found_pairs("pdq", rows)
    assert list(again.items()) == list(pairs.items())


def test_what_is_not_compared_is_near_nothing() -> None:
    assert found_pairs("pdq", [(0, b""), (1, b""), (2, bytes(32)), (3, bytes(32))]) == ({(2, 3): 0}, 0)
    assert found_pairs("pdq", []) == ({}, 0)
    assert found_pairs("minhash", [(0, b"")]) == ({}, 0)
    assert found_pairs("frames", [(5, b"")]) == ({}, 0)


@pytest.mark.parametrize("num_flips", [0, 4, 10])
def test_very_many_that_are_alike_make_few_pairs_and_leave_few(num_flips: int, tmp_path: Path) -> None:
    chance = random.Random(num_flips)
    centre = random_fingerprints(1, 32, 1)[0]
    rows = [with_flips(centre, chance.sample(range(256), num_flips)) for _ in range(12_000)]
    num_pairs = 0
    with PairFinder("pdq", tmp_path / "pairs") as finder, NearGroups(len(rows), tmp_path / "groups") as groups:
        finder.add(enumerate(rows))
        for block in finder.pairs():
            groups.add(block)
            num_pairs += len(block.first)
            assert bits_apart(rows[block.first[0]], rows[block.second[0]]) == block.distance[0]
        dropped = {row: kept for block in groups.dropped() for row, kept in zip(block.row, block.kept, strict=True)}
        assert not groups.components().any()
    assert num_pairs < 600 * len(rows)  # all of them would be 6000 a row
    assert len(dropped) > 0.99 * len(rows)
    assert all(bits_apart(rows[row], rows[kept]) <= 31 and kept not in dropped for row, kept in dropped.items())


def test_unlike_fingerprints_with_one_common_half_are_bounded_and_it_is_said() -> None:
    half = random_fingerprints(1, 16, 1)[0]
    rows = [half + other for other in random_fingerprints(3_000, 16, 2)]
    pairs, num_bounded = found_pairs("pdq", enumerate(rows))
    assert num_bounded > 0
    assert all(bits_apart(rows[one], rows[other]) <= 31 for one, other in pairs)


def _sketch(values: Sequence[int]) -> bytes:
    return b"".join(value.to_bytes(4, "little") for value in values)


def test_sketches_are_near_from_the_share_of_equal_values_on() -> None:
    chance = random.Random(3)
    base = [chance.getrandbits(32) for _ in range(128)]
    rows = [_sketch(base)]
    for num_different in range(20, 32):
        changed = list(base)
        for place in chance.sample(range(128), num_different):
            changed[place] = chance.getrandbits(32)
        rows.append(_sketch(changed))
    assert {len(row) for row in rows} == {BLOCK_BYTES}
    pairs, num_bounded = found_pairs("minhash", enumerate(rows))
    assert num_bounded == 0
    # 0.8 of 128 values are 103: up to 25 may differ.
    from_first = {other: round(distance * 128) for (one, other), distance in pairs.items() if one == 0}
    assert from_first == {number - 19: number for number in range(20, 26)}


def _clip(milliseconds: int, frames: Sequence[bytes]) -> bytes:
    return milliseconds.to_bytes(4, "big") + b"".join(frames)


def _slow_clips(rows: Sequence[bytes]) -> dict[tuple[int, int], float]:
    pairs: dict[tuple[int, int], float] = {}
    for second, right in enumerate(rows):
        for first, left in enumerate(rows[:second]):
            lengths = [int.from_bytes(row[:4], "big") for row in (left, right)]
            agree = sum(
                bits_apart(left[start : start + 32], right[start : start + 32]) <= 31 for start in range(4, 260, 32)
            )
            if agree >= 7 and max(lengths) - min(lengths) <= 0.05 * max(lengths):
                pairs[first, second] = 1 - agree / CLIP_FRAMES
    return pairs


def test_clips_are_near_when_seven_of_eight_frames_agree_and_the_durations_do() -> None:
    chance = random.Random(8)
    rows: list[bytes] = []
    for number in range(25):
        frames = random_fingerprints(CLIP_FRAMES, 32, 100 + number)
        for place in chance.sample(range(CLIP_FRAMES), chance.randint(0, 4)):
            frames[place] = bytes(32)
        rows.append(_clip(10_000, frames))
        for _ in range(8):
            copy = [with_flips(frame, chance.sample(range(256), 15)) if any(frame) else frame for frame in frames]
            for place in chance.sample(range(CLIP_FRAMES), chance.randint(0, 2)):
                copy[place] = (
                    random_fingerprints(1, 32, chance.getrandbits(30))[0] if chance.random() < 0.5 else bytes(32)
                )
            if sum(map(any, copy)) >= CLIP_FRAMES // 2:
                rows.append(_clip(chance.choice([10_000, 9_600, 10_400, 9_400]), copy))
    expected = _slow_clips(rows)
    pairs, num_bounded = found_pairs("frames", enumerate(rows))
    assert num_bounded == 0
    assert len(expected) > 200
    assert pairs == expected
