"""The join of a set of fingerprints with itself: band by band, with bounded memory and a bounded number of pairs.

Memory. Of a band there are 8 bytes a fingerprint (key and place, sorted in one piece), a table of at most 256 MiB and
blocks of a million candidates; the fingerprints lie in files that the system maps and may drop. 100 million
fingerprints are 0.8 + 0.25 + 0.2 GB of memory.

Pairs. A thousand pictures that are all alike are half a million pairs, a million are 5 x 10^11. Nobody needs them: in a
bucket with more than 128 rows the rows that are alike are tied to the first of them and leave the bucket. What is lost
are pairs between a row that left and one that is only near it; buckets where that can be are counted.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from packtrain.dataset.near.bands import Band, masks_of

Places: TypeAlias = NDArray[np.int64]
Keys: TypeAlias = NDArray[np.uint32]
Distances: TypeAlias = NDArray[np.float32]

DENSE_ROWS: Final = 128
# How many candidates a row may have in a band, on average over a chunk of rows: 32 times what chance gives, and so many
# at least. More comes of fingerprints that were made for it, or of pictures that are all of one form.
_LEAST_ALLOWED: Final = 256
_ALLOWED_TIMES_CHANCE: Final = 32
_CHUNK_ROWS: Final = 1 << 17
_BLOCK_CANDIDATES: Final = 1 << 20
_LEADERS_TRIED: Final = 8
_LEAST_FOLLOWERS: Final = 32
_MOST_LEADERS: Final = 64


class Measure(Protocol):
    """How alike two fingerprints are, and under which keys those that may be are looked up."""

    @property
    def num_rows(self) -> int:
        """Return how many fingerprints there are; they are known by their place 0 .. num_rows - 1."""
        ...

    @property
    def bands(self) -> Sequence[Band]:
        """Return the bands; any two near fingerprints have keys within the radius in at least one."""
        ...

    def keys(self, band: int, start: int, end: int) -> Keys:
        """Return the keys of places start .. end, each of `width` bits."""
        ...

    def arrange(self, order: Places) -> None:
        """Take the fingerprints into this order. From now on `near` is asked by position in it."""
        ...

    def near(self, left: Places, right: Places) -> tuple[Places, Distances]:
        """Return which of the pairs of positions are near, and how far apart those are."""
        ...

    def in_reach(self, band: int, left: Places, right: Places) -> NDArray[np.bool_]:
        """Return for pairs of places whether their keys are within the radius in this band."""
        ...


class Join:
    """All near pairs of one measure.

    Attributes:
        num_bounded: pieces of the work in which not every pair was looked at. With 0 of them no pair is missing.
    """

    def __init__(self, measure: Measure) -> None:
        self._measure = measure
        self.num_bounded = 0
        self._whole: list[int] = []  # bands without a bounded bucket

    def pairs(self) -> Iterator[tuple[Places, Places, Distances]]:
        """Yield blocks of pairs of places, the smaller first, in one order; none twice with num_bounded 0."""
        for number, band in enumerate(self._measure.bands):
            before = self.num_bounded
            for left, right, distance in self._band(number, band):
                new = np.ones(len(left), dtype=np.bool_)
                for earlier in self._whole:
                    new &= ~self._measure.in_reach(earlier, left, right)
                if new.any():
                    yield np.minimum(left, right)[new], np.maximum(left, right)[new], distance[new]
            if self.num_bounded == before:
                self._whole.append(number)

    def _band(self, number: int, band: Band) -> Iterator[tuple[Places, Places, Distances]]:
        packed = self._packed(number)
        starts = _starts(packed, band.width)
        self._measure.arrange(_places(packed))
        dense = np.flatnonzero(np.diff(starts) > DENSE_ROWS)
        if len(dense):
            leave = np.zeros(len(packed), dtype=np.bool_)
            for key in dense.tolist():
                for first, others, distance in self._tied(np.arange(starts[key], starts[key + 1]), leave):
                    yield _places(packed[first]), _places(packed[others]), distance
            packed = packed[~leave]
            starts = _starts(packed, band.width)
            self._measure.arrange(_places(packed))
        for left, right in self._candidates(packed, starts, masks_of(band)):
            chosen, distance = self._measure.near(left, right)
            if len(chosen):
                yield _places(packed[left[chosen]]), _places(packed[right[chosen]]), distance

    def _candidates(
        self, packed: NDArray[np.uint64], starts: NDArray[np.uint32], masks: Keys
    ) -> Iterator[tuple[Places, Places]]:
        """Yield blocks of pairs of positions whose keys differ by one of the masks, each pair once."""
        # A byte a key, because it is asked far more often than it says yes.
        is_taken = np.diff(starts) > 0
        lowest_bits = masks & (~masks + np.uint32(1))
        by_lowest_bit = [(bit, masks[lowest_bits == bit]) for bit in np.unique(lowest_bits)[1:].tolist()]
        by_chance = len(packed) * len(masks) / (2 * len(is_taken))
        allowed_a_row = max(_LEAST_ALLOWED, round(_ALLOWED_TIMES_CHANCE * by_chance))
        waiting: list[tuple[Places, Places]] = []
        num_waiting = 0
        for start in range(0, len(packed), _CHUNK_ROWS):
            keys = (packed[start : start + _CHUNK_ROWS] >> np.uint64(32)).astype(np.uint32)
            positions = np.arange(start, start + len(keys), dtype=np.int64)
            left_over = allowed_a_row * len(keys)
            is_bounded = False
            for left, first, counts in _ranges(keys, positions, starts, is_taken, by_lowest_bit):
                total = int(counts.sum())
                if total > left_over:
                    is_bounded = True
                    counts = np.minimum(counts, left_over // len(counts))
                    total = int(counts.sum())
                left_over -= total
                for block in _spread(left, first, counts) if total else ():
                    waiting.append(block)
                    num_waiting += len(block[0])
                    if num_waiting >= _BLOCK_CANDIDATES:
                        yield _joined(waiting)
                        waiting, num_waiting = [], 0
            self.num_bounded += is_bounded
        if waiting:
            yield _joined(waiting)

    def _packed(self, number: int) -> NDArray[np.uint64]:
        """Return key and place of every fingerprint as one number each, sorted."""
        num_rows = self._measure.num_rows
        packed = np.empty(num_rows, dtype=np.uint64)
        for start in range(0, num_rows, _CHUNK_ROWS):
            end = min(start + _CHUNK_ROWS, num_rows)
            keys = self._measure.keys(number, start, end).astype(np.uint64)
            packed[start:end] = keys << np.uint64(32) | np.arange(start, end, dtype=np.uint64)
        packed.sort()
        return packed

    def _tied(self, remaining: Places, leave: NDArray[np.bool_]) -> Iterator[tuple[Places, Places, Distances]]:
        """Yield the pairs of a dense bucket's leaders with their followers, and mark the followers as having left."""
        is_bounded = False
        for _ in range(_MOST_LEADERS):
            if len(remaining) <= DENSE_ROWS:
                break
            near, distance, leader = self._leader_among(remaining)
            if len(near) < _LEAST_FOLLOWERS:
                break
            is_bounded = True
            others = remaining[near] != leader
            followers = remaining[near][others]
            leave[followers] = True
            yield np.full(len(followers), leader), followers, distance[others]
            remaining = np.setdiff1d(remaining, remaining[near], assume_unique=True)
        self.num_bounded += is_bounded

    def _leader_among(self, remaining: Places) -> tuple[Places, Distances, int]:
        """Return which rows are near the row that has most near it of those tried, how far, and that row."""
        tried = remaining[np.linspace(0, len(remaining) - 1, _LEADERS_TRIED).astype(np.int64)].tolist()
        most = max((self._near_to(leader, remaining) for leader in tried), key=lambda one: len(one[0]))
        # The first of them leads if it can: where rows are numbered by preference, it is the one to be kept.
        first = self._near_to(int(remaining[most[0][0]]), remaining)
        return first if len(first[0]) >= _LEAST_FOLLOWERS else most

    def _near_to(self, leader: int, remaining: Places) -> tuple[Places, Distances, int]:
        found: list[Places] = []
        distances: list[Distances] = []
        for start in range(0, len(remaining), _BLOCK_CANDIDATES):
            some = remaining[start : start + _BLOCK_CANDIDATES]
            near, distance = self._measure.near(np.full(len(some), leader), some)
            found.append(near + start)
            distances.append(distance)
        return np.concatenate(found), np.concatenate(distances), leader


