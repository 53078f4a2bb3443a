"""Revocations of signing keys: kept under documents/revocations/, read into every `Trust`. None is ever taken back."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from packtrain.crypto import sshsig
from packtrain.documents.codec import decode, encode, namespace
from packtrain.documents.parties import Parties, Party
from packtrain.documents.revocation import Revocation
from packtrain.errors import UntrustedSigner
from packtrain.ports import Signer
from packtrain.record.kept import keep, read_kept
from packtrain.record.trust import SignedRevocation, Trust

REVOCATIONS: Final = "revocations"
"""Folder below documents/: <digest>.json and <digest>.json.sig."""
MAX_REVOCATIONS: Final = 64
MAX_REVOCATION_BYTES: Final = 16 << 20


def read_revocations(documents: Path, parties: Parties) -> tuple[SignedRevocation, ...]:
    """Return the revocations here of keys that parties.json names, signatures checked.

    One about another key has no effect, since nothing by that key is trusted; it is left where it lies.

    Raises:
        DossierError: one lies under a name that is not its digest, or there are more than 64.
        SignatureMissing, SignatureInvalid, UntrustedSigner, DocumentError: see `check_revocation`.
    """
    trust = Trust(parties)
    found: list[SignedRevocation] = []
    for kept in read_kept(documents, REVOCATIONS, max_bytes=MAX_REVOCATION_BYTES, most=MAX_REVOCATIONS):
        revocation = decode(Revocation, kept.payload, kept.name)
        if revoked_key(revocation, parties) is not None:
            key = check_revocation(kept.payload, kept.signature, trust, kept.name)
            found.append(SignedRevocation(kept.digest, revocation, key))
    return tuple(found)


def keep_revocation(documents: Path, revocation: Revocation, signer: Signer, trust: Trust) -> str:
    """Sign a revocation into the folder; return its digest. See `check_revocation` for errors."""
    payload = encode(revocation)
    signature = signer.sign(namespace(Revocation), payload).encode("ascii")
    check_revocation(payload, signature, trust, "revocation")
    return keep(documents, REVOCATIONS, payload, signature, {})


def revoked_key(revocation: Revocation, parties: Parties) -> str | None:
    """Return the key that a revocation is about as parties.json spells it, None where its party has no such key."""
    party = parties.of(revocation.by)
    keys = _keys(party) if party is not None else ()
    return next((key for key in keys if sshsig.fingerprint(key) == revocation.fingerprint), None)


def check_revocation(payload: bytes, signature: bytes | None, trust: Trust, where: str) -> str:
    """Return the key that a revocation takes out of use, after checking who signed it.

    A party's signer is revoked by the party's reviewer or by itself; its reviewer by itself alone, so that whoever
    holds the signer cannot silence the one who would revoke it.

    Raises:
        SignatureMissing, SignatureInvalid, DocumentError: see `Trust.open`.
        UntrustedSigner: it is signed by another party, or about a key that is not that party's, or about the reviewer
            and signed by the signer.
    """
    signing, roles = trust.signer(Revocation, payload, signature, where)
    revocation = decode(Revocation, payload, where)
    revoked, party = revoked_key(revocation, trust.parties), trust.parties.of(revocation.by)
    if revoked is None or party is None:
        raise UntrustedSigner(
            "a revocation is about a key that its party does not have",
            where=where,
            expected=", ".join(map(sshsig.fingerprint, _keys(party))) if party is not None else revocation.by,
            found=revocation.fingerprint,
        )
    if revocation.by not in roles or signing not in (revoked, party.reviewer):
        raise UntrustedSigner(
            "a revocation is signed by a key that may not revoke this one",
            where=where,
            expected=f"the {revocation.by}'s reviewer, or the revoked key itself",
            found=f"{' and '.join(sorted(roles))} {sshsig.fingerprint(signing)}",
        )
    return revoked


def _keys(party: Party) -> tuple[str, ...]:
    return (party.signer, *party.former, *((party.reviewer,) if party.reviewer is not None else ()))
