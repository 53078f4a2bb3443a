"""The text header of an age v1 file: stanzas, the wrapped file key, and the MAC over all of it.

Source: c2sp.org/age, "Header".
"""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from packtrain.crypto.age_recipients import (
    FILE_KEY_BYTES,
    Identity,
    Passphrase,
    Recipient,
    Stanza,
    check_stanzas,
    decode64,
    encode64,
    hkdf,
    unwrap,
    wrap,
)
from packtrain.errors import AgeFormatError, WrongKey
from packtrain.units import quoted

VERSION_LINE: Final = b"age-encryption.org/v1\n"
MAX_HEADER_BYTES: Final = 64 * 1024
MAX_STANZAS: Final = 32

_BODY_COLUMNS: Final = 64
# "-> X25519 " + share + LF + wrapped key + LF; both are 32 bytes, which is 43 characters of Base64 without padding.
X25519_STANZA_BYTES: Final = 10 + 43 + 1 + 43 + 1
MAC_LINE_BYTES: Final = 4 + 43 + 1


@dataclass(frozen=True, slots=True)
class Header:
    """A parsed header; `signed_bytes` is what the MAC covers, up to and with the three dashes."""

    stanzas: tuple[Stanza, ...]
    signed_bytes: bytes
    mac: bytes

    @property
    def has_passphrase(self) -> bool:
        """Return whether a passphrase opens the file."""
        return any(stanza.kind == "scrypt" for stanza in self.stanzas)


def seal_header(recipients: Sequence[Recipient], file_key: bytes) -> bytes:
    """Return the header of a file whose key is wrapped for each of `recipients`, with its MAC line.

    A passphrase stands alone: whoever knows it could otherwise pass a file of others off as sealed by it.

    Raises:
        KeyMalformed: a recipient is not well formed, or is a point that gives no secret.
    """
    assert 1 <= len(recipients) <= MAX_STANZAS, len(recipients)
    assert len(recipients) == 1 or not any(isinstance(recipient, Passphrase) for recipient in recipients)
    head = VERSION_LINE + b"".join(_stanza_text(wrap(recipient, file_key)) for recipient in recipients) + b"---"
    return head + b" " + encode64(_mac(file_key, head)) + b"\n"


def _stanza_text(stanza: Stanza) -> bytes:
    words = " ".join((stanza.kind, *stanza.arguments)).encode("ascii")
    body = encode64(stanza.body)
    assert len(body) < _BODY_COLUMNS, "all kinds that are written have one line of body"
    return b"-> " + words + b"\n" + body + b"\n"


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
        raise AgeFormatError("not an age v1 file", expected=quoted(VERSION_LINE), found=quoted(version))
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
        stanzas.append(Stanza(kind, tuple(arguments), decode64(bytes(body))))
    if not stanzas:
        raise AgeFormatError("the header has no stanza")
    if not first.startswith(b"--- "):
        raise AgeFormatError("the header's last line is malformed")
    mac = decode64(first[4:-1])
    if len(mac) != 32:
        raise AgeFormatError("the header's MAC has the wrong length", expected="32 bytes", found=f"{len(mac)} bytes")
    return Header(tuple(stanzas), bytes(signed) + b"---", mac)


def open_header(header: Header, identities: Sequence[Identity], *, strict_single_x25519: bool) -> bytes:
    """Return the file key that one of `identities` unwraps, after the MAC was checked with it.

    Raises:
        AgeFormatError: a stanza is malformed, the MAC is wrong, or, if asked, it is not one X25519 stanza alone.
        KeyMalformed: an identity is malformed.
        WrongKey: no identity opens any stanza.
    """
    kinds = [stanza.kind for stanza in header.stanzas]
    if strict_single_x25519 and kinds != ["X25519"]:
        raise AgeFormatError("a volume has exactly one X25519 stanza", expected="X25519", found=", ".join(kinds)[:200])
    check_stanzas(header.stanzas)
    for identity in identities:
        file_key = unwrap(identity, header.stanzas)
        if file_key is None:
            continue
        if not hmac.compare_digest(_mac(file_key, header.signed_bytes), header.mac):
            raise AgeFormatError("the header was altered: its MAC does not fit")
        return file_key
    if header.has_passphrase:
        raise WrongKey(
            "the file is sealed with a passphrase",
            expected="the passphrase it was sealed with",
            found="another one" if any(isinstance(identity, Passphrase) for identity in identities) else "none",
            hint="upper and lower case and spaces count; nobody can reset it",
        )
    counts = ", ".join(f"{kinds.count(kind)} {kind}" for kind in dict.fromkeys(kinds))
    raise WrongKey(
        "no identity opens this age file",
        expected=f"the identity of one of its recipients: {counts[:200]}",
        found=f"{len(identities)} identities that do not fit",
        hint="use the identity that it was encrypted to; a file of another shipment or another layer looks the same",
    )


def _mac(file_key: bytes, signed: bytes) -> bytes:
    return hmac.new(hkdf(file_key, b"", b"header"), signed, hashlib.sha256).digest()


def _stanza_words(first: bytes) -> list[str]:
    prefix, *words = first[:-1].split(b" ")
    if prefix != b"->" or not words or any(not word or any(not 33 <= byte <= 126 for byte in word) for word in words):
        raise AgeFormatError(
            "a stanza's first line is malformed", expected="-> KIND ARGUMENT...", found=quoted(first[:60])
        )
    return [word.decode("ascii") for word in words]


def fresh_file_key() -> bytes:
    """Return 16 random bytes."""
    return os.urandom(FILE_KEY_BYTES)
