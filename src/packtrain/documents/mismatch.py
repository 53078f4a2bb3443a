"""Why values do not fit a record, in words a person can act on: the library that checks speaks of its own types."""

from __future__ import annotations

import re
import typing
from dataclasses import dataclass
from typing import Final

import msgspec

_AT: Final = re.compile(r" - at `\$\.?(?P<place>[^`]*)`\Z")
_MISSING: Final = re.compile(r"\AObject missing required field `(?P<field>.*)`\Z", re.DOTALL)
_UNKNOWN: Final = re.compile(r"\AObject contains unknown field `(?P<field>.*)`\Z", re.DOTALL)
_OTHER_KIND: Final = re.compile(r"\AExpected `(?P<expected>[^`]*)`, got `(?P<found>[^`]*)`\Z")
_BOUND: Final = re.compile(r"\AExpected `(?P<kind>[^`]*)` (?P<length>of length )?(?P<sign>[<>]=?) (?P<bound>\S+)\Z")
_PATTERN: Final = re.compile(r"\AExpected `str` matching regex (?P<pattern>.*)\Z", re.DOTALL)
_NO_CHOICE: Final = re.compile(r"\AInvalid enum value (?P<found>.*)\Z", re.DOTALL)
_KINDS: Final = {
    "str": "a text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "array": "a list",
    "object": "a table of fields",
    "null": "nothing",
    "date": "a date",
    "datetime": "a time",
}
_SIGNS: Final = {">=": "{} or more", "<=": "at most {}", ">": "more than {}", "<": "less than {}"}
_FORMS: Final = {
    r"[0-9a-f]{64}": "a SHA-256: 64 digits 0 to f",
    r"age1[02-9ac-hj-np-z]{58}": '"age1" and 58 letters and digits, as keys/party.toml has it',
    r"ssh-ed25519 [A-Za-z0-9+/]{68}": '"ssh-ed25519", a space, 68 letters and signs; no comment, no blank behind them',
    r"[A-Z]{2}": "two letters of ISO 3166-1, such as NL",
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}": "a day, such as 2027-03-31",
}
"""Patterns that a person meets, in words."""
_MOST_SHOWN: Final = 80


@dataclass(frozen=True, slots=True)
class Mismatch:
    """One value that does not fit.

    Attributes:
        what: the sentence, with the value's place in it.
        expected, found: in words; None where the sentence says it all.
        place: fields from the top to the record or value, joined by dots; empty for the top.
        unknown: the field's name, if the fault is that there is no such field.
    """

    what: str
    expected: str | None = None
    found: str | None = None
    place: str = ""
    unknown: str | None = None


def explain(record: type[msgspec.Struct], error: msgspec.MsgspecError) -> Mismatch:
    """Return in words why values do not fit `record`.

    Args:
        record: what they were held against.
        error: what the check of them raised.
    """
    text = str(error)
    at = _AT.search(text)
    place, fault = (at["place"], text[: at.start()]) if at is not None else ("", text)
    spot = place or "the file as a whole"
    if match := _MISSING.match(fault):
        return Mismatch(f"{_below(place, match['field'])} is missing", place=place)
    if match := _UNKNOWN.match(fault):
        known = ", ".join(fields_at(record, place))
        what = f'unknown field "{match["field"][:_MOST_SHOWN]}" in {f"[{place}]" if place else "the top level"}'
        return Mismatch(what, f"one of {known}", match["field"][:_MOST_SHOWN], place, match["field"])
    if match := _OTHER_KIND.match(fault):
        expected, found = _in_words(match["expected"]), _in_words(match["found"])
        return Mismatch(f"{spot} is {found}", expected, found, place)
    if match := _BOUND.match(fault):
        bound = _SIGNS[match["sign"]].format(match["bound"])
        kind = _in_words(match["kind"])
        if match["length"]:
            return Mismatch(f"{spot} is too long or too short", f"{kind} of length {bound}", None, place)
        return Mismatch(f"{spot} is out of range", f"{kind}, {bound}", None, place)
    if match := _PATTERN.match(fault):
        pattern = match["pattern"].strip("'\"").replace("\\\\", "\\").removeprefix(r"\A").removesuffix(r"\Z")
        form = _FORMS.get(pattern, f"a text of the form {pattern}")
        return Mismatch(f"{spot} is not written as it must be", form, None, place)
    if match := _NO_CHOICE.match(fault):
        choices = ", ".join(map(str, _choices_at(record, place)))
        return Mismatch(f"{spot} is none of the known words", choices or None, match["found"][:_MOST_SHOWN], place)
    return Mismatch(f"{place}: {fault}" if place else fault, place=place)


def fields_at(record: type[msgspec.Struct], place: str) -> list[str]:
    """Return the names of the fields of the record at a place; empty where there is none."""
    found = next(iter(_structs_in(_annotation_at(record, place))), None)
    return [field.name for field in msgspec.structs.fields(found)] if found is not None else []


def _below(place: str, field: str) -> str:
    return f"{place}.{field}" if place else field


def _in_words(kinds: str) -> str:
    return " or ".join(_KINDS.get(kind, kind) for kind in kinds.split(" | "))


def _annotation_at(record: type[msgspec.Struct], place: str) -> object:
    current: object = record
    for name in re.sub(r"\[[^\]]*\]", "", place).split("."):
        if not name:
            continue
        owner = next(iter(_structs_in(current)), None)
        names = {field.name: field.type for field in msgspec.structs.fields(owner)} if owner is not None else {}
        current = names.get(name)
    return current


def _structs_in(annotation: object) -> list[type[msgspec.Struct]]:
    if isinstance(annotation, type) and issubclass(annotation, msgspec.Struct):
        return [annotation]
    return [struct for inner in typing.get_args(annotation) for struct in _structs_in(inner)]


def _choices_at(record: type[msgspec.Struct], place: str) -> list[object]:
    return _choices_in(_annotation_at(record, place))


def _choices_in(annotation: object) -> list[object]:
    if typing.get_origin(annotation) is typing.Literal:
        return list(typing.get_args(annotation))
    return [choice for inner in typing.get_args(annotation) for choice in _choices_in(inner)]
