"""Sealing: which drive lies in which case, with whom and under which seal, in one signed statement."""

from __future__ import annotations

from typing import Final

import rfc8785

from packtrain.digest import sha256_bytes
from packtrain.diligence import amendments
from packtrain.diligence.hand_over import Holding, custody_log, holdings
from packtrain.diligence.packing import names_statement, sealed_note, state_packing
from packtrain.documents.codec import digest
from packtrain.documents.packing_statement import PackingStatement
from packtrain.documents.receipt import Receipt
from packtrain.documents.shipment import Shipment
from packtrain.errors import AnswerChanged, WrongRole
from packtrain.events import Notice, Sink
from packtrain.record.folder import VoyageFolder
from packtrain.record.receipts import StageClock, instant

STAGE: Final = "seal"


def inputs(folder: VoyageFolder) -> dict[str, str]:
    """Return the digests of what the packing statement is made from."""
    cases = [[case.label, case.carrier, case.seal] for case in folder.voyage_file().drives.case]
    _, declaration = amendments.chain_of(folder)[0]
    found = {
        "shipment": folder.digest(Shipment),
        "declaration": digest(declaration),
        "cases": sha256_bytes(rfc8785.dumps(cases)),
    }
    # Who repaired a drive of a sealed case had it open: `status` says that it is to be sealed again.
    repaired = [
        line.digest
        for line in custody_log(folder).read(folder.trust())
        if (line.event.verb, line.event.by) == ("repaired", "consignor")
    ]
    return found | ({"repaired drives": sha256_bytes(rfc8785.dumps(repaired))} if repaired else {})


def seal(folder: VoyageFolder, sink: Sink) -> Receipt:
    """State which drive lies in which case, with whom and under which seal; sign it and note each seal in the log.

    There is one statement over all cases; a change before the hand-over makes a new one and keeps the old.

    Raises:
        WrongRole: the folder is not the consignor's.
        StageNotReady: the shipment is not packed, or is a rehearsal, which does not travel.
        VoyageFileError: a case has no carrier or no seal, or two cases the same seal; all are named.
        AnswerChanged: cases were handed over under another statement.
        CustodyBroken: the custody log was altered.
    """
    role = folder.voyage_file().voyage.role
    if role != "consignor":
        raise WrongRole("the packing statement is the consignor's", where=str(folder.root), found=role)
    clock = StageClock(folder, STAGE, inputs(folder))
    statement = state_packing(folder, instant())
    log, trust, signer = custody_log(folder), folder.trust(), folder.signer()
    held = holdings(log.read(trust), str(log.path))
    if folder.has(PackingStatement):
        before = folder.read_signed(PackingStatement)
        if _same_statement(before, statement, {name for name, _ in amendments.chain_of(folder)}):
            statement = before
        else:
            _refuse_after_hand_over(held, folder)
            amendments.archive_current(folder, PackingStatement)
    if not folder.has(PackingStatement) or folder.digest(PackingStatement) != digest(statement):
        folder.write_signed(statement, signer)
    stated = digest(statement)
    noted = {
        line.event.cases[0]
        for line in log.read(trust)
        if line.event.verb == "sealed" and names_statement(line.event, stated)
    }
    for case in statement.cases:
        if case.label not in noted:
            log.append(
                "sealed",
                shipment=statement.shipment,
                by=role,
                signer=signer,
                trust=trust,
                cases=(case.label,),
                drives=tuple(drive.uuid for drive in case.drives),
                seals=(case.seal,),
                note=sealed_note(case, stated),
            )
            sink(
                Notice(STAGE, f"case {case.label}: seal {case.seal}, carrier {case.carrier}, {len(case.drives)} drives")
            )
    return clock.finish(
        outputs=(PackingStatement,),
        counts={"cases": len(statement.cases), "drives": sum(len(case.drives) for case in statement.cases)},
        facts={"shipment root": statement.shipment_root},
    )


def _refuse_after_hand_over(held: dict[str, Holding], folder: VoyageFolder) -> None:
    gone = sorted(case for case, holding in held.items() if holding.holder != "consignor" or holding.released_to)
    if gone:
        raise AnswerChanged(
            f"case {', '.join(gone)} was handed over under another packing statement",
            where=str(folder.document_path(PackingStatement)),
            expected="carriers and seals as stated",
            hint="put carrier and seal in voyage.toml back; what changed on the way is an entry of the custody log",
        )


def _same_statement(before: PackingStatement, now: PackingStatement, declarations: set[str]) -> bool:
    # An amended declaration touches no drive and no case: the statement made under the one it amends still stands.
    fields = set(PackingStatement.__struct_fields__) - {"stated_on", "declaration"}
    return before.declaration in declarations and all(getattr(before, name) == getattr(now, name) for name in fields)
