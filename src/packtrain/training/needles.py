"""Finds any of very many known stretches of bytes in a file: one pass, whatever their number.

Only every eighth place of a file is looked at. So that a stretch is found wherever it begins, it is known by eight
windows of 16 bytes, one for each place that its beginning can have between two looked-at places.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple

import numpy as np

WORD_BYTES: Final = 8
MIN_NEEDLE_BYTES: Final = 3 * WORD_BYTES
"""Eight windows of 16 bytes, each one byte further, need 23 bytes."""

_FIRST: Final = np.uint64(0x9E3779B97F4A7C15)  # odd, by chance: multiplied, they spread near words far apart
_SECOND: Final = np.uint64(0xC2B2AE3D27D4EB4F)
_MAX_TABLE_BITS: Final = 24
_LOW_BITS: Final = np.uint64((1 << _MAX_TABLE_BITS) - 1)


class Needle(NamedTuple):
    """A stretch of bytes, and what to call it when it is found."""

    label: str
    content: bytes


class Needles:
    """Stretches of at least `MIN_NEEDLE_BYTES`; shorter ones are left out.

    Memory: some 200 bytes a needle, and two tables of at most 16 MiB.
    """

    def __init__(self, needles: Iterable[Needle]) -> None:
        self._needles = [needle for needle in needles if len(needle.content) >= MIN_NEEDLE_BYTES]
        longest = max((len(needle.content) for needle in self._needles), default=0)
        # In whole words, so that the places that are looked at stay the same from piece to piece.
        self.overlap_bytes = -(-(longest + WORD_BYTES) // WORD_BYTES) * WORD_BYTES
        keys, owners = self._windows()
        order = np.argsort(keys, kind="stable")
        self._keys, self._owners = keys[order], owners[order]
        # Two tables by different bits of a key: the first stays in the cache where needles are few, and what both let
        # through by chance is one place in a thousand.
        self._shift = np.uint64(64 - min(_MAX_TABLE_BITS, max(12, len(keys).bit_length() + 3)))
        self._high = np.zeros(1 << (64 - int(self._shift)), dtype=np.bool_)
        self._high[keys >> self._shift] = True
        self._low = np.zeros(1 << _MAX_TABLE_BITS, dtype=np.bool_)
        self._low[keys & _LOW_BITS] = True

    def __len__(self) -> int:
        """Return how many stretches are looked for."""
        return len(self._needles)

    def in_bytes(self, content: bytes) -> set[str]:
        """Return the labels of the stretches that this holds."""
        found: set[str] = set()
        if not self._needles or len(content) < MIN_NEEDLE_BYTES:
            return found
        for place, entry in self._candidates(np.frombuffer(content, dtype="<u8", count=len(content) // WORD_BYTES)):
            needle = self._needles[entry // WORD_BYTES]
            start = place * WORD_BYTES - entry % WORD_BYTES
            if needle.label not in found and start >= 0 and content.startswith(needle.content, start):
                found.add(needle.label)
        return found

    def _windows(self) -> tuple[Any, Any]:
        """Return a key for each of the eight windows of each needle, and needle times eight plus the window's place."""
        keys, owners = [np.zeros(0, dtype=np.uint64)], [np.zeros(0, dtype=np.int64)]
        joined = np.frombuffer(
            b"".join(needle.content[:MIN_NEEDLE_BYTES] for needle in self._needles), dtype=np.uint8
        ).reshape(-1, MIN_NEEDLE_BYTES)
        for place in range(WORD_BYTES):
            words = np.ascontiguousarray(joined[:, place : place + 2 * WORD_BYTES]).view("<u8")
            keys.append(words[:, 0] * _FIRST ^ words[:, 1] * _SECOND)
            owners.append(np.arange(len(joined)) * WORD_BYTES + place)
        return np.concatenate(keys), np.concatenate(owners)

    def _candidates(self, words: Any) -> Iterator[tuple[int, int]]:
        keys = words[:-1] * _FIRST
        keys ^= words[1:] * _SECOND
        places = np.flatnonzero(self._high[keys >> self._shift])
        places = places[self._low[keys[places] & _LOW_BITS]]
        keys = keys[places]
        first = np.searchsorted(self._keys, keys)
        for number in np.flatnonzero(self._keys[np.minimum(first, len(self._keys) - 1)] == keys).tolist():
            place, entry = int(places[number]), int(first[number])
            while entry < len(self._keys) and self._keys[entry] == keys[number]:
                yield place, int(self._owners[entry])
                entry += 1


class Passing:
    """Looks through bytes that come piece by piece: a stretch that begins in one and ends in the next is found too."""

    def __init__(self, needles: Needles) -> None:
        self._needles = needles
        self._tail = b""

    def look(self, piece: bytes) -> set[str]:
        """Return the labels of the stretches that end in this piece, or lie in the end of what went before."""
        window = self._tail + piece
        self._tail = window[-self._needles.overlap_bytes :]
        return self._needles.in_bytes(window)


def telling(content: bytes, min_distinct: int = 12) -> bool:
    """Return whether a stretch can be looked for: it has many different bytes, and none of its beginnings is a run.

    Fewer different bytes occur in weights and in text by themselves: runs of zeros, ruled lines.
    """
    return (
        len(set(content)) >= min_distinct
        and not only_counts(content)
        and all(len(set(content[place : place + WORD_BYTES])) > 2 for place in range(0, MIN_NEEDLE_BYTES, WORD_BYTES))
    )


def only_counts(content: bytes) -> bool:
    """Return whether a stretch only counts: 1, 2, 3... as the steps of any log and the positions of a model do."""
    return len({(after - before) % 256 for before, after in itertools.pairwise(content)}) == 1
