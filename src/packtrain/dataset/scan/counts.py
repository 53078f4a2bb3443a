"""What a scan counts in one source, as a unit's receipt keeps it."""

from __future__ import annotations

from typing import Final

import msgspec

SCAN_VERSION: Final = 1
"""Counted up when the same tables would give another scan: they are then read again."""
COLUMN_NAME: Final = "column-name"
MAX_PER_SOURCE: Final = 200


class ColumnCount(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Counts of one column and one detector; see documents/data_scan.py."""

    sheet: int
    column: int
    detector: str
    word: str
    num_sampled: int
    num_filled: int
    num_formed: int
    num_hits: int
    num_distinct: int
    num_distinct_hits: int
    is_finding: bool


class SourceScan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the scan counted in one source.

    Attributes:
        columns: findings first; at most 200.
        left_out: the others, as (detector, is a finding, how many columns).
    """

    source: str
    num_tables: int
    num_columns: int
    num_rows: int
    num_rows_sampled: int
    num_long_cells: int
    columns: tuple[ColumnCount, ...]
    left_out: tuple[tuple[str, bool, int], ...]
