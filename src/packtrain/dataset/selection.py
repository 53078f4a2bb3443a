"""The global step between the two passes, on metadata alone: which samples are kept, on which side, in which order.

DuckDB does it, since it spills to disk what does not fit into memory: 100 million samples are about 50 GB of metadata.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import duckdb

from packtrain.dataset.database import open_database, remove_spilled, rows_of_files
from packtrain.dataset.kinds.registry import KIND_NAMES, near_method
from packtrain.dataset.reasons import DUPLICATE, EQUAL, FILTER, GONE, WITHDRAWN
from packtrain.documents.dataset import Kind
from packtrain.documents.recipe import FilterSection, RecipeSection
from packtrain.units import GIB

_BATCH_ROWS: Final = 8192
_MEMORY_BYTES: Final = 2 * GIB
_GROUP: Final = {
    "source": "source",
    "folder": "regexp_replace(source, '/[^/]*$', '')",
    "sample": "source || '/' || key",
}


@dataclass(frozen=True, slots=True)
class Count:
    """How many samples of one kind and split there are, or were dropped for one reason."""

    kind: str
    name: str
    num_samples: int


class Selection:
    """All samples of all units, and what becomes of each. Use it as a context, and call `settle` first.

    A sample is dropped by the first of these that holds: it was withdrawn, a filter of the recipe leaves it out, one
    with the same digest comes before it (in the order of kind and key), or one that looks like it is kept instead. What
    was withdrawn goes on dropping what equals it, also what had been kept in its stead: no sample comes in because
    another was taken out, and no bytes stay under another name. Of equal samples the first holds the place.

    Args:
        files: the units' tables of samples, and that of withdrawn ones.
        folder: for what does not fit into memory; emptied at the end.
        recipe: filters, distances, splits.

    Attributes:
        num_bounded: crowds of samples that look alike of which not every pair was compared; see `PairFinder`.
        num_unnamed: samples whose source `group_pattern` does not match; None where there is no such pattern.
    """

    def __init__(self, files: Sequence[Path], folder: Path, recipe: RecipeSection) -> None:
        self._files = list(files)
        self._folder = folder
        self._recipe = recipe
        self.num_bounded = 0
        self.num_unnamed: int | None = None
        self._connection: duckdb.DuckDBPyConnection | None = None

    def __enter__(self) -> Self:
        self._folder.mkdir(parents=True, exist_ok=True)
        self._connection = open_database(_MEMORY_BYTES, self._folder)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._connection is not None
        self._connection.close()
        remove_spilled(self._folder)

    def settle(self) -> None:
        """Decide about every sample; what the other methods return is known after it."""
        self._run(f"CREATE VIEW samples AS SELECT * FROM {rows_of_files(self._files)}")  # noqa: S608 - quoted there
        self._run(
            "CREATE TABLE dropped (kind VARCHAR, key VARCHAR, reason VARCHAR, rule VARCHAR, value DOUBLE,"
            ' "limit" DOUBLE, kept_key VARCHAR)'
        )
        # What may still be kept. What was withdrawn takes part in every comparison, and is never a sample.
        self._run(
            "CREATE VIEW remaining AS"
            " SELECT s.* FROM samples s ANTI JOIN dropped d ON d.kind = s.kind AND d.key = s.key"
        )
        for rule in self._recipe.filter:
            self._filter(rule)
        self._drop_duplicates()
        self._name_parts()
        self._run("CREATE TABLE joined (part VARCHAR, root VARCHAR)")
        compared: list[tuple[Kind, str]] = [
            (kind, method) for kind in KIND_NAMES if (method := near_method(self._recipe, kind))
        ]
        if compared:
            from packtrain.dataset.near_selection import compare

            self.num_bounded = compare(self._open(), compared, self._recipe.near_duplicates, self._folder)
            # A copy of what then was dropped for looking like another is not kept in its shape either: it goes with it.
            self._run(
                'UPDATE dropped SET reason = n.reason, rule = n.rule, value = n.value, "limit" = n."limit",'
                " kept_key = n.kept_key FROM dropped n WHERE dropped.reason = $duplicate AND n.kind = dropped.kind"
                " AND n.key = dropped.kept_key",
                duplicate=DUPLICATE,
            )
        self._assign_splits()

    # --- what is dropped

    def _filter(self, rule: FilterSection) -> None:
        for limit, sign, words in ((rule.min, 1, "at least"), (rule.max, -1, "at most")):
            if limit is None:
                continue
            self._run(
                # A withdrawn one too: it had no place in a shard, and holds none.
                "INSERT INTO dropped SELECT s.kind, s.key, CASE WHEN s.withdrawn THEN $withdrawn ELSE $reason END,"
                " CASE WHEN s.withdrawn THEN $gone ELSE $rule END, CASE WHEN NOT s.withdrawn THEN s.measures[$measure]"
                " END, CASE WHEN NOT s.withdrawn THEN $limit END, ''"
                " FROM remaining s WHERE s.kind = $kind AND s.measures[$measure] * $sign < $limit * $sign",
                sign=sign,
                reason=FILTER,
                withdrawn=WITHDRAWN,
                gone=GONE,
                rule=f"{rule.measure} {words} {limit:.15g}",
                measure=rule.measure,
                limit=float(limit),
                kind=rule.kind,
            )

    def _drop_duplicates(self) -> None:
        self._run(
            "CREATE TABLE firsts AS SELECT kind, sha256, kept_key, withdrawn FROM"
            " (SELECT kind, sha256, min(key) AS kept_key, bool_or(withdrawn) AS withdrawn, count(*) AS num"
            " FROM remaining GROUP BY kind, sha256) WHERE num > 1"
        )
        # The first of equal ones holds its place, whichever of them was withdrawn: it was the one that was kept.
        self._run("CREATE TABLE held AS SELECT kind, kept_key AS key FROM firsts WHERE withdrawn")
        # `gone`: why a sample that holds a place is in no shard; null of those that are kept.
        self._run(
            "CREATE VIEW standing AS"  # noqa: S608 - words of ours
            f" SELECT s.*, CASE WHEN s.withdrawn THEN '{GONE}' WHEN h.key IS NOT NULL THEN '{EQUAL}' END AS gone"
            " FROM remaining s LEFT JOIN held h ON h.kind = s.kind AND h.key = s.key"
        )
        self._run(
            "INSERT INTO dropped SELECT s.kind, s.key, CASE WHEN f.withdrawn THEN $withdrawn ELSE $duplicate END,"
            " CASE WHEN s.withdrawn THEN $gone WHEN f.withdrawn THEN $equal ELSE 'same bytes' END, NULL, NULL,"
            " CASE WHEN f.withdrawn THEN '' ELSE f.kept_key END FROM remaining s"
            " JOIN firsts f ON f.kind = s.kind AND f.sha256 = s.sha256 WHERE s.key <> f.kept_key",
            withdrawn=WITHDRAWN,
            duplicate=DUPLICATE,
            gone=GONE,
            equal=EQUAL,
        )

    # --- on which side

    def _name_parts(self) -> None:
        """Make the view that says for each sample to which group it belongs before any comparison."""
        splits = self._recipe.splits
        part = _GROUP[splits.group_by or "source"]
        if splits.group_pattern is not None:
            pattern = "'" + splits.group_pattern.replace("'", "''") + "'"
            named = f"regexp_extract(source, {pattern}, 1)"
            part = f"CASE WHEN {named} <> '' THEN '=' || {named} ELSE source END"
            unnamed = self._open().execute(f"SELECT count(*) FROM samples WHERE {named} = ''")  # noqa: S608 - as below
            self.num_unnamed = int(unnamed.fetchall()[0][0])
        self._run(f"CREATE VIEW parts AS SELECT kind, key, {part} AS part FROM samples")  # noqa: S608 - quoted above

    def _assign_splits(self) -> None:
        # 13 digits of a SHA-256 as a number in [0, 1): the same on every machine, and a group's own: another group that
        # comes or goes moves none from its side.
        self._run(
            "CREATE TABLE side AS SELECT kind, key, CASE WHEN draw < $validation THEN 'validation'"
            " WHEN draw < $validation + $test THEN 'test' ELSE 'train' END AS split FROM (SELECT p.kind, p.key,"
            " ('0x' || substr(sha256($seed || '/' || coalesce(j.root, p.part)), 1, 13))::BIGINT / 4503599627370496.0"
            " AS draw FROM parts p SEMI JOIN remaining r ON r.kind = p.kind AND r.key = p.key"
            " LEFT JOIN joined j ON j.part = p.part)",
            seed=str(self._recipe.seed),
            validation=self._recipe.splits.validation,
            test=self._recipe.splits.test,
        )

    def groups(self) -> tuple[int, float]:
        """Return how many groups the kept samples are in, and the share of samples in the largest of them, 0 to 1."""
        row = self._run(
            "SELECT count(*), coalesce(max(num) / sum(num), 0) FROM (SELECT coalesce(j.root, p.part) AS part,"
            " count(*) AS num FROM parts p SEMI JOIN (FROM standing WHERE gone IS NULL) s ON s.kind = p.kind"
            " AND s.key = p.key LEFT JOIN joined j ON j.part = p.part GROUP BY ALL)"
        ).fetchall()[0]
        return int(row[0]), float(row[1])

    # --- what came of it

    def kept(self) -> Iterator[dict[str, Any]]:
        """Yield the rows of samples that are kept, each with its split; ordered by kind, split, table and key.

        Rows that are `withdrawn` are among them: they hold their place in a shard and are written nowhere.
        """
        yield from self._rows(
            "SELECT s.* EXCLUDE (gone) REPLACE (gone IS NOT NULL AS withdrawn), side.split FROM standing s"
            " JOIN side ON side.kind = s.kind AND side.key = s.key"
            ' ORDER BY s.kind, side.split, s."table", s.key'
        )

    def dropped(self) -> Iterator[dict[str, Any]]:
        """Yield a row of drops.parquet for each sample that was read and is not kept, ordered by kind and key."""
        yield from self._rows(
            'SELECT s.key, s.kind, s.source, s.source_sha256, s.sha256, d.reason, d.rule, d.value, d."limit",'
            " d.kept_key, coalesce(k.source, '') AS kept_source FROM samples s"
            " JOIN dropped d ON d.kind = s.kind AND d.key = s.key"
            " LEFT JOIN samples k ON k.kind = s.kind AND k.key = d.kept_key"
            " UNION ALL BY NAME SELECT key, kind, source, source_sha256, sha256, $withdrawn AS reason, gone AS rule,"
            " NULL::DOUBLE AS value, NULL::DOUBLE AS \"limit\", '' AS kept_key, '' AS kept_source FROM standing"
            " WHERE gone IS NOT NULL ORDER BY kind, key",
            withdrawn=WITHDRAWN,
        )

    def splits(self) -> list[Count]:
        """Return how many samples are kept, by kind and split."""
        return self._counts(
            "SELECT s.kind, side.split, count(*) FROM standing s JOIN side ON side.kind = s.kind AND side.key = s.key"
            " WHERE s.gone IS NULL GROUP BY ALL ORDER BY ALL"
        )

    def drops(self) -> list[Count]:
        """Return how many samples were dropped, by kind and reason."""
        return self._counts(
            "SELECT kind, reason, count(*) FROM (SELECT kind, reason FROM dropped UNION ALL"
            " SELECT kind, $withdrawn FROM standing WHERE gone IS NOT NULL) GROUP BY ALL ORDER BY ALL",
            withdrawn=WITHDRAWN,
        )

    def suffixes(self) -> dict[str, list[str]]:
        """Return by kind the endings of the media members that are kept, sorted."""
        found: dict[str, list[str]] = {}
        for kind, suffix in self._run(
            "SELECT DISTINCT kind, suffix FROM standing WHERE gone IS NULL AND suffix <> '' ORDER BY ALL"
        ).fetchall():
            found.setdefault(kind, []).append(suffix)
        return found

    def _counts(self, query: str, **parameters: object) -> list[Count]:
        return [Count(kind, name, int(number)) for kind, name, number in self._run(query, **parameters).fetchall()]

    def _rows(self, query: str, **parameters: object) -> Iterator[dict[str, Any]]:
        relation = self._open().cursor().sql(query, params=parameters)
        for batch in relation.to_arrow_reader(_BATCH_ROWS):
            yield from batch.to_pylist()

    def _run(self, query: str, **parameters: object) -> duckdb.DuckDBPyConnection:
        return self._open().execute(query, parameters)

    def _open(self) -> duckdb.DuckDBPyConnection:
        assert self._connection is not None
        return self._connection


def totals(counts: Iterable[Count], name: str) -> dict[str, int]:
    """Return by kind the number of those counts that have this name."""
    return {count.kind: count.num_samples for count in counts if count.name == name}
