"""Canonical JSON (RFC 8785) in and out, strict: unknown fields, unknown versions and odd spellings are refused.

A document's bytes are its identity (it is signed, and named by SHA-256), so bytes that decode to the same values but
are written differently are refused too: two readers can then never disagree about what was signed.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Final, Literal, TypeVar

import msgspec
import rfc8785

from packtrain.digest import sha256_bytes
from packtrain.documents.mismatch import explain
from packtrain.errors import DocumentError

MAX_DOCUMENT_BYTES: Final = 256 * 1024 * 1024
"""Bound on any document before it is parsed; group.json of 80 TB in 4 GiB volumes is about 7 MB."""

Sha256 = Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{64}\Z")]
Uuid = Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\Z")]
Count = Annotated[int, msgspec.Meta(ge=0, le=2**53 - 1)]
"""A count or a number of bytes; RFC 8785 numbers are exact up to 2**53 - 1 (9 PB)."""
Label = Annotated[str, msgspec.Meta(pattern=r"\A[A-Za-z0-9][A-Za-z0-9._-]{0,31}\Z")]
Text = Annotated[str, msgspec.Meta(max_length=4096)]
Instant = Annotated[str, msgspec.Meta(pattern=r"\A[0-9]{4}(-[0-9]{2}){2}T([0-9]{2}:){2}[0-9]{2}Z\Z")]
"""UTC time to the second."""
AgeRecipient = Annotated[str, msgspec.Meta(pattern=r"\Aage1[02-9ac-hj-np-z]{58}\Z")]
"""An X25519 recipient: what volumes are sealed to."""
EnvelopeRecipient = Annotated[
    str, msgspec.Meta(pattern=r"\A(age1[02-9ac-hj-np-z]{58}|ssh-ed25519 [A-Za-z0-9+/]{68})\Z")
]
"""A party's recipient: X25519, or the SSH key it has."""


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
# RFC 8785 spells every integer up to this one in digits.
_LARGEST_INTEGER: Final = 2**53 - 1


class _Head(msgspec.Struct):
    """What a document says of itself; everything else is skipped without being built."""

    type: Any = None
    version: Any = None


@dataclass(frozen=True, slots=True)
class _Form:
    """How documents of one type lie in bytes.

    Attributes:
        written: the type with `type` and `version` as fields: what the bytes spell.
        is_plain: msgspec spells its values as RFC 8785 does.
    """

    written: type[msgspec.Struct]
    decoder: msgspec.json.Decoder[msgspec.Struct]
    is_plain: bool


_forming = threading.Lock()
_forms: dict[type[Document], _Form] = {}
_sorted: Final = msgspec.json.Encoder(order="sorted")


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
    form = _form(type(document))
    try:
        payload = _canonical(document, form)
        form.decoder.decode(payload)
    except (msgspec.MsgspecError, rfc8785.CanonicalizationError, UnicodeEncodeError, OverflowError) as error:
        raise DocumentError(
            f"cannot be written: {error}",
            where=f"{document.kind}.json",
            expected="values within the bounds of its specification",
        ) from error
    return payload


def _canonical(document: Document, form: _Form) -> bytes:
    fields = {name: getattr(document, name) for name in document.__struct_fields__}
    written = form.written(**{**fields, "type": f"packtrain.{document.kind}", "version": document.version})
    return _sorted.encode(written) if form.is_plain else rfc8785.dumps(msgspec.to_builtins(written))


def _form(document_type: type[Document]) -> _Form:
    """Return the form of a type, made at its first use.

    In one thread: msgspec (0.22) looks at a type when it is first used, and crashes the process where two threads meet
    in it; the drives of a group are closed by several.
    """
    form = _forms.get(document_type)
    if form is None:
        with _forming:
            written = msgspec.defstruct(
                document_type.__name__,
                [("type", Literal[f"packtrain.{document_type.kind}"]), ("version", Literal[document_type.version])],  # pyright: ignore[reportInvalidTypeForm]
                bases=(document_type,),
                frozen=True,
                kw_only=True,
                forbid_unknown_fields=True,
            )
            is_plain = _is_plain(msgspec.inspect.type_info(document_type))
            form = _forms[document_type] = _Form(written, msgspec.json.Decoder(written), is_plain)
    return form


def _is_plain(info: msgspec.inspect.Type) -> bool:
    """Return whether msgspec's spelling, keys sorted, is RFC 8785's for every value of a type.

    Strings are the same in both, all of Unicode. Floats are not (1.0 and 1), nor is the order of keys that are not
    ASCII; integers are where they are bounded as RFC 8785 bounds them.
    """
    kinds = msgspec.inspect
    match info:
        case kinds.StrType() | kinds.BoolType() | kinds.NoneType() | kinds.LiteralType():
            return True
        case kinds.IntType(ge=int(least), le=int(most)):
            return least >= -_LARGEST_INTEGER and most <= _LARGEST_INTEGER
        case kinds.VarTupleType(item_type=item) | kinds.ListType(item_type=item):
            return _is_plain(item)
        case kinds.UnionType(types=options):
            return all(map(_is_plain, options))
        case kinds.StructType(fields=fields):
            return all(field.encode_name.isascii() and _is_plain(field.type) for field in fields)
        case _:
            return False


def _head(payload: bytes, where: str) -> _Head:
    try:
        return msgspec.json.decode(payload, type=_Head)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise DocumentError(f"not a JSON object: {error}", where=where) from error


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
    form = _form(document_type)
    head = _head(payload, where)
    if head.type != expected_type or type(head.version) is not int or head.version != document_type.version:
        raise DocumentError(
            "document is of another type or version",
            where=where,
            expected=f"{expected_type} version {document_type.version}",
            found=f"{str(head.type)[:64]} version {str(head.version)[:16]}",
            hint="use the release of packtrain that wrote it, or a newer one",
        )
    try:
        written = form.decoder.decode(payload)
        document = document_type(**{name: getattr(written, name) for name in document_type.__struct_fields__})
        canonical = _canonical(document, form)
    except msgspec.ValidationError as error:
        misfit = explain(form.written, error)
        raise DocumentError(
            f"document does not fit its schema: {misfit.what}",
            where=where,
            expected=misfit.expected or expected_type,
            found=misfit.found,
            hint="it was altered, or made by another program: ask whoever signed it for the document as it was",
        ) from error
    except (msgspec.MsgspecError, UnicodeError, RecursionError, rfc8785.CanonicalizationError) as error:
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
