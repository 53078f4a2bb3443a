"""Verifying drives without any key: documents, manifests, every block and every SHA-256. All damage is listed.

Whoever holds drives can do this: the carrier, an auditor, the site before it admits anything. Nothing is written.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Final, Literal

from packtrain.documents.codec import MAX_DOCUMENT_BYTES, digest
from packtrain.documents.group import Group
from packtrain.documents.plan import Plan, PlannedDrive
from packtrain.documents.shipment import Shipment
from packtrain.errors import DriveFailed, ForeignDrive, PacktrainError
from packtrain.events import Progress, Sink
from packtrain.ports import Drive
from packtrain.record.custody import MAX_LOG_BYTES, read_log
from packtrain.record.trust import Trust
from packtrain.units import MIB
from packtrain.volume import layout
from packtrain.volume.blocks import ALTERED, Column, Damage
from packtrain.volume.discover import (
    MAX_MANIFEST_BYTES,
    Mounted,
    check_group,
    check_tag_files,
    open_drive,
    parse_manifest,
    read_document,
    read_groups,
)
from packtrain.volume.given import check_distinct

Verdict = Literal["whole", "repairable", "beyond repair"]
# What lies beside the tag manifest: the closing record that names it, and the shipment document that came after all.
_UNLISTED: Final = frozenset(
    name + suffix for name in (layout.DRIVE, layout.SHIPMENT) for suffix in ("", layout.SIGNATURE_SUFFIX)
) | {layout.TAG_MANIFEST}


@dataclass(frozen=True, slots=True)
class DriveScrub:
    """What was seen of one drive.

    Attributes:
        label: from its closing record; None where that cannot be used.
        is_usable: `load` would read it.
        findings: all that is wrong beside its volumes, in sentences.
    """

    location: str
    label: str | None
    is_usable: bool
    num_volumes: int
    volume_bytes: int
    findings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ScrubReport:
    """What was seen of all drives.

    Attributes:
        has_signatures_checked: False where no parties.json was given.
        has_shipment: a shipment document was there; without one nobody can say that this is all.
        missing: labels of drives of the plan that were not given; for the verdict they are taken as whole.
        damage: in volumes, by drive, volume and blocks.
        num_damaged_blocks: how many single blocks; volumes that are lost as a whole are not in it.
        num_damaged_stripes, num_lost_stripes: stripes with damage, and those of them that the code cannot rebuild.
        verdict: whole; damaged but every stripe can be rebuilt; or not, also where no drive given can be used.
    """

    has_signatures_checked: bool
    has_shipment: bool
    drives: tuple[DriveScrub, ...]
    missing: tuple[str, ...]
    damage: tuple[Damage, ...]
    num_stripes: int
    num_damaged_blocks: int
    num_damaged_stripes: int
    num_lost_stripes: int
    verdict: Verdict


@dataclass(slots=True)
class _Seen:
    """One drive on its way through a scrub."""

    drive: Drive
    mounted: Mounted | None = None
    is_usable: bool = False
    findings: list[str] = field(default_factory=list[str])
    columns: list[Column] = field(default_factory=list[Column])

    def note(self, error: PacktrainError) -> None:
        self.findings.append(error.message)


def scrub(
    drives: Sequence[Drive],
    trust: Trust | None,
    sink: Sink,
    *,
    plan: Plan | None = None,
    shipment: Shipment | None = None,
    stage: str = "check",
) -> ScrubReport:
    """Return all that is wrong with these drives.

    Args:
        drives: in any order.
        trust: who may sign; None leaves signatures unchecked, and the report says so.
        sink: takes the progress.
        plan: the verified plan, where the caller has it; else it is read from the drives.
        shipment: the same for the shipment document.
        stage: the verb that events name.

    Raises:
        DuplicateDrive: the same folder was given twice.
    """
    check_distinct(drives)
    seen = [_Seen(drive) for drive in drives]
    for item in seen:
        _open(item, trust, plan)
    plan = plan or _plan_of(seen, trust)
    groups: dict[int, Group] = {}
    if plan is not None:
        plan_digest = digest(plan)
        _same_shipment(seen, plan, plan_digest)
        groups = _groups_of(seen, trust, plan, plan_digest)
    shipment = shipment or _shipment_of(seen, trust)
    total_bytes = sum(item.mounted.record.payload_bytes for item in seen if item.mounted)
    told = _Told(sink, stage, total_bytes)
    with ThreadPoolExecutor(max(1, min(len(seen), 64))) as pool:
        for running in [pool.submit(_scrub_drive, item, groups, trust, told) for item in seen]:
            running.result()
    missing = _missing(seen, plan)
    survey = _survey(seen, groups, _lost_drives(seen, missing))
    damage = tuple(fault for item in seen for column in item.columns for fault in column.damage())
    is_whole = not damage and all(item.is_usable and not item.findings for item in seen)
    is_lost = survey[1] > 0 or not any(item.is_usable for item in seen)
    return ScrubReport(
        has_signatures_checked=trust is not None,
        has_shipment=shipment is not None,
        drives=tuple(_summary(item) for item in seen),
        missing=tuple(drive.label for drive in missing),
        damage=damage,
        num_stripes=sum(group.num_stripes for group in groups.values()),
        num_damaged_blocks=sum(len(column.faults) for item in seen for column in item.columns if column.lost is None),
        num_damaged_stripes=survey[0],
        num_lost_stripes=survey[1],
        verdict="beyond repair" if is_lost else "whole" if is_whole else "repairable",
    )


class _Told:
    """Adds up progress from several threads; the sink sees it a volume at a time."""

    def __init__(self, sink: Sink, stage: str, total_bytes: int) -> None:
        self._sink, self._stage, self._total_bytes = sink, stage, total_bytes
        self._done_bytes = 0
        # A sink is written for one thread.
        self._lock = threading.Lock()

    def add(self, count: int) -> None:
        with self._lock:
            self._done_bytes += count
            self._sink(Progress(self._stage, "reading every block", self._done_bytes, self._total_bytes))


def _open(item: _Seen, trust: Trust | None, plan: Plan | None) -> None:
    try:
        item.mounted = open_drive(item.drive, trust, plan)
        check_tag_files(item.mounted)
        item.is_usable = True
    except PacktrainError as error:
        item.note(error)


def _plan_of(seen: Sequence[_Seen], trust: Trust | None) -> Plan | None:
    for item in seen:
        if item.mounted is not None and item.is_usable:
            try:
                return read_document(item.drive, Plan, layout.PLAN, trust)[0]
            except PacktrainError as error:
                item.note(error)
                item.is_usable = False
    return None


def _same_shipment(seen: Sequence[_Seen], plan: Plan, plan_digest: str) -> None:
    uuids: dict[str, str] = {}
    for item in seen:
        if item.mounted is None:
            continue
        record = item.mounted.record
        planned = next((drive for drive in plan.drives if drive.uuid == record.uuid), None)
        if record.plan != plan_digest or planned is None:
            fault = f"drive {record.label} belongs to another shipment or attempt"
        elif record.uuid in uuids:
            fault = f"drive {record.label} is here twice, also at {uuids[record.uuid]}"
        else:
            uuids[record.uuid] = item.drive.location
            continue
        item.note(ForeignDrive(fault, where=item.drive.location))
        item.mounted, item.is_usable = None, False


def _groups_of(seen: Sequence[_Seen], trust: Trust | None, plan: Plan, plan_digest: str) -> dict[int, Group]:
    groups: dict[int, Group] = {}
    for item in seen:
        if item.mounted is None or not item.is_usable:
            continue
        number = item.mounted.record.group
        try:
            if number not in groups:
                group = read_groups([item.mounted], trust)[number]
                check_group(group, plan, plan_digest, f"{item.drive.location}: {layout.GROUP}")
                groups[number] = group
        except PacktrainError as error:
            item.note(error)
            item.is_usable = False
    return groups


def _shipment_of(seen: Sequence[_Seen], trust: Trust | None) -> Shipment | None:
    shipment: Shipment | None = None
    for item in seen:
        if item.mounted is None or _size_bytes(item.drive, layout.SHIPMENT) is None:
            continue
        try:
            shipment, _ = read_document(item.drive, Shipment, layout.SHIPMENT, trust)
        except PacktrainError as error:
            item.note(error)
            continue
        listed = {drive.uuid: drive.record for drive in shipment.drives}
        if listed.get(item.mounted.record.uuid) != item.mounted.record_digest:
            item.findings.append("the shipment document on this drive names another closing record for it")
    return shipment


def _scrub_drive(item: _Seen, groups: Mapping[int, Group], trust: Trust | None, told: _Told) -> None:
    """Read all of one drive."""
    mounted = item.mounted
    if mounted is None:
        return
    drive = item.drive
    try:
        manifest_name = f"{drive.location}: {layout.MANIFEST}"
        payload = parse_manifest(drive.read_bytes(layout.MANIFEST, MAX_MANIFEST_BYTES), manifest_name)
        _check_names(item, mounted, payload)
        if trust is not None and drive.size_bytes(layout.CUSTODY) is not None:
            where = f"{drive.location}: {layout.CUSTODY}"
            read_log(drive.read_bytes(layout.CUSTODY, MAX_LOG_BYTES), trust, where)
    except PacktrainError as error:
        item.note(error)
        payload = {}
    for name, expected in sorted(mounted.tag_files.items()):
        fault = _tag_file_fault(drive, name, expected)
        if fault is not None:
            item.findings.append(f"{name} {fault}")
    group = groups.get(mounted.record.group)
    if group is None or not item.is_usable:
        return
    for volume in group.volumes:
        if volume.drive != mounted.record.uuid or not volume.bytes:
            continue
        column = Column(volume, group.k, drive, mounted.record.label)
        item.columns.append(column)
        if payload.pop(column.name, None) != volume.sha256:
            item.findings.append(f"the manifest has another SHA-256 for {column.name} than the group document")
        if not column.verify() and column.lost is None and not column.faults:
            column.distrust(ALTERED)
        size = _size_bytes(drive, column.name)
        if size is not None and size > volume.bytes:
            item.findings.append(f"{column.name} has {size - volume.bytes} bytes after its end")
        column.close()
        told.add(volume.bytes)
    item.findings += [f"the manifest lists {name}, the group document does not" for name in sorted(payload)]


def _check_names(item: _Seen, mounted: Mounted, payload: Mapping[str, str]) -> None:
    known = {*mounted.tag_files, *payload, *_UNLISTED}
    item.findings += [f"unknown file {name[:200]}" for name in sorted(set(item.drive.names()) - known)]


def _size_bytes(drive: Drive, name: str) -> int | None:
    """Return a file's length; None where it is not there, or the drive does not answer."""
    try:
        return drive.size_bytes(name)
    except DriveFailed:
        return None


