"""One table inside a source: a CSV file has one, a workbook may have many."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from packtrain.dataset.arrow import RecordBatch
from packtrain.dataset.kinds.piece import Damaged, one_line

MAX_COLUMNS: Final = 16_384  # as many as a spreadsheet can have


@dataclass(frozen=True, slots=True)
class Sheet:
    """One table.

    Attributes:
        name: its name, "" where a source has one table only.
        number: its number in the source, from 1.
        batches: its rows in order, in batches of any size.
        detail: what its samples say beside that, where it is not what one expects.
    """

    name: str
    number: int
    batches: Iterator[RecordBatch]
    detail: Mapping[str, str | int | float | bool] = field(default_factory=dict[str, "str | int | float | bool"])


_NUMBER: Final = re.compile(r"\s*[-+]?(\d+([.,]\d*)?|[.,]\d+)([eE][-+]?\d+)?\s*")


def names_columns(first: Sequence[str | None]) -> bool:
    """Return whether a table's first row can be its header: one in which every filled cell is a number is data."""
    filled = [cell for cell in first if cell]
    return not filled or not all(_NUMBER.fullmatch(cell) for cell in filled)


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
