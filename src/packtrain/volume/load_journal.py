"""The journal of a load: which volumes are in the store, and what is known of the others, one line each.

A killed load goes on from it; so does the next wave, whose drives know nothing of those before.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Final, Literal, TypeVar

import msgspec

from packtrain import durable
from packtrain.errors import StoreInUse
from packtrain.volume.blocks import Damage
from packtrain.volume.ranges import Ranges
from packtrain.volume.wanted import BadBlocks

_FORMAT: Final = "packtrain-load-journal-3"
L = TypeVar("L")
VolumeKey = tuple[int, int, int]
"""Group, stripe, column."""
_Number = Annotated[int, msgspec.Meta(ge=0)]
DriveState = Literal["seen", "lost", "awaited", "catalog damaged"]
"""Of a drive: all of its data volumes were tried; it will not come; it may come after all; its catalog is no good."""


class DamageLine(msgspec.Struct, frozen=True, array_like=True):
    """One `Damage` in the journal."""

    drive: str
    volume: str
    first_block: int | None
    last_block: int | None
    what: str


class _Line(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="line"):
    """Any line but the first."""


class _OfVolume(_Line, frozen=True, forbid_unknown_fields=True):
    group: _Number
    stripe: _Number
    column: _Number

    @property
    def key(self) -> VolumeKey:
        """Return what names the volume."""
        return self.group, self.stripe, self.column


class VolumeLine(_OfVolume, frozen=True, forbid_unknown_fields=True, tag="volume"):
    """One volume whose files are in the store.

    Attributes:
        files, bytes: entries, and bytes of files, that became complete with this volume.
        blocks_repaired: its damaged blocks that were rebuilt.
        rebuilt: it was lost as a whole and rebuilt from the others.
        damage: what was found in its stripe.
        pieces: its pieces of cut files: number in the catalog, number of the piece, XXH3-64 of its content in hex.
    """

    files: _Number
    bytes: _Number
    blocks_repaired: _Number
    rebuilt: bool
    damage: tuple[DamageLine, ...]
    pieces: tuple[tuple[int, int, str], ...] = ()

    def damages(self) -> Iterator[Damage]:
        """Yield the damage as its own type."""
        return _damages(self.damage)


class DamagedLine(_OfVolume, frozen=True, forbid_unknown_fields=True, tag="damaged"):
    """One volume, of data or parity, whose damage matters to what is not restored yet."""

    damage: tuple[DamageLine, ...]

    def damages(self) -> Iterator[Damage]:
        """Yield the damage as its own type."""
        return _damages(self.damage)

    def bad_blocks(self) -> BadBlocks:
        """Return its bad blocks, None for all of them."""
        if any(line.first_block is None or line.last_block is None for line in self.damage):
            return None
        return Ranges(
            (line.first_block, line.last_block)
            for line in self.damage
            if line.first_block is not None and line.last_block is not None
        )


class RefusedLine(_OfVolume, frozen=True, forbid_unknown_fields=True, tag="refused"):
    """One volume that is as the consignor signed it, and hostile or in contradiction to the catalog.

    Attributes:
        error: name of the error's class.
        what, where, expected, found: its fields.
    """

    error: str
    what: str
    where: str | None
    expected: str | None
    found: str | None


class SalvagedLine(_OfVolume, frozen=True, forbid_unknown_fields=True, tag="salvaged"):
    """One volume beyond repair of which all files that could be proven are in the store.

    Attributes:
        files: their numbers in the catalog, in ranges: first and last, both included.
        bytes: of these files.
        pieces: of cut files, number in the catalog and number of the piece: they wait in the staging folder.
    """

    files: tuple[tuple[_Number, _Number], ...]
    bytes: _Number
    pieces: tuple[tuple[int, int], ...] = ()

    def numbers(self) -> Ranges:
        """Return `files` as a set."""
        return Ranges(self.files)


class DriveLine(_Line, frozen=True, forbid_unknown_fields=True, tag="drive"):
    """What became of one drive, by its UUID in the plan; the last line of a drive and kind counts."""

    drive: str
    state: DriveState


class CatalogLine(_Line, frozen=True, forbid_unknown_fields=True, tag="catalog"):
    """A group's catalog waits decrypted in the staging folder; its SHA-256."""

    group: _Number
    sha256: str


class GroupLine(_Line, frozen=True, forbid_unknown_fields=True, tag="group"):
    """A verified group document is kept beside the journal; its SHA-256."""

    group: _Number
    sha256: str


