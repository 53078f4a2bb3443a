"""The order of an epoch: which row of the index stands at which place, as a function of seed and epoch alone.

An order is a keyed permutation that is *computed* and never stored: any place of an epoch of 100 million samples can be
asked for, and no library's random numbers can change it under a checkpoint. NumPy only does its whole-number
arithmetic, for many places at once.
"""

from __future__ import annotations

import bisect
import itertools
import math
from collections.abc import Sequence
from hashlib import blake2b
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

OrderVersion = Literal["random-1", "block-1", "sequential-1"]
"""The rule by which places become samples. A changed rule gets a new name: old checkpoints must not go on under it."""

ORDER_VERSIONS: Final[tuple[OrderVersion, ...]] = ("random-1", "block-1", "sequential-1")
BLOCK_WINDOW_SAMPLES: Final = 4096
"""`block-1` mixes inside windows of so many samples: reads stay within a shard or two, which hard disks need."""
_ROUNDS: Final = 6
_MAX_SAMPLES: Final = 1 << 48
_MOST_TABLED: Final = 1 << 32  # elements; from here on tables of a round would be larger than 0.5 MB and take seconds

Whole = NDArray[np.int64]


class Permutation:
    """A keyed bijection of range(size), computed element by element.

    A Feistel network over Z_a x Z_b with a * b just above `size`; a result outside the range is put through again
    (cycle walking), which happens with a probability below 3 / sqrt(size).

    Args:
        size: how many elements, at least 1.
        key: any text; another key is another permutation.

    Source:
        Black and Rogaway, "Ciphers with Arbitrary Finite Domains" (2002), the generalised Feistel construction.
    """

    def __init__(self, size: int, key: str) -> None:
        assert 1 <= size <= _MAX_SAMPLES, size
        self._size = size
        self._left = math.isqrt(size - 1) + 1
        self._right = -(-size // self._left)
        self._keys = [blake2b(f"{key}/{number}".encode(), digest_size=16).digest() for number in range(_ROUNDS)]
        self._tables: list[Whole] | None = None

    def __getitem__(self, place: int) -> int:
        """Return the element at `place`."""
        assert 0 <= place < self._size, place
        while True:
            left, right = divmod(place, self._right)
            for number, key in enumerate(self._keys):
                if number % 2:
                    right = (right + _hash(key, left)) % self._right
                else:
                    left = (left + _hash(key, right)) % self._left
            place = left * self._right + right
            if place < self._size:
                return place

    def take(self, places: Whole) -> Whole:
        """Return the elements at many places: those that `__getitem__` gives.

        A round hashes one half of a place, and of halves there are only about sqrt(size): hashed once, each round is a
        table. At 100 million elements that takes 60 ms and half a megabyte, then a tenth of a microsecond a place.
        """
        if self._size > _MOST_TABLED:
            return np.array([self[int(place)] for place in places], dtype=np.int64)
        if self._tables is None:
            self._tables = [
                np.array([_hash(key, half) % size for half in range(other)], dtype=np.int64)
                for number, key in enumerate(self._keys)
                for size, other in [(self._right, self._left) if number % 2 else (self._left, self._right)]
            ]
        found = np.array(places, dtype=np.int64)
        walking = np.arange(len(found))
        while len(walking):
            left, right = np.divmod(found[walking], self._right)
            for number, table in enumerate(self._tables):
                if number % 2:
                    right = (right + table[left]) % self._right
                else:
                    left = (left + table[right]) % self._left
            found[walking] = left * self._right + right
            walking = walking[found[walking] >= self._size]
        return found

    def place_of(self, element: int) -> int:
        """Return the place at which `element` stands: the rounds backwards, and the same walk."""
        assert 0 <= element < self._size, element
        while True:
            left, right = divmod(element, self._right)
            for number, key in reversed(list(enumerate(self._keys))):
                if number % 2:
                    right = (right - _hash(key, left)) % self._right
                else:
                    left = (left - _hash(key, right)) % self._left
            element = left * self._right + right
            if element < self._size:
                return element


class EpochOrder:
    """The order of one epoch: place -> row of the index.

    Args:
        runs: lengths of the runs of rows that lie in one shard, in index order; their sum is the number of samples.
        seed, epoch: what the order is a function of, together with `version` and the number of samples.
        version: the rule.
    """

    def __init__(self, runs: Sequence[int], *, seed: int, epoch: int, version: OrderVersion) -> None:
        self._num_samples = sum(runs)
        self._key = f"packtrain/{version}/{seed}/{epoch}"
        self._version = version
        self._whole = Permutation(self._num_samples, self._key if version == "random-1" else "")
        if version == "block-1":
            shuffled = Permutation(len(runs), f"{self._key}/shards")
            self._starts = list(itertools.accumulate(runs, initial=0))
            order = [shuffled[place] for place in range(len(runs))]
            self._shuffled = shuffled
            self._first_rows = [self._starts[run] for run in order]
            self._first_places = list(itertools.accumulate((runs[run] for run in order), initial=0))
            self._rows_and_places = np.array(self._first_rows), np.array(self._first_places)
            self._window_number = -1
            self._window = Permutation(1, "")

    def __getitem__(self, place: int) -> int:
        """Return the row of the index at `place` of this epoch."""
        if self._version != "block-1":
            return self._whole[place] if self._version == "random-1" else place
        number, inside = divmod(place, BLOCK_WINDOW_SAMPLES)
        mixed = number * BLOCK_WINDOW_SAMPLES + self._mixing(number)[inside]
        run = bisect.bisect_right(self._first_places, mixed) - 1
        return self._first_rows[run] + mixed - self._first_places[run]

    def take(self, places: Whole) -> Whole:
        """Return the rows at many places of this epoch: those that `__getitem__` gives."""
        if self._version != "block-1":
            return self._whole.take(places) if self._version == "random-1" else places
        numbers, inside = np.divmod(places, BLOCK_WINDOW_SAMPLES)
        mixed = numbers * BLOCK_WINDOW_SAMPLES
        for number in np.unique(numbers).tolist():
            here = numbers == number
            mixed[here] += self._mixing(number).take(inside[here])
        first_rows, first_places = self._rows_and_places
        runs = np.searchsorted(first_places, mixed, side="right") - 1
        return first_rows[runs] + mixed - first_places[runs]

    def place_of(self, row: int) -> int:
        """Return the place of this epoch at which a row of the index stands: what `__getitem__` undoes."""
        if self._version != "block-1":
            return self._whole.place_of(row) if self._version == "random-1" else row
        run = bisect.bisect_right(self._starts, row) - 1
        mixed = self._first_places[self._shuffled.place_of(run)] + row - self._starts[run]
        number, inside = divmod(mixed, BLOCK_WINDOW_SAMPLES)
        return number * BLOCK_WINDOW_SAMPLES + self._mixing(number).place_of(inside)

    def _mixing(self, number: int) -> Permutation:
        """Return how a window is mixed; the one that was asked for last is kept."""
        if number != self._window_number:
            length = min(BLOCK_WINDOW_SAMPLES, self._num_samples - number * BLOCK_WINDOW_SAMPLES)
            self._window, self._window_number = Permutation(length, f"{self._key}/window/{number}"), number
        return self._window


def _hash(key: bytes, value: int) -> int:
    return int.from_bytes(blake2b(value.to_bytes(8, "big"), digest_size=8, key=key).digest(), "big")
