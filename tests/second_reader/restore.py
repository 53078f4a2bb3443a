"""Sections 4, 7 and 12: from proven volumes to files."""

from __future__ import annotations

import os
import stat
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from second_reader.age_file import open_age
from second_reader.catalog import Entry, Piece, read_catalog
from second_reader.documents import Body, sha256
from second_reader.drives import Known, Signed, content, discover
from second_reader.refused import Refused, need
from second_reader.tar_file import Member, read_tar


@dataclass
class Report:
    """What became of a shipment.

    Attributes:
        restored, lost: names of entries.
        num_unnamed: files of groups of which nothing is known but their number.
        faults: volumes that are as they were signed, and no good.
        damage: what was made good, or is lost.
    """

    restored: list[bytes] = field(default_factory=list)
    lost: list[bytes] = field(default_factory=list)
    num_unnamed: int = 0
    faults: list[str] = field(default_factory=list)
    damage: list[str] = field(default_factory=list)

    @property
    def is_whole(self) -> bool:
        return not self.lost and not self.num_unnamed and not self.faults


def restore(
    folders: list[Path],
    allowed_signers: Path,
    identity: str,
    target: Path,
    plan: Signed | None = None,
    shipment: Signed | None = None,
) -> Report:
    """Restore what these drives give below `target`.

    Args:
        folders: the drives, in any order.
        allowed_signers: who may sign what.
        identity: the shipment's age identity.
        plan, shipment: documents that came by another way, with their signatures.
    """
    known = discover(folders, allowed_signers, plan, shipment)
    report = Report(damage=known.damage)
    directories: list[Entry] = []
    for planned in known.plan["groups"]:
        group = known.groups.get(planned["group"])
        entries = None if group is None else read_group_catalog(known, group, identity)
        if group is None or entries is None:
            report.num_unnamed += 1 if group is None else group["num_files"]
            continue
        need(len(entries) == group["num_files"], "catalog has another number of files than group.json")
        Group(known, group, entries, identity, target, report).restore()
        directories += [entry for entry in entries if entry.kind == "directory"]
    restored = set(report.restored)
    for entry in sorted(directories, key=lambda entry: entry.path, reverse=True):
        if entry.path in restored:
            finish(target_of(target, entry.path), entry)
    if known.shipment is not None and report.is_whole:
        need(len(report.restored) == known.shipment["num_files"], "shipment.json counts other files")
    return report


def read_group_catalog(known: Known, group: Body, identity: str) -> list[Entry] | None:
    for uuid in group["drives"]:
        if uuid not in known.drives:
            continue
        sealed = content(known.drives[uuid].folder, "packtrain/catalog.sqlite.age") or b""
        if {"bytes": len(sealed), "sha256": sha256(sealed)} == group["catalog"]:
            with tempfile.TemporaryDirectory() as scratch:
                path = Path(scratch) / "catalog.sqlite"
                path.write_bytes(open_age(sealed, identity))
                return read_catalog(path)
        known.damage.append(f"{uuid}: catalog")
    return None


def target_of(root: Path, name: bytes) -> Path:
    """Return the place of an entry; its folder is made. Refuses to go through a link or a file."""
    place = os.fsencode(root)
    for part in name.split(b"/")[:-1]:
        place = os.path.join(place, part)  # noqa: PTH118 - names are bytes
        if not os.path.lexists(place):
            os.mkdir(place)  # noqa: PTH102
        need(stat.S_ISDIR(os.lstat(place).st_mode), "name leads through a link or a file")
    return Path(os.fsdecode(os.path.join(place, name.split(b"/")[-1])))  # noqa: PTH118


def finish(path: Path, entry: Entry) -> None:
    """Give a file or directory what a reader sets unasked."""
    mode = entry.mode & 0o777
    for name, value in entry.xattrs.items():
        if name == b"system.posix_acl_access":
            mode = mode & ~0o070 | mode & group_bits(value)
        if name.startswith(b"user."):
            try:
                os.setxattr(path, name, value)
            except OSError:
                continue  # not every file system has attributes
    path.chmod(mode)
    os.utime(path, ns=(entry.mtime_ns, entry.mtime_ns))


