"""Rows of one source until it is known to be sound: few of them in memory, many in a file of our own.

A text table of 100 GB is one source, and hundreds of millions of samples.
"""

from __future__ import annotations

import pickle
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Final

_ROWS_IN_MEMORY: Final = 16_384


class RowSpool:
    """Rows in the order in which they came. Use it once: add, then iterate or throw away.

    Args:
        folder: where a file without a name is made when one is needed.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._rows: list[dict[str, Any]] = []
        self._file: IO[bytes] | None = None
        self._num_spilled = 0

    def __len__(self) -> int:
        """Return how many rows there are."""
        return self._num_spilled + len(self._rows)

    def add(self, row: dict[str, Any]) -> None:
        """Append a row; it may be changed until `settle` is told that it is not among the last ones."""
        self._rows.append(row)

    def settle(self, num_open: int) -> None:
        """Take all rows but the last `num_open` for what they are; many of them go to the file.

        Raises:
            OSError: no space is left.
        """
        num_settled = len(self._rows) - num_open
        if num_settled < _ROWS_IN_MEMORY:
            return
        if self._file is None:
            self._file = tempfile.TemporaryFile(dir=self._folder)  # noqa: SIM115 - closed by `clear`, or with us
        pickle.dump(self._rows[:num_settled], self._file, protocol=pickle.HIGHEST_PROTOCOL)
        self._num_spilled += num_settled
        del self._rows[:num_settled]

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Yield the rows in their order."""
        if self._file is not None:
            end = self._file.tell()
            self._file.seek(0)
            while self._file.tell() < end:
                # Our own bytes, in a file that no name leads to.
                yield from pickle.load(self._file)  # noqa: S301
        yield from self._rows

    def clear(self) -> None:
        """Forget all rows."""
        self._rows.clear()
        self._num_spilled = 0
        if self._file is not None:
            self._file.close()
            self._file = None
