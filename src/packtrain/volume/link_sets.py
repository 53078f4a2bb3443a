"""Files of several names while a folder is scanned: they wait for the last of their names, beyond a bound on disk.

A backup of ten snapshots has ten names for every file, and the last of them comes at the end: nearly all files wait.
"""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

import msgspec

from packtrain.units import MIB
from packtrain.volume.cargo import CargoEntry
from packtrain.volume.journal_file import Connection

FileKey = tuple[int, int]
"""Device and inode."""
_Spilled = tuple[int, int, bytes]
_MOST_HELD_BYTES: Final = 32 * MIB
# What a set and its first entry cost in memory, without names and attributes.
_SET_BYTES: Final = 1000
_NAME_BYTES: Final = 250
_ENTRY: Final = msgspec.msgpack.Decoder(CargoEntry)
# "WITHOUT ROWID" keeps the names of a set together. Nothing of this is read after a crash: no journal.
_SCHEMA: Final = """
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
PRAGMA cache_size = -16384;
CREATE TABLE sets (number INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, missing INTEGER NOT NULL, entry BLOB NOT NULL);
CREATE TABLE names (number INTEGER, place INTEGER, path BLOB NOT NULL, name BLOB NOT NULL, PRIMARY KEY (number, place))
    WITHOUT ROWID;
BEGIN;
"""


@dataclass(slots=True)
class _Set:
    """A file of several names: the first of them, the others so far (path, name), and how many were not seen yet."""

    first: CargoEntry
    num_missing: int
    names: list[tuple[bytes, bytes]] = field(default_factory=list[tuple[bytes, bytes]])


class LinkSets:
    """The sets of which a name is missing.

    Names lie in the clear in a file of SQLite's that has no name itself, in the folder for temporary files
    (SQLITE_TMPDIR, TMPDIR), and are gone when the program ends, however it does.

    Raises:
        DriveFull, DriveFailed: from `begin` and `add`: that folder cannot take them.
    """

    def __init__(self) -> None:
        self._held: dict[FileKey, _Set] = {}
        self._held_bytes = 0
        self._spilled: Connection | None = None
        # `has` and then `add` ask for the same.
        self._found: tuple[FileKey, _Spilled | None] | None = None
        self._numbers = itertools.count()
        self._places = itertools.count()

    def close(self) -> None:
        """Release what was spilled."""
        if self._spilled is not None:
            self._spilled.close()
            self._spilled = None

    @property
    def num_held(self) -> int:
        """Return how many sets are in memory."""
        return len(self._held)

    def has(self, key: FileKey) -> bool:
        """Return whether a name of this file was seen, and one is missing."""
        return key in self._held or self._find(key) is not None

    def begin(self, key: FileKey, first: CargoEntry, num_missing: int) -> None:
        """Take the first name of a file."""
        self._held[key] = _Set(first, num_missing)
        attributes_bytes = sum(len(name) + len(value) for name, value in first.xattrs)
        self._hold(_SET_BYTES + len(first.name) + len(first.source) + attributes_bytes)

    def add(self, key: FileKey, path: bytes, name: bytes) -> Iterator[CargoEntry]:
        """Take another name of a file; yield all its entries, in the order of their names, if it was the last."""
        held = self._held.get(key)
        if held is not None:
            held.names.append((path, name))
            held.num_missing -= 1
            if held.num_missing:
                self._hold(_NAME_BYTES + len(path) + len(name))
            else:
                del self._held[key]
                yield from _together(held.first, held.names)
            return
        found, spilled = self._find(key), self._spilled
        assert found is not None and spilled is not None
        number, num_missing, payload = found
        if num_missing > 1:
            spilled.execute("INSERT INTO names VALUES (?, ?, ?, ?)", (number, next(self._places), path, name))
            spilled.execute("UPDATE sets SET missing = missing - 1 WHERE number = ?", (number,))
            self._found = None
            return
        self._found = None
        has_names = False
        for entry in self._read(number, payload, [(path, name)]):
            yield entry
            has_names = has_names or (entry.kind == "hardlink" and entry.name != name)
        if has_names:
            spilled.execute("DELETE FROM names WHERE number = ?", (number,))
        spilled.execute("DELETE FROM sets WHERE number = ?", (number,))

    def rest(self) -> Iterator[Iterator[CargoEntry]]:
        """Yield for each set that is left its entries, in the order in which the sets were begun."""
        if self._spilled is not None:
            # What is in memory was begun after all that is on disk: they go there together.
            for number, payload in self._spilled.execute("SELECT number, entry FROM sets ORDER BY number"):
                yield self._read(number, payload)
        for held in self._held.values():
            yield _together(held.first, held.names)

    def _find(self, key: FileKey) -> _Spilled | None:
        """Return number, missing names and first entry of a set on disk."""
        if self._spilled is None:
            return None
        if self._found is None or self._found[0] != key:
            query = "SELECT number, missing, entry FROM sets WHERE key = ?"
            self._found = key, self._spilled.execute(query, (_key(key),)).fetchone()
        return self._found[1]

    def _read(self, number: int, payload: bytes, last: Iterable[tuple[bytes, bytes]] = ()) -> Iterator[CargoEntry]:
        assert self._spilled is not None
        query = "SELECT path, name FROM names WHERE number = ? ORDER BY place"
        names = self._spilled.execute(query, (number,))
        return _together(_ENTRY.decode(payload), itertools.chain(names, last))

    def _hold(self, more_bytes: int) -> None:
        self._held_bytes += more_bytes
        if self._held_bytes > _MOST_HELD_BYTES:
            self._spill()

    def _spill(self) -> None:
        if self._spilled is None:
            # "" is a file that SQLite unlinks as soon as it has it.
            self._spilled = sqlite3.connect("", isolation_level=None, check_same_thread=False, factory=Connection)
            self._spilled.where = "the folder for temporary files"
            self._spilled.executescript(_SCHEMA)
        numbered = [(next(self._numbers), key, held) for key, held in self._held.items()]
        self._spilled.executemany(
            "INSERT INTO sets VALUES (?, ?, ?, ?)",
            ((n, _key(key), held.num_missing, msgspec.msgpack.encode(held.first)) for n, key, held in numbered),
        )
        self._spilled.executemany(
            "INSERT INTO names VALUES (?, ?, ?, ?)",
            ((n, next(self._places), path, name) for n, _, held in numbered for path, name in held.names),
        )
        self._held.clear()
        self._held_bytes = 0
        self._found = None


def _key(key: FileKey) -> bytes:
    # As text: an inode's number can be larger than SQLite's integers.
    return b"%x:%x" % key


def _together(first: CargoEntry, names: Iterable[tuple[bytes, bytes]]) -> Iterator[CargoEntry]:
    """Yield a file and its other names, in the order they were seen."""
    yield first
    for path, name in names:
        yield first._replace(
            name=name,
            source=path,
            kind="hardlink",
            size_bytes=0,
            link_target=first.name,
            is_sparse=False,
            xattrs=(),
        )
