"""Heads of this party's custody log: signed over it, countersigned for another, held against it, passed on."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from packtrain import durable
from packtrain.diligence.custody_check import check_log
from packtrain.diligence.hand_over import CLOCKS_DIFFER, custody_log
from packtrain.documents.codec import encode
from packtrain.documents.parties import Role
from packtrain.errors import CustodyBroken, CustodyContradicted, StageNotReady
from packtrain.record.custody import CustodyLine, head_of
from packtrain.record.folder import VoyageFolder
from packtrain.record.heads import (
    MAX_HEAD_FILE_BYTES,
    HeadSignatures,
    head_file,
    head_signatures,
    keep_head,
    open_head,
    read_head_file,
    read_heads,
    sign_head,
)
from packtrain.record.trust import SignedHead

HEAD_SUFFIX: Final = ".head"
"""Added to the name of an answer file: the head over the log in it, as its maker signed it."""


def sign_own_head(folder: VoyageFolder, lines: Sequence[CustodyLine], made_on: str = "") -> HeadSignatures:
    """Sign a head over a log, keep it and return it; the same log and time give the same bytes again.

    Args:
        folder: this party's.
        lines: its log.
        made_on: the time that it states; that of the last line where it is left out.
    """
    role = folder.voyage_file().voyage.role
    head = head_of(lines, role, made_on)
    signatures: dict[Role, bytes] = {role: sign_head(head, folder.signer())}
    found = HeadSignatures(encode(head), signatures)
    keep_head(folder.documents, found, folder.trust(), "head")
    return found


def cosign(folder: VoyageFolder, found: HeadSignatures, lines: Sequence[CustodyLine], where: str) -> SignedHead:
    """Add this party's signature to a head if this party holds the same log; keep it and return it.

    A head of this party's own is only kept, with what others signed.

    Args:
        folder: this party's.
        found: the head with its maker's signature.
        lines: this party's log.
        where: where it came from, for messages.

    Raises:
        CustodyContradicted: this party's log is another one.
        CustodyBroken: the head is of another shipment, of a longer log, or dated in the future.
        SignatureMissing, SignatureInvalid, UntrustedSigner, KeyRevoked, DocumentError: see `open_head`.
    """
    trust, role = folder.trust(), folder.voyage_file().voyage.role
    mark = open_head(found, trust, where)
    head = mark.head
    if not lines or head.shipment != lines[0].event.shipment:
        raise CustodyBroken("the head is of another shipment", where=where, found=head.shipment)
    if head.num_entries > len(lines):
        raise CustodyBroken(
            f"the head is over {head.num_entries} entries, of which {head.num_entries - len(lines)} are not here",
            where=where,
            expected=f"at most {len(lines)} entries",
            hint="ask the other side for its log first: a hand-over file, or its dossier",
        )
    refuse_contradicted(folder, lines, where, (mark,))
    if datetime.fromisoformat(head.made_on) > datetime.now(UTC) + CLOCKS_DIFFER:
        raise CustodyBroken(
            "the head is dated in the future",
            where=where,
            expected="not later than this machine's clock says",
            found=head.made_on,
            hint="compare both clocks; who signs it would vouch for that time",
        )
    signatures = dict(found.signatures)
    if role != head.by:
        signatures[role] = sign_head(head, folder.signer())
    return keep_head(folder.documents, HeadSignatures(found.payload, signatures), trust, where)


def refuse_contradicted(
    folder: VoyageFolder, lines: Sequence[CustodyLine], where: str, more: Sequence[SignedHead] = ()
) -> None:
    """Refuse a log that a head known here contradicts.

    Args:
        folder: this party's.
        lines: the log as it would be.
        where: its name, for messages.
        more: heads beside those that are kept here.

    Raises:
        CustodyContradicted: naming the first contradiction.
    """
    trust = folder.trust()
    found = check_log(lines, (*read_heads(folder.documents, trust), *more), (), trust.revocations)
    if found.contradictions:
        first = found.contradictions[0]
        raise CustodyContradicted(
            f"{first.kind}: {first.what}",
            where=where,
            found=f"{len(found.contradictions)} contradictions" if len(found.contradictions) > 1 else None,
            hint='keep all files; "packtrain custody check" lists what contradicts what, and who signed it',
        )


def write_own_log(folder: VoyageFolder, destination: Path) -> Path:
    """Write this party's whole log to `destination`, and where it ends with its own acceptance the head beside it."""
    lines, role = custody_log(folder).read(folder.trust()), folder.voyage_file().voyage.role
    durable.write_bytes(destination, b"".join(line.payload + b"\n" for line in lines))
    if lines and (lines[-1].event.verb, lines[-1].event.by) == ("accepted", role):
        beside = destination.with_name(destination.name + HEAD_SUFFIX)
        durable.write_bytes(beside, head_file(sign_own_head(folder, lines)))
    return destination


def write_head_file(folder: VoyageFolder, digest: str, destination: Path) -> Path:
    """Write a head that is kept here, with all its signatures, to a file; return its path."""
    found = head_signatures(folder.documents, digest)
    assert found is not None, digest
    durable.write_bytes(destination, head_file(found))
    return destination


def read_bounded_head(path: Path) -> HeadSignatures:
    """Return what a head file holds; StageNotReady where there is none, CodeUnreadable where it is none."""
    try:
        with path.open("rb") as stream:
            return read_head_file(stream.read(MAX_HEAD_FILE_BYTES + 1), str(path))
    except FileNotFoundError as error:
        raise StageNotReady("no such head file", where=str(path), hint='"packtrain custody head" writes one') from error
