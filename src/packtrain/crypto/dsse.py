"""Envelopes of DSSE with one ed25519 signature: statement and signature in one file, as readers of in-toto take them.

Written in one form only, canonical JSON with plain Base64, and read in that form only: two readers never disagree about
what was signed.

Source: DSSE's envelope.md and protocol.md, version 1.0; in-toto's envelope.md for the type.
"""

from __future__ import annotations

import base64
import json
from typing import Any, Final

import rfc8785

from packtrain.crypto import sshsig
from packtrain.crypto.sshsig import SshSigner
from packtrain.errors import SignatureInvalid

IN_TOTO: Final = "application/vnd.in-toto+json"
_SHAPE: Final = "one envelope with payload, payloadType and one signature, in canonical JSON"


def seal(signer: SshSigner, body: bytes) -> bytes:
    """Return the envelope of an in-toto Statement, signed; its key id is the fingerprint that `ssh-keygen -l` shows."""
    return _written(body, signer.fingerprint, signer.sign_dsse(IN_TOTO, body))


def key_id(envelope: bytes, where: str) -> str:
    """Return the fingerprint that an envelope names: a hint which key to try, and never a reason to trust.

    Raises:
        SignatureInvalid: it is not an envelope as `seal` writes it.
    """
    return _taken_apart(envelope, where)[1]


def unseal(envelope: bytes, public_line: str, where: str) -> bytes:
    """Return the statement in an envelope after its signature was checked against one key.

    Args:
        envelope: its bytes, from anywhere; the caller bounds their length.
        public_line: the key that must have signed.
        where: file name, for messages.

    Raises:
        SignatureInvalid: not an envelope as `seal` writes it, of another type, or signed by another key or over other
            bytes.
    """
    body, _, signature = _taken_apart(envelope, where)
    try:
        sshsig.verify_dsse(public_line, signature, IN_TOTO, body)
    except SignatureInvalid as error:
        raise SignatureInvalid(error.what, where=where, expected=error.expected, found=error.found) from error
    return body


def _written(body: bytes, key: str, signature: bytes) -> bytes:
    return rfc8785.dumps(
        {
            "payload": base64.b64encode(body).decode(),
            "payloadType": IN_TOTO,
            "signatures": [{"keyid": key, "sig": base64.b64encode(signature).decode()}],
        }
    )


def _taken_apart(envelope: bytes, where: str) -> tuple[bytes, str, bytes]:
    try:
        read: Any = json.loads(envelope)
        (signed,) = read["signatures"]
        body, key, signature = (
            base64.b64decode(read["payload"], validate=True),
            signed["keyid"],
            base64.b64decode(signed["sig"], validate=True),
        )
        is_canonical = isinstance(key, str) and _written(body, key, signature) == envelope
    except (ValueError, TypeError, KeyError, RecursionError, rfc8785.CanonicalizationError) as error:
        raise SignatureInvalid("not an envelope of DSSE", where=where, expected=_SHAPE) from error
    if not is_canonical:
        raise SignatureInvalid("an envelope of another form or type", where=where, expected=f"{_SHAPE}: {IN_TOTO}")
    return body, key, signature
