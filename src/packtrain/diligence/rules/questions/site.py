"""Whether the site has what it says, from where, and knows whom it serves."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Final

import msgspec

from packtrain.diligence.rules.inquiry import Finding, Inquiry, Parameters, Question, is_none, said


class Nothing(Parameters, frozen=True, kw_only=True):
    """Nothing to set."""


class LargeSite(Parameters, frozen=True, kw_only=True):
    """From which power on a site is large."""

    kilowatts: Annotated[int, msgspec.Meta(ge=1)]


class Permit(Parameters, frozen=True, kw_only=True):
    """Countries that ask for a notice or permit when such hardware moves."""

    countries: tuple[str, ...]


def _attested(inquiry: Inquiry, _: Nothing) -> Iterator[Finding]:
    site = inquiry.facts.site
    inquiry.use("power, cooling and space attested in writing", site.is_attested)
    if not site.is_attested:
        yield Finding("not attested", "the operator does not attest power, cooling and space for the declared machines")


def _large(inquiry: Inquiry, wanted: LargeSite) -> Iterator[Finding]:
    site = inquiry.facts.site
    inquiry.use("power of the site in kW", site.kilowatts)
    inquiry.use("power, cooling and space attested in writing", site.is_attested)
    if site.kilowatts is None:
        yield Finding("power unknown", "power of the site not disclosed")
    elif site.kilowatts > wanted.kilowatts and not site.is_attested:
        yield Finding("large", f"{site.kilowatts:,} kW, over {wanted.kilowatts:,} kW, and nothing attested")


def _provenance(inquiry: Inquiry, _: Nothing) -> Iterator[Finding]:
    rows = inquiry.facts.site.hardware
    if not rows:
        inquiry.use("hardware", rows)
        yield Finding("no origin", "no hardware of the site is stated")
    for row in rows:
        inquiry.use(f"advanced computing item: {row.item}", row.is_advanced)
        if row.is_advanced is False:
            continue
        for what, answer in (
            ("number in the export control list", row.classification),
            ("country of origin", row.origin),
            ("authority under which it was bought", row.authority),
        ):
            inquiry.use(f"{row.item}: {what}", answer)
            if is_none(answer):
                yield Finding("no origin", f"{row.item}: {what}: {said(answer)}")
        if not row.has_evidence:
            yield Finding("no origin", f"{row.item}: no paper shows how the site got it")


def _permit(inquiry: Inquiry, wanted: Permit) -> Iterator[Finding]:
    site = inquiry.facts.site
    inquiry.use("country of the site", site.country)
    if site.country not in wanted.countries:
        return
    licences = inquiry.licences()
    inquiry.use("licences held, with evidence and valid on the day", tuple(each.number for each in licences))
    for row in site.hardware:
        inquiry.use(f"{row.item} is moved for this voyage", row.moves)
        if row.moves is not False and row.is_advanced is not False and not licences:
            yield Finding("no permit", f"{row.item} moves into {site.country}: no notice or permit of it is shown")


def _resellers(inquiry: Inquiry, _: Nothing) -> Iterator[Finding]:
    if "reseller" in inquiry.facts.unstated_roles:
        inquiry.use("resellers between customer and site", None)
        yield Finding("reseller", "whether there are resellers between customer and site is not disclosed")
    for party in inquiry.parties(("reseller",), "has_dossier"):
        if not party.has_dossier:
            yield Finding("reseller", f"{party.name} stands between customer and site, without a dossier of its own")


QUESTIONS: Final = (
    Question("site_attested", ("not attested",), Nothing, _attested),
    Question("large_site", ("large", "power unknown"), LargeSite, _large),
    Question("hardware_origin", ("no origin",), Nothing, _provenance),
    Question("host_permit", ("no permit",), Permit, _permit),
    Question("resellers", ("reseller",), Nothing, _resellers),
)
