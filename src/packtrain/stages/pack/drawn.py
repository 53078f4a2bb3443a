"""The plan of an attempt, and its key: signed and sealed before the first byte, and followed from then on."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Mapping

from packtrain import __version__, durable
from packtrain.crypto import age
from packtrain.digest import sha256_bytes
from packtrain.diligence import amendments
from packtrain.documents.codec import encode
from packtrain.documents.packing_statement import PackingStatement
from packtrain.documents.placement import PlacementDocument
from packtrain.documents.plan import Algorithms, Plan, PlannedDrive, PlannedGroup
from packtrain.documents.shipment import Shipment
from packtrain.documents.shipment_key import ShipmentKey
from packtrain.errors import DriveInUse
from packtrain.events import Notice, Sink
from packtrain.ports import Drive
from packtrain.record import keys
from packtrain.record.envelopes import write_envelopes
from packtrain.record.folder import VoyageFolder
from packtrain.record.receipts import instant
from packtrain.stages.pack.kept import journal_folder, recipients_marker
from packtrain.volume import layout
from packtrain.volume.cargo_list import CargoList
from packtrain.volume.journal import Journal
from packtrain.volume.places import places_of


def plan_to_follow(
    folder: VoyageFolder,
    placement: PlacementDocument,
    drives: Mapping[str, Drive],
    cargo: CargoList,
    declaration: str,
) -> Plan | None:
    """Return the signed plan there is, if it is still what would be drawn up now; None if another attempt is needed.

    plan.json is written after its envelopes, so a plan that is there has its key sealed.

    Raises:
        DriveInUse: the plan of a shipment that was packed is gone.
    """
    if not folder.has(Plan):
        if folder.has(Shipment) or folder.has(PackingStatement):
            raise DriveInUse(
                "plan.json of the shipment that was packed is gone",
                where=str(folder.document_path(Plan)),
                hint="bring it and plan.json.sig back, from a backup or from packtrain/ on one of the drives: another "
                "plan would put a new key in the place of the one that opens them",
            )
        return None
    plan = folder.read_signed(Plan)
    labels = {planned.uuid: planned.label for planned in plan.drives}
    same = (
        plan.purpose == "cargo"
        and plan.declaration == declaration
        and plan.contact == folder.voyage_file().voyage.contact
        and [(d.label, d.case) for d in plan.drives] == [(d.label, d.case) for d in placement.drives]
        and [(g.k, g.m, tuple(labels[u] for u in g.drives)) for g in plan.groups]
        == [(g.k, g.m, g.drives) for g in placement.groups]
        and plan.cargo == cargo.digest
        and not _saw_changes(folder, plan)
    )
    return plan if same and not _has_other_drives(folder, plan, drives) else None


def _has_other_drives(folder: VoyageFolder, plan: Plan, drives: Mapping[str, Drive]) -> bool:
    """Return whether a drive at its path is another one than the plan names, by its serial.

    Raises:
        DriveInUse: it is, and drives of this attempt are closed: all of them would have to be written anew.
    """
    if not (place := journal_folder(folder, plan.attempt)).is_dir():
        return False
    with Journal(place) as journal:
        places = places_of(plan, journal)
        others = [
            planned
            for planned in plan.drives
            if not places[planned.uuid].replaces
            and planned.label in drives
            and drives[planned.label].serial is not None
            and planned.serial not in (None, _serial(drives[planned.label], planned.uuid))
        ]
        is_begun = any(journal.drive_fact(place.uuid, "record") is not None for place in places.values())
    if others and is_begun:
        raise DriveInUse(
            f"drive {others[0].label} is another one than the plan names, and drives of this attempt are closed",
            where=drives[others[0].label].location,
            expected=f"serial {others[0].serial}",
            found=f"serial {drives[others[0].label].serial}",
            hint=f'mount the right one; if it failed: "packtrain pack --replace {others[0].label}=PATH"',
        )
    return bool(others)


def sealed_plan(folder: VoyageFolder) -> Plan | None:
    """Return the plan whose drives lie sealed under a packing statement, or None."""
    if not (folder.has(Plan) and folder.has(PackingStatement)):
        return None
    plan = folder.read_signed(Plan)
    return plan if folder.read_signed(PackingStatement).shipment == plan.shipment else None


def _saw_changes(folder: VoyageFolder, plan: Plan) -> bool:
    place = journal_folder(folder, plan.attempt)
    if not place.is_dir():
        return False
    with Journal(place) as journal:
        return journal.changed_files(1)[0] > 0


def draw_up(
    folder: VoyageFolder,
    placement: PlacementDocument,
    drives: Mapping[str, Drive],
    cargo: CargoList,
    stage_inputs: Mapping[str, str],
) -> Plan:
    """Sign another attempt's plan and seal its key for both ends; the key itself is gone when this returns."""
    earlier = [*amendments.archived(folder, Plan).values()]
    if folder.has(Plan):
        earlier.append(folder.read_signed(Plan))
    shipment = earlier[-1].shipment if earlier else str(uuid.uuid4())
    attempt = 1 + max((plan.attempt for plan in earlier), default=0)
    identity = age.generate_identity()
    uuids = {placed.label: str(uuid.uuid4()) for placed in placement.drives}
    plan = Plan(
        shipment=shipment,
        attempt=attempt,
        purpose="cargo",
        declaration=stage_inputs["declaration"],
        recipient=age.recipient_of(identity),
        algorithms=Algorithms(),
        block_bytes=1048576,
        volume_target_bytes=layout.volume_target_bytes(cargo.total_bytes, sum(group.k for group in placement.groups)),
        cases=tuple(dict.fromkeys(placed.case for placed in placement.drives)),
        drives=tuple(
            PlannedDrive(
                uuid=uuids[placed.label],
                label=placed.label,
                # A drive that takes its turn in a bay, or is not mounted now, was not seen: its closing record says it.
                serial=_serial(drives[placed.label], uuids[placed.label]) if placed.label in drives else None,
                case=placed.case,
            )
            for placed in placement.drives
        ),
        groups=tuple(
            PlannedGroup(group=number, k=group.k, m=group.m, drives=tuple(uuids[label] for label in group.drives))
            for number, group in enumerate(placement.groups)
        ),
        survive=placement.survive,
        cargo=cargo.digest,
        byte_cap=None,
        contact=folder.voyage_file().voyage.contact,
        created=instant(),
        software=f"packtrain {__version__}",
    )
    # The old plan goes before the new envelopes come: a plan.json is never next to envelopes of another.
    for kind in (Shipment, Plan):
        amendments.archive_current(folder, kind)
        folder.document_path(kind).unlink(missing_ok=True)
        folder.signature_path(kind).unlink(missing_ok=True)
    durable.sync_folder(folder.documents)
    shutil.rmtree(journal_folder(folder, attempt), ignore_errors=True)
    key = ShipmentKey(shipment=shipment, plan=sha256_bytes(encode(plan)), identity=identity)
    write_envelopes(folder, key, recipients_marker(folder, attempt))
    folder.write_signed(plan, folder.signer())
    return plan


def warn_of_envelopes(folder: VoyageFolder, sink: Sink, stage: str) -> None:
    """Say so where only the consignor could open the key."""
    if not (folder.keys / keys.SITE_ENVELOPE).is_file():
        sink(
            Notice(
                stage,
                "the key is sealed for the consignor alone: name operator and consignee in [parties] and pack again "
                "(no drive is written for that)",
                is_warning=True,
            )
        )


def _serial(drive: Drive, drive_uuid: str) -> str:
    return drive.serial or f"folder-{drive_uuid[:8]}"
