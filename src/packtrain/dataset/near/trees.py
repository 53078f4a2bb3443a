"""What hangs together by any chain of pairs, for millions of rows at once."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

_BATCH_ROWS: Final = 65_536


class Trees:
    """Rows 0 .. num_rows - 1, each alone until it is united with another. 4 bytes of memory a row."""

    def __init__(self, num_rows: int) -> None:
        self._parents = np.arange(num_rows, dtype=np.uint32 if num_rows < 2**32 else np.uint64)

    def __len__(self) -> int:
        """Return how many rows there are."""
        return len(self._parents)

    def unite(self, left: NDArray[np.int64], right: NDArray[np.int64]) -> None:
        """Take each left row and the right row at the same place as hanging together."""
        while True:
            one, other = self._roots(left), self._roots(right)
            apart = np.flatnonzero(one != other)
            if len(apart) == 0:
                return
            left, right, one, other = left[apart], right[apart], one[apart], other[apart]
            # The larger root hangs on the smallest that any pair offers it; the others find it in the next round.
            np.minimum.at(self._parents, np.maximum(one, other), np.minimum(one, other).astype(self._parents.dtype))

    def components(self) -> NDArray[np.int64]:
        """Return for every row the smallest row that it hangs together with: its own number where it is alone."""
        everyone = np.arange(len(self._parents), dtype=np.int64)
        for start in range(0, len(everyone), _BATCH_ROWS):
            part = slice(start, start + _BATCH_ROWS)
            everyone[part] = self._roots(everyone[part])
        return everyone

    def _roots(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the root of each row's tree, and hang the rows there directly."""
        roots = self._parents[rows].astype(np.int64)
        while True:
            above = self._parents[roots].astype(np.int64)
            if np.array_equal(above, roots):
                self._parents[rows] = roots.astype(self._parents.dtype)
                return roots
            roots = above
