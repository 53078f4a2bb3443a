"""Who the customer is: how old, where to be found, known for what, paid by whom; who passes goods on."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Annotated, Final

import msgspec

from packtrain.diligence.rules.facts import NO_ONE, Party
from packtrain.diligence.rules.inquiry import Finding, Inquiry, Parameters, Question, is_none, key, said

_COMPANY: Final = ("company", None)
"""Kinds that have a register, owners and directors; whoever does not say its kind is treated as one."""


class Young(Parameters, frozen=True, kw_only=True):
    """From which day on "incorporated after" counts, and under how many days at the contract a company is young."""

    roles: tuple[str, ...]
    since: date
    young_days: Annotated[int, msgspec.Meta(ge=1)]


class Vehicle(Parameters, frozen=True, kw_only=True):
    """Under how many days at the contract a company is young."""

    roles: tuple[str, ...]
    young_days: Annotated[int, msgspec.Meta(ge=1)]


class Addresses(Parameters, frozen=True, kw_only=True):
    """Kinds of address that are no office, and words that show one."""

    roles: tuple[str, ...]
    kinds: tuple[str, ...]
    words: tuple[str, ...]


class Roles(Parameters, frozen=True, kw_only=True):
    """Which roles are looked at."""

    roles: tuple[str, ...]


class Payment(Parameters, frozen=True, kw_only=True):
    """Means of payment that leave no name."""

    means: tuple[str, ...]


class Nothing(Parameters, frozen=True, kw_only=True):
    """Nothing to set."""


def _contract_day(inquiry: Inquiry) -> date:
    """Return the day of the contract; where it is not said, that of the declaration, which is later."""
    signed_on = inquiry.facts.contract.signed_on
    inquiry.use("contract signed on", signed_on)
    return signed_on if signed_on is not None else inquiry.facts.declared_on


def _age_days(inquiry: Inquiry, party: Party) -> int | None:
    if party.incorporated_on is None:
        return None
    return (_contract_day(inquiry) - party.incorporated_on).days


def _young(inquiry: Inquiry, wanted: Young) -> Iterator[Finding]:
    for party in inquiry.parties(wanted.roles, "incorporated_on"):
        if party.kind not in _COMPANY:
            continue
        days = _age_days(inquiry, party)
        if party.incorporated_on is None or days is None:
            yield Finding("young", f"when {party.name} was incorporated is not disclosed")
            continue
        if days < wanted.young_days:
            yield Finding("young", f"{party.name} was {days} days old at the contract")
        if party.incorporated_on > wanted.since:
            yield Finding("recent", f"{party.name} was incorporated on {party.incorporated_on}, after {wanted.since}")


def _vehicle(inquiry: Inquiry, wanted: Vehicle) -> Iterator[Finding]:
    for party in inquiry.parties(wanted.roles, "incorporated_on"):
        if party.kind not in _COMPANY:
            continue
        inquiry.use(f"{party.name} formed at the request of", party.formed_at_request_of)
        inquiry.use(f"directors of {party.name}", party.directors)
        days = _age_days(inquiry, party)
        signs: list[str] = []
        if days is None or days < wanted.young_days:
            signs.append("of undisclosed age" if days is None else f"{days} days old at the contract")
        if party.formed_at_request_of is None:
            signs.append("whether somebody asked for it to be formed is not disclosed")
        elif not is_none(party.formed_at_request_of):
            signs.append(f"formed at the request of {party.formed_at_request_of}")
        parent = _foreign_or_unknown_parent(inquiry, party)
        if signs and parent:
            directors = f"; directors: {said(party.directors)}" if party.directors else ""
            yield Finding("vehicle", f"{party.name} is {' and '.join(signs)}; {parent}{directors}")


def _foreign_or_unknown_parent(inquiry: Inquiry, party: Party) -> str:
    """Return in words why a party's parent is foreign or unknown; "" where it is neither."""
    inquiry.use(f"parent of {party.name}", party.declared_parent)
    inquiry.use(f"country of that parent ({party.name} is in {said(party.location)})", party.parent_country)
    inquiry.use(f"chain of owners above {party.name} ends", party.above_ends)
    if party.declared_parent is None or party.above_ends in ("undisclosed", "cycle"):
        return "who owns it in the end is not known"
    if party.declared_parent != NO_ONE and party.parent_country is None:
        return f"the country of its parent {party.declared_parent} is not disclosed"
    places = {party.headquarters, *(each.headquarters for each in party.above)}
    if party.declared_parent != NO_ONE:
        places.add(party.parent_country)
    abroad = sorted(said(place) for place in places if place != party.location)
    return f"its headquarters or owners are in {', '.join(abroad)}" if abroad else ""


