"""Merged cells at the beginning of the tables of an OpenDocument spreadsheet, which calamine does not tell."""

from __future__ import annotations

import zipfile
import zlib
from typing import BinaryIO, Final
from xml.parsers import expat

from packtrain.dataset.kinds.header import LOOKED_AT_ROWS, Merged

_CHUNK_BYTES: Final = 1 << 18
_MOST_MERGED: Final = 100_000


def merged_cells(stream: BinaryIO) -> dict[str, list[Merged]]:
    """Return the merged cells of each table's first rows by its name; of a damaged file what could be read.

    Rows and columns are counted from the top and left of the table. The file's text is streamed, never held.

    Source:
        OpenDocument 1.3, part 3, 9.1 "Basic table model".
    """
    reader = _Reader()
    parser = expat.ParserCreate()
    parser.StartElementHandler = reader.start
    parser.StartDoctypeDeclHandler = reader.refuse  # entities could grow without bound, and no spreadsheet has any
    try:
        with zipfile.ZipFile(stream) as archive, archive.open("content.xml") as content:
            while chunk := content.read(_CHUNK_BYTES):
                parser.Parse(chunk, False)
    except (expat.ExpatError, zipfile.BadZipFile, zlib.error, KeyError, ValueError, OSError, EOFError):
        pass
    return reader.found


class _Reader:
    def __init__(self) -> None:
        self.found: dict[str, list[Merged]] = {}
        self._merged: list[Merged] = []
        self._row = self._next_row = self._column = 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """Take the beginning of an element."""
        if name == "table:table":
            self._merged = self.found.setdefault(attributes.get("table:name", ""), [])
            self._row = self._next_row = self._column = 0
        elif self._next_row > LOOKED_AT_ROWS:
            return
        elif name == "table:table-row":
            self._row, self._column = self._next_row, 0
            self._next_row += _number(attributes, "table:number-rows-repeated")
        elif name in ("table:table-cell", "table:covered-table-cell"):
            wide = _number(attributes, "table:number-columns-spanned")
            high = _number(attributes, "table:number-rows-spanned")
            if (wide > 1 or high > 1) and len(self._merged) < _MOST_MERGED:
                last = (self._row + high - 1, self._column + wide - 1)
                self._merged.append(Merged(self._row, self._column, *last))
            self._column += _number(attributes, "table:number-columns-repeated")

    def refuse(self, *_: object) -> None:
        """End the reading."""
        raise ValueError("a document type")


def _number(attributes: dict[str, str], name: str) -> int:
    text = attributes.get(name, "1")
    return min(int(text), 1 << 30) if text.isascii() and text.isdigit() and len(text) < 10 else 1
