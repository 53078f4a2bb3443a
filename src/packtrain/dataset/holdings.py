"""What a prepared data set holds of some sources: asked of its tables alone, no shard is opened."""

from __future__ import annotations

import fnmatch
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from packtrain.dataset.database import open_database, rows_of_files
from packtrain.units import GIB

_BATCH_ROWS: Final = 8192
_MEMORY_BYTES: Final = 2 * GIB
_TABLES: Final = ("index", "drops", "rejects", "sources")
_AS_IN_THE_INDEX: Final = 'ORDER BY i.kind, i.shard, i."offset", i.key'
"""A join leaves rows in no order, or in one that threads decide."""


@dataclass(frozen=True, slots=True)
class KnownSource:
    """A source as sources.parquet has it; the digest is None where it was never read."""

    name: str
    kind: str
    num_bytes: int
    sha256: str | None
    num_samples: int
    licence: str


class Holdings:
    """The tables of a data set's folder, to be asked; one that is not there has no rows. Use it as a context."""

    def __init__(self, root: Path) -> None:
        self._connection = open_database(_MEMORY_BYTES, None)
        self._has: set[str] = set()
        for name in _TABLES:
            path = root / f"{name}.parquet"
            if path.is_file():
                self._has.add(name)
                self._connection.execute(f"CREATE VIEW {name} AS SELECT * FROM {rows_of_files([path])}")  # noqa: S608

    def __enter__(self) -> Holdings:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the tables."""
        self._connection.close()

    def sources(self) -> Iterator[KnownSource]:
        """Yield every source that was read, in the order of sources.parquet."""
        for row in self._rows("sources", "SELECT * FROM sources"):
            yield KnownSource(
                row["path"], row["kind"], row["bytes"], row["sha256"] or None, row["samples"], row["licence"]
            )

    def choose(self, names: Collection[str]) -> None:
        """Ask from now on about these sources."""
        self._connection.execute("CREATE OR REPLACE TABLE chosen (source VARCHAR)")
        if names:
            self._connection.execute("INSERT INTO chosen SELECT unnest($names)", {"names": sorted(names)})

    def samples(self) -> Iterator[dict[str, Any]]:
        """Yield the rows of the index that are of the chosen sources, in its order."""
        query = f"SELECT i.* FROM index i SEMI JOIN chosen c ON c.source = i.source {_AS_IN_THE_INDEX}"  # noqa: S608
        yield from self._rows("index", query)

    def equals(self) -> Iterator[dict[str, Any]]:
        """Yield the rows of the index that are of other sources and the same bytes as a sample of the chosen ones."""
        if "drops" in self._has:
            own = (
                "SELECT kind, sha256 FROM index i SEMI JOIN chosen c ON c.source = i.source UNION"
                " SELECT kind, sha256 FROM drops d SEMI JOIN chosen c ON c.source = d.source"
            )
            yield from self._rows(
                "index",
                f"SELECT i.* FROM index i SEMI JOIN ({own}) o ON o.kind = i.kind AND o.sha256 = i.sha256"  # noqa: S608
                f" ANTI JOIN chosen c ON c.source = i.source {_AS_IN_THE_INDEX}",
            )

    def drops(self) -> Iterator[dict[str, Any]]:
        """Yield the rows of drops.parquet that are of the chosen sources."""
        yield from self._rows(
            "drops", "SELECT d.* FROM drops d SEMI JOIN chosen c ON c.source = d.source ORDER BY d.kind, d.key"
        )

    def dropped_for(self) -> Iterator[dict[str, Any]]:
        """Yield the drops of other sources for which a sample of the chosen ones was kept instead."""
        yield from self._rows(
            "drops",
            "SELECT d.* FROM drops d SEMI JOIN chosen c ON c.source = d.kept_source"
            " ANTI JOIN chosen o ON o.source = d.source ORDER BY d.kind, d.key",
        )

    def rejects(self) -> Iterator[dict[str, Any]]:
        """Yield the rejects of the chosen sources."""
        yield from self._rows(
            "rejects",
            "SELECT r.* FROM rejects r SEMI JOIN chosen c ON c.source = r.path ORDER BY r.path, r.place, r.error",
        )

    def sample(self, key: str) -> dict[str, Any] | None:
        """Return the row of the index with this key, or None."""
        return next(self._rows("index", "SELECT * FROM index WHERE key = $key", key=key), None)

    def drop(self, key: str) -> dict[str, Any] | None:
        """Return the row of drops.parquet with this key, or None."""
        return next(self._rows("drops", "SELECT * FROM drops WHERE key = $key", key=key), None)

    def _rows(self, table: str, query: str, **parameters: object) -> Iterator[dict[str, Any]]:
        if table not in self._has:
            return
        relation = self._connection.cursor().sql(query, params=parameters)
        for batch in relation.to_arrow_reader(_BATCH_ROWS):
            yield from batch.to_pylist()


def is_at_or_below(name: str, asked: str) -> bool:
    """Return whether a source is the one that is asked for, or lies in the folder that is."""
    return name == asked or name.startswith(f"{asked.rstrip('/')}/")


def matches(name: str, asked: str) -> bool:
    """Return whether a source is meant: by its name, a folder above it, or a pattern with `*`, `?` or `[...]`."""
    return is_at_or_below(name, asked) or fnmatch.fnmatchcase(name, asked)
