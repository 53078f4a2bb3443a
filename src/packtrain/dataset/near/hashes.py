"""PDQ-256 and a 64-bit pHash of a small grey picture, by whole numbers only: the same bits on every machine.

Both are a cosine transform whose low frequencies are held against their median. The cosines are rounded to whole
numbers so that every sum stays below 2^53, where 64-bit floats add exactly in any order: neither a library of linear
algebra nor a processor can turn a bit.

Source: "The TMK+PDQF Video-Hashing Algorithm and the PDQ Image-Hashing Algorithm", Facebook, 2019, the sections on PDQ;
Zauner, "Implementation and Benchmarking of Perceptual Image Hash Functions", 2010, section 3.2.1 (pHash by DCT).
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
Grey: TypeAlias = NDArray[np.uint8]

SIDE: Final = 64
PDQ_BYTES: Final = 32
PHASH_BYTES: Final = 8

_PDQ_FREQUENCIES: Final = 16
_PHASH_FREQUENCIES: Final = 8
# Bits behind the point of a cosine. 8 bits of a pixel and twice 16 + 3.5 of 64 cosines below 0.18 are 47 of the 53
# there are; 10 bits of a sum of four and twice 16 + 3 of 32 cosines are 48.
_COSINE_BITS: Final = 16
# Steps between neighbours in whole hundredths of the range, over 90 (from the source).
_STEPS_A_POINT: Final = 90
_MAX_QUALITY: Final = 100


def pdq_hash(grey: Grey) -> bytes:
    """Return the 32 bytes of the PDQ hash of 64 x 64 pixels. Half of its bits are set unless coefficients are equal."""
    assert grey.shape == (SIDE, SIDE)
    # The highest frequency first: so the reference writes it, and its hexadecimal digits can be held against ours.
    return _bits(_frequencies(grey.astype(np.float64), _PDQ_FREQUENCIES)[::-1])


def pdq_quality(grey: Grey) -> int:
    """Return how much there is to see in 64 x 64 pixels, 0 (flat) to 100: of a flat picture the hash is noise."""
    assert grey.shape == (SIDE, SIDE)
    levels = grey.astype(np.int64)
    steps = sum(int((np.abs(np.diff(levels, axis=axis)) * 100 // 255).sum()) for axis in (0, 1))
    return min(steps // _STEPS_A_POINT, _MAX_QUALITY)


def phash(grey: Grey) -> bytes:
    """Return the 8 bytes of the pHash of 64 x 64 pixels, taken of the sums of each four: the source has 32 x 32."""
    assert grey.shape == (SIDE, SIDE)
    half = SIDE // 2
    return _bits(_frequencies(grey.reshape(half, 2, half, 2).sum(axis=(1, 3), dtype=np.float64), _PHASH_FREQUENCIES))


def _frequencies(levels: Floats, num_frequencies: int) -> Floats:
    cosines = _cosines(num_frequencies, levels.shape[0])
    return (cosines @ levels @ cosines.T).ravel()


def _bits(coefficients: Floats) -> bytes:
    middle = coefficients.size // 2 - 1
    return np.packbits(coefficients > np.partition(coefficients, middle)[middle]).tobytes()


@lru_cache(maxsize=2)
def _cosines(num_frequencies: int, length: int) -> Floats:
    """Return the rows 1 .. num_frequencies of the cosine transform; row 0 is brightness alone."""
    scale = math.sqrt(2.0 / length) * 2.0**_COSINE_BITS
    return np.array(
        [
            [round(scale * math.cos(math.pi / (2 * length) * row * (2 * place + 1))) for place in range(length)]
            for row in range(1, num_frequencies + 1)
        ],
        dtype=np.float64,
    )
