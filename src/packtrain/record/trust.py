"""Who may sign what. Trust comes from parties.json alone: never from a drive, and never on first use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from packtrain.crypto import dsse, sshsig
from packtrain.digest import sha256_bytes
from packtrain.documents.codec import Document, decode, namespace
from packtrain.documents.custody_head import CustodyHead
from packtrain.documents.parties import (
    REVIEWING_RIGHTS,
    ROLES,
    SIGNING_RIGHTS,
    STATEMENT,
    STATEMENT_NAMESPACE,
    Parties,
    Party,
    Role,
)
from packtrain.documents.revocation import Revocation
from packtrain.errors import KeyRevoked, SignatureInvalid, SignatureMissing, UntrustedSigner

MAX_SIGNATURE_BYTES: Final = 8192
# Lines and heads of a log count by their place in the chain: `refuse_revoked_lines`. No key takes a revocation back.
JUDGED_ELSEWHERE: Final = frozenset({"custody", "custody-head", "revocation"})
D = TypeVar("D", bound=Document)


@dataclass(frozen=True, slots=True)
class SignedHead:
    """A head of a custody log with its good signatures: its digest, and role -> key, as parties.json spells it."""

    digest: str
    head: CustodyHead
    keys: Mapping[Role, str]

    @property
    def cosigners(self) -> tuple[Role, ...]:
        """Return the roles beside its maker that signed it with another key than the maker's."""
        return tuple(role for role in ROLES if role in self.keys and self.keys[role] != self.keys[self.head.by])


@dataclass(frozen=True, slots=True)
class SignedRevocation:
    """A revocation with a good signature: its digest, and the key that it revokes as parties.json spells it."""

    digest: str
    revocation: Revocation
    public_line: str


