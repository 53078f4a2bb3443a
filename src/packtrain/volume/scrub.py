"""Verifying drives without any key: documents, manifests, every block and every SHA-256. All damage is listed.

Whoever holds drives can do this: the carrier, an auditor, the site before it admits anything. Nothing is written.
One thread a drive, and beside it one that reads ahead where the kernel does not; each holds two blocks.
"""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from packtrain.documents.codec import MAX_DOCUMENT_BYTES, digest
from packtrain.documents.group import Group
from packtrain.documents.plan import Plan
from packtrain.documents.shipment import Shipment
from packtrain.errors import DriveFailed, DriveNotClosed, ForeignDrive, PacktrainError
from packtrain.events import DriveNamed, Progress, Sink
from packtrain.ports import Drive
from packtrain.record.custody import MAX_LOG_BYTES, read_log
from packtrain.record.trust import Trust
from packtrain.units import MIB
from packtrain.volume import layout
from packtrain.volume.belonging import check_plan
from packtrain.volume.blocks import ALTERED, Column, block_buffer
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
from packtrain.volume.first_names import FirstNames
from packtrain.volume.given import check_distinct
from packtrain.volume.losses import printable
from packtrain.volume.scrub_report import ScrubReport, SeenDrive, summarize
from packtrain.volume.stopping import Stopping

OTHER_SHIPMENT: Final = "the shipment document on this drive is that of another shipment or attempt"
# What lies beside the tag manifest: the closing record that names it, and the shipment document that came after all.
UNLISTED: Final = frozenset(
    name + suffix for name in (layout.DRIVE, layout.SHIPMENT) for suffix in ("", layout.SIGNATURE_SUFFIX)
) | {layout.TAG_MANIFEST}
_TOLD_SECONDS: Final = 0.2
_MAX_THREADS: Final = 64
# Files of a drive that no document knows: so many are named, the others are counted.
_NAMED: Final = 100


@dataclass(frozen=True, slots=True)
class Survey:
    """A scrub with all that a repair needs beside the report."""

    seen: tuple[SeenDrive, ...]
    plan: Plan | None
    groups: Mapping[int, Group]
    shipment: Shipment | None
    report: ScrubReport


def scrub(
    drives: Sequence[Drive],
    trust: Trust | None,
    sink: Sink,
    *,
    plan: Plan | None = None,
    shipment: Shipment | None = None,
    stage: str = "check",
) -> ScrubReport:
    """Return all that is wrong with these drives; see `survey`."""
    return survey(drives, trust, sink, plan=plan, shipment=shipment, stage=stage).report


