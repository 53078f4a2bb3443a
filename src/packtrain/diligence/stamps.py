"""Time stamps over heads: <digest of the head>.<digest of the token>.tsr, and whose certificate this party trusts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from packtrain import durable
from packtrain.crypto.timestamp import MAX_ROOT_BYTES, MAX_TOKEN_BYTES, Stamp, verify_stamp
from packtrain.digest import sha256_bytes
from packtrain.diligence.custody_check import TimeBracket
from packtrain.documents.codec import encode
from packtrain.errors import DossierError, KeyMalformed, SignatureInvalid, StageNotReady
from packtrain.record.folder import VoyageFolder
from packtrain.record.heads import HEADS
from packtrain.record.trust import SignedHead

AUTHORITIES: Final = "timestamp-authorities"
"""Folder beside documents/: certificates that a person gave, by SHA-256. It does not travel: each trusts its own."""
MAX_TOKENS: Final = 1000


def keep_stamp(folder: VoyageFolder, marks: tuple[SignedHead, ...], token: bytes, root: bytes) -> TimeBracket:
    """Check a token against the heads that are kept here, keep it with the certificate, and return what it says.

    Raises:
        SignatureInvalid: it is over none of them, or not under the certificate.
        KeyMalformed, MissingDependency: see `verify_stamp`.
    """
    error: SignatureInvalid | None = None
    for mark in reversed(marks):
        try:
            stamp = verify_stamp(token, encode(mark.head), root, "time stamp")
        except SignatureInvalid as refused:
            error = refused
            continue
        durable.write_bytes(folder.root / AUTHORITIES / f"{sha256_bytes(root)}.cer", root)
        durable.write_bytes(folder.documents / HEADS / f"{mark.digest}.{sha256_bytes(token)}.tsr", token)
        return _bracket(mark, stamp, token)
    raise error or StageNotReady(
        "no head is here that could be stamped", where=str(folder.documents), hint='"packtrain custody head" makes one'
    )


def read_stamps(folder: VoyageFolder, marks: tuple[SignedHead, ...]) -> Iterator[TimeBracket]:
    """Yield what the tokens over heads say that are signed under a certificate this party trusts; others say nothing.

    Raises:
        DossierError: a token lies under a name that is not its digest, or there are more than 1000.
        MissingDependency: there are tokens, and the extra is not installed.
    """
    paths = sorted((folder.documents / HEADS).glob("*.tsr"))
    if len(paths) > MAX_TOKENS:
        raise DossierError("too many time stamps", where=str(folder.documents / HEADS))
    roots = [_bounded(path, MAX_ROOT_BYTES) for path in sorted((folder.root / AUTHORITIES).glob("*.cer"))]
    by_digest = {mark.digest: mark for mark in marks}
    for path in paths:
        token = _bounded(path, MAX_TOKEN_BYTES)
        head, _, digest = path.stem.partition(".")
        if digest != sha256_bytes(token):
            raise DossierError("a time stamp lies under a name that is not its digest", where=str(path))
        mark = by_digest.get(head)
        stamps = [] if mark is None else [_try(token, mark, root, str(path)) for root in roots]
        if mark is not None and (stamp := next(filter(None, stamps), None)) is not None:
            yield _bracket(mark, stamp, token)


def _try(token: bytes, mark: SignedHead, root: bytes, where: str) -> Stamp | None:
    try:
        return verify_stamp(token, encode(mark.head), root, where)
    except (SignatureInvalid, KeyMalformed):
        return None


def _bracket(mark: SignedHead, stamp: Stamp, token: bytes) -> TimeBracket:
    head = mark.head
    return TimeBracket(
        head.num_entries, head.last_line, stamp.earliest, stamp.latest, stamp.authority, sha256_bytes(token)
    )


def _bounded(path: Path, most: int) -> bytes:
    with path.open("rb") as stream:
        return stream.read(most + 1)
