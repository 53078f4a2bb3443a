"""Sets of whole numbers that mostly follow each other, kept as ranges: a drive of zeros costs what one bad block does.

A drive of 4 TB has four million blocks. As numbers in a set they would be half a gigabyte.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator


class Ranges:
    """A set of whole numbers from 0.

    Args:
        ranges: first and last number of each, both included; in any order, and they may overlap.
    """

    __slots__ = ("_firsts", "_lasts")

    def __init__(self, ranges: Iterable[tuple[int, int]] = ()) -> None:
        # Sorted, and with a gap between one and the next.
        self._firsts: list[int] = []
        self._lasts: list[int] = []
        for first, last in sorted(ranges):
            assert 0 <= first <= last, (first, last)
            if self._lasts and first <= self._lasts[-1] + 1:
                self._lasts[-1] = max(self._lasts[-1], last)
            else:
                self._firsts.append(first)
                self._lasts.append(last)

    @classmethod
    def of(cls, numbers: Iterable[int]) -> Ranges:
        """Return the set of these numbers; those that come in rising order are never held one by one."""
        found = cls()
        for number in numbers:
            found.add(number)
        return found

    def add(self, number: int) -> None:
        """Add a number."""
        at = bisect_right(self._firsts, number)
        if at and number <= self._lasts[at - 1]:
            return
        follows = at > 0 and self._lasts[at - 1] + 1 == number
        leads = at < len(self._firsts) and self._firsts[at] == number + 1
        if follows and leads:
            self._lasts[at - 1] = self._lasts.pop(at)
            del self._firsts[at]
        elif follows:
            self._lasts[at - 1] = number
        elif leads:
            self._firsts[at] = number
        else:
            self._firsts.insert(at, number)
            self._lasts.insert(at, number)

    def pairs(self) -> Iterator[tuple[int, int]]:
        """Yield first and last number of each range, both included, in rising order."""
        return zip(self._firsts, self._lasts, strict=True)

    def turns(self) -> Iterator[int]:
        """Yield the numbers at which it begins or ceases to hold: between two of them nothing changes."""
        for first, last in self.pairs():
            yield first
            yield last + 1

    @property
    def num_ranges(self) -> int:
        """Return how many ranges are held."""
        return len(self._firsts)

    def __contains__(self, number: int) -> bool:
        at = bisect_right(self._firsts, number)
        return at > 0 and number <= self._lasts[at - 1]

    def __iter__(self) -> Iterator[int]:
        for first, last in self.pairs():
            yield from range(first, last + 1)

    def __len__(self) -> int:
        return sum(last - first + 1 for first, last in self.pairs())

    def __bool__(self) -> bool:
        return bool(self._firsts)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Ranges) and (self._firsts, self._lasts) == (other._firsts, other._lasts)

    __hash__ = None  # pyright: ignore[reportAssignmentType] - it can change

    def __repr__(self) -> str:
        return f"Ranges({list(self.pairs())})"
