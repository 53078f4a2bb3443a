"""The consolidated list of the UN Security Council, as XML.

Verified against a published file of 2026 and the readers of others: INDIVIDUAL and ENTITY below CONSOLIDATED_LIST with
its `dateGenerated`; the name in FIRST_NAME to FOURTH_NAME; QUALITY Good, Low, a.k.a. or f.k.a. of each alias, and
empty elements where there is none; several aliases in one ALIAS_NAME, joined by "; "; NAME_ORIGINAL_SCRIPT.
"""

from __future__ import annotations

from collections.abc import Iterator

from packtrain.diligence.lists.days import day
from packtrain.diligence.lists.entry import ListedParty
from packtrain.diligence.lists.reading import Draft, ListSource, Tally, joined, several
from packtrain.diligence.lists.xml_stream import Element, elements

_ROOT = "CONSOLIDATED_LIST"
_NAME = ("FIRST_NAME", "SECOND_NAME", "THIRD_NAME", "FOURTH_NAME")
_ADDRESS = ("STREET", "CITY", "STATE_PROVINCE", "ZIP_CODE", "COUNTRY")


def read(source: ListSource, tally: Tally) -> Iterator[ListedParty]:
    """Yield the entries of the list; see `reading.Importer` for errors."""
    for element in elements(source.path, _ROOT, ("INDIVIDUAL", "ENTITY")):
        if element.tag == _ROOT:
            tally.date_in_file = day(element.get("dateGenerated"))
            continue
        tally.num_rows += 1
        party = _party(element, f"{source.path.name}, line {element.line}", tally)
        if party is not None:
            yield party


def _party(element: Element, where: str, tally: Tally) -> ListedParty | None:
    prefix = element.tag
    draft = Draft(where)
    draft.name(joined(map(element.value, _NAME), " "))
    draft.name(element.value("NAME_ORIGINAL_SCRIPT"), is_alias=True)
    for alias in element.all(f"{prefix}_ALIAS"):
        for name in several(alias.value("ALIAS_NAME"), "; "):
            draft.name(name, is_alias=True, is_weak=alias.value("QUALITY").lower() == "low")
    for address in element.all(f"{prefix}_ADDRESS"):
        draft.address(map(address.value, _ADDRESS), address.value("COUNTRY"))
    for paper in element.all(f"{prefix}_DOCUMENT"):
        number = paper.value("NUMBER")
        if number:
            parts = (paper.value("TYPE_OF_DOCUMENT"), number, paper.value("ISSUING_COUNTRY"))
            draft.add("identifiers", joined(parts, " "))
    draft.add("countries", *element.values("NATIONALITY", "VALUE"))
    draft.add("programs", element.value("UN_LIST_TYPE"))
    draft.remark(*element.values("DESIGNATION", "VALUE"), element.value("COMMENTS1"))
    return draft.party(tally, element.value("REFERENCE_NUMBER") or element.value("DATAID"), prefix)
