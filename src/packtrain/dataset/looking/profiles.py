"""Profiles of tables: what a column holds, in counts, and in values where these may be shown.

What the data scan found in a column keeps all of its values off the page, and its name: a table without a header has a
value there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import duckdb

from packtrain.dataset.database import open_database, rows_of_files
from packtrain.dataset.looking.look import ColumnProfile, TableProfile
from packtrain.dataset.looking.set_tables import SetTables
from packtrain.dataset.looking.where import Where
from packtrain.dataset.scan.column_names import meaning_of
from packtrain.dataset.scan.coordinates import DETECTOR as PLACES
from packtrain.dataset.scan.dictionary import LONGITUDE
from packtrain.documents.data_scan import DataScan
from packtrain.units import GIB

MOST_TABLES: Final = 24
MOST_COLUMNS: Final = 32
_MOST_COLUMNS_OF_ALL: Final = 400
MOST_ROWS: Final = 100_000
_MOST_SHARDS: Final = 64
_NUM_TOP: Final = 5
_NUM_BARS: Final = 16
_LONGEST_VALUE: Final = 40
_LONGEST_CELL: Final = 4096
# A column of numbers in which one cell of twenty says "n/a" is one of numbers.
_SHARE_OF_NUMBERS: Final = 0.95


@dataclass(frozen=True, slots=True)
class Allowed:
    """Which values may be shown: none at all, or those of columns in which the data scan found nothing."""

    values: bool
    findings: dict[tuple[str, int, int], tuple[str, ...]]

    def of(self, source: str, number: int, column: int) -> tuple[str, ...]:
        """Return what was found in a column; the sheet's number is 0 in the scan where a form has no sheets."""
        of_form = self.findings.get((source, 0, column), ())
        return tuple(dict.fromkeys((*of_form, *self.findings.get((source, number, column), ()))))


def allowed_by(scan: DataScan | None, sources: str, *, wanted: bool) -> tuple[Allowed, str]:
    """Return which values may be shown, and why none may where that is so.

    Args:
        scan: what the data scan found, None where there is none.
        sources: digest of the sources of the data set; a scan of others says nothing of these.
        wanted: whether whoever asks wants to see values.
    """
    if scan is None or scan.sources != sources:
        return Allowed(False, {}), "these sources have no data scan, so none of their values is known to be harmless"
    findings: dict[tuple[str, int, int], tuple[str, ...]] = {}
    looks_for = {detector.name: detector.looks_for for detector in scan.detectors}
    listed = [column for column in scan.columns if column.is_finding]
    for column in listed:
        place = (column.source, column.sheet, column.column)
        said = column.word or looks_for.get(column.detector, column.detector)
        findings[place] = tuple(dict.fromkeys((*findings.get(place, ()), said)))
    if not wanted:
        return Allowed(False, findings), "they were not asked for"
    if len(listed) < scan.num_findings:
        return Allowed(False, findings), "the data scan found more than it lists by column"
    return Allowed(True, findings), ""


def findings_of_columns(allowed: Allowed, source: str, number: int, names: Sequence[str]) -> list[tuple[str, ...]]:
    """Return what the data scan found in each column of a table.

    A place that is told by two columns is a finding of the latitude; without it a longitude is half a place too.
    """
    found = [allowed.of(source, number, i) for i in range(1, len(names) + 1)]
    places = {each for column in found for each in column if each == PLACES.looks_for}
    for i, name in enumerate(names):
        meaning = meaning_of(name) if places and not found[i] else None
        if meaning is not None and meaning.word == LONGITUDE:
            found[i] = (PLACES.looks_for,)
    return found


def profiles(tables: SetTables, where: Where, allowed: Allowed, seed: int) -> tuple[list[TableProfile], int]:
    """Return profiles of up to 24 tables drawn by lot, in the order of their names, and how many tables there are.

    Of each the first 32 columns and 100,000 kept rows are looked at.
    """
    # The name of a table ends in the number of its sheet: "people-csv-0123456789ab-s01".
    tables.run(
        "CREATE OR REPLACE VIEW table_blocks AS SELECT k.source, k.key, k.shard, k.length,"
        " coalesce(json_extract_string(k.detail, '$.sheet'), '') AS sheet,"
        " coalesce(try_cast(regexp_extract(k.shard, '-s([0-9]+)-[0-9]+[.]parquet$', 1) AS INTEGER), 1) AS number"
        " FROM kept k WHERE k.kind = 'table'"
    )
    found = tables.rows(
        "SELECT source, number, min(sheet) AS sheet, sum(length) AS num_rows FROM table_blocks GROUP BY source, number"
        " ORDER BY sha256($seed || '/' || source || '/' || number), source, number LIMIT $num",
        seed=str(seed),
        num=MOST_TABLES,
    )
    total = tables.number("SELECT count(*) FROM (SELECT DISTINCT source, number FROM table_blocks)")
    made: list[TableProfile] = []
    columns_left = _MOST_COLUMNS_OF_ALL
    # One thread adds up in one order: a mean has the same last digit every time.
    with open_database(1 * GIB, where.spill, num_threads=1) as connection:
        for row in sorted(found, key=lambda each: (each["source"], each["number"])):
            shards = tables.rows(
                "SELECT DISTINCT shard FROM table_blocks WHERE source = $source AND number = $number"
                " ORDER BY shard LIMIT $num",
                source=row["source"],
                number=row["number"],
                num=_MOST_SHARDS,
            )
            files = [where.shard(each["shard"]) for each in shards]
            profile = _profile(connection, row, files, allowed, min(columns_left, MOST_COLUMNS))
            columns_left -= len(profile.columns)
            made.append(profile)
    return made, total


