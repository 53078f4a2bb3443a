"""Whether everything that travels is on one statement, crosses borders with papers, and arrives as stated."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Final

from packtrain.diligence.rules.inquiry import Finding, Inquiry, Parameters, Question, is_none, key, said


class Nothing(Parameters, frozen=True, kw_only=True):
    """Nothing to set."""


class CustomsBorder(Parameters, frozen=True, kw_only=True):
    """Groups of countries between whose members goods pass without customs; without a group every border is one."""

    unions: tuple[str, ...]


def _named(texts: Iterable[str]) -> frozenset[str]:
    """Return the names in what the statement says of carriers: one, or several with ";" between them."""
    return frozenset(key(name) for text in texts for name in (text, *text.split(";")) if name.strip())


def _one_statement(inquiry: Inquiry, _: Nothing) -> Iterator[Finding]:
    facts, carriage = inquiry.facts, inquiry.facts.carriage
    if carriage is None:
        if facts.moment == "declaration":
            inquiry.not_yet = "nothing is packed"
        else:
            yield Finding("uncovered", "there is no packing statement")
        return
    stated = set(carriage.stated)
    cases = {drive.case for drive in carriage.stated}
    labels = {drive.label for drive in carriage.stated}
    inquiry.use("cases on the packing statement", tuple(sorted(cases)))
    inquiry.use("drives on the packing statement", len(labels))
    inquiry.use("carriers on the packing statement", carriage.stated_carriers)
    inquiry.use("drives of the shipment", len(carriage.shipped))
    inquiry.use("carriers declared", facts.route.carriers)
    inquiry.use("carriers in the custody log", carriage.custody_carriers)
    if not stated:
        yield Finding("uncovered", "there is no packing statement that covers any case")
    for case in dict.fromkeys((*(drive.case for drive in carriage.shipped), *carriage.custody_cases)):
        if case not in cases:
            yield Finding("uncovered", f"case {case} is not on the packing statement")
    for drive in carriage.shipped:
        if drive.case in cases and drive not in stated:
            yield Finding(
                "uncovered", f"drive {drive.label}, serial {drive.serial}, in case {drive.case}: not stated so"
            )
    # Where nothing is stated the cases say it: sixty drives named one by one would bury what else was found.
    for label in carriage.custody_drives if stated else ():
        if label not in labels:
            yield Finding("uncovered", f"drive {label} of the custody log is not on the packing statement")
    known = _named(carriage.stated_carriers)
    for name in dict.fromkeys((*facts.route.carriers, *carriage.custody_carriers)):
        if key(name) not in known:
            yield Finding("uncovered", f"carrier {name} is not on the packing statement")


def _customs(inquiry: Inquiry, wanted: CustomsBorder) -> Iterator[Finding]:
    facts = inquiry.facts
    places = [facts.route.start, *(leg.country for leg in facts.route.legs), facts.site.country]
    inquiry.use("route", tuple(map(said, places)))
    inquiry.use("means of travel", tuple(said(leg.mode) for leg in facts.route.legs))
    inquiry.use("customs reference", facts.route.customs_reference)
    borders = [
        f"{said(here)} to {said(there)}"
        for here, there in pairwise(places)
        if (here is None or here != there)
        and not any(inquiry.is_exempt(here, union) and inquiry.is_exempt(there, union) for union in wanted.unions)
    ]
    if borders and is_none(facts.route.customs_reference):
        yield Finding("no reference", f"{', '.join(borders)}: customs reference {said(facts.route.customs_reference)}")


def _route(inquiry: Inquiry, _: Nothing) -> Iterator[Finding]:
    facts, carriage = inquiry.facts, inquiry.facts.carriage
    if carriage is None:
        inquiry.not_yet = "nothing has travelled"
        return
    declared = {facts.route.start, facts.site.country, *(leg.country for leg in facts.route.legs)}
    inquiry.use("countries of the route", tuple(sorted(said(country) for country in declared)))
    inquiry.use("countries in the custody log", carriage.custody_countries)
    for country in carriage.custody_countries:
        if country not in declared:
            yield Finding("country", f"the custody log names {country}, which is not on the declared route")
    carriers = _named(facts.route.carriers)
    inquiry.use("carriers declared", facts.route.carriers)
    for name in sorted(_named(carriage.custody_carriers) - carriers):
        yield Finding("carrier", f"the custody log names the carrier {name}, who is not declared")


def _arrived(inquiry: Inquiry, _: Nothing) -> Iterator[Finding]:
    arrival = inquiry.facts.arrival
    if arrival is None:
        inquiry.not_yet = "no drive was read at the site"
        return
    for case in ("unknown", "swapped", "missing", "lost"):
        drives: tuple[str, ...] = getattr(arrival, case)
        inquiry.use(f"{case} drives", drives)
        for drive in drives:
            yield Finding(case, f"{case}: {drive}")


QUESTIONS: Final = (
    Question("one_statement", ("uncovered",), Nothing, _one_statement),
    Question("customs_reference", ("no reference",), CustomsBorder, _customs),
    Question("route_kept", ("country", "carrier"), Nothing, _route),
    Question("drives_arrived", ("unknown", "swapped", "missing", "lost"), Nothing, _arrived),
)
