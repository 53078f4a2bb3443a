"""The answers of a declaration as rows that a person reads before signing: nothing is judged, nothing left out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, cast

import msgspec

from packtrain.documents.declaration import Declaration
from packtrain.documents.declared_party import DeclaredParty
from packtrain.units import format_bytes

_PARTIES: Final = ("shipper", "receiver", "operator", "trained_for")
_NO_ANSWERS: Final = frozenset({"voyage", "form", "signed_on", "supersedes", "changes"})
_NO_PARENT: Final = "none"


def answer_rows(declaration: Declaration) -> list[tuple[str, str]]:
    """Return every answer with its name as declaration.toml spells it, parties that are the same only once."""
    rows = [("countries", "; ".join(f"{code}: {', '.join(who)}" for code, who in _countries(declaration).items()))]
    seen: dict[DeclaredParty, str] = {}
    for field in declaration.__struct_fields__:
        value: object = getattr(declaration, field)
        if field in _NO_ANSWERS or (field == "full" and value is None):
            continue
        if isinstance(value, DeclaredParty) and value in seen:
            rows.append((field, f"same as {seen[value]}"))
            continue
        if isinstance(value, DeclaredParty):
            seen[value] = field
        rows += _rows(field, value) if field != "most_bytes" else [(field, format_bytes(declaration.most_bytes))]
    return rows


def _countries(declaration: Declaration) -> dict[str, list[str]]:
    """Return who is where: a letter typed wrong stands alone."""
    found: dict[str, list[str]] = {}
    for name in _PARTIES:
        party: DeclaredParty = getattr(declaration, name)
        for country in dict.fromkeys((party.location, party.headquarters, party.parent_country)):
            if country is not None:
                found.setdefault(country, []).append(name)
    found.setdefault(declaration.site_country, []).append("site")
    return found


def _rows(name: str, value: object) -> Iterator[tuple[str, str]]:
    if isinstance(value, msgspec.Struct):
        for field in value.__struct_fields__:
            inner = getattr(value, field)
            if not _is_beside_the_point(value, field, inner):
                yield from _rows(f"{name}.{field}", inner)
    elif isinstance(value, tuple):
        parts = cast("tuple[object, ...]", value)
        if any(isinstance(part, msgspec.Struct) for part in parts):
            for number, part in enumerate(parts, 1):
                yield from _rows(f"{name} {number}", part)
        else:
            yield name, ", ".join(map(str, parts)) or "none"
    else:
        yield name, _text(value)


def _is_beside_the_point(owner: msgspec.Struct, field: str, value: object) -> bool:
    """Return whether nothing was asked: the parent's country of a party without one, a data set that has no card."""
    if value is not None:
        return False
    return field == "card" or (isinstance(owner, DeclaredParty) and owner.ultimate_parent == _NO_PARENT)


def _text(value: object) -> str:
    match value:
        case None:
            return "undisclosed"
        case bool():
            return "yes" if value else "no"
        case _:
            return str(value)
