"""close: destroy this party's keys of the shipment and sign what became of drives and papers."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import rfc8785

from packtrain.digest import sha256_bytes
from packtrain.diligence.dossier import STAGING
from packtrain.diligence.sanitised import SANITISATIONS, SignedSanitisation, newest_of_each, read_sanitisations
from packtrain.documents.closing import ClosedDrive, Closing
from packtrain.documents.codec import encode
from packtrain.documents.export_list import ExportList
from packtrain.documents.receipt import Receipt
from packtrain.documents.sanitisation import NOT_SANITISED
from packtrain.documents.shipment import Shipment, ShippedDrive
from packtrain.events import Notice, Sink
from packtrain.record.folder import VoyageFolder
from packtrain.record.receipts import StageClock, instant
from packtrain.stages.close import key_copies
from packtrain.stages.close.erased import note_erased
from packtrain.stages.close.gate import refuse_open_voyage
from packtrain.units import counted

STAGE: Final = "close"
ApproveKeys = Callable[[Sequence[str]], None]
"""Is shown the names of the key files that are about to be destroyed; raises where that was not meant."""
_NOTHING_RAN: Final = (
    "no sanitising command was run on this drive by packtrain; its volumes are encrypted and this party's copies of "
    "the key were destroyed. Sanitise it with the maker's tool (Clear or Purge) before it serves another use"
)
_PLAINTEXT_STAYS: Final = (
    "files in the clear at this party: the store, checkpoints, results (also as they were gathered for the return, "
    "below work/) and the data set as it was prepared are not touched by closing"
)


def inputs(folder: VoyageFolder) -> dict[str, str]:
    """Return the digests of what closing rests on: return, export list, keys here, sanitisations, retention."""
    receipt = folder.receipt("return")
    named = {"retention": sha256_bytes(str(folder.voyage_file().results.retention_years).encode())}
    if receipt is not None:
        named["return"] = sha256_bytes(encode(receipt))
    if folder.has(ExportList):
        named["export-list"] = folder.digest(ExportList)
    present = sorted(path.name for path in folder.keys.glob("*.age"))
    named["keys"] = sha256_bytes(rfc8785.dumps(present))
    records = sorted(path.name for path in (folder.documents / SANITISATIONS).glob("*.json"))
    named["sanitisations"] = sha256_bytes(rfc8785.dumps(records))
    return named


def close(
    folder: VoyageFolder, sink: Sink, *, without_results: bool = False, approve: ApproveKeys | None = None
) -> Receipt:
    """Destroy every key of this shipment in this folder, and sign closing.json; return the receipt.

    Dossiers, custody log, admission, export list and the party's own keys stay. What became of each drive is what the
    newest signed sanitisation of it says; where there is none, it is not sanitised.

    Args:
        folder: the voyage folder of any party.
        sink: takes events.
        without_results: close though nothing came home; closing.json then names no export list.
        approve: called before keys are destroyed without results: what is on the drives may still be wanted.

    Raises:
        ClosingRefused: the return is not finished here, the verdict on the dossier is no admission, or a STOP or HOLD
            of this party's run of the rules is open.
        StageNotReady: there is no shipment document.
        SignatureMissing, SignatureInvalid, UntrustedSigner, DocumentError, DossierError: a sanitisation was altered.
    """
    voyage_file = folder.voyage_file()
    role = voyage_file.voyage.role
    refuse_open_voyage(folder, without_results=without_results)
    shipment = folder.read_signed(Shipment)
    sanitised = newest_of_each(each for each in read_sanitisations(folder) if each.record.shipment == shipment.shipment)
    before = key_copies.remembered(folder)
    present = key_copies.find(folder, shipment.shipment, before.digests)
    if without_results and approve is not None and present:
        approve(sorted(present))
    names = _destroy_keys(folder, present, before, sink)
    # What an import that was cut off left behind: its key went above, with the others.
    shutil.rmtree(folder.work / STAGING, ignore_errors=True)
    note_erased(folder, sink)
    retention_years = voyage_file.results.retention_years
    closing = Closing(
        shipment=shipment.shipment,
        by=role,
        export_list=folder.digest(ExportList) if folder.has(ExportList) else None,
        keys_destroyed=names,
        not_reached=(*key_copies.NOT_REACHED, _PLAINTEXT_STAYS),
        drives=tuple(_closed(drive, sanitised) for drive in shipment.drives),
        kept=_kept(folder),
        retention_years=retention_years,
        closed_on=instant(),
    )
    # After the keys are gone: their absence is an input, so that a key that comes back makes `close` run again.
    clock = StageClock(folder, STAGE, inputs(folder))
    if not folder.has(Closing) or not _says_the_same(folder.read_signed(Closing), closing):
        folder.write_signed(closing, folder.signer())
    key_copies.forget(folder)
    sink(
        Notice(
            STAGE,
            f"{counted(len(names), 'key file')} destroyed; dossiers exported elsewhere and backups may hold copies: "
            "destroy those too",
        )
    )
    tally = Counter(drive.sanitisation for drive in closing.drives)
    _say_of_drives(tally, sink)
    if closing.export_list is None:
        sink(Notice(STAGE, "no results came home: closing.json names no export list", is_warning=True))
    sink(Notice(STAGE, f"keep this folder for {retention_years} years"))
    return clock.finish(
        outputs=(Closing,),
        counts={
            "keys_destroyed": len(names),
            "drives_cleared": tally["Clear"],
            "drives_purged": tally["Purge"],
            "drives_not_sanitised": tally[NOT_SANITISED],
        },
        facts={"retention": f"{retention_years} years"},
    )


def _closed(drive: ShippedDrive, sanitised: Mapping[str, SignedSanitisation]) -> ClosedDrive:
    found = sanitised.get(drive.uuid)
    if found is None:
        return ClosedDrive(
            uuid=drive.uuid, label=drive.label, sanitisation=NOT_SANITISED, record=None, detail=_NOTHING_RAN
        )
    record = found.record
    ran = f"{record.method} by the {record.by}, finished {record.finished}"
    detail = f"{ran}: {record.why}" if record.why else ran
    return ClosedDrive(
        uuid=drive.uuid, label=drive.label, sanitisation=record.result, record=found.digest, detail=detail[:4096]
    )


def _say_of_drives(tally: Mapping[str, int], sink: Sink) -> None:
    if done := tally["Clear"] + tally["Purge"]:
        sink(Notice(STAGE, f"{counted(done, 'drive')} sanitised, by signed records of what ran and was read back"))
    if bare := tally[NOT_SANITISED]:
        how = '"packtrain drives sanitise DEVICE" erases one; run "packtrain close" again afterwards'
        sink(Notice(STAGE, f"{counted(bare, 'drive')} not sanitised, and the record says so; {how}", is_warning=True))


def _destroy_keys(
    folder: VoyageFolder, present: Mapping[str, str], before: key_copies.Remembered, sink: Sink
) -> tuple[str, ...]:
    """Destroy the shipment's key files; return the names of all that were, also by a run that was cut off."""
    names = set(before.names) | set(present)
    if folder.has(Closing):
        names |= set(folder.read_signed(Closing).keys_destroyed)
    key_copies.remember(folder, names, {*before.digests, *present.values()})
    # Copies first: while the envelope itself is there, its bytes tell what is a copy of it.
    for name in sorted(present, key=lambda name: ("/" not in name, name)):
        key_copies.destroy(folder, name)
        where = name if "/" in name else f"keys/{name}"
        sink(Notice(STAGE, f"{where} overwritten and removed; flash may keep old cells until it is sanitised"))
    return tuple(sorted(names))


def _kept(folder: VoyageFolder) -> tuple[str, ...]:
    names = [path.relative_to(folder.root).as_posix() for path in folder.documents.rglob("*.json*") if path.is_file()]
    at_top = [name for name in names if name.count("/") == 1]
    deeper = len(names) - len(at_top)
    own = sorted(name for name in at_top if not name.endswith(".sig"))
    return (*own, f"documents/ and below: {deeper} further files", "keys/signer", "keys/identity.txt")


def _says_the_same(before: Closing, now: Closing) -> bool:
    fields = set(Closing.__struct_fields__) - {"closed_on", "kept"}
    return all(getattr(before, name) == getattr(now, name) for name in fields)
