"""The text of a hand-over's QR code: the last line of a custody log, short enough for a camera. And a second signature.

The line is not in it as it stands in the log: what the reader has already (public keys, the form of a signature, the
spelling of the entry) is left out and put back by rule, so that the line rebuilt is the giver's, byte for byte. Base 32
and not base 45, for it survives being typed, wrapped, sent as a message and written in small letters.

Source: docs/spec/documents.md, "The codes of a hand-over".
"""

from __future__ import annotations

import base64
import binascii
import uuid
import zlib
from dataclasses import dataclass
from typing import Final

import msgspec

from packtrain.crypto import sshsig
from packtrain.documents.codec import decode, encode, json_object, namespace
from packtrain.documents.custody import CustodyEvent
from packtrain.documents.custody_head import CustodyHead
from packtrain.documents.parties import ROLES, Role
from packtrain.errors import CodeUnreadable, CustodyBroken, DocumentError, SignatureInvalid, UntrustedSigner
from packtrain.record.custody import CustodyLine, line_of, open_line
from packtrain.record.heads import HeadSignatures
from packtrain.record.trust import Trust

LINE_PREFIX: Final = "PTC1:"
SECOND_PREFIX: Final = "PTH1:"
MAX_CODE_CHARACTERS: Final = 1400
"""Of one code: version 25 at level M holds 1451; more is not read reliably from a screen by a telephone."""
_MAX_TEXT: Final = 4 * MAX_CODE_CHARACTERS
_MAX_ENTRY_BYTES: Final = 64 * 1024
_RAW: Final = 64
_FORM: Final = 1
_DEFLATED: Final = -15
_FIELDS: Final = ("sequence", "verb", "by", "counterpart", "answers", "cases", "drives", "seals", "note", "at")
_SAME_AS_PREVIOUS: Final = "="


@dataclass(frozen=True, slots=True)
class LineCode:
    """What a line's code says: the line, rebuilt and checked, and its signer's raw signature over the head, if any."""

    line: CustodyLine
    head_signature: bytes | None


@dataclass(frozen=True, slots=True)
class SecondCode:
    """What the other kind of code says: which head (by digest), who signed it, and the raw signature."""

    head: str
    role: Role
    signature: bytes


def write_line_code(line: CustodyLine, trust: Trust, head_signature: bytes | None = None) -> str:
    """Return the text of a code with one line of a log, and with its signer's signature over the head that it makes.

    Raises:
        CodeUnreadable: the entry is too long for a code, or was signed in another spelling than packtrain's.
    """
    event = line.event
    body = [
        getattr(event, name) if name != "answers" or event.answers != event.previous else _SAME_AS_PREVIOUS
        for name in _FIELDS
    ]
    packer = zlib.compressobj(9, zlib.DEFLATED, _DEFLATED)
    packed = packer.compress(msgspec.json.encode(body)) + packer.flush()
    signature = str(json_object(line.payload, "custody line")["signature"])
    signatures = [sshsig.raw_signature(signature)]
    if head_signature is not None:
        signatures.append(sshsig.raw_signature(head_signature.decode("ascii")))
    fixed = bytes.fromhex(event.previous) + uuid.UUID(event.shipment).bytes
    text = _armour(LINE_PREFIX, bytes([_FORM, len(signatures)]) + b"".join(signatures) + fixed + packed)
    if len(text) > MAX_CODE_CHARACTERS:
        raise CodeUnreadable(
            "the entry is too long for a QR code",
            expected=f"at most {MAX_CODE_CHARACTERS} characters",
            found=f"{len(text)}",
            hint="give the hand-over file (--into), or write a shorter note",
        )
    if read_line_code(text, trust, "the own entry").line.payload != line.payload:
        raise CodeUnreadable(
            "the entry is spelt in a way that no code can carry", hint="give the hand-over file: --into"
        )
    return text


def read_line_code(text: str, trust: Trust, where: str) -> LineCode:
    """Return the line that a code's text holds, rebuilt and with its signature checked.

    Raises:
        CodeUnreadable: it is no such code, or was cut, misread or altered so that it does not fit together.
        SignatureInvalid, UntrustedSigner, KeyRevoked: the entry is not signed by the party that it names.
    """
    blob = _unarmour(LINE_PREFIX, text, where)
    form, count = (blob[0], blob[1]) if len(blob) > 1 else (0, 0)
    if form != _FORM or count not in (1, 2):
        raise CodeUnreadable(
            "code of an unknown form",
            where=where,
            expected=f"form {_FORM}",
            found=f"form {form}, {count} signatures",
            hint="use the release of packtrain that wrote it, or a newer one",
        )
    at = 2 + count * _RAW
    if len(blob) <= at + 48:
        raise CodeUnreadable("code is cut short", where=where)
    signatures = [blob[start : start + _RAW] for start in range(2, at, _RAW)]
    previous, shipment = blob[at : at + 32].hex(), str(uuid.UUID(bytes=blob[at + 32 : at + 48]))
    event = _event(_inflate(blob[at + 48 :], where), previous, shipment, where)
    party = trust.parties.of(event.by)
    if party is None:
        raise UntrustedSigner("the code is by a party that parties.json does not name", where=where, found=event.by)
    try:
        payload = encode(event)
        signature = sshsig.rebuild(party.signer, namespace(CustodyEvent), signatures[0])
        line = open_line(line_of(payload, signature), trust, where)
        if trust.revocations:
            trust.refuse_revoked_lines([(line.digest, line.key)], where)
    except SignatureInvalid as error:
        raise SignatureInvalid(
            f"the entry in the code is not signed by the {event.by}",
            where=where,
            expected=f"a signature by {sshsig.fingerprint(party.signer)}",
            hint="it was altered, or made with another key: compare fingerprints by telephone",
        ) from error
    except (CustodyBroken, DocumentError) as error:
        raise CodeUnreadable(f"the code holds no custody entry: {error.what}", where=where) from error
    return LineCode(line, signatures[1] if count == 2 else None)


