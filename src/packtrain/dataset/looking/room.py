"""How much of the page each of its parts may fill with pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from packtrain.dataset.looking.look import Shown
from packtrain.dataset.looking.set_tables import Row

# Pictures are 4/3 as long on the page as in bytes (base64); each brings about so much of text with it.
_TEXT_BYTES: Final = 700
_TEXTS_OF_ALL: Final = 0.15
"""What of the page is kept for tables, histograms and rejects, which are bounded by their numbers."""


class Room:
    """The bytes of a page that pictures may take.

    Args:
        page_bytes: of the whole page.
    """

    def __init__(self, page_bytes: int) -> None:
        self._left = int(page_bytes * (1 - _TEXTS_OF_ALL))
        self.num_left_out = 0

    def part(self, share: float) -> Part:
        """Return room for a part of the page: a share of what is left; what it does not fill is left to others."""
        return Part(self, int(self._left * share))

    def take(self, num_bytes: int) -> None:
        """Count bytes that were filled."""
        self._left -= num_bytes


class Part:
    """Room of one part of the page."""

    def __init__(self, room: Room, num_bytes: int) -> None:
        self._room = room
        self._left = num_bytes

    def takes(self, *shown: Shown) -> bool:
        """Return whether these samples had room; they are counted if so, and counted as left out if not."""
        needed = sum(_TEXT_BYTES + each.num_bytes * 4 // 3 for each in shown)
        if needed > self._left:
            self._room.num_left_out += len(shown)
            return False
        self._left -= needed
        self._room.take(needed)
        return True

    def fill(self, make: Callable[[Row], Shown], rows: Sequence[Row]) -> Iterator[Shown]:
        """Yield what is made of the rows while there is room; the others are not made, and counted as left out."""
        for number, row in enumerate(rows, start=1):
            made = make(row)
            if not self.takes(made):
                self._room.num_left_out += len(rows) - number
                return
            yield made
