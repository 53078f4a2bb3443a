"""The catalog of a group: which file lies in which volume, at which offset. An SQLite file, encrypted on the drives.

It is written by the consignor and authenticated by group.json before it is opened, but it is still read as if it were
hostile: its schema must be exactly ours, nothing in it is executed, and every value is checked.
"""

from __future__ import annotations

import contextlib
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Final, NamedTuple, Self, cast
from urllib.parse import quote

from packtrain.errors import HostileArchive, IntegrityError
from packtrain.volume.attributes import MAX_OWNER, check_xattrs
from packtrain.volume.tar import EntryKind, Xattrs

SCHEMA: Final[tuple[str, ...]] = (
    "CREATE TABLE about (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID",
    "CREATE TABLE files (id INTEGER PRIMARY KEY, path BLOB NOT NULL UNIQUE, kind TEXT NOT NULL, "
    "bytes INTEGER NOT NULL, sha256 TEXT, mode INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, link BLOB, "
    "uid INTEGER NOT NULL, gid INTEGER NOT NULL, sparse INTEGER NOT NULL) STRICT",
    "CREATE TABLE xattrs (file INTEGER NOT NULL, name BLOB NOT NULL, value BLOB NOT NULL, "
    "PRIMARY KEY (file, name)) STRICT, WITHOUT ROWID",
    "CREATE TABLE pieces (id INTEGER PRIMARY KEY, file INTEGER NOT NULL, number INTEGER NOT NULL, "
    "count INTEGER NOT NULL, stripe INTEGER NOT NULL, volume_column INTEGER NOT NULL, tar_offset INTEGER NOT NULL, "
    "file_offset INTEGER NOT NULL, bytes INTEGER NOT NULL) STRICT",
    "CREATE INDEX pieces_of_volume ON pieces (stripe, volume_column, id)",
    "CREATE INDEX pieces_of_file ON pieces (file, number)",
)
FORMAT: Final = "packtrain-catalog-1"
MAX_PATH_BYTES: Final = 65_536
_KINDS: Final = frozenset({"file", "hardlink", "symlink", "directory"})
_FILE_COLUMNS: Final = "id, path, kind, bytes, sha256, mode, mtime_ns, link, uid, gid, sparse"
_PIECE_COLUMNS: Final = "file, number, count, stripe, volume_column, tar_offset, file_offset, bytes"
_JOINED_COLUMNS: Final = (
    "p.file, p.number, p.count, p.stripe, p.volume_column, p.tar_offset, p.file_offset, p.bytes, "
    "f.id, f.path, f.kind, f.bytes, f.sha256, f.mode, f.mtime_ns, f.link, f.uid, f.gid, f.sparse"
)
_PIECE_TYPES: Final = (int,) * 8
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
# No more fit into the bound on their bytes.
_MOST_XATTRS: Final = 4096
_BATCH_ROWS: Final = 1000
_HEADER_BYTES: Final = 100


class CatalogFile(NamedTuple):
    """One entry of the cargo.

    Attributes:
        id: its number in this catalog, from 1 in the order of packing.
        path: raw bytes, relative.
        bytes: length of a file; 0 for links and directories.
        sha256: of a file's content; None for links and directories.
        mtime_ns: nanoseconds since 1970.
        link_target: of a symbolic link; of a hard link, the path of its file, an entry of the same catalog.
        uid, gid: the owner's numbers at home.
        is_sparse: the file had holes at home.
        xattrs: extended attributes.
    """

    id: int
    path: bytes
    kind: EntryKind
    bytes: int
    sha256: str | None
    mode: int
    mtime_ns: int
    link_target: bytes | None
    uid: int = 0
    gid: int = 0
    is_sparse: bool = False
    xattrs: Xattrs = ()


