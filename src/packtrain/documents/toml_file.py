"""Files that people write (voyage.toml, declaration.toml): TOML into strict records, a clear message for every typo."""

from __future__ import annotations

import difflib
import re
import tomllib
import typing
from typing import Final, TypeVar

import msgspec

from packtrain.errors import PacktrainError

MAX_TOML_BYTES: Final = 1 << 20
S = TypeVar("S", bound=msgspec.Struct)

_UNKNOWN_FIELD: Final = re.compile(
    r"Object contains unknown field `(?P<field>[^`]*)`(?: - at `\$\.?(?P<place>[^`]*)`)?"
)
_AT: Final = re.compile(r" - at `\$\.?(?P<place>[^`]*)`\Z")


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
        raise _explain(record, str(cause), where, error, reference) from cause


def _explain(
    record: type[msgspec.Struct], text: str, where: str, error: type[PacktrainError], reference: str
) -> PacktrainError:
    if match := _UNKNOWN_FIELD.search(text):
        place, field = match.group("place") or "", match.group("field")
        known = _fields_at(record, place)
        close = difflib.get_close_matches(field, known, n=1)
        return error(
            f'unknown field "{field}" in {f"[{place}]" if place else "the top level"}',
            where=where,
            expected=f"one of {', '.join(known)}",
            found=field,
            hint=f'did you mean "{close[0]}"?' if close else f"remove it, or see {reference}",
        )
    match = _AT.search(text)
    place = match.group("place") if match else ""
    return error(
        f"{place}: {_AT.sub('', text)}" if place else text,
        where=where,
        hint=f"{reference} lists every field and its range",
    )


def _fields_at(record: type[msgspec.Struct], place: str) -> list[str]:
    current = record
    for name in re.sub(r"\[[^\]]*\]", "", place).split("."):
        if not name:
            continue
        names: dict[str, object] = {f.name: f.type for f in msgspec.structs.fields(current)}
        found = next((s for s in _structs_in(names.get(name))), None)
        if found is None:
            return []
        current = found
    return [f.name for f in msgspec.structs.fields(current)]


def _structs_in(annotation: object) -> list[type[msgspec.Struct]]:
    if isinstance(annotation, type) and issubclass(annotation, msgspec.Struct):
        return [annotation]
    return [struct for inner in typing.get_args(annotation) for struct in _structs_in(inner)]
