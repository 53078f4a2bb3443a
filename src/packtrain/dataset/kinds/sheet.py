"""One table inside a source: a CSV file has one, a workbook may have many."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from packtrain.dataset.arrow import RecordBatch
from packtrain.dataset.kinds.piece import Damaged, one_line

MAX_COLUMNS: Final = 16_384  # as many as a spreadsheet can have


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table's name, its number in the source (from 1), and its rows in order, in batches of any size."""

    name: str
    number: int
    batches: Iterator[RecordBatch]


def column_names(header: Sequence[object]) -> list[str]:
    """Return names for a header's cells: an empty cell is named by its position, a repeated name gets a number."""
    names: list[str] = []
    taken: set[str] = set()
    for i, cell in enumerate(header, start=1):
        wanted = "" if cell is None else str(cell).strip()
        wanted = wanted or f"column_{i}"
        name, number = wanted, 1
        while name in taken:
            number += 1
            name = f"{wanted}_{number}"
        taken.add(name)
        names.append(name)
    return names


def guarded(batches: Iterator[RecordBatch], errors: tuple[type[Exception], ...], form: str) -> Iterator[RecordBatch]:
    """Yield the batches; a library's error on the way is raised as Damaged.

    Batches are read where they are used, long after the reader of the form returned its `Sheet`.
    """
    try:
        yield from batches
    except errors as error:
        raise Damaged(f"not a readable {form}: {one_line(error)}") from error
