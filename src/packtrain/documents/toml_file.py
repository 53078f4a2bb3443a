"""Files that people write (voyage.toml, declaration.toml): TOML into strict records, a clear message for every typo."""

from __future__ import annotations

import difflib
import tomllib
from typing import Final, TypeVar

import msgspec

from packtrain.documents.mismatch import explain, fields_at
from packtrain.errors import PacktrainError

MAX_TOML_BYTES: Final = 1 << 20
S = TypeVar("S", bound=msgspec.Struct)


def decode_toml(record: type[S], payload: bytes, where: str, *, error: type[PacktrainError], reference: str) -> S:
    """Return the record that a TOML file spells.

    Args:
        record: its type, with unknown fields forbidden.
        payload: the file's bytes.
        where: its name, for messages.
        error: the class to raise.
        reference: the page that lists its fields, for hints.

    Raises:
        PacktrainError: of class `error`: longer than 1 MiB, not TOML, an unknown field (with the nearest known one as a
            hint), or a value out of range.
    """
    if len(payload) > MAX_TOML_BYTES:
        raise error(
            "file is too long",
            where=where,
            expected="at most 1 MiB",
            found=f"{len(payload)} bytes",
            hint="it is written by hand and short; was another file put in its place?",
        )
    try:
        raw = tomllib.loads(payload.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as cause:
        raise error(
            f"not valid TOML: {cause}", where=where, hint=f"mend that line; {reference} shows how each field is written"
        ) from cause
    try:
        return msgspec.convert(raw, record)
    except msgspec.ValidationError as cause:
        raise _explain(record, cause, where, error, reference) from cause


def _explain(
    record: type[msgspec.Struct],
    cause: msgspec.ValidationError,
    where: str,
    error: type[PacktrainError],
    reference: str,
) -> PacktrainError:
    found = explain(record, cause)
    hint = f"{reference} lists every field and its range"
    if found.unknown is not None:
        close = difflib.get_close_matches(found.unknown, fields_at(record, found.place), n=1)
        hint = f'did you mean "{close[0]}"?' if close else f"remove it, or see {reference}"
    return error(found.what, where=where, expected=found.expected, found=found.found, hint=hint)
