"""The EU's consolidated financial sanctions list, as XML and as CSV with semicolons (both of version 1.1).

Verified against other public readers and rows and fragments of published files in their tests: everything of the XML
stands in attributes of `sanctionEntity` and its children; strong="false" for weak aliases, or "low quality" in the
remark of a name; country "UNKNOWN" (code 00) for none. The CSV has a row a name, address, birth, document or
citizenship, each with the number of its entity; it does not say which names are weak but in remarks. Its dates are
DD/MM/YYYY or ISO.
"""

from __future__ import annotations

from collections.abc import Iterator

from packtrain.diligence.lists.csv_rows import Row, rows_under_headings
from packtrain.diligence.lists.days import day
from packtrain.diligence.lists.entry import ListedParty
from packtrain.diligence.lists.reading import Draft, ListSource, Tally, joined
from packtrain.diligence.lists.scratch import Scratch
from packtrain.diligence.lists.xml_stream import Element, elements

_NUMBER = "entity_logicalid"
_KINDS = {"p": "person", "e": "enterprise"}
_ADDRESS = ("street", "pobox", "city", "place", "zipcode", "region")


def read_xml(source: ListSource, tally: Tally) -> Iterator[ListedParty]:
    """Yield the entries of the XML file; see `reading.Importer` for errors."""
    for element in elements(source.path, "export", ("sanctionEntity",)):
        if element.tag == "export":
            tally.date_in_file = day(element.get("generationDate"))
            continue
        tally.num_rows += 1
        draft = Draft(f"{source.path.name}, line {element.line}")
        for name in element.all("nameAlias"):
            is_weak = name.get("strong") == "false" or _is_low(name.value("remark"))
            whole = name.get("wholeName") or joined(map(name.get, ("firstName", "middleName", "lastName")), " ")
            draft.name(whole, is_alias=name is not element.first("nameAlias"), is_weak=is_weak)
            draft.remark(name.get("function"))
        for address in element.all("address"):
            country = _country(address.get("countryDescription"))
            fields = ("street", "poBox", "city", "place", "zipCode", "region")
            draft.address((*map(address.get, fields), country), country)
        for paper in element.all("identification"):
            number = paper.get("number") or paper.get("latinNumber")
            draft.add("identifiers", _identifier(paper.get("identificationTypeDescription"), number))
        draft.add("countries", *(_country(each.get("countryDescription")) for each in element.all("citizenship")))
        draft.add("programs", *(each.get("programme") for each in element.all("regulation")))
        draft.remark(*element.values("remark"), element.get("designationDetails"))
        party = draft.party(
            tally,
            element.get("euReferenceNumber") or element.get("logicalId"),
            _kind(element.first("subjectType")),
            element.value("regulation", "publicationUrl"),
        )
        if party is not None:
            yield party


def read_csv(source: ListSource, tally: Tally) -> Iterator[ListedParty]:
    """Yield the entries of the CSV file; see `reading.Importer` for errors."""
    with Scratch() as scratch:
        for row in rows_under_headings(source.path, (_NUMBER, "namealias_wholename"), ";"):
            number = row.get(_NUMBER)
            if number:  # the file ends with a row of nothing but the date
                tally.num_rows += 1
                tally.date_in_file = tally.date_in_file or day(row.get("filegenerationdate"))
                said = {heading: text for heading, text in row.cells.items() if text and "regulation" not in heading}
                about = {name: row.get(name) for name in _REGULATION}
                scratch.put(_NUMBER, number, {**said, **about, "where": row.where, "line": str(row.line)})
        for number in scratch.keys(_NUMBER):
            party = _party([_row(fields) for fields in scratch.get(_NUMBER, number)], number, tally)
            if party is not None:
                yield party


_REGULATION = ("entity_regulation_programme", "entity_regulation_publicationurl")


def _row(fields: dict[str, str]) -> Row:
    return Row(fields["where"], int(fields["line"]), fields)


def _party(rows: list[Row], number: str, tally: Tally) -> ListedParty | None:
    draft = Draft(rows[0].where)
    for row in rows:
        parts = ("namealias_firstname", "namealias_middlename", "namealias_lastname")
        whole = row.get("namealias_wholename") or joined(map(row.get, parts), " ")
        draft.name(whole, is_alias=row is not rows[0], is_weak=_is_low(row.get("namealias_remark")))
        country = _country(row.get("address_countrydescription") or row.get("address_countryiso2code"))
        draft.address((*(row.get(f"address_{part}") for part in _ADDRESS), country), country)
        paper = row.get("identification_number", "identification_latinnumber")
        draft.add("identifiers", _identifier(row.get("identification_typedescription"), paper))
        draft.add("countries", _country(row.get("citizenship_countrydescription", "citizenship_countryiso2code")))
        draft.add("programs", row.get("entity_regulation_programme"))
        draft.remark(row.get("entity_remark"), row.get("namealias_function"))
    first = rows[0]
    kind = first.get("entity_subjecttype_classificationcode", "entity_subjecttype").lower()
    return draft.party(
        tally,
        first.get("entity_eu_referencenumber") or number,
        _KINDS.get(kind, kind),
        first.get("entity_regulation_publicationurl"),
    )


def _kind(element: Element | None) -> str:
    code = (element.get("code") or element.get("classificationCode")).lower() if element is not None else ""
    return _KINDS.get(code, code)


def _country(text: str) -> str | None:
    return None if text.upper() in ("UNKNOWN", "00", "") else text


def _identifier(kind: str, number: str) -> str | None:
    return joined((kind, number), " ") if number else None


def _is_low(remark: str) -> bool:
    return "low quality" in remark.lower()
