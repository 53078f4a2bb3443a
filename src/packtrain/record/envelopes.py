"""The key envelopes of the shipment at hand, in keys/: written with the plan, renewed for other recipients."""

from __future__ import annotations

from pathlib import Path

import rfc8785

from packtrain import durable
from packtrain.crypto.age import Passphrase
from packtrain.digest import sha256_bytes
from packtrain.documents.plan import Plan
from packtrain.documents.shipment_key import ShipmentKey
from packtrain.record import keys
from packtrain.record.folder import VoyageFolder
from packtrain.record.passphrase import read_passphrase


def recipients_digest(folder: VoyageFolder) -> str:
    """Return the SHA-256 over all parties' recipients, and over what the consignor's envelope is sealed with."""
    members = [[party.role, party.recipient] for party in folder.parties().parties]
    if _has_passphrase(folder):
        members.append(["envelope", "passphrase"])
    return sha256_bytes(rfc8785.dumps(members))


def write_envelopes(folder: VoyageFolder, key: ShipmentKey, marker: Path, known: Passphrase | None = None) -> None:
    """Seal a shipment key to the parties, into keys/; `marker` then says to which recipients.

    Args:
        folder: the consignor's voyage folder.
        key: the shipment's key.
        marker: file that says for whom the envelopes are.
        known: the passphrase that opened the consignor's envelope: it seals the new one too, and none is asked for.

    Raises:
        KeyMissing: parties.json names no consignor, the signing key is not there, or nobody gives the passphrase.
        KeyMalformed: a new passphrase is too short.
    """
    passphrase = (known or read_passphrase(folder, is_new=True)) if _has_passphrase(folder) else None
    envelopes = keys.wrap(key, folder.signer(), folder.parties(), passphrase)
    for name in (keys.CONSIGNOR_ENVELOPE, keys.SITE_ENVELOPE):
        if name in envelopes:
            durable.write_bytes(folder.keys / name, envelopes[name], 0o600)
        else:
            (folder.keys / name).unlink(missing_ok=True)
    durable.write_bytes(marker, recipients_digest(folder).encode("ascii"))


def renew_envelopes(folder: VoyageFolder, shipment: str, marker: Path) -> None:
    """Seal the key anew if parties.json has other recipients now: it is opened by the consignor's own envelope.

    Raises:
        KeyMissing, WrongKey, SignatureInvalid, UntrustedSigner, DocumentError, AgeFormatError: see `open_own`.
    """
    if marker.is_file() and marker.read_bytes() == recipients_digest(folder).encode("ascii"):
        return
    key, known = open_own(folder, shipment)
    write_envelopes(folder, key, marker, known)


def open_own(folder: VoyageFolder, shipment: str) -> tuple[ShipmentKey, Passphrase | None]:
    """Return the shipment key from the consignor's own envelope, and the passphrase that opened it, if one did.

    Raises:
        KeyMissing: the consignor's envelope, identity or passphrase is not there.
        WrongKey, SignatureInvalid, UntrustedSigner, DocumentError, AgeFormatError: see `keys.open_inner`.
    """
    path = folder.keys / keys.CONSIGNOR_ENVELOPE
    envelope = keys.read_envelope(path, "without it nobody at home can open the shipment; bring keys/ from its backup")
    # What it was sealed with is the envelope's to say: voyage.toml may name the other kind by now.
    known = read_passphrase(folder, is_new=False) if keys.needs_passphrase(envelope, str(path)) else None
    key = keys.open_inner(
        envelope,
        known or folder.identity(),
        folder.trust(),
        str(path),
        shipment=shipment,
        plan=folder.digest(Plan),
        role="consignor",
    )
    return key, known


def _has_passphrase(folder: VoyageFolder) -> bool:
    return folder.voyage_file().keys.envelope == "passphrase"
