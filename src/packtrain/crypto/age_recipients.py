"""Whom an age file is sealed to, and who opens it: X25519, ssh-ed25519 and passphrase stanzas around one file key.

A recipient is "age1...", "ssh-ed25519 AAAA..." or a `Passphrase`; an identity is "AGE-SECRET-KEY-1...", the text of an
OpenSSH private key file, or a `Passphrase`. Volumes use X25519 alone; the other two are for key envelopes.

Source: c2sp.org/age, "X25519 recipient stanza" and "scrypt recipient stanza"; filippo.io/age/agessh for ssh-ed25519.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from packtrain.crypto import bech32, sshsig
from packtrain.errors import AgeFormatError, KeyMalformed

FILE_KEY_BYTES: Final = 16
WORK_FACTOR: Final = 18
"""log2 of scrypt's N for what we seal: 256 MiB of memory and about a second a guess."""
MAX_WORK_FACTOR: Final = 20
"""The largest that is tried on reading: 1 GiB and some seconds; a hostile file may ask for hours."""

_X25519: Final = "X25519"
_SSH_ED25519: Final = "ssh-ed25519"
_SCRYPT: Final = "scrypt"
_X25519_INFO: Final = b"age-encryption.org/v1/X25519"
_SSH_ED25519_INFO: Final = b"age-encryption.org/v1/ssh-ed25519"
_SCRYPT_SALT: Final = b"age-encryption.org/v1/scrypt"
_WRAPPED_BYTES: Final = FILE_KEY_BYTES + 16
_KEY_BYTES: Final = 32
_SALT_BYTES: Final = 16
_TAG_BYTES: Final = 4
_IDENTITY_PREFIX: Final = "age-secret-key-"
_RECIPIENT_PREFIX: Final = "age"
_WORK_FACTOR: Final = re.compile("[1-9][0-9]{0,2}")
_FIELD_PRIME: Final = 2**255 - 19


@dataclass(frozen=True, slots=True)
class Passphrase:
    """A passphrase: recipient and identity at once. Its text is never shown.

    Attributes:
        text: what a person typed.
        work_factor: log2 of scrypt's N for sealing; a file that is read says its own.
    """

    text: str = field(repr=False)
    work_factor: int = WORK_FACTOR


Recipient = str | Passphrase
Identity = str | Passphrase


@dataclass(frozen=True, slots=True)
class Stanza:
    """One recipient stanza: what it says in its first line, and its decoded body."""

    kind: str
    arguments: tuple[str, ...]
    body: bytes


# --- recipients and identities as text -------------------------------------------------------------------------------


def hkdf(key: bytes, salt: bytes, info: bytes) -> bytes:
    """Return 32 bytes of HKDF-SHA-256."""
    return HKDF(algorithm=SHA256(), length=_KEY_BYTES, salt=salt, info=info).derive(key)


def generate_identity() -> str:
    """Return a fresh age identity ("AGE-SECRET-KEY-1..."): a secret, never to be logged."""
    return bech32.encode(_IDENTITY_PREFIX, X25519PrivateKey.generate().private_bytes_raw()).upper()


def recipient_of(identity: str) -> str:
    """Return the recipient of an identity: "age1...", or "ssh-ed25519 AAAA..." for an OpenSSH private key.

    Raises:
        KeyMalformed: `identity` is neither.
    """
    if is_ssh_identity(identity):
        return sshsig.public_line_of(sshsig.private_key(identity.encode(), "the key"))
    return bech32.encode(_RECIPIENT_PREFIX, parse_identity(identity).public_key().public_bytes_raw())


def is_ssh_identity(text: str) -> bool:
    """Return whether a text looks like an OpenSSH private key file and not like an age identity."""
    return text.lstrip().startswith("-----BEGIN ")


def parse_identity(text: str) -> X25519PrivateKey:
    """Return the private key of an age identity; the error never repeats the text.

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
    """Return the public key of an X25519 recipient.

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


def check_recipient(text: str) -> str:
    """Return a public recipient ("age1..." or "ssh-ed25519 AAAA...") without comment and surrounding space.

    Raises:
        KeyMalformed: it is neither, or a point that keeps no secret.
    """
    if text.strip().startswith(_SSH_ED25519 + " "):
        return sshsig.check_public_line(text)
    parse_recipient(text)
    return text.strip()


# --- sealing ---------------------------------------------------------------------------------------------------------


def wrap(recipient: Recipient, file_key: bytes) -> Stanza:
    """Return the stanza that hands `file_key` to a recipient.

    Raises:
        KeyMalformed: the recipient is not well formed, or is a point that keeps no secret.
    """
    if isinstance(recipient, Passphrase):
        return _wrap_scrypt(recipient, file_key)
    if recipient.strip().startswith(_SSH_ED25519 + " "):
        return _wrap_ssh(sshsig.check_public_line(recipient), file_key)
    return _wrap_x25519(recipient, file_key)


