"""OFAC's lists as advanced XML (SDN_ADVANCED.XML, CONS_ADVANCED.XML): parties, and what they refer to, by number.

Verified against other public readers and fragments of published files in their tests: ReferenceValueSets first, then
Locations, IDRegDocuments, DistinctParties, and SanctionsEntries (the programmes) after the parties; LowQuality="true"
for weak aliases; a DocumentedName a script; several LocationPartValues in one LocationPart, those with Primary="false"
in another script; the namespace has changed and is ignored. Parties come before their programmes, so the file is read
twice. Not verified: areas (AreaCode), which are used only where a location names no country.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from packtrain.diligence.lists.days import day
from packtrain.diligence.lists.entry import ListedParty
from packtrain.diligence.lists.reading import Draft, ListSource, Tally, joined
from packtrain.diligence.lists.scratch import Scratch
from packtrain.diligence.lists.xml_stream import Element, elements

_ROOT: Final = "Sanctions"
_DETAILS_URL: Final = "https://sanctionssearch.ofac.treas.gov/Details.aspx?id="
_LOCATION, _DOCUMENT, _PROGRAM = "Location", "IDRegDocument", "SanctionsEntry"
_NAME_ORDER: Final = ("first name", "middle name", "maiden name", "patronymic", "matronymic", "last name", "nickname")
_ADDRESS_ORDER: Final = ("address1", "address2", "address3", "city", "region", "state/province", "postal code")
_COUNTRY_FEATURES: Final = ("nationality country", "citizenship country", "vessel flag", "nationality of registration")
_IDENTIFYING: Final = ("no.", "number", "swift", "imo", "mmsi", "call sign", "isin", "bik", "digital currency address")

_References = Mapping[str, Mapping[str, str]]
"""Name of a value -> its number -> what it stands for."""


def read(source: ListSource, tally: Tally) -> Iterator[ListedParty]:
    """Yield the entries of an advanced XML file; see `reading.Importer` for errors."""
    with Scratch() as scratch:
        references: dict[str, dict[str, str]] = {}
        sub_types: dict[str, str] = {}
        wanted = ("DateOfIssue", "ReferenceValueSets", _LOCATION, _DOCUMENT, _PROGRAM)
        for element in elements(source.path, _ROOT, wanted):
            match element.tag:
                case "DateOfIssue":
                    tally.date_in_file = _date(element)
                case "ReferenceValueSets":
                    _take_references(element, references, sub_types)
                case "Location":
                    _take_location(element, references, scratch)
                case "IDRegDocument":
                    scratch.put(_DOCUMENT, element.get("IdentityID"), {"text": _document(element, references)})
                case "SanctionsEntry":
                    _take_programs(element, references, scratch)
                case _:
                    pass
        for element in elements(source.path, _ROOT, ("DistinctParty",)):
            if element.tag == "DistinctParty":
                tally.num_rows += 1
                where = f"{source.path.name}, line {element.line}"
                party = _party(element, where, references, sub_types, scratch, tally)
                if party is not None:
                    yield party


def _take_references(element: Element, references: dict[str, dict[str, str]], sub_types: dict[str, str]) -> None:
    for values in element.children:
        for value in values.children:
            text = value.text.strip() or value.get("Description") or value.get("ISO2")
            if value.tag == "AreaCode":
                text = value.get("Description") or text
            references.setdefault(value.tag, {})[value.get("ID")] = text
            if value.tag == "PartySubType":
                sub_types[value.get("ID")] = value.get("PartyTypeID")


def _take_location(element: Element, references: _References, scratch: Scratch) -> None:
    """Put the address of a location, and once more as it stands in another script, where it is given in one."""
    countries = [_referred(references, "Country", each.get("CountryID")) for each in element.all("LocationCountry")]
    areas = [_referred(references, "AreaCode", each.get("AreaCodeID")) for each in element.all("LocationAreaCode")]
    country = next((name for name in (*countries, *areas) if name and name.lower() != "undetermined"), "")
    first: dict[str, str] = {}
    other: dict[str, str] = {}
    for part in element.all("LocationPart"):
        kind = _referred(references, "LocPartType", part.get("LocPartTypeID")).lower()
        for value in part.all("LocationPartValue"):
            text = value.value("Value") or value.text.strip()
            spelling = other if value.get("Primary") == "false" else first
            spelling.setdefault(kind, text)
    for spelling in (first, {**first, **other}) if other else (first,):
        said = sorted(spelling, key=lambda kind: _rank(_ADDRESS_ORDER, kind))
        text = joined((*(spelling[kind] for kind in said), country))
        scratch.put(_LOCATION, element.get("ID"), {"text": text, "country": country})


def _take_programs(element: Element, references: _References, scratch: Scratch) -> None:
    profile = element.get("ProfileID")
    listed_on = _referred(references, "List", element.get("ListID"))
    for text in (*element.values("SanctionsMeasure", "Comment"), listed_on):
        if text:
            scratch.put(_PROGRAM, profile, {"text": text})


def _party(
    element: Element, where: str, references: _References, sub_types: Mapping[str, str], scratch: Scratch, tally: Tally
) -> ListedParty | None:
    draft = Draft(where)
    draft.remark(element.value("Comment"))
    profile = element.first("Profile")
    number, kind = element.get("FixedRef"), ""
    if profile is not None:
        number = profile.get("ID") or number
        sub_type = profile.get("PartySubTypeID")
        kind = _referred(references, "PartySubType", sub_type)
        if kind.lower() in ("", "unknown"):
            kind = _referred(references, "PartyType", sub_types.get(sub_type, ""))
        for identity in profile.all("Identity"):
            _names(identity, references, draft)
            for document in scratch.get(_DOCUMENT, identity.get("ID")):
                draft.add("identifiers", document["text"])
        for feature in profile.all("Feature"):
            _feature(feature, references, scratch, draft)
    draft.add("programs", *(program["text"] for program in scratch.get(_PROGRAM, number)))
    return draft.party(tally, number, kind, f"{_DETAILS_URL}{number}")


def _names(identity: Element, references: _References, draft: Draft) -> None:
    kinds = {
        group.get("ID"): _referred(references, "NamePartType", group.get("NamePartTypeID")).lower()
        for group in identity.all("NamePartGroups", "MasterNamePartGroup", "NamePartGroup")
    }
    for alias in identity.all("Alias"):
        is_first = alias.get("Primary") == "true"
        for name in alias.all("DocumentedName"):
            parts = sorted(
                name.all("DocumentedNamePart", "NamePartValue"),
                key=lambda part: _rank(_NAME_ORDER, kinds.get(part.get("NamePartGroupID"), "")),
            )
            draft.name(
                joined((part.text for part in parts), " "),
                is_alias=not is_first,
                is_weak=alias.get("LowQuality") == "true",
            )
            is_first = False  # the same name in another script


def _feature(feature: Element, references: _References, scratch: Scratch, draft: Draft) -> None:
    label = _referred(references, "FeatureType", feature.get("FeatureTypeID"))
    for version in feature.all("FeatureVersion"):
        for location in version.all("VersionLocation"):
            for found in scratch.get(_LOCATION, location.get("LocationID")):
                if label.lower() in _COUNTRY_FEATURES:
                    draft.add("countries", found["country"] or found["text"])
                elif label.lower() == "location":
                    draft.address([found["text"]], found["country"])
        for detail in version.all("VersionDetail"):
            text = detail.text.strip() or _referred(references, "DetailReference", detail.get("DetailReferenceID"))
            if label.lower() in _COUNTRY_FEATURES:
                draft.add("countries", text)
            elif text and any(word in label.lower() for word in _IDENTIFYING):
                draft.add("identifiers", f"{label} {text}")


def _document(element: Element, references: _References) -> str:
    kind = _referred(references, "IDRegDocType", element.get("IDRegDocTypeID"))
    country = _referred(references, "Country", element.get("IssuedBy-CountryID"))
    return joined((kind, element.value("IDRegistrationNo"), country), " ")


def _referred(references: _References, name: str, number: str) -> str:
    return references.get(name, {}).get(number, "")


def _rank(order: tuple[str, ...], kind: str) -> int:
    return order.index(kind) if kind in order else -1


def _date(element: Element) -> str | None:
    year, month, date = (element.value(name).zfill(2) for name in ("Year", "Month", "Day"))
    return day(f"{year}-{month}-{date}")
