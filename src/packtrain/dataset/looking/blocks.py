"""Blocks of tables that look alike: the rows in which they differ, without what the data scan found."""

from __future__ import annotations

import re
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from packtrain.dataset.looking.look import Grid
from packtrain.dataset.looking.media import NotThere, open_part
from packtrain.dataset.looking.profiles import Allowed, findings_of_columns
from packtrain.dataset.looking.set_tables import Row
from packtrain.dataset.looking.where import Where

_MOST_ROWS: Final = 4
_MOST_COLUMNS: Final = 6
_LONGEST_CELL: Final = 40
# Two blocks are compared row by row in memory: larger ones are told by their share alone.
_MOST_CELLS: Final = 200_000
_MOST_BYTES: Final = 32 << 20
_HIDDEN: Final = "not shown"
_Cells = list[tuple[str, ...]]


def differing(where: Where, one: Row, other: Row, allowed: Allowed) -> tuple[Grid, Grid] | None:
    """Return of each of two blocks the first rows that the other has not.

    None where no value may be shown, a block is not there or too large, or nothing differs but the order.
    """
    if not allowed.values:
        return None
    first, second = _block(where, one), _block(where, other)
    if first is None or second is None:
        return None
    rows = _cells(first), _cells(second)
    grids = (
        _grid(one, first.schema.names, rows[0], set(rows[1]), allowed),
        _grid(other, second.schema.names, rows[1], set(rows[0]), allowed),
    )
    return grids if any(grid.num_rows for grid in grids) else None


def _block(where: Where, row: Row) -> Any:
    try:
        with open_part(where, row) as stream, pq.ParquetFile(stream) as reader:
            about = reader.metadata.row_group(row["row_group"])
            if about.total_byte_size > _MOST_BYTES or about.num_rows * about.num_columns > _MOST_CELLS:
                return None
            return reader.read_row_group(row["row_group"])
    except (NotThere, OSError, pa.ArrowException):
        return None


def _cells(block: Any) -> _Cells:
    columns = [["" if value is None else str(value) for value in column.to_pylist()] for column in block.columns]
    return list(zip(*columns, strict=True))


def _grid(row: Row, names: list[str], cells: _Cells, others: set[tuple[str, ...]], allowed: Allowed) -> Grid:
    number = re.search(r"-s([0-9]+)$", row["table"])
    findings = findings_of_columns(allowed, row["source"], int(number[1]) if number else 1, names)
    own = [cell for cell in cells if cell not in others]
    shown = range(min(len(names), _MOST_COLUMNS))
    return Grid(
        names=tuple(f"column {i + 1}" if findings[i] else names[i] for i in shown),
        rows=tuple(
            tuple(_HIDDEN if findings[i] else each[i][:_LONGEST_CELL] for i in shown) for each in own[:_MOST_ROWS]
        ),
        num_rows=len(own),
        num_columns=len(names),
    )
