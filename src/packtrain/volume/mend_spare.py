"""Repair onto a spare: an empty drive becomes a damaged or dying one, byte for byte, signed documents included."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from packtrain.documents.drive import Drive as DriveRecord
from packtrain.documents.drive import unread_serial
from packtrain.documents.group import Group
from packtrain.durable import TEMPORARY_SUFFIX
from packtrain.errors import DriveFailed, DriveFull, DriveMissing, ForeignDrive, IntegrityError
from packtrain.events import Notice, Sink
from packtrain.ports import Drive
from packtrain.record.trust import MAX_SIGNATURE_BYTES, Trust
from packtrain.units import format_bytes
from packtrain.volume import layout
from packtrain.volume.blocks import Column
from packtrain.volume.discover import MAX_MANIFEST_BYTES
from packtrain.volume.first_names import FirstNames
from packtrain.volume.given import MAX_RECORD_BYTES, check_distinct, label_of
from packtrain.volume.mend import WITHOUT_RECORD
from packtrain.volume.mend_papers import Papers, volumes_of
from packtrain.volume.mend_report import Mended, MendLog, MendReport
from packtrain.volume.mend_volumes import Rebuild, StripeColumns, Target, write_pieces
from packtrain.volume.scrub import UNLISTED

_SIG: Final = layout.SIGNATURE_SUFFIX
_MAX_THREADS: Final = 64
# Of the files of a spare that is not empty so many are named.
_NAMED: Final = 5
# File system, folders and rounding: what a spare needs beside the bytes of its files.
_MARGIN_DIVISOR: Final = 200


def mend_onto(
    drives: Sequence[Drive],
    label: str,
    spare: Drive,
    trust: Trust | None,
    sink: Sink,
    *,
    stage: str = "check",
) -> MendReport:
    """Make `spare` what drive `label` was when it was closed; the drives are only read.

    The drive is read where it is good, so one that is dying is read once. Killed and run again, it goes on.

    Args:
        drives: the drive itself, and as many of its group as are at hand.
        label: which drive.
        spare: an empty drive, or one that an earlier run of the same began to fill.
        trust, sink, stage: as of `mend.mend`.

    Raises:
        DriveMissing: the drive is not among those given.
        IntegrityError: its signed closing record is damaged, or its tag manifest and nobody can make it anew.
        ForeignDrive: the spare is not empty; or several drives of this label are here.
        DriveFull, DriveFailed: the spare is too small, or cannot be written.
        DuplicateDrive: the same folder was given twice.
    """
    check_distinct([*drives, spare])
    papers = Papers(drives, trust)
    drive, record = _find(drives, label, papers)
    tag_manifest, group = papers.tag_manifest(drive), papers.group(record)
    tags = papers.tags(drive)
    if tag_manifest is None or tags is None or group is None:
        raise IntegrityError(
            f"drive {label}: its {layout.GROUP if group is None else layout.TAG_MANIFEST} is damaged, and nobody here "
            "can make it anew",
            where=drive.location,
            hint="give more drives of its group, or a copy of its small files; else: packtrain pack --replace",
        )
    _check_spare(spare, papers, drive, record, {*tags, *_volume_names(group, record)})
    _check_room(spare, record)
    log = MendLog(uuids={record.uuid})
    with log.writing(spare, label):
        # The plan makes it a drive of this shipment, the signature tells which one. Without the closing record that the
        # signature is for, a drive is open: nobody takes a half-filled spare for a whole one.
        for name in (layout.PLAN + _SIG, layout.PLAN):
            _write_tag_file(spare, name, tags, papers, drive, log, label)
        _copy_own(spare, drive, layout.DRIVE + _SIG, MAX_SIGNATURE_BYTES)
    with ThreadPoolExecutor(max(1, min(len(drives), _MAX_THREADS))) as pool:
        rebuild = Rebuild(StripeColumns(papers.known()), pool, log, sink, stage, record.payload_bytes)
        for volume in volumes_of(group, record):
            if not _has_volume(spare, group, volume.stripe, volume.column, label):
                target = Target(spare, label, record.uuid, is_copy=True)
                rebuild.stripe(group, volume.stripe, {volume.column: target})
    # With a volume that could not be made the spare is worth less than the drive was, but still worth having.
    if spare.location not in log.stopped:
        with log.writing(spare, label):
            _finish(spare, drive, label, tags, tag_manifest, papers, log, group)
    sink(Notice(stage, f"drive {label} now lies on {spare.location} too; keep one of the two"))
    return MendReport(
        has_signatures_checked=trust is not None,
        target=spare.location,
        drives=tuple(sorted(log.uuids)),
        mended=tuple(log.mended),
        left=tuple(log.left),
        num_lost_stripes=sum("cannot be rebuilt" in left.why for left in log.left),
        cases=log.cases([record]),
        # Of a drive whose number packing could not read nothing was stated that another could contradict.
        spare_serial=None if record.serial in (spare.serial, unread_serial(record.uuid)) else spare.serial,
    )


def _find(drives: Sequence[Drive], label: str, papers: Papers) -> tuple[Drive, DriveRecord]:
    found = [(drive, record) for drive, record in papers.known() if record.label == label]
    for drive, record in found[1:]:
        if record != found[0][1]:
            raise ForeignDrive(
                f"two drives {label} are here, of different shipments or attempts, or one that was replaced",
                where=drive.location,
                found=f"also at {found[0][0].location}",
                hint="give only the one that the spare is to become",
            )
    if found:
        return found[0]
    for drive in drives:
        if drive.location not in papers.records and label_of(drive) in (label, None):
            raise IntegrityError(
                f"drive {label}: its signed closing record cannot be used",
                where=f"{drive.location}: {layout.DRIVE}",
                hint=WITHOUT_RECORD,
            )
    raise DriveMissing(
        f"drive {label} is not among the drives given",
        expected=f"{layout.DRIVE} of drive {label}, and {layout.DRIVE}{_SIG}",
        found=", ".join(sorted(record.label for record in papers.records.values())) or "no drive of a shipment",
        hint=WITHOUT_RECORD,
    )


def _volume_names(group: Group, record: DriveRecord) -> set[str]:
    return {layout.volume_name(volume.stripe, volume.column, group.k) for volume in volumes_of(group, record)}


def _check_spare(spare: Drive, papers: Papers, drive: Drive, record: DriveRecord, known: set[str]) -> None:
    """Refuse a drive that is neither empty nor the beginning of the same copy; remove unfinished files of that copy."""
    signature = layout.DRIVE + _SIG
    first, unfinished = FirstNames(_NAMED), list[str]()
    has_plan = has_signature = False
    is_beginning = is_copy = True
    # One by one: a drive that is not empty may hold ten million files.
    for name in spare.names():
        whole = name.removesuffix(TEMPORARY_SUFFIX)
        if whole != name and (whole in known or whole in UNLISTED):
            unfinished.append(name)
            continue
        first.add(name)
        has_plan |= name == layout.PLAN
        has_signature |= name == signature
        is_beginning &= name in (layout.PLAN, layout.PLAN + _SIG)
        is_copy &= name in known or name in UNLISTED
    is_ours = is_beginning
    if has_signature:
        is_ours = is_copy and papers.hash(spare, signature) == papers.hash(drive, signature)
    if has_plan:
        is_ours = is_ours and papers.hash(spare, layout.PLAN) == record.plan
    if not is_ours:
        raise ForeignDrive(
            "the spare is not empty",
            where=spare.location,
            expected=f"an empty drive, or one that an interrupted repair of drive {record.label} began to fill",
            found=str(first),
            hint="empty it yourself, or take another drive; packtrain never deletes what it did not write",
        )
    for name in unfinished:
        spare.remove(name)


def _check_room(spare: Drive, record: DriveRecord) -> None:
    held_bytes = sum(spare.size_bytes(name) or 0 for name in spare.names())
    wanted_bytes = record.payload_bytes + record.payload_bytes // _MARGIN_DIVISOR - held_bytes
    if spare.free_bytes() < wanted_bytes:
        raise DriveFull(
            "the spare is too small",
            where=spare.location,
            expected=f"{format_bytes(wanted_bytes)} free",
            found=format_bytes(spare.free_bytes()),
        )


def _has_volume(spare: Drive, group: Group, stripe: int, column: int, label: str) -> bool:
    """Return whether an earlier run wrote this volume to the spare, whole."""
    volume = group.volumes[stripe * (group.k + group.m) + column]
    written = Column(volume, group.k, spare, label, past_cache=True)
    try:
        return spare.size_bytes(written.name) == volume.bytes and written.relist() is not None
    finally:
        written.close()


def _write_tag_file(
    spare: Drive, name: str, tags: dict[str, str], papers: Papers, drive: Drive, log: MendLog, label: str
) -> None:
    if papers.hash(spare, name) == tags[name]:
        return
    pieces = papers.pieces(drive, name, tags[name])
    if pieces is None:
        log.leave(label, name, "no drive here has it whole")
        return
    write_pieces(spare, name, pieces)
    log.mended.append(Mended(label, name, "copied"))


def _copy_own(spare: Drive, drive: Drive, name: str, max_bytes: int) -> None:
    payload = drive.read_bytes(name, max_bytes)
    if spare.size_bytes(name) is None or spare.read_bytes(name, max_bytes) != payload:
        spare.write_bytes(name, payload)


def _finish(
    spare: Drive,
    drive: Drive,
    label: str,
    tags: dict[str, str],
    tag_manifest: bytes,
    papers: Papers,
    log: MendLog,
    group: Group,
) -> None:
    """Write the other files, the closing record last: from then on the spare is the drive."""
    lists = {layout.blocks_name(volume.stripe, volume.column): volume for volume in group.volumes}
    for name in sorted(tags):
        if name in lists and papers.hash(drive, name) != tags[name] and papers.hash(spare, name) != tags[name]:
            made = Column(lists[name], group.k, spare, label).relist()
            if made is not None:
                spare.write_bytes(name, made)
                log.mended.append(Mended(label, name, "made anew"))
                continue
        _write_tag_file(spare, name, tags, papers, drive, log, label)
    if spare.size_bytes(layout.TAG_MANIFEST) is None or (
        spare.read_bytes(layout.TAG_MANIFEST, MAX_MANIFEST_BYTES) != tag_manifest
    ):
        spare.write_bytes(layout.TAG_MANIFEST, tag_manifest)
    try:
        has_shipment = drive.size_bytes(layout.SHIPMENT) is not None
    except DriveFailed:
        has_shipment = True
    shipment = papers.shipment_files(papers.records[drive.location].plan) if has_shipment else {}
    for name, payload in shipment.items():
        spare.write_bytes(name, payload)
    _copy_own(spare, drive, layout.DRIVE, MAX_RECORD_BYTES)
    log.mended.append(Mended(label, layout.DRIVE, "copied"))
