"""Names that somebody else chose: the first of them are kept to be shown, the others are only counted.

A drive can hold ten million files that are not ours; a list of their names is for nobody.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable, Iterator


class FirstNames:
    """The names that come first in sorted order, in whatever order they are added, and how many there were.

    Args:
        most: how many are kept.
        names: the first to be added.

    Attributes:
        count: of all that were added.
    """

    def __init__(self, most: int, names: Iterable[str] = ()) -> None:
        self.count = 0
        self._most = most
        self._kept: list[str] = []
        for name in names:
            self.add(name)

    def add(self, name: str) -> None:
        """Count a name, and keep it if it is among the first."""
        self.count += 1
        if len(self._kept) < self._most or name < self._kept[-1]:
            insort(self._kept, name)
            del self._kept[self._most :]

    @property
    def num_more(self) -> int:
        """Return how many are counted and not kept."""
        return self.count - len(self._kept)

    def __iter__(self) -> Iterator[str]:
        return iter(self._kept)

    def __str__(self) -> str:
        return ", ".join(self._kept) + (", ..." if self.num_more else "")
