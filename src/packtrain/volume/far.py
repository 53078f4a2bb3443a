"""Drives that are mounted on other hosts: what a host says it sees, held against the signed documents once more."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import NoReturn

from packtrain.digest import sha256_bytes
from packtrain.documents.codec import decode, encode
from packtrain.documents.drive import Drive as DriveRecord
from packtrain.documents.group import Group
from packtrain.documents.plan import Plan
from packtrain.errors import DriveFailed, GroupSplit, PacktrainError
from packtrain.ports import Drive, DriveReader, DriveWriter
from packtrain.record.trust import Trust
from packtrain.volume import layout
from packtrain.volume.belonging import check_belongs
from packtrain.volume.blocks import Damage
from packtrain.volume.discover import assemble, groups_of, look_at
from packtrain.volume.fleet import Expected, Fleet, Mounted
from packtrain.volume.given import MAX_RECORD_BYTES, leave_out
from packtrain.volume.host_placing import Placing, place_groups

_MOVES_TOLD = 20


@dataclass(frozen=True, slots=True)
class Sighting:
    """One drive on one host.

    Attributes:
        host, location: where it is.
        serial: the device's own number, None where there is none to read.
        payload: its closing record as it lies there, b"" where it cannot be read.
        damage: what was found beside the volumes.
        error: why it cannot be read, or is none of this shipment.
    """

    host: str
    location: str
    serial: str | None
    payload: bytes
    damage: tuple[Damage, ...] = ()
    error: PacktrainError | None = None


@dataclass(frozen=True, slots=True)
class Looked:
    """What one host sees.

    Attributes:
        sightings: its drives.
        groups: documents of their groups that the voyage folder does not have, by number.
    """

    sightings: tuple[Sighting, ...] = ()
    groups: Mapping[int, bytes] = field(default_factory=dict[int, bytes])


def look(host: str, drives: Sequence[Drive], trust: Trust, expected: Expected) -> Looked:
    """Return what the drives of this host are; what is wrong with one is told of it, for it may be left out."""
    sightings: list[Sighting] = []
    found: list[Mounted] = []
    for drive in drives:
        damage: list[Damage] = []
        error: PacktrainError | None = None
        try:
            found.append(look_at(drive, trust, expected, damage))
        except PacktrainError as reason:
            error = on_host(host, reason)
        try:
            payload = drive.read_bytes(layout.DRIVE, MAX_RECORD_BYTES)
        except DriveFailed:
            payload = b""
        sightings.append(Sighting(host, drive.location, drive.serial, payload, tuple(damage), error))
    known = expected.groups or {}
    groups = groups_of(found, trust, known)
    return Looked(
        tuple(sightings), {number: encode(group) for number, group in groups.items() if known.get(number) != group}
    )


def on_host(host: str, error: PacktrainError) -> PacktrainError:
    """Return an error with the name of the host that it came up on."""
    error.where = f"{host}: {error.where}" if error.where else host
    error.args = (error.message,)
    return error


def gather(
    looked: Sequence[Looked], trust: Trust, expected: Expected, without: Collection[str]
) -> tuple[Fleet, Mapping[int, str]]:
    """Return the drives of all hosts as one fleet, and which host reads which group.

    A host is believed in nothing that can be checked: records are held against the signed shipment document, which
    names each drive's and each group's by its SHA-256.

    Args:
        looked: what each host sees.
        trust: who may sign.
        expected: what the voyage folder knows.
        without: labels or locations ("HOST:PATH") of drives to leave out, or labels of cases; they count as lost.

    Raises:
        GroupSplit: drives of a group are on several hosts.
        As `discover`.
    """
    plan = expected.plan
    drives: list[Drive] = [FarDrive(sighting) for host in looked for sighting in host.sightings]
    kept, lost = leave_out(drives, without, plan)
    sightings: dict[str, list[tuple[str, Mounted]]] = {}
    damage: dict[str, tuple[Damage, ...]] = {}
    for drive in kept:
        assert isinstance(drive, FarDrive)
        if drive.sighting.error is not None:
            raise drive.sighting.error
        record = decode(DriveRecord, drive.sighting.payload, f"{drive.location}: {layout.DRIVE}")
        item = Mounted(drive, record, sha256_bytes(drive.sighting.payload), {})
        check_belongs(item, expected)
        sightings.setdefault(record.planned_uuid, []).append((drive.sighting.host, item))
        damage[drive.location] = drive.sighting.damage
    placing = place_groups(
        {group.group: group.drives for group in plan.groups},
        {uuid: {host for host, _ in seen} for uuid, seen in sightings.items()},
    )
    if placing.moves:
        raise _split(placing, plan)
    number_of = {uuid: group.group for group in plan.groups for uuid in group.drives}
    # Of a drive that several hosts see, the one that reads its group counts.
    found = [
        item
        for uuid, seen in sightings.items()
        for host, item in seen
        if host == placing.hosts[number_of[uuid]] or len({each.record_digest for _, each in seen}) > 1
    ]
    groups = dict(expected.groups or {})
    signed = {item.record.group: item.record.group_document for item in found}
    for host in looked:
        for number, payload in host.groups.items():
            if sha256_bytes(payload) == signed.get(number):
                groups[number] = decode(Group, payload, f"group {number}")
    all_damage = [each for item in found for each in damage[item.drive.location]]
    return assemble(found, groups, all_damage, trust, expected, lost), placing.hosts


def _split(placing: Placing, plan: Plan) -> GroupSplit:
    drives = {drive.uuid: drive for drive in plan.drives}
    moves = [
        {
            "group": str(move.group),
            "drive": drives[move.drive].label,
            "case": drives[move.drive].case,
            "from": ", ".join(move.sources),
            "to": move.target,
        }
        for move in placing.moves
    ]
    told = [f"{move['drive']} (case {move['case']}) from {move['from']} to {move['to']}" for move in moves]
    more = f"; and {len(told) - _MOVES_TOLD} more, --json lists them" if len(told) > _MOVES_TOLD else ""
    groups = sorted({move.group for move in placing.moves})
    return GroupSplit(
        f"{'group' if len(groups) == 1 else 'groups'} {', '.join(map(str, groups))} split over hosts; nothing was read",
        expected="all mounted drives of a group on one host",
        found=f"{len(moves)} {'drive' if len(moves) == 1 else 'drives'} elsewhere",
        hint=f"move {'; '.join(told[:_MOVES_TOLD])}{more}; or leave them out of this run, for a later one",
        moves=moves,
    )


class FarDrive:
    """A drive of another host: its place and its closing record. Whoever wants more is on the wrong host."""

    def __init__(self, sighting: Sighting) -> None:
        self.sighting = sighting
        self.location = f"{sighting.host}:{sighting.location}"
        self.serial = sighting.serial

    def read_bytes(self, name: str, max_bytes: int) -> bytes:
        """Return the closing record; of anything else say where it is."""
        if name == layout.DRIVE and 0 < len(self.sighting.payload) <= max_bytes:
            return self.sighting.payload
        self._is_elsewhere()

    def free_bytes(self) -> int:
        """Say where the drive is."""
        self._is_elsewhere()

    def names(self) -> Iterator[str]:
        """Say where the drive is."""
        self._is_elsewhere()

    def size_bytes(self, name: str) -> int | None:
        """Say where the drive is."""
        self._is_elsewhere()

    def open_reader(self, name: str, *, past_cache: bool = False) -> DriveReader:
        """Say where the drive is."""
        self._is_elsewhere()

    def open_writer(self, name: str) -> AbstractContextManager[DriveWriter]:
        """Say where the drive is."""
        self._is_elsewhere()

    def write_bytes(self, name: str, payload: bytes) -> None:
        """Say where the drive is."""
        self._is_elsewhere()

    def remove(self, name: str) -> None:
        """Say where the drive is."""
        self._is_elsewhere()

    def _is_elsewhere(self) -> NoReturn:
        raise DriveFailed(
            "this drive is on another host, or its closing record cannot be read",
            where=self.location,
            hint="read it on the host that has it mounted",
        )
