"""Whether the numbers of a tensor look like those of a model: bytes that were written as numbers mostly do not.

A tensor is judged block by block, so that a part of it cannot hide behind the rest. What has no block with enough
numbers (biases, norms) is not judged, and counted. Three things are looked at, each with a threshold below:

spread    Bytes that were compressed or encrypted and are called floats have all exponents alike. Weights keep to some.
grid      Bytes written as numbers, one a number, take at most 256 values. Weights take nearly as many as there are.
low bits  The lowest bits of a trained float32 are as good as drawn by lot. Text, laid there, is not.

None of them sees bytes that were encrypted and then laid into the low bits of real weights: nothing can.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np

Values = Literal["weights", "few", "any"]

BLOCK_NUMBERS: Final = 1 << 16
MIN_NUMBERS: Final = 1024
"""Fewer numbers in a block that differ from its most frequent one are not judged."""

MAX_EXPONENT_BITS: Final[Mapping[str, float]] = {"float32": 5.5, "bfloat16": 5.5, "float16": 4.5, "float64": 6.5}
"""Entropy of the exponents. A normal distribution of any width has 2.1 bits, one block of many widths some 4; bytes
drawn by lot have 8 (float16: 5, float64: 11, of which a block shows about 10)."""

MAX_LARGE_SHARE: Final = 0.01
"""Of numbers of 2**20 and more, which no model has: of bytes drawn by lot, 42 % are. float16 ends before."""

MAX_GRID_VALUES: Final = 255
"""Beside the most frequent one: a byte has 256."""

MIN_LOW_BITS: Final = 4.5
"""Entropy of the seven bits above the lowest one, where that is set. Trained, it is 6.95 and more; of text, under 4.
Weights that were drawn evenly from a round interval and never trained come down to 5.3."""

MAX_NORM_NUMBERS: Final = 1 << 15

_SAMPLED: Final = 4096
_SHORT_BYTES: Final = 2
_NORM_SHARE: Final = 0.98
_OFTEN: Final = 4
_OFTEN_SHARE: Final = 0.2
_REPEATED_PAIRS: Final = 1.25
_SPREADER: Final = np.uint64(0x9E3779B97F4A7C15)
_MIN_ODD: Final = 1500


@dataclass(frozen=True, slots=True)
class _Form:
    """Where the bits of a float lie."""

    word: str
    exponent_shift: int
    exponent_mask: int
    bias: int


_FORMS: Final[Mapping[str, _Form]] = {
    "float64": _Form("<u8", 52, 0x7FF, 1023),
    "float32": _Form("<u4", 23, 0xFF, 127),
    "bfloat16": _Form("<u2", 7, 0xFF, 127),
    "float16": _Form("<u2", 10, 0x1F, 15),
}
_LARGE_EXPONENT: Final = 20


class Judge:
    """Takes a tensor's bytes block by block and says what is wrong with it.

    Args:
        dtype: as torch spells it.
        shape: of the whole tensor.
        values: what the declaration says of its numbers: "weights" are judged wholly, of "few" it is known that they
            take few values, "any" is not judged.
    """

    def __init__(self, dtype: str, shape: tuple[int, ...], values: Values) -> None:
        self._form = _FORMS.get(dtype)
        self._dtype = dtype
        self._is_vector = len(shape) < 2
        self._num_numbers = math.prod(shape)
        self._values = values
        self.num_judged = 0
        self.num_not_judged = 0

    def look(self, content: bytes) -> str | None:
        """Return what is wrong with a block of whole numbers, in words; None where nothing is, or it is not judged."""
        if self._form is None:
            return self._whole_numbers(len(content))
        words = np.frombuffer(content, dtype=self._form.word)
        ones = words.dtype.type(self._form.exponent_mask << self._form.exponent_shift)
        # Whatever the declaration says: a NaN has room for bytes that no calculation shows.
        not_finite = "it holds numbers that are not finite" if ((words & ones) == ones).any() else None
        minus_zero = words.dtype.type(1 << (8 * words.itemsize - 1))
        words = np.where(words == minus_zero, words.dtype.type(0), words)
        if self._values == "any":
            self.num_not_judged += len(words)
            return not_finite
        # Of 16 bits all are counted: a table is quicker than sorting, and where most are zero a part shows too few.
        if words.itemsize == _SHORT_BYTES:
            sampled = words
            table = np.bincount(words, minlength=1 << 16)
            distinct = np.flatnonzero(table)
            counts = table[distinct]
        else:
            sampled = words[:: max(1, len(words) // _SAMPLED)]
            distinct, counts = np.unique(sampled, return_counts=True)
        num_free = len(sampled) - int(counts.max(initial=0))
        # What was left out of the sampling stands for as much of the block.
        if num_free * (len(words) / max(1, len(sampled))) < MIN_NUMBERS:
            self.num_not_judged += len(words)
            return not_finite
        self.num_judged += len(words)
        grid = self._grid(words, sampled, np.sort(counts)[-2::-1])
        return self._spread(words) or grid or self._low_bits(words) or not_finite

    def _whole_numbers(self, num_bytes: int) -> str | None:
        """Integers, flags, and floats of eight bits: any byte is a number of theirs."""
        self.num_not_judged += num_bytes
        if self._values != "any" and num_bytes > MIN_NUMBERS:
            return f'{self._dtype} holds any bytes; export.toml lets it leave with values = "any"'
        return None

    def _spread(self, words: Any) -> str | None:
        assert self._form is not None
        exponents = (words >> words.dtype.type(self._form.exponent_shift)) & words.dtype.type(self._form.exponent_mask)
        counts = np.bincount(exponents.astype(np.int64), minlength=self._form.exponent_mask + 1)
        large = counts[self._form.bias + _LARGE_EXPONENT :].sum() / len(words)
        if large > MAX_LARGE_SHARE:
            return f"{large:.0%} of its numbers are 2^20 and more, as of bytes that are called numbers"
        counts[0] = 0  # zeros
        bits, most = entropy_bits(counts), MAX_EXPONENT_BITS[self._dtype]
        if bits > most:
            return f"its exponents have {bits:.1f} bits, weights at most {most}: bytes that are called numbers"
        return None

    def _grid(self, words: Any, sampled: Any, counts: Any) -> str | None:
        """`counts`: how often each value was sampled, the most frequent first and left out."""
        if self._values == "few":
            return None
        num_free = int(counts.sum())
        if len(counts) <= MAX_GRID_VALUES:
            most = len(counts)
            if num_free < 2 * most or (self._is_vector and self._is_norm(sampled)):
                return None
        else:
            # Bytes among other numbers: they come again and again, which numbers of 24 bits and more do not.
            most = MAX_GRID_VALUES
            often = int(counts[:most].sum())
            if self._is_narrow(sampled) or often < max(_OFTEN_SHARE * num_free, _OFTEN * most):
                return None
            num_free = often
        if _repeats(words):
            return None
        return (
            f"{num_free} of {len(sampled)} numbers take {most} values, as bytes do; "
            'export.toml lets it leave with values = "few"'
        )

    def _is_narrow(self, sampled: Any) -> bool:
        """Return whether numbers have few bits, or had: what was trained in 16 bits may be kept in 32."""
        return sampled.itemsize == _SHORT_BYTES or not (sampled & sampled.dtype.type(0x1FFF)).any()

    def _is_norm(self, sampled: Any) -> bool:
        """Return whether numbers lie close together, as a norm's weights: there are few in 16 bits, on no grid."""
        assert self._form is not None
        if self._num_numbers > MAX_NORM_NUMBERS:
            return False
        exponents = (sampled >> sampled.dtype.type(self._form.exponent_shift)).astype(np.int64)  # with the sign
        counts = np.bincount(exponents)
        return max(counts[place : place + 3].sum() for place in range(len(counts))) >= _NORM_SHARE * len(sampled)

    def _low_bits(self, words: Any) -> str | None:
        if self._values == "few" or self._dtype not in ("float32", "float64"):
            return None
        low = np.ascontiguousarray(words).view(np.uint8)[:: words.itemsize]
        odd = np.bincount(low, minlength=256)[1::2]
        if odd.sum() < _MIN_ODD:
            return None
        bits = entropy_bits(odd)
        if bits < MIN_LOW_BITS:
            return f"its lowest bits have an entropy of {bits:.1f} of 7, as of text that was laid there"
        return None


def _repeats(words: Any) -> bool:
    """Return whether each number says which one comes next: a row that stands there again and again."""
    wide = words.astype(np.uint64)
    pairs = np.unique(wide[:-1] * _SPREADER ^ wide[1:])
    return len(pairs) <= _REPEATED_PAIRS * len(np.unique(wide))


def entropy_bits(counts: Any) -> float:
    """Return the entropy of a histogram, in bits."""
    shares = counts[counts > 0] / max(1, counts.sum())
    return float(-(shares * np.log2(shares)).sum())
