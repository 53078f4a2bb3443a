"""pack: put the data set on the drives. Writes plan.json, shipment.json, the groups, key envelopes, custody entries."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import rfc8785

from packtrain import __version__, durable
from packtrain.crypto import age
from packtrain.digest import sha256_bytes
from packtrain.diligence import amendments
from packtrain.documents.codec import encode
from packtrain.documents.custody import CustodyVerb
from packtrain.documents.dataset import Dataset
from packtrain.documents.declaration import Declaration
from packtrain.documents.kit import Kit
from packtrain.documents.packing_statement import PackingStatement
from packtrain.documents.placement import PlacementDocument
from packtrain.documents.plan import Algorithms, Plan, PlannedDrive, PlannedGroup
from packtrain.documents.ready import Ready
from packtrain.documents.receipt import Receipt
from packtrain.documents.shipment import Shipment
from packtrain.documents.shipment_key import ShipmentKey
from packtrain.errors import DeclarationExceeded, DeclarationMissing, DriveInUse, RehearsalFailed
from packtrain.events import Notice, Sink
from packtrain.ports import Drive
from packtrain.record import keys
from packtrain.record.custody import CustodyLog
from packtrain.record.envelopes import recipients_digest, renew_envelopes, write_envelopes
from packtrain.record.folder import VoyageFolder, read_signature
from packtrain.record.receipts import StageClock, instant
from packtrain.training.kit import verify_kit
from packtrain.units import format_bytes
from packtrain.volume import layout
from packtrain.volume.cargo import CargoEntry, cargo_digest, listed
from packtrain.volume.journal import Journal
from packtrain.volume.writer import ShipmentWritten, write_shipment

STAGE: Final = "pack"
GROUPS: Final = "groups"


def inputs(folder: VoyageFolder) -> dict[str, str]:
    """Return the digests of what is packed and how.

    Of the declarations only the first counts: an amendment touches no drive. Of the placement, not the free space. The
    recipients count because the key envelopes are made to them.

    Raises:
        StageNotReady: there is no placement or data set yet.
        DeclarationMissing: nothing is declared.
    """
    placement = folder.read(PlacementDocument)
    found = {
        "placement": sha256_bytes(
            rfc8785.dumps(
                {
                    "drives": [[d.label, d.case, d.path, d.serial] for d in placement.drives],
                    "groups": [[g.k, g.m, list(g.drives)] for g in placement.groups],
                }
            )
        ),
        "dataset": folder.digest(Dataset),
        "declaration": _first_declaration(folder),
        "contact": sha256_bytes(folder.voyage_file().voyage.contact.encode("utf-8")),
        "recipients": recipients_digest(folder),
    }
    if folder.voyage_file().training is not None:
        found |= {kind.kind: folder.digest(kind) for kind in (Kit, Ready) if folder.has(kind)}
    return found


def pack(folder: VoyageFolder, open_drive: Callable[[Path], Drive], sink: Sink) -> Receipt:
    """Write the data set, and the kit if there is one, on the drives of placement.json; close and sign them.

    Called again after a failure it goes on where it stopped. When what is packed has changed it draws up another
    attempt and clears the drives of the one before; under a packing statement it opens no drive at all.

    Raises:
        DeclarationMissing: nothing is declared.
        DeclarationExceeded: more bytes or drives than declared.
        RehearsalFailed: the rehearsal saw a promise broken.
        DriveInUse: what is packed has changed, but the drives are sealed under a packing statement.
        StageNotReady: there is no placement or data set yet.
        KitError: the kit is not the one that kit.json names.

        And what `write_shipment` raises.
    """
    stage_inputs = inputs(folder)
    clock = StageClock(folder, STAGE, stage_inputs)
    if (plan := _sealed_plan(folder)) is not None:
        return _keep_sealed(folder, plan, stage_inputs, clock, sink)
    placement, dataset = folder.read(PlacementDocument), folder.read(Dataset)
    rehearsed = _check_rehearsal(folder, sink)
    root = folder.work / "dataset"
    document = folder.payload(Dataset)
    # The data set's own document travels first: the receiver holds what was loaded against it.
    files = [("dataset.json", len(document), sha256_bytes(document))]
    files += [(item.name, item.bytes, item.sha256) for item in (*dataset.shards, *dataset.files)]
    entries = list(listed(root, files))
    _check_declaration(folder, sum(entry.size_bytes for entry in entries), len(placement.drives))
    drives = {placed.label: open_drive(folder.resolve(placed.path)) for placed in placement.drives}

    plan = _plan_to_follow(folder, placement, drives, entries, stage_inputs["declaration"])
    if plan is None:
        plan = _draw_up(folder, placement, drives, entries, stage_inputs)
        sink(Notice(STAGE, f"shipment {plan.shipment}, attempt {plan.attempt}: plan signed, key sealed and forgotten"))
    else:
        renew_envelopes(folder, plan.shipment, _recipients_marker(folder, plan.attempt))
    _warn_of_envelopes(folder, sink)
    signature = read_signature(folder.signature_path(Plan))
    assert signature is not None, "a plan without its signature was not read"
    by_uuid = {planned.uuid: drives[planned.label] for planned in plan.drives}
    written = write_shipment(
        plan,
        (folder.payload(Plan), signature),
        entries,
        by_uuid,
        folder.signer(),
        _journal_folder(folder, plan.attempt),
        _extra_files(folder, plan, rehearsed),
        sink,
        on_prepared=lambda: _note(folder, "formatted", plan),
    )
    _keep_documents(folder, written)
    _note(folder, "closed", plan)
    _forget_old_journals(folder, plan.attempt)
    readback = ", ".join(f"{mode} {count}" for mode, count in sorted(written.readback.items()))
    return clock.finish(
        outputs=(Plan, Shipment),
        counts={
            "bytes_packed": written.plaintext_bytes,
            "bytes_stored": written.stored_bytes,
            "files": written.num_files,
            "samples": dataset.num_samples,
            "drives": len(plan.drives),
            "groups": len(plan.groups),
            "stripes": written.num_stripes,
            "volumes": written.num_volumes,
        },
        facts={
            "shipment": plan.shipment,
            "attempt": str(plan.attempt),
            "shipment root": sha256_bytes(written.payload),
            "readback": readback,
        },
    )


# --- gates ---------------------------------------------------------------------------------------------------------


def _first_declaration(folder: VoyageFolder) -> str:
    if not folder.has(Declaration):
        raise DeclarationMissing(
            "nothing is declared: who ships what to whom for which end use",
            where=str(folder.document_path(Declaration)),
            hint='write declaration.toml and run "packtrain declare" first',
        )
    return amendments.chain_of(folder)[-1][0]


def _check_declaration(folder: VoyageFolder, total_bytes: int, num_drives: int) -> None:
    declaration = folder.read_signed(Declaration)
    over: list[tuple[str, str]] = []
    if total_bytes > declaration.most_bytes:
        over.append((format_bytes(declaration.most_bytes), format_bytes(total_bytes)))
    if num_drives > declaration.most_drives:
        over.append((f"{declaration.most_drives} drives", f"{num_drives} drives"))
    if over:
        raise DeclarationExceeded(
            "more is to be packed than was declared",
            where=str(folder.document_path(Declaration)),
            expected="at most " + " and ".join(most for most, _ in over),
            found=" and ".join(found for _, found in over),
            hint='pack less, or amend the declaration ("packtrain declare --amend")',
        )


@dataclass(frozen=True, slots=True)
class _Rehearsed:
    """What travels from the rehearsal: the kit's document, and the sheet where it was signed."""

    kit: Kit | None
    has_sheet: bool


