"""close: destroy this party's keys of the shipment and sign what became of drives and papers."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from typing import Final

import rfc8785

from packtrain import durable
from packtrain.digest import sha256_bytes
from packtrain.diligence.dossier import STAGING
from packtrain.diligence.judging import kept_policy, standing_of
from packtrain.diligence.rules.record import current_flags
from packtrain.documents.admission import Admission
from packtrain.documents.closing import ClosedDrive, Closing
from packtrain.documents.codec import encode
from packtrain.documents.export_list import ExportList
from packtrain.documents.flags import Flags
from packtrain.documents.parties import Role
from packtrain.documents.receipt import Receipt
from packtrain.documents.shipment import Shipment
from packtrain.errors import ClosingRefused, StageNotReady
from packtrain.events import Notice, Sink
from packtrain.record import keys
from packtrain.record.folder import VoyageFolder
from packtrain.record.receipts import StageClock, instant

STAGE: Final = "close"
ApproveKeys = Callable[[Sequence[str]], None]
"""Is shown the names of the key files that are about to be destroyed; raises where that was not meant."""
_JOURNAL: Final = "keys-being-destroyed.txt"
_NOT_SANITISED: Final = (
    "no sanitising command was run on this drive by packtrain; its volumes are encrypted and this party's copies of "
    "the key were destroyed. Sanitise it with the maker's tool (Clear or Purge) before it serves another use"
)


def inputs(folder: VoyageFolder) -> dict[str, str]:
    """Return the digests of what closing rests on: the return, the export list, and how long papers are kept."""
    receipt = folder.receipt("return")
    named = {"retention": sha256_bytes(str(folder.voyage_file().results.retention_years).encode())}
    if receipt is not None:
        named["return"] = sha256_bytes(encode(receipt))
    if folder.has(ExportList):
        named["export-list"] = folder.digest(ExportList)
    present = sorted(path.name for path in folder.keys.glob("*.age"))
    named["keys"] = sha256_bytes(rfc8785.dumps(present))
    return named


def close(
    folder: VoyageFolder, sink: Sink, *, without_results: bool = False, approve: ApproveKeys | None = None
) -> Receipt:
    """Destroy every key of this shipment in this folder, and sign closing.json; return the receipt.

    Dossiers, custody log, admission, export list and the party's own keys stay. Drives are stated as they are: not
    sanitised, because no device command was run.

    Args:
        folder: the voyage folder of any party.
        sink: takes events.
        without_results: close though nothing came home; closing.json then names no export list.
        approve: called before keys are destroyed without results: what is on the drives may still be wanted.

    Raises:
        ClosingRefused: the return is not finished here, the verdict on the dossier is no admission, or a STOP or HOLD
            of this party's run of the rules is open.
        StageNotReady: there is no shipment document.
    """
    voyage_file = folder.voyage_file()
    role = voyage_file.voyage.role
    _refuse_unfinished(folder, role, without_results=without_results)
    _refuse_open_flags(folder, role)
    shipment = folder.read_signed(Shipment)
    if without_results and approve is not None and (present := _keys_present(folder)):
        approve(present)
    names = _destroy_keys(folder, sink)
    # What an import that was cut off left behind holds a copy of an envelope.
    shutil.rmtree(folder.work / STAGING, ignore_errors=True)
    retention_years = voyage_file.results.retention_years
    closing = Closing(
        shipment=shipment.shipment,
        by=role,
        export_list=folder.digest(ExportList) if folder.has(ExportList) else None,
        keys_destroyed=names,
        drives=tuple(
            ClosedDrive(uuid=drive.uuid, label=drive.label, sanitisation="not sanitised", detail=_NOT_SANITISED)
            for drive in shipment.drives
        ),
        kept=_kept(folder),
        retention_years=retention_years,
        closed_on=instant(),
    )
    # After the keys are gone: their absence is an input, so that a key that comes back makes `close` run again.
    clock = StageClock(folder, STAGE, inputs(folder))
    if not folder.has(Closing) or not _says_the_same(folder.read_signed(Closing), closing):
        folder.write_signed(closing, folder.signer())
    (folder.work / _JOURNAL).unlink(missing_ok=True)
    sink(
        Notice(
            STAGE, f"{len(names)} key files destroyed; dossiers exported elsewhere may hold copies: destroy those too"
        )
    )
    sink(
        Notice(
            STAGE, f"{len(shipment.drives)} drives are not sanitised: packtrain ran no device command", is_warning=True
        )
    )
    if closing.export_list is None:
        sink(Notice(STAGE, "no results came home: closing.json names no export list", is_warning=True))
    sink(Notice(STAGE, f"keep this folder for {retention_years} years"))
    return clock.finish(
        outputs=(Closing,),
        counts={"keys_destroyed": len(names), "drives_not_sanitised": len(shipment.drives)},
        facts={"retention": f"{retention_years} years"},
    )


def _refuse_unfinished(folder: VoyageFolder, role: Role, *, without_results: bool) -> None:
    has_begun = folder.receipt("return") is not None or folder.has(ExportList)
    if without_results and has_begun:
        raise ClosingRefused(
            "results are on their way home",
            where=str(folder.root),
            expected="no export list and no receipt of a return",
            hint='finish "packtrain return", then close without this option',
        )
    if not without_results and (folder.receipt("return") is None or not folder.has(ExportList)):
        raise ClosingRefused(
            "the results have not come home",
            where=str(folder.root),
            expected={
                "consignor": "results accepted",
                "operator": "the export list countersigned",
                "consignee": "the export list signed",
            }[role],
            hint='finish "packtrain return" first: a key destroyed now could still be needed; where nothing is to come '
            'home, "packtrain close --without-results" says so in the record',
        )
    if role != "consignor":
        if not folder.has(Admission):
            raise StageNotReady("admission.json is not here", where=str(folder.root), hint="it comes with the dossier")
        admission = folder.read_signed(Admission)
        if admission.verdict != "admit":
            raise ClosingRefused(
                f"the verdict on this dossier is {admission.verdict}",
                where=str(folder.document_path(Admission)),
                hint="an open verdict keeps the voyage open",
            )


def _refuse_open_flags(folder: VoyageFolder, role: Role) -> None:
    flags = current_flags(folder).get(role)
    if flags is None:
        return
    standing = standing_of(folder, flags, kept_policy(folder, flags.policy)).standing
    if standing.is_blocking:
        raise ClosingRefused(
            f"the voyage is not closed while these are open: {standing.sentence}",
            where=str(folder.document_path(Flags)),
            hint='"packtrain flags answer" signs what a person of this party found; the flag itself stays',
        )


def _destroy_keys(folder: VoyageFolder, sink: Sink) -> tuple[str, ...]:
    """Destroy the shipment's key files; return the names of all that were, also by a run that was cut off."""
    journal = folder.work / _JOURNAL
    before = set(journal.read_text(encoding="utf-8").split()) if journal.is_file() else set[str]()
    if folder.has(Closing):
        before |= set(folder.read_signed(Closing).keys_destroyed)
    present = _keys_present(folder)
    names = tuple(sorted(before.union(present)))
    # Named before they go: a crash in the middle must not make the closing record forget one.
    durable.write_bytes(journal, "\n".join(names).encode())
    for name in present:
        keys.destroy(folder.keys / name)
        sink(Notice(STAGE, f"keys/{name} overwritten and removed; flash may keep old cells until it is sanitised"))
    return names


def _keys_present(folder: VoyageFolder) -> list[str]:
    return sorted(path.name for path in (*folder.keys.glob("shipment.*.age"), *folder.keys.glob(keys.RELEASE)))


def _kept(folder: VoyageFolder) -> tuple[str, ...]:
    names = [path.relative_to(folder.root).as_posix() for path in folder.documents.rglob("*.json*") if path.is_file()]
    counted = sorted(name for name in names if name.count("/") == 1 and not name.endswith(".sig"))
    deeper = len(names) - len([name for name in names if name.count("/") == 1])
    return (*counted, f"documents/ and below: {deeper} further files", "keys/signer", "keys/identity.txt")


def _says_the_same(before: Closing, now: Closing) -> bool:
    fields = set(Closing.__struct_fields__) - {"closed_on", "kept"}
    return all(getattr(before, name) == getattr(now, name) for name in fields)
