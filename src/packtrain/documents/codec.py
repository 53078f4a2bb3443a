"""Canonical JSON (RFC 8785) in and out, strict: unknown fields, unknown versions and odd spellings are refused.

A document's bytes are its identity (it is signed, and named by SHA-256), so bytes that decode to the same values but
are written differently are refused too: two readers can then never disagree about what was signed.
"""

from __future__ import annotations

import threading
from typing import Annotated, Any, ClassVar, Final, TypeVar

import msgspec
import rfc8785

from packtrain.digest import sha256_bytes
from packtrain.errors import DocumentError

MAX_DOCUMENT_BYTES: Final = 256 * 1024 * 1024
"""Bound on any document before it is parsed; group.json of 80 TB in 4 GiB volumes is about 10 MB."""

Sha256 = Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{64}\Z")]
Uuid = Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\Z")]
Count = Annotated[int, msgspec.Meta(ge=0, le=2**53 - 1)]
"""A count or a number of bytes; RFC 8785 numbers are exact up to 2**53 - 1 (9 PB)."""
Label = Annotated[str, msgspec.Meta(pattern=r"\A[A-Za-z0-9][A-Za-z0-9._-]{0,31}\Z")]
Text = Annotated[str, msgspec.Meta(max_length=4096)]
Instant = Annotated[str, msgspec.Meta(pattern=r"\A\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\Z")]
"""UTC time to the second."""
AgeRecipient = Annotated[str, msgspec.Meta(pattern=r"\Aage1[02-9ac-hj-np-z]{58}\Z")]


class Document(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of all documents: fields plus the type and version that its bytes must name.

    Subclasses set `kind` (the document's name on disk and in its signature namespace) and `version`. They repeat
    `frozen` and `kw_only`: msgspec inherits the first, but type checkers do not see it, and not the second.
    """

    kind: ClassVar[str] = ""
    version: ClassVar[int] = 1


class Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of the records inside documents."""


D = TypeVar("D", bound=Document)

_preparing = threading.Lock()
_prepared: set[type[Document]] = set()


def namespace(document_type: type[Document]) -> str:
    """Return the SSHSIG namespace of a document type: "packtrain-<kind>@v<version>"."""
    return f"packtrain-{document_type.kind}@v{document_type.version}"


def json_object(payload: bytes, where: str) -> dict[str, Any]:
    """Return the JSON object that `payload` spells, its values unchecked.

    Raises:
        DocumentError: not JSON, or not an object.
    """
    try:
        return msgspec.json.decode(payload, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise DocumentError(f"not a JSON object: {error}", where=where) from error


def encode(document: Document) -> bytes:
    """Return the canonical bytes of a document: RFC 8785, one line, no newline at the end.

    Raises:
        DocumentError: a value is out of bounds. Constructors do not check; what no reader would accept must not be
            signed, least of all in a log where it could not be taken back.
    """
    body: dict[str, Any] = msgspec.to_builtins(document)
    _prepare(type(document))
    try:
        msgspec.convert(body, type(document))
        return _canonical(document, body)
    except (msgspec.ValidationError, rfc8785.CanonicalizationError) as error:
        raise DocumentError(
            f"cannot be written: {error}",
            where=f"{document.kind}.json",
            expected="values within the bounds of its specification",
        ) from error


def _prepare(document_type: type[Document]) -> None:
    """Let msgspec look at a type, and at the parts in it, in one thread.

    msgspec (0.22) does so at the first use and crashes the process where two threads meet in it; the drives of a group
    are closed by several.
    """
    if document_type not in _prepared:
        with _preparing:
            msgspec.json.Decoder(document_type)
            _prepared.add(document_type)


def _canonical(document: Document, body: dict[str, Any]) -> bytes:
    return rfc8785.dumps({**body, "type": f"packtrain.{document.kind}", "version": document.version})


def digest(document: Document) -> str:
    """Return the SHA-256 of the document's canonical bytes, in hex."""
    return sha256_bytes(encode(document))


def decode(document_type: type[D], payload: bytes, where: str) -> D:
    """Return the document that `payload` spells.

    Args:
        document_type: what it must be.
        payload: its bytes, from anywhere.
        where: file name or address, for messages.

    Raises:
        DocumentError: too long, not JSON, another type or version, an unknown or missing field, a value out of
            bounds, or bytes that are not canonical.
    """
    if len(payload) > MAX_DOCUMENT_BYTES:
        raise DocumentError(
            "document is too long", where=where, expected=f"at most {MAX_DOCUMENT_BYTES} bytes", found=str(len(payload))
        )
    expected_type = f"packtrain.{document_type.kind}"
    try:
        body = json_object(payload, where)
        found_type, found_version = body.pop("type", None), body.pop("version", None)
        if found_type != expected_type or type(found_version) is not int or found_version != document_type.version:
            raise DocumentError(
                "document is of another type or version",
                where=where,
                expected=f"{expected_type} version {document_type.version}",
                found=f"{str(found_type)[:64]} version {str(found_version)[:16]}",
                hint="use the release of packtrain that wrote it, or a newer one",
            )
        _prepare(document_type)
        document = msgspec.convert(body, document_type)
        canonical = _canonical(document, msgspec.to_builtins(document))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, rfc8785.CanonicalizationError) as error:
        raise DocumentError(
            f"document does not fit its schema: {error}", where=where, expected=expected_type
        ) from error
    if canonical != payload:
        raise DocumentError(
            "document is not in canonical form (RFC 8785)",
            where=where,
            hint="a key given twice, spaces or another order of keys: it was not written by packtrain",
        )
    return document
