"""Signatures in OpenSSH's SSHSIG format with ssh-ed25519 keys: what `ssh-keygen -Y verify` checks.

The same keys sign envelopes of DSSE (dsse.py), for readers of in-toto.

Source: OpenSSH's PROTOCOL.sshsig and PROTOCOL.key; RFC 8709 for the key's form; DSSE's protocol.md, version 1.0.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from pathlib import Path
from typing import Final, Self

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_ssh_private_key,
)

from packtrain import durable
from packtrain.errors import KeyExists, KeyMalformed, KeyMissing, SignatureInvalid

_KEY_TYPE: Final = b"ssh-ed25519"
_MAGIC: Final = b"SSHSIG"
_VERSION: Final = (1).to_bytes(4, "big")
_DIGESTS: Final = {b"sha512": hashlib.sha512, b"sha256": hashlib.sha256}
_BEGIN: Final = "-----BEGIN SSH SIGNATURE-----"
_END: Final = "-----END SSH SIGNATURE-----"
_ARMOUR_COLUMNS: Final = 70
_MAX_ARMOUR_COLUMNS: Final = 76
# An ed25519 signature is 300 to 600 characters by the length of its namespace; an RSA one, which must get its own
# message, below 3,000.
_MAX_SIGNATURE_CHARACTERS: Final = 8192
_MAX_KEY_FILE_BYTES: Final = 16 * 1024
_MAX_PUBLIC_LINE: Final = 4096
_FIELD_PRIME: Final = 2**255 - 19
# Points of small order sign every message at once: a party with such a key could deny any signature of its own.
_ORDER_EIGHT_Y: Final = 0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7
_WEAK_Y: Final = frozenset({0, 1, _FIELD_PRIME - 1, _ORDER_EIGHT_Y, _FIELD_PRIME - _ORDER_EIGHT_Y})


class SshSigner:
    """A private ssh-ed25519 key that signs.

    Attributes:
        public_line: "ssh-ed25519 AAAA...", without a comment.
        fingerprint: "SHA256:...", as `ssh-keygen -l` shows it.
    """

    def __init__(self, private: Ed25519PrivateKey) -> None:
        self._private = private
        self._public_blob = _public_blob(private.public_key().public_bytes_raw())
        self.public_line = _line(self._public_blob)
        self.fingerprint = fingerprint(self.public_line)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Return the signer of an OpenSSH private key file without a passphrase.

        Raises:
            KeyMissing: there is no such file.
            KeyMalformed: it is not an OpenSSH private key, has a passphrase, or is of another type than ed25519.
        """
        try:
            with path.open("rb") as stream:
                text = stream.read(_MAX_KEY_FILE_BYTES + 1)
        except FileNotFoundError as error:
            raise KeyMissing(
                "the signing key is not there",
                where=str(path),
                hint='correct its path; the key of this party was made by "packtrain init": bring that from its backup',
            ) from error
        if len(text) > _MAX_KEY_FILE_BYTES:
            raise KeyMalformed(
                "too long for a private key", where=str(path), expected=f"<= {_MAX_KEY_FILE_BYTES} bytes"
            )
        return cls(private_key(text, str(path)))

    def sign(self, namespace: str, payload: bytes) -> str:
        """Return the armoured signature of `payload` for `namespace`, with a line feed at its end."""
        assert namespace, "SSHSIG forbids an empty namespace"
        space = namespace.encode()
        return _armour(self._public_blob, space, self._private.sign(_signed_bytes(space, b"sha512", payload)))

    def sign_dsse(self, payload_type: str, body: bytes) -> bytes:
        """Return the plain ed25519 signature over DSSE's encoding of a typed body: 64 bytes, for an envelope of DSSE.

        The encoding is made here, so that no caller gets a signature over bytes of its choice. It begins with "DSSEv1 "
        and what `sign` signs with "SSHSIG"; what SSH itself signs when a key logs in begins with a length, whose first
        byte is zero. No signature of one kind can be shown as one of another.
        """
        return self._private.sign(dsse_bytes(payload_type, body))


def raw_signature(signature: str) -> bytes:
    """Return the 64 bytes of ed25519 inside an armoured signature; whether they fit anything is `verify`'s part.

    Raises:
        SignatureInvalid: the text is no SSHSIG signature, or of another key type.
    """
    reader = _Reader(_unarmour(signature))
    reader.take(len(_MAGIC) + 4)
    return _ed25519_part([reader.string() for _ in range(5)][-1], 64, "the signature")


def rebuild(public_line: str, namespace: str, raw: bytes) -> str:
    """Return the armoured text of a signature as `SshSigner.sign` writes it, from its 64 bytes and who made it.

    Raises:
        KeyMalformed: see `check_public_line`.
    """
    assert len(raw) == 64, "an ed25519 signature has 64 bytes"
    return _armour(_decode64(check_public_line(public_line).split()[1]), namespace.encode(), raw)


