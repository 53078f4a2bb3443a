"""Handing over by QR code: one code holds one line, which must follow the own log's last."""

from __future__ import annotations

from collections.abc import Sequence

from packtrain.diligence.hand_over import custody_log, extend, holdings, refuse_future
from packtrain.diligence.heads import cosign, refuse_contradicted, sign_own_head
from packtrain.documents.parties import Role
from packtrain.errors import CustodyBroken
from packtrain.events import Notice, Sink
from packtrain.record.custody import GENESIS, CustodyLine, head_of
from packtrain.record.folder import VoyageFolder
from packtrain.record.heads import head_signatures
from packtrain.record.line_code import (
    head_signatures_of,
    read_line_code,
    write_line_code,
    write_second_code,
)
from packtrain.stages.carry.answering import answer_release, refuse_no_release
from packtrain.stages.carry.at_hand import present

_WHERE = "code"


def own_code(folder: VoyageFolder) -> str:
    """Return the text of the code of this log's last line; with an acceptance also the signature over its head.

    Raises:
        StageNotReady: the log is empty.
        CustodyBroken: the last line is no hand-over of this party's.
        CodeUnreadable: the line is too long for a code.
    """
    lines, _ = present(folder)
    trust, event = folder.trust(), lines[-1].event
    role = folder.voyage_file().voyage.role
    if event.by != role or event.verb not in ("released", "accepted"):
        raise CustodyBroken(
            "only this party's own release or acceptance goes as a code, while it is the last entry",
            where=str(custody_log(folder).path),
            expected=f"released or accepted by the {role}",
            found=f"{event.verb} by the {event.by}",
        )
    head_signature = sign_own_head(folder, lines).signatures[role] if event.verb == "accepted" else None
    return write_line_code(lines[-1], trust, head_signature)


def take_code(folder: VoyageFolder, text: str, sink: Sink, *, note: str = "") -> None:
    """Sign for the cases of a release that came as a code. See `handing.take`.

    Raises:
        CodeUnreadable: it is no such code.
        CustodyBroken: it does not follow this log's last line: of another shipment, out of order, used before, or
            lines before it are not here yet; or it releases nothing to this party.
        CustodyContradicted: the log differs from a signed head.
        SignatureInvalid, UntrustedSigner, KeyRevoked: the entry is not signed by the party that it names.
    """
    role, trust = folder.voyage_file().voyage.role, folder.trust()
    own = custody_log(folder).read(trust)
    line = read_line_code(text, trust, _WHERE).line
    refuse_no_release(line.event, role, _WHERE)
    if not _follows(own, line) and line.digest == own[-1].digest:
        answer_release(folder, own, (), sink, note=note)  # cut off before it was answered
        return
    if line.event.sequence < len(own):
        last = own[-1].event
        if (last.verb, last.by, last.answers) != ("accepted", role, line.digest):
            raise _used_before(line, role)
        sign_own_head(folder, own)
        return  # the same command again: the same answer
    holdings((*own, line), _WHERE)
    answer_release(folder, own, (line,), sink, note=note)


def adopt_code(folder: VoyageFolder, text: str, sink: Sink) -> str | None:
    """Take an acceptance that came as a code into the own log, and sign its head; return the code of that signature.

    None where the code brought no head. See `take_code` for errors.
    """
    role, trust = folder.voyage_file().voyage.role, folder.trust()
    own = custody_log(folder).read(trust)
    code = read_line_code(text, trust, _WHERE)
    line = code.line
    if line.event.verb != "accepted" or line.event.by == role:
        raise CustodyBroken(
            "the code is no acceptance by another party",
            where=_WHERE,
            expected="accepted by the other side",
            found=f"{line.event.verb} by the {line.event.by}",
            hint='the other side writes it: "packtrain carry accept --scan CODE --qr FILE"',
        )
    if _follows(own, line):
        lines = (*own, line)
        holdings(lines, _WHERE)
        refuse_contradicted(folder, lines, _WHERE)
        extend(folder, (line,))
        sink(Notice("carry", f"1 entry adopted; the last line of both logs is {line.digest[:16]}"))
    else:
        lines = own[: line.event.sequence + 1]
    head = head_signatures_of(code, head_of(lines, line.event.by, line.event.at), trust)
    if head is None:
        return None
    mark = cosign(folder, head, lines, _WHERE)
    sink(Notice("carry", f"head {mark.digest[:12]} over {mark.head.num_entries} entries signed by both"))
    kept = head_signatures(folder.documents, mark.digest)
    assert kept is not None
    return write_second_code(mark.digest, role, kept.signatures[role])


def _follows(own: Sequence[CustodyLine], line: CustodyLine) -> bool:
    """Return whether a line comes right after the log's last; False where the log has it already.

    Raises:
        CustodyBroken: neither.
    """
    event = line.event
    if own and own[0].event.shipment != event.shipment:
        raise CustodyBroken(
            "the code is of another shipment",
            where=_WHERE,
            expected=own[0].event.shipment,
            found=event.shipment,
            hint="it belongs to other cases",
        )
    if event.sequence > len(own):
        raise CustodyBroken(
            f"{event.sequence - len(own)} entries before this one are not in this log: a code brings only the last",
            where=_WHERE,
            expected=f"entry {len(own)}",
            found=f"entry {event.sequence}",
            hint="bring the hand-over file, which is the whole log, or import the dossier first",
        )
    if event.sequence < len(own):
        if own[event.sequence].digest == line.digest:
            return False
        raise _forked(own, line, own[event.sequence].digest)
    head = own[-1].digest if own else GENESIS
    if event.previous != head:
        raise _forked(own, line, head)
    refuse_future((line,), _WHERE)
    if own and event.at < own[-1].event.at:
        raise CustodyBroken(
            "the entry in the code is dated before the one it follows",
            where=_WHERE,
            expected=f"{own[-1].event.at} or later",
            found=event.at,
        )
    return True


def _forked(own: Sequence[CustodyLine], line: CustodyLine, expected: str) -> CustodyBroken:
    event = line.event
    return CustodyBroken(
        "the code does not follow this log: the two logs have forked",
        where=_WHERE,
        expected=f"entry {min(event.sequence, len(own))}, {expected[:12]}",
        found=f"entry {event.sequence} {event.verb} by the {event.by}, after {event.previous[:12]}",
        hint="keep the code, and ask for the other side's whole log: together they show who wrote what",
    )


def _used_before(line: CustodyLine, role: Role) -> CustodyBroken:
    return CustodyBroken(
        "the code was used before: its entry is in this log already, with others after it",
        where=_WHERE,
        found=f"entry {line.event.sequence}, released to the {role} at {line.event.at}",
        hint="ask the other side to release the cases anew, and to show the code of that release",
    )
