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
from typing import Final, NamedTuple, Self, cast

from packtrain import durable
from packtrain.errors import SourceUnreadable
from packtrain.ports import Readback
from packtrain.volume import catalog
from packtrain.volume.assignment import Placed
from packtrain.volume.journal_file import FILE, SCHEMA, Connection, connect_to_read, faults
from packtrain.volume.tar import EntryKind, Xattrs

_BATCH_ROWS: Final = 1000
# Rows of the packing list that are held before they are written: about 8 MB.
_LIST_ROWS: Final = 10_000
_PIECES: Final = "(id, file, number, count, stripe, volume_column, tar_offset, file_offset, bytes)"
# So many of the first fields of a `CargoEntry` are columns.
_ENTRY_COLUMNS: Final = 11
# In the order of `Member`.
_WHOLE_MEMBERS: Final = (
    "SELECT id, 1, 1, tar_offset, 0, bytes, path, source, kind, bytes, mode, mtime_ns, link, known_sha256, uid, gid, "
    "has_xattrs FROM files"
)
_CUT_MEMBERS: Final = (
    "SELECT f.id, p.number, p.count, p.tar_offset, p.file_offset, p.bytes, f.path, f.source, f.kind, f.bytes, f.mode, "
    "f.mtime_ns, f.link, f.known_sha256, f.uid, f.gid, f.has_xattrs FROM cut_pieces p JOIN files f ON f.id = p.file"
)
_INSERT_FILES: Final = (
    "INSERT INTO files (path, source, kind, bytes, mode, mtime_ns, known_sha256, link, uid, gid, sparse, id, "
    "has_xattrs, packing_group, piece, tar_offset) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)


@dataclass(frozen=True, slots=True)
class WrittenVolume:
    """One finished volume, as group.json will name it; a missing column of the last stripe has 0 bytes."""

    stripe: int
    column: int
    bytes: int
    sha256: str
    blocks_sha256: str
    readback: Readback


class Member(NamedTuple):
    """One tar member to be written, as the packing list has it.

    Attributes:
        file_id: the entry's number in the journal.
        number, num_pieces: piece 1 of 1 is the whole entry.
        tar_offset: where its content begins in the volume's plaintext.
        file_offset, bytes: which part of the file it is.
        path: the entry's name on the shipment; `source` is where it lies here.
        file_bytes: of the whole file.
        has_xattrs: 1 where `Journal.xattrs` has extended attributes for it.
    """

    file_id: int
    number: int
    num_pieces: int
    tar_offset: int
    file_offset: int
    bytes: int
    path: bytes
    source: bytes
    kind: EntryKind
    file_bytes: int
    mode: int
    mtime_ns: int
    link_target: bytes | None
    known_sha256: str | None
    uid: int
    gid: int
    has_xattrs: int


class Journal:
    """The journal in a folder; make the folder's attempt its name. Safe to use from several threads.

    Args:
        folder: made if it is not there.
        only_reads: nothing is made or written.

    Raises:
        DriveFull: from every call that writes: no space is left where the folder lies.
        IntegrityError: from every call: the journal is damaged.
        DriveFailed: from every call: the file system cannot read or write it.
    """

    def __init__(self, folder: Path, *, only_reads: bool = False) -> None:
        self.folder = folder
        self._lock = threading.Lock()
        self._idle_readers: list[sqlite3.Connection] = []
        if only_reads:
            self._connection = connect_to_read(folder)
            return
        folder.mkdir(parents=True, exist_ok=True)
        # An autocommit connection with explicit transactions; writers take turns by the lock, readers have their own.
        self._connection = sqlite3.connect(
            folder / FILE, isolation_level=None, check_same_thread=False, factory=Connection
        )
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=FULL")
        if self._connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0] == 0:
            self._connection.executescript(f"BEGIN; {SCHEMA} COMMIT;")

    def close(self) -> None:
        """Close the database."""
        for connection in self._idle_readers:
            connection.close()
        self._idle_readers.clear()
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
            _Rows(self._connection).write(placed)
            for name, value in (*facts.items(), ("listed", "1")):
                self._connection.execute("INSERT INTO about VALUES (?, ?)", (name, value))

    def num_stripes(self, group: int) -> int:
        """Return how many stripes a group has."""
        query = "SELECT coalesce(max(stripe) + 1, 0) FROM volumes WHERE packing_group = ?"
        return int(self._connection.execute(query, (group,)).fetchone()[0])

    def tar_bytes(self, group: int, stripe: int) -> dict[int, int]:
        """Return the plaintext bytes of a stripe's data volumes by column, up to the end of the last member's content.

        Columns without a volume are absent.
        """
        query = "SELECT volume_column, tar_bytes FROM volumes WHERE packing_group = ? AND stripe = ?"
        return {int(column): int(end) for column, end in self._connection.execute(query, (group, stripe))}

    def num_members(self, group: int, stripe: int) -> dict[int, int]:
        """Return how many entries lie whole in a stripe's data volumes, about, by column."""
        query = (
            "SELECT volume_column, max(0, last_file - first_file + 1) FROM volumes "
            "WHERE packing_group = ? AND stripe = ?"
        )
        return {int(column): int(count) for column, count in self._connection.execute(query, (group, stripe))}

    def members_in(self, group: int, stripe: int, column: int) -> Iterator[Member]:
        """Yield the members of one data volume in order, from a connection of the calling thread's own."""
        query = "SELECT first_file, last_file FROM volumes WHERE packing_group = ? AND stripe = ? AND volume_column = ?"
        place = (group, stripe, column)
        with self._lock:
            whole = self._connection.execute(query, place).fetchone()
        if whole is None:
            return
        cut = list(
            self._members(
                _CUT_MEMBERS, "p.packing_group = ? AND p.stripe = ? AND p.volume_column = ?", "p.piece", place
            )
        )
        # A cut file's last piece begins a volume, and its first one ends the volume before.
        yield from (member for member in cut if member.number > 1)
        yield from self._members(_WHOLE_MEMBERS, "id BETWEEN ? AND ? AND piece IS NOT NULL", "id", whole)
        yield from (member for member in cut if member.number == 1)

    def cut_files_in(self, group: int, stripe: int) -> Iterator[Member]:
        """Yield the first pieces, in this stripe, of files that are cut."""
        condition = "p.packing_group = ? AND p.stripe = ? AND p.number = 1"
        yield from self._members(_CUT_MEMBERS, condition, "p.piece", (group, stripe))

    def xattrs(self, file_id: int) -> Xattrs:
        """Return the extended attributes of an entry, in byte order of their names."""
        query = "SELECT name, value FROM xattrs WHERE file = ? ORDER BY name"
        with self._lock:
            return cast("Xattrs", tuple(self._connection.execute(query, (file_id,)).fetchall()))

    def _members(self, query: str, condition: str, order: str, values: tuple[int, ...]) -> Iterator[Member]:
        # Opening one for each of a million volumes would take minutes: they are lent out.
        try:
            connection = self._idle_readers.pop()
        except IndexError:
            connection = sqlite3.connect(self.folder / FILE, check_same_thread=False, factory=Connection)
            # Rows come in order, each page once: of the 2 MB of pages that SQLite keeps, nothing is read again.
            connection.execute("PRAGMA cache_size = -256")
        try:
            cursor = connection.execute(f"{query} WHERE {condition} ORDER BY {order}", values)
            while rows := cursor.fetchmany(_BATCH_ROWS):
                yield from map(Member._make, rows)
            cursor.close()
        except BaseException:
            connection.close()
            raise
        self._idle_readers.append(connection)

    def record_files(self, found: Sequence[tuple[int, str | None, str | None]]) -> None:
        """Store what was found while reading: (file id, SHA-256 or None, how it changed or None)."""
        with self._transaction("files recorded"):
            self._connection.executemany(
                "INSERT INTO found VALUES (?, ?, ?) ON CONFLICT (file) DO UPDATE "
                "SET sha256 = coalesce(excluded.sha256, sha256), changed = coalesce(excluded.changed, changed)",
                found,
            )

    def changed_files(self, limit: int) -> tuple[int, list[tuple[bytes, str]]]:
        """Return how many sources changed while they were read, and (source path, how) of the first of them."""
        total = int(self._connection.execute("SELECT count(*) FROM found WHERE changed IS NOT NULL").fetchone()[0])
        query = (
            "SELECT f.source, d.changed FROM found d JOIN files f ON f.id = d.file WHERE d.changed IS NOT NULL "
            "ORDER BY d.file LIMIT ?"
        )
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
        with faults(str(path)):
            _write_catalog(self.folder / FILE, group, path)

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


