"""parties.json from [parties] of voyage.toml and this party's own public keys."""

from __future__ import annotations

from packtrain import durable
from packtrain.crypto import age, sshsig
from packtrain.documents.codec import encode
from packtrain.documents.parties import ROLES, Parties, Party, Role
from packtrain.documents.voyage_file import PartySection, VoyageFile
from packtrain.errors import KeyMalformed, VoyageFileError
from packtrain.record.folder import VoyageFolder


def own_party(folder: VoyageFolder, voyage_file: VoyageFile) -> Party:
    """Return this party as others must enter it in their [parties]; KeyMissing without keys."""
    section = _section(voyage_file, voyage_file.voyage.role)
    return Party(
        role=voyage_file.voyage.role,
        name=(section.name if section else "") or voyage_file.voyage.role,
        signer=folder.public_line(),
        recipient=age.recipient_of(folder.identity()),
        reviewer=_reviewer(section, folder) if section else None,
        former=_former(section) if section else (),
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
                    recipient=_checked(section.recipient, role, folder),
                    reviewer=_reviewer(section, folder),
                    former=_former(section),
                )
            )
    parties = Parties(voyage=voyage_file.voyage.name, parties=tuple(members))
    _keep_party_toml(folder, own)
    if not folder.has(Parties) or folder.payload(Parties) != encode(parties):
        folder.write_parties(parties)
    return parties


def party_section(party: Party) -> str:
    """Return the section that the other parties paste into [parties] of their voyage.toml: public keys only."""
    former = ", ".join(f'"{key}"' for key in party.former)
    return (
        f"[parties.{party.role}]                   # signer {sshsig.fingerprint(party.signer)}\n"
        f'recipient = "{party.recipient}"\n'
        f'signer = "{party.signer}"\n'
        + (f'reviewer = "{party.reviewer}"\n' if party.reviewer else "")
        + (f"former = [{former}]\n" if party.former else "")
    )


def _keep_party_toml(folder: VoyageFolder, own: Party) -> None:
    """Write keys/party.toml anew where the own keys are others now: an old one would be sealed to in vain."""
    path = folder.keys / "party.toml"
    text = party_section(own).encode()
    if path.is_file() and path.read_bytes() != text:
        durable.write_bytes(path, text)


def _checked(recipient: str, role: Role, folder: VoyageFolder) -> str:
    try:
        return age.check_recipient(recipient)
    except KeyMalformed as error:
        raise KeyMalformed(
            error.what,
            where=f"{folder.root / 'voyage.toml'}: parties.{role}",
            expected=error.expected,
            found=error.found,
            hint="paste the section from that party's keys/party.toml again",
        ) from error


def _reviewer(section: PartySection, folder: VoyageFolder) -> str | None:
    if section.reviewer is None:
        return None
    if section.reviewer == section.signer:
        raise VoyageFileError(
            "a party's reviewer is another person than its signer",
            where=str(folder.root / "voyage.toml"),
            expected="the key of a second person",
            found=sshsig.fingerprint(section.reviewer),
            hint='a second person makes a key with "ssh-keygen -t ed25519" and keeps it',
        )
    return sshsig.check_public_line(section.reviewer)


def _former(section: PartySection) -> tuple[str, ...]:
    return tuple(map(sshsig.check_public_line, section.former))


def _section(voyage_file: VoyageFile, role: Role) -> PartySection | None:
    sections: dict[Role, PartySection | None] = {
        "consignor": voyage_file.parties.consignor,
        "operator": voyage_file.parties.operator,
        "consignee": voyage_file.parties.consignee,
    }
    return sections[role]
