"""What goes on the drives beside the volumes, and what stays in the voyage folder: documents, custody, journals."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from packtrain import durable
from packtrain.documents.custody import CustodyVerb
from packtrain.documents.kit import Kit
from packtrain.documents.plan import Plan
from packtrain.documents.ready import Ready
from packtrain.documents.shipment import Shipment
from packtrain.record.custody import CustodyLog
from packtrain.record.folder import VoyageFolder
from packtrain.stages.pack.gates import Rehearsed
from packtrain.volume import layout
from packtrain.volume.places import Place
from packtrain.volume.signing import ShipmentWritten

GROUPS: Final = "groups"


def journals(folder: VoyageFolder) -> Path:
    """Return where the journals of all attempts lie."""
    return folder.work / "pack"


def journal_folder(folder: VoyageFolder, attempt: int) -> Path:
    """Return where the journal of an attempt lies."""
    return journals(folder) / f"attempt-{attempt:04d}"


def recipients_marker(folder: VoyageFolder, attempt: int) -> Path:
    """Return the file that says to whom an attempt's key was sealed."""
    return journal_folder(folder, attempt) / "recipients"


def extra_files(folder: VoyageFolder, plan: Plan, rehearsed: Rehearsed) -> dict[str, dict[str, Path | bytes]]:
    """Return the kit for the first drive of each case, and the rehearsal's sheet for every drive."""
    extra: dict[str, dict[str, Path | bytes]] = {planned.uuid: {} for planned in plan.drives}
    if rehearsed.has_sheet:
        for files in extra.values():
            files[layout.READY] = folder.payload(Ready)
            files[layout.READY + layout.SIGNATURE_SUFFIX] = folder.signature_path(Ready).read_bytes()
    if rehearsed.kit is not None:
        first = {planned.case: planned.uuid for planned in reversed(plan.drives)}
        for drive_uuid in first.values():
            for file in rehearsed.kit.files:
                extra[drive_uuid][layout.KIT_PREFIX + file.name] = folder.work / "kit" / file.name
            extra[drive_uuid][layout.KIT_PREFIX + "kit.json"] = folder.payload(Kit)
            extra[drive_uuid][layout.KIT_PREFIX + "kit.json.sig"] = folder.signature_path(Kit).read_bytes()
    return extra


def keep_documents(folder: VoyageFolder, written: ShipmentWritten) -> None:
    """Copy groups and shipment into documents/, as they lie on the drives; the shipment last."""
    place = folder.documents / GROUPS
    names = {f"{signed.group.group}.json" for signed in written.groups}
    if place.is_dir():
        for path in place.iterdir():
            if path.name.removesuffix(layout.SIGNATURE_SUFFIX) not in names:
                path.unlink()
    for signed in written.groups:
        path = place / f"{signed.group.group}.json"
        durable.write_bytes(path.with_name(path.name + layout.SIGNATURE_SUFFIX), signed.signature)
        durable.write_bytes(path, signed.payload)
    folder.keep_signed(folder.document_path(Shipment).name, written.payload, written.signature)


def note(
    folder: VoyageFolder, verb: CustodyVerb, plan: Plan, places: Sequence[Place], uuids: Sequence[str] = ()
) -> None:
    """Append one custody entry over the drives in these places (or over `uuids`), unless it is there."""
    log = CustodyLog(folder.documents / "custody.jsonl")
    trust = folder.trust()
    drives = tuple(uuids) or tuple(place.uuid for place in places)
    if any(line.event.verb == verb and line.event.drives == drives for line in log.read(trust)):
        return
    log.append(
        verb,
        shipment=plan.shipment,
        by="consignor",
        signer=folder.signer(),
        trust=trust,
        cases=tuple(dict.fromkeys(place.planned.case for place in places)),
        drives=drives,
        note=f"attempt {plan.attempt}, drives {', '.join(place.label for place in places)}"[:4096],
    )


def forget_old_journals(folder: VoyageFolder, attempt: int) -> None:
    """Remove the journals of other attempts."""
    for path in journals(folder).glob("attempt-*"):
        if path != journal_folder(folder, attempt):
            shutil.rmtree(path, ignore_errors=True)