def generate_key_pair(private_path: Path, comment: str) -> str:
    """Write a fresh key to `private_path` (mode 0600), its public line to the same name with ".pub"; return the line.

    Raises:
        KeyExists: one of the two files is there already.
        DriveFull: no space is left.
    """
    assert comment.isprintable(), comment
    public_path = private_path.with_name(private_path.name + ".pub")
    for path in (private_path, public_path):
        if path.exists() or path.is_symlink():
            raise KeyExists(
                "a key is there already",
                where=str(path),
                hint="signatures made with it would lose their signer; keep it, or move it away yourself",
            )
    signer = SshSigner(private := Ed25519PrivateKey.generate())
    durable.write_bytes(private_path, private.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()), 0o600)
    durable.write_bytes(public_path, f"{signer.public_line} {comment}".strip().encode() + b"\n")
    return signer.public_line


def private_key(text: bytes, where: str) -> Ed25519PrivateKey:
    """Return the key of an OpenSSH private key file without a passphrase.

    Args:
        text: the file's bytes.
        where: its name, for messages.

    Raises:
        KeyMalformed: it is no such file, has a passphrase, or is of another type than ed25519.
    """
    try:
        private = load_ssh_private_key(text, password=None)
    except TypeError as error:
        raise KeyMalformed(
            "the key has a passphrase",
            where=where,
            expected="a key file without one",
            hint="make a key for this voyage alone, or remove the passphrase of a copy: ssh-keygen -p -f COPY",
        ) from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise KeyMalformed("not an OpenSSH private key", where=where, hint="ssh-keygen -t ed25519 makes one") from error
    if not isinstance(private, Ed25519PrivateKey):
        raise KeyMalformed(
            "the key is of another type",
            where=where,
            expected="ed25519",
            found=type(private).__name__.strip("_").removesuffix("PrivateKey"),
            hint="ssh-keygen -t ed25519 makes one",
        )
    return private


def public_line_of(private: Ed25519PrivateKey) -> str:
    """Return "ssh-ed25519 AAAA..." of a private key."""
    return _line(_public_blob(private.public_key().public_bytes_raw()))


def verify(signature: str, namespace: str, payload: bytes) -> str:
    """Return the public line of the key that signed `payload` for `namespace`; to trust it or not is the caller's part.

    Raises:
        SignatureInvalid: the text is no SSHSIG signature, is of another namespace or key type, or does not fit.
    """
    reader = _Reader(_unarmour(signature))
    if reader.take(len(_MAGIC)) != _MAGIC or reader.take(4) != _VERSION:
        raise SignatureInvalid("not an SSHSIG signature of version 1")
    public_blob, space, reserved, digest, signed = (reader.string() for _ in range(5))
    reader.finish()
    key_bytes = _ed25519_part(public_blob, 32, "the signer's key")
    if space != namespace.encode():
        raise SignatureInvalid(
            "the signature was made for another purpose",
            expected=namespace,
            found=ascii(space[:100].decode("utf-8", "replace")),
        )
    if reserved or digest not in _DIGESTS:
        raise SignatureInvalid("the signature uses an unknown digest or a reserved field", expected="sha512 or sha256")
    raw_signature = _ed25519_part(signed, 64, "the signature")
    if _is_weak(key_bytes):
        raise SignatureInvalid("the signer's key is a weak point that fits any document")
    try:
        Ed25519PublicKey.from_public_bytes(key_bytes).verify(raw_signature, _signed_bytes(space, digest, payload))
    except InvalidSignature as error:
        raise SignatureInvalid(
            "the signature does not fit the document",
            found=f"a signature by {fingerprint(_line(public_blob))}",
            hint="the document was changed after it was signed, or the signature belongs to another one",
        ) from error
    return _line(public_blob)


def verify_dsse(public_line: str, signature: bytes, payload_type: str, body: bytes) -> None:
    """Check a plain ed25519 signature over DSSE's encoding of a typed body.

    Raises:
        KeyMalformed: see `check_public_line`.
        SignatureInvalid: it has the wrong length, or is not this key's over this type and body.
    """
    key_bytes = _ed25519_part(base64.b64decode(check_public_line(public_line).split()[1]), 32, "the signer's key")
    if len(signature) != 64:
        raise SignatureInvalid(
            "the signature has the wrong length", expected="64 bytes", found=f"{len(signature)} bytes"
        )
    try:
        Ed25519PublicKey.from_public_bytes(key_bytes).verify(signature, dsse_bytes(payload_type, body))
    except InvalidSignature as error:
        raise SignatureInvalid(
            "the signature does not fit the statement", expected=f"a signature by {fingerprint(public_line)}"
        ) from error


