"""Heads of the custody log: made, signed by a second party, kept under documents/heads/, and passed on as one file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, cast

import rfc8785

from packtrain.digest import sha256_bytes
from packtrain.documents.codec import decode, encode, json_object, namespace
from packtrain.documents.custody_head import CustodyHead
from packtrain.documents.parties import ROLES, Role
from packtrain.errors import CodeUnreadable, CustodyBroken, DocumentError, UntrustedSigner
from packtrain.ports import Signer
from packtrain.record.kept import keep, read_kept, read_one
from packtrain.record.trust import MAX_SIGNATURE_BYTES, SignedHead, Trust

HEADS: Final = "heads"
"""Folder below documents/: <digest>.json, its maker's .sig, and a counterpart's .ROLE.sig."""
MAX_HEADS: Final = 1000
MAX_HEAD_BYTES: Final = 4096
MAX_HEAD_FILE_BYTES: Final = 4 * (MAX_HEAD_BYTES + MAX_SIGNATURE_BYTES)


@dataclass(frozen=True, slots=True)
class HeadSignatures:
    """A head as bytes with the text of each signature by role: what a head file holds."""

    payload: bytes
    signatures: Mapping[Role, bytes]


def sign_head(head: CustodyHead, signer: Signer) -> bytes:
    """Return the text of a signature over a head."""
    return signer.sign(namespace(CustodyHead), encode(head)).encode("ascii")


def open_head(found: HeadSignatures, trust: Trust, where: str) -> SignedHead:
    """Return a head after checking every signature that came with it; its maker's must be among them.

    Raises:
        SignatureMissing, SignatureInvalid, UntrustedSigner, DocumentError: see `Trust.open`; or a signature is of
            another role than it is said to be.
        CustodyBroken: it is dated before the line that it names.
    """
    if len(found.payload) > MAX_HEAD_BYTES:
        raise DocumentError("head is too long", where=where, expected=f"at most {MAX_HEAD_BYTES} bytes")
    head = decode(CustodyHead, found.payload, where)
    keys: dict[Role, str] = {}
    signed_by: list[Role] = [head.by, *(role for role in ROLES if role in found.signatures and role != head.by)]
    for role in signed_by:
        key, roles = trust.signer(CustodyHead, found.payload, found.signatures.get(role), where)
        if role not in roles:
            raise UntrustedSigner(
                "a head of the custody log is signed by another party than it names",
                where=where,
                expected=role,
                found=", ".join(sorted(roles)),
            )
        keys[role] = key
    if head.made_on < head.last_at:
        raise CustodyBroken(
            "a head of the custody log is dated before its last line",
            where=where,
            expected=f"{head.last_at} or later",
            found=head.made_on,
        )
    return SignedHead(digest=sha256_bytes(found.payload), head=head, keys=keys)


def read_heads(documents: Path, trust: Trust) -> tuple[SignedHead, ...]:
    """Return all heads that are known here, the longest log last; every signature is checked.

    Raises:
        DossierError: one lies under a name that is not its digest, or there are more than 1000.
        SignatureMissing, SignatureInvalid, UntrustedSigner, DocumentError, CustodyBroken: see `open_head`.
    """
    found = [
        open_head(_signatures(kept.payload, kept.signature, kept.seconds), trust, kept.name)
        for kept in read_kept(documents, HEADS, max_bytes=MAX_HEAD_BYTES, most=MAX_HEADS)
    ]
    return tuple(sorted(found, key=lambda mark: (mark.head.num_entries, mark.head.made_on, mark.digest)))


def head_signatures(documents: Path, digest: str) -> HeadSignatures | None:
    """Return one head that is kept here with its signatures as bytes, or None."""
    kept = read_one(documents, HEADS, digest, max_bytes=MAX_HEAD_BYTES)
    return _signatures(kept.payload, kept.signature, kept.seconds) if kept is not None else None


def keep_head(documents: Path, found: HeadSignatures, trust: Trust, where: str) -> SignedHead:
    """Check a head and keep it below documents/ with all its signatures; return it. See `open_head` for errors."""
    mark = open_head(found, trust, where)
    before = head_signatures(documents, mark.digest)
    signatures: dict[Role, bytes] = {**(before.signatures if before is not None else {}), **found.signatures}
    seconds: dict[Role, bytes] = {role: text for role, text in signatures.items() if role != mark.head.by}
    keep(documents, HEADS, found.payload, signatures[mark.head.by], seconds)
    return open_head(HeadSignatures(found.payload, signatures), trust, where)


def head_file(found: HeadSignatures) -> bytes:
    """Return a head and its signatures as one line of canonical JSON, to be given to the other side."""
    signatures = {role: signature.decode("ascii") for role, signature in found.signatures.items()}
    return rfc8785.dumps({"head": found.payload.decode("utf-8"), "signatures": signatures}) + b"\n"


def read_head_file(payload: bytes, where: str) -> HeadSignatures:
    """Return what a head file holds; no signature is checked yet.

    Raises:
        CodeUnreadable: it is no head file.
    """
    try:
        body = json_object(payload, where) if len(payload) <= MAX_HEAD_FILE_BYTES else {}
        signatures: object = body.get("signatures")
        if set(body) != {"head", "signatures"} or not isinstance(body["head"], str) or not isinstance(signatures, dict):
            raise CodeUnreadable("not a head file", where=where, expected='"head" and "signatures"')
        named = cast("dict[object, object]", signatures)
        if not set(named) <= set(ROLES) or not all(isinstance(text, str) for text in named.values()):
            raise CodeUnreadable("a head file names signatures by role", where=where, expected=", ".join(ROLES))
        texts = cast("dict[Role, str]", named)
        signed: dict[Role, bytes] = {role: text.encode("ascii") for role, text in texts.items()}
        return HeadSignatures(body["head"].encode("utf-8"), signed)
    except (DocumentError, UnicodeEncodeError) as error:
        raise CodeUnreadable("not a head file", where=where, hint="packtrain custody head writes one") from error


def _signatures(payload: bytes, signature: bytes | None, seconds: Mapping[Role, bytes]) -> HeadSignatures:
    signatures: dict[Role, bytes] = dict(seconds)
    if signature is not None:
        signatures[decode(CustodyHead, payload, HEADS).by] = signature
    return HeadSignatures(payload, signatures)
