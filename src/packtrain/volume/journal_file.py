"""The SQLite file behind the journal of packing: its tables, and its faults as messages."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from packtrain.errors import DriveFailed, DriveFull, IntegrityError

FILE: Final = "journal.sqlite"
# Nearly all entries lie whole in one volume: their place is in their row, and two numbers find those of a volume, for
# they follow each other. `piece` numbers all pieces in the order of packing; NULL: the entry is cut, or in the catalog
# alone. What was found while reading has a table of its own: rows of `files` that grew would tear their pages apart.
SCHEMA: Final = """
CREATE TABLE about (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE files (id INTEGER PRIMARY KEY, path BLOB NOT NULL UNIQUE, source BLOB NOT NULL, kind TEXT NOT NULL,
    bytes INTEGER NOT NULL, mode INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, known_sha256 TEXT, link BLOB,
    uid INTEGER NOT NULL, gid INTEGER NOT NULL, sparse INTEGER NOT NULL, has_xattrs INTEGER NOT NULL,
    packing_group INTEGER NOT NULL, piece INTEGER, tar_offset INTEGER);
CREATE TABLE xattrs (file INTEGER NOT NULL, name BLOB NOT NULL, value BLOB NOT NULL, PRIMARY KEY (file, name))
    WITHOUT ROWID;
CREATE TABLE found (file INTEGER PRIMARY KEY, sha256 TEXT, changed TEXT);
CREATE INDEX found_changed ON found (changed) WHERE changed IS NOT NULL;
CREATE TABLE cut_pieces (piece INTEGER PRIMARY KEY, file INTEGER NOT NULL, number INTEGER NOT NULL,
    count INTEGER NOT NULL, packing_group INTEGER NOT NULL, stripe INTEGER NOT NULL, volume_column INTEGER NOT NULL,
    tar_offset INTEGER NOT NULL, file_offset INTEGER NOT NULL, bytes INTEGER NOT NULL);
CREATE INDEX cut_pieces_of_volume ON cut_pieces (packing_group, stripe, volume_column);
CREATE TABLE volumes (packing_group INTEGER, stripe INTEGER, volume_column INTEGER, first_file INTEGER NOT NULL,
    last_file INTEGER NOT NULL, tar_bytes INTEGER NOT NULL, PRIMARY KEY (packing_group, stripe, volume_column));
CREATE TABLE written (packing_group INTEGER, stripe INTEGER, volume_column INTEGER, bytes INTEGER NOT NULL,
    sha256 TEXT NOT NULL, blocks_sha256 TEXT NOT NULL, readback TEXT NOT NULL,
    PRIMARY KEY (packing_group, stripe, volume_column));
CREATE TABLE drives (uuid TEXT NOT NULL, name TEXT NOT NULL, value BLOB NOT NULL, PRIMARY KEY (uuid, name));
"""


class Connection(sqlite3.Connection):
    """A connection whose faults are messages.

    Raises:
        DriveFull: from every call that writes: no space is left where the file lies.
        IntegrityError: from every call: the file is damaged.
        DriveFailed: from every call: the file system cannot read or write it.
    """

    def __init__(self, path: Path, **options: Any) -> None:
        with faults(str(path)):
            super().__init__(path, **options)
        self.where = str(path)

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        with faults(self.where):
            return self.cursor(_Cursor).execute(sql, parameters)

    def executemany(self, sql: str, parameters: Iterable[Any], /) -> sqlite3.Cursor:
        with faults(self.where):
            return super().executemany(sql, parameters)

    def executescript(self, sql_script: str, /) -> sqlite3.Cursor:
        with faults(self.where):
            return super().executescript(sql_script)


def connect_to_read(folder: Path) -> Connection:
    """Return a connection to the journal in a folder that changes nothing there, not even what SQLite itself keeps.

    While another process writes it, SQLite's own files are there and tell what that one did last. Where they are not,
    nobody writes, and the file is taken as it is: asked otherwise, SQLite would make them. A journal that is not begun
    is an empty one.
    """
    path = (folder / FILE).absolute()
    if path.is_file():
        is_written = path.with_name(f"{FILE}-shm").exists()
        address = f"file:{quote(str(path))}?mode=ro&{'readonly_shm=1' if is_written else 'immutable=1'}"
        connection = sqlite3.connect(
            address, uri=True, isolation_level=None, check_same_thread=False, factory=Connection
        )
        connection.where = str(path)
        if connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]:
            return connection
        connection.close()
    empty = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False, factory=Connection)
    empty.executescript(SCHEMA)
    return empty


class _Cursor(sqlite3.Cursor):
    """The rows of a query: a damaged page is found when its row is fetched, not when the query begins."""

    connection: Connection  # pyright: ignore[reportIncompatibleMethodOverride, reportIncompatibleVariableOverride]

    def __next__(self) -> Any:
        with faults(self.connection.where):
            return super().__next__()

    def fetchone(self) -> Any:
        with faults(self.connection.where):
            return super().fetchone()

    def fetchmany(self, size: int | None = 1) -> list[Any]:
        with faults(self.connection.where):
            return super().fetchmany(size)

    def fetchall(self) -> list[Any]:
        with faults(self.connection.where):
            return super().fetchall()


@contextmanager
def faults(where: str) -> Iterator[None]:
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
