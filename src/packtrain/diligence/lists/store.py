"""lists/<label>/ in the voyage folder: the record of a list, and its entries in an SQLite file named by their digest.

`list.json` is written last and names the entries, so a crash leaves the old list or the new one, whole. Records that
were replaced stay in history/. The user's file is not kept: many lists may not be passed on.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sqlite3
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Final, Self
from urllib.parse import quote

import msgspec

from packtrain import durable
from packtrain.digest import sha256_bytes
from packtrain.diligence.lists.entry import ListedParty
from packtrain.documents.codec import MAX_DOCUMENT_BYTES, decode, encode
from packtrain.documents.list_record import ListRecord
from packtrain.errors import IntegrityError, ListMissing, ListUnreadable
from packtrain.record.folder import VoyageFolder

FOLDER: Final = "lists"
_RECORD: Final = "list.json"
_HISTORY: Final = "history"
_BATCH: Final = 1000
_ZONES: Final = timedelta(days=1)
"""It is tomorrow already where the publisher sits."""
_to_json: Final = msgspec.json.Encoder()
_from_json: Final = msgspec.json.Decoder(ListedParty)


def records(folder: VoyageFolder) -> tuple[ListRecord, ...]:
    """Return the record of every list of the voyage, in the order of their labels.

    Raises:
        DocumentError: one was altered.
    """
    found = sorted((folder.root / FOLDER).glob(f"*/{_RECORD}"))
    return tuple(decode(ListRecord, _payload(path), str(path)) for path in found)


def record(folder: VoyageFolder, label: str) -> ListRecord:
    """Return the record of one list.

    Raises:
        ListMissing: no list has this label.
        DocumentError: its record was altered.
    """
    path = _folder(folder, label) / _RECORD
    try:
        return decode(ListRecord, _payload(path), str(path))
    except FileNotFoundError as error:
        raise ListMissing(
            f"no list {label!r} was added to this voyage",
            where=str(folder.root),
            hint='"packtrain lists show" names those that were; "packtrain lists add" adds one',
        ) from error


def entries(folder: VoyageFolder, of: ListRecord) -> Iterator[ListedParty]:
    """Yield the entries of a list in the order of its file; what was stored is held against the record at the end.

    Raises:
        IntegrityError: an entry was changed, added or taken away since the list was added; at the latest after the
            last entry, so nothing may be concluded before.
    """
    yield from _read_entries(_folder(folder, of.label), of)


def _read_entries(place: Path, of: ListRecord) -> Iterator[ListedParty]:
    path = _entries_path(place, of.entries)
    state = hashlib.sha256()
    try:
        with contextlib.closing(
            sqlite3.connect(f"file:{quote(str(path))}?mode=ro&immutable=1", uri=True)
        ) as connection:
            # Nothing but a table: a view of a doctored file could go on for ever.
            kinds = connection.execute("SELECT type FROM sqlite_master WHERE name = 'entries'").fetchall()
            if kinds != [("table",)]:
                raise _altered(of, path, "no table of entries")
            for (payload,) in connection.execute("SELECT payload FROM entries ORDER BY id"):
                if not isinstance(payload, bytes):
                    break  # the digest will not fit
                state.update(payload + b"\n")
                yield _from_json.decode(payload)
    except (sqlite3.Error, msgspec.MsgspecError) as error:
        raise _altered(of, path, str(error)) from error
    if state.hexdigest() != of.entries:
        raise _altered(of, path, "another digest")


def take_from(folder: VoyageFolder, source: Path) -> tuple[str, ...]:
    """Take the lists of another folder that are not here, or of a later day; return which, in words.

    The entries are held against their record while they are copied: a list that was altered there is not taken.

    Raises:
        ListMissing: the other folder has no list.
        ListUnreadable: a list there is of a day that is not yet, or later than its own file states: it would never age.
        DocumentError, IntegrityError: a list there was altered.
    """
    theirs = sorted((source / FOLDER).glob(f"*/{_RECORD}"))
    if not theirs:
        raise ListMissing(
            "no list was added in the folder to take lists from",
            where=str(source),
            hint='"packtrain lists add --voyage FOLDER" adds one; any voyage folder will do',
        )
    told: list[str] = []
    for path in theirs:
        there = decode(ListRecord, _payload(path), str(path))
        here = next((each for each in records(folder) if each.label == there.label), None)
        _refuse_undated(there, path)
        if here is not None and (here.date, here.added_on) >= (there.date, there.added_on):
            continue
        with EntryWriter(folder, there.label) as writer:
            for party in _read_entries(path.parent, there):
                writer.add(party)
            if writer.num_entries != there.num_entries:
                raise _altered(there, path, f"{writer.num_entries} entries")
            writer.keep(there)
        before = f" in place of {here.num_entries:,} of {here.date}" if here is not None else ""
        told.append(f"list {there.label} of {there.date}: {there.num_entries:,} entries{before}")
    return tuple(told)


def _refuse_undated(there: ListRecord, path: Path) -> None:
    latest = [datetime.now(UTC).date() + _ZONES]
    try:
        if there.date_in_file is not None:
            latest.append(date.fromisoformat(there.date_in_file) + _ZONES)
        if date.fromisoformat(there.date) <= min(latest):
            return
    except ValueError:
        pass  # a day that no calendar has
    raise ListUnreadable(
        f"the list {there.label} is of a day that it cannot be of",
        where=str(path),
        expected=f"{min(latest)} or earlier",
        found=there.date,
        hint="add it again from its publisher's file",
    )


class EntryWriter:
    """Writes the entries of a list to a temporary file. Use it as a context; without `keep` nothing is left.

    Attributes:
        num_entries, num_names, num_addresses: of what was written.
    """

    def __init__(self, folder: VoyageFolder, label: str) -> None:
        self._folder = _folder(folder, label)
        self._temporary = self._folder / f"entries.sqlite{durable.TEMPORARY_SUFFIX}"
        self._state = hashlib.sha256()
        self._waiting: list[tuple[bytes]] = []
        self.num_entries = self.num_names = self.num_addresses = 0

    def __enter__(self) -> Self:
        self._folder.mkdir(parents=True, exist_ok=True)
        self._temporary.unlink(missing_ok=True)
        self._connection = sqlite3.connect(self._temporary, isolation_level=None)
        # Whole or not at all is the work of the rename; a journal would only write everything twice.
        self._connection.executescript(
            "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -4096;"
            "CREATE TABLE entries (id INTEGER PRIMARY KEY, payload BLOB NOT NULL) STRICT;"
        )
        return self

    def add(self, party: ListedParty) -> None:
        """Write an entry after those before."""
        payload = _to_json.encode(party)
        self._state.update(payload + b"\n")
        self._waiting.append((payload,))
        self.num_entries += 1
        self.num_names += len(party.names)
        self.num_addresses += len(party.addresses)
        if len(self._waiting) >= _BATCH:
            self._write()

    @property
    def digest(self) -> str:
        """Return the SHA-256 over the entries written so far."""
        return self._state.hexdigest()

    def keep(self, new: ListRecord) -> None:
        """Make the list what its label stands for, durably; the record that it replaces goes to history/."""
        self._write()
        self._connection.close()
        with self._temporary.open("rb") as stream:
            os.fsync(stream.fileno())
        durable.step(f"written entries of {new.label}")
        place = self._folder / _RECORD
        if place.exists():
            before = _payload(place)
            durable.write_bytes(self._folder / _HISTORY / f"{sha256_bytes(before)}.json", before)
        path = _entries_path(self._folder, new.entries)
        self._temporary.replace(path)
        durable.sync_folder(self._folder)
        durable.step(f"renamed entries of {new.label}")
        durable.write_bytes(place, encode(new))
        for other in self._folder.glob("entries-*.sqlite"):
            if other != path:
                other.unlink()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()
        self._temporary.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            self._folder.rmdir()  # stays if anything is in it: a list of this label, or its history

    def _write(self) -> None:
        self._connection.execute("BEGIN")
        self._connection.executemany("INSERT INTO entries (payload) VALUES (?)", self._waiting)
        self._connection.execute("COMMIT")
        self._waiting.clear()


def _folder(folder: VoyageFolder, label: str) -> Path:
    return folder.root / FOLDER / label


def _entries_path(folder: Path, digest: str) -> Path:
    return folder / f"entries-{digest[:16]}.sqlite"


def _payload(path: Path) -> bytes:
    with path.open("rb") as stream:
        return stream.read(MAX_DOCUMENT_BYTES + 1)


def _altered(of: ListRecord, path: Path, found: str) -> IntegrityError:
    return IntegrityError(
        f"the entries of the list {of.label} are not those that were added",
        where=str(path),
        expected=f"digest {of.entries[:16]}",
        found=found,
        hint="add the list again from its publisher's file",
    )