def _wrap_x25519(recipient: str, file_key: bytes) -> Stanza:
    public = parse_recipient(recipient)
    share, secret = _ephemeral_secret(public, recipient)
    wrapping_key = hkdf(secret, share + public.public_bytes_raw(), _X25519_INFO)
    return Stanza(_X25519, (encode64(share).decode(),), _seal(wrapping_key, file_key))


def _wrap_ssh(public_line: str, file_key: bytes) -> Stanza:
    blob = base64.b64decode(public_line.split()[1])
    public = X25519PublicKey.from_public_bytes(_montgomery(blob[-_KEY_BYTES:]))
    share, secret = _ephemeral_secret(public, public_line)
    wrapping_key = _ssh_wrapping_key(secret, share, public.public_bytes_raw(), blob)
    return Stanza(_SSH_ED25519, (_ssh_tag(blob), encode64(share).decode()), _seal(wrapping_key, file_key))


def _wrap_scrypt(passphrase: Passphrase, file_key: bytes) -> Stanza:
    assert 1 <= passphrase.work_factor <= MAX_WORK_FACTOR, passphrase.work_factor
    if not passphrase.text:
        raise KeyMalformed("the passphrase is empty", hint="an empty one keeps nothing secret")
    salt = os.urandom(_SALT_BYTES)
    wrapping_key = _stretch(passphrase.text, salt, passphrase.work_factor)
    arguments = (encode64(salt).decode(), str(passphrase.work_factor))
    return Stanza(_SCRYPT, arguments, _seal(wrapping_key, file_key))


def _ephemeral_secret(public: X25519PublicKey, recipient: str) -> tuple[bytes, bytes]:
    ephemeral = X25519PrivateKey.generate()
    try:
        secret = ephemeral.exchange(public)
    except ValueError as error:
        raise KeyMalformed("the recipient is a weak point, which keeps no secret", found=recipient) from error
    return ephemeral.public_key().public_bytes_raw(), secret


# --- opening ---------------------------------------------------------------------------------------------------------


def check_stanzas(stanzas: tuple[Stanza, ...]) -> None:
    """Raise unless every stanza of a kind known here has its form, before any secret is used.

    Raises:
        AgeFormatError: a stanza is malformed, a passphrase does not stand alone, or asks for too much work.
    """
    if any(stanza.kind == _SCRYPT for stanza in stanzas) and len(stanzas) > 1:
        raise AgeFormatError("a passphrase stanza stands beside others", expected="alone, or not at all")
    for stanza in stanzas:
        match stanza.kind:
            case "X25519":
                _check_share(stanza, num_arguments=1)
            case "ssh-ed25519":
                _check_share(stanza, num_arguments=2)
                if len(decode64(stanza.arguments[0].encode())) != _TAG_BYTES:
                    raise AgeFormatError("an ssh-ed25519 stanza's key tag has the wrong length", expected="4 bytes")
            case "scrypt":
                _check_scrypt(stanza)
            case _:
                pass  # grease, or a kind of a later age: passed over


def unwrap(identity: Identity, stanzas: tuple[Stanza, ...]) -> bytes | None:
    """Return the file key that an identity takes out of checked stanzas, or None where it fits none.

    Raises:
        KeyMalformed: the identity is malformed.
        AgeFormatError: a share is a point that gives no secret.
    """
    if isinstance(identity, Passphrase):
        return _first(_unwrap_scrypt(identity, stanza) for stanza in stanzas if stanza.kind == _SCRYPT)
    if is_ssh_identity(identity):
        private = sshsig.private_key(identity.encode(), "the key")
        seed = private.private_bytes_raw()
        # age's rule: the scalar by which Ed25519 itself signs, on the same curve in its other form.
        scalar = X25519PrivateKey.from_private_bytes(hashlib.sha512(seed).digest()[:_KEY_BYTES])
        blob = base64.b64decode(sshsig.public_line_of(private).split()[1])
        return _first(_unwrap_ssh(scalar, blob, stanza) for stanza in stanzas if stanza.kind == _SSH_ED25519)
    private_x25519 = parse_identity(identity)
    return _first(_unwrap_x25519(private_x25519, stanza) for stanza in stanzas if stanza.kind == _X25519)


def _first(file_keys: Iterable[bytes | None]) -> bytes | None:
    return next((file_key for file_key in file_keys if file_key is not None), None)


def _unwrap_x25519(private: X25519PrivateKey, stanza: Stanza) -> bytes | None:
    share = decode64(stanza.arguments[0].encode())
    secret = _secret(private, share, stanza.kind)
    key = hkdf(secret, share + private.public_key().public_bytes_raw(), _X25519_INFO)
    return _open(key, stanza.body)


