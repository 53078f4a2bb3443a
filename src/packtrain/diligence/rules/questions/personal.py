"""Whose personal data travels, and whether what was declared of it is enough. Carrying drives is a transfer too."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Annotated, Final

import msgspec

from packtrain.diligence.rules.facts import Party, Persons
from packtrain.diligence.rules.inquiry import Finding, Inquiry, Parameters, Question, is_none, said

Number = Annotated[int, msgspec.Meta(ge=0)]


class Nothing(Parameters, frozen=True, kw_only=True):
    """Nothing to set."""


class FromGroup(Parameters, frozen=True, kw_only=True):
    """Data of persons of a group needs an instrument, unless it stays there or goes to a country found adequate."""

    group: str
    adequate: str


class FromCountries(Parameters, frozen=True, kw_only=True):
    """Data of persons of these countries needs an instrument to leave."""

    countries: tuple[str, ...]


class ByNumber(Parameters, frozen=True, kw_only=True):
    """From how many persons of a country on an instrument is needed, sensitive kinds earlier."""

    country: str
    sensitive: tuple[str, ...]
    sensitive_number: Number
    number: Number


class Bulk(Parameters, frozen=True, kw_only=True):
    """Bulk thresholds by kind for persons of a country, and the group whose parties may not get it."""

    country: str
    group: str
    thresholds: dict[str, Number]


def _rows(inquiry: Inquiry) -> tuple[Persons, ...]:
    rows = inquiry.facts.data.persons
    inquiry.use(
        "persons whose data is carried",
        tuple(f"{said(row.number)} of {said(row.country)}: {said(row.kind)}" for row in rows),
    )
    inquiry.use("country of the site", inquiry.facts.site.country)
    return rows


def _no_instrument(row: Persons) -> Finding:
    return Finding(
        "no instrument",
        f"{said(row.kind)} of {said(row.number)} persons of {said(row.country)}: instrument {said(row.transfer_tool)}",
    )


def _leaving(inquiry: Inquiry, needs: Callable[[Persons], bool]) -> Iterator[Finding]:
    for row in _rows(inquiry):
        inquiry.use(f"instrument for {said(row.country)}", row.transfer_tool)
        if needs(row) and is_none(row.transfer_tool):
            yield _no_instrument(row)


def _contradicted(inquiry: Inquiry, _: Nothing) -> Iterator[Finding]:
    data = inquiry.facts.data
    inquiry.use("personal data declared", data.has_personal)
    inquiry.use("found by a scan", "not scanned" if data.scan_findings is None else data.scan_findings)
    if not data.has_personal:
        for found in data.scan_findings or ():
            yield Finding("contradicted", f"declared is no personal data; found: {found}")


def _from_group(inquiry: Inquiry, wanted: FromGroup) -> Iterator[Finding]:
    site = inquiry.facts.site.country
    inquiry.use(f"site in {wanted.adequate}", inquiry.is_exempt(site, wanted.adequate))

    def needs(row: Persons) -> bool:
        # A country that is not said is none of the group for certain: it may be.
        is_from = row.country is None or inquiry.is_in(row.country, wanted.group)
        return is_from and not inquiry.is_exempt(site, wanted.group) and not inquiry.is_exempt(site, wanted.adequate)

    yield from _leaving(inquiry, needs)


def _from_countries(inquiry: Inquiry, wanted: FromCountries) -> Iterator[Finding]:
    site = inquiry.facts.site.country
    yield from _leaving(inquiry, lambda row: row.country in wanted.countries and row.country != site)


def _by_number(inquiry: Inquiry, wanted: ByNumber) -> Iterator[Finding]:
    rows = [row for row in _rows(inquiry) if row.country == wanted.country]
    if inquiry.facts.site.country == wanted.country:
        return
    open_rows = [row for row in rows if is_none(row.transfer_tool)]
    for row in rows:
        inquiry.use(f"instrument for {said(row.kind)}", row.transfer_tool)
    # Several kinds of data of the same persons are counted apart and added up: too many rather than too few.
    total = sum(row.number or 0 for row in rows)
    sensitive = sum(row.number or 0 for row in rows if row.kind in wanted.sensitive)
    is_large = (
        any(row.number is None or row.kind is None for row in rows)
        or total >= wanted.number
        or sensitive >= wanted.sensitive_number
    )
    if is_large:
        yield from map(_no_instrument, open_rows)


def _bulk(inquiry: Inquiry, wanted: Bulk) -> Iterator[Finding]:
    rows = [row for row in _rows(inquiry) if row.country in (wanted.country, None)]
    counts: Counter[str] = Counter()
    for row in rows:
        kind = row.kind if row.kind in wanted.thresholds else None
        # Not said is as many as it may be, of every kind that it may be.
        for each in (kind,) if kind else wanted.thresholds if row.kind is None else ():
            counts[each] += wanted.thresholds[each] + 1 if row.number is None else row.number
    bulk = [kind for kind, number in counts.items() if number > wanted.thresholds[kind]]
    if not bulk:
        return
    facts = inquiry.facts
    reached = [("the site", facts.site.country)]
    for party in inquiry.parties(("operator", "receiver", "forwarder", "reseller"), "headquarters"):
        reached += [(party.name, country) for country in _countries(party)]
    for who, country in dict.fromkeys(reached):
        if inquiry.is_in(country, wanted.group):
            kinds = ", ".join(f"{kind} (over {wanted.thresholds[kind]:,} persons)" for kind in sorted(bulk))
            yield Finding("covered", f"{kinds} of {wanted.country} would reach {who} in {country}, encrypted or not")


def _countries(party: Party) -> Iterator[str]:
    places = (party.headquarters, party.location, party.parent_country, *(each.headquarters for each in party.above))
    return (place for place in dict.fromkeys(places) if place is not None)


def _answered_for(inquiry: Inquiry, _: Nothing) -> Iterator[Finding]:
    data = inquiry.facts.data
    inquiry.use("personal data declared", data.has_personal)
    if not data.has_personal:
        return
    inquiry.use("controller", data.controller)
    inquiry.use("lawful basis", data.lawful_basis)
    if is_none(data.controller):
        yield Finding("open", f"who answers for the personal data: {said(data.controller)}")
    if is_none(data.lawful_basis):
        yield Finding("open", f"why it may be used: {said(data.lawful_basis)}")
    if not data.persons:
        yield Finding("open", "whose data it is was not stated")


QUESTIONS: Final = (
    Question("scan_contradicts", ("contradicted",), Nothing, _contradicted),
    Question("transfer_from_group", ("no instrument",), FromGroup, _from_group),
    Question("transfer_from_countries", ("no instrument",), FromCountries, _from_countries),
    Question("transfer_by_number", ("no instrument",), ByNumber, _by_number),
    Question("bulk_data", ("covered",), Bulk, _bulk),
    Question("answered_for", ("open",), Nothing, _answered_for),
)
