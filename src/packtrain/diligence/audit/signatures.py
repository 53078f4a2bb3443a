"""A signature as an audit sees it: whose it is, whether it fits, and what may be believed for it. Nothing is raised."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from packtrain.crypto import sshsig
from packtrain.digest import sha256_bytes
from packtrain.diligence.audit.faults import Fault, FaultKind
from packtrain.diligence.audit.keyring import Keyring
from packtrain.documents.codec import Document, namespace
from packtrain.documents.parties import ROLES, SIGNING_RIGHTS, Role
from packtrain.errors import SignatureInvalid
from packtrain.record.trust import JUDGED_ELSEWHERE, MAX_SIGNATURE_BYTES

Standing = Literal["vouched", "unvouched", "foreign", "bad", "none"]
UNVOUCHED: Final = "signature valid, by a key that nobody vouched for here"


@dataclass(frozen=True, slots=True)
class SeenSignature:
    """One signature, or its absence.

    Attributes:
        standing: vouched (a key of the list, of a party that may sign this); unvouched (it fits, and there is no list);
            foreign (it fits, and the list has no such key for this); bad (it does not fit); none.
        key, fingerprint: of the key that signed; "" where none did.
        roles: the parties for which it counts; those that may sign such a document where nobody vouches.
        words: the same in a sentence.
    """

    standing: Standing
    words: str
    key: str = ""
    fingerprint: str = ""
    roles: frozenset[Role] = frozenset()

    @property
    def is_believed(self) -> bool:
        """Return whether what the document says may be told: as the party's word, or with the words "unvouched"."""
        return self.standing in ("vouched", "unvouched")

    def fault(self, where: str) -> Fault | None:
        """Return what is wrong with it, or None."""
        kinds: dict[Standing, FaultKind] = {"foreign": "foreign key", "bad": "bad signature", "none": "no signature"}
        kind = kinds.get(self.standing)
        return Fault(kind, where, self.words) if kind is not None else None


def look_at(document_type: type[Document], payload: bytes, signature: bytes | None, keyring: Keyring) -> SeenSignature:
    """Return what is to be said of one signature over these bytes of a document."""
    return look_at_kind(document_type.kind, namespace(document_type), payload, signature, keyring)


def look_at_kind(kind: str, space: str, payload: bytes, signature: bytes | None, keyring: Keyring) -> SeenSignature:
    """Return what is to be said of one signature over bytes of a kind that parties sign, under its namespace."""
    if signature is None:
        return SeenSignature("none", "no signature")
    if len(signature) > MAX_SIGNATURE_BYTES:
        return SeenSignature("bad", "the signature is too long")
    try:
        key = sshsig.verify(signature.decode("ascii"), space, payload)
    except UnicodeDecodeError:
        return SeenSignature("bad", "the signature is not text")
    except SignatureInvalid as error:
        found = f" ({error.found})" if error.found else ""
        return SeenSignature("bad", f"{error.what}{found}")
    mark = sshsig.fingerprint(key)
    if not keyring.is_trusted:
        entitled: frozenset[Role] = frozenset(role for role in ROLES if kind in SIGNING_RIGHTS[role])
        return SeenSignature("unvouched", f"{UNVOUCHED} ({_short(mark)})", key, mark, entitled)
    if kind not in JUDGED_ELSEWHERE and keyring.is_revoked(key, sha256_bytes(payload)):
        words = f"signed by a key that its party revoked, and the revocation does not vouch for it: {mark}"
        return SeenSignature("foreign", words, key, mark)
    roles = keyring.roles(kind, space, key)
    owner = keyring.owner(key)
    if roles:
        return SeenSignature("vouched", f"signature valid, by the {owner} {_short(mark)}", key, mark, roles)
    if owner is not None:
        what = f"signed by the {owner} {mark}, who may not sign a {kind}"
    else:
        what = f"signed by a key that is not on the list: {mark}"
    return SeenSignature("foreign", what, key, mark)


def _short(fingerprint: str) -> str:
    """Return the beginning of a fingerprint, for lines that name a key whose whole fingerprint stands elsewhere."""
    return fingerprint[:19]
