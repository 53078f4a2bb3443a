"""Time stamps of RFC 3161, asked for and checked without a network; the library for it is an extra."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from cryptography import x509

from packtrain.errors import KeyMalformed, MissingDependency, SignatureInvalid

MAX_TOKEN_BYTES: Final = 64 * 1024
MAX_ROOT_BYTES: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class Stamp:
    """What a token says, to the second: the stamped bytes are not younger than `latest`; and who says so."""

    earliest: str
    latest: str
    authority: str


def stamp_request(payload: bytes) -> bytes:
    """Return a request for a stamp over the SHA-256 of some bytes, in DER; MissingDependency without the extra.

    It has no nonce: a token that was given before for the same bytes proves as much, or more.
    """
    library = _library()
    builder = library.TimestampRequestBuilder(data=payload, hash_algorithm=library.HashAlgorithm.SHA256, nonce=False)
    return bytes(builder.build().as_bytes())


def verify_stamp(token: bytes, payload: bytes, root: bytes, where: str) -> Stamp:
    """Return what a time stamping response says of some bytes.

    Args:
        token: the response of the authority, in DER, its certificates in it.
        payload: what was stamped.
        root: the certificate of the authority that this party trusts, PEM or DER.
        where: the token, for messages.

    Raises:
        MissingDependency: the extra is not installed.
        KeyMalformed: the certificate cannot be read.
        SignatureInvalid: the token is none, is over other bytes, or not signed under that certificate.
    """
    library = _library()
    if len(token) > MAX_TOKEN_BYTES or len(root) > MAX_ROOT_BYTES:
        raise SignatureInvalid("time stamp or certificate is too long", where=where)
    certificate = _certificate(root)
    try:
        response = library.decode_timestamp_response(token)
        verifier = library.VerifierBuilder(roots=[certificate]).build()
        verifier.verify_message(response, payload)
        info = response.tst_info
        at = info.gen_time.astimezone(UTC) if info.gen_time.tzinfo else info.gen_time.replace(tzinfo=UTC)
        margin = _accuracy(info.accuracy)
    except (library.VerificationError, ValueError, TypeError, AttributeError, OverflowError) as error:
        raise SignatureInvalid(
            f"the time stamp does not hold: {str(error)[:200]}",
            where=where,
            expected="a response over this head, under the given certificate",
            hint='"packtrain custody stamp --request FILE" writes what the authority is to be given',
        ) from error
    latest = at + margin
    if latest.microsecond:
        latest += timedelta(seconds=1)
    return Stamp(_instant(at - margin), _instant(latest), certificate.subject.rfc4514_string())


def _certificate(root: bytes) -> x509.Certificate:
    try:
        if root.lstrip().startswith(b"-----BEGIN"):
            return x509.load_pem_x509_certificate(root)
        return x509.load_der_x509_certificate(root)
    except ValueError as error:
        hint = "--ca names the certificate of the authority, from that authority; --token names its response"
        raise KeyMalformed("not a certificate", expected="X.509, PEM or DER", hint=hint) from error


def _accuracy(accuracy: Any) -> timedelta:
    if accuracy is None:
        return timedelta()
    parts = {"seconds": accuracy.seconds, "milliseconds": accuracy.millis, "microseconds": accuracy.micros}
    return timedelta(**{name: part or 0 for name, part in parts.items()})


def _instant(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def _library() -> Any:
    try:
        return importlib.import_module("rfc3161_client")
    except ImportError as error:
        raise MissingDependency(
            "time stamps need rfc3161-client",
            expected="packtrain[timestamp]",
            found=error.name,
            hint='pip install "packtrain[timestamp]"',
        ) from error
