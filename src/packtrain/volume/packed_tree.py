"""A packed shipment as a tree of files: names from the catalogs of its groups, bytes from whatever drives are mounted.

A catalog is authenticated by group.json, which is signed; it lies in the clear only for as long as it takes to open it,
in a private file whose name is gone by then. Names are looked up as they are asked for: a folder costs its own entries,
not those below it.
"""

from __future__ import annotations

import tempfile
import threading
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from packtrain.crypto import age
from packtrain.documents.group import Group
from packtrain.documents.plan import PlannedDrive
from packtrain.errors import (
    BeyondRepair,
    HostileArchive,
    IncompleteKnowledge,
    IntegrityError,
    MoreDrivesWanted,
    PacktrainError,
    WrongKey,
)
from packtrain.volume.catalog import Catalog, CatalogFile, CatalogPiece
from packtrain.volume.catalog_source import decrypt_catalog
from packtrain.volume.extract import as_the_consignor_signed_it
from packtrain.volume.fleet import Fleet
from packtrain.volume.range_reader import RangeReader
from packtrain.volume.resume import check_tiling
from packtrain.volume.untar import check_name

# Where each of these entries lies is remembered, of all together so many pieces: a cut file may have a million.
_MOST_PLACES: Final = 256
_MOST_PIECES: Final = 65_536
_FIRST_ROWS: Final = 32
_MOST_ROWS: Final = 4096
_MOST_LINKS: Final = 16
# No name on a file system has 256 bytes.
_BEHIND_ALL: Final = b"\xff" * 256


class PackedEntry(NamedTuple):
    """A file, a link to one, or a folder of a packed shipment. Folders that no catalog names have no `file`."""

    path: bytes
    group: int
    file: CatalogFile | None

    @property
    def is_folder(self) -> bool:
        """Return whether it is a folder."""
        return self.file is None or self.file.kind == "directory"