class FinishedLine(_Line, frozen=True, forbid_unknown_fields=True, tag="finished"):
    """What a group's catalog alone carries was brought up to date after the last volume; so many entries of it."""

    group: _Number
    files: _Number


_Lines = VolumeLine | DamagedLine | RefusedLine | SalvagedLine | DriveLine | CatalogLine | GroupLine | FinishedLine


class _Head(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    format: str
    plan: str
    store: str


class LoadJournal:
    """The journal file. A journal of another plan or store, or one that cannot be read, is begun anew.

    Args:
        path: the `.jsonl` file.
        plan_digest: SHA-256 of plan.json.
        store: location of the store.

    Attributes:
        volumes, damaged, refused, salvaged: lines by volume.
        seen, lost, without_catalog: drives by UUID; see `DriveState`.
        catalogs, groups: SHA-256 of decrypted catalogs, and of group documents that are kept, by group.
        finished: entries without a volume that are in the store, by group of which all volumes are.
        was_known: the file was there, of this plan and this store.

    Raises:
        StoreInUse: on writing: another process has written the file since this one did. Locks keep two loads apart;
            not every file system has them over hosts, and lines of two that know nothing of each other count files
            twice.
    """

    def __init__(self, path: Path, plan_digest: str, store: str) -> None:
        self._path = path
        self._head = _Head(_FORMAT, plan_digest, store)
        self._clear()
        self._written: tuple[int, int] | None = None  # inode and length, as this process left it
        payload = path.read_bytes() if path.exists() else b""
        # A torn last line is a volume whose files were published and not recorded: it is read once more.
        whole, _, torn = payload.rpartition(b"\n")
        lines = whole.split(b"\n")
        decoder = msgspec.json.Decoder(_Lines)
        try:
            known = msgspec.json.decode(lines[0], type=_Head) == self._head
            if known:
                for line in lines[1:]:
                    self._take(decoder.decode(line))
        except (msgspec.MsgspecError, UnicodeDecodeError):
            known = False
            self._clear()
        self.was_known = known
        if not known or torn:
            self._rewrite()
        else:
            self._written = path.stat().st_ino, len(payload)

    def add(self, lines: Sequence[_Lines]) -> None:
        """Record lines, durably, but for what it says already: running a load again adds nothing."""
        lines = [line for line in lines if not self._says(line)]
        if lines:
            self._require_own()
            encoded = [msgspec.json.encode(line) for line in lines]
            durable.append_records(self._path, encoded)
            if self._written is not None:
                self._written = self._written[0], self._written[1] + sum(len(line) + 1 for line in encoded)
            for line in lines:
                self._take(line)

    def _says(self, line: _Lines) -> bool:
        match line:
            case CatalogLine():
                return self.catalogs.get(line.group) == line.sha256
            case FinishedLine():
                return self.finished.get(line.group) == line.files
            case _:
                return False

    def mark(self, drives: Iterable[str], state: DriveState) -> None:
        """Record what became of drives, durably; nothing is written for those of which it is known."""
        known = {
            "seen": self.seen,
            "lost": self.lost,
            "catalog damaged": self.without_catalog,
        }
        if state == "awaited":
            new = [drive for drive in drives if drive in self.lost]
        else:
            new = [drive for drive in drives if drive not in known[state]]
        self.add([DriveLine(drive, state) for drive in new])

    def forget(self, keys: Collection[VolumeKey], drives: Collection[str] = ()) -> None:
        """Take volumes back, and that their drives were seen: their files are not in the store any more."""
        for key in keys:
            self.volumes.pop(key, None)
            self.salvaged.pop(key, None)
        if keys:
            self.finished.clear()
            self.seen.difference_update(drives)
            self._rewrite()

    def adopt(self, other: LoadJournal, groups: Collection[int], drives: Collection[str]) -> None:
        """Take what another journal says of these groups and drives in the place of what this one says, durably."""
        _replace_groups(self.volumes, other.volumes, groups)
        _replace_groups(self.damaged, other.damaged, groups)
        _replace_groups(self.refused, other.refused, groups)
        _replace_groups(self.salvaged, other.salvaged, groups)
        for mine, theirs in (
            (self.seen, other.seen),
            (self.lost, other.lost),
            (self.without_catalog, other.without_catalog),
        ):
            mine.difference_update(drives)
            mine.update(theirs.intersection(drives))
        for mine, theirs in ((self.catalogs, other.catalogs), (self.groups, other.groups)):
            mine.update({group: sha256 for group, sha256 in theirs.items() if group in groups})
        if any(self.finished.get(group) != other.finished.get(group) for group in groups):
            # A file that came into a folder moved the time of the folder, whatever group has that.
            self.finished.clear()
        self._rewrite()

    def lend(self, path: Path, groups: Collection[int], drives: Collection[str]) -> None:
        """Begin a journal in `path`, of the same load, with what this one says of these groups and drives."""
        path.unlink(missing_ok=True)
        lent = LoadJournal(path, self._head.plan, self._head.store)
        lent.finished.update({group: files for group, files in self.finished.items() if group in groups})
        lent.adopt(self, groups, drives)

    def _clear(self) -> None:
        self.volumes: dict[VolumeKey, VolumeLine] = {}
        self.damaged: dict[VolumeKey, DamagedLine] = {}
        self.refused: dict[VolumeKey, RefusedLine] = {}
        self.salvaged: dict[VolumeKey, SalvagedLine] = {}
        self.seen: set[str] = set()
        self.lost: set[str] = set()
        self.without_catalog: set[str] = set()
        self.catalogs: dict[int, str] = {}
        self.groups: dict[int, str] = {}
        self.finished: dict[int, int] = {}

    def _take(self, line: _Lines) -> None:
        match line:
            case VolumeLine():
                self.volumes[line.key] = line
                # A file that came into a folder moved the time of the folder.
                self.finished.clear()
                self.refused.pop(line.key, None)
                self.salvaged.pop(line.key, None)
            case DamagedLine():
                self.damaged[line.key] = line
            case RefusedLine():
                self.refused[line.key] = line
            case SalvagedLine():
                self.salvaged[line.key] = line
            case CatalogLine():
                self.catalogs[line.group] = line.sha256
            case GroupLine():
                self.groups[line.group] = line.sha256
            case FinishedLine():
                self.finished[line.group] = line.files
            case DriveLine():
                if line.state == "seen":
                    self.seen.add(line.drive)
                elif line.state == "lost":
                    self.lost.add(line.drive)
                elif line.state == "awaited":
                    self.lost.discard(line.drive)
                else:
                    self.without_catalog.add(line.drive)

    def _rewrite(self) -> None:
        drives = [
            *(DriveLine(drive, "seen") for drive in sorted(self.seen)),
            *(DriveLine(drive, "lost") for drive in sorted(self.lost)),
            *(DriveLine(drive, "catalog damaged") for drive in sorted(self.without_catalog)),
        ]
        catalogs = (CatalogLine(group, sha256) for group, sha256 in self.catalogs.items())
        tables = (self.volumes, self.damaged, self.refused, self.salvaged)
        groups = (GroupLine(group, sha256) for group, sha256 in self.groups.items())
        finished = (FinishedLine(group, files) for group, files in self.finished.items())
        lines: list[msgspec.Struct] = [self._head, *drives, *catalogs, *groups, *finished]
        lines += [line for table in tables for line in table.values()]
        payload = b"".join(msgspec.json.encode(line) + b"\n" for line in lines)
        self._require_own()
        durable.write_bytes(self._path, payload)
        self._written = self._path.stat().st_ino, len(payload)

    def _require_own(self) -> None:
        if self._written is None:
            return
        try:
            # Opened, for then a network file system asks its server.
            with self._path.open("rb") as stream:
                status = os.fstat(stream.fileno())
            found = status.st_ino, status.st_size
        except FileNotFoundError:
            found = None
        if found != self._written:
            raise StoreInUse(
                "another process loads this shipment: it has written the journal of this load",
                where=str(self._path),
                hint="see that one load runs, on one host, then run the same command again; there is nothing to delete",
            )


def _replace_groups(mine: dict[VolumeKey, L], theirs: Mapping[VolumeKey, L], groups: Collection[int]) -> None:
    rest = {key: line for key, line in mine.items() if key[0] not in groups}
    rest |= {key: line for key, line in theirs.items() if key[0] in groups}
    mine.clear()
    # By group, as one host that reads them one after the other notes them.
    mine.update(sorted(rest.items(), key=lambda item: item[0][0]))


def damage_lines(damage: Iterable[Damage]) -> tuple[DamageLine, ...]:
    """Return damage in the journal's form."""
    return tuple(DamageLine(d.drive, d.volume, d.first_block, d.last_block, d.what) for d in damage)


def _damages(lines: Iterable[DamageLine]) -> Iterator[Damage]:
    for line in lines:
        yield Damage(line.drive, line.volume, line.first_block, line.last_block, line.what)
