"""A signature over a folder of model files, as OpenSSF's tool `model_signing` verifies it, with a key of one's own.

A Sigstore bundle (version 0.3) with a DSSE envelope around an in-toto statement that names every file's SHA-256, signed
by an EC key on the curve P-256. Written here because it is small: the tool itself brings some thirty packages, and is
needed only by those who verify.

Source: OpenSSF Model Signing, version 1.0 of its predicate; Sigstore's bundle format 0.3; DSSE's protocol.md.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

import rfc8785
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from packtrain.crypto.dsse import IN_TOTO
from packtrain.crypto.sshsig import dsse_bytes
from packtrain.errors import KeyMalformed

BUNDLE: Final = "application/vnd.dev.sigstore.bundle.v0.3+json"
PREDICATE: Final = "https://model_signing/signature/v1.0"
_STATEMENT: Final = "https://in-toto.io/Statement/v1"


def generate_key() -> tuple[bytes, bytes]:
    """Return a new private key on P-256 (PEM, PKCS #8, not encrypted) and its public key (PEM)."""
    key = ec.generate_private_key(ec.SECP256R1())
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return private, _public_pem(key)


def public_key_of(private_pem: bytes, where: str) -> bytes:
    """Return the public key (PEM) of a private one.

    Raises:
        KeyMalformed: it is no EC key on P-256, or is encrypted.
    """
    return _public_pem(_load(private_pem, where))


def sign_model(name: str, files: Mapping[str, str], ignored: Sequence[str], private_pem: bytes, where: str) -> bytes:
    """Return the bundle over the files of a model, to be kept beside them.

    Args:
        name: of the model: the name of its folder.
        files: path below the folder, with "/" -> SHA-256 of the file. All files of the folder but those in `ignored`.
        ignored: paths that the signature leaves out, its own file among them.
        private_pem: an EC key on P-256.
        where: the key's place, for messages.

    Raises:
        KeyMalformed: it is no EC key on P-256, or is encrypted.
    """
    key = _load(private_pem, where)
    resources = [{"algorithm": "sha256", "digest": files[path], "name": path} for path in sorted(files)]
    root = hashlib.sha256(b"".join(bytes.fromhex(each["digest"]) for each in resources)).hexdigest()
    statement = {
        "_type": _STATEMENT,
        "subject": [{"name": name, "digest": {"sha256": root}}],
        "predicateType": PREDICATE,
        "predicate": {
            "serialization": {
                "method": "files",
                "hash_type": "sha256",
                "allow_symlinks": False,
                "ignore_paths": sorted(ignored),
            },
            "resources": resources,
        },
    }
    payload = rfc8785.dumps(statement)
    signature = key.sign(dsse_bytes(IN_TOTO, payload), ec.ECDSA(hashes.SHA256()))
    bundle: dict[str, Any] = {
        "mediaType": BUNDLE,
        "verificationMaterial": {
            "publicKey": {"hint": hashlib.sha256(_public_pem(key)).hexdigest()},
            "tlogEntries": [],
        },
        "dsseEnvelope": {
            "payload": base64.b64encode(payload).decode("ascii"),
            "payloadType": IN_TOTO,
            "signatures": [{"sig": base64.b64encode(signature).decode("ascii"), "keyid": ""}],
        },
    }
    return json.dumps(bundle, sort_keys=True).encode("ascii")


def _load(private_pem: bytes, where: str) -> ec.EllipticCurvePrivateKey:
    expected = "an EC private key on the curve P-256, in PEM, not encrypted"
    try:
        key = serialization.load_pem_private_key(private_pem, None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise KeyMalformed("key for signing models cannot be read", where=where, expected=expected) from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise KeyMalformed("key for signing models is of another kind", where=where, expected=expected)
    return key


def _public_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
