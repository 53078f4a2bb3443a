"""Facts of voyages, written by hand: a lawful one, the reported one, and the small parts they are made of."""

from dataclasses import replace
from datetime import date
from fractions import Fraction

from packtrain.diligence.rules.facts import (
    Ancestor,
    Arrival,
    Candidate,
    Carriage,
    Contract,
    Data,
    Facts,
    Hardware,
    Home,
    Leg,
    Licence,
    Owner,
    PackedDrive,
    Party,
    PartyRole,
    Persons,
    Route,
    ScreenedList,
    Screening,
    Share,
    Site,
)
from packtrain.documents.country_group import CountryGroup

DAY = date(2026, 11, 24)
NO_ARRIVAL = Arrival(unknown=(), swapped=(), missing=(), lost=())


def group(name: str, *members: str, as_of: str = "2026-11-20") -> CountryGroup:
    """Return a country group; its members are the test's own."""
    return CountryGroup(
        name=name,
        as_of=as_of,
        source="a fixture of the tests",
        members=members,
        file="0" * 64,
        added_on="2026-11-21T00:00:00Z",
        replaces=None,
    )


GROUPS = {
    each.name: each
    for each in (
        group("D5", "BY", "CN", "IR", "KP", "RU", "VE"),
        group("US-COC", "CN", "CU", "HK", "IR", "KP", "MO", "RU", "VE"),
        group("EEA", "AT", "DE", "FR", "NL", "NO"),
        group("EU-ADEQUATE", "CH", "GB", "JP"),
        group("EU-CU", "AT", "DE", "FR", "NL"),
    )
}


def public_body(name: str, country: str, *roles: PartyRole, kind: str = "public body") -> Party:
    """Return a public body that hides nothing."""
    return Party(
        name=name,
        roles=roles,
        address="1 Long Street",
        location=country,
        headquarters=country,
        declared_parent="none",
        parent_country=None,
        kind=kind,
        incorporated_on=None,
        formed_at_request_of=None,
        directors=None,
        line_of_business="research",
        related_work="ten years of it",
        trades_for_others=None,
        website="https://example.org",
        address_kind="office",
        evidence=("statute",),
        has_dossier=False,
        above=(),
        above_ends="top",
    )


def company(name: str, country: str, *roles: PartyRole) -> Party:
    """Return a company of some years whose owners are known and at home."""
    return replace(
        public_body(name, country, *roles, kind="company"),
        incorporated_on=date(2010, 1, 2),
        formed_at_request_of="none",
        directors=("D. Rector",),
        trades_for_others=False,
    )


def share(owner: str | None, owned: str, low: int, high: int | None = None) -> Share:
    """Return a share in per cent, stated this year and shown by a paper."""
    return Share(
        owner=owner,
        owned=owned,
        low=Fraction(low, 100),
        high=Fraction(low if high is None else high, 100),
        as_of=date(2026, 6, 1),
        unknown_because=None if owner else "the register there is not public",
        has_evidence=True,
    )


def person(name: str) -> Owner:
    """Return a natural person who owns something."""
    return Owner(name=name, kind="person", headquarters="CL", has_evidence=True)


def candidate(subject: str = "Observatory", **changed: object) -> Candidate:
    """Return a weak candidate for a name, not decided."""
    plain = Candidate(
        identifier="c1",
        subject=subject,
        is_address=False,
        list_label="us-csl",
        listed="Obsrvatory",
        is_strong=False,
        disposition=None,
        has_two_signers=False,
    )
    return replace(plain, **changed)  # pyright: ignore[reportArgumentType]


def persons(**changed: object) -> Persons:
    """Return a row of persons under an instrument."""
    plain = Persons(kind="identifiers", country="CL", number=10, transfer_tool="clauses of 2025", has_evidence=True)
    return replace(plain, **changed)  # pyright: ignore[reportArgumentType]


def licence(valid_until: date | None = date(2027, 1, 1), *, has_evidence: bool = True) -> Licence:
    """Return a licence that counts until 2027."""
    return Licence("L-7", "the authority", "this voyage", valid_until, has_evidence)


def drives(*cases: str, of_each: int = 2) -> tuple[PackedDrive, ...]:
    """Return drives of some cases, as both the shipment and the statement name them."""
    return tuple(
        PackedDrive(label=f"{case}{number}", serial=f"S-{case}{number}", case=case)
        for case in cases
        for number in range(1, of_each + 1)
    )


def carriage(*cases: str, carriers: tuple[str, ...]) -> Carriage:
    """Return a carriage in which everything is on the statement."""
    packed = drives(*cases, of_each=15)
    return Carriage(
        shipped=packed,
        stated=packed,
        stated_carriers=carriers,
        custody_cases=cases,
        custody_drives=(),
        custody_carriers=carriers,
        custody_countries=("CL", "NL"),
    )


