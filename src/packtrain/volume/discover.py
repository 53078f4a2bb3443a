"""Which drives are these? From mounted drives in any order to verified ones, or one clear reason why not.

Nothing that lies on a drive is believed before its signature was checked against parties.json, and identity comes from
the signed closing record, never from a path or a label. What is checked here: the documents, the tag manifest that the
closing record names, the manifest. Block lists, the catalog and the volumes are checked when they are used, where
damage can be made good; the README, the specification and the kit are for people and for `check`.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from packtrain.digest import sha256_bytes
from packtrain.documents.codec import MAX_DOCUMENT_BYTES, Document, decode
from packtrain.documents.drive import Drive as DriveRecord
from packtrain.documents.group import Group
from packtrain.documents.plan import Plan, PlannedDrive
from packtrain.documents.shipment import Shipment
from packtrain.errors import (
    DriveFailed,
    DriveNotClosed,
    DuplicateDrive,
    ForeignDrive,
    IncompleteKnowledge,
    IntegrityError,
    PacktrainError,
    SupersededDrive,
)
from packtrain.ports import Drive
from packtrain.record.trust import MAX_SIGNATURE_BYTES, Trust
from packtrain.volume import layout
from packtrain.volume.given import MAX_RECORD_BYTES, check_distinct, label_of, leave_out

MAX_MANIFEST_BYTES: Final = 64 * 1024 * 1024
# Twice the largest target leaves room for headers and encryption; a length beyond would only keep readers busy.
_MAX_VOLUME_BYTES: Final = 2 * layout.LARGEST_VOLUME_BYTES
_LINE: Final = re.compile(r"([0-9a-f]{64})  ([A-Za-z0-9_+][A-Za-z0-9_+./-]{0,599})")
# Small tag files that a load relies on; the others it either checks when it uses them or does not use.
_CHECKED_TAG_FILES: Final = frozenset(
    {
        layout.BAGIT,
        layout.MANIFEST,
        layout.PLAN,
        layout.PLAN + layout.SIGNATURE_SUFFIX,
        layout.GROUP,
        layout.GROUP + layout.SIGNATURE_SUFFIX,
    }
)

D = TypeVar("D", bound=Document)


@dataclass(frozen=True, slots=True)
class Mounted:
    """One mounted drive whose closing record was verified."""

    drive: Drive
    record: DriveRecord
    record_digest: str
    tag_files: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Expected:
    """What the reader knows of the shipment before it looks at a drive.

    Attributes:
        plan, plan_digest: the signed plan, from the voyage folder.
        shipment: the signed shipment document, or None where it did not come yet.
        groups: group documents that came with the dossier, by number.
        admitted: serial by UUID of the drives that may be read, or None where that is not limited.
        admitted_by: the document that limits them, for messages.
    """

    plan: Plan
    plan_digest: str
    shipment: Shipment | None = None
    groups: Mapping[int, Group] | None = None
    admitted: Mapping[str, str] | None = None
    admitted_by: str = "the admitted packing statement"


@dataclass(frozen=True, slots=True)
class Fleet:
    """The drives at hand, and what they belong to.

    Attributes:
        shipment: None means incomplete knowledge: nobody can say from these drives that this is all.
        groups: verified group documents by number; a group of which no drive and no document is here is absent.
        mounted: in the order of the plan.
        missing: drives of the plan that are not here.
    """

    plan: Plan
    plan_digest: str
    shipment: Shipment | None
    groups: Mapping[int, Group]
    mounted: tuple[Mounted, ...]
    missing: tuple[PlannedDrive, ...]


def discover(drives: Sequence[Drive], trust: Trust, expected: Expected, without: Collection[str] = ()) -> Fleet:
    """Return the verified drives of the expected shipment.

    Args:
        drives: in any order.
        trust: who may sign.
        expected: what the voyage folder knows.
        without: labels or locations of drives to leave out; they count as missing.

    Raises:
        DuplicateDrive: a folder or a drive was given twice.
        DriveMissing: a name in `without` is no drive's.
        ForeignDrive: no packtrain drive, another shipment, not admitted, or another serial than its record says.
        SupersededDrive: a drive of an earlier attempt.
        DriveNotClosed: opened, never closed.
        SignatureMissing, SignatureInvalid, UntrustedSigner, DocumentError: see `Trust.open`.
        IntegrityError: a tag file differs from the signed closing record, or documents contradict each other.
        IncompleteKnowledge: drives are missing and no shipment document says what the whole is.
        DriveFailed: a drive cannot be read.
    """
    check_distinct(drives)
    plan = expected.plan
    mounted: dict[str, Mounted] = {}
    for drive in leave_out(drives, without):
        found = open_drive(drive, trust, plan=plan)
        _belongs(found, expected)
        uuid = found.record.uuid
        if uuid in mounted:
            raise DuplicateDrive(
                "the same drive was given twice",
                where=drive.location,
                found=f"drive {found.record.label}, which is at {mounted[uuid].drive.location} too",
                hint="name each drive once; a copy of a drive is not a second drive",
            )
        check_tag_files(found)
        mounted[uuid] = found
    in_order = tuple(mounted[planned.uuid] for planned in plan.drives if planned.uuid in mounted)
    missing = tuple(planned for planned in plan.drives if planned.uuid not in mounted)
    shipment = expected.shipment or _shipment_on(in_order, trust, expected)
    if shipment is not None:
        _check_shipment(shipment, expected.plan_digest, in_order)
    elif missing:
        raise IncompleteKnowledge(
            f"{len(missing)} of {len(plan.drives)} drives are missing, and no shipment document says what the whole "
            "is: incomplete knowledge, never complete",
            where=", ".join(f"{drive.label} (case {drive.case})" for drive in missing[:20]),
            expected="shipment.json from the dossier or from the last wave",
            hint="get shipment.json from the consignor by another way, or wait for the missing drives",
        )
    groups = dict(expected.groups or {})
    groups.update(read_groups(in_order, trust))
    for number, group in groups.items():
        check_group(group, plan, expected.plan_digest, f"group {number}")
    return Fleet(plan, expected.plan_digest, shipment, groups, in_order, missing)


def open_drive(drive: Drive, trust: Trust | None, plan: Plan | None = None) -> Mounted:
    """Return a drive with its verified closing record and tag manifest.

    Args:
        drive: the drive.
        trust: who may sign; None reads without checking signatures.
        plan: where it is known, it tells an older attempt's open drive from this one's.

    Raises:
        ForeignDrive, SupersededDrive, DriveNotClosed, IntegrityError, DriveFailed and the errors of `Trust.open`.
    """
    if drive.size_bytes(layout.DRIVE) is None:
        raise _no_record(drive, trust, plan)
    try:
        record, digest = read_document(drive, DriveRecord, layout.DRIVE, trust, MAX_RECORD_BYTES)
    except PacktrainError as error:
        # Only of a record that can be read is the label known.
        advice = _leave_out(label_of(drive) or drive.location)
        error.hint = f"{error.hint}; {advice}" if error.hint else advice
        raise
    if drive.serial is not None and drive.serial != record.serial:
        raise ForeignDrive(
            f"drive {record.label} has another serial number than its closing record says: its files were copied, "
            "or the drive was swapped",
            where=drive.location,
            expected=record.serial,
            found=drive.serial,
        )
    payload = _read_or_explain(drive, layout.TAG_MANIFEST, MAX_MANIFEST_BYTES, record.label)
    if (found := sha256_bytes(payload)) != record.tagmanifest:
        raise _differs(drive, record.label, layout.TAG_MANIFEST, record.tagmanifest, found)
    return Mounted(drive, record, digest, parse_manifest(payload, f"{drive.location}: {layout.TAG_MANIFEST}"))


def read_document(
    drive: Drive, document_type: type[D], name: str, trust: Trust | None, max_bytes: int = MAX_DOCUMENT_BYTES
) -> tuple[D, str]:
    """Return a document of a drive and its SHA-256; its signature is checked unless `trust` is None.

    Raises:
        DriveFailed, DocumentError and the errors of `Trust.open`.
    """
    where = f"{drive.location}: {name}"
    payload = drive.read_bytes(name, max_bytes)
    if trust is None:
        return decode(document_type, payload, where), sha256_bytes(payload)
    signature_name = name + layout.SIGNATURE_SUFFIX
    signature = None
    if drive.size_bytes(signature_name) is not None:
        signature = drive.read_bytes(signature_name, MAX_SIGNATURE_BYTES)
    return trust.open(document_type, payload, signature, where), sha256_bytes(payload)


def parse_manifest(payload: bytes, where: str) -> dict[str, str]:
    """Return file name -> SHA-256 of a BagIt manifest.

    Raises:
        IntegrityError: a line is no manifest line, leads out of the drive, or a name is given twice.
    """
    entries: dict[str, str] = {}
    text = payload.decode("ascii", "replace")
    if text and not text.endswith("\n"):
        raise IntegrityError("manifest is cut off", where=where)
    for number, line in enumerate(text.split("\n")[:-1], 1):
        match = _LINE.fullmatch(line)
        name = match[2] if match else ""
        if match is None or name in entries or any(part in ("", ".", "..") for part in name.split("/")):
            raise IntegrityError("not a line of a manifest", where=f"{where}, line {number}", found=repr(line[:100]))
        entries[name] = match[1]
    return entries


def check_tag_files(mounted: Mounted) -> None:
    """Hold the tag files that a load relies on against the tag manifest.

    Raises:
        IntegrityError: one differs, is missing, or is not listed.
    """
    label = mounted.record.label
    for name in sorted(_CHECKED_TAG_FILES):
        expected = mounted.tag_files.get(name)
        if expected is None:
            raise IntegrityError(f"drive {label}: tag manifest does not list {name}", where=mounted.drive.location)
        found = sha256_bytes(_read_or_explain(mounted.drive, name, MAX_DOCUMENT_BYTES, label))
        if found != expected:
            raise _differs(mounted.drive, label, name, expected, found)


def read_groups(mounted: Sequence[Mounted], trust: Trust | None) -> dict[int, Group]:
    """Return the verified group documents of these drives by number; each distinct document is parsed once.

    Raises:
        IntegrityError: a drive's group.json is not the one its closing record names, or two drives of a group differ.
        DriveFailed, DocumentError and the errors of `Trust.open`.
    """
    groups: dict[int, Group] = {}
    digests: dict[int, tuple[str, str]] = {}
    for item in mounted:
        number, digest = item.record.group, item.record.group_document
        if number not in digests:
            group, found = read_document(item.drive, Group, layout.GROUP, trust)
            if found != digest or group.group != number:
                raise _differs(item.drive, item.record.label, layout.GROUP, digest, found)
            groups[number], digests[number] = group, (digest, item.record.label)
        elif digests[number][0] != digest:
            raise IntegrityError(
                f"drives {digests[number][1]} and {item.record.label} name different documents of group {number}",
                where=item.drive.location,
                expected=digests[number][0][:12],
                found=digest[:12],
            )
    return groups


def check_group(group: Group, plan: Plan, plan_digest: str, where: str) -> None:
    """Check that a group document fits the plan and lists each volume of each stripe once, in its place.

    Raises:
        IntegrityError: it does not.
    """

    def require(holds: bool, what: str) -> None:
        if not holds:
            raise IntegrityError(f"group document {what}", where=where)

    planned = next((item for item in plan.groups if item.group == group.group), None)
    require(
        planned is not None
        and (group.shipment, group.attempt, group.plan) == (plan.shipment, plan.attempt, plan_digest)
        and (group.k, group.m, group.drives) == (planned.k, planned.m, planned.drives),
        "contradicts the plan",
    )
    n = group.k + group.m
    require(n == len(group.drives), "has not one drive a column")
    require(len(group.volumes) == group.num_stripes * n, "does not list every volume of every stripe")
    for position, volume in enumerate(group.volumes):
        stripe, column = divmod(position, n)
        require((volume.stripe, volume.column) == (stripe, column), "lists volumes out of order")
        require(volume.drive == group.drives[layout.drive_of(stripe, column, n)], "puts a volume on a wrong drive")
        require(volume.bytes <= _MAX_VOLUME_BYTES, "names a volume that is longer than any can be")
        if column == n - 1:
            lengths = [item.bytes for item in group.volumes[position - n + 1 : position + 1]]
            longest = max(lengths[: group.k])
            require(all(length == longest for length in lengths[group.k :]), "has parity of another length than data")


def _no_record(drive: Drive, trust: Trust | None, plan: Plan | None) -> PacktrainError:
    if drive.size_bytes(layout.PLAN) is None:
        return ForeignDrive(
            "not a packtrain drive",
            where=drive.location,
            expected=layout.DRIVE,
            found="no such file",
            hint="name each drive's own folder or mount point; a voyage folder is named by --voyage",
        )
    try:
        on_drive, _ = read_document(drive, Plan, layout.PLAN, trust)
    except DriveFailed as error:
        return error
    if plan is not None and on_drive.shipment == plan.shipment and on_drive.attempt < plan.attempt:
        return _superseded(drive, "this drive", on_drive.attempt, plan.attempt)
    if plan is not None and on_drive.shipment != plan.shipment:
        return _other_shipment(drive, "this drive", plan.shipment, on_drive.shipment)
    return DriveNotClosed(
        "drive was opened for packing and never closed",
        where=drive.location,
        expected=layout.DRIVE,
        found="no closing record",
        hint=f"finish it with the pack command at home, or: {_leave_out(drive.location)}",
    )


def _belongs(found: Mounted, expected: Expected) -> None:
    """Raise unless this drive is one of the expected shipment, of this attempt, and may be read."""
    record, plan, drive = found.record, expected.plan, found.drive
    name = f"drive {record.label}"
    if record.shipment != plan.shipment:
        raise _other_shipment(drive, name, plan.shipment, record.shipment)
    if record.attempt < plan.attempt:
        raise _superseded(drive, name, record.attempt, plan.attempt)
    planned = next((item for item in plan.drives if item.uuid == record.uuid), None)
    if record.attempt != plan.attempt or record.plan != expected.plan_digest or planned is None:
        raise ForeignDrive(
            f"{name} was packed by another plan than the one in this voyage folder",
            where=drive.location,
            expected=f"attempt {plan.attempt}, plan {expected.plan_digest[:12]}",
            found=f"attempt {record.attempt}, plan {record.plan[:12]}",
        )
    group = next((item for item in plan.groups if item.group == record.group), None)
    if group is None or record.uuid not in group.drives or (record.label, record.case) != (planned.label, planned.case):
        raise IntegrityError(f"closing record of {name} contradicts the plan", where=drive.location)
    if expected.admitted is not None and expected.admitted.get(record.uuid) != record.serial:
        raise ForeignDrive(
            f"{name} is not in {expected.admitted_by}",
            where=drive.location,
            expected=f"serial {expected.admitted.get(record.uuid, 'none: the drive is not listed')}",
            found=f"serial {record.serial}, {record.uuid}",
            hint="it may not be read; ask the site operator, who admits drives by the packing statement",
        )


def _shipment_on(mounted: Sequence[Mounted], trust: Trust, expected: Expected) -> Shipment | None:
    for item in mounted:
        if item.drive.size_bytes(layout.SHIPMENT) is not None:
            shipment, _ = read_document(item.drive, Shipment, layout.SHIPMENT, trust)
            if shipment.plan == expected.plan_digest:
                return shipment
    return None


def _check_shipment(shipment: Shipment, plan_digest: str, mounted: Sequence[Mounted]) -> None:
    if shipment.plan != plan_digest:
        raise IntegrityError(
            "shipment document belongs to another plan", expected=plan_digest[:12], found=shipment.plan[:12]
        )
    records = {item.uuid: item.record for item in shipment.drives}
    groups = {item.group: item.record for item in shipment.groups}
    for item in mounted:
        record = item.record
        if records.get(record.uuid) != item.record_digest or groups.get(record.group) != record.group_document:
            raise ForeignDrive(
                f"drive {record.label} is not as the shipment document names it: it was closed again, or is a copy",
                where=item.drive.location,
                expected=records.get(record.uuid, "no such drive")[:12],
                found=item.record_digest[:12],
            )


def _read_or_explain(drive: Drive, name: str, max_bytes: int, label: str) -> bytes:
    try:
        return drive.read_bytes(name, max_bytes)
    except DriveFailed as error:
        raise IntegrityError(
            f"drive {label}: {name} is missing or cannot be read", where=drive.location, hint=_leave_out(label)
        ) from error


def _differs(drive: Drive, label: str, name: str, expected: str, found: str) -> IntegrityError:
    return IntegrityError(
        f"drive {label}: {name} is not as the signed closing record says",
        where=drive.location,
        expected=expected[:12],
        found=found[:12],
        hint=_leave_out(label),
    )


def _leave_out(name: str) -> str:
    without = f"--without {shlex.quote(name)}"
    return f'if the drive was damaged or altered, leave it out with "{without}": the others make up for it'


def _superseded(drive: Drive, name: str, found: int, expected: int) -> SupersededDrive:
    return SupersededDrive(
        f"{name} is superseded: it belongs to an earlier attempt",
        where=drive.location,
        expected=f"attempt {expected}",
        found=f"attempt {found}",
        hint="take it out; its successor is among the drives of the last attempt",
    )


def _other_shipment(drive: Drive, name: str, expected: str, found: str) -> ForeignDrive:
    return ForeignDrive(
        f"{name} belongs to another shipment", where=drive.location, expected=expected, found=found, hint="take it out"
    )
