"""The bulk files of OpenSanctions: targets.simple.csv and entities.ftm.json.

Verified against the program that writes targets.simple.csv: its headings, several values of a cell as a CSV row with
semicolons of its own. entities.ftm.json is FollowTheMoney as JSON lines, `{"id", "schema", "caption", "properties":
{name: [text]}, "target"}`, verified against public readers; addresses and sanctions are entities of their own, anywhere
in the file, so it is read twice. Of it are taken the targets, and whoever has a topic (a company owned by a listed
one): screening looks for too many rather than too few. Where an entity does not say whether it is a target, it is
taken.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from typing import Any, Final, cast

from packtrain.diligence.lists.csv_rows import rows_under_headings
from packtrain.diligence.lists.entry import ListedParty
from packtrain.diligence.lists.json_stream import objects_by_line
from packtrain.diligence.lists.reading import Draft, ListSource, Tally
from packtrain.diligence.lists.scratch import Scratch
from packtrain.errors import ListUnreadable

_SIMPLE_HEADINGS: Final = ("id", "schema", "name", "aliases", "countries", "addresses", "identifiers")
_PARTIES: Final = frozenset(
    {"Person", "Organization", "Company", "LegalEntity", "PublicBody", "Vessel", "Airplane", "Vehicle", "Address"}
)
_ALIASES: Final = ("name", "alias", "previousName", "abbreviation")
_COUNTRIES: Final = ("country", "nationality", "citizenship", "jurisdiction", "mainCountry", "flag")
_IDENTIFIERS: Final = (
    "idNumber",
    "registrationNumber",
    "taxNumber",
    "passportNumber",
    "leiCode",
    "innCode",
    "ogrnCode",
    "swiftBic",
    "imoNumber",
    "mmsi",
    "callSign",
    "dunsCode",
    "uscCode",
    "vatCode",
)


def read_simple(source: ListSource, tally: Tally) -> Iterator[ListedParty]:
    """Yield the entries of targets.simple.csv; see `reading.Importer` for errors."""
    for row in rows_under_headings(source.path, _SIMPLE_HEADINGS):
        tally.num_rows += 1
        draft = Draft(row.where)
        kind = row.get("schema")
        if kind == "Address":
            draft.address([row.get("name")])
        else:
            draft.name(row.get("name"))
            for alias in _cell(row.get("aliases"), row.where):
                draft.name(alias, is_alias=True)
        for address in _cell(row.get("addresses"), row.where):
            draft.address([address])
        draft.add("countries", *_cell(row.get("countries"), row.where))
        draft.add("identifiers", *_cell(row.get("identifiers"), row.where))
        draft.add("programs", *_cell(row.get("program_ids"), row.where), *_cell(row.get("dataset"), row.where))
        draft.remark(row.get("sanctions"))
        party = draft.party(tally, row.get("id"), kind)
        if party is not None:
            yield party


def read_ftm(source: ListSource, tally: Tally) -> Iterator[ListedParty]:
    """Yield the entries of entities.ftm.json; see `reading.Importer` for errors."""
    with Scratch() as scratch:
        for where, entity in objects_by_line(source.path):
            properties = _properties(entity, where)
            if entity.get("schema") == "Address":
                fields = {"full": _full(properties), "country": next(_values(properties, "country"), "")}
                scratch.put("address", str(entity.get("id")), fields)
            elif entity.get("schema") == "Sanction":
                program = next(_values(properties, "programId", "program", "authority"), "")
                for of in _values(properties, "entity"):
                    fields = {"program": program, "url": next(_values(properties, "sourceUrl"), "")}
                    scratch.put("sanction", of, fields)
        for where, entity in objects_by_line(source.path):
            tally.num_rows += 1
            properties = _properties(entity, where)
            if str(entity.get("schema")) not in _PARTIES:
                tally.left_out["not a party"] += 1
            elif not entity.get("target", True) and not any(_values(properties, "topics")):
                tally.left_out["neither a target nor with a topic"] += 1
            elif party := _party(entity, properties, where, scratch, tally):
                yield party


def _party(
    entity: dict[str, Any], properties: dict[str, Any], where: str, scratch: Scratch, tally: Tally
) -> ListedParty | None:
    draft = Draft(where)
    key, kind = str(entity.get("id") or ""), str(entity.get("schema"))
    if kind == "Address":
        draft.address([_full(properties)], next(_values(properties, "country"), None))
    else:
        caption = str(entity.get("caption") or "")
        names = list(_values(properties, *_ALIASES))
        if caption in names:
            draft.name(caption)
        for number, name in enumerate(names):
            draft.name(name, is_alias=caption in names or number > 0)
        for name in _values(properties, "weakAlias"):
            draft.name(name, is_alias=True, is_weak=True)
    for address in _values(properties, "address"):
        draft.address([address])
    for address_id in _values(properties, "addressEntity"):
        for found in scratch.get("address", address_id):
            draft.address([found["full"]], found["country"])
    draft.add("countries", *_values(properties, *_COUNTRIES))
    for name in _IDENTIFIERS:
        draft.add("identifiers", *(f"{name} {value}" for value in _values(properties, name)))
    sanctions = scratch.get("sanction", key)
    draft.add("programs", *(found["program"] for found in sanctions), *_values(properties, "programId", "topics"))
    draft.remark(*_values(properties, "notes"))
    urls = (*(found["url"] for found in sanctions), *_values(properties, "sourceUrl"))
    return draft.party(tally, key, kind, next(filter(None, urls), None))


def _properties(entity: dict[str, Any], where: str) -> dict[str, Any]:
    properties = entity.get("properties")
    if not isinstance(properties, dict) or "schema" not in entity or "id" not in entity:
        raise ListUnreadable("not an entity of FollowTheMoney", where=where, expected='"id", "schema", "properties"')
    return cast("dict[str, Any]", properties)


def _values(properties: dict[str, Any], *names: str) -> Iterator[str]:
    for name in names:
        values = properties.get(name)
        if isinstance(values, list):
            yield from (each for each in cast("list[object]", values) if isinstance(each, str))


def _full(properties: dict[str, Any]) -> str:
    parts = ("street", "street2", "place", "city", "postalCode", "region", "state", "country")
    return next(_values(properties, "full", "name"), "") or ", ".join(_values(properties, *parts))


def _cell(text: str, where: str) -> list[str]:
    """Return the values of a cell: a CSV row within the row, with semicolons."""
    try:
        return [value for row in csv.reader([text], delimiter=";", strict=True) for value in row]
    except csv.Error as error:
        raise ListUnreadable(f"cell of several values is not CSV: {error}", where=where, found=text[:80]) from error