def _starts(packed: NDArray[np.uint64], width: int) -> NDArray[np.uint32]:
    """Return for each key where its rows begin, and at the end how many rows there are."""
    starts = np.zeros((1 << width) + 1, dtype=np.uint32)
    for start in range(0, len(packed), _CHUNK_ROWS):
        keys = packed[start : start + _CHUNK_ROWS] >> np.uint64(32)
        found, counts = np.unique(keys, return_counts=True)
        starts[found + np.uint64(1)] += counts.astype(np.uint32)
    np.cumsum(starts, out=starts)
    return starts


def _places(packed: NDArray[np.uint64]) -> Places:
    return (packed & np.uint64(0xFFFFFFFF)).astype(np.int64)


def _joined(waiting: list[tuple[Places, Places]]) -> tuple[Places, Places]:
    return np.concatenate([left for left, _ in waiting]), np.concatenate([right for _, right in waiting])


def _ranges(
    keys: Keys,
    positions: Places,
    starts: NDArray[np.uint32],
    is_taken: NDArray[np.bool_],
    by_lowest_bit: Sequence[tuple[int, Keys]],
) -> Iterator[tuple[Places, Places, Places]]:
    """Yield for each mask the positions that have partners under it, where those begin and how many they are."""
    first = positions + 1
    yield positions, first, starts[keys + np.uint32(1)] - first
    for bit, masks in by_lowest_bit:
        # From one side only: of two keys that differ by the mask, one has a 0 at its lowest bit.
        ours = np.flatnonzero(keys & np.uint32(bit) == 0)
        our_keys, our_positions = keys[ours], positions[ours]
        for mask in masks:
            partners = our_keys ^ mask
            hits = np.flatnonzero(is_taken.take(partners))
            if len(hits):
                partner = partners[hits]
                first = starts[partner].astype(np.int64)
                yield our_positions[hits], first, starts[partner + np.uint32(1)] - first


def _spread(left: Places, first: Places, counts: Places) -> Iterator[tuple[Places, Places]]:
    """Yield each left position with the `counts` positions from `first` on, in blocks."""
    ends = np.cumsum(counts)
    begin = 0
    while begin < len(left):
        done = int(ends[begin - 1]) if begin else 0
        end = max(int(np.searchsorted(ends, done + _BLOCK_CANDIDATES, side="right")), begin + 1)
        some = counts[begin:end]
        total = int(ends[end - 1]) - done
        if total:
            shift = first[begin:end] - (ends[begin:end] - some - done)
            yield np.repeat(left[begin:end], some), np.arange(total) + np.repeat(shift, some)
        begin = end
