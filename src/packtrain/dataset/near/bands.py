"""Which pieces of a fingerprint are looked up, so that no pair within a number of bits is missed.

Cut the bits into m bands and let band i allow t_i bits of difference. If the t_i + 1 add up to one more than the
threshold, two fingerprints within the threshold are within t_i in at least one band: else they would differ in t_i + 1
bits of every band, which is more than the threshold. So rows are looked up band by band under every key that is at most
t_i bits away.

Few wide bands leave few candidates and ask for many lookups, many narrow ones the other way round. The best cut depends
on the number of rows: 50,000 want 16 bands, 100 million 10.

Source: Norouzi, Punjani and Fleet, "Fast Exact Search in Hamming Space with Multi-Index Hashing", TPAMI 2014; the sum
over uneven bands: Qin et al., "GPH: Similarity Search in Hamming Space", ICDE 2018.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

# A lookup table of 2^26 starts is 256 MiB.
WIDEST_BITS: Final = 26
_NARROWEST_BITS: Final = 8
_MOST_MASKS: Final = 20_000
# Measured on one core with a million rows. Only their ratio matters, and only for the speed.
_LOOKUP_NANOSECONDS: Final = 10.0
_CANDIDATE_NANOSECONDS: Final = 40.0
_MASK_NANOSECONDS: Final = 40_000.0
_SORT_NANOSECONDS: Final = 250.0
_KEY_NANOSECONDS: Final = 10.0


@dataclass(frozen=True, slots=True)
class Band:
    """Bits start .. start + width of a fingerprint, of which `radius` may differ."""

    start: int
    width: int
    radius: int


def bands_for(num_bits: int, threshold: int, num_rows: int) -> tuple[Band, ...]:
    """Return the bands that are cheapest for so many rows and miss no pair of at most `threshold` different bits."""
    choices = (
        _cut(num_bits, threshold, num_bands, widest)
        for num_bands in range(1, min(threshold + 1, num_bits) + 1)
        for widest in range(_NARROWEST_BITS, WIDEST_BITS + 1, 2)
    )
    return min(choices, key=lambda bands: _cost(bands, num_rows))


def masks_of(band: Band) -> NDArray[np.uint32]:
    """Return every difference that the band allows, 0 first."""
    masks = [
        sum(1 << place for place in places)
        for radius in range(band.radius + 1)
        for places in itertools.combinations(range(band.width), radius)
    ]
    return np.array(masks, dtype=np.uint32)


def _cut(num_bits: int, threshold: int, num_bands: int, widest: int) -> tuple[Band, ...]:
    """Return so many bands with sum(radius + 1) = threshold + 1, of which no more than `widest` bits are looked up."""
    bands: list[Band] = []
    start = 0
    spare = threshold + 1 - num_bands
    # The first bands are the wider ones and take the larger radius.
    for number in range(num_bands):
        width = num_bits // num_bands + (number < num_bits % num_bands)
        bands.append(Band(start, min(width, widest), spare // num_bands + (number < spare % num_bands)))
        start += width
    return tuple(bands)


def _cost(bands: Sequence[Band], num_rows: int) -> float:
    cost = 0.0
    for band in bands:
        num_masks = sum(math.comb(band.width, radius) for radius in range(band.radius + 1))
        if num_masks > _MOST_MASKS:
            return math.inf
        candidates = num_rows / 2 * num_rows * num_masks / 2**band.width
        cost += candidates * _CANDIDATE_NANOSECONDS + num_rows * _SORT_NANOSECONDS
        cost += 2**band.width * _KEY_NANOSECONDS
        cost += num_masks * (num_rows * _LOOKUP_NANOSECONDS / 2 + _MASK_NANOSECONDS)
    return cost
