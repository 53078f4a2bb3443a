"""parties.json: who may sign what, and to whom may be encrypted. The only root of trust; never read from a drive.

Exchanged before departure and read back by fingerprint. It can be written in the form of OpenSSH's allowed_signers, so
that `ssh-keygen -Y verify` checks every signature without packtrain.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

import msgspec

from packtrain.documents.codec import Document, EnvelopeRecipient, Part

Role = Literal["consignor", "operator", "consignee"]
ROLES: Final[tuple[Role, ...]] = ("consignor", "operator", "consignee")
PublicKeyLine = Annotated[str, msgspec.Meta(pattern=r"\Assh-ed25519 [A-Za-z0-9+/]{68}\Z")]

SIGNING_RIGHTS: Final[dict[Role, tuple[str, ...]]] = {
    "consignor": (
        "plan",
        "group",
        "shipment",
        "drive",
        "kit",
        "kit-update",
        "ready",
        "data-scan",
        "withdrawals",
        "declaration",
        "packing-statement",
        "customs",
        "paper",
        "shipment-key",
        "custody",
        "custody-head",
        "revocation",
        "sanitisation",
        "closing",
        "screening",
        "disposition",
        "flags",
        "flag-answer",
        "statement",
    ),
    "operator": (
        "admission",
        "kit-update",
        "screening",
        "disposition",
        "flags",
        "flag-answer",
        "custody",
        "custody-head",
        "revocation",
        "paper",
        "export-list",
        "provenance",
        "inspection",
        "sanitisation",
        "closing",
        "statement",
    ),
    "consignee": (
        "custody",
        "custody-head",
        "revocation",
        "paper",
        "export-list",
        "pieces",
        "provenance",
        "inspection",
        "sanitisation",
        "closing",
        "statement",
    ),
}
"""Which documents each role may sign; a signature by any other key is a stranger's.

A "statement" is no document of its own: it says again, in the form of in-toto, what a signed document says.
"""

STATEMENT: Final = "statement"
STATEMENT_NAMESPACE: Final = f"packtrain-{STATEMENT}@v1"
STATEMENT_TYPE: Final = "https://in-toto.io/Statement/v1"
"""What a statement says of itself, in `_type`."""

REVIEWING_RIGHTS: Final = ("disposition", "flag-answer", "revocation")
"""What a party's second person, its reviewer, may sign beside its signer: where four eyes are asked for, or one key."""


class Party(Part, frozen=True, kw_only=True):
    """One party: its role, its SSH signer, and its recipient ("age1..." or "ssh-ed25519 ...").

    `name` is what people call it; it is shown, never matched. `reviewer` is the SSH key of a second person of the same
    party, None where it named none. `former` are its signers that were revoked: they count as far as revocations say.
    """

    role: Role
    name: Annotated[str, msgspec.Meta(min_length=1, max_length=256)]
    signer: PublicKeyLine
    recipient: EnvelopeRecipient
    reviewer: PublicKeyLine | None = None
    former: Annotated[tuple[PublicKeyLine, ...], msgspec.Meta(max_length=8)] = ()


class Parties(Document, frozen=True, kw_only=True):
    """The three parties of a voyage."""

    kind = "parties"

    voyage: Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
    parties: Annotated[tuple[Party, ...], msgspec.Meta(min_length=1, max_length=3)]

    def of(self, role: Role) -> Party | None:
        """Return the party with this role, or None where parties.json names none."""
        return next((party for party in self.parties if party.role == role), None)


def allowed_signers(parties: Parties) -> str:
    """Return parties.json in OpenSSH's allowed_signers form (ssh-keygen(1), ALLOWED SIGNERS); a principal is a role.

    A second person's is the role with "-reviewer".
    """
    lines: list[str] = []
    for party in parties.parties:
        lines.append(_line(party.role, SIGNING_RIGHTS[party.role], party.signer))
        if party.reviewer is not None:
            lines.append(_line(f"{party.role}-reviewer", REVIEWING_RIGHTS, party.reviewer))
    return "".join(lines)


def _line(principal: str, kinds: tuple[str, ...], key: str) -> str:
    namespaces = ",".join(f"packtrain-{kind}@v1" for kind in kinds)
    return f'{principal} namespaces="{namespaces}" {key}\n'