def _profile(
    connection: duckdb.DuckDBPyConnection, row: dict[str, Any], files: list[Path], allowed: Allowed, most_columns: int
) -> TableProfile:
    about: Any = {"source": str(row["source"]), "sheet": str(row["sheet"]), "num_rows": int(row["num_rows"])}
    rows = rows_of_files(files)
    try:
        described = connection.execute(f"DESCRIBE SELECT * FROM {rows}").fetchall()  # noqa: S608
        names = [str(column[0]) for column in described]
        # By position: a name from a header may be anything, and SQL would take some of them for its own.
        cells = ", ".join(f"c{i}" for i in range(len(names)))
        shown = range(min(len(names), most_columns))
        as_text = ", ".join(f"left(CAST(c{i} AS VARCHAR), {_LONGEST_CELL}) AS t{i}" for i in shown)
        # A view: each question reads the one column that it is about, and no table is ever held.
        connection.execute(
            f"CREATE OR REPLACE TEMP VIEW looked AS SELECT {as_text or '1 AS t'} FROM"  # noqa: S608
            f" (SELECT * FROM {rows} LIMIT {MOST_ROWS}) AS looked_at({cells})"
        )
        findings = findings_of_columns(allowed, about["source"], int(row["number"]), names)
        num_read = int(connection.execute("SELECT count(*) FROM looked").fetchall()[0][0])
        columns = [
            _column(connection, i, name, allowed.values, findings[i]) for i, name in enumerate(names[:most_columns])
        ]
    except duckdb.Error as error:
        text = " ".join(str(error).split())[:200]
        return TableProfile(**about, num_read=0, num_columns=0, columns=(), error=text)
    return TableProfile(**about, num_read=num_read, num_columns=len(names), columns=tuple(columns))


def _column(
    connection: duckdb.DuckDBPyConnection, i: int, name: str, with_values: bool, findings: tuple[str, ...]
) -> ColumnProfile:
    filled, distinct, numbers = connection.execute(
        f"SELECT count(*) FILTER (WHERE trim(t{i}) <> ''), count(DISTINCT t{i}) FILTER (WHERE trim(t{i}) <> ''),"  # noqa: S608
        f" count(*) FILTER (WHERE isfinite(try_cast(trim(t{i}) AS DOUBLE))) FROM looked"
    ).fetchall()[0]
    counts: Any = {"number": i + 1, "num_filled": filled, "num_distinct": distinct, "findings": findings}
    if findings:
        return ColumnProfile(name="", **counts)
    is_number = filled > 0 and numbers >= _SHARE_OF_NUMBERS * filled
    of_cell = f"try_cast(trim(t{i}) AS DOUBLE)" if is_number else f"length(t{i})::DOUBLE"
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE cells AS SELECT v FROM"  # noqa: S608
        f" (SELECT {of_cell} AS v FROM looked WHERE trim(t{i}) <> '') WHERE isfinite(v)"
    )
    found: Any = connection.execute("SELECT min(v), max(v), avg(v) FROM cells").fetchall()[0]
    least, most, mean = found
    bars = _bars(connection, least, most) if filled else ()
    if not with_values:
        return ColumnProfile(name="", is_number=is_number, bars=bars, **counts)
    top = connection.execute(
        f"SELECT left(t{i}, {_LONGEST_VALUE}) AS value, count(*) AS num FROM looked WHERE trim(t{i}) <> ''"  # noqa: S608
        f" GROUP BY t{i} ORDER BY num DESC, t{i} LIMIT {_NUM_TOP}"
    ).fetchall()
    told = {"least": _number(least), "most": _number(most), "mean": _number(mean)} if is_number else {}
    return ColumnProfile(
        name=name, is_number=is_number, bars=bars, top=tuple((str(v), int(n)) for v, n in top), **told, **counts
    )


def _number(value: float) -> str:
    """Return a number without commas: a year is one as well."""
    return f"{value:.0f}" if abs(value) < 1e15 and (value == round(value) or abs(value) >= 1000) else f"{value:.4g}"


def _bars(connection: duckdb.DuckDBPyConnection, least: float, most: float) -> tuple[int, ...]:
    num = _NUM_BARS if most > least else 1
    found = connection.execute(
        "SELECT least(floor((v - $least) / $width)::INTEGER, $last) AS class, count(*) FROM cells GROUP BY class",
        {"least": least, "width": (most - least) / num or 1.0, "last": num - 1},
    ).fetchall()
    bars = [0] * num
    for number, count in found:
        bars[int(number)] = int(count)
    return tuple(bars)
