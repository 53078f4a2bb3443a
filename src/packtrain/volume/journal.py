"""The journal of one attempt: the packing list, and which stripes are on the drives. A killed pack goes on from it.

It lies in the voyage folder of the machine that packs, never on a drive: it holds names in the clear.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, cast

from packtrain import durable
from packtrain.errors import DriveFailed, DriveFull, IntegrityError, SourceUnreadable
from packtrain.ports import Readback
from packtrain.volume import catalog
from packtrain.volume.assignment import Piece, Placed
from packtrain.volume.cargo import CargoEntry

_SCHEMA: Final = """
CREATE TABLE about (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE files (id INTEGER PRIMARY KEY, path BLOB NOT NULL UNIQUE, source BLOB NOT NULL, kind TEXT NOT NULL,
    bytes INTEGER NOT NULL, mode INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, link BLOB, known_sha256 TEXT,
    sha256 TEXT, changed TEXT, packing_group INTEGER NOT NULL);
CREATE INDEX files_changed ON files (changed) WHERE changed IS NOT NULL;
CREATE TABLE pieces (id INTEGER PRIMARY KEY, file INTEGER NOT NULL, number INTEGER NOT NULL, count INTEGER NOT NULL,
    packing_group INTEGER NOT NULL, stripe INTEGER NOT NULL, volume_column INTEGER NOT NULL,
    tar_offset INTEGER NOT NULL, file_offset INTEGER NOT NULL, bytes INTEGER NOT NULL);
CREATE INDEX pieces_of_volume ON pieces (packing_group, stripe, volume_column, id);
CREATE TABLE written (packing_group INTEGER, stripe INTEGER, volume_column INTEGER, bytes INTEGER NOT NULL,
    sha256 TEXT NOT NULL, blocks_sha256 TEXT NOT NULL, readback TEXT NOT NULL,
    PRIMARY KEY (packing_group, stripe, volume_column));
CREATE TABLE drives (uuid TEXT NOT NULL, name TEXT NOT NULL, value BLOB NOT NULL, PRIMARY KEY (uuid, name));
"""
_FILE: Final = "journal.sqlite"
_BATCH_ROWS: Final = 1000
_COLUMNS: Final = "f.path, f.source, f.kind, f.bytes, f.mode, f.mtime_ns, f.known_sha256, f.link"


@contextmanager
def _faults(where: str) -> Iterator[None]:
    """Turn what SQLite says of the journal's file into messages."""
    try:
        yield
    except sqlite3.IntegrityError:
        raise  # of the rows, not of the file: a name given twice
    except sqlite3.DatabaseError as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code == sqlite3.SQLITE_FULL:
            raise DriveFull(
                "no space left for the journal and catalog of packing",
                where=where,
                hint="make room, then run the same command again: it goes on where it stopped",
            ) from error
        if code in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
            raise IntegrityError(
                f"journal of packing is damaged: {error}",
                where=where,
                hint="bring its folder back from a backup; or remove the folder, and empty the drives, to pack anew",
            ) from error
        raise DriveFailed(
            f"journal of packing cannot be used: {error}",
            where=where,
            hint="look for room and errors on the disk of the voyage folder, then run the same command again",
        ) from error


class _Connection(sqlite3.Connection):
    """A connection whose faults are messages."""

    def __init__(self, path: Path, **options: Any) -> None:
        with _faults(str(path)):
            super().__init__(path, **options)
        self._where = str(path)

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        with _faults(self._where):
            return super().execute(sql, parameters)

    def executemany(self, sql: str, parameters: Iterable[Any], /) -> sqlite3.Cursor:
        with _faults(self._where):
            return super().executemany(sql, parameters)

    def executescript(self, sql_script: str, /) -> sqlite3.Cursor:
        with _faults(self._where):
            return super().executescript(sql_script)


@dataclass(frozen=True, slots=True)
class WrittenVolume:
    """One finished volume, as group.json will name it; a missing column of the last stripe has 0 bytes."""

    stripe: int
    column: int
    bytes: int
    sha256: str
    blocks_sha256: str
    readback: Readback


@dataclass(frozen=True, slots=True)
class PieceToWrite:
    """One tar member to be written: the entry, its number in the journal, and the piece."""

    file_id: int
    entry: CargoEntry
    piece: Piece


class Journal:
    """The journal in a folder; make the folder's attempt its name. Safe to use from several threads.

    Args:
        folder: made if it is not there.

    Raises:
        DriveFull: from every call that writes: no space is left where the folder lies.
        IntegrityError: from every call: the journal is damaged.
        DriveFailed: from every call: the file system cannot read or write it.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._lock = threading.Lock()
        # An autocommit connection with explicit transactions; writers take turns by the lock, readers have their own.
        self._connection = sqlite3.connect(
            folder / _FILE, isolation_level=None, check_same_thread=False, factory=_Connection
        )
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=FULL")
        if self._connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0] == 0:
            self._connection.executescript(f"BEGIN; {_SCHEMA} COMMIT;")

    def close(self) -> None:
        """Close the database."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # --- facts about the attempt and its drives ----------------------------------------------------------------

    def fact(self, name: str) -> str | None:
        """Return a stored fact, or None."""
        row = self._connection.execute("SELECT value FROM about WHERE name = ?", (name,)).fetchone()
        return None if row is None else str(row[0])

    def keep_fact(self, name: str, value: str) -> str:
        """Store a fact unless it is there already; return what is stored."""
        with self._transaction(f"fact {name}"):
            self._connection.execute("INSERT OR IGNORE INTO about VALUES (?, ?)", (name, value))
        stored = self.fact(name)
        assert stored is not None
        return stored

    def drive_fact(self, uuid: str, name: str) -> bytes | None:
        """Return a stored fact about a drive, or None."""
        row = self._connection.execute("SELECT value FROM drives WHERE uuid = ? AND name = ?", (uuid, name)).fetchone()
        return None if row is None else bytes(row[0])

    def set_drive_facts(self, uuid: str, facts: dict[str, bytes]) -> None:
        """Store facts about a drive, together."""
        with self._transaction(f"drive {'+'.join(facts)}"):
            self._connection.executemany(
                "INSERT OR REPLACE INTO drives VALUES (?, ?, ?)", [(uuid, name, value) for name, value in facts.items()]
            )

    def forget_drive_facts(self, uuid: str, *names: str) -> None:
        """Remove facts about a drive."""
        with self._transaction("drive forgotten"):
            self._connection.executemany("DELETE FROM drives WHERE uuid = ? AND name = ?", [(uuid, n) for n in names])

    # --- the packing list --------------------------------------------------------------------------------------

    def has_list(self) -> bool:
        """Return whether the packing list is complete."""
        return self.fact("listed") is not None

    def write_list(self, placed: Iterable[Placed], facts: dict[str, str]) -> None:
        """Write the whole packing list, in one transaction.

        Raises:
            SourceUnreadable: two entries have the same name.
        """
        with self._transaction("packing list"):
            for number, item in enumerate(placed, 1):
                entry = item.entry
                try:
                    self._connection.execute(
                        "INSERT INTO files VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, NULL, NULL, ?)",
                        (
                            number,
                            entry.name,
                            os.fsencode(entry.source),
                            entry.kind,
                            entry.size_bytes,
                            entry.mode,
                            entry.mtime_ns,
                            entry.link_target,
                            entry.sha256,
                            item.group,
                        ),
                    )
                except sqlite3.IntegrityError as error:
                    raise SourceUnreadable(
                        "two sources have the same name on the shipment",
                        where=str(entry.source),
                        found=os.fsdecode(entry.name),
                        hint="give the folders they come from different prefixes",
                    ) from error
                self._connection.executemany(
                    "INSERT INTO pieces (file, number, count, packing_group, stripe, volume_column, tar_offset, "
                    "file_offset, bytes) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    [
                        (
                            number,
                            p.number,
                            p.count,
                            item.group,
                            p.stripe,
                            p.column,
                            p.tar_offset,
                            p.file_offset,
                            p.bytes,
                        )
                        for p in item.pieces
                    ],
                )
            for name, value in (*facts.items(), ("listed", "1")):
                self._connection.execute("INSERT INTO about VALUES (?, ?)", (name, value))

    def num_stripes(self, group: int) -> int:
        """Return how many stripes a group has."""
        query = "SELECT coalesce(max(stripe) + 1, 0) FROM pieces WHERE packing_group = ?"
        return int(self._connection.execute(query, (group,)).fetchone()[0])

    def tar_bytes(self, group: int, stripe: int) -> dict[int, int]:
        """Return the plaintext bytes of a stripe's data volumes by column, up to the end of the last member's content.

        Columns without a volume are absent.
        """
        query = (
            "SELECT volume_column, max(tar_offset + bytes) FROM pieces WHERE packing_group = ? AND stripe = ? "
            "GROUP BY volume_column"
        )
        return {int(column): int(end) for column, end in self._connection.execute(query, (group, stripe))}

    def pieces_in(self, group: int, stripe: int, column: int) -> Iterator[PieceToWrite]:
        """Yield the members of one data volume in order, from a connection of the calling thread's own."""
        yield from self._pieces("p.packing_group = ? AND p.stripe = ? AND p.volume_column = ?", (group, stripe, column))

    def cut_files_in(self, group: int, stripe: int) -> Iterator[PieceToWrite]:
        """Yield the first pieces, in this stripe, of files that are cut."""
        yield from self._pieces(
            "p.packing_group = ? AND p.stripe = ? AND p.number = 1 AND p.count > 1", (group, stripe)
        )

    def _pieces(self, condition: str, values: tuple[int, ...]) -> Iterator[PieceToWrite]:
        query = (
            f"SELECT f.id, p.number, p.count, p.stripe, p.volume_column, p.tar_offset, p.file_offset, p.bytes, "  # noqa: S608 - constants
            f"{_COLUMNS} FROM pieces p JOIN files f ON f.id = p.file WHERE {condition} ORDER BY p.id"
        )
        connection = sqlite3.connect(self.folder / _FILE, check_same_thread=False, factory=_Connection)
        try:
            cursor = connection.execute(query, values)
            while rows := cursor.fetchmany(_BATCH_ROWS):
                for row in rows:
                    yield PieceToWrite(int(row[0]), _entry(row[8:]), Piece(*cast("tuple[int, ...]", row[1:8])))
        finally:
            connection.close()

    def record_files(self, found: Sequence[tuple[int, str | None, str | None]]) -> None:
        """Store what was found while reading: (file id, SHA-256 or None, how it changed or None)."""
        with self._transaction("files recorded"):
            self._connection.executemany(
                "UPDATE files SET sha256 = coalesce(?2, sha256), changed = coalesce(?3, changed) WHERE id = ?1", found
            )

    def changed_files(self, limit: int) -> tuple[int, list[tuple[bytes, str]]]:
        """Return how many sources changed while they were read, and (source path, how) of the first of them."""
        total = int(self._connection.execute("SELECT count(*) FROM files WHERE changed IS NOT NULL").fetchone()[0])
        query = "SELECT source, changed FROM files WHERE changed IS NOT NULL ORDER BY id LIMIT ?"
        return total, [(bytes(source), str(how)) for source, how in self._connection.execute(query, (limit,))]

    def totals(self, group: int) -> tuple[int, int]:
        """Return the number of entries and the bytes of files in a group."""
        query = "SELECT count(*), coalesce(sum(bytes), 0) FROM files WHERE packing_group = ?"
        row = self._connection.execute(query, (group,)).fetchone()
        return int(row[0]), int(row[1])

    # --- finished stripes --------------------------------------------------------------------------------------

    def finish_stripe(self, group: int, volumes: Sequence[WrittenVolume]) -> None:
        """Record a stripe as finished: all its volumes were written, read back, and are durable."""
        with self._transaction("stripe finished"):
            self._connection.executemany(
                "INSERT OR REPLACE INTO written VALUES (?, ?, ?, ?, ?, ?, ?)",
                [(group, v.stripe, v.column, v.bytes, v.sha256, v.blocks_sha256, v.readback) for v in volumes],
            )

    def forget_stripe(self, group: int, stripe: int) -> None:
        """Take a stripe back: something of it is gone."""
        with self._transaction("stripe forgotten"):
            self._connection.execute("DELETE FROM written WHERE packing_group = ? AND stripe = ?", (group, stripe))

    def written(self, group: int, stripe: int | None = None) -> Iterator[WrittenVolume]:
        """Yield finished volumes by stripe and column: of one stripe, or of the whole group."""
        query = (
            "SELECT stripe, volume_column, bytes, sha256, blocks_sha256, readback FROM written "
            "WHERE packing_group = ?1 AND (?2 IS NULL OR stripe = ?2) ORDER BY stripe, volume_column"
        )
        for row in self._connection.execute(query, (group, stripe)):
            yield WrittenVolume(*cast("tuple[int, int, int, str, str, Readback]", row))

    def write_catalog(self, group: int, path: Path) -> None:
        """Write a group's catalog to a new SQLite file; the same list gives the same rows."""
        with _faults(str(path)):
            self._write_catalog(group, path)

    def _write_catalog(self, group: int, path: Path) -> None:
        connection = catalog.create(path)
        try:
            connection.execute("COMMIT")
            # Attaching lets SQLite copy millions of rows without passing them through Python.
            connection.execute("ATTACH DATABASE ? AS journal", (str(self.folder / _FILE),))
            connection.execute("BEGIN")
            connection.execute(
                "INSERT INTO main.files (id, path, kind, bytes, sha256, mode, mtime_ns, link) "
                "SELECT id, path, kind, bytes, sha256, mode & 4095, mtime_ns, link FROM journal.files "
                "WHERE packing_group = ? ORDER BY id",
                (group,),
            )
            connection.execute(
                "INSERT INTO main.pieces "
                "(id, file, number, count, stripe, volume_column, tar_offset, file_offset, bytes) "
                "SELECT id, file, number, count, stripe, volume_column, tar_offset, file_offset, bytes "
                "FROM journal.pieces WHERE packing_group = ? ORDER BY id",
                (group,),
            )
            connection.execute("COMMIT")
        finally:
            connection.close()

    @contextmanager
    def _transaction(self, name: str) -> Iterator[None]:
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                durable.step(f"before {name}")
                self._connection.execute("COMMIT")
            except BaseException:
                # SQLite has rolled back by itself where it found no space.
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise
            durable.step(f"after {name}")


def _entry(row: tuple[object, ...]) -> CargoEntry:
    path, source, kind, size_bytes, mode, mtime_ns, known_sha256, link = row
    return CargoEntry(
        name=cast("bytes", path),
        source=Path(os.fsdecode(cast("bytes", source))),
        kind=cast("catalog.EntryKind", kind),
        size_bytes=cast("int", size_bytes),
        mode=cast("int", mode),
        mtime_ns=cast("int", mtime_ns),
        sha256=cast("str | None", known_sha256),
        link_target=cast("bytes | None", link),
    )