def check_public_line(text: str) -> str:
    """Return "ssh-ed25519 AAAA..." without comment and surrounding space.

    Raises:
        KeyMalformed: it is not a public key line of that type, or the key is a weak point.
    """
    words = text.split() if len(text) <= _MAX_PUBLIC_LINE and "\n" not in text.strip() else []
    if len(words) < 2 or words[0] != _KEY_TYPE.decode():
        raise KeyMalformed(
            "not an ssh-ed25519 public key",
            expected="ssh-ed25519 AAAA...",
            found=ascii(text[:60]),
            hint="give the one line of the .pub file; ssh-keygen -t ed25519 makes such a key",
        )
    try:
        key_bytes = _ed25519_part(_decode64(words[1]), 32, "the public key")
    except SignatureInvalid as error:
        raise KeyMalformed(error.what, expected="ssh-ed25519 AAAA...", found=ascii(text[:60])) from error
    if _is_weak(key_bytes):
        raise KeyMalformed("the public key is a weak point that fits any document", found=ascii(text[:100]))
    return _line(_public_blob(key_bytes))


def fingerprint(public_line: str) -> str:
    """Return "SHA256:..." of a public key line, as `ssh-keygen -l` shows it.

    Raises:
        KeyMalformed: see `check_public_line`.
    """
    blob = base64.b64decode(check_public_line(public_line).split()[1])
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")


class _Reader:
    """Takes length-prefixed parts from a blob; a length beyond the blob is refused before anything is copied."""

    def __init__(self, blob: bytes) -> None:
        self._blob = blob
        self._at = 0

    def take(self, count: int) -> bytes:
        if count > len(self._blob) - self._at:
            raise SignatureInvalid("the signature's blob is cut")
        self._at += count
        return self._blob[self._at - count : self._at]

    def string(self) -> bytes:
        return self.take(int.from_bytes(self.take(4), "big"))

    def finish(self) -> None:
        if self._at != len(self._blob):
            raise SignatureInvalid("the signature's blob has bytes after its end")


def _armour(public_blob: bytes, space: bytes, raw: bytes) -> str:
    parts = (public_blob, space, b"", b"sha512", _string(_KEY_TYPE) + _string(raw))
    text = base64.b64encode(_MAGIC + _VERSION + b"".join(map(_string, parts))).decode()
    lines = [text[at : at + _ARMOUR_COLUMNS] for at in range(0, len(text), _ARMOUR_COLUMNS)]
    return "\n".join([_BEGIN, *lines, _END, ""])


def _unarmour(text: str) -> bytes:
    if len(text) > _MAX_SIGNATURE_CHARACTERS:
        raise SignatureInvalid("too long for a signature", expected=f"at most {_MAX_SIGNATURE_CHARACTERS} characters")
    lines = text.removesuffix("\n").split("\n")
    if len(lines) < 3 or lines[0] != _BEGIN or lines[-1] != _END:
        raise SignatureInvalid("not an armoured SSH signature", expected=_BEGIN, found=ascii(lines[0][:60]))
    if any(not 1 <= len(line) <= _MAX_ARMOUR_COLUMNS for line in lines[1:-1]):
        raise SignatureInvalid("the signature's armour has an empty or an overlong line")
    return _decode64("".join(lines[1:-1]))


def _decode64(text: str) -> bytes:
    try:
        blob = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise SignatureInvalid("malformed Base64") from error
    if base64.b64encode(blob).decode() != text:
        raise SignatureInvalid("Base64 is not in its one canonical form")
    return blob


def _ed25519_part(blob: bytes, length: int, what: str) -> bytes:
    reader = _Reader(blob)
    kind = reader.string()
    if kind != _KEY_TYPE:
        raise SignatureInvalid(
            f"{what} is of a type that is not accepted",
            expected="ssh-ed25519",
            found=ascii(kind[:60].decode("utf-8", "replace")),
            hint="sign with an ed25519 key: ssh-keygen -t ed25519 makes one",
        )
    part = reader.string()
    reader.finish()
    if len(part) != length:
        raise SignatureInvalid(f"{what} has the wrong length", expected=f"{length} bytes", found=f"{len(part)} bytes")
    return part


def _is_weak(key_bytes: bytes) -> bool:
    y = int.from_bytes(key_bytes, "little") & (1 << 255) - 1
    return y % _FIELD_PRIME in _WEAK_Y


def _signed_bytes(namespace: bytes, digest: bytes, payload: bytes) -> bytes:
    parts = (namespace, b"", digest, _DIGESTS[digest](payload).digest())
    return _MAGIC + b"".join(_string(part) for part in parts)


def dsse_bytes(payload_type: str, body: bytes) -> bytes:
    """Return PAE of DSSE v1: the lengths are written, so that type and body cannot be cut elsewhere."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(body), body)


def _string(part: bytes) -> bytes:
    return len(part).to_bytes(4, "big") + part


def _public_blob(key_bytes: bytes) -> bytes:
    return _string(_KEY_TYPE) + _string(key_bytes)


def _line(public_blob: bytes) -> str:
    return f"{_KEY_TYPE.decode()} {base64.b64encode(public_blob).decode()}"