def _tag_file_fault(drive: Drive, name: str, expected: str) -> str | None:
    try:
        reader = drive.open_reader(name)
    except DriveFailed:
        return "is missing or cannot be opened"
    try:
        # Only kit and catalog may be long: of a file with a hole of terabytes in it nobody waits for the hash.
        if reader.size_bytes > MAX_DOCUMENT_BYTES and not name.startswith((layout.KIT_PREFIX, layout.CATALOG)):
            return "is longer than it can be"
        state = hashlib.sha256()
        buffer = memoryview(bytearray(min(MIB, max(reader.size_bytes, 1))))
        offset = 0
        while count := reader.read_into(buffer, offset):
            state.update(buffer[:count])
            offset += count
    except DriveFailed:
        return "cannot be read"
    finally:
        reader.close()
    return None if state.hexdigest() == expected else "differs from the tag manifest"


def _lost_drives(seen: Sequence[_Seen], missing: Sequence[PlannedDrive]) -> set[str]:
    """Return the UUIDs of drives that were given and that no load would read.

    A drive that cannot even be identified is one of the missing; which one is known where no more are missing.
    """
    lost = {item.mounted.record.uuid for item in seen if item.mounted is not None and not item.is_usable}
    if sum(item.mounted is None for item in seen) >= len(missing):
        lost |= {drive.uuid for drive in missing}
    return lost


