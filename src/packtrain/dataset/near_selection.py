"""The comparison of samples by their fingerprints, in the global step: who is dropped, which groups hang together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import duckdb
import numpy as np
import pyarrow as pa

from packtrain.dataset.near.fingerprint import Method
from packtrain.dataset.near.groups import NearGroups
from packtrain.dataset.near.pairs import DEFAULT_THRESHOLDS, PairFinder
from packtrain.dataset.near.trees import Trees
from packtrain.dataset.reasons import ALIKE, NEAR_DUPLICATE, WITHDRAWN
from packtrain.documents.dataset import Kind
from packtrain.documents.recipe import NearDuplicatesSection

_BATCH_ROWS: Final = 8192


def compare(
    connection: duckdb.DuckDBPyConnection,
    compared: Sequence[tuple[Kind, str]],
    asked: NearDuplicatesSection,
    folder: Path,
) -> int:
    """Add near-duplicates to the table `dropped` if the recipe drops them, and fill `joined` with groups that are one.

    Of samples that are alike the one with most pixels is kept, and of equally large ones that with the smallest key.
    Withdrawn ones are among them as they were before: one that was kept holds its place and keeps out what looks like
    it, one that had been dropped holds none, and what was kept in its stead stays.

    Args:
        connection: with the tables and views of `Selection`.
        compared: kinds, and how each is compared.
        folder: for what does not fit into memory; emptied at the end.

    Returns:
        How many crowds of fingerprints were so large that not every pair in them was looked at.
    """
    num_bounded = 0
    connection.execute("CREATE TABLE edges (one VARCHAR, other VARCHAR)")
    for kind, name in compared:
        method, threshold, rule = _measure(kind, name, asked)
        # The order is the preference, see `NearGroups`.
        connection.execute(
            "CREATE OR REPLACE TABLE numbered AS SELECT row_number() OVER (ORDER BY"
            " coalesce(measures['width_pixels'] * measures['height_pixels'], 0) DESC, key) - 1 AS number, kind, key,"
            " gone, fingerprint FROM standing WHERE kind = $kind AND octet_length(fingerprint) > 0",
            {"kind": kind},
        )
        num_rows = _number(connection, "SELECT count(*) FROM numbered")
        with (
            PairFinder(method, folder / "pairs", threshold) as finder,
            NearGroups(num_rows, folder / "groups") as groups,
        ):
            finder.add(_fingerprints(connection))
            for pairs in finder.pairs():
                groups.add(pairs)
            num_bounded += finder.num_bounded
            if asked.drop:
                _drop(connection, groups, rule, threshold, in_common=kind != "image")
            _join(connection, groups)
        _join_copies(connection, kind)
    _unite(connection)
    return num_bounded


def _measure(kind: Kind, name: str, asked: NearDuplicatesSection) -> tuple[Method, float, str]:
    """Return the method, its threshold, and the rule in words for drops.parquet."""
    if kind == "image":
        method: Method = "phash" if name == "phash" else "pdq"
        threshold = DEFAULT_THRESHOLDS[method] if asked.image_distance is None else float(asked.image_distance)
        return method, threshold, f"{method} at most {threshold:g} bits apart"
    if kind == "clip":
        return "frames", asked.clip_share, f"{asked.clip_share:g} of the frames alike"
    return "minhash", asked.table_share, f"{asked.table_share:g} of the cells in common"


def _fingerprints(connection: duckdb.DuckDBPyConnection) -> Iterator[tuple[int, bytes]]:
    ordered = connection.cursor().sql("SELECT number, fingerprint FROM numbered ORDER BY number")
    for batch in ordered.to_arrow_reader(_BATCH_ROWS):
        yield from zip(batch.column(0).to_pylist(), batch.column(1).to_pylist(), strict=True)


def _drop(
    connection: duckdb.DuckDBPyConnection, groups: NearGroups, rule: str, threshold: float, *, in_common: bool
) -> None:
    """Add who is dropped; `in_common`: the threshold is a share of what both have, a distance what they have not."""
    connection.execute("CREATE OR REPLACE TABLE near_rows (number BIGINT, kept BIGINT, distance DOUBLE)")
    for block in groups.dropped():
        distances = block.distance.astype(np.float64)
        values = np.round(1 - distances, 6) if in_common else distances
        table = pa.table({"number": block.row, "kept": block.kept, "distance": values})
        connection.from_arrow(table).insert_into("near_rows")
    connection.execute(
        "INSERT INTO dropped SELECT n.kind, n.key,"
        " CASE WHEN coalesce(n.gone, k.gone) IS NOT NULL THEN $withdrawn ELSE $near END,"
        " CASE WHEN n.gone IS NOT NULL THEN n.gone WHEN k.gone IS NOT NULL THEN $alike ELSE $rule END,"
        " CASE WHEN n.gone IS NULL THEN r.distance END, CASE WHEN n.gone IS NULL THEN $limit END,"
        " CASE WHEN coalesce(n.gone, k.gone) IS NOT NULL THEN '' ELSE k.key END"
        " FROM near_rows r JOIN numbered n ON n.number = r.number JOIN numbered k ON k.number = r.kept",
        {"withdrawn": WITHDRAWN, "near": NEAR_DUPLICATE, "alike": ALIKE, "rule": rule, "limit": threshold},
    )


def _join(connection: duckdb.DuckDBPyConnection, groups: NearGroups) -> None:
    """Note which groups have samples that are alike, be they kept or not."""
    roots = groups.components()
    numbers = np.flatnonzero(roots != np.arange(len(roots)))
    connection.execute("CREATE OR REPLACE TABLE hanging (number BIGINT, root BIGINT)")
    connection.from_arrow(pa.table({"number": numbers, "root": roots[numbers]})).insert_into("hanging")
    connection.execute(
        "INSERT INTO edges SELECT DISTINCT least(p.part, q.part), greatest(p.part, q.part) FROM hanging h"
        " JOIN numbered n ON n.number = h.number JOIN numbered m ON m.number = h.root"
        " JOIN parts p ON p.kind = n.kind AND p.key = n.key JOIN parts q ON q.kind = m.kind AND q.key = m.key"
        " WHERE p.part <> q.part"
    )


def _join_copies(connection: duckdb.DuckDBPyConnection, kind: Kind) -> None:
    """Note which groups have samples that are the same bytes; all but the first of them are dropped already."""
    connection.execute(
        "INSERT INTO edges SELECT DISTINCT least(p.part, q.part), greatest(p.part, q.part) FROM firsts f"
        " JOIN samples s ON s.kind = f.kind AND s.sha256 = f.sha256 AND s.key <> f.kept_key"
        " JOIN parts p ON p.kind = s.kind AND p.key = s.key JOIN parts q ON q.kind = f.kind AND q.key = f.kept_key"
        " WHERE f.kind = $kind AND p.part <> q.part",
        {"kind": kind},
    )


def _unite(connection: duckdb.DuckDBPyConnection) -> None:
    """Fill `joined`: for each group that hangs together with another, the one whose name comes first."""
    connection.execute(
        "CREATE TABLE ends AS SELECT part, row_number() OVER (ORDER BY part) - 1 AS number FROM"
        " (SELECT one AS part FROM edges UNION SELECT other FROM edges)"
    )
    trees = Trees(_number(connection, "SELECT count(*) FROM ends"))
    ordered = connection.cursor().sql(
        "SELECT a.number, b.number FROM edges JOIN ends a ON a.part = one JOIN ends b ON b.part = other ORDER BY 1, 2"
    )
    for batch in ordered.to_arrow_reader(_BATCH_ROWS):
        one, other = (batch.column(number).to_numpy(zero_copy_only=False) for number in (0, 1))
        trees.unite(one, other)
    roots = trees.components()
    connection.execute("CREATE TABLE rooted (number BIGINT, root BIGINT)")
    connection.from_arrow(pa.table({"number": np.arange(len(trees)), "root": roots})).insert_into("rooted")
    connection.execute(
        "INSERT INTO joined SELECT e.part, f.part FROM rooted r JOIN ends e ON e.number = r.number"
        " JOIN ends f ON f.number = r.root"
    )


def _number(connection: duckdb.DuckDBPyConnection, query: str) -> int:
    row = connection.execute(query).fetchone()
    assert row is not None
    return int(row[0])
