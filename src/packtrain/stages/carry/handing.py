"""Handing over by file, which is always the whole log: offer, take, adopt."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from packtrain.diligence.hand_over import (
    Holding,
    custody_log,
    extend,
    holdings,
    lines_beyond,
    open_releases,
    read_exchanged_log,
)
from packtrain.diligence.heads import (
    HEAD_SUFFIX,
    cosign,
    read_bounded_head,
    refuse_contradicted,
    sign_own_head,
    write_head_file,
)
from packtrain.documents.parties import Role
from packtrain.errors import CustodyBroken, StageNotReady, WrongRole
from packtrain.events import Notice, Sink
from packtrain.record.custody import CustodyLine
from packtrain.record.folder import VoyageFolder
from packtrain.stages.carry.answering import answer_release, refuse_no_release
from packtrain.stages.carry.at_hand import present, refuse_while_open


def offer(folder: VoyageFolder, cases: Sequence[str], to: Role, sink: Sink, *, note: str = "") -> None:
    """Sign cases over to another party: the `released` entry is then the last line of this party's log.

    Asked again for the same, it signs nothing more. Until the other side's answer is
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
    lines, held = present(folder)
    last = lines[-1].event
    if (last.verb, last.by, last.counterpart, last.cases) == ("released", role, to, wanted):
        return  # the same command again: the same line
    refuse_while_open(held, role, folder)
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


def take(folder: VoyageFolder, hand_over: Path, sink: Sink, *, note: str = "") -> None:
    """Sign for the cases of a hand-over file, and a head over the log as it then is.

    The whole chain is verified first, and held against this party's own log and the heads that are known here.

    Raises:
        CustodyBroken: the chain is broken, cut or forked, or its last entry releases nothing to this party.
        CustodyContradicted: it differs from a signed head.
        SignatureInvalid, UntrustedSigner, KeyRevoked: an entry is not signed by the party that it names.
        StageNotReady: there is no such file.
    """
    role, trust = folder.voyage_file().voyage.role, folder.trust()
    theirs = read_exchanged_log(hand_over, trust)
    own = custody_log(folder).read(trust)
    if _is_answered(own, theirs[-1], role):
        sign_own_head(folder, own)
        return  # the same command again: the same answer
    beyond = lines_beyond(own, theirs, str(hand_over))
    refuse_no_release(theirs[-1].event, role, str(hand_over))
    answer_release(folder, own, beyond, sink, note=note)


def adopt(folder: VoyageFolder, answer: Path, sink: Sink, *, destination: Path | None = None) -> None:
    """Take the other side's entries into the own log, and sign the head that came with them; both then have one head.

    Args:
        folder: this party's.
        answer: the answer file; the other side's head lies beside it, with `.head` added to its name.
        sink: takes events.
        destination: where the head with both signatures is written, for the other side.

    Raises:
        CustodyBroken: the chain is broken, or the two logs have forked, or the answer ends before this log does.
        CustodyContradicted: it differs from a signed head.
        SignatureInvalid, UntrustedSigner, KeyRevoked: an entry is not signed by the party that it names.
        StageNotReady: there is no such file, or it is the hand-over file and not its answer; or no head to write.
    """
    trust = folder.trust()
    theirs = read_exchanged_log(answer, trust)
    own = custody_log(folder).read(trust)
    beyond = lines_beyond(own, theirs, str(answer))
    refuse_contradicted(folder, theirs, str(answer))
    extend(folder, beyond)
    role = folder.voyage_file().voyage.role
    if not beyond and (waiting := open_releases(holdings(theirs, str(answer)), role)):
        raise StageNotReady(
            f"this file does not answer the hand-over of case {', '.join(waiting)}",
            where=str(answer),
            hint='it is the hand-over file itself; take the one that the other side writes: "packtrain carry accept"',
        )
    sink(Notice("carry", f"entries adopted: {len(beyond)}; the last line of both logs is {theirs[-1].digest[:16]}"))
    head = answer.with_name(answer.name + HEAD_SUFFIX)
    if head.is_file():
        mark = cosign(folder, read_bounded_head(head), theirs, str(head))
        sink(Notice("carry", f"head {mark.digest[:12]} over {mark.head.num_entries} entries signed by both"))
        if destination is not None:
            write_head_file(folder, mark.digest, destination)
        return
    sink(Notice("carry", f'no {head.name} came with it: make one with "packtrain custody head"', is_warning=True))
    if destination is not None:
        raise StageNotReady(
            "no head came with the answer file", where=str(head), hint="ask for it, or leave --into out"
        )


def _is_answered(own: Sequence[CustodyLine], release: CustodyLine, role: Role) -> bool:
    last = own[-1].event if own else None
    return last is not None and (last.verb, last.by, last.answers) == ("accepted", role, release.digest)


def _how_to_release(case: str, held: dict[str, Holding]) -> str:
    if case in held:
        return (
            f'the {held[case].holder} releases it: "packtrain carry release" in that voyage folder; this party then '
            'takes it with "packtrain carry accept FILE"'
        )
    return "name cases by their labels" if held else 'the consignor seals them first: "packtrain carry seal"'
