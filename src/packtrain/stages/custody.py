"""custody: tell the log, hold it against signed heads, make and countersign heads, revoke a key."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from packtrain import durable
from packtrain.crypto.sshsig import SshSigner
from packtrain.crypto.timestamp import MAX_ROOT_BYTES, MAX_TOKEN_BYTES, stamp_request
from packtrain.diligence.custody_check import Contradiction, LogCheck, TimeBracket, against_own, check_log
from packtrain.diligence.custody_story import report, story
from packtrain.diligence.hand_over import custody_log, holdings, is_written_apart, open_releases, read_exchanged_log
from packtrain.diligence.heads import (
    HEAD_SUFFIX,
    read_bounded_head,
    refuse_contradicted,
    sign_own_head,
    write_head_file,
)
from packtrain.diligence.heads import cosign as cosign_head
from packtrain.diligence.revoking import Vouched, revoke_key
from packtrain.diligence.stamps import keep_stamp, read_stamps
from packtrain.documents.parties import Role
from packtrain.errors import CodeUnreadable, CustodyContradicted, StageNotReady
from packtrain.events import Notice, Sink
from packtrain.record.custody import CustodyLine
from packtrain.record.folder import VoyageFolder
from packtrain.record.heads import HeadSignatures, head_signatures, open_head, read_heads
from packtrain.record.line_code import read_second_code, second_signature
from packtrain.record.receipts import instant
from packtrain.record.trust import SignedHead

STAGE = "custody"


@dataclass(frozen=True, slots=True)
class CheckedLog:
    """What was found of one log: `where` it lies, and the check."""

    where: str
    check: LogCheck

    @property
    def exit_code(self) -> int:
        """Return 113 where something signed contradicts the log, else 0."""
        return CustodyContradicted.exit_code if self.check.contradictions else 0

    def text(self) -> str:
        """Return it as people read it."""
        return "\n".join([self.where, *report(self.check)])

    def to_dict(self) -> dict[str, object]:
        """Return it as plain values."""
        plain: dict[str, object] = msgspec.to_builtins(self.check)
        return {"log": self.where, "verdict": self.check.verdict, **plain}


def show(folder: VoyageFolder) -> list[str]:
    """Return the story of this party's log in plain sentences, after checking chain and signatures."""
    trust = folder.trust()
    lines = custody_log(folder).read(trust)
    heads = read_heads(folder.documents, trust)
    stamps = tuple(read_stamps(folder, heads))
    return story(lines, check_log(lines, heads, stamps, trust.revocations), trust.revocations)


def check(folder: VoyageFolder, log: Path | None = None) -> CheckedLog:
    """Hold a log against every signed head that is known here, and one from elsewhere against the own log too.

    Heads that came with a log from elsewhere count as well: those of the dossier that it lies in, and the head file
    beside it.

    Args:
        folder: this party's.
        log: another party's log (a hand-over file, or `data/custody.jsonl` of a dossier); the own one if left out.

    Raises:
        CustodyBroken, SignatureInvalid, UntrustedSigner, KeyRevoked, StageNotReady: see `read_exchanged_log`.
        CodeUnreadable: the file beside it is no head file.
    """
    trust = folder.trust()
    heads = read_heads(folder.documents, trust)
    stamps = tuple(read_stamps(folder, heads))
    own = custody_log(folder).read(trust)
    if log is None:
        return CheckedLog(str(custody_log(folder).path), check_log(own, heads, stamps, trust.revocations))
    theirs = read_exchanged_log(log, trust)
    travelled = list(read_heads(log.parent / "documents", trust))
    beside = log.with_name(log.name + HEAD_SUFFIX)
    if beside.is_file():
        travelled.append(open_head(read_bounded_head(beside), trust, str(beside)))
    known = {mark.digest: mark for mark in (*travelled, *heads)}
    found = check_log(theirs, list(known.values()), stamps, trust.revocations)
    others: list[Contradiction] = []
    if own and own[0].event.shipment == theirs[0].event.shipment and not is_written_apart(own, theirs):
        others = against_own(own, theirs)
    return CheckedLog(str(log), _with(found, others))


def _with(found: LogCheck, others: Sequence[Contradiction]) -> LogCheck:
    if not others:
        return found
    whole = tuple(sorted((*found.contradictions, *others), key=lambda each: each.line))
    return replace(found, contradictions=whole)


def make_head(folder: VoyageFolder, sink: Sink, *, destination: Path) -> SignedHead:
    """Sign a head over this party's log as it is now, keep it, and write it to a file for the other side.

    Raises:
        StageNotReady: the log is empty.
        CustodyContradicted: a head that is known here says otherwise.
    """
    lines = _lines(folder)
    refuse_contradicted(folder, lines, str(custody_log(folder).path))
    found = sign_own_head(folder, lines, instant())
    mark = open_head(found, folder.trust(), "head")
    write_head_file(folder, mark.digest, destination)
    sink(
        Notice(STAGE, f"head {mark.digest[:12]} over {mark.head.num_entries} entries; one signature, a second is asked")
    )
    return mark


def cosign(folder: VoyageFolder, path: Path, sink: Sink) -> SignedHead:
    """Sign another party's head if this party has the same log, and write the file anew with both signatures.

    One of this party's own that comes back with a second signature is taken in.

    Raises:
        StageNotReady, CodeUnreadable: no such file, or no head file.
        CustodyContradicted, CustodyBroken: see `heads.cosign`.
    """
    found = read_bounded_head(path)
    mark = cosign_head(folder, found, _lines(folder), str(path))
    write_head_file(folder, mark.digest, path)
    _say(mark, sink)
    return mark


