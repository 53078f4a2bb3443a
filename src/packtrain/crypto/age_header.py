"""The text header of an age v1 file: stanzas, the wrapped file key, and the MAC over all of it.

Source: c2sp.org/age, "Header" and "X25519 recipient stanza".
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from packtrain.crypto import bech32
from packtrain.errors import AgeFormatError, KeyMalformed, WrongKey

VERSION_LINE: Final = b"age-encryption.org/v1\n"
FILE_KEY_BYTES: Final = 16
MAX_HEADER_BYTES: Final = 64 * 1024
MAX_STANZAS: Final = 32

_X25519_INFO: Final = b"age-encryption.org/v1/X25519"
_WRAPPED_BYTES: Final = FILE_KEY_BYTES + 16
_KEY_BYTES: Final = 32
_BODY_COLUMNS: Final = 64
_IDENTITY_PREFIX: Final = "age-secret-key-"
_RECIPIENT_PREFIX: Final = "age"
# "-> X25519 " + share + LF + wrapped key + LF; both are 32 bytes, which is 43 characters of Base64 without padding.
X25519_STANZA_BYTES: Final = 10 + 43 + 1 + 43 + 1
MAC_LINE_BYTES: Final = 4 + 43 + 1


@dataclass(frozen=True, slots=True)
class Stanza:
    """One recipient stanza: what it says in its first line, and its decoded body."""

    kind: str
    arguments: tuple[str, ...]
    body: bytes


@dataclass(frozen=True, slots=True)
class Header:
    """A parsed header; `signed_bytes` is what the MAC covers, up to and with the three dashes."""

    stanzas: tuple[Stanza, ...]
    signed_bytes: bytes
    mac: bytes


def hkdf(key: bytes, salt: bytes, info: bytes) -> bytes:
    """Return 32 bytes of HKDF-SHA-256."""
    return HKDF(algorithm=SHA256(), length=_KEY_BYTES, salt=salt, info=info).derive(key)


def generate_identity() -> str:
    """Return a fresh age identity ("AGE-SECRET-KEY-1..."): a secret, never to be logged."""
    return bech32.encode(_IDENTITY_PREFIX, X25519PrivateKey.generate().private_bytes_raw()).upper()


def recipient_of(identity: str) -> str:
    """Return the recipient ("age1...") that belongs to an identity.

    Raises:
        KeyMalformed: `identity` is not an age X25519 identity.
    """
    return bech32.encode(_RECIPIENT_PREFIX, parse_identity(identity).public_key().public_bytes_raw())


def parse_identity(text: str) -> X25519PrivateKey:
    """Return the private key of an identity; the error never repeats the text.

    Raises:
        KeyMalformed: it is not one line "AGE-SECRET-KEY-1...".
    """
    fault = KeyMalformed(
        "not an age identity", expected="one line AGE-SECRET-KEY-1...", hint="check that the file is complete"
    )
    stripped = text.strip()
    try:
        prefix, payload = bech32.decode(stripped)
    except ValueError as error:
        raise fault from error
    if prefix != _IDENTITY_PREFIX or len(payload) != _KEY_BYTES or stripped != stripped.upper():
        raise fault
    return X25519PrivateKey.from_private_bytes(payload)


def parse_recipient(text: str) -> X25519PublicKey:
    """Return the public key of a recipient.

    Raises:
        KeyMalformed: it is not "age1..." in lower case with a valid checksum.
    """
    stripped = text.strip()
    shown = stripped if len(stripped) <= 80 else stripped[:77] + "..."
    if stripped.upper().startswith(_IDENTITY_PREFIX.upper()):
        shown = "an identity (a secret key), which must never stand where a recipient is asked"
    try:
        prefix, payload = bech32.decode(stripped)
    except ValueError as error:
        raise KeyMalformed(f"not an age recipient: {error}", expected="age1...", found=shown) from error
    if prefix != _RECIPIENT_PREFIX or len(payload) != _KEY_BYTES or stripped != stripped.lower():
        raise KeyMalformed("not an age X25519 recipient", expected="age1..., lower case", found=shown)
    return X25519PublicKey.from_public_bytes(payload)


def seal_header(recipients: Sequence[str], file_key: bytes) -> bytes:
    """Return the header of a file whose key is wrapped for each of `recipients`, with its MAC line.

    Raises:
        KeyMalformed: a recipient is not well formed, or is a point that gives no secret.
    """
    assert 1 <= len(recipients) <= MAX_STANZAS, len(recipients)
    head = VERSION_LINE + b"".join(_x25519_stanza(recipient, file_key) for recipient in recipients) + b"---"
    return head + b" " + _encode64(_mac(file_key, head)) + b"\n"


def _x25519_stanza(recipient: str, file_key: bytes) -> bytes:
    public = parse_recipient(recipient)
    ephemeral = X25519PrivateKey.generate()
    share = ephemeral.public_key().public_bytes_raw()
    try:
        secret = ephemeral.exchange(public)
    except ValueError as error:
        raise KeyMalformed("the recipient is a weak point, which keeps no secret", found=recipient) from error
    wrapping_key = hkdf(secret, share + public.public_bytes_raw(), _X25519_INFO)
    # The nonce is fixed: the wrapping key is used for this one message only.
    wrapped = ChaCha20Poly1305(wrapping_key).encrypt(bytes(12), file_key, None)
    return b"-> X25519 " + _encode64(share) + b"\n" + _encode64(wrapped) + b"\n"


def parse_header(read_line: Callable[[int], bytes]) -> Header:
    """Return the header that the lines of `read_line` hold; it reads no line beyond it.

    Args:
        read_line: gives the next line with its LF, at most as many bytes as asked; shorter without LF at the end.

    Raises:
        AgeFormatError: anything but a header in its one canonical form, within the bounds.
    """
    signed = bytearray()

    version = read_line(len(VERSION_LINE))
    if version != VERSION_LINE:
        raise AgeFormatError("not an age v1 file", expected=repr(VERSION_LINE), found=repr(version))
    signed += version

    def line() -> bytes:
        found = read_line(MAX_HEADER_BYTES - len(signed))
        if not found.endswith(b"\n"):
            raise AgeFormatError("the header is cut, or longer than the bound", expected=f"<= {MAX_HEADER_BYTES} bytes")
        return found

    stanzas: list[Stanza] = []
    while True:
        first = line()
        if first.startswith(b"---"):
            break
        signed += first
        if len(stanzas) == MAX_STANZAS:
            raise AgeFormatError("too many stanzas in the header", expected=f"at most {MAX_STANZAS}")
        kind, *arguments = _stanza_words(first)
        body = bytearray()
        while True:
            body_line = line()
            signed += body_line
            body += body_line[:-1]
            if len(body_line) - 1 < _BODY_COLUMNS:
                break
            if len(body_line) - 1 > _BODY_COLUMNS:
                raise AgeFormatError("a stanza's body is not wrapped at 64 columns")
        stanzas.append(Stanza(kind, tuple(arguments), _decode64(bytes(body))))
    if not stanzas:
        raise AgeFormatError("the header has no stanza")
    if not first.startswith(b"--- "):
        raise AgeFormatError("the header's last line is malformed")
    mac = _decode64(first[4:-1])
    if len(mac) != 32:
        raise AgeFormatError("the header's MAC has the wrong length", expected="32 bytes", found=f"{len(mac)} bytes")
    return Header(tuple(stanzas), bytes(signed) + b"---", mac)


def open_header(header: Header, identities: Sequence[str], *, strict_single_x25519: bool) -> bytes:
    """Return the file key that one of `identities` unwraps, after the MAC was checked with it.

    Raises:
        AgeFormatError: a stanza is malformed, the MAC is wrong, or, if asked, it is not one X25519 stanza alone.
        KeyMalformed: an identity is malformed.
        WrongKey: no identity opens any stanza.
    """
    kinds = [stanza.kind for stanza in header.stanzas]
    if strict_single_x25519 and kinds != ["X25519"]:
        raise AgeFormatError("a volume has exactly one X25519 stanza", expected="X25519", found=", ".join(kinds)[:200])
    if "scrypt" in kinds and len(kinds) > 1:
        raise AgeFormatError("a passphrase stanza stands beside others", expected="alone, or not at all")
    shares = [_check_x25519(stanza) for stanza in header.stanzas if stanza.kind == "X25519"]
    for identity in identities:
        private = parse_identity(identity)
        for share, wrapped in shares:
            file_key = _unwrap(private, share, wrapped)
            if file_key is None:
                continue
            if not hmac.compare_digest(_mac(file_key, header.signed_bytes), header.mac):
                raise AgeFormatError("the header was altered: its MAC does not fit")
            return file_key
    raise WrongKey(
        "no identity opens this age file",
        expected=f"the identity of one of {len(shares)} X25519 recipients",
        found=f"{len(identities)} identities that do not fit",
        hint="use the identity that it was encrypted to; a file of another shipment or another layer looks the same",
    )


def _check_x25519(stanza: Stanza) -> tuple[bytes, bytes]:
    share = _decode64(stanza.arguments[0].encode()) if len(stanza.arguments) == 1 else b""
    if len(share) != _KEY_BYTES or len(stanza.body) != _WRAPPED_BYTES:
        raise AgeFormatError(
            "an X25519 stanza has parts of the wrong length", expected="one share and one key, 32 bytes each"
        )
    return share, stanza.body


def _unwrap(private: X25519PrivateKey, share: bytes, wrapped: bytes) -> bytes | None:
    try:
        secret = private.exchange(X25519PublicKey.from_public_bytes(share))
    except ValueError as error:
        raise AgeFormatError("an X25519 stanza's share is a weak point") from error
    key = hkdf(secret, share + private.public_key().public_bytes_raw(), _X25519_INFO)
    try:
        return ChaCha20Poly1305(key).decrypt(bytes(12), wrapped, None)
    except InvalidTag:
        return None


def _mac(file_key: bytes, signed: bytes) -> bytes:
    return hmac.new(hkdf(file_key, b"", b"header"), signed, hashlib.sha256).digest()


def _stanza_words(first: bytes) -> list[str]:
    prefix, *words = first[:-1].split(b" ")
    if prefix != b"->" or not words or any(not word or any(not 33 <= byte <= 126 for byte in word) for word in words):
        raise AgeFormatError(
            "a stanza's first line is malformed", expected="-> KIND ARGUMENT...", found=repr(first[:60])
        )
    return [word.decode("ascii") for word in words]


def _encode64(payload: bytes) -> bytes:
    return base64.b64encode(payload).rstrip(b"=")


def _decode64(text: bytes) -> bytes:
    # Encoding again and comparing refuses padding, foreign characters and stray bits at the end: one form only.
    try:
        payload = base64.b64decode(text + b"=" * (-len(text) % 4), validate=True)
    except binascii.Error as error:
        raise AgeFormatError("malformed Base64 in the header") from error
    if _encode64(payload) != text:
        raise AgeFormatError("Base64 in the header is not in its one canonical form")
    return payload


def fresh_file_key() -> bytes:
    """Return 16 random bytes."""
    return os.urandom(FILE_KEY_BYTES)