class _Rows:
    """Rows of the packing list on their way into the journal, thousands a call: one by one Python costs the most."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._volume: tuple[int, int, int] | None = None
        self._first_file = self._last_file = self._tar_bytes = 0
        self._volumes: list[tuple[int, int, int, int, int, int]] = []
        self._files: list[tuple[object, ...]] = []
        self._pieces: list[tuple[object, ...]] = []
        self._xattrs: list[tuple[int, bytes, bytes]] = []

    def write(self, placed: Iterable[Placed]) -> None:
        """Write all entries, in order."""
        num_pieces = 0
        for number, (entry, group, pieces) in enumerate(placed, 1):
            piece, tar_offset = None, None
            for place in pieces:
                num_pieces += 1
                volume = (group, place.stripe, place.column)
                if volume != self._volume:
                    self._end_volume()
                    assert self._volume is None or self._volume < volume, "volumes are filled one after the other"
                    self._volume, self._first_file, self._last_file = volume, number, 0
                self._tar_bytes = place.tar_offset + place.bytes
                if place.num_pieces == 1:
                    piece, tar_offset, self._last_file = num_pieces, place.tar_offset, number
                else:
                    self._pieces.append((num_pieces, number, group, *place))
            xattrs = entry.xattrs
            # The first fields of an entry, as they are.
            self._files.append((*entry[:_ENTRY_COLUMNS], number, bool(xattrs), group, piece, tar_offset))
            if xattrs:
                self._xattrs += [(number, name, value) for name, value in xattrs]
            # Counted together: one file cut into a hundred thousand pieces is as much to hold as so many files.
            if len(self._files) + len(self._pieces) + len(self._xattrs) > _LIST_ROWS:
                self._flush()
        self._end_volume()
        self._flush()

    def _end_volume(self) -> None:
        if self._volume is not None:
            self._volumes.append((*self._volume, self._first_file, self._last_file, self._tar_bytes))

    def _flush(self) -> None:
        try:
            self._connection.executemany(_INSERT_FILES, self._files)
        except sqlite3.IntegrityError as error:
            raise self._twice() from error
        self._connection.executemany(
            "INSERT INTO cut_pieces (piece, file, packing_group, number, count, stripe, volume_column, tar_offset, "
            "file_offset, bytes) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            self._pieces,
        )
        self._connection.executemany("INSERT INTO xattrs VALUES (?, ?, ?)", self._xattrs)
        self._connection.executemany("INSERT INTO volumes VALUES (?, ?, ?, ?, ?, ?)", self._volumes)
        for rows in (self._files, self._pieces, self._xattrs, self._volumes):
            rows.clear()

    def _twice(self) -> SourceUnreadable:
        """Return the error for the first held entry whose name another one has: those before it are in the table."""
        query = "SELECT 1 FROM files WHERE path = ? AND id <> ?"
        name, source = next(
            (row[0], row[1])
            for row in self._files
            if self._connection.execute(query, (row[0], row[_ENTRY_COLUMNS])).fetchone()
        )
        return SourceUnreadable(
            "two sources have the same name on the shipment",
            where=os.fsdecode(cast("bytes", source)),
            found=os.fsdecode(cast("bytes", name)),
            hint="give the folders they come from different prefixes",
        )


def _write_catalog(journal: Path, group: int, path: Path) -> None:
    connection = catalog.create(path)
    try:
        connection.execute("COMMIT")
        # Attaching lets SQLite copy millions of rows without passing them through Python.
        connection.execute("ATTACH DATABASE ? AS journal", (str(journal),))
        connection.execute("BEGIN")
        connection.execute(
            "INSERT INTO main.files (id, path, kind, bytes, sha256, mode, mtime_ns, link, uid, gid, sparse) "
            "SELECT f.id, f.path, f.kind, f.bytes, d.sha256, f.mode & 4095, f.mtime_ns, f.link, f.uid, f.gid, f.sparse "
            "FROM journal.files f LEFT JOIN journal.found d ON d.file = f.id WHERE f.packing_group = ? ORDER BY f.id",
            (group,),
        )
        connection.execute(
            "INSERT INTO main.xattrs SELECT x.file, x.name, x.value FROM journal.xattrs x "
            "JOIN journal.files f ON f.id = x.file WHERE f.packing_group = ? ORDER BY x.file, x.name",
            (group,),
        )
        connection.execute(
            f"INSERT INTO main.pieces {_PIECES} "  # noqa: S608 - a constant
            "SELECT f.piece, f.id, 1, 1, v.stripe, v.volume_column, f.tar_offset, 0, f.bytes "
            "FROM journal.volumes v CROSS JOIN journal.files f ON f.id BETWEEN v.first_file AND v.last_file "
            "WHERE v.packing_group = ? AND f.piece IS NOT NULL ORDER BY v.stripe, v.volume_column, f.id",
            (group,),
        )
        connection.execute(
            f"INSERT INTO main.pieces {_PIECES} "  # noqa: S608 - a constant
            "SELECT piece, file, number, count, stripe, volume_column, tar_offset, file_offset, bytes "
            "FROM journal.cut_pieces WHERE packing_group = ? ORDER BY piece",
            (group,),
        )
        connection.execute("COMMIT")
    finally:
        connection.close()