class PackedTree:
    """The files of one shipment. Any number of threads may use it.

    Args:
        fleet: the verified drives.
        identity: the shipment's age identity.
        scratch: a private folder; a catalog lies there while it is opened.
        partial: do without the names of groups of which no drive is here.

    Attributes:
        unnamed: groups whose names are not known, by number: what is not found may lie there.

    Raises:
        WrongKey: the identity is not the plan's recipient.
        MoreDrivesWanted: no drive of a group is here, and `partial` is not asked for.
        IncompleteKnowledge: a group's document is not here.
        BeyondRepair: no drive of a group has its catalog whole.
        IntegrityError: a catalog contradicts its group document.
        DriveFull: `scratch` cannot take a catalog.
    """

    def __init__(self, fleet: Fleet, identity: str, scratch: Path, *, partial: bool = False) -> None:
        if age.recipient_of(identity) != fleet.plan.recipient:
            raise WrongKey(
                "key does not open this shipment", expected=fleet.plan.recipient, found=age.recipient_of(identity),
                hint="the envelope holds the key of another shipment or attempt",
            )  # fmt: skip
        self._lock = threading.RLock()
        self._catalogs: dict[int, Catalog] = {}
        self._readers: dict[int, RangeReader] = {}
        self._places: OrderedDict[tuple[int, int], tuple[CatalogPiece, ...]] = OrderedDict()
        self._num_pieces = 0
        self.unnamed: dict[int, tuple[PlannedDrive, ...]] = {}
        try:
            for planned in fleet.plan.groups:
                number = planned.group
                drives = {item.record.planned_uuid: item.drive for item in fleet.mounted if item.record.group == number}
                if not drives:
                    wanted = tuple(drive for drive in fleet.plan.drives if drive.uuid in planned.drives)
                    self._without(number, wanted, partial=partial)
                    continue
                group = fleet.groups.get(number)
                if group is None:
                    raise IncompleteKnowledge(
                        f"no drive here has the document of group {number} whole, and it did not come with a dossier",
                        hint="mount another drive of the group",
                    )
                with as_the_consignor_signed_it():
                    self._catalogs[number] = _open_catalog(group, fleet, identity, scratch)
                self._readers[number] = RangeReader(group, fleet.plan, drives, identity)
        except BaseException:
            self.close()
            raise

    def _without(self, number: int, drives: tuple[PlannedDrive, ...], *, partial: bool) -> None:
        labels = ", ".join(drive.label for drive in drives[:20])
        if not partial:
            raise MoreDrivesWanted(
                f"no drive of group {number} is here: what lies in it cannot even be named",
                expected=f"a drive of {labels}",
                found="none",
                hint="mount one of them; or ask for what is here alone: partial=True",
                wanted={"group": number, "any": 1, "of": [drive.label for drive in drives]},
            )
        self.unnamed[number] = drives

    # --- names ------------------------------------------------------------------------------------------------------

    def entry(self, path: bytes) -> PackedEntry | None:
        """Return what is at a path; None where nothing is. The top is the path b"".

        Links on the way to its last part are followed: the entry has the path without them.

        Raises:
            HostileArchive, IntegrityError: a catalog breaks the format.
        """
        if not path:
            return PackedEntry(b"", -1, None)
        for _ in range(_MOST_LINKS):
            if (found := self._named(path)) is not None:
                return found
            if (followed := self._followed(path)) is None:
                return None
            path = followed
        return None

    def _named(self, path: bytes) -> PackedEntry | None:
        with self._lock, as_the_consignor_signed_it():
            for number, catalog in self._catalogs.items():
                if (found := catalog.entry(path)) is not None:
                    check_name(found.path)
                    return PackedEntry(path, number, found)
            if any(catalog.in_order(path + b"/", path + b"0", 1) for catalog in self._catalogs.values()):
                return PackedEntry(path, -1, None)
        return None

    def _followed(self, path: bytes) -> bytes | None:
        """Return where a path leads by the first link on its way; None where there is none in the shipment."""
        end = path.find(b"/")
        while end >= 0:
            found = self._named(path[:end])
            if found is None:
                return None
            if found.file is not None and found.file.kind == "symlink":
                assert found.file.link_target is not None
                led = _joined(found.path, found.file.link_target)
                return None if led is None else (led + path[end:]).lstrip(b"/")
            end = path.find(b"/", end + 1)
        return None

    def children(self, path: bytes) -> list[PackedEntry]:
        """Return what lies directly in a folder, in byte order of the names; nothing below it is read.

        Of a link to a folder that is what the folder holds, each entry with its path there.

        Raises:
            HostileArchive, IntegrityError: a catalog breaks the format.
        """
        led = entry if (entry := self.entry(path)) is None else self.target(entry)
        path = path if led is None else led.path
        found: dict[bytes, PackedEntry] = {}
        with self._lock, as_the_consignor_signed_it():
            for number, catalog in self._catalogs.items():
                for child, file in _children(catalog, path + b"/" if path else b""):
                    # What a catalog itself says of a folder goes before what paths below it imply.
                    if child not in found or found[child].file is None:
                        found[child] = PackedEntry(child, number, file)
        return [found[child] for child in sorted(found)]

    def target(self, entry: PackedEntry) -> PackedEntry | None:
        """Return the file or folder that an entry is or leads to; None where a link leads nowhere in the shipment."""
        for _ in range(_MOST_LINKS):
            file = entry.file
            if file is None or file.kind in ("file", "directory"):
                return entry
            assert file.link_target is not None
            path = file.link_target if file.kind == "hardlink" else _joined(entry.path, file.link_target)
            following = self.entry(path) if path is not None else None
            if following is None:
                return None
            entry = following
        return None

    # --- bytes ------------------------------------------------------------------------------------------------------

    def read_into(self, entry: PackedEntry, offset: int, target: memoryview) -> int:
        """Fill `target` with the content of a file from `offset` on; return the bytes, fewer only at its end.

        Raises:
            MoreDrivesWanted, BeyondRepair, IntegrityError, HostileArchive: see `RangeReader.read_into`; the file is
                named.
        """
        assert entry.file is not None and entry.file.kind == "file"
        end = min(offset + len(target), entry.file.bytes)
        if end <= offset:
            return 0
        if entry.group not in self._readers:
            raise ValueError("the shipment was closed, or may not be read any more: open the file again")
        try:
            with as_the_consignor_signed_it():
                for piece in self._pieces(entry.group, entry.file):
                    low, high = max(offset, piece.file_offset), min(end, piece.file_offset + piece.bytes)
                    if low < high:
                        place = piece.tar_offset + low - piece.file_offset
                        view = target[low - offset : high - offset]
                        self._readers[entry.group].read_into(piece.stripe, piece.column, place, view)
        except (MoreDrivesWanted, BeyondRepair, IntegrityError, HostileArchive) as error:
            raise _named(error, entry.path) from error
        return end - offset

    def num_rebuilt(self) -> int:
        """Return how many blocks were rebuilt from others so far."""
        return sum(reader.num_rebuilt for reader in self._readers.values())

    def _pieces(self, number: int, file: CatalogFile) -> tuple[CatalogPiece, ...]:
        key = (number, file.id)
        with self._lock:
            found = self._places.get(key)
            if found is None:
                catalog = self._catalogs[number]
                check_tiling(catalog, file)
                found = self._places[key] = tuple(catalog.pieces_of(file.id))
                self._num_pieces += len(found)
                while len(self._places) > _MOST_PLACES or (self._num_pieces > _MOST_PIECES and len(self._places) > 1):
                    self._num_pieces -= len(self._places.popitem(last=False)[1])
            self._places.move_to_end(key)
        return found

    def close(self) -> None:
        """Release what is open."""
        with self._lock:
            for reader in self._readers.values():
                reader.close()
            for catalog in self._catalogs.values():
                catalog.close()
            self._readers.clear()
            self._catalogs.clear()


