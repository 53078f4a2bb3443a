"""How alike fingerprints are: bits that differ, frames that agree, values of a MinHash that are the same."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from packtrain.dataset.near.bands import WIDEST_BITS, Band, bands_for
from packtrain.dataset.near.blocks import BLOCK_PERMUTATIONS
from packtrain.dataset.near.fingerprint import CLIP_FRAMES, CLIP_HEAD_BYTES
from packtrain.dataset.near.hashes import PDQ_BYTES
from packtrain.dataset.near.join import Distances, Keys, Places

Words: TypeAlias = NDArray[np.uint64]
Rows: TypeAlias = NDArray[np.uint8]

_WORD_BITS: Final = 64
_CHUNK_ROWS: Final = 1 << 18
_MOST_BYTES_IN_MEMORY: Final = 128 << 20
_DURATION_TOLERANCE: Final = 0.05


class Bits:
    """Fingerprints of 64 or 256 bits, near within a number of different bits.

    Args:
        words: num_rows x 1 or 4 words.
        threshold: of how many different bits two may be near.
        folder: for a second copy in the order of a band, when that is more than 128 MiB.
    """

    def __init__(self, words: Words, threshold: int, folder: Path) -> None:
        self._words = words
        self._threshold = threshold
        self._bands = bands_for(words.shape[1] * _WORD_BITS, threshold, len(words))
        self._folder = folder
        self._arranged: list[Words] = []

    @property
    def num_rows(self) -> int:
        """Return how many fingerprints there are."""
        return len(self._words)

    @property
    def bands(self) -> Sequence[Band]:
        """Return the bands that miss nothing."""
        return self._bands

    def keys(self, band: int, start: int, end: int) -> Keys:
        """Return the bits of the band."""
        return self._piece(self._bands[band], self._words[start:end])

    def arrange(self, order: Places) -> None:
        """Copy the words into this order, a column a word: rows that are compared then lie side by side."""
        num_words = self._words.shape[1]
        path = self._folder / "arranged.bin"
        self._arranged = []
        columns: Words
        if len(order) * num_words * 8 > _MOST_BYTES_IN_MEMORY:
            columns = np.memmap(path, dtype=np.uint64, mode="w+", shape=(num_words, len(order)))
        else:
            columns = np.empty((num_words, len(order)), dtype=np.uint64)
        for start in range(0, len(order), _CHUNK_ROWS):
            columns[:, start : start + _CHUNK_ROWS] = self._words[order[start : start + _CHUNK_ROWS]].T
        self._arranged = list(columns)

    def near(self, left: Places, right: Places) -> tuple[Places, Distances]:
        """Return the pairs within the threshold, and their different bits."""
        chosen = np.arange(len(left))
        bits = np.zeros(len(left), dtype=np.uint16)
        # Two words at a time: of unlike fingerprints the first 128 bits differ in 64, and hardly any pair goes on.
        for first in range(0, len(self._arranged), 2):
            for column in self._arranged[first : first + 2]:
                bits += np.bitwise_count(column[left] ^ column[right])
            within = np.flatnonzero(bits <= self._threshold)
            left, right, bits, chosen = left[within], right[within], bits[within], chosen[within]
        return chosen, bits.astype(np.float32)

    def in_reach(self, band: int, left: Places, right: Places) -> NDArray[np.bool_]:
        """Return whether the bits of the band differ in no more than its radius."""
        one = self._bands[band]
        differ = self._piece(one, self._words[left] ^ self._words[right])
        return np.bitwise_count(differ) <= one.radius

    @staticmethod
    def _piece(band: Band, words: Words) -> Keys:
        word, shift = divmod(band.start, _WORD_BITS)
        piece = words[:, word] >> np.uint64(shift)
        if shift + band.width > _WORD_BITS:
            piece |= words[:, word + 1] << np.uint64(_WORD_BITS - shift)
        return (piece & np.uint64((1 << band.width) - 1)).astype(np.uint32)


class Sketches:
    """MinHash values, near from an estimated Jaccard similarity on.

    Two of 128 values of which d differ share all values of at least one of d + 1 bands: nothing is missed that the
    estimate calls near.
    """

    def __init__(self, values: NDArray[np.uint32], least_share: float) -> None:
        self._values = values
        self._most_different = BLOCK_PERMUTATIONS - math.ceil(least_share * BLOCK_PERMUTATIONS - 1e-9)
        num_bands = min(self._most_different + 1, BLOCK_PERMUTATIONS)
        # Twice as many keys as rows: more would be empty buckets, fewer chance neighbours.
        self._width = min(max(len(values).bit_length() + 1, 8), WIDEST_BITS)
        self._edges = [BLOCK_PERMUTATIONS * number // num_bands for number in range(num_bands + 1)]
        self._bands = tuple(Band(number, self._width, 0) for number in range(num_bands))
        self._order = np.zeros(0, dtype=np.int64)

    @property
    def num_rows(self) -> int:
        """Return how many fingerprints there are."""
        return len(self._values)

    @property
    def bands(self) -> Sequence[Band]:
        """Return the bands that miss nothing."""
        return self._bands

    def keys(self, band: int, start: int, end: int) -> Keys:
        """Return a hash of the values of the band."""
        return self._hashed(band, self._values[start:end])

    def arrange(self, order: Places) -> None:
        """Keep the order."""
        self._order = order

    def near(self, left: Places, right: Places) -> tuple[Places, Distances]:
        """Return the pairs of which enough values are the same, and the share that differs."""
        left, right = self._order[left], self._order[right]
        different = np.empty(len(left), dtype=np.int64)
        for start in range(0, len(left), _CHUNK_ROWS // 16):
            end = start + _CHUNK_ROWS // 16
            different[start:end] = np.count_nonzero(
                self._values[left[start:end]] != self._values[right[start:end]], axis=1
            )
        chosen = np.flatnonzero(different <= self._most_different)
        return chosen, (different[chosen] / BLOCK_PERMUTATIONS).astype(np.float32)

    def in_reach(self, band: int, left: Places, right: Places) -> NDArray[np.bool_]:
        """Return whether the values of the band are the same."""
        return self._hashed(band, self._values[left]) == self._hashed(band, self._values[right])

    def _hashed(self, band: int, values: NDArray[np.uint32]) -> Keys:
        state = np.zeros(len(values), dtype=np.uint64)
        for column in range(self._edges[band], self._edges[band + 1]):
            # A multiplicative hash (Knuth, TAOCP volume 3, 6.4): the high bits depend on all of the values.
            state = (state ^ values[:, column]) * np.uint64(0x9E3779B97F4A7C15)
            state ^= state >> np.uint64(29)
        return (state * np.uint64(0x9E3779B97F4A7C15) >> np.uint64(64 - self._width)).astype(np.uint32)


class Frames:
    """One frame of every clip that is looked up by it; clips are near when enough of all their frames agree.

    Args:
        clips: num_clips x 260 bytes.
        chosen: the clips that are looked up by this frame.
        position: of the frame, 0 .. 7.
        threshold: of how many different bits two frames agree.
        least_share: of how many frames, as a share of all, have to agree.
    """

    def __init__(
        self, clips: Rows, chosen: Places, position: int, threshold: int, least_share: float, folder: Path
    ) -> None:
        self._clips = clips
        self._chosen = chosen
        self._threshold = threshold
        self._least = least_frames(least_share)
        self._order = np.zeros(0, dtype=np.int64)
        start = CLIP_HEAD_BYTES + position * PDQ_BYTES
        words = np.ascontiguousarray(clips[chosen, start : start + PDQ_BYTES]).view(np.uint64)
        self._frame = Bits(words, threshold, folder)

    @property
    def num_rows(self) -> int:
        """Return how many clips are looked up by this frame."""
        return self._frame.num_rows

    @property
    def bands(self) -> Sequence[Band]:
        """Return the bands of the frame."""
        return self._frame.bands

    def keys(self, band: int, start: int, end: int) -> Keys:
        """Return the bits of the band of the frame."""
        return self._frame.keys(band, start, end)

    def arrange(self, order: Places) -> None:
        """Take the frames into this order."""
        self._frame.arrange(order)
        self._order = self._chosen[order]

    def near(self, left: Places, right: Places) -> tuple[Places, Distances]:
        """Return the pairs whose clips are near, and the share of frames that do not agree."""
        chosen, _ = self._frame.near(left, right)
        agree = frames_that_agree(
            self._clips[self._order[left[chosen]]], self._clips[self._order[right[chosen]]], self._threshold
        )
        enough = np.flatnonzero(agree >= self._least)
        return chosen[enough], (1 - agree[enough] / CLIP_FRAMES).astype(np.float32)

    def in_reach(self, band: int, left: Places, right: Places) -> NDArray[np.bool_]:
        """Return whether the bits of the band of the frame are within its radius."""
        return self._frame.in_reach(band, left, right)


def least_frames(least_share: float) -> int:
    """Return how many of all frames have to agree."""
    return max(math.ceil(least_share * CLIP_FRAMES - 1e-9), 1)


def frames_that_agree(left: Rows, right: Rows, threshold: int) -> NDArray[np.int64]:
    """Return for each pair of clips how many frames agree, and -1 where the durations differ by more than 5 %.

    Two blank frames agree, a blank one and another do not.
    """
    # At 0 bits a blank frame could be within the threshold of a real one only if that had fewer bits set; a PDQ has
    # 128.
    bits = np.bitwise_count(left[:, CLIP_HEAD_BYTES:] ^ right[:, CLIP_HEAD_BYTES:])
    agree = (bits.reshape(len(left), CLIP_FRAMES, PDQ_BYTES).sum(axis=2, dtype=np.int64) <= threshold).sum(axis=1)
    lengths = [
        np.ascontiguousarray(clips[:, :CLIP_HEAD_BYTES]).view(">u4")[:, 0].astype(np.float64) for clips in (left, right)
    ]
    alike = np.abs(lengths[0] - lengths[1]) <= _DURATION_TOLERANCE * np.maximum(lengths[0], lengths[1])
    return np.where(alike, agree, -1)
