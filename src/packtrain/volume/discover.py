"""Which drives are these? From mounted drives in any order to verified ones, or one clear reason why not.

Nothing that lies on a drive is believed before its signature was checked against parties.json, and identity comes from
the signed closing record, never from a path or a label. What is checked here: the documents, the tag manifest that the
closing record names, the manifest. Block lists, the catalog and the volumes are checked when they are used, where
damage can be made good; the README, the specification and the kit are for people and for `check`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Final, TypeVar

from packtrain.digest import sha256_bytes
from packtrain.documents.codec import MAX_DOCUMENT_BYTES, Document, decode
from packtrain.documents.codec import digest as document_digest
from packtrain.documents.drive import Drive as DriveRecord
from packtrain.documents.drive import unread_serial
from packtrain.documents.group import Group
from packtrain.documents.plan import Plan
from packtrain.documents.shipment import Shipment
from packtrain.errors import (
    DriveFailed,
    DriveNotClosed,
    DuplicateDrive,
    ForeignDrive,
    IncompleteKnowledge,
    IntegrityError,
    PacktrainError,
)
from packtrain.ports import Drive
from packtrain.record.trust import MAX_SIGNATURE_BYTES, Trust
from packtrain.volume import layout
from packtrain.volume.belonging import (
    check_belongs,
    check_plan,
    check_shipment,
    leave_out_hint,
    other_shipment,
    refuse_replaced,
    superseded,
)
from packtrain.volume.blocks import Damage
from packtrain.volume.fleet import Expected, Fleet, Mounted
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

_NOT_AS_SIGNED: Final = "is not as the signed closing record says"

D = TypeVar("D", bound=Document)


def discover(drives: Sequence[Drive], trust: Trust, expected: Expected, without: Collection[str] = ()) -> Fleet:
    """Return the verified drives of the expected shipment.

    Args:
        drives: in any order.
        trust: who may sign.
        expected: what the voyage folder knows.
        without: labels or locations of drives to leave out, or labels of cases; they count as lost.

    Raises:
        DuplicateDrive: a folder or a drive was given twice.
        DriveMissing: a name in `without` is no drive's.
        ForeignDrive: no packtrain drive, another shipment, not admitted, or another serial than its record says.
        SupersededDrive: a drive of an earlier attempt.
        DriveNotClosed: opened, never closed.
        SignatureMissing, SignatureInvalid, UntrustedSigner, DocumentError: see `Trust.open`.
        IntegrityError: documents contradict each other.
        IncompleteKnowledge: drives are missing and no shipment document says what the whole is.
        DriveFailed: a drive cannot be read.
    """
    check_distinct(drives)
    plan = expected.plan
    check_plan(plan)
    kept, lost = leave_out(drives, without, plan)
    damage: list[Damage] = []
    found = [look_at(drive, trust, expected, damage) for drive in kept]
    groups = groups_of(found, trust, expected.groups or {})
    return assemble(found, groups, damage, trust, expected, lost)


def look_at(drive: Drive, trust: Trust, expected: Expected, damage: list[Damage]) -> Mounted:
    """Return one drive, verified, if it is one of the expected shipment; `damage` takes what can be made good.

    Raises:
        As `discover`, for one drive.
    """
    found = open_drive(drive, trust, plan=expected.plan, admitted=expected.admitted, damage=damage)
    check_belongs(found, expected)
    damage += _damaged_tag_files(found)
    return found


def assemble(
    found: Sequence[Mounted],
    groups: Mapping[int, Group],
    damage: Sequence[Damage],
    trust: Trust,
    expected: Expected,
    lost: frozenset[str],
) -> Fleet:
    """Return what verified drives, of one host or of several, make together.

    Args:
        found: drives that passed `look_at`, in any order.
        groups: the verified documents of their groups.
        damage: what was found beside the volumes.
        trust: who may sign.
        expected: what the voyage folder knows.
        lost: UUIDs (of the plan) of drives that were named to be left out.

    Raises:
        DuplicateDrive, ForeignDrive, SupersededDrive, IntegrityError, IncompleteKnowledge: see `discover`.
    """
    plan = expected.plan
    mounted: dict[str, Mounted] = {}
    for item in found:
        uuid = item.record.planned_uuid
        if uuid in mounted:
            refuse_replaced(item, mounted[uuid])
            raise DuplicateDrive(
                "the same drive was given twice",
                where=item.drive.location,
                found=f"drive {item.record.label}, which is at {mounted[uuid].drive.location} too",
                hint="name each drive once; a copy of a drive is not a second drive",
            )
        mounted[uuid] = item
    in_order = tuple(mounted[planned.uuid] for planned in plan.drives if planned.uuid in mounted)
    missing = tuple(planned for planned in plan.drives if planned.uuid not in mounted)
    shipment = expected.shipment or _shipment_on(in_order, trust, expected)
    if shipment is not None:
        check_shipment(shipment, plan, expected.plan_digest, in_order)
    elif missing:
        raise IncompleteKnowledge(
            f"{len(missing)} of {len(plan.drives)} drives are missing, and no shipment document says what the whole "
            "is: incomplete knowledge, never complete",
            where=", ".join(f"{drive.label} (case {drive.case})" for drive in missing[:20]),
            expected="shipment.json from the dossier or from the last wave",
            hint="get shipment.json from the consignor by another way, or wait for the missing drives",
        )
    known = {**(expected.groups or {}), **groups}
    for number, group in known.items():
        check_group(group, plan, expected.plan_digest, f"group {number}")
    return Fleet(plan, expected.plan_digest, shipment, known, in_order, missing, lost, tuple(damage))


def open_drive(
    drive: Drive,
    trust: Trust | None,
    plan: Plan | None = None,
    *,
    admitted: Mapping[str, str] | None = None,
    damage: list[Damage] | None = None,
) -> Mounted:
    """Return a drive with its verified closing record and tag manifest.

    Args:
        drive: the drive.
        trust: who may sign; None reads without checking signatures.
        plan: where it is known, it tells an older attempt's open drive from this one's.
        admitted: serial by UUID as another signed document has it, which is believed before the drive's own record.
        damage: takes a damaged tag manifest, which is then left out; None: it is an error.

    Raises:
        ForeignDrive, SupersededDrive, DriveNotClosed, IntegrityError, DriveFailed and the errors of `Trust.open`.
    """
    if drive.size_bytes(layout.DRIVE) is None:
        raise _no_record(drive, trust, plan)
    try:
        record, digest = read_document(drive, DriveRecord, layout.DRIVE, trust, MAX_RECORD_BYTES)
    except PacktrainError as error:
        # Only of a record that can be read is the label known.
        advice = leave_out_hint(label_of(drive) or drive.location)
        error.hint = f"{error.hint}; {advice}" if error.hint else advice
        raise
    serial = (admitted or {}).get(record.uuid, record.serial)
    # Where packing could read none, the papers state none, and one that is read here proves nothing.
    if drive.serial is not None and serial not in (drive.serial, unread_serial(record.uuid)):
        raise ForeignDrive(
            f"drive {record.label} has another serial number than its papers say: its files were copied, "
            "or the drive was swapped",
            where=drive.location,
            expected=serial,
            found=drive.serial,
        )
    try:
        payload = _read_or_explain(drive, layout.TAG_MANIFEST, MAX_MANIFEST_BYTES, record.label)
        if (found := sha256_bytes(payload)) != record.tagmanifest:
            raise _differs(drive, record.label, layout.TAG_MANIFEST, record.tagmanifest, found)
    except IntegrityError:
        if damage is None:
            raise
        # What it names is named by other signed documents too, or is not read by a load; but no kit is taken from here.
        damage.append(Damage(record.label, layout.TAG_MANIFEST, None, None, _NOT_AS_SIGNED))
        return Mounted(drive, record, digest, {})
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


def _damaged_tag_files(mounted: Mounted) -> list[Damage]:
    """Return which tag files that a load relies on are not as the tag manifest says."""
    damage: list[Damage] = []
    for name in sorted(_CHECKED_TAG_FILES.intersection(mounted.tag_files)):
        try:
            is_good = sha256_bytes(mounted.drive.read_bytes(name, MAX_DOCUMENT_BYTES)) == mounted.tag_files[name]
        except DriveFailed:
            is_good = False
        if not is_good:
            damage.append(Damage(mounted.record.label, name, None, None, _NOT_AS_SIGNED))
    return damage


def groups_of(mounted: Sequence[Mounted], trust: Trust, known: Mapping[int, Group]) -> dict[int, Group]:
    """Return the group documents of these drives, each from a copy that is as the closing records name it.

    A group of which no copy is whole is absent.

    Raises:
        IntegrityError: two drives of a group name different documents.
    """
    groups: dict[int, Group] = {}
    named: dict[int, Mounted] = {}
    for item in mounted:
        number, expected = item.record.group, item.record.group_document
        first = named.setdefault(number, item)
        if first.record.group_document != expected:
            raise IntegrityError(
                f"drives {first.record.label} and {item.record.label} name different documents of group {number}",
                where=item.drive.location,
                expected=first.record.group_document[:12],
                found=expected[:12],
            )
        if number in groups:
            continue
        if number in known and document_digest(known[number]) == expected:
            groups[number] = known[number]
            continue
        try:
            group, found = read_document(item.drive, Group, layout.GROUP, trust)
        except (PacktrainError, DriveFailed):
            continue  # the next drive has a copy
        if found == expected and group.group == number:
            groups[number] = group
    return groups


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


def _shipment_on(mounted: Sequence[Mounted], trust: Trust, expected: Expected) -> Shipment | None:
    """Return the shipment document of these drives; where a drive was replaced after the first, the last one."""
    last: Shipment | None = None
    for item in mounted:
        if item.drive.size_bytes(layout.SHIPMENT) is not None:
            shipment, _ = read_document(item.drive, Shipment, layout.SHIPMENT, trust)
            is_later = last is None or len(shipment.voided) > len(last.voided)
            if shipment.plan == expected.plan_digest and is_later:
                last = shipment
    return last


def _read_or_explain(drive: Drive, name: str, max_bytes: int, label: str) -> bytes:
    try:
        return drive.read_bytes(name, max_bytes)
    except DriveFailed as error:
        raise IntegrityError(
            f"drive {label}: {name} is missing or cannot be read", where=drive.location, hint=leave_out_hint(label)
        ) from error


def _differs(drive: Drive, label: str, name: str, expected: str, found: str) -> IntegrityError:
    return IntegrityError(
        f"drive {label}: {name} is not as the signed closing record says",
        where=drive.location,
        expected=expected[:12],
        found=found[:12],
        hint=leave_out_hint(label),
    )


def _no_record(drive: Drive, trust: Trust | None, plan: Plan | None) -> PacktrainError:
    try:
        if drive.size_bytes(layout.PLAN) is None:
            is_empty = next(iter(drive.names()), None) is None
            return ForeignDrive(
                "not a packtrain drive",
                where=drive.location,
                expected=layout.DRIVE,
                found="an empty folder" if is_empty else "no such file",
                hint="is the drive mounted there? Mount it, or name the place where it is"
                if is_empty
                else "name each drive's own folder or mount point; a voyage folder is named by --voyage",
            )
        on_drive, _ = read_document(drive, Plan, layout.PLAN, trust)
    except DriveFailed as error:
        return error
    if plan is not None and on_drive.shipment == plan.shipment and on_drive.attempt < plan.attempt:
        return superseded(drive, "this drive", on_drive.attempt, plan.attempt)
    if plan is not None and on_drive.shipment != plan.shipment:
        return other_shipment(drive, "this drive", plan.shipment, on_drive.shipment)
    return DriveNotClosed(
        "drive was opened for packing and never closed",
        where=drive.location,
        expected=layout.DRIVE,
        found="no closing record",
        hint=f"finish it with the pack command at home, or: {leave_out_hint(drive.location)}",
    )
