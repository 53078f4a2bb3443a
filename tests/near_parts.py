"""Fingerprints that are near by construction, and the slow way to find them."""

import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from packtrain.dataset.near.fingerprint import Method
from packtrain.dataset.near.groups import NearGroups
from packtrain.dataset.near.pairs import PairFinder

DEMO_DATA = Path(__file__).parents[1] / "build" / "demo-data"


def with_flips(fingerprint: bytes, places: Iterable[int]) -> bytes:
    """Return the fingerprint with the bits at these places turned."""
    turned = int.from_bytes(fingerprint, "big")
    for place in places:
        turned ^= 1 << place
    return turned.to_bytes(len(fingerprint), "big")


def bits_apart(one: bytes, other: bytes) -> int:
    """Return how many bits differ."""
    return (int.from_bytes(one, "big") ^ int.from_bytes(other, "big")).bit_count()


def found_pairs(
    method: Method, rows: Iterable[tuple[int, bytes]], threshold: float | None = None
) -> tuple[dict[tuple[int, int], float], int]:
    """Return all pairs with their distance, and how much of the work was bounded."""
    with tempfile.TemporaryDirectory() as folder, PairFinder(method, Path(folder), threshold) as finder:
        finder.add(rows)
        pairs: dict[tuple[int, int], float] = {}
        comes_twice = False
        for block in finder.pairs():
            for first, second, distance in zip(
                block.first.tolist(), block.second.tolist(), block.distance.tolist(), strict=True
            ):
                assert first < second
                comes_twice |= (first, second) in pairs
                pairs[first, second] = distance
        assert finder.num_bounded or not comes_twice
        return pairs, finder.num_bounded


def dropped_and_components(
    method: Method, fingerprints: Sequence[bytes], threshold: float | None = None
) -> tuple[Mapping[int, tuple[int, float]], list[int]]:
    """Return for each dropped row the row kept instead and the distance; and what each row hangs together with."""
    with (
        tempfile.TemporaryDirectory() as folder,
        PairFinder(method, Path(folder) / "pairs", threshold) as finder,
        NearGroups(len(fingerprints), Path(folder) / "groups") as groups,
    ):
        finder.add(enumerate(fingerprints))
        for block in finder.pairs():
            groups.add(block)
        dropped: dict[int, tuple[int, float]] = {}
        for block in groups.dropped():
            for row, kept, distance in zip(
                block.row.tolist(), block.kept.tolist(), block.distance.tolist(), strict=True
            ):
                dropped[row] = (kept, distance)
        return dropped, groups.components().tolist()


def random_fingerprints(num_rows: int, num_bytes: int, seed: int) -> list[bytes]:
    """Return fingerprints that are near each other by no chance worth naming."""
    rows = np.random.default_rng(seed).integers(0, 256, (num_rows, num_bytes), dtype=np.uint8)
    return [row.tobytes() for row in rows]
