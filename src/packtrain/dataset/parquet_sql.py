"""Tables in Parquet files as DuckDB is asked for them, whatever the folders above them are called."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path


def quoted_path(path: str | Path) -> str:
    """Return a path as a text of SQL in which no sign is taken for a pattern."""
    return "'" + "".join(f"[{sign}]" if sign in "[*?" else sign for sign in str(path)).replace("'", "''") + "'"


def rows_of_files(paths: Iterable[str | Path], options: str = "") -> str:
    """Return what stands behind FROM for the rows of these files; there must be one.

    Args:
        paths: of files with the same columns.
        options: more of DuckDB's for them, such as "filename = true".
    """
    listed = ", ".join(map(quoted_path, paths))
    # Without the first option a folder "kind=x" on the way would stand before the column of that name in the files.
    return f"read_parquet([{listed}], hive_partitioning = false{', ' if options else ''}{options})"
