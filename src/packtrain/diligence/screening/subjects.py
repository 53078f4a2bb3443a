"""Who and which places are held against the lists: every name and address that the papers of a voyage state."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal, cast

import msgspec

from packtrain.documents.declaration import Declaration
from packtrain.documents.declared_party import NO_ONE
from packtrain.documents.packing_statement import PackingStatement

SubjectKind = Literal["person", "organisation", "unknown", "address"]

_NAMES: Final = frozenset(
    {
        "name",
        "ultimate_parent",
        "owner",
        "owned",
        "acts_for",
        "formed_at_request_of",
        "directors",
        "carriers",
        "carrier",
    }
)
"""Fields of a declaration or packing statement that hold names of persons and organisations, wherever they stand."""
_ADDRESSES: Final = frozenset({"address"})
_COUNTRIES: Final = {"address": ("location", "country"), "ultimate_parent": ("parent_country",)}
_COUNTRY_OF_A_NAME: Final = ("headquarters", "location", "country")
_PERSONS: Final = frozenset({"directors"})
_KINDS: Final[dict[object, SubjectKind]] = {
    "person": "person",
    "company": "organisation",
    "public body": "organisation",
    "treaty organisation": "organisation",
}


@dataclass(frozen=True, slots=True)
class Subject:
    """One name or address of the papers.

    Attributes:
        role: the party or table it stands in: "shipper", "full.owners[0]".
        field: the field there: "name", "address", "ultimate_parent".
        text: as it was declared.
        kind: what it names, as far as the papers say it.
        country: ISO 3166-1, where the papers state one beside it; shown beside candidates, never a reason to drop one.
    """

    role: str
    field: str
    text: str
    kind: SubjectKind
    country: str | None

    @property
    def place(self) -> str:
        """Return where it stands: "shipper.name"."""
        return f"{self.role}.{self.field}" if self.role else self.field


def subjects_of(
    declaration: Declaration, statement: PackingStatement | None = None, superseded: Sequence[Declaration] = ()
) -> tuple[Subject, ...]:
    """Return every name and address that a declaration, and the packing statement where there is one, states.

    Those of superseded declarations too: a party that was named once is not forgotten by an amendment.

    Found by the names of fields in whatever table they stand, so that a table that is added to the full form is
    screened from its first day. "none" and what is not disclosed name nobody; rules look at those.
    """
    found = [*_walk("", declaration)]
    if statement is not None:
        found += _walk("packing statement", statement)
    for older in superseded:
        found += _walk("superseded", older)
    return tuple(found)


def _walk(role: str, node: msgspec.Struct) -> Iterator[Subject]:
    for field in msgspec.structs.fields(node):
        value = getattr(node, field.name)
        place = f"{role}.{field.name}" if role else field.name
        if field.name in _NAMES or field.name in _ADDRESSES:
            yield from _stated(role, field.name, value, node)
        if isinstance(value, msgspec.Struct):
            yield from _walk(place, value)
        for number, each in enumerate(_members(value)):
            if isinstance(each, msgspec.Struct):
                yield from _walk(f"{place}[{number}]", each)


def _stated(role: str, field: str, value: object, node: msgspec.Struct) -> Iterator[Subject]:
    """Yield the texts of one field; a field of tables (`full.carriers`) has none, and is walked instead."""
    for number, text in enumerate(_members(value) or (value,)):
        if isinstance(text, str) and text.strip() and text.strip().casefold() != NO_ONE:
            label = field if text is value else f"{field}[{number}]"
            yield Subject(role, label, text.strip(), _kind(field, node), _country(field, node))


def _members(value: object) -> tuple[object, ...]:
    return cast("tuple[object, ...]", value) if isinstance(value, tuple) else ()


def _kind(field: str, node: msgspec.Struct) -> SubjectKind:
    if field in _ADDRESSES:
        return "address"
    if field in _PERSONS:
        return "person"
    return _KINDS.get(getattr(node, "kind", None), "unknown") if field == "name" else "unknown"


def _country(field: str, node: msgspec.Struct) -> str | None:
    for name in _COUNTRIES.get(field, _COUNTRY_OF_A_NAME if field == "name" else ()):
        country = getattr(node, name, None)
        if isinstance(country, str):
            return country
    return None