def _survey(seen: Sequence[_Seen], groups: Mapping[int, Group], lost_drives: Collection[str]) -> tuple[int, int]:
    """Return how many stripes are damaged, and how many of them the code cannot rebuild."""
    damaged = lost = 0
    for group in groups.values():
        n = group.k + group.m
        by_stripe: dict[int, list[Column]] = {}
        for item in seen:
            if item.mounted is not None and item.mounted.record.group == group.group:
                for column in item.columns:
                    if column.lost is not None or column.faults:
                        by_stripe.setdefault(column.volume.stripe, []).append(column)
        for stripe in range(group.num_stripes):
            gone = [
                volume.bytes
                for volume in group.volumes[stripe * n : stripe * n + n]
                if volume.drive in lost_drives and volume.bytes
            ]
            columns = by_stripe.get(stripe, [])
            gone_blocks = [-(-size // MIB) for size in gone]
            gone_blocks += [column.num_blocks for column in columns if column.lost is not None]
            rows = {0, *(row for column in columns for row in column.faults)}
            erasures = [
                sum(blocks > row for blocks in gone_blocks)
                + sum(column.lost is None and row in column.faults for column in columns)
                for row in rows
            ]
            damaged += bool(gone or columns)
            lost += max(erasures) > group.m
    return damaged, lost


def _missing(seen: Sequence[_Seen], plan: Plan | None) -> list[PlannedDrive]:
    here = {item.mounted.record.uuid for item in seen if item.mounted is not None}
    return [drive for drive in plan.drives if drive.uuid not in here] if plan is not None else []


def _summary(item: _Seen) -> DriveScrub:
    return DriveScrub(
        location=item.drive.location,
        label=item.mounted.record.label if item.mounted else None,
        is_usable=item.is_usable,
        num_volumes=len(item.columns),
        volume_bytes=sum(column.volume.bytes for column in item.columns),
        findings=tuple(item.findings),
    )