CARRIERS = ("Carrier One", "Carrier Two", "Carrier Three", "Carrier Four")
ADVANCED = Hardware(
    item="servers with eight accelerators",
    is_advanced=True,
    classification="4A090.a",
    origin="US",
    authority="licence exception of the site",
    moves=False,
    has_evidence=True,
)


def lawful() -> Facts:
    """Return an observatory's voyage to a public computing centre in another country, all of it in the open."""
    return Facts(
        form="full",
        moment="admission",
        declared_on=date(2026, 11, 1),
        amended=(),
        escaped=(),
        stopped_before=(),
        parties=(
            public_body(
                "Observatory",
                "CL",
                "shipper",
                "trained_for",
                "end_user",
                "model_owner",
                "customer",
                "payer",
                "recipient",
                kind="treaty organisation",
            ),
            public_body("Consortium", "NL", "receiver", "operator"),
        ),
        unstated_roles=(),
        owners=(),
        shares=(),
        contract=Contract(signed_on=date(2026, 10, 1), payment="bank transfer", has_evidence=True),
        end_use="to find comets",
        prohibited_uses=(),
        site=Site(country="NL", address="2 Canal Street", kilowatts=4000, is_attested=True, hardware=(ADVANCED,)),
        route=Route(
            start="CL",
            legs=(Leg(country="NL", mode="air, hand baggage", carriers=CARRIERS),),
            carriers=CARRIERS,
            customs_reference="ATA carnet 7",
        ),
        home=Home(country="CL", training_operations="3e24", classification="none"),
        licences=(),
        data=Data(has_personal=False, controller=None, lawful_basis=None, persons=(), scan_findings=()),
        screening=Screening(
            signed_on=date(2026, 11, 23),
            lists=(ScreenedList("us-csl", date(2026, 11, 22)),),
            candidates=(),
            left_out=(),
        ),
        carriage=carriage("A", "B", "C", "D", carriers=CARRIERS),
        arrival=NO_ARRIVAL,
    )


def with_company() -> Facts:
    """Return the lawful voyage with a company as customer, all of whose owners are known."""
    facts = lawful()
    customer = company("Optics", "CL", "customer", "payer", "end_user", "trained_for", "model_owner", "recipient")
    shipper = replace(facts.parties[0], roles=("shipper",))
    return replace(
        facts,
        parties=(customer, shipper, facts.parties[1]),
        owners=(person("P. One"), person("P. Two")),
        shares=(share("P. One", "Optics", 50), share("P. Two", "Optics", 50)),
    )


def reported() -> Facts:
    """Return the voyage that the press reported in June 2025; what was not reported is answered harmlessly."""
    developer = replace(
        company("Developer", "CN", "shipper", "trained_for", "end_user", "model_owner", "payer", "recipient"),
    )
    customer = replace(
        company("Second Tenant", "MY", "customer", "receiver"),
        incorporated_on=date(2026, 4, 1),
        formed_at_request_of="Site Operator",
        directors=("Citizen One", "Citizen Two", "Citizen Three"),
        related_work="none",
        website="none",
        declared_parent="Offshore Holding",
        parent_country="VG",
        above=(Ancestor("Offshore Holding", "VG"),),
        above_ends="undisclosed",
    )
    return replace(
        lawful(),
        parties=(developer, customer, company("Site Operator", "MY", "operator")),
        owners=(
            Owner(name="Founder", kind="person", headquarters="CN", has_evidence=True),
            Owner(name="Founders", kind="dispersed", headquarters=None, has_evidence=True),
            Owner(name="Offshore Holding", kind="company", headquarters="VG", has_evidence=True),
        ),
        shares=(
            share("Founder", "Developer", 30),
            share("Founders", "Developer", 70),
            share("Offshore Holding", "Second Tenant", 100),
            share(None, "Offshore Holding", 0, 100),
        ),
        contract=Contract(signed_on=date(2026, 10, 1), payment="bank transfer", has_evidence=True),
        end_use="a language model",
        site=Site(country="MY", address="3 Hall Road", kilowatts=4000, is_attested=False, hardware=(ADVANCED,)),
        route=Route(
            start="CN",
            legs=(Leg(country="MY", mode="air, checked baggage", carriers=CARRIERS),),
            carriers=CARRIERS,
            customs_reference="none",
        ),
        home=Home(country="CN", training_operations="3e24", classification="none"),
        carriage=replace(
            carriage("A", "B", "C", "D", carriers=CARRIERS), stated=(), stated_carriers=(), custody_countries=("MY",)
        ),
    )
