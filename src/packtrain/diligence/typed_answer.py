"""What somebody typed, as the values that it may mean; and which fields a row has, from the record that reads it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import inspect

from packtrain.diligence.answer_reader import is_undisclosed
from packtrain.diligence.answers import DeclarationFile
from packtrain.diligence.form_reader import Question


def meanings(typed: str, question: Question) -> Iterator[Any]:
    """Yield what a typed answer may mean, the likelier first: the reader of answers decides."""
    if typed.isdecimal() and question.choices and 1 <= int(typed) <= len(question.choices):
        typed = question.choices[int(typed) - 1]
    match question.kind:
        case "count":
            yield int(typed) if typed.isdecimal() else typed
        case "yes_no":
            yield {"yes": True, "y": True, "no": False, "n": False}.get(typed.casefold(), typed)
        case "list":
            if typed.casefold() == "none" or is_undisclosed(typed):
                yield typed
            yield [part.strip() for part in typed.split(";") if part.strip()]
        case _:
            yield typed
            if question.choices:
                yield [part.strip() for part in typed.split(";") if part.strip()]


def row_fields(path: str) -> tuple[str, ...]:
    """Return the fields of a row, from the record that reads it."""
    info: inspect.Type = inspect.type_info(DeclarationFile)
    for name in re.findall(r"[a-z_]+", path):
        record = next(each for each in _types(info) if isinstance(each, inspect.StructType))
        info = next(field.type for field in record.fields if field.name == name)
    row = next(each for each in _types(info) if isinstance(each, inspect.StructType))
    return tuple(field.name for field in msgspec.structs.fields(row.cls))


def _types(info: inspect.Type) -> Iterator[inspect.Type]:
    """Yield the types that a type may be, those in lists too."""
    match info:
        case inspect.UnionType():
            for member in info.types:
                yield from _types(member)
        case inspect.VarTupleType():
            yield from _types(info.item_type)
        case _:
            yield info