def _address(inquiry: Inquiry, wanted: Addresses) -> Iterator[Finding]:
    for party in inquiry.parties(wanted.roles, "address_kind"):
        inquiry.use(f"address of {party.name}", party.address)
        text = (party.address or "").casefold()
        if party.address_kind is None:
            yield Finding("address", f"what kind of address {party.name} has is not disclosed")
        elif party.address_kind in wanted.kinds:
            yield Finding("address", f"address of {party.name}: {party.address_kind}")
        for word in wanted.words:
            if word.casefold() in text:
                yield Finding("address", f"address of {party.name} has {word}: {party.address}")


def _presence(inquiry: Inquiry, wanted: Roles) -> Iterator[Finding]:
    for party in inquiry.parties(wanted.roles, "website"):
        inquiry.use(f"evidence about {party.name}", party.evidence)
        if is_none(party.website):
            yield Finding("no website", f"website of {party.name}: {said(party.website)}")
        if not party.evidence:
            yield Finding("no register", f"no extract of a register or other paper about {party.name}")


def _business(inquiry: Inquiry, wanted: Roles) -> Iterator[Finding]:
    for party in inquiry.parties(wanted.roles, "line_of_business"):
        inquiry.use(f"earlier work of {party.name}", party.related_work)
        if is_none(party.line_of_business):
            yield Finding("no business", f"line of business of {party.name}: {said(party.line_of_business)}")
        if is_none(party.related_work):
            yield Finding("no earlier work", f"earlier work of {party.name} of this kind: {said(party.related_work)}")


def _payment(inquiry: Inquiry, wanted: Payment) -> Iterator[Finding]:
    facts = inquiry.facts
    customers = list(inquiry.parties(("customer",), "location"))
    payers = list(inquiry.parties(("payer",), "location"))
    inquiry.use("means of payment", facts.contract.payment)
    if not payers:
        yield Finding("payer", "who pays is not disclosed")
    for payer in payers:
        for customer in customers:
            if key(payer.name) != key(customer.name):
                yield Finding("payer", f"{payer.name} pays for {customer.name}")
            if payer.location != customer.location:
                yield Finding("payer", f"paid from {said(payer.location)} for a customer in {said(customer.location)}")
    if facts.contract.payment is None or facts.contract.payment in wanted.means:
        yield Finding("means", f"means of payment: {said(facts.contract.payment)}")
    inquiry.use("answers changed since the first declaration", facts.amended)
    for field in facts.amended:
        if "payer" in field or "payment" in field:
            yield Finding("changed", f"changed after it was declared: {field}")


def _forwarder(inquiry: Inquiry, _: Nothing) -> Iterator[Finding]:
    for party in inquiry.parties(("receiver",), "trades_for_others"):
        if party.trades_for_others:
            yield Finding("forwarder", f"the receiver {party.name} passes goods on")
        elif party.trades_for_others is None and party.kind in _COMPANY:
            yield Finding("forwarder", f"whether the receiver {party.name} passes goods on is not disclosed")
    inquiry.use("address of the site", inquiry.facts.site.address)
    if is_none(inquiry.facts.site.address):
        yield Finding("place unknown", "where the drives end is not disclosed: the site has no address")


QUESTIONS: Final = (
    Question("young_company", ("recent", "young"), Young, _young),
    Question("young_vehicle", ("vehicle",), Vehicle, _vehicle),
    Question("address_kind", ("address",), Addresses, _address),
    Question("presence", ("no website", "no register"), Roles, _presence),
    Question("line_of_business", ("no business", "no earlier work"), Roles, _business),
    Question("payment", ("payer", "means", "changed"), Payment, _payment),
    Question("forwarder", ("forwarder", "place unknown"), Nothing, _forwarder),
)
