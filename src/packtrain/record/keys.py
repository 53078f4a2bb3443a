"""The shipment's age identity: made, wrapped for both ends, forgotten. And how each end unwraps it.

Two envelopes are made. The consignor's is one age file. The site's is an age file inside an age file: outer layer to
the operator, inner to the consignee, so that nobody at the site opens it before `admit`, and the operator alone never.
Envelopes travel with the dossier by another way than the drives; they never lie in a case.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import rfc8785

from packtrain import durable
from packtrain.crypto import age
from packtrain.documents.codec import decode, encode, json_object, namespace
from packtrain.documents.parties import Parties, Role
from packtrain.documents.shipment_key import ShipmentKey
from packtrain.errors import AgeFormatError, DocumentError, KeyMissing, WrongKey
from packtrain.ports import Signer
from packtrain.record.trust import Trust

CONSIGNOR_ENVELOPE: Final = "shipment.consignor.age"
SITE_ENVELOPE: Final = "shipment.site.age"
RELEASE: Final = "release.age"
MAX_ENVELOPE_BYTES: Final = 64 * 1024


def wrap(
    key: ShipmentKey, signer: Signer, parties: Parties, passphrase: age.Passphrase | None = None
) -> dict[str, bytes]:
    """Return the envelopes of a shipment key by file name: the consignor's, and the site's where a site is named.

    Args:
        key: what is wrapped.
        signer: the consignor's.
        parties: to whose recipients.
        passphrase: seals the consignor's envelope in place of its recipient.

    Raises:
        KeyMissing: parties.json names no consignor.
    """
    payload = encode(key)
    signed = rfc8785.dumps({"key": payload.decode("ascii"), "signature": signer.sign(namespace(ShipmentKey), payload)})
    consignor, operator, consignee = (parties.of(role) for role in ("consignor", "operator", "consignee"))
    if consignor is None:
        raise KeyMissing("parties.json names no consignor", where="parties.json")
    envelopes = {CONSIGNOR_ENVELOPE: age.encrypt_bytes(signed, [passphrase or consignor.recipient])}
    if operator is not None and consignee is not None:
        inner = age.encrypt_bytes(signed, [consignee.recipient])
        envelopes[SITE_ENVELOPE] = age.encrypt_bytes(inner, [operator.recipient])
    return envelopes


def open_outer(envelope: bytes, operator_identity: str, where: str) -> bytes:
    """Return the inner envelope (release.age): the operator's step, done by `admit` alone.

    Raises:
        WrongKey: the envelope is not to this operator.
        AgeFormatError: it is no age file, or was altered.
    """
    return _decrypt(envelope, operator_identity, where, "operator")


def open_inner(
    envelope: bytes, identity: age.Identity, trust: Trust, where: str, *, shipment: str, plan: str, role: Role
) -> ShipmentKey:
    """Return the shipment key from release.age or from the consignor's envelope, checked against shipment and plan.

    Raises:
        WrongKey: not to this identity, or the key of another shipment or attempt.
        SignatureInvalid, UntrustedSigner: the payload is not the consignor's.
        DocumentError, AgeFormatError: malformed.
    """
    signed = _decrypt(envelope, identity, where, role)
    body = json_object(signed, where)
    if set(body) != {"key", "signature"}:
        raise DocumentError("envelope does not hold a signed key", where=where, expected="key and signature")
    payload, signature = str(body["key"]).encode("utf-8"), str(body["signature"]).encode("utf-8")
    trust.signer_role(ShipmentKey, payload, signature, where)
    key = decode(ShipmentKey, payload, where)
    if (key.shipment, key.plan) != (shipment, plan):
        raise WrongKey(
            "envelope holds the key of another shipment or attempt",
            where=where,
            expected=f"shipment {shipment}, plan {plan[:12]}",
            found=f"shipment {key.shipment}, plan {key.plan[:12]}",
        )
    return key


def needs_passphrase(envelope: bytes, where: str) -> bool:
    """Return whether a passphrase opens an envelope.

    Raises:
        AgeFormatError: it is no age file.
    """
    try:
        return age.is_passphrase_file(envelope)
    except AgeFormatError as error:
        raise _damaged(error, where) from error


def read_envelope(path: Path, hint: str) -> bytes:
    """Return an envelope's bytes.

    Raises:
        KeyMissing: it is not there.
        DocumentError: it is longer than any envelope.
    """
    try:
        with path.open("rb") as stream:
            payload = stream.read(MAX_ENVELOPE_BYTES + 1)
    except FileNotFoundError as error:
        raise KeyMissing("key envelope is not there", where=str(path), hint=hint) from error
    if len(payload) > MAX_ENVELOPE_BYTES:
        raise DocumentError("key envelope is too long", where=str(path), expected=f"at most {MAX_ENVELOPE_BYTES} bytes")
    return payload


def destroy(path: Path) -> bool:
    """Overwrite a key file with zeros, flush, and remove it; return whether it was there.

    On flash and on copying file systems an overwrite may leave the old cells: the closing record says so.
    """
    try:
        length = path.stat().st_size
    except FileNotFoundError:
        return False
    with path.open("r+b", buffering=0) as stream:
        stream.write(b"\0" * length)
        os.fsync(stream.fileno())
    durable.step(f"overwritten {path.name}")
    path.unlink()
    durable.sync_folder(path.parent)
    return True


def _decrypt(envelope: bytes, identity: age.Identity, where: str, role: str) -> bytes:
    try:
        return age.decrypt_bytes(envelope, [identity], max_bytes=MAX_ENVELOPE_BYTES)
    except AgeFormatError as error:
        raise _damaged(error, where) from error
    except WrongKey as error:
        if isinstance(identity, age.Passphrase) or age.is_passphrase_file(envelope):
            raise WrongKey(
                error.what, where=where, expected=error.expected, found=error.found, hint=error.hint
            ) from error
        raise WrongKey(
            f"this {role}'s key does not open the envelope",
            where=where,
            expected=f"an envelope to {age.recipient_of(identity)}",
            hint="the shipment was packed to other keys; compare recipients in parties.json with the other party",
        ) from error


def _damaged(error: AgeFormatError, where: str) -> AgeFormatError:
    return AgeFormatError(
        f"key envelope cannot be opened: {error.what}",
        where=where,
        expected=error.expected,
        found=error.found,
        hint=error.hint or "it was damaged or replaced: take it from the dossier again",
    )