def _check_rehearsal(folder: VoyageFolder, sink: Sink) -> _Rehearsed:
    if folder.voyage_file().training is None:
        return _Rehearsed(None, has_sheet=False)
    kit = folder.read_signed(Kit) if folder.has(Kit) else None
    if kit is not None:
        verify_kit(folder.work / "kit", kit)
    if not folder.has(Ready):
        sink(Notice(STAGE, "the training program was not rehearsed: little can be mended later", is_warning=True))
        return _Rehearsed(kit, has_sheet=False)
    signed = folder.signature_path(Ready).is_file()
    sheet = folder.read_signed(Ready) if signed else folder.read(Ready)
    broken = [clause.clause for clause in sheet.clauses if clause.verdict == "broken"]
    if broken:
        raise RehearsalFailed(
            "the rehearsal saw promises broken",
            where=str(folder.document_path(Ready)),
            found="; ".join(broken[:5]),
            hint='mend the program and run "packtrain rehearse" again',
        )
    if not (sheet.ready_to_leave and signed):
        missing = [clause.clause for clause in sheet.clauses if clause.verdict == "not shown"]
        sink(
            Notice(STAGE, f"not shown in rehearsal: {'; '.join(missing) or 'the sheet is not signed'}", is_warning=True)
        )
    return _Rehearsed(kit, has_sheet=signed and sheet.ready_to_leave)


# --- the plan and the key --------------------------------------------------------------------------------------------


def _plan_to_follow(
    folder: VoyageFolder,
    placement: PlacementDocument,
    drives: Mapping[str, Drive],
    entries: Sequence[CargoEntry],
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
        and all(d.serial == _serial(drives[d.label], d.uuid) for d in plan.drives)
        and [(g.k, g.m, tuple(labels[u] for u in g.drives)) for g in plan.groups]
        == [(g.k, g.m, g.drives) for g in placement.groups]
        and plan.cargo == cargo_digest(entries)
        and not _saw_changes(folder, plan)
    )
    return plan if same else None


def _sealed_plan(folder: VoyageFolder) -> Plan | None:
    """Return the plan whose drives lie sealed under a packing statement, or None."""
    if not (folder.has(Plan) and folder.has(PackingStatement)):
        return None
    plan = folder.read_signed(Plan)
    return plan if folder.read_signed(PackingStatement).shipment == plan.shipment else None


