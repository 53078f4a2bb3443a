"""Which rows are looked at: drawn from the digest of the source, so that the same sources give the same."""

from __future__ import annotations

import hashlib
from typing import Final

ROWS_OF_A_STRIDE: Final = 64
_UNIT: Final = 1 << 32


class RowSampler:
    """Draws rows of a table that comes block by block and whose length nobody knows yet.

    The first 64 rows are all taken. After them row n is taken with the chance 64 / n, so that a table of any length
    gives 64 * (1 + ln(rows / 64)) of them: 240 of a thousand rows, 680 of a million, 1,100 of a
    billion, from all its parts.

    Args:
        seed: SHA-256 of the source, and which of its tables.
    """

    def __init__(self, seed: str) -> None:
        self._seed = seed
        self._num_seen = 0

    def draw(self, num_rows: int) -> list[int]:
        """Return which rows of the next `num_rows` are taken, rising."""
        first = self._num_seen
        self._num_seen += num_rows
        whole = min(max(ROWS_OF_A_STRIDE - first, 0), num_rows)
        rows = list(range(whole))
        if whole == num_rows:
            return rows
        # One draw a stratum: as many strata of equal length as rows are wanted, a part of one by chance.
        left = num_rows - whole
        wanted = ROWS_OF_A_STRIDE * left / max(first + whole + left // 2, 1)
        num_strata = int(wanted)
        drawn = _draws(f"{self._seed} {first}", num_strata + 1)
        if drawn[-1] < (wanted - num_strata) * _UNIT:
            num_strata += 1
        edges = [whole + left * i // num_strata for i in range(num_strata + 1)] if num_strata else []
        for low, high, draw in zip(edges, edges[1:], drawn, strict=False):
            if low < high:
                rows.append(low + draw * (high - low) // _UNIT)
        return rows


def _draws(seed: str, number: int) -> list[int]:
    """Return numbers below 2**32."""
    stream = hashlib.shake_128(seed.encode("utf-8")).digest(4 * number)
    return [int.from_bytes(stream[at : at + 4], "big") for at in range(0, len(stream), 4)]
