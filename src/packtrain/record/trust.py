"""Who may sign what. Trust comes from parties.json alone: never from a drive, and never on first use."""

from __future__ import annotations

from typing import Final, TypeVar

from packtrain.crypto import dsse, sshsig
from packtrain.documents.codec import Document, decode, namespace
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
from packtrain.errors import SignatureInvalid, SignatureMissing, UntrustedSigner

MAX_SIGNATURE_BYTES: Final = 8192
D = TypeVar("D", bound=Document)


class Trust:
    """Checks signatures against parties.json.

    Args:
        parties: the exchanged document.
    """

    def __init__(self, parties: Parties) -> None:
        self.parties = parties

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
        roles: frozenset[Role] = frozenset(
            party.role for party in self.parties.parties if _may_sign(party, public_line, kind)
        )
        if not roles:
            raise self._stranger(kind, sshsig.fingerprint(public_line), where)
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
        return dsse.unseal(envelope, parties[0].signer, where), frozenset(party.role for party in parties)

    def _stranger(self, kind: str, found: str, where: str) -> UntrustedSigner:
        allowed: list[Role] = [role for role in ROLES if kind in SIGNING_RIGHTS[role]]
        return UntrustedSigner(
            f"{kind} is signed by a key that parties.json does not name for it",
            where=where,
            expected=", ".join(f"{role} {self._fingerprint(role)}" for role in allowed),
            found=found,
            hint="compare fingerprints with the party by telephone; a key enters by voyage.toml, never by a drive",
        )

    def open(self, document_type: type[D], payload: bytes, signature: bytes | None, where: str) -> D:
        """Return the document after its signature was checked; see `signer_role` and `codec.decode` for errors."""
        self.signer_role(document_type, payload, signature, where)
        return decode(document_type, payload, where)

    def _fingerprint(self, role: Role) -> str:
        party = self.parties.of(role)
        return sshsig.fingerprint(party.signer) if party else "(not named in parties.json)"


def _may_sign(party: Party, public_line: str, kind: str) -> bool:
    is_signer = party.signer == public_line and kind in SIGNING_RIGHTS[party.role]
    # A reviewer never signs what its party's signer may not: it is a second person of that party and no other.
    is_reviewer = party.reviewer == public_line and kind in REVIEWING_RIGHTS and kind in SIGNING_RIGHTS[party.role]
    return is_signer or is_reviewer
