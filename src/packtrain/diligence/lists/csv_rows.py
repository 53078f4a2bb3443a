"""Rows of a CSV file from anywhere: bounded, each with the line it ends on, its cells under their headings."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from packtrain.diligence.lists.reading import MAX_ENTRY_BYTES, one_line
from packtrain.errors import ListUnreadable

_MAX_LINE_BYTES: Final = 1 << 20
_MAX_COLUMNS: Final = 512
_MOST_PREAMBLE_ROWS: Final = 5
_END_OF_FILE: Final = "\x1a"
"""What DOS wrote at the end of a text file; OFAC's files still have it."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row under its headings.

    Attributes:
        where: file and line, for messages.
        line: on which the row ends, from 1.
        cells: heading as `heading` spells it -> text as it stands.
    """

    where: str
    line: int
    cells: dict[str, str]

    def get(self, *headings: str) -> str:
        """Return the first cell that has text, of these headings; "" where none has."""
        return next((text for heading in headings if (text := self.cells.get(heading, "").strip())), "")


def heading(text: str) -> str:
    """Return a heading as rows are asked for it: lower case, single blanks; publishers change both without a word."""
    return one_line(text).lower()


def plain_rows(
    path: Path, delimiter: str = ",", *, other_encoding: str | None = None
) -> Iterator[tuple[int, list[str]]]:
    """Yield the number of the line that a row ends on, and its cells; empty rows are left out.

    Args:
        path: the file.
        delimiter: between cells.
        other_encoding: for lines that are not UTF-8; without it they are refused.

    Raises:
        ListUnreadable: a line that is no text, a quote that is never closed, a row or cell out of bounds.
        OSError: the file cannot be read.
    """
    with path.open("rb") as stream:
        meter = _Meter()
        lines = _lines(stream, path.name, other_encoding, meter)
        rows = csv.reader(lines, delimiter=delimiter, strict=True)
        while True:
            try:
                cells = next(rows)
            except StopIteration:
                return
            except csv.Error as error:
                raise ListUnreadable(
                    f"row is not CSV: {error}",
                    where=f"{path.name}, line {max(rows.line_num, 1)}",
                    hint="fetch the file again: it may be cut off; or its format is another than the one given",
                ) from error
            meter.row_bytes = 0
            if len(cells) > _MAX_COLUMNS:
                raise ListUnreadable(
                    "row has too many cells",
                    where=f"{path.name}, line {rows.line_num}",
                    expected=f"at most {_MAX_COLUMNS}",
                    found=str(len(cells)),
                )
            if any(cell.strip() for cell in cells) and cells != [_END_OF_FILE]:
                yield rows.line_num, cells


def rows_under_headings(
    path: Path,
    needed: Sequence[str],
    delimiter: str = ",",
    *,
    take_preamble: Callable[[Sequence[str]], None] | None = None,
) -> Iterator[Row]:
    """Yield the rows below the row of headings.

    Args:
        path: the file.
        needed: headings without which it is another format.
        delimiter: between cells.
        take_preamble: is given the rows above the headings; without it, the first row must be the headings.

    Raises:
        ListUnreadable: as of `plain_rows`; a heading is missing or there twice, or a row has more or fewer cells.
        OSError: the file cannot be read.
    """
    rows = plain_rows(path, delimiter)
    headings = _headings(rows, path.name, needed, take_preamble)
    for line, cells in rows:
        if len(cells) != len(headings):
            raise ListUnreadable(
                "row has another number of cells than there are headings",
                where=f"{path.name}, line {line}",
                expected=str(len(headings)),
                found=str(len(cells)),
                hint="fetch the file again: it may be cut off",
            )
        yield Row(f"{path.name}, line {line}", line, dict(zip(headings, cells, strict=True)))


def likely_delimiter(path: Path) -> str:
    """Return which of comma, semicolon and tab the first line of a file has most of.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as stream:
        first = stream.readline(_MAX_LINE_BYTES).decode("utf-8", "replace")
    return max(",;\t", key=first.count)


def _headings(
    rows: Iterator[tuple[int, list[str]]],
    name: str,
    needed: Sequence[str],
    take_preamble: Callable[[Sequence[str]], None] | None,
) -> list[str]:
    first: list[str] = []
    for number, (line, cells) in enumerate(rows):
        found = [heading(cell) for cell in cells]
        if set(needed) <= set(found):
            twice = next((text for text in found if text and found.count(text) > 1), None)
            if twice is not None:
                raise ListUnreadable("heading is there twice", where=f"{name}, line {line}", found=twice)
            return found
        first = first or found
        if take_preamble is None or number >= _MOST_PREAMBLE_ROWS:
            break
        take_preamble(cells)
    missing = [text for text in needed if text not in first]
    raise ListUnreadable(
        "headings of this format are not there",
        where=f"{name}, line 1",
        expected=", ".join(needed),
        found=", ".join(first)[:400] or "an empty file",
        hint=f"is it another format? the first that is missing is {missing[0]!r}" if missing else None,
    )


@dataclass(slots=True)
class _Meter:
    """Bytes of the row that is being read: a quote that never ends must not take the whole file into memory."""

    row_bytes: int = 0


def _lines(stream: BinaryIO, name: str, other_encoding: str | None, meter: _Meter) -> Iterator[str]:
    number = 0
    while raw := stream.readline(_MAX_LINE_BYTES + 1):
        number += 1
        meter.row_bytes += len(raw)
        if len(raw) > _MAX_LINE_BYTES or meter.row_bytes > MAX_ENTRY_BYTES:
            raise ListUnreadable(
                "row is too long",
                where=f"{name}, line {number}",
                expected=f"at most {_MAX_LINE_BYTES} bytes a line and {MAX_ENTRY_BYTES} a row",
                hint="a quote that is never closed looks like this, and so does a file that is no CSV",
            )
        if number == 1:
            raw = raw.removeprefix(b"\xef\xbb\xbf")
        try:
            yield raw.decode("utf-8")
        except UnicodeDecodeError as error:
            if other_encoding is None:
                raise ListUnreadable(
                    "line is not UTF-8",
                    where=f"{name}, line {number}",
                    hint="save the file as CSV in UTF-8; spreadsheets often write another encoding",
                ) from error
            yield raw.decode(other_encoding, "replace")
