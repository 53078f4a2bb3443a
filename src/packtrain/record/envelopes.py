"""The key envelopes of the shipment at hand, in keys/: written with the plan, renewed for other recipients."""

from __future__ import annotations

from pathlib import Path

import rfc8785

from packtrain import durable
from packtrain.digest import sha256_bytes
from packtrain.documents.plan import Plan
from packtrain.documents.shipment_key import ShipmentKey
from packtrain.record import keys
from packtrain.record.folder import VoyageFolder


def recipients_digest(folder: VoyageFolder) -> str:
    """Return the SHA-256 over all parties' age recipients."""
    members = [[party.role, party.recipient] for party in folder.parties().parties]
    return sha256_bytes(rfc8785.dumps(members))


def write_envelopes(folder: VoyageFolder, key: ShipmentKey, marker: Path) -> None:
    """Seal a shipment key to the parties, into keys/; `marker` then says to which recipients.

    Raises:
        KeyMissing: parties.json names no consignor, or the signing key is not there.
    """
    envelopes = keys.wrap(key, folder.signer(), folder.parties())
    for name in (keys.CONSIGNOR_ENVELOPE, keys.SITE_ENVELOPE):
        if name in envelopes:
            durable.write_bytes(folder.keys / name, envelopes[name], 0o600)
        else:
            (folder.keys / name).unlink(missing_ok=True)
    durable.write_bytes(marker, recipients_digest(folder).encode("ascii"))


def renew_envelopes(folder: VoyageFolder, shipment: str, marker: Path) -> None:
    """Seal the key anew if parties.json has other recipients now: it is opened by the consignor's own envelope.

    Raises:
        KeyMissing: the consignor's envelope or identity is not there.
        WrongKey, SignatureInvalid, UntrustedSigner, DocumentError, AgeFormatError: see `keys.open_inner`.
    """
    if marker.is_file() and marker.read_bytes() == recipients_digest(folder).encode("ascii"):
        return
    path = folder.keys / keys.CONSIGNOR_ENVELOPE
    envelope = keys.read_envelope(path, "without it nobody at home can open the shipment; bring keys/ from its backup")
    key = keys.open_inner(
        envelope,
        folder.identity(),
        folder.trust(),
        str(path),
        shipment=shipment,
        plan=folder.digest(Plan),
        role="consignor",
    )
    write_envelopes(folder, key, marker)