def survey(
    drives: Sequence[Drive],
    trust: Trust | None,
    sink: Sink,
    *,
    plan: Plan | None = None,
    shipment: Shipment | None = None,
    stage: str = "check",
) -> Survey:
    """Return all that is wrong with these drives, and what a repair needs to know of them.

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
    seen = tuple(SeenDrive(drive) for drive in drives)
    for item in seen:
        _open(item, trust, plan)
    plan = plan or _plan_of(seen, trust)
    groups: dict[int, Group] = {}
    if plan is not None:
        plan_digest = digest(plan)
        _same_shipment(seen, plan, plan_digest)
        groups = _groups_of(seen, trust, plan, plan_digest)
    on_drives = _shipment_of(seen, trust)
    shipment = shipment or on_drives
    if shipment is not None:
        _void(seen, shipment.voided)
        _hold_against(seen)
    for item in seen:
        if item.mounted is not None:
            sink(DriveNamed(item.drive.location, item.mounted.record.label, item.mounted.record.payload_bytes))
    told = _Told(sink, stage, sum(item.mounted.record.payload_bytes for item in seen if item.mounted))
    num_threads = max(1, min(len(seen), _MAX_THREADS))
    with (
        ThreadPoolExecutor(num_threads) as pool,
        ThreadPoolExecutor(num_threads) as ahead,
        told.stopping.on_error(),
    ):
        for running in [pool.submit(_scrub_drive, item, groups, trust, told, ahead) for item in seen]:
            running.result()
    told.finish()
    return Survey(seen, plan, groups, shipment, summarize(seen, plan, groups, shipment, trust is not None))


class _Told:
    """Adds up progress from several threads; the sink hears of it five times a second at most, and at the end."""

    def __init__(self, sink: Sink, stage: str, total_bytes: int) -> None:
        self._sink, self._stage, self._total_bytes = sink, stage, total_bytes
        self._done_bytes = self._said_bytes = 0
        self._said_at = 0.0
        self.stopping = Stopping()
        # A sink is written for one thread.
        self._lock = threading.Lock()

    def add(self, count: int) -> None:
        self.stopping.go_on()
        with self._lock:
            self._done_bytes += count
            if time.monotonic() - self._said_at >= _TOLD_SECONDS:
                self._say()

    def finish(self) -> None:
        with self._lock:
            if self._done_bytes > self._said_bytes:
                self._say()

    def _say(self) -> None:
        self._said_bytes, self._said_at = self._done_bytes, time.monotonic()
        self._sink(Progress(self._stage, "reading every block", self._done_bytes, self._total_bytes))


def _open(item: SeenDrive, trust: Trust | None, plan: Plan | None) -> None:
    try:
        item.mounted = open_drive(item.drive, trust, plan)
        check_tag_files(item.mounted)
        item.is_usable = True
    except DriveNotClosed as error:
        item.is_open = True
        item.note(error)
    except PacktrainError as error:
        item.note(error)


def _hold_against(seen: Sequence[SeenDrive]) -> None:
    """Name the drives whose closing record is gone, where a shipment document is at hand.

    The document comes after the last closing record: with it at hand no drive is open.
    """
    for item in seen:
        if item.is_open:
            item.is_open = False
            item.findings = [f"{layout.DRIVE} is missing, the signed closing record: the drive counts as lost"]


def _plan_of(seen: Sequence[SeenDrive], trust: Trust | None) -> Plan | None:
    for item in seen:
        if item.mounted is not None and item.is_usable:
            try:
                plan = read_document(item.drive, Plan, layout.PLAN, trust)[0]
                check_plan(plan, f"{item.drive.location}: {layout.PLAN}")
                return plan
            except PacktrainError as error:
                item.note(error)
                item.is_usable = False
    return None


def _same_shipment(seen: Sequence[SeenDrive], plan: Plan, plan_digest: str) -> None:
    uuids: dict[str, str] = {}
    _void(seen, {uuid for item in seen if item.mounted is not None for uuid in item.mounted.record.replaces})
    for item in seen:
        if item.mounted is None:
            continue
        record = item.mounted.record
        planned = next((drive for drive in plan.drives if drive.uuid == record.planned_uuid), None)
        if record.plan != plan_digest or planned is None:
            fault = f"drive {record.label} belongs to another shipment or attempt"
        elif record.planned_uuid in uuids:
            fault = f"drive {record.label} is here twice, also at {uuids[record.planned_uuid]}"
        else:
            uuids[record.planned_uuid] = item.drive.location
            continue
        item.note(ForeignDrive(fault, where=item.drive.location))
        item.mounted, item.is_usable = None, False


def _void(seen: Sequence[SeenDrive], voided: Collection[str]) -> None:
    """Set aside drives that failed while they were packed and in whose place others stand."""
    for item in seen:
        if item.mounted is not None and item.mounted.record.uuid in voided:
            item.findings.append(f"drive {item.mounted.record.label} is superseded: it failed and was replaced")
            item.mounted, item.is_usable = None, False


def _groups_of(seen: Sequence[SeenDrive], trust: Trust | None, plan: Plan, plan_digest: str) -> dict[int, Group]:
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


def _shipment_of(seen: Sequence[SeenDrive], trust: Trust | None) -> Shipment | None:
    last: Shipment | None = None
    for item in seen:
        if item.mounted is None or _size_bytes(item.drive, layout.SHIPMENT) is None:
            continue
        try:
            shipment, _ = read_document(item.drive, Shipment, layout.SHIPMENT, trust)
        except PacktrainError as error:
            item.note(error)
            continue
        if shipment.plan != item.mounted.record.plan:
            item.findings.append(OTHER_SHIPMENT)
            continue
        listed = {drive.uuid: drive.record for drive in shipment.drives}
        if listed.get(item.mounted.record.uuid) != item.mounted.record_digest:
            item.findings.append("the shipment document on this drive names another closing record for it")
        # Where a drive was replaced after the first was signed, the last is the one with the most replaced drives.
        if last is None or len(shipment.voided) > len(last.voided):
            last = shipment
    return last


def _scrub_drive(
    item: SeenDrive, groups: Mapping[int, Group], trust: Trust | None, told: _Told, ahead: Executor
) -> None:
    """Read all of one drive."""
    mounted = item.mounted
    if mounted is None:
        return
    drive = item.drive
    try:
        manifest_name = f"{drive.location}: {layout.MANIFEST}"
        payload = parse_manifest(drive.read_bytes(layout.MANIFEST, MAX_MANIFEST_BYTES), manifest_name)
        if trust is not None and drive.size_bytes(layout.CUSTODY) is not None:
            where = f"{drive.location}: {layout.CUSTODY}"
            # A tag file: the drive's record, which is signed, names the manifest that names it.
            read_log(drive.read_bytes(layout.CUSTODY, MAX_LOG_BYTES), trust, where, is_covered=True)
    except PacktrainError as error:
        item.note(error)
        payload = {}
    try:
        _check_names(item, mounted, payload)
    except DriveFailed as error:
        item.note(error)
    for name, expected in sorted(mounted.tag_files.items()):
        fault = _tag_file_fault(drive, name, expected, told.stopping)
        if fault is not None:
            item.bad_files.add(name)
            item.findings.append(f"{name} {fault}")
    group = groups.get(mounted.record.group)
    if group is None or not item.is_usable:
        return
    buffers = block_buffer(), block_buffer()
    for volume in group.volumes:
        if volume.drive != mounted.record.planned_uuid or not volume.bytes:
            continue
        column = Column(volume, group.k, drive, mounted.record.label, past_cache=True)
        item.volume_names.add(column.name)
        item.volume_bytes += volume.bytes
        if payload.pop(column.name, None) != volume.sha256:
            item.findings.append(f"the manifest has another SHA-256 for {column.name} than the group document")
        if not column.verify(told.add, ahead, buffers):
            if column.lost is None and not column.bad_blocks:
                column.distrust(ALTERED)
            item.hurt[column.name] = column
        column.close()
        size = _size_bytes(drive, column.name)
        if size is not None and size > volume.bytes:
            item.overlong.add(column.name)
            item.findings.append(f"{column.name} has {size - volume.bytes} bytes after its end")
    item.findings += [f"the manifest lists {name}, the group document does not" for name in sorted(payload)]


def _check_names(item: SeenDrive, mounted: Mounted, payload: Mapping[str, str]) -> None:
    known = {*mounted.tag_files, *payload, *UNLISTED}
    unknown = FirstNames(_NAMED, (name for name in item.drive.names() if name not in known))
    item.findings += [f"unknown file {printable(os.fsencode(name[:200]))}" for name in unknown]
    if unknown.num_more:
        item.findings.append(f"unknown file names: {unknown.num_more} more")


def _size_bytes(drive: Drive, name: str) -> int | None:
    """Return a file's length; None where it is not there, or the drive does not answer."""
    try:
        return drive.size_bytes(name)
    except DriveFailed:
        return None


def _tag_file_fault(drive: Drive, name: str, expected: str, stopping: Stopping) -> str | None:
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
            stopping.go_on()
            state.update(buffer[:count])
            offset += count
    except DriveFailed:
        return "cannot be read"
    finally:
        reader.close()
    return None if state.hexdigest() == expected else "differs from the tag manifest"
