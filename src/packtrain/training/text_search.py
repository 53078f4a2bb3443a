"""Holds whole samples against a text: any stretch of 39 bytes that both have is found, wherever it lies in either."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from typing import Any, Final

import numpy as np

from packtrain.training.needles import only_counts

WINDOW_BYTES: Final = 24
MIN_STRETCH_BYTES: Final = 39
"""Two windows that follow each other, 32 bytes in common, are a find; seven more make sure that two lie inside."""

_WORD: Final = 8
_MIN_DISTINCT: Final = 10
_FACTORS: Final = tuple(np.uint64(odd) for odd in (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9))
_TABLE_BITS: Final = np.uint64(64 - 24)
_HEX_DIGEST: Final = re.compile(rb"[0-9a-f]{64}")
_BASE64_DIGEST: Final = re.compile(rb"(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/_-]{43}(?![A-Za-z0-9+/_-])")
_URL_SAFE: Final = bytes.maketrans(b"-_", b"+/")


class TextWindows:
    """Every window of a text and of what it says in other writings.

    Memory: eight bytes for each byte of these, and a table of 16 MiB.

    Args:
        pieces: what `unfold` returned, of all texts together.
    """

    def __init__(self, pieces: Iterable[bytes]) -> None:
        found = [np.zeros(0, dtype=np.uint64)]
        for piece in dict.fromkeys(pieces):
            found += [_keys(piece, place) for place in range(min(_WORD, max(0, len(piece) - WINDOW_BYTES + 1)))]
        # Sorted, not made unique: that takes numpy many times as long, and a key twice does no harm.
        self._keys = np.sort(np.concatenate(found))
        self._table = np.zeros(1 << 24, dtype=np.bool_)
        self._table[self._keys >> _TABLE_BITS] = True

    def hold(self, sample: bytes) -> bool:
        """Return whether some text has a stretch of the sample."""
        if not len(self._keys) or len(sample) < MIN_STRETCH_BYTES:
            return False
        keys = _keys(sample, 0)
        places = np.flatnonzero(self._table[keys >> _TABLE_BITS])
        at = np.minimum(np.searchsorted(self._keys, keys[places]), len(self._keys) - 1)
        places = places[self._keys[at] == keys[places]]
        for place in places[:-1][np.diff(places) == 1].tolist():
            stretch = sample[place * _WORD : place * _WORD + WINDOW_BYTES + _WORD]
            if len(set(stretch)) >= _MIN_DISTINCT and not only_counts(stretch):
                return True
        return False


def digests_in(pieces: Iterable[bytes]) -> set[str]:
    """Return whatever looks like a SHA-256 in these pieces, in hexadecimal or base64 digits, as hexadecimal."""
    found: set[str] = set()
    for piece in pieces:
        found.update(match.decode("ascii") for match in _HEX_DIGEST.findall(piece.lower()))
        for match in _BASE64_DIGEST.findall(piece):
            found.add(base64.b64decode(match.translate(_URL_SAFE) + b"=").hex())
    return found


def _keys(content: bytes, place: int) -> Any:
    words = np.frombuffer(content, dtype="<u8", offset=place, count=(len(content) - place) // _WORD)
    if len(words) < len(_FACTORS):
        return np.zeros(0, dtype=np.uint64)
    return words[:-2] * _FACTORS[0] ^ words[1:-1] * _FACTORS[1] ^ words[2:] * _FACTORS[2]