def cosign_code(folder: VoyageFolder, text: str, sink: Sink) -> SignedHead:
    """Take in a second signature that came as a code, over a head that is kept here.

    Raises:
        CodeUnreadable: it is no such code, or over a head that is not here.
        SignatureInvalid, UntrustedSigner: it is not signed by the party that it names.
    """
    trust = folder.trust()
    code = read_second_code(text, "code")
    kept = head_signatures(folder.documents, code.head)
    if kept is None:
        raise CodeUnreadable(
            "the code is about a head that is not here",
            where="code",
            found=code.head[:12],
            hint="it belongs to another hand-over, or to another party's folder",
        )
    signatures: dict[Role, bytes] = {**kept.signatures, code.role: second_signature(code, trust, "code")}
    mark = cosign_head(folder, HeadSignatures(kept.payload, signatures), _lines(folder), "code")
    _say(mark, sink)
    return mark


def request_stamp(folder: VoyageFolder, sink: Sink, *, destination: Path) -> SignedHead:
    """Sign a head over the log as it is now, and write the request for a time stamp over it; return the head.

    Raises:
        StageNotReady: the log is empty.
        MissingDependency: the extra is not installed.
    """
    lines = _lines(folder)
    refuse_contradicted(folder, lines, str(custody_log(folder).path))
    found = sign_own_head(folder, lines, instant())
    durable.write_bytes(destination, stamp_request(found.payload))
    mark = open_head(found, folder.trust(), "head")
    sink(Notice(STAGE, f"request for a stamp over head {mark.digest[:12]}, {mark.head.num_entries} entries"))
    return mark


def take_stamp(folder: VoyageFolder, token: Path, root: Path, sink: Sink) -> TimeBracket:
    """Check a time stamp over a head that is kept here, and keep it.

    A party that holds a case also notes it in the log: what follows that entry was written after the stamp.

    Args:
        folder: this party's.
        token: the authority's response.
        root: the certificate of the authority that this party trusts.
        sink: takes events.

    Raises:
        StageNotReady: a file or a head is not there.
        SignatureInvalid, KeyMalformed, MissingDependency: see `verify_stamp`.
    """
    trust, role = folder.trust(), folder.voyage_file().voyage.role
    heads = read_heads(folder.documents, trust)
    stamp = keep_stamp(folder, heads, _read_file(token, MAX_TOKEN_BYTES), _read_file(root, MAX_ROOT_BYTES))
    sink(Notice(STAGE, f"entries 1 to {stamp.num_entries} were written before {stamp.latest}, says {stamp.authority}"))
    lines = _lines(folder)
    held = holdings(lines, str(custody_log(folder).path))
    own = sorted(case for case, holding in held.items() if holding.holder == role)
    if own and not open_releases(held, role) and not any(stamp.note in line.event.note for line in lines):
        custody_log(folder).append(
            "sighted",
            shipment=lines[-1].event.shipment,
            by=role,
            signer=folder.signer(),
            trust=trust,
            cases=own,
            seals=[held[case].seal for case in own],
            note=f"{stamp.note} of {stamp.latest}",
        )
    return stamp


def _read_file(path: Path, most: int) -> bytes:
    try:
        with path.open("rb") as stream:
            return stream.read(most + 1)
    except FileNotFoundError as error:
        raise StageNotReady("no such file", where=str(path)) from error


def revoke(
    folder: VoyageFolder,
    because: str,
    sink: Sink,
    *,
    key: Path | None = None,
    lost_on: str | None = None,
    last_entry: int | None = None,
    leave_out: Sequence[str] = (),
) -> Vouched:
    """Sign that this party's signing key is lost, and which of what it signed still counts; return the revocation.

    Args:
        folder: of the party whose key it is.
        because: what happened.
        sink: takes events.
        key: the private key to sign with: the reviewer's; the lost key itself where left out.
        lost_on: from when on the key was in other hands; now where left out.
        last_entry: how many entries of the log the party vouches for; all where left out.
        leave_out: digests of documents that it does not vouch for, or their beginnings.

    Raises:
        KeyMissing, KeyMalformed: the key cannot be used.
        UntrustedSigner: it may not revoke this one.
        DocumentError: there is no reason, or a time is malformed.
        StageNotReady: `last_entry` or a digest of `leave_out` is not there.
    """
    signer = SshSigner.load(key if key is not None else folder.keys / "signer")
    vouched = revoke_key(
        folder, because.strip(), signer, lost_on=lost_on, last_entry=last_entry, leave_out=leave_out, sink=sink
    )
    sink(
        Notice(
            STAGE,
            f"key {vouched.revocation.fingerprint} is revoked for good; make a new one, and exchange fingerprints by "
            "telephone",
            is_warning=True,
        )
    )
    return vouched


def _lines(folder: VoyageFolder) -> tuple[CustodyLine, ...]:
    lines = custody_log(folder).read(folder.trust())
    if not lines:
        raise StageNotReady(
            "the custody log is empty: there is no head of it",
            where=str(custody_log(folder).path),
            hint='it begins with "packtrain carry seal", or comes with a hand-over or a dossier',
        )
    return lines


def _say(mark: SignedHead, sink: Sink) -> None:
    signers = ", ".join(sorted(mark.keys))
    sink(Notice(STAGE, f"head {mark.digest[:12]} over {mark.head.num_entries} entries, signed by {signers}"))
