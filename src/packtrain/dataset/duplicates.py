"""The global step between the two passes, on metadata alone: exact duplicates and the order of all samples.

DuckDB does it, since it spills to disk what does not fit into memory: 100 million samples are about 50 GB of metadata.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import duckdb

_BATCH_ROWS: Final = 8192
_MEMORY: Final = "2GB"


class SampleTable:
    """All samples of all units, in the order of kind and key. Use it as a context.

    Of samples of one kind with one SHA-256 the first in that order is kept.

    Args:
        files: the units' tables of samples.
        folder: for what does not fit into memory; emptied at the end.
    """

    def __init__(self, files: Sequence[Path], folder: Path) -> None:
        self._files = [str(file) for file in files]
        self._folder = folder
        self._connection: duckdb.DuckDBPyConnection | None = None

    def __enter__(self) -> Self:
        self._folder.mkdir(parents=True, exist_ok=True)
        self._connection = duckdb.connect(
            ":memory:",
            config={
                "memory_limit": _MEMORY,
                "temp_directory": str(self._folder),
                "autoinstall_known_extensions": "false",
                "autoload_known_extensions": "false",
                "allow_community_extensions": "false",
            },
        )
        self._connection.execute(
            "CREATE TABLE firsts AS SELECT kind, sha256, min(key) AS kept_key, count(*) AS num FROM"
            " read_parquet($files) GROUP BY kind, sha256",
            {"files": self._files},
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._connection is not None
        self._connection.close()
        for left in self._folder.glob("duckdb_temp*"):
            left.unlink(missing_ok=True)

    def kept(self) -> Iterator[dict[str, Any]]:
        """Yield the rows of samples that are kept, ordered by kind, table and key."""
        yield from self._rows(
            "SELECT s.* FROM read_parquet($files) s JOIN firsts f ON f.kept_key = s.key AND f.kind = s.kind"
            ' AND f.sha256 = s.sha256 ORDER BY s.kind, s."table", s.key'
        )

    def dropped(self) -> Iterator[dict[str, Any]]:
        """Yield key, kind, source and digest of each duplicate, and which sample of which source was kept instead."""
        yield from self._rows(
            "WITH suspects AS (SELECT * FROM firsts WHERE num > 1), samples AS (SELECT key, kind, source, sha256"
            " FROM read_parquet($files))"
            " SELECT s.key, s.kind, s.source, s.sha256, f.kept_key, k.source AS kept_source FROM samples s"
            " JOIN suspects f ON f.kind = s.kind AND f.sha256 = s.sha256 JOIN samples k ON k.key = f.kept_key"
            " WHERE s.key <> f.kept_key ORDER BY s.kind, s.key"
        )

    def counts(self) -> Mapping[str, tuple[int, int]]:
        """Return for each kind how many samples are kept and how many are duplicates."""
        return {
            kind: (int(kept), int(duplicates))
            for kind, kept, duplicates in self._open()
            .execute("SELECT kind, count(*), sum(num) - count(*) FROM firsts GROUP BY kind ORDER BY kind")
            .fetchall()
        }

    def suffixes(self) -> Mapping[str, list[str]]:
        """Return for each kind the endings of the media members that are kept, sorted."""
        found: dict[str, list[str]] = {}
        for kind, suffix in (
            self._open()
            .execute(
                "SELECT DISTINCT s.kind, s.suffix FROM read_parquet($files) s JOIN firsts f ON f.kept_key = s.key"
                " AND f.kind = s.kind AND f.sha256 = s.sha256 WHERE s.suffix <> '' ORDER BY s.kind, s.suffix",
                {"files": self._files},
            )
            .fetchall()
        ):
            found.setdefault(kind, []).append(suffix)
        return found

    def _rows(self, query: str) -> Iterator[dict[str, Any]]:
        relation = self._open().cursor().sql(query, params={"files": self._files})
        for batch in relation.to_arrow_reader(_BATCH_ROWS):
            yield from batch.to_pylist()

    def _open(self) -> duckdb.DuckDBPyConnection:
        assert self._connection is not None
        return self._connection
