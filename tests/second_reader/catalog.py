"""Section 7: the catalog of a group."""

from __future__ import annotations

import re
import sqlite3
from dataclasses import dataclass, field
from pathlib import Path

from second_reader.refused import Refused, need
from second_reader.tar_file import Xattrs, check_name, check_target, check_xattrs

SCHEMA = [
    "CREATE TABLE about (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID",
    "CREATE TABLE files (id INTEGER PRIMARY KEY, path BLOB NOT NULL UNIQUE, kind TEXT NOT NULL, "
    "bytes INTEGER NOT NULL, sha256 TEXT, mode INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, link BLOB, "
    "uid INTEGER NOT NULL, gid INTEGER NOT NULL, sparse INTEGER NOT NULL) STRICT",
    "CREATE TABLE xattrs (file INTEGER NOT NULL, name BLOB NOT NULL, value BLOB NOT NULL, PRIMARY KEY (file, name)) "
    "STRICT, WITHOUT ROWID",
    "CREATE TABLE pieces (id INTEGER PRIMARY KEY, file INTEGER NOT NULL, number INTEGER NOT NULL, "
    "count INTEGER NOT NULL, stripe INTEGER NOT NULL, volume_column INTEGER NOT NULL, tar_offset INTEGER NOT NULL, "
    "file_offset INTEGER NOT NULL, bytes INTEGER NOT NULL) STRICT",
    "CREATE INDEX pieces_of_volume ON pieces (stripe, volume_column, id)",
    "CREATE INDEX pieces_of_file ON pieces (file, number)",
]
DIGEST = re.compile("[0-9a-f]{64}")


@dataclass
class Entry:
    id: int
    path: bytes
    kind: str
    bytes: int
    sha256: str | None
    mode: int
    mtime_ns: int
    link: bytes | None
    xattrs: Xattrs = field(default_factory=dict)
    pieces: list[Piece] = field(default_factory=list)


@dataclass
class Piece:
    id: int
    file: int
    number: int
    count: int
    stripe: int
    column: int
    tar_offset: int
    file_offset: int
    bytes: int

    def name(self, path: bytes) -> bytes:
        return path if self.count == 1 else b"%b.%06dof%06d" % (path, self.number, self.count)


def read_catalog(path: Path) -> list[Entry]:
    """Return all entries of a catalog in the order of packing."""
    head = path.read_bytes()[:100]
    need(len(head) == 100, "catalog is cut")
    page = int.from_bytes(head[16:18], "big")
    pages = int.from_bytes(head[28:32], "big")
    need(path.stat().st_size == (65_536 if page == 1 else page) * pages, "catalog is cut")
    connection = sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)
    try:
        connection.execute("PRAGMA trusted_schema=OFF")
        found = connection.execute("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY rowid").fetchall()
        need([sql for (sql,) in found] == SCHEMA, "schema is another")
        about = dict(connection.execute("SELECT name, value FROM about").fetchall())
        need(about.get("format") == "packtrain-catalog-1", "catalog of another format")
        entries = {row[0]: read_entry(row) for row in connection.execute("SELECT * FROM files ORDER BY id")}
        xattrs: dict[int, list[tuple[bytes, bytes]]] = {}
        for file, name, value in connection.execute("SELECT file, name, value FROM xattrs ORDER BY file, name"):
            xattrs.setdefault(file, []).append((name, value))
        for row in connection.execute("SELECT * FROM pieces ORDER BY file, number"):
            piece = Piece(*row)
            need(min(row) >= 0 and 1 <= piece.number <= piece.count <= 999_999, "piece out of bounds")
            need(piece.file in entries, "piece of no entry")
            entries[piece.file].pieces.append(piece)
    except (sqlite3.Error, UnicodeDecodeError) as error:
        raise Refused(f"catalog cannot be read: {error}") from error
    finally:
        connection.close()
    for file, found_xattrs in xattrs.items():
        need(file in entries, "attributes of no entry")
        entries[file].xattrs = check_xattrs(found_xattrs, entries[file].kind)
    files = {entry.path for entry in entries.values() if entry.kind == "file"}
    for entry in entries.values():
        check_entry(entry, files)
    return list(entries.values())


def read_entry(row: tuple[int, bytes, str, int, str | None, int, int, bytes | None, int, int, int]) -> Entry:
    file, path, kind, size, sha256, mode, mtime_ns, link, uid, gid, sparse = row
    need(kind in ("file", "hardlink", "symlink", "directory"), "kind is unknown")
    is_file, is_link = kind == "file", kind in ("hardlink", "symlink")
    need(size >= 0 and (is_file or not size), "length out of bounds")
    need(sha256 is None if not is_file else DIGEST.fullmatch(sha256 or ""), "digest where none is, or none")
    need(0 <= mode <= 0o7777 and 0 <= uid <= 2**32 - 2 and 0 <= gid <= 2**32 - 2, "mode or owner out of bounds")
    need((link is not None) == is_link, "target where none is, or none")
    need(sparse == 0 or (sparse == 1 and is_file), "sparse out of bounds")
    return Entry(file, path, kind, size, sha256, mode, mtime_ns, link)


def check_entry(entry: Entry, files: set[bytes]) -> None:
    check_name(entry.path)
    if entry.kind == "symlink":
        check_target(entry.path, entry.link or b"")
    if entry.kind == "hardlink":
        need(entry.link in files, "hard link to no file of the catalog")
    place = 0
    for at, piece in enumerate(entry.pieces, 1):
        need((piece.number, piece.count) == (at, len(entry.pieces)), "pieces are not all there")
        need(piece.file_offset == place, "pieces overlap or leave gaps")
        place += piece.bytes
    need(place == entry.bytes, "pieces do not make the whole")
    need(entry.pieces or entry.kind in ("directory", "hardlink"), "no place for an entry")
