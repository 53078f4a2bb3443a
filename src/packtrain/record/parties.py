"""parties.json from [parties] of voyage.toml and this party's own public keys."""

from __future__ import annotations

from packtrain.crypto import age, sshsig
from packtrain.documents.codec import encode
from packtrain.documents.parties import ROLES, Parties, Party, Role
from packtrain.documents.voyage_file import PartySection, VoyageFile
from packtrain.errors import VoyageFileError
from packtrain.record.folder import VoyageFolder


def own_party(folder: VoyageFolder, voyage_file: VoyageFile) -> Party:
    """Return this party as others must enter it in their [parties]; KeyMissing without keys."""
    section = _section(voyage_file, voyage_file.voyage.role)
    return Party(
        role=voyage_file.voyage.role,
        name=(section.name if section else "") or voyage_file.voyage.role,
        signer=folder.signer().public_line,
        recipient=age.recipient_of(folder.identity()),
    )


def sync_parties(folder: VoyageFolder) -> Parties:
    """Write parties.json anew if voyage.toml or the own keys changed; return it.

    Raises:
        VoyageFileError: [parties] names other keys for this party than its own key files hold.
        KeyMissing: this party has no keys.
    """
    voyage_file = folder.voyage_file()
    own = own_party(folder, voyage_file)
    stated = _section(voyage_file, own.role)
    if stated is not None and (stated.recipient, stated.signer) != (own.recipient, own.signer):
        raise VoyageFileError(
            f"parties.{own.role} names other keys than this party's own key files",
            where=str(folder.root / "voyage.toml"),
            expected=f"{own.recipient}, {sshsig.fingerprint(own.signer)}",
            found=f"{stated.recipient}, {sshsig.fingerprint(stated.signer)}",
            hint="remove the section (the key files are used), or bring the right key files",
        )
    members: list[Party] = []
    for role in ROLES:
        section = _section(voyage_file, role)
        if role == own.role:
            members.append(own)
        elif section is not None:
            members.append(
                Party(
                    role=role,
                    name=section.name or role,
                    signer=sshsig.check_public_line(section.signer),
                    recipient=section.recipient,
                )
            )
    parties = Parties(voyage=voyage_file.voyage.name, parties=tuple(members))
    if not folder.has(Parties) or folder.payload(Parties) != encode(parties):
        folder.write_parties(parties)
    return parties


def _section(voyage_file: VoyageFile, role: Role) -> PartySection | None:
    sections: dict[Role, PartySection | None] = {
        "consignor": voyage_file.parties.consignor,
        "operator": voyage_file.parties.operator,
        "consignee": voyage_file.parties.consignee,
    }
    return sections[role]