def _keep_sealed(
    folder: VoyageFolder, plan: Plan, stage_inputs: Mapping[str, str], clock: StageClock, sink: Sink
) -> Receipt:
    """Seal the key to other recipients if they changed; the drives may be on their way and are not looked for.

    Raises:
        DriveInUse: anything else changed.
    """
    before = folder.receipt(STAGE)
    packed = before.inputs if before is not None else {}
    changed = sorted(name for name in {*packed, *stage_inputs} if packed.get(name) != stage_inputs.get(name))
    if before is None or set(changed) - {"recipients"}:
        raise DriveInUse(
            "what is packed has changed, but the drives are sealed under a packing statement",
            where=str(folder.document_path(PackingStatement)),
            found=f"changed: {', '.join(changed)}" if before is not None else "no receipt says what was packed",
            hint="undo the change, or make another voyage for what is new; sealed drives are not written again",
        )
    renew_envelopes(folder, plan.shipment, _recipients_marker(folder, plan.attempt))
    _warn_of_envelopes(folder, sink)
    return clock.finish(outputs=(Plan, Shipment), counts=before.counts, facts=before.facts)


def _saw_changes(folder: VoyageFolder, plan: Plan) -> bool:
    journal_folder = _journal_folder(folder, plan.attempt)
    if not journal_folder.is_dir():
        return False
    with Journal(journal_folder) as journal:
        return journal.changed_files(1)[0] > 0


def _draw_up(
    folder: VoyageFolder,
    placement: PlacementDocument,
    drives: Mapping[str, Drive],
    entries: Sequence[CargoEntry],
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
        volume_target_bytes=layout.volume_target_bytes(
            sum(entry.size_bytes for entry in entries), sum(group.k for group in placement.groups)
        ),
        cases=tuple(dict.fromkeys(placed.case for placed in placement.drives)),
        drives=tuple(
            PlannedDrive(
                uuid=uuids[placed.label],
                label=placed.label,
                serial=_serial(drives[placed.label], uuids[placed.label]),
                case=placed.case,
            )
            for placed in placement.drives
        ),
        groups=tuple(
            PlannedGroup(group=number, k=group.k, m=group.m, drives=tuple(uuids[label] for label in group.drives))
            for number, group in enumerate(placement.groups)
        ),
        survive=placement.survive,
        cargo=cargo_digest(entries),
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
    shutil.rmtree(_journal_folder(folder, attempt), ignore_errors=True)
    key = ShipmentKey(shipment=shipment, plan=sha256_bytes(encode(plan)), identity=identity)
    write_envelopes(folder, key, _recipients_marker(folder, attempt))
    folder.write_signed(plan, folder.signer())
    return plan


def _warn_of_envelopes(folder: VoyageFolder, sink: Sink) -> None:
    if not (folder.keys / keys.SITE_ENVELOPE).is_file():
        sink(
            Notice(
                STAGE,
                "the key is sealed for the consignor alone: name operator and consignee in [parties] and pack again "
                "(no drive is written for that)",
                is_warning=True,
            )
        )


def _serial(drive: Drive, drive_uuid: str) -> str:
    return drive.serial or f"folder-{drive_uuid[:8]}"


# --- what goes with the volumes, and what stays here --------------------------------------------------------------


def _extra_files(folder: VoyageFolder, plan: Plan, rehearsed: _Rehearsed) -> dict[str, dict[str, Path | bytes]]:
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


def _keep_documents(folder: VoyageFolder, written: ShipmentWritten) -> None:
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


def _note(folder: VoyageFolder, verb: CustodyVerb, plan: Plan) -> None:
    """Append one custody entry over all drives of this attempt, unless it is there."""
    log = CustodyLog(folder.documents / "custody.jsonl")
    trust = folder.trust()
    uuids = tuple(planned.uuid for planned in plan.drives)
    if any(line.event.verb == verb and line.event.drives == uuids for line in log.read(trust)):
        return
    log.append(
        verb,
        shipment=plan.shipment,
        by="consignor",
        signer=folder.signer(),
        trust=trust,
        cases=plan.cases,
        drives=uuids,
        note=f"attempt {plan.attempt}, drives {', '.join(planned.label for planned in plan.drives)}"[:4096],
    )


def _journal_folder(folder: VoyageFolder, attempt: int) -> Path:
    return folder.work / "pack" / f"attempt-{attempt:04d}"


def _recipients_marker(folder: VoyageFolder, attempt: int) -> Path:
    return _journal_folder(folder, attempt) / "recipients"


def _forget_old_journals(folder: VoyageFolder, attempt: int) -> None:
    for path in (folder.work / "pack").glob("attempt-*"):
        if path != _journal_folder(folder, attempt):
            shutil.rmtree(path, ignore_errors=True)