def _open_catalog(group: Group, fleet: Fleet, identity: str, scratch: Path) -> Catalog:
    faults: list[str] = []
    with tempfile.TemporaryDirectory(prefix="names-", dir=scratch) as folder:
        path = Path(folder) / "catalog.sqlite"
        for item in fleet.mounted:
            if item.record.group != group.group:
                continue
            fault = decrypt_catalog(group, item, identity, path)
            if fault is not None:
                faults.append(f"drive {item.record.label}: {fault}")
                continue
            catalog = Catalog.open(path, by_turns=True)
            if (found := catalog.num_files()) != group.num_files:
                catalog.close()
                raise IntegrityError(
                    f"catalog of group {group.group} holds another number of files than its document",
                    expected=str(group.num_files),
                    found=str(found),
                )
            # SQLite has it open, and reads nothing by its name again: it goes with the folder.
            return catalog
    raise BeyondRepair(
        f"no drive here has the catalog of group {group.group} whole",
        found="; ".join(faults)[:1000],
        hint="mount another drive of the group: each has a copy",
    )


def _children(catalog: Catalog, prefix: bytes) -> Iterator[tuple[bytes, CatalogFile | None]]:
    """Yield the paths directly below a prefix, each with its entry; None where only a path below it says it is there.

    What lies deeper is stepped over, not read: the next path is looked up behind all that begins with the folder's.
    """
    at, end = prefix, prefix[:-1] + b"0" if prefix else _BEHIND_ALL
    most = _FIRST_ROWS
    while rows := catalog.in_order(at, end, most):
        following = b""
        for file in rows:
            check_name(file.path)
            name, slash, _ = file.path[len(prefix) :].partition(b"/")
            child = prefix + name
            if slash:
                yield child, None
                following = child + b"0"
                break
            yield child, file
        if following:
            at, most = following, _FIRST_ROWS
        elif len(rows) < most:
            return
        else:
            at, most = rows[-1].path + b"\0", min(most * 4, _MOST_ROWS)


def _joined(path: bytes, target: bytes) -> bytes | None:
    """Return the path that a symbolic link leads to; None where that is not in the shipment."""
    if target.startswith(b"/"):
        return None
    parts = path.split(b"/")[:-1]
    for part in target.split(b"/"):
        if part == b"..":
            if not parts:
                return None
            parts.pop()
        elif part not in (b"", b"."):
            parts.append(part)
    return b"/".join(parts)


def _named(error: PacktrainError, path: bytes) -> PacktrainError:
    shown = path.decode("utf-8", "backslashreplace")[:256]
    where = f"{shown}: {error.where}" if error.where else shown
    facts = {"where": where, "expected": error.expected, "found": error.found, "hint": error.hint}
    if isinstance(error, MoreDrivesWanted):
        return MoreDrivesWanted(error.what, wanted=error.wanted, **facts)
    return type(error)(error.what, **facts)
