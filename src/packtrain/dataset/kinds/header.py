"""Where the table begins in a sheet that people made: titles above it, names over one or more rows, merged cells.

Titles: rows above the header with one filled cell at most. They are passed over if the row below them has at least two
filled cells, all of them text, and at least half as many as the sheet is wide; otherwise the first filled row is the
header.

The header has one row; more if cells in it are merged: downwards as far as they reach, and one row more below cells
that are merged across columns. A merged cell's text belongs to every column and row it spans. A column's name is what
stands in it from above to below, joined by " / ", what repeats once: "Jan / min", "Jan / max".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from packtrain.dataset.kinds.sheet import column_names, names_columns

LOOKED_AT_ROWS: Final = 32
_MOST_TITLES: Final = 16
_MOST_HEADER_ROWS: Final = 5

Row = Sequence[str | None]


@dataclass(frozen=True, slots=True)
class Merged:
    """Merged cells, by the first and the last row and column, from 0 as the rows are counted."""

    top: int
    left: int
    bottom: int
    right: int


@dataclass(frozen=True, slots=True)
class Header:
    """What a sheet's first rows say.

    Attributes:
        names: of the columns.
        first_row: of the data.
        num_titles: rows with a title that were passed over.
        num_rows: of the header; 0 if the first row is data already.
    """

    names: list[str]
    first_row: int
    num_titles: int
    num_rows: int

    @property
    def detail(self) -> dict[str, str | int | float | bool]:
        """Return what a sample says of it, where it is not what one expects."""
        found: dict[str, str | int | float | bool] = {}
        if self.num_titles:
            found["title_rows"] = self.num_titles
        if self.num_rows > 1:
            found["header_rows"] = self.num_rows
        if self.num_rows == 0:
            found["header"] = "none"
        return found


def header_of(rows: Sequence[Row], are_texts: Sequence[bool], width: int, merged: Sequence[Merged]) -> Header | None:
    """Return the header of a sheet, or None if there is nothing in these rows.

    Args:
        rows: its first rows, at least `LOOKED_AT_ROWS` if there are so many.
        are_texts: for each, whether all of its filled cells are texts.
        width: columns of the sheet.
        merged: merged cells; others than those in the header are of no matter.
    """
    filled = [sum(1 for cell in row if cell) for row in rows]
    top = next((number for number, count in enumerate(filled) if count), None)
    if top is None:
        return None
    below = next((number for number, count in enumerate(filled) if count > 1), None)
    num_titles = 0
    if below is not None and below > top and are_texts[below] and 2 * filled[below] >= width:
        titles = sum(1 for count in filled[top:below] if count)
        if titles <= _MOST_TITLES:
            top, num_titles = below, titles
    if not names_columns(rows[top]):
        return Header(column_names([""] * width), top, num_titles, 0)
    bottom = _bottom_of(top, len(rows), merged)
    names = ["" for _ in range(width)]
    for number in range(top, bottom + 1):
        for column, text in enumerate(_spread(rows[number], number, width, rows, merged)):
            text = (text or "").strip()
            if text and text != names[column].rpartition(" / ")[2]:
                names[column] = f"{names[column]} / {text}" if names[column] else text
    return Header(column_names(names), bottom + 1, num_titles, bottom + 1 - top)


def _bottom_of(top: int, num_rows: int, merged: Sequence[Merged]) -> int:
    bottom = top
    for row in range(top, min(top + _MOST_HEADER_ROWS, num_rows)):
        if row > bottom:
            break
        for each in merged:
            if each.top <= row <= each.bottom:
                bottom = max(bottom, each.bottom + (each.right > each.left))
    return min(bottom, top + _MOST_HEADER_ROWS - 1, num_rows - 1)


def _spread(row: Row, number: int, width: int, rows: Sequence[Row], merged: Sequence[Merged]) -> list[str | None]:
    cells = [row[column] if column < len(row) else None for column in range(width)]
    for each in merged:
        if each.top <= number <= each.bottom and each.top < len(rows) and 0 <= each.left < width:
            source = rows[each.top]
            text = source[each.left] if each.left < len(source) else None
            for column in range(each.left, min(each.right + 1, width)):
                cells[column] = text
    return cells
