"""carry: seal the cases under one statement, hand them over with two signatures, tell the custody log."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final, Literal

import rfc8785

from packtrain import durable
from packtrain.digest import sha256_bytes
from packtrain.diligence import amendments
from packtrain.diligence.hand_over import (
    Holding,
    custody_log,
    extend,
    holdings,
    lines_beyond,
    open_releases,
    read_exchanged_log,
    sentences,
)
from packtrain.diligence.packing import names_statement, sealed_note, state_packing
from packtrain.documents.codec import digest
from packtrain.documents.packing_statement import PackingStatement
from packtrain.documents.parties import Role
from packtrain.documents.receipt import Receipt
from packtrain.documents.shipment import Shipment
from packtrain.errors import AnswerChanged, CustodyBroken, StageNotReady, WrongRole
from packtrain.events import Notice, Sink
from packtrain.record.custody import CustodyLine
from packtrain.record.folder import VoyageFolder
from packtrain.record.receipts import StageClock, instant

STAGE: Final = "seal"
Observation = Literal["sighted", "seal-checked", "seal-broken", "lost", "repaired"]


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


def release(
    folder: VoyageFolder, cases: Sequence[str], to: Role, sink: Sink, *, destination: Path, note: str = ""
) -> Path:
    """Sign cases over to another party; write the hand-over file to `destination` and return it.

    The file is this party's whole log with the `released` entry as its last line. Until the other side's answer is
    adopted nothing else can be written to this log: two entries after the same line would be a fork.

    Raises:
        WrongRole: cases are released to this party itself.
        CustodyBroken: a case is not sealed, or not held by this party, or the log was altered.
        StageNotReady: nothing is sealed yet, or an earlier release waits for its answer.
    """
    role = folder.voyage_file().voyage.role
    if to == role:
        raise WrongRole(
            "a hand-over goes to another party",
            where=str(folder.root),
            expected=f"--to another party than the {role}",
            found=to,
            hint='who gives the cases away runs "carry release"; who takes them runs "carry accept" with that file',
        )
    wanted = tuple(sorted(set(cases)))
    lines, held = _present(folder)
    last = lines[-1].event
    if (last.verb, last.by, last.counterpart, last.cases) == ("released", role, to, wanted):
        return _write_log(lines, destination)  # the same command again: the same file
    _refuse_while_open(held, role, folder)
    for case in wanted:
        if case not in held or held[case].holder != role:
            raise CustodyBroken(
                f"case {case} is not this party's to release",
                where=str(custody_log(folder).path),
                expected=f"a sealed case held by the {role}",
                found=f"held by the {held[case].holder}"
                if case in held
                else f"sealed cases: {', '.join(sorted(held)) or 'none'}",
                hint=_how_to_release(case, held),
            )
    custody_log(folder).append(
        "released",
        shipment=last.shipment,
        by=role,
        signer=folder.signer(),
        trust=folder.trust(),
        cases=wanted,
        seals=tuple(held[case].seal for case in wanted),
        counterpart=to,
        note=note,
    )
    sink(Notice("carry", f"released case {', '.join(wanted)} to the {to}"))
    return _write_log(custody_log(folder).read(folder.trust()), destination)


def accept(folder: VoyageFolder, hand_over: Path, sink: Sink, *, destination: Path, note: str = "") -> Path:
    """Sign for the cases of a hand-over file; write the answer file to `destination` and return it.

    The whole chain is verified first, and held against this party's own log.

    Raises:
        CustodyBroken: the chain is broken, cut or forked, or its last entry releases nothing to this party.
        SignatureInvalid, UntrustedSigner: an entry is not signed by the party that it names.
        StageNotReady: there is no such file.
    """
    role = folder.voyage_file().voyage.role
    trust = folder.trust()
    theirs = read_exchanged_log(hand_over, trust)
    log = custody_log(folder)
    own = log.read(trust)
    if (
        own
        and own[-1].event.verb == "accepted"
        and own[-1].event.by == role
        and own[-1].event.answers == theirs[-1].digest
    ):
        return _write_log(own, destination)  # the same command again: the same file
    beyond = lines_beyond(own, theirs, str(hand_over))
    released = theirs[-1]
    if released.event.verb != "released" or released.event.counterpart != role:
        raise CustodyBroken(
            "the file ends with no release to this party",
            where=str(hand_over),
            expected=f"released to the {role}",
            found=f"{released.event.verb} by the {released.event.by}",
            hint=f"the {released.event.counterpart} answers this file; {role}'s own part comes after: "
            '"packtrain carry adopt" with the answer'
            if released.event.by == role
            else "ask the other side for the hand-over file of these cases",
        )
    extend(folder, beyond)
    log.append(
        "accepted",
        shipment=released.event.shipment,
        by=role,
        signer=folder.signer(),
        trust=trust,
        cases=released.event.cases,
        seals=released.event.seals,
        counterpart=released.event.by,
        answers=released.digest,
        note=note,
    )
    seals = ", ".join(f"{case}: {seal}" for case, seal in zip(released.event.cases, released.event.seals, strict=False))
    sink(Notice("carry", f"accepted from the {released.event.by}; the seals should read {seals}"))
    return _write_log(log.read(trust), destination)


def adopt(folder: VoyageFolder, answer: Path, sink: Sink) -> None:
    """Take the other side's entries into the own log; both then have the same head.

    Raises:
        CustodyBroken: the chain is broken, or the two logs have forked, or the answer ends before this log does.
        SignatureInvalid, UntrustedSigner: an entry is not signed by the party that it names.
        StageNotReady: there is no such file, or it is the hand-over file and not its answer.
    """
    trust = folder.trust()
    theirs = read_exchanged_log(answer, trust)
    beyond = lines_beyond(custody_log(folder).read(trust), theirs, str(answer))
    extend(folder, beyond)
    role = folder.voyage_file().voyage.role
    if not beyond and (waiting := open_releases(holdings(theirs, str(answer)), role)):
        raise StageNotReady(
            f"this file does not answer the hand-over of case {', '.join(waiting)}",
            where=str(answer),
            hint='it is the hand-over file itself; take the one that the other side writes: "packtrain carry accept"',
        )
    sink(Notice("carry", f"{len(beyond)} entries adopted; both logs have the head {theirs[-1].digest[:16]}"))


def observe(
    folder: VoyageFolder,
    observation: Observation,
    sink: Sink,
    *,
    cases: Sequence[str] = (),
    drives: Sequence[str] = (),
    note: str = "",
) -> CustodyLine:
    """Sign what was seen or lost into the log: by the party that holds the cases concerned.

    Args:
        folder: the holder's voyage folder.
        observation: the verb of the entry.
        sink: takes events.
        cases: labels.
        drives: labels or UUIDs; each must lie in a sealed case.
        note: place, persons, what was seen.

    Raises:
        CustodyBroken: a case or drive is unknown, or held by another party.
        StageNotReady: nothing is sealed yet, or a release waits for its answer.
    """
    role = folder.voyage_file().voyage.role
    lines, held = _present(folder)
    _refuse_while_open(held, role, folder)
    place = str(custody_log(folder).path)
    case_of = {uuid: line.event.cases[0] for line in lines if line.event.verb == "sealed" for uuid in line.event.drives}
    labels = {drive.label: drive.uuid for drive in folder.read_signed(Shipment).drives} if folder.has(Shipment) else {}
    drives = [labels.get(drive, drive) for drive in drives]
    unknown = [case for case in cases if case not in held] + [uuid for uuid in drives if uuid not in case_of]
    if unknown:
        raise CustodyBroken(
            "no such sealed case or drive",
            where=place,
            found=", ".join(unknown),
            hint=None if labels else "labels of drives come with the dossier: import it first, or give the UUID",
        )
    concerned = sorted({*cases, *(case_of[uuid] for uuid in drives)})
    if strangers := [case for case in concerned if held[case].holder != role]:
        raise CustodyBroken(
            "only the holder of a case writes about it", where=place, expected=held[strangers[0]].holder, found=role
        )
    line = custody_log(folder).append(
        observation,
        shipment=lines[-1].event.shipment,
        by=role,
        signer=folder.signer(),
        trust=folder.trust(),
        cases=concerned,
        drives=tuple(sorted(drives)),
        seals=tuple(held[case].seal for case in concerned),
        note=note,
    )
    sink(
        Notice(
            "carry", f"{observation}: case {', '.join(concerned)}", is_warning=observation in ("lost", "seal-broken")
        )
    )
    return line


def show(folder: VoyageFolder) -> list[str]:
    """Return the custody log in plain sentences, after checking its chain and signatures."""
    return sentences(custody_log(folder).read(folder.trust()))


def _present(folder: VoyageFolder) -> tuple[tuple[CustodyLine, ...], dict[str, Holding]]:
    log = custody_log(folder)
    lines = log.read(folder.trust())
    if not lines:
        raise StageNotReady(
            "the custody log is empty",
            where=str(log.path),
            hint='the consignor seals the cases first: "packtrain carry seal"',
        )
    return lines, holdings(lines, str(log.path))


def _how_to_release(case: str, held: dict[str, Holding]) -> str:
    if case in held:
        return (
            f'the {held[case].holder} releases it: "packtrain carry release" in that voyage folder; this party then '
            'takes it with "packtrain carry accept FILE"'
        )
    return "name cases by their labels" if held else 'the consignor seals them first: "packtrain carry seal"'


def _refuse_while_open(held: dict[str, Holding], role: Role, folder: VoyageFolder) -> None:
    if waiting := open_releases(held, role):
        raise StageNotReady(
            f"the hand-over of case {', '.join(waiting)} waits for its answer",
            where=str(custody_log(folder).path),
            hint='take in the other side\'s answer first: "packtrain carry adopt FILE"; cases that leave together are '
            "released together",
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


def _write_log(lines: Sequence[CustodyLine], destination: Path) -> Path:
    durable.write_bytes(destination, b"".join(line.payload + b"\n" for line in lines))
    return destination