def group_bits(access_list: bytes) -> int:
    """Return what an access list gives the owning group, as bits of a mode."""
    for at in range(4, len(access_list) - 7, 8):
        if int.from_bytes(access_list[at : at + 2], "little") == 4:
            return (int.from_bytes(access_list[at + 2 : at + 4], "little") & 7) << 3
    return 0


class Group:
    """One group on its way to the target."""

    def __init__(
        self, known: Known, group: Body, entries: list[Entry], identity: str, target: Path, report: Report
    ) -> None:
        self.known, self.group, self.identity = known, group, identity
        self.entries, self.target, self.report = entries, target, report
        self.done: dict[bytes, Entry] = {}
        self.pieces: dict[int, dict[int, bytes]] = {}

    def restore(self) -> None:
        k, n = self.group["k"], len(self.group["drives"])
        for volume in self.group["volumes"]:
            if volume["column"] >= k or not volume["bytes"]:
                continue
            payload = self.known.data_volume(self.group, volume["stripe"], volume["column"])
            if payload is None:
                continue
            try:
                self.unpack(read_tar(open_age(payload, self.identity)), volume["stripe"], volume["column"])
            except Refused as error:
                self.report.faults.append(f"stripe {volume['stripe']}, column {volume['column']} of {n}: {error}")
        for entry in self.entries:
            if not entry.pieces and entry.kind == "directory":
                target_of(self.target, entry.path).mkdir(exist_ok=True)
                self.done[entry.path] = entry
            elif not entry.pieces and entry.link in self.done:
                os.link(target_of(self.target, entry.link or b""), target_of(self.target, entry.path))
                self.done[entry.path] = entry
        self.report.restored += [entry.path for entry in self.entries if entry.path in self.done]
        self.report.lost += [entry.path for entry in self.entries if entry.path not in self.done]

    def unpack(self, members: list[Member], stripe: int, column: int) -> None:
        listed = [(piece, entry) for entry in self.entries for piece in entry.pieces]
        expected = [one for one in listed if (one[0].stripe, one[0].column) == (stripe, column)]
        expected.sort(key=lambda one: one[0].id)
        need(len(members) == len(expected), "volume and catalog name different numbers of members")
        for member, (piece, entry) in zip(members, expected, strict=True):
            same = (piece.name(entry.path), entry.kind, piece.bytes, entry.link or b"")
            need((member.name, member.kind, len(member.data), member.target) == same, "member is not the catalog's")
            need(member.xattrs == (entry.xattrs if piece.count == 1 else {}), "attributes are not the catalog's")
            is_whole_file = entry.kind == "file" and piece.count == 1
            need(not is_whole_file or sha256(member.data) == entry.sha256, "file is not the catalog's")
        for member, (piece, entry) in zip(members, expected, strict=True):
            self.put(member, piece, entry)

    def put(self, member: Member, piece: Piece, entry: Entry) -> None:
        place = target_of(self.target, entry.path)
        if entry.kind == "symlink":
            os.symlink(member.target, os.fsencode(place))  # noqa: PTH211 - names are bytes
            os.utime(place, ns=(entry.mtime_ns, entry.mtime_ns), follow_symlinks=False)
        elif entry.kind == "hardlink":
            os.link(target_of(self.target, member.target), place)
        elif entry.kind == "directory":
            place.mkdir(exist_ok=True)
        else:
            found = self.pieces.setdefault(entry.id, {})
            found[piece.number] = member.data
            if len(found) < piece.count:
                return
            whole = b"".join(found[number] for number in sorted(found))
            need(sha256(whole) == entry.sha256, "file put together is not the catalog's")
            place.write_bytes(whole)
            finish(place, entry)
            del self.pieces[entry.id]
        self.done[entry.path] = entry
