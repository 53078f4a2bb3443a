"""Do the signed documents fit each other, and does a drive belong here? One clear reason why not."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from packtrain.documents.drive import unread_serial
from packtrain.documents.plan import Plan
from packtrain.documents.shipment import Shipment
from packtrain.errors import ForeignDrive, IntegrityError, SupersededDrive
from packtrain.ports import Drive
from packtrain.volume import layout
from packtrain.volume.fleet import Expected, Mounted


def check_plan(plan: Plan, where: str = layout.PLAN) -> None:
    """Check that a plan fits itself: every drive known by one UUID and one label, in one case and in one group.

    Raises:
        IntegrityError: it does not.
    """

    def require(holds: bool, what: str) -> None:
        if not holds:
            raise IntegrityError(f"plan {what}", where=where)

    uuids = [drive.uuid for drive in plan.drives]
    require(len(set(uuids)) == len(uuids), "names a drive twice")
    require(len({drive.label for drive in plan.drives}) == len(uuids), "gives two drives one label")
    require(len(set(plan.cases)) == len(plan.cases), "names a case twice")
    require({drive.case for drive in plan.drives} <= set(plan.cases), "puts a drive into a case that it does not name")
    require(len({group.group for group in plan.groups}) == len(plan.groups), "names a group twice")
    require(
        all(group.k + group.m == len(group.drives) for group in plan.groups), "has a group without one drive a column"
    )
    require(
        sorted(uuid for group in plan.groups for uuid in group.drives) == sorted(uuids),
        "does not put every drive into one group",
    )


def check_belongs(found: Mounted, expected: Expected) -> None:
    """Raise unless this drive is one of the expected shipment, of this attempt, and may be read."""
    record, plan, drive = found.record, expected.plan, found.drive
    name = f"drive {record.label}"
    if record.shipment != plan.shipment:
        raise other_shipment(drive, name, plan.shipment, record.shipment)
    if record.attempt < plan.attempt:
        raise superseded(drive, name, record.attempt, plan.attempt)
    if expected.shipment is not None and record.uuid in expected.shipment.voided:
        raise _replaced(drive, name)
    planned = next((item for item in plan.drives if item.uuid == record.planned_uuid), None)
    if record.attempt != plan.attempt or record.plan != expected.plan_digest or planned is None:
        raise ForeignDrive(
            f"{name} was packed by another plan than the one in this voyage folder",
            where=drive.location,
            expected=f"attempt {plan.attempt}, plan {expected.plan_digest[:12]}",
            found=f"attempt {record.attempt}, plan {record.plan[:12]}",
        )
    group = next((item for item in plan.groups if item.group == record.group), None)
    is_in_place = group is not None and planned.uuid in group.drives
    # A replacement has a UUID of its own, that of no drive of the plan.
    is_fresh = not record.replaces or record.uuid not in {*record.replaces, *(item.uuid for item in plan.drives)}
    if not is_in_place or not is_fresh or (record.label, record.case) != (planned.label, planned.case):
        raise IntegrityError(f"closing record of {name} contradicts the plan", where=drive.location)
    # Where the drive's own number can be read, that was compared; the record's may have been a guess.
    stated = (expected.admitted or {}).get(record.uuid)
    serial = record.serial if drive.serial is None or stated == unread_serial(record.uuid) else drive.serial
    if expected.admitted is not None and expected.admitted.get(record.uuid) != serial:
        raise ForeignDrive(
            f"{name} is not in {expected.admitted_by}",
            where=drive.location,
            expected=f"serial {expected.admitted.get(record.uuid, 'none: the drive is not listed')}",
            found=f"serial {serial}, {record.uuid}",
            hint="it may not be read; ask the site operator, who admits drives by the packing statement",
        )


def check_shipment(shipment: Shipment, plan: Plan, plan_digest: str, mounted: Sequence[Mounted]) -> None:
    """Check a shipment document against the plan and the drives at hand.

    Raises:
        IntegrityError: it is of another plan, or does not name each group and drive of it once.
        SupersededDrive: a drive that was replaced.
        ForeignDrive: a drive is not as the document names it.
    """
    if shipment.plan != plan_digest:
        raise IntegrityError(
            "shipment document belongs to another plan", expected=plan_digest[:12], found=shipment.plan[:12]
        )
    facts = (shipment.shipment, shipment.attempt, shipment.purpose) == (plan.shipment, plan.attempt, plan.purpose)
    named = sorted(item.group for item in shipment.groups) == sorted(group.group for group in plan.groups)
    places = {drive.uuid: drive for drive in plan.drives}
    in_place = [
        drive
        for drive in shipment.drives
        if (place := places.pop(drive.planned_uuid, None)) is not None
        and (drive.label, drive.case) == (place.label, place.case)
    ]
    if not facts or not named or places or len(in_place) != len(shipment.drives):
        raise IntegrityError("shipment document does not name each group and drive of its plan once")
    records = {item.uuid: item.record for item in shipment.drives}
    groups = {item.group: item.record for item in shipment.groups}
    for item in mounted:
        record = item.record
        if record.uuid in shipment.voided:
            raise _replaced(item.drive, f"drive {record.label}")
        if records.get(record.uuid) != item.record_digest or groups.get(record.group) != record.group_document:
            raise ForeignDrive(
                f"drive {record.label} is not as the shipment document names it: it was closed again, or is a copy",
                where=item.drive.location,
                expected=records.get(record.uuid, "no such drive")[:12],
                found=item.record_digest[:12],
            )


def leave_out_hint(name: str) -> str:
    without = f"--without {shlex.quote(name)}"
    return f'if the drive was damaged or altered, leave it out with "{without}": the others make up for it'


def superseded(drive: Drive, name: str, found: int, expected: int) -> SupersededDrive:
    return SupersededDrive(
        f"{name} is superseded: it belongs to an earlier attempt",
        where=drive.location,
        expected=f"attempt {expected}",
        found=f"attempt {found}",
        hint="take it out; its successor is among the drives of the last attempt",
    )


def refuse_replaced(first: Mounted, second: Mounted) -> None:
    """Raise if one of two drives that claim the same place was replaced by the other."""
    for old, new in ((first, second), (second, first)):
        if old.record.uuid in new.record.replaces:
            raise _replaced(old.drive, f"drive {old.record.label}")


def _replaced(drive: Drive, name: str) -> SupersededDrive:
    return SupersededDrive(
        f"{name} is superseded: it failed while it was packed and was replaced by another",
        where=drive.location,
        expected=f"the other {name}",
        found="the one that was replaced",
        hint=f"take it out, or leave it out: --without {shlex.quote(drive.location)}",
    )


def other_shipment(drive: Drive, name: str, expected: str, found: str) -> ForeignDrive:
    return ForeignDrive(
        f"{name} belongs to another shipment", where=drive.location, expected=expected, found=found, hint="take it out"
    )
