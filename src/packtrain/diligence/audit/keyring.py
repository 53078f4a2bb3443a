"""Whose keys the auditor knows: from a parties.json or an allowed_signers that came by another way than the record."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from packtrain.crypto import sshsig
from packtrain.documents.codec import decode
from packtrain.documents.parties import REVIEWING_RIGHTS, ROLES, SIGNING_RIGHTS, Parties, Role
from packtrain.documents.revocation import Revocation
from packtrain.errors import DocumentError, KeyMalformed, SourceUnreadable

MAX_KEY_FILE_BYTES: Final = 1 << 20
_REVIEWER: Final = "-reviewer"
_LINE: Final = re.compile(r"(?P<principals>\S+)\s+(?:(?P<options>\S+)\s+)?(?P<key>ssh-ed25519\s+\S+)(?:\s.*)?")
_NAMESPACES: Final = re.compile(r'namespaces="(?P<list>[^"]*)"')


@dataclass(frozen=True, slots=True)
class VouchedKey:
    """A key that somebody vouches for.

    Attributes:
        is_reviewer: of a party's second person, who signs answers alone.
        is_former: one that the party had before; it counts only as far as a revocation says.
        namespaces: what it may sign, as an allowed_signers says; None where it says nothing.
    """

    role: Role
    is_reviewer: bool
    key: str
    fingerprint: str
    namespaces: frozenset[str] | None = None
    is_former: bool = False

    def may_sign(self, kind: str, space: str) -> bool:
        """Return whether its signature on something of this kind, under this namespace, counts."""
        return (
            kind in SIGNING_RIGHTS[self.role]
            and (not self.is_reviewer or kind in REVIEWING_RIGHTS)
            and (self.namespaces is None or space in self.namespaces)
        )


@dataclass(frozen=True, slots=True)
class Keyring:
    """The keys that count in an audit.

    Attributes:
        source: the file that they are from; None where nobody vouches for any key.
        revoked: keys that their party revoked, each with the digests that the revocation vouches for.
    """

    source: str | None
    keys: tuple[VouchedKey, ...] = ()
    revoked: tuple[tuple[str, frozenset[str]], ...] = ()

    def is_revoked(self, key: str, sha256: str) -> bool:
        """Return whether a key is revoked and a revocation of it does not vouch for what has this digest."""
        return any(key == revoked and sha256 not in vouched for revoked, vouched in self.revoked)

    @property
    def is_trusted(self) -> bool:
        """Return whether anybody vouches for keys here."""
        return self.source is not None

    def roles(self, kind: str, space: str, key: str) -> frozenset[Role]:
        """Return the parties for which a key's signature on something of this kind counts."""
        # A former key may say of itself that it is revoked: that is how the others learn it.
        revoked = {each for each, _ in self.revoked} | ({key} if kind == Revocation.kind else set[str]())
        return frozenset(
            each.role
            for each in self.keys
            if each.key == key and each.may_sign(kind, space) and (not each.is_former or key in revoked)
        )

    def owner(self, key: str) -> str | None:
        """Return whose a key is, in words, or None where it is not on the list."""
        owners = [f"{each.role}'s {'reviewer' if each.is_reviewer else 'key'}" for each in self.keys if each.key == key]
        return " and ".join(dict.fromkeys(owners)) or None

    def of_party(self, role: Role) -> list[VouchedKey]:
        """Return every key of a party, its reviewer's and those it had before among them."""
        return [each for each in self.keys if each.role == role]


NOBODY: Final = Keyring(None)
"""No list of keys: signatures are checked, and whose they are is not known."""


def read_keyring(path: Path) -> Keyring:
    """Return the keys of a parties.json, or of a file in OpenSSH's allowed_signers form.

    Raises:
        SourceUnreadable: the file cannot be read, or is too long.
        DocumentError: it is neither, or names no party of a voyage.
        KeyMalformed: a key in it is no ssh-ed25519 key.
    """
    try:
        with path.open("rb") as stream:
            payload = stream.read(MAX_KEY_FILE_BYTES + 1)
    except OSError as error:
        raise SourceUnreadable(
            f"the list of keys cannot be read: {error.strerror}",
            where=str(path),
            hint="give a parties.json, or an allowed_signers that the parties gave you themselves",
        ) from error
    if len(payload) > MAX_KEY_FILE_BYTES:
        raise SourceUnreadable("too long for a list of keys", where=str(path), hint="give a parties.json")
    if payload.lstrip().startswith(b"{"):
        return keyring_of(decode(Parties, payload, str(path)), str(path))
    keys = keyring_in(payload, str(path))
    if not keys:
        raise _no_list(str(path), "no line for consignor, operator or consignee")
    return Keyring(str(path), keys)


def keyring_in(payload: bytes, where: str) -> tuple[VouchedKey, ...]:
    """Return the keys of a voyage's parties in a file in OpenSSH's allowed_signers form.

    Raises:
        DocumentError: a line is none of that form, or has options of which the meaning here is not known.
        KeyMalformed: a key in it is no ssh-ed25519 key.
    """
    return tuple(_allowed_signers(payload, where))


def keyring_of(parties: Parties, source: str) -> Keyring:
    """Return the keys that a parties.json names."""
    keys: list[VouchedKey] = []
    for party in parties.parties:
        keys.append(_vouched(party.role, party.signer, is_reviewer=False))
        keys += [
            dataclasses.replace(_vouched(party.role, former, is_reviewer=False), is_former=True)
            for former in party.former
        ]
        if party.reviewer is not None:
            keys.append(_vouched(party.role, party.reviewer, is_reviewer=True))
    return Keyring(source, tuple(keys))


def _allowed_signers(payload: bytes, where: str) -> Iterator[VouchedKey]:
    try:
        lines = payload.decode("ascii").splitlines()
    except UnicodeDecodeError as error:
        raise _no_list(where, "bytes that are not plain text") from error
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith("#"):
            continue
        match = _LINE.fullmatch(line.strip())
        if match is None:
            raise _no_list(f"{where}, line {number}", line[:60])
        spaces = _NAMESPACES.search(match["options"] or "")
        named = frozenset(spaces["list"].split(",")) if spaces else None
        if match["options"] and spaces is None:
            # A certificate authority, or a key that is valid for some days only: what it means here was not thought of.
            raise _no_list(f"{where}, line {number}", match["options"][:60])
        for principal in match["principals"].strip('"').split(","):
            for role in ROLES:
                if principal in (role, role + _REVIEWER):
                    try:
                        key = _vouched(role, match["key"], is_reviewer=principal != role, namespaces=named)
                    except KeyMalformed as error:
                        raise KeyMalformed(
                            error.what, where=f"{where}, line {number}", found=error.found, hint=error.hint
                        ) from error
                    yield key


def _vouched(role: Role, key: str, *, is_reviewer: bool, namespaces: frozenset[str] | None = None) -> VouchedKey:
    line = sshsig.check_public_line(key)
    return VouchedKey(role, is_reviewer, line, sshsig.fingerprint(line), namespaces)


def _no_list(where: str, found: str) -> DocumentError:
    return DocumentError(
        "neither a parties.json nor an allowed_signers of a voyage",
        where=where,
        expected='lines such as: consignor namespaces="..." ssh-ed25519 AAAA...',
        found=ascii(found),
        hint="ask the parties for their keys, and compare the fingerprints by telephone",
    )