def head_signatures_of(code: LineCode, head: CustodyHead, trust: Trust) -> HeadSignatures | None:
    """Return the head that a line makes, with its signer's signature from the code; None where the code has none."""
    party = trust.parties.of(head.by)
    if code.head_signature is None or party is None:
        return None
    text = sshsig.rebuild(party.signer, namespace(CustodyHead), code.head_signature)
    return HeadSignatures(encode(head), {head.by: text.encode("ascii")})


def write_second_code(head: str, role: Role, signature: bytes) -> str:
    """Return the text of a code with a second signature over a head that the other side has."""
    raw = sshsig.raw_signature(signature.decode("ascii"))
    return _armour(SECOND_PREFIX, bytes([_FORM, ROLES.index(role)]) + bytes.fromhex(head) + raw)


def read_second_code(text: str, where: str) -> SecondCode:
    """Return what such a code says; the signature is not checked yet.

    Raises:
        CodeUnreadable: it is no such code.
    """
    blob = _unarmour(SECOND_PREFIX, text, where)
    if len(blob) != 2 + 32 + _RAW or blob[0] != _FORM or blob[1] >= len(ROLES):
        raise CodeUnreadable("code of an unknown form", where=where, expected=f"{2 + 32 + _RAW} bytes of form {_FORM}")
    return SecondCode(head=blob[2:34].hex(), role=ROLES[blob[1]], signature=blob[34:])


def second_signature(code: SecondCode, trust: Trust, where: str) -> bytes:
    """Return the text of the signature in such a code; UntrustedSigner where parties.json has no such party."""
    party = trust.parties.of(code.role)
    if party is None:
        raise UntrustedSigner("the code is by a party that parties.json does not name", where=where, found=code.role)
    return sshsig.rebuild(party.signer, namespace(CustodyHead), code.signature).encode("ascii")


def _event(body: bytes, previous: str, shipment: str, where: str) -> CustodyEvent:
    try:
        values = msgspec.json.decode(body, type=list[object])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise CodeUnreadable("the code holds no custody entry", where=where) from error
    if len(values) != len(_FIELDS):
        raise CodeUnreadable("the code holds no custody entry", where=where, expected=f"{len(_FIELDS)} fields")
    fields = dict(zip(_FIELDS, values, strict=True))
    if fields["answers"] == _SAME_AS_PREVIOUS:
        fields["answers"] = previous
    head = {"type": f"packtrain.{CustodyEvent.kind}", "version": CustodyEvent.version}
    try:
        payload = msgspec.json.encode(head | fields | {"previous": previous, "shipment": shipment}, order="sorted")
        return decode(CustodyEvent, payload, where)
    except (DocumentError, msgspec.MsgspecError, UnicodeError, OverflowError) as error:
        raise CodeUnreadable("the code holds no custody entry", where=where) from error


def _inflate(packed: bytes, where: str) -> bytes:
    reader = zlib.decompressobj(_DEFLATED)
    try:
        body = reader.decompress(packed, _MAX_ENTRY_BYTES)
    except zlib.error as error:
        raise CodeUnreadable("the code cannot be unpacked", where=where) from error
    if not reader.eof or reader.unused_data:
        raise CodeUnreadable("the code cannot be unpacked, or holds too much", where=where)
    return body


def _armour(prefix: str, blob: bytes) -> str:
    checked = blob + zlib.crc32(blob).to_bytes(4, "big")
    return prefix + base64.b32encode(checked).decode("ascii").rstrip("=")


def _unarmour(prefix: str, text: str, where: str) -> bytes:
    if len(text) > _MAX_TEXT:
        raise CodeUnreadable("text is too long for a code", where=where, expected=f"at most {_MAX_TEXT} characters")
    # A telephone may break the line, a person may type small letters.
    letters = "".join(text.split()).upper()
    if not letters.startswith(prefix):
        raise CodeUnreadable(
            "not the code of this step",
            where=where,
            expected=f"a text that begins with {prefix}",
            found=ascii(letters[:12]),
            hint=_OTHER_CODE.get(letters[:5], "scan the code that packtrain wrote, and give its whole text"),
        )
    body = letters.removeprefix(prefix)
    try:
        checked = base64.b32decode(body + "=" * (-len(body) % 8))
    except (binascii.Error, ValueError) as error:
        raise CodeUnreadable("the code was cut or misread", where=where, hint="scan it again") from error
    blob, crc = checked[:-4], checked[-4:]
    if zlib.crc32(blob).to_bytes(4, "big") != crc or _armour(prefix, blob) != letters:
        raise CodeUnreadable("the code was cut or misread", where=where, hint="scan it again")
    return blob


_OTHER_CODE: Final = {
    LINE_PREFIX: 'this is the code of a hand-over: "packtrain carry accept --scan" or "packtrain carry adopt --scan"',
    SECOND_PREFIX: 'this is a second signature over a head: "packtrain custody cosign --scan"',
}
