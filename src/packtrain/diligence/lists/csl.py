"""The US Consolidated Screening List, as JSON (`{"results": [...]}`) and as CSV with headings.

Verified against other public readers of the list and rows in their tests: the keys and headings, lists joined by "; ",
a missing type on the lists of the Bureau of Industry and Security, several addresses in one field, entries that are an
address ("Address 01" in place of a name), "and any successor, sub-unit, or subsidiary thereof" after a name, a last
row of the single byte 0x1A. Headings are found by name: their order has changed, and older files have no `_id`.
Not verified: the keys of the JSON's `ids` (`type`, `number`, `country`); objects are taken by all their texts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, Final, cast

from packtrain.diligence.lists.csv_rows import Row, rows_under_headings
from packtrain.diligence.lists.entry import ListedParty
from packtrain.diligence.lists.json_stream import objects_in_array
from packtrain.diligence.lists.reading import Draft, ListSource, Tally, joined, one_line, several

_SUCCESSORS: Final = re.compile(r"[\s;,]*\band any successor,? sub-?unit,? or subsidiary thereof\b\.?", re.IGNORECASE)
_ADDRESS_ONLY: Final = re.compile(r"\AAddress(es)?\s+\d+", re.IGNORECASE)
_WITHIN: Final = re.compile(
    r"(?:(?<=\))\.)?[\s;,(]*\b"
    r"(?:a\.?k\.?a\.?|f\.?k\.?a\.?|also known as|formerly known as|affiliated entity:)[\s:,]*",
    re.IGNORECASE,
)
_COUNTRY_AT_END: Final = re.compile(r"(?:\A|,\s*)([A-Z]{2})\Z")
_IDENTIFYING: Final = ("call_sign", "dates_of_birth", "places_of_birth")


def read_json(source: ListSource, tally: Tally) -> Iterator[ListedParty]:
    """Yield the entries of consolidated.json; see `reading.Importer` for errors."""
    for where, entry in objects_in_array(source.path, "results"):
        tally.num_rows += 1
        draft = Draft(where)
        for address in _list(entry.get("addresses")):
            if isinstance(address, dict):
                _json_address(draft, cast("dict[str, Any]", address))
        draft.add("identifiers", *(_identifier(each) for each in _list(entry.get("ids"))))
        draft.add("countries", *_texts(entry.get("nationalities")), *_texts(entry.get("citizenships")))
        draft.add("programs", *_texts(entry.get("programs")))
        fields = {name: "; ".join(_texts(value)) for name, value in entry.items()}
        party = _party(draft, fields, where, tally)
        if party is not None:
            yield party


def read_csv(source: ListSource, tally: Tally) -> Iterator[ListedParty]:
    """Yield the entries of consolidated.csv; see `reading.Importer` for errors."""
    for row in rows_under_headings(source.path, ("source", "name", "addresses", "alt_names", "programs")):
        tally.num_rows += 1
        draft = Draft(row.where)
        for address in several(row.get("addresses")):
            country = _COUNTRY_AT_END.search(address)
            draft.address([address], country[1] if country else None)
        draft.add("identifiers", *several(row.get("ids")))
        draft.add("countries", *several(row.get("nationalities")), *several(row.get("citizenships")))
        draft.add("programs", *several(row.get("programs")))
        party = _party(draft, {**row.cells, "id": _row_key(row)}, row.where, tally)
        if party is not None:
            yield party


def _party(draft: Draft, fields: dict[str, str], where: str, tally: Tally) -> ListedParty | None:
    name, kind = one_line(fields.get("name")), fields.get("type", "")
    if _ADDRESS_ONLY.match(name):
        draft.remark(name)
        kind = "address"
    else:
        for alias in several(fields.get("alt_names")):
            _name(draft, alias.removeprefix("and "), is_alias=True)
        _name(draft, name)
    draft.add("programs", fields.get("source"))
    draft.add("countries", fields.get("vessel_flag"))
    draft.add("identifiers", *(fields.get(key) for key in _IDENTIFYING))
    draft.remark(fields.get("title"), fields.get("remarks"), fields.get("license_requirement"))
    number = fields.get("entity_number")
    draft.add("identifiers", f"entity number {number}" if number else None)
    url = fields.get("source_information_url") or fields.get("source_list_url")
    return draft.party(tally, fields.get("id") or where, kind, url)


def _name(draft: Draft, text: str, *, is_alias: bool = False) -> None:
    """Add a name, and those that stand within it: what follows "a.k.a." or "Affiliated Entity:" is listed by itself."""
    name, num_found = _SUCCESSORS.subn("", text)
    if num_found:
        draft.remark("and any successor, sub-unit, or subsidiary thereof")
    name = name.strip(" ;,")
    draft.name(name, is_alias=is_alias)
    parts = [part.strip(" ;,") for part in _WITHIN.split(name)]
    for part in parts if len(parts) > 1 else ():
        is_open = part.count(")") > part.count("(")  # of "Quagga (a.k.a. QSL)"
        draft.name(part.removesuffix(")") if is_open else part, is_alias=True)


def _json_address(draft: Draft, address: dict[str, Any]) -> None:
    """Add an address; one field may hold several, and then town, code and country stand for all of them."""
    country = one_line(str(address.get("country") or "")) or None
    rest = [one_line(str(address.get(key) or "")) for key in ("city", "state", "postal_code")]
    for street in several(str(address.get("address") or "")) or [""]:
        street = street.removeprefix("and ")
        draft.address([street, *(part for part in rest if part not in street), country], country)


def _identifier(value: object) -> str:
    if not isinstance(value, dict):
        return one_line(str(value))
    known = cast("dict[str, object]", value)
    return joined((str(known[key]) for key in ("type", "number", "country") if known.get(key)), " ")


def _row_key(row: Row) -> str:
    """Return a key for a row: the list's, OFAC's, or what the row says; older files have no `_id`."""
    said = joined((row.get("source"), row.get("name"), row.get("addresses")), " / ")
    return row.get("_id", "entity_number") or said[:200]


def _list(value: object) -> list[object]:
    return cast("list[object]", value) if isinstance(value, list) else []


def _texts(value: object) -> Iterable[str]:
    """Return the texts of a field that is a text, a number, a list of such, or nothing."""
    if isinstance(value, list):
        return [str(each) for each in cast("list[object]", value) if isinstance(each, str | int)]
    return [str(value)] if isinstance(value, str | int) else []