class CatalogPiece(NamedTuple):
    """Where (a piece of) an entry lies. Links, empty directories and empty files have one piece of 0 bytes.

    Directories with something in them, and links to a file that is cut, have none: the catalog alone carries them.

    Attributes:
        file: `id` of the entry.
        number, count: piece 1 of 1 is the whole file; the tar member of a piece is named by `layout.piece_name`.
        tar_offset: offset of the content (not of its header) in the volume's plaintext.
        file_offset: where the piece begins in the file.
        bytes: length of the piece.
    """

    file: int
    number: int
    count: int  # pyright: ignore[reportIncompatibleMethodOverride] - nobody counts in this tuple
    stripe: int
    column: int
    tar_offset: int
    file_offset: int
    bytes: int


class Catalog:
    """A catalog, open for reading. Use it as a context."""

    def __init__(self, connection: sqlite3.Connection, where: str) -> None:
        self._connection = connection
        self._where = where
        with _database_errors(where):
            # Cargo without any is the rule: it does without a query for each file.
            self._has_xattrs = bool(connection.execute("SELECT EXISTS (SELECT 1 FROM xattrs)").fetchone()[0])

    @classmethod
    def open(cls, path: Path, *, by_turns: bool = False) -> Self:
        """Return the catalog in an SQLite file.

        Args:
            path: the file.
            by_turns: several threads will use it, one after the other.

        Raises:
            IntegrityError: it is no SQLite file, was cut, or its schema is not that of format 1.
        """
        where = str(path)
        _check_length(path, where)
        with _database_errors(where):
            connection = sqlite3.connect(
                f"file:{quote(str(path.absolute()))}?mode=ro&immutable=1", uri=True, check_same_thread=not by_turns
            )
            try:
                connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, 1 << 20)
                for pragma in ("trusted_schema=OFF", "query_only=ON", "cell_size_check=ON", "mmap_size=0"):
                    connection.execute(f"PRAGMA {pragma}")
                found = connection.execute(
                    "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY rowid"
                ).fetchmany(len(SCHEMA) + 1)
                if [row[0] for row in found] != list(SCHEMA):
                    raise IntegrityError("catalog has another schema than format 1", where=where)
                about = dict(connection.execute("SELECT name, value FROM about LIMIT 16"))
                if about.get("format") != FORMAT:
                    raise IntegrityError(
                        "catalog is of another format",
                        where=where,
                        expected=FORMAT,
                        found=str(about.get("format"))[:64],
                    )
            except BaseException:
                connection.close()
                raise
        return cls(connection, where)

    def files(self) -> Iterator[CatalogFile]:
        """Yield all entries in the order of packing."""
        query = f"SELECT {_FILE_COLUMNS} FROM files ORDER BY id"  # noqa: S608 - a constant
        with _database_errors(self._where):
            for row in _rows(self._connection.execute(query)):
                yield self._file(row)

    def file(self, file_id: int) -> CatalogFile:
        """Return one entry.

        Raises:
            IntegrityError: there is none with this number.
        """
        query = f"SELECT {_FILE_COLUMNS} FROM files WHERE id = ?"  # noqa: S608 - a constant
        with _database_errors(self._where):
            row = self._connection.execute(query, (file_id,)).fetchone()
        if row is None:
            raise IntegrityError(f"catalog names no file {file_id}", where=self._where)
        return self._file(row)

    def entry(self, path: bytes) -> CatalogFile | None:
        """Return the entry of this path, or None."""
        query = f"SELECT {_FILE_COLUMNS} FROM files WHERE path = ?"  # noqa: S608 - a constant
        with _database_errors(self._where):
            row = self._connection.execute(query, (path,)).fetchone()
        return None if row is None else self._file(row)

    def in_order(self, first: bytes, end: bytes, most: int) -> list[CatalogFile]:
        """Return up to `most` entries in byte order of their paths, from `first` on and before `end`."""
        query = f"SELECT {_FILE_COLUMNS} FROM files WHERE path >= ? AND path < ? ORDER BY path LIMIT ?"  # noqa: S608
        with _database_errors(self._where):
            return [self._file(row) for row in _rows(self._connection.execute(query, (first, end, most)))]

    def directories(self) -> Iterator[tuple[CatalogFile, bool]]:
        """Yield all directories in falling byte order of their paths, each with whether a volume holds it."""
        query = (
            f"SELECT {_FILE_COLUMNS}, EXISTS (SELECT 1 FROM pieces p WHERE p.file = f.id) FROM files f "  # noqa: S608
            "WHERE kind = 'directory' ORDER BY path DESC"
        )
        with _database_errors(self._where):
            for row in _rows(self._connection.execute(query)):
                yield self._file(row[:-1]), row[-1] == 1

    def unplaced_links(self) -> Iterator[CatalogFile]:
        """Yield the hard links that no volume holds."""
        query = (
            f"SELECT {_FILE_COLUMNS} FROM files f "  # noqa: S608 - a constant
            "WHERE kind = 'hardlink' AND NOT EXISTS (SELECT 1 FROM pieces p WHERE p.file = f.id) ORDER BY id"
        )
        with _database_errors(self._where):
            for row in _rows(self._connection.execute(query)):
                yield self._file(row)

    def pieces_in(self, stripe: int, column: int) -> Iterator[CatalogPiece]:
        """Yield the pieces of one data volume in the order of its tar members."""
        yield from self._pieces("stripe = ? AND volume_column = ? ORDER BY id", (stripe, column))

    def members_in(self, stripe: int, column: int, most: int = -1) -> Iterator[tuple[CatalogPiece, CatalogFile]]:
        """Yield the pieces of one data volume in the order of its tar members, each with its entry; one query for all.

        Args:
            stripe, column: the volume.
            most: end after so many; -1: yield all.

        Raises:
            IntegrityError: a piece belongs to no entry, or a value is out of bounds.
        """
        query = (
            f"SELECT {_JOINED_COLUMNS} FROM pieces p LEFT JOIN files f ON f.id = p.file "  # noqa: S608 - a constant
            "WHERE p.stripe = ? AND p.volume_column = ? ORDER BY p.id LIMIT ?"
        )
        with _database_errors(self._where):
            for row in _rows(self._connection.execute(query, (stripe, column, most))):
                yield self._piece(row[:8]), self._file(row[8:])

    def num_members(self, stripe: int, column: int) -> int:
        """Return how many members one data volume has."""
        query = "SELECT count(*) FROM pieces WHERE stripe = ? AND volume_column = ?"
        with _database_errors(self._where):
            return int(self._connection.execute(query, (stripe, column)).fetchone()[0])

    def pieces_of(self, file_id: int) -> Iterator[CatalogPiece]:
        """Yield the pieces of one entry in order."""
        yield from self._pieces("file = ? ORDER BY number", (file_id,))

    def num_files(self) -> int:
        """Return how many entries there are."""
        with _database_errors(self._where):
            return int(self._connection.execute("SELECT count(*) FROM files").fetchone()[0])

    def close(self) -> None:
        """Close the database."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _pieces(self, condition: str, values: tuple[int, ...]) -> Iterator[CatalogPiece]:
        query = f"SELECT {_PIECE_COLUMNS} FROM pieces WHERE {condition}"  # noqa: S608 - both are constants
        with _database_errors(self._where):
            for row in _rows(self._connection.execute(query, values)):
                yield self._piece(row)

    def _piece(self, row: tuple[object, ...]) -> CatalogPiece:
        # A row of integers and nothing else: compared as a whole, because there is a row a file.
        if tuple(map(type, row)) != _PIECE_TYPES or min(cast("tuple[int, ...]", row)) < 0:
            raise IntegrityError("catalog holds a piece out of bounds", where=self._where)
        piece = CatalogPiece._make(cast("tuple[int, ...]", row))
        if not 1 <= piece.number <= piece.count <= 999_999:
            raise IntegrityError("catalog holds a piece out of bounds", where=self._where)
        return piece

    def _file(self, row: tuple[object, ...]) -> CatalogFile:
        file_id, path, kind, size_bytes, sha256, mode, mtime_ns, link, uid, gid, sparse = row
        if not (
            isinstance(file_id, int)
            and isinstance(path, bytes)
            and 0 < len(path) <= MAX_PATH_BYTES
            and kind in _KINDS
            and isinstance(size_bytes, int)
            and size_bytes >= 0
            and (size_bytes == 0 or kind == "file")
            and (sha256 is None if kind != "file" else _is_sha256(sha256))
            and isinstance(mode, int)
            and 0 <= mode <= 0o7777
            and isinstance(mtime_ns, int)
            and (_is_path(link) if kind in ("symlink", "hardlink") else link is None)
            and isinstance(uid, int)
            and isinstance(gid, int)
            and 0 <= uid <= MAX_OWNER
            and 0 <= gid <= MAX_OWNER
            and (sparse == 0 or (sparse == 1 and kind == "file"))
        ):
            raise IntegrityError("catalog holds an entry out of bounds", where=self._where, found=repr(path)[:128])
        return CatalogFile(
            file_id,
            path,
            cast("EntryKind", kind),
            size_bytes,
            cast("str | None", sha256),
            mode,
            mtime_ns,
            cast("bytes | None", link),
            uid,
            gid,
            sparse == 1,
            self._xattrs(file_id, kind) if self._has_xattrs else (),
        )

    def _xattrs(self, file_id: int, kind: object) -> Xattrs:
        rows = self._connection.execute(
            "SELECT name, value FROM xattrs WHERE file = ? ORDER BY name LIMIT ?", (file_id, _MOST_XATTRS)
        )
        xattrs = cast("Xattrs", tuple(rows.fetchall()))
        if xattrs and kind in ("symlink", "hardlink"):
            raise IntegrityError("catalog gives a link extended attributes", where=self._where)
        try:
            check_xattrs(xattrs)
        except HostileArchive as error:
            raise IntegrityError(f"catalog: {error.what}", where=self._where, found=error.found) from error
        return xattrs


def create(path: Path) -> sqlite3.Connection:
    """Return an empty catalog in a new file, in a transaction that the caller commits.

    No journal: the file is thrown away after a crash and made anew.
    """
    path.unlink(missing_ok=True)
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode=OFF")
    connection.execute("PRAGMA synchronous=OFF")
    connection.execute("BEGIN")
    for statement in SCHEMA:
        connection.execute(statement)
    connection.execute("INSERT INTO about VALUES ('format', ?)", (FORMAT,))
    return connection


def _check_length(path: Path, where: str) -> None:
    """SQLite reads a file that was cut as if zeros followed; its header says how long it is."""
    with path.open("rb") as stream:
        head = stream.read(_HEADER_BYTES)
    page_bytes = int.from_bytes(head[16:18], "big")
    page_bytes = 65_536 if page_bytes == 1 else page_bytes
    expected = page_bytes * int.from_bytes(head[28:32], "big")
    found = path.stat().st_size
    if len(head) < _HEADER_BYTES or expected != found:
        raise IntegrityError("catalog is cut", where=where, expected=f"{expected} bytes", found=str(found))


def _is_path(value: object) -> bool:
    return isinstance(value, bytes) and len(value) <= MAX_PATH_BYTES


def _is_sha256(value: object) -> bool:
    return isinstance(value, str) and _SHA256.fullmatch(value) is not None


def _rows(cursor: sqlite3.Cursor) -> Iterator[tuple[object, ...]]:
    while rows := cursor.fetchmany(_BATCH_ROWS):
        yield from rows


@contextlib.contextmanager
def _database_errors(where: str) -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, OverflowError, UnicodeDecodeError) as error:
        raise IntegrityError(
            f"catalog cannot be read: {error}", where=where, hint="take the catalog from another drive of the group"
        ) from error
