"""The consignor: what changed between the kit in force and the one of the last rehearsal, in one small signed file."""

from __future__ import annotations

from pathlib import Path

from packtrain import durable
from packtrain.diligence.kit_chain import LawfulKit, archived_files, chain_of, kept_program
from packtrain.documents.codec import encode, namespace
from packtrain.documents.kit import Kit
from packtrain.documents.kit_update import MAX_UPDATES, KitUpdate
from packtrain.documents.packing_statement import PackingStatement
from packtrain.documents.ready import Ready
from packtrain.documents.shipment import Shipment
from packtrain.errors import KitUpdateRefused, StageNotReady
from packtrain.events import Notice, Sink
from packtrain.record.folder import VoyageFolder
from packtrain.record.receipts import instant
from packtrain.stages.update.opened import STAGE, Told, check_admitted, open_update, told_of, what_changes
from packtrain.training.kit_held import PROGRAM, verify_kit
from packtrain.training.update_file import KIT, MAX_SHOWN_BYTES, READY, UPDATE, write_update

_REHEARSE = 'mend the program and run "packtrain rehearse" until its sheet is ready to leave'


def make(folder: VoyageFolder, out: Path, reason: str, sink: Sink) -> Told:
    """Sign kit-update.json and write the file of the update; return what it changes.

    Called again before the next rehearsal it writes the same update once more: a file that was lost is no new change.

    Args:
        folder: the consignor's voyage folder, after a rehearsal of the changed program.
        out: where the file goes.
        reason: why the kit changes, in a person's words; it is signed and shown to the operator.
        sink: takes events.

    Raises:
        StageNotReady: nothing left yet: what is not sealed is packed again, and needs no update.
        KitUpdateRefused: the rehearsal's sheet is not signed, or of another kit; nothing changed; the kit in force was
            not kept; or see `check_admitted`.
        KitError: work/kit is not what kit.json names.
    """
    if not folder.has(PackingStatement):
        raise StageNotReady(
            "the shipment is not sealed, so its kit can still be packed",
            where=str(folder.root),
            hint='run "packtrain pack" again; an update is for a kit that has left',
        )
    check_admitted(folder, str(folder.root))
    kit = _rehearsed(folder)
    chain = chain_of(folder)
    if not chain:
        raise KitUpdateRefused("no kit left with this shipment, so none can be changed", where=str(folder.root))
    current = chain[-1]
    if folder.digest(Kit) != current.digest:
        update = _sign(folder, current, kit, reason)
        before = current
    elif current.update is not None:
        update, before = current.update, chain[-2]
        if reason != update.reason:
            sink(Notice(STAGE, "nothing changed since the last update: it is written once more, with its own reason"))
    else:
        raise KitUpdateRefused(
            "the kit of the last rehearsal is the one that left", where=str(folder.root), hint=_REHEARSE
        )
    _write(folder, out, before, kit, update)
    opened = open_update(folder, out)
    return told_of(
        folder,
        opened,
        "made here",
        f'send {out.name} to the operator: "packtrain update countersign {out.name}"',
        f'then both files to the consignee: "packtrain update apply {out.name}"',
    )


def _rehearsed(folder: VoyageFolder) -> Kit:
    kit = folder.read_signed(Kit)
    if not folder.has(Ready) or not folder.signature_path(Ready).is_file():
        raise KitUpdateRefused(
            "the rehearsal of this kit is not signed: not every clause was shown",
            where=str(folder.document_path(Ready)),
            hint=_REHEARSE,
        )
    sheet = folder.read_signed(Ready)
    if sheet.kit != folder.digest(Kit) or not sheet.ready_to_leave:
        raise KitUpdateRefused(
            "the rehearsal is of another kit, or not ready to leave",
            where=str(folder.document_path(Ready)),
            expected=folder.digest(Kit)[:12],
            found=sheet.kit[:12],
            hint=_REHEARSE,
        )
    verify_kit(folder.work / "kit", kit)
    return kit


def _sign(folder: VoyageFolder, current: LawfulKit, kit: Kit, reason: str) -> KitUpdate:
    if current.kit is None:
        raise KitUpdateRefused(
            "the kit in force was not kept here, so what changed cannot be told",
            where=str(folder.documents),
            expected=f"kits/{current.digest[:12]}….json",
            hint="bring kit.json and its signature from a drive or a backup into documents/kits/",
        )
    if current.number >= MAX_UPDATES:
        raise KitUpdateRefused("the kit of one shipment changes no more often", found=f"{MAX_UPDATES} updates")
    files, removed, rules_changed, command_changed = what_changes(current.kit, kit)
    update = KitUpdate(
        shipment=folder.read_signed(Shipment).shipment,
        shipment_root=folder.digest(Shipment),
        number=current.number + 1,
        supersedes=current.update_digest,
        from_kit=current.digest,
        to_kit=folder.digest(Kit),
        ready=folder.digest(Ready),
        files=files,
        removed=removed,
        export_rules_changed=rules_changed,
        command_changed=command_changed,
        reason=reason,
        created=instant(),
    )
    payload = encode(update)
    signature = folder.signer().sign(namespace(KitUpdate), payload).encode("ascii")
    durable.write_together(
        folder.documents, {**archived_files(folder, KitUpdate), f"{UPDATE}.sig": signature, UPDATE: payload}
    )
    return update


def _write(folder: VoyageFolder, out: Path, before: LawfulKit, kit: Kit, update: KitUpdate) -> None:
    assert before.kit is not None or update.supersedes is not None, "an update is signed over a kit that is here"
    documents: dict[str, bytes] = {}
    for name, document_type in ((UPDATE, KitUpdate), (KIT, Kit), (READY, Ready)):
        documents[name] = folder.payload(document_type)
        documents[f"{name}.sig"] = folder.signature_path(document_type).read_bytes()
    contents = {file.sha256: folder.work / "kit" / file.name for file in update.files}
    changed = {file.name for file in update.files} | set(update.removed)
    for file in before.kit.files if before.kit is not None else ():
        old = kept_program(folder, before.digest).parent / file.name
        is_shown = file.name in changed and file.name.startswith(f"{PROGRAM}/") and file.bytes <= MAX_SHOWN_BYTES
        if is_shown and old.is_file() and not old.is_symlink():
            contents.setdefault(file.sha256, old)
    write_update(out, documents, contents)