def _unwrap_ssh(scalar: X25519PrivateKey, blob: bytes, stanza: Stanza) -> bytes | None:
    if stanza.arguments[0] != _ssh_tag(blob):
        return None
    share = decode64(stanza.arguments[1].encode())
    secret = _secret(scalar, share, stanza.kind)
    key = _ssh_wrapping_key(secret, share, scalar.public_key().public_bytes_raw(), blob)
    # The tag has 32 bits, so another key may bear it too: a key that does not fit is no fault of the file.
    return _open(key, stanza.body)


def _unwrap_scrypt(passphrase: Passphrase, stanza: Stanza) -> bytes | None:
    salt = decode64(stanza.arguments[0].encode())
    return _open(_stretch(passphrase.text, salt, int(stanza.arguments[1])), stanza.body)


def _check_share(stanza: Stanza, *, num_arguments: int) -> None:
    share = decode64(stanza.arguments[-1].encode()) if len(stanza.arguments) == num_arguments else b""
    if len(share) != _KEY_BYTES or len(stanza.body) != _WRAPPED_BYTES:
        raise AgeFormatError(
            f"an {stanza.kind} stanza has parts of the wrong length", expected="one share and one key, 32 bytes each"
        )


def _check_scrypt(stanza: Stanza) -> None:
    salt, work = stanza.arguments if len(stanza.arguments) == 2 else ("", "")
    if len(decode64(salt.encode())) != _SALT_BYTES or len(stanza.body) != _WRAPPED_BYTES:
        raise AgeFormatError(
            "a passphrase stanza has parts of the wrong length", expected="a salt of 16 bytes and a key of 32"
        )
    if _WORK_FACTOR.fullmatch(work) is None:
        raise AgeFormatError("a passphrase stanza's work factor is no decimal number", found=work[:20])
    if int(work) > MAX_WORK_FACTOR:
        raise AgeFormatError(
            "a passphrase stanza asks for more work than is done for any file",
            expected=f"a work factor of at most {MAX_WORK_FACTOR}",
            found=work,
            hint="if you know who made it: open it with age itself and seal it again",
        )


def _secret(private: X25519PrivateKey, share: bytes, kind: str) -> bytes:
    try:
        return private.exchange(X25519PublicKey.from_public_bytes(share))
    except ValueError as error:
        raise AgeFormatError(f"an {kind} stanza's share is a weak point") from error


def _ssh_wrapping_key(secret: bytes, share: bytes, public: bytes, blob: bytes) -> bytes:
    # The tweak binds the secret to the SSH key, so that the same scalar used as an X25519 key opens nothing.
    tweak = X25519PrivateKey.from_private_bytes(hkdf(b"", blob, _SSH_ED25519_INFO))
    tweaked = tweak.exchange(X25519PublicKey.from_public_bytes(secret))
    return hkdf(tweaked, share + public, _SSH_ED25519_INFO)


def _ssh_tag(blob: bytes) -> str:
    return encode64(hashlib.sha256(blob).digest()[:_TAG_BYTES]).decode()


def _montgomery(ed25519_public: bytes) -> bytes:
    """Return the u coordinate on Curve25519 of an Ed25519 public key: (1 + y) / (1 - y)."""
    y = int.from_bytes(ed25519_public, "little") & (1 << 255) - 1
    # y = 1 has no inverse; it is one of the weak points that `check_public_line` refuses.
    u = (1 + y) * pow(1 - y, -1, _FIELD_PRIME) % _FIELD_PRIME
    return u.to_bytes(_KEY_BYTES, "little")


def _stretch(text: str, salt: bytes, work_factor: int) -> bytes:
    kdf = Scrypt(salt=_SCRYPT_SALT + salt, length=_KEY_BYTES, n=1 << work_factor, r=8, p=1)
    return kdf.derive(text.encode())


def _seal(key: bytes, file_key: bytes) -> bytes:
    # The nonce is fixed: a wrapping key is used for this one message only.
    return ChaCha20Poly1305(key).encrypt(bytes(12), file_key, None)


def _open(key: bytes, wrapped: bytes) -> bytes | None:
    try:
        return ChaCha20Poly1305(key).decrypt(bytes(12), wrapped, None)
    except InvalidTag:
        return None


# --- Base64 without padding, as the header spells it -----------------------------------------------------------------


def encode64(payload: bytes) -> bytes:
    """Return Base64 without padding."""
    return base64.b64encode(payload).rstrip(b"=")


def decode64(text: bytes) -> bytes:
    """Return what Base64 without padding says.

    Raises:
        AgeFormatError: not Base64, or not in its one canonical form.
    """
    # Encoding again and comparing refuses padding, foreign characters and stray bits at the end: one form only.
    try:
        payload = base64.b64decode(text + b"=" * (-len(text) % 4), validate=True)
    except binascii.Error as error:
        raise AgeFormatError("malformed Base64 in the header") from error
    if encode64(payload) != text:
        raise AgeFormatError("Base64 in the header is not in its one canonical form")
    return payload
