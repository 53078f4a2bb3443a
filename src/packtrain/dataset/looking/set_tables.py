"""The tables of a prepared data set, asked by DuckDB: what was read, what is kept, what was dropped or set aside.

It spills to disk what does not fit into memory, so the questions may be put to a hundred million samples. Answers come
in an order that is a function of the data alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from packtrain.dataset.database import open_database, remove_spilled, rows_of_files
from packtrain.dataset.index import DROPS, INDEX, REJECTS
from packtrain.dataset.looking.look import DropCount, RejectRow
from packtrain.dataset.looking.where import Where
from packtrain.units import GIB

Row = dict[str, Any]
_MEMORY_BYTES: Final = 1 * GIB
# Of each sample that was read: the bytes a reader needs, and whether it is kept.
_READ: Final = (
    "SELECT s.key, s.kind, s.source, s.source_sha256, s.sha256, s.suffix, s.unit, s.blob_offset, s.blob_bytes, s.detail"
)


@dataclass(frozen=True, slots=True)
class NearPair:
    """A dropped sample and the one that was kept instead: their rows, and what was measured of the two."""

    dropped: Row
    kept: Row
    rule: str
    value: float | None
    limit: float | None


class SetTables:
    """The tables of one data set. Use it as a context.

    Args:
        where: what lies where.

    Raises:
        duckdb.Error: a table is not there, or is none.
    """

    def __init__(self, where: Where) -> None:
        self._where = where
        self._connection: duckdb.DuckDBPyConnection | None = None

    def __enter__(self) -> Self:
        self._where.spill.mkdir(parents=True, exist_ok=True)
        self._connection = open_database(_MEMORY_BYTES, self._where.spill)
        for name, table in (("kept", INDEX), ("drops", DROPS), ("rejects", REJECTS)):
            self._view(name, [self._where.dataset / table])
        self.run(
            "CREATE VIEW formed AS SELECT *, regexp_replace(left(error, 200), '[0-9]+', '#', 'g') AS form FROM rejects"
        )
        if units := sorted(self._where.units.root.glob("??/*.samples.parquet")):
            self._view("read_samples", units)
        else:
            # Somebody made room: without what the units read there is no "before", and the rest can still be shown.
            self.run(
                "CREATE VIEW read_samples AS SELECT ''::VARCHAR AS key, '' AS kind, '' AS source, '' AS source_sha256,"
                " '' AS sha256, '' AS suffix, '' AS unit, 0 AS blob_offset, 0 AS blob_bytes, '{}' AS detail,"
                " 0 AS part_bytes, 0 AS row_group,"
                " '' AS \"table\", 0 AS num_rows, MAP {}::MAP(VARCHAR, DOUBLE) AS measures, false AS withdrawn"
                " WHERE false"
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._connection is not None
        self._connection.close()
        remove_spilled(self._where.spill)

    def run(self, query: str, **parameters: object) -> duckdb.DuckDBPyConnection:
        """Run one statement."""
        assert self._connection is not None
        return self._connection.execute(query, parameters)

    def rows(self, query: str, **parameters: object) -> list[Row]:
        """Return the rows of an answer that is known to be short."""
        done = self.run(query, **parameters)
        names = [str(column[0]) for column in done.description or ()]
        return [dict(zip(names, row, strict=True)) for row in done.fetchall()]

    def number(self, query: str, **parameters: object) -> int:
        """Return the one number that is the answer."""
        (value,) = self.run(query, **parameters).fetchall()[0]
        return int(value or 0)

    # --- what there is

    def splits(self) -> dict[tuple[str, str], int]:
        """Return the number of kept samples by kind and split."""
        found = self.rows("SELECT kind, split, count(*) AS num FROM kept GROUP BY ALL ORDER BY ALL")
        return {(row["kind"], row["split"]): row["num"] for row in found}

    def drop_counts(self) -> list[DropCount]:
        """Return the number of dropped samples by kind, reason and rule."""
        query = "SELECT kind, reason, rule, count(*) AS num_samples FROM drops GROUP BY ALL ORDER BY ALL"
        return [DropCount(**row) for row in self.rows(query)]

    def num_unaccounted(self) -> int:
        """Return how many samples were read that are neither kept nor dropped: another run read them since."""
        return self.number(
            "SELECT count(*) FROM read_samples s WHERE NOT s.withdrawn"
            " AND NOT EXISTS (FROM kept k WHERE k.kind = s.kind AND k.key = s.key)"
            " AND NOT EXISTS (FROM drops d WHERE d.kind = s.kind AND d.key = s.key)"
        )

    # --- samples to look at

    def drawn(self, kind: str, num_samples: int, seed: int) -> list[Row]:
        """Return kept samples of a kind drawn by lot, in the order of the lot: rows of the index."""
        return self.rows(
            "SELECT * FROM kept WHERE kind = $kind ORDER BY sha256($seed || '/' || key), key LIMIT $num",
            kind=kind,
            num=num_samples,
            seed=str(seed),
        )

    def filtered(self, rule: DropCount, num_samples: int, *, farthest: bool) -> list[Row]:
        """Return samples that a filter dropped, nearest to its limit first, or farthest from it first."""
        way = "DESC" if farthest else "ASC"
        return self.rows(
            f'{_READ}, d.value, d."limit", d.rule FROM drops d'
            " JOIN read_samples s ON s.kind = d.kind AND s.key = d.key"
            " WHERE d.kind = $kind AND d.reason = $reason AND d.rule = $rule"
            f' ORDER BY abs(d.value - d."limit") {way}, d.key LIMIT $num',
            kind=rule.kind,
            reason=rule.reason,
            rule=rule.rule,
            num=num_samples,
        )

    def copied(self, num_groups: int, num_names: int) -> list[Row]:
        """Return kept samples of which exact copies were dropped, those with most copies first."""
        return self.rows(
            f"{_READ}, c.num_dropped, c.num_sources, c.first_sources FROM"  # noqa: S608 - text of this file
            " (SELECT kind, kept_key, count(*) AS num_dropped, count(DISTINCT source) AS num_sources,"
            " min(DISTINCT source, $names) AS first_sources FROM drops"
            " WHERE reason = 'duplicate' GROUP BY ALL ORDER BY num_dropped DESC, kind, kept_key LIMIT $num) c"
            " JOIN read_samples s ON s.kind = c.kind AND s.key = c.kept_key"
            " ORDER BY c.num_dropped DESC, s.kind, s.key",
            names=num_names,
            num=num_groups,
        )

    def near_pairs(self, kind: str, num_pairs: int) -> list[NearPair]:
        """Return dropped samples of a kind and what was kept instead, those nearest to the limit first.

        The limit is where a pair begins to be one, of a distance from above and of a share from below: next to it lie
        the pairs that are most in doubt.
        """
        columns = ("key", "kind", "source", "source_sha256", "sha256", "suffix", "table", "detail")
        columns += ("unit", "blob_offset", "blob_bytes", "part_bytes", "row_group")
        two = ", ".join(f'{side}."{name}" AS {side}_{name}' for side in "sk" for name in columns)
        found = self.rows(
            f'SELECT {two}, d.value, d."limit", d.rule FROM drops d'  # noqa: S608 - text of this file
            " JOIN read_samples s ON s.kind = d.kind AND s.key = d.key"
            " JOIN read_samples k ON k.kind = d.kind AND k.key = d.kept_key"
            " WHERE d.kind = $kind AND d.reason = 'near-duplicate'"
            ' ORDER BY abs(d.value - d."limit") ASC NULLS LAST, d.key LIMIT $num',
            kind=kind,
            num=num_pairs,
        )

        def side(row: Row, letter: str) -> Row:
            return {name[2:]: value for name, value in row.items() if name.startswith(f"{letter}_")}

        return [NearPair(side(row, "s"), side(row, "k"), row["rule"], row["value"], row["limit"]) for row in found]

    # --- what was set aside, and rows as they stand

    def num_reject_groups(self) -> int:
        """Return how many groups `reject_groups` could list."""
        return self.number("SELECT count(*) FROM (SELECT DISTINCT kind, stage, form FROM formed)")

    def reject_groups(self, num_groups: int) -> list[Row]:
        """Return rejects by kind, stage and error without its numbers, the largest groups first."""
        return self.rows(
            "SELECT kind, stage, form, count(*) AS num, sum(bytes) AS num_bytes FROM formed"
            " GROUP BY kind, stage, form ORDER BY num DESC, kind, stage, form LIMIT $num",
            num=num_groups,
        )

    def rejects_of(self, group: Row, num_rows: int) -> list[RejectRow]:
        """Return the first rows of a group of rejects."""
        found = self.rows(
            "SELECT path, kind, stage, place, error, bytes FROM formed WHERE kind = $kind AND stage = $stage"
            " AND form = $form ORDER BY path, place, error LIMIT $num",
            kind=group["kind"],
            stage=group["stage"],
            form=group["form"],
            num=num_rows,
        )
        return [RejectRow(**row) for row in found]

    def _view(self, name: str, files: Iterable[Path]) -> None:
        self.run(f"CREATE VIEW {name} AS SELECT * FROM {rows_of_files(files)}")  # noqa: S608 - quoted there


UNREADABLE_TABLE: Final[tuple[type[Exception], ...]] = (OSError, pa.ArrowException)
"""What `table_rows` raises of a table that is not there, or is none."""


def table_rows(path: Path, first: int, limit: int) -> tuple[int, Iterator[Row]]:
    """Return how many rows a table of ours has, and those from `first` on, at most `limit`, a row group at a time."""
    number = int(pq.read_metadata(path).num_rows)
    return number, _some_rows(path, first, limit)


def _some_rows(path: Path, first: int, limit: int) -> Iterator[Row]:
    at = 0
    with pq.ParquetFile(path) as reader:
        for group in range(reader.num_row_groups):
            rows_here = int(reader.metadata.row_group(group).num_rows)
            begin, end = max(first - at, 0), min(first + limit - at, rows_here)
            if begin < end:
                yield from reader.read_row_group(group).slice(begin, end - begin).to_pylist()
            at += rows_here