class Trust:
    """Checks signatures against parties.json, and against what is known of revoked keys.

    Args:
        parties: the exchanged document.
        revocations: of keys that parties.json names.
        heads: of this voyage's custody log, by which lines before a revocation count.
    """

    def __init__(
        self,
        parties: Parties,
        revocations: Sequence[SignedRevocation] = (),
        heads: Sequence[SignedHead] = (),
    ) -> None:
        self.parties = parties
        self.revocations = tuple(revocations)
        self._heads = tuple(heads)

    def signer_role(
        self, document_type: type[Document], payload: bytes, signature: bytes | None, where: str
    ) -> frozenset[Role]:
        """Return the roles under which this signature counts for this document (one person may play two parties).

        A party's reviewer counts for the party, for the documents that reviewers sign. See `signer` for errors.
        """
        return self.signer(document_type, payload, signature, where)[1]

    def signer(
        self, document_type: type[Document], payload: bytes, signature: bytes | None, where: str
    ) -> tuple[str, frozenset[Role]]:
        """Return the key that signed, as parties.json spells it, and the roles under which it counts.

        See `signer_of` for errors.
        """
        return self.signer_of(document_type.kind, namespace(document_type), payload, signature, where)

    def signer_of(
        self, kind: str, space: str, payload: bytes, signature: bytes | None, where: str
    ) -> tuple[str, frozenset[Role]]:
        """Return who signed bytes of a kind that parties sign, under its namespace; see `signer` for what comes back.

        Raises:
            SignatureMissing: there is no signature.
            SignatureInvalid: it is malformed, for another namespace, or does not fit the bytes.
            UntrustedSigner: the key is no party's, or its party may not sign this document.
            KeyRevoked: the key was revoked, and a revocation does not vouch for this document.
        """
        if signature is None:
            raise SignatureMissing(
                "document has no signature",
                where=where,
                hint="an unsigned document is never read; ask its author to sign",
            )
        if len(signature) > MAX_SIGNATURE_BYTES:
            raise SignatureInvalid("signature is too long", where=where)
        try:
            text = signature.decode("ascii")
        except UnicodeDecodeError as error:
            raise SignatureInvalid("signature is not text", where=where) from error
        try:
            public_line = sshsig.verify(text, space, payload)
        except SignatureInvalid as error:
            raise SignatureInvalid(
                error.what, where=where, expected=error.expected, found=error.found, hint=error.hint
            ) from error
        is_revoked = any(public_line == each.public_line for each in self.revocations)
        roles: frozenset[Role] = frozenset(
            party.role
            for party in self.parties.parties
            if _may_sign(party, public_line, kind, is_revoked=is_revoked or kind == Revocation.kind)
        )
        if not roles:
            raise self._stranger(kind, sshsig.fingerprint(public_line), where)
        if kind not in JUDGED_ELSEWHERE:
            self._refuse_revoked(public_line, sha256_bytes(payload), kind, where)
        return public_line, roles

    def statement_signer(self, payload: bytes, signature: bytes | None, where: str) -> frozenset[Role]:
        """Return the roles under which this signature counts for a statement of in-toto; see `signer` for errors.

        Whether the statement follows from a document of that role is another question (`diligence.statements`).
        """
        return self.signer_of(STATEMENT, STATEMENT_NAMESPACE, payload, signature, where)[1]

    def statement_in(self, envelope: bytes, where: str) -> tuple[bytes, frozenset[Role]]:
        """Return the statement in an envelope of DSSE, and the roles under which its signature counts.

        Raises:
            SignatureInvalid: it is no such envelope, or the signature does not fit.
            UntrustedSigner: the key that it names is no party's, or its party signs no statements.
        """
        named = dsse.key_id(envelope, where)
        parties = [
            party
            for party in self.parties.parties
            if STATEMENT in SIGNING_RIGHTS[party.role] and sshsig.fingerprint(party.signer) == named
        ]
        if not parties:
            raise self._stranger(STATEMENT, named[:100], where)
        statement = dsse.unseal(envelope, parties[0].signer, where)
        self._refuse_revoked(parties[0].signer, sha256_bytes(statement), STATEMENT, where)
        return statement, frozenset(party.role for party in parties)

    def _stranger(self, kind: str, found: str, where: str) -> UntrustedSigner:
        allowed: list[Role] = [role for role in ROLES if kind in SIGNING_RIGHTS[role]]
        return UntrustedSigner(
            f"{kind} is signed by a key that parties.json does not name for it",
            where=where,
            expected=", ".join(f"{role} {self._fingerprint(role)}" for role in allowed),
            found=found,
            hint="compare fingerprints with the party by telephone; a key enters by voyage.toml, never by a drive"
            + (', a second person\'s as "reviewer" of the party' if kind in REVIEWING_RIGHTS else ""),
        )

    def refuse_revoked_lines(self, lines: Sequence[tuple[str, str]], where: str) -> None:
        """Refuse a custody log that holds a line by a revoked key which nothing vouches for.

        A line counts if a revocation vouches for it or for a later one, or if a head below it was signed, before the
        key was lost, by a counterpart's key that is not revoked.

        Args:
            lines: (digest, key) of each line, chain and signatures checked.
            where: the log, for messages.

        Raises:
            KeyRevoked: naming the first such line and the revocation.
        """
        digests = [digest for digest, _ in lines]
        for signed in self.revocations:
            counted = num_lines_that_count(signed, self.revocations, self._heads, digests)
            for number, (_, public_line) in enumerate(lines):
                if public_line == signed.public_line and number >= counted:
                    raise self._revoked(signed, "a custody entry", f"{where}, line {number + 1}")

    def _refuse_revoked(self, public_line: str, digest: str, kind: str, where: str) -> None:
        # Every revocation of the key has to vouch: a thief who signs one more with it wins nothing.
        for signed in self.revocations:
            if signed.public_line == public_line and digest not in signed.revocation.documents:
                raise self._revoked(signed, kind, where)

    def _revoked(self, signed: SignedRevocation, what: str, where: str) -> KeyRevoked:
        return KeyRevoked(
            f"{what} is signed by a revoked key, and the revocation does not vouch for it",
            where=where,
            expected=f"what revocation {signed.digest[:12]} names, or a counterpart's head of before "
            f"{signed.revocation.lost_on} covers",
            found=f"a signature by {signed.revocation.fingerprint} ({signed.revocation.by}): "
            f"{signed.revocation.because[:200]}",
            hint=f"ask the {signed.revocation.by}, by telephone, whether it wrote this; it signs it anew",
        )

    def open(self, document_type: type[D], payload: bytes, signature: bytes | None, where: str) -> D:
        """Return the document after its signature was checked; see `signer_role` and `codec.decode` for errors."""
        self.signer_role(document_type, payload, signature, where)
        return decode(document_type, payload, where)

    def _fingerprint(self, role: Role) -> str:
        party = self.parties.of(role)
        return sshsig.fingerprint(party.signer) if party else "(not named in parties.json)"


def num_lines_that_count(
    signed: SignedRevocation,
    revocations: Sequence[SignedRevocation],
    heads: Sequence[SignedHead],
    digests: Sequence[str],
) -> int:
    """Return up to which line of a log the signatures of a revoked key count.

    Args:
        signed: the revocation.
        revocations: all that are known.
        heads: all that are known.
        digests: of the lines, in order.
    """
    vouched = frozenset(signed.revocation.log_lines)
    counted = max((number + 1 for number, digest in enumerate(digests) if digest in vouched), default=0)
    revoked = {each.public_line for each in revocations}
    for mark in heads:
        head = mark.head
        if (
            any(key not in revoked for key in mark.keys.values())
            and head.made_on <= signed.revocation.lost_on
            and head.num_entries <= len(digests)
            and digests[head.num_entries - 1] == head.last_line
        ):
            counted = max(counted, head.num_entries)
    return counted


def _may_sign(party: Party, public_line: str, kind: str, *, is_revoked: bool) -> bool:
    # A former key is one only through a revocation, which then says what of it still counts.
    is_own = party.signer == public_line or (is_revoked and public_line in party.former)
    is_signer = is_own and kind in SIGNING_RIGHTS[party.role]
    # A reviewer never signs what its party's signer may not: it is a second person of that party and no other.
    is_reviewer = party.reviewer == public_line and kind in REVIEWING_RIGHTS and kind in SIGNING_RIGHTS[party.role]
    return is_signer or is_reviewer
