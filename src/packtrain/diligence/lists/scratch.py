"""Pieces of entries that lie apart in a list, gathered by key on disk: memory stays flat however long the list is.

Lists give addresses in a second file, programmes after all parties, or a row a name. The scratch is an SQLite file
without a name: the operating system forgets it with the process, nothing is left to clean up.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Final, Self

from packtrain.diligence.lists.reading import MAX_PARTS, one_line
from packtrain.errors import ListUnreadable

_BATCH: Final = 500


class Scratch:
    """Mappings of short texts, each put under a kind and a key. Use it as a context."""

    def __init__(self) -> None:
        self._connection = sqlite3.connect("", isolation_level=None)
        self._connection.executescript(
            "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -4096;"
            "CREATE TABLE pieces (id INTEGER PRIMARY KEY, kind TEXT, key TEXT, fields TEXT) STRICT;"
            "CREATE INDEX pieces_by_key ON pieces (kind, key);"
            "CREATE TABLE keys (id INTEGER PRIMARY KEY, kind TEXT, key TEXT, UNIQUE (kind, key)) STRICT;"
        )
        self._waiting: list[tuple[str, str, str]] = []

    def put(self, kind: str, key: str, fields: Mapping[str, str]) -> None:
        """Put a piece under a key, after those that are there."""
        self._waiting.append((kind, one_line(key), json.dumps(fields)))
        if len(self._waiting) >= _BATCH:
            self._write()

    def get(self, kind: str, key: str) -> list[dict[str, str]]:
        """Return the pieces under a key in the order they were put; none is an empty list.

        Raises:
            ListUnreadable: they are more than one entry can have.
        """
        self._write()
        rows = self._connection.execute(
            "SELECT fields FROM pieces WHERE kind = ? AND key = ? ORDER BY id LIMIT ?",
            (kind, one_line(key), MAX_PARTS + 1),
        ).fetchall()
        if len(rows) > MAX_PARTS:
            raise ListUnreadable(f"entry {key[:64]} has too many rows", expected=f"at most {MAX_PARTS}")
        return [json.loads(fields) for (fields,) in rows]

    def has(self, kind: str, key: str) -> bool:
        """Return whether anything was put under a key."""
        self._write()
        row = self._connection.execute(
            "SELECT 1 FROM keys WHERE kind = ? AND key = ?", (kind, one_line(key))
        ).fetchone()
        return row is not None

    def keys(self, kind: str) -> Iterator[str]:
        """Yield the keys of a kind in the order they first came; nothing may be put meanwhile."""
        self._write()
        for (key,) in self._connection.execute("SELECT key FROM keys WHERE kind = ? ORDER BY id", (kind,)):
            yield key

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def _write(self) -> None:
        if not self._waiting:
            return
        self._connection.execute("BEGIN")
        self._connection.executemany("INSERT INTO pieces (kind, key, fields) VALUES (?, ?, ?)", self._waiting)
        self._connection.executemany(
            "INSERT OR IGNORE INTO keys (kind, key) VALUES (?, ?)", ((kind, key) for kind, key, _ in self._waiting)
        )
        self._connection.execute("COMMIT")
        self._waiting.clear()
