"""The full form of a declaration: what a voyage over a border, or with an owner in the dark, has to say besides.

A part of declaration.json, not a document of its own. None is "undisclosed"; an empty list is "there are none".
Shares are whole millionths, power is whole kilowatts: documents have no fractions.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

import msgspec

from packtrain.documents.codec import Count, Part, Sha256
from packtrain.documents.declared_party import Answer, Country, Day, DeclaredParty, Evidence

MAX_ROWS: Final = 10_000
"""Most rows of one table: a declaration is written by hand, and read by people."""

WHOLE: Final = 1_000_000
"""All of a company, in millionths."""

Share = Annotated[int, msgspec.Meta(ge=0, le=1_000_000)]
Evidences = Annotated[tuple[Evidence, ...], msgspec.Meta(max_length=1000)]
PartyKind = Literal["company", "public body", "treaty organisation", "person"]
OwnerKind = Literal["company", "public body", "treaty organisation", "person", "dispersed"]
"""Of what is above a party. "dispersed": many owners of whom none has more than half and none is known by name."""
AddressKind = Literal["office", "residence", "care of", "post box", "registered agent"]
PaymentMeans = Literal["bank transfer", "card", "cheque", "cash", "crypto", "barter", "none"]
ProhibitedUse = Literal[
    "military",
    "military intelligence",
    "nuclear",
    "missile",
    "chemical or biological weapons",
    "mass surveillance",
]
TravelMode = Literal["hand baggage", "checked baggage", "air freight", "road", "rail", "sea", "post"]
PersonalKind = Literal[
    "identifiers",
    "biometric",
    "health",
    "genomic",
    "other omic",
    "financial",
    "precise location",
    "children",
    "other sensitive",
    "other personal",
]


class PartyFacts(Part, frozen=True, kw_only=True):
    """What else is declared of one party, by its name. Held once however many roles it has.

    Attributes:
        name: as in the role.
        incorporated_on, formed_at_request_of, directors, trades_for_others: asked of companies alone; None for others.
        line_of_business, related_work, website, address_kind: asked of all but persons.
        formed_at_request_of: who asked that this company be formed; "none" where nobody did.
        website: "none" where it has none.
        trades_for_others: it is a forwarder or a trading house, which passes goods on.
        related_work: earlier work of this kind that it can show; "none" where there is none.
    """

    name: Answer
    kind: PartyKind | None
    incorporated_on: Day | None
    formed_at_request_of: Answer | None
    directors: Annotated[tuple[Answer, ...], msgspec.Meta(max_length=MAX_ROWS)] | None
    line_of_business: Answer | None
    related_work: Answer | None
    trades_for_others: bool | None
    website: Answer | None
    address_kind: AddressKind | None
    evidence: Evidences


class DeclaredOwner(Part, frozen=True, kw_only=True):
    """Somebody above a party who is not a party himself."""

    name: Answer
    kind: OwnerKind | None
    address: Answer | None
    headquarters: Country | None
    evidence: Evidences


class DeclaredHolding(Part, frozen=True, kw_only=True):
    """A share of one in another, of BODS 0.4's shape: exact, a range, or of an owner who is not named, and why.

    Attributes:
        owner: its name; None where it is not said, and then `unknown_because` says why.
        low, high: millionths of the whole; equal where the share is known exactly.
        as_of: the day for which this is stated.
    """

    owner: Answer | None
    owned: Answer
    low: Share
    high: Share
    as_of: Day | None
    unknown_because: Answer | None
    evidence: Evidences


class DeclaredContract(Part, frozen=True, kw_only=True):
    """The customer's contract with the site."""

    signed_on: Day | None
    payment: PaymentMeans | None
    evidence: Evidences


class DeclaredHardware(Part, frozen=True, kw_only=True):
    """Machines of one class.

    Attributes:
        item: make and model.
        is_advanced_computing: an advanced computing item of export law (3A090, 4A090, ".z").
        classification: its number in the export control list (ECCN), such as "4A090.a".
        origin: the country whose goods they are.
        authority: under which licence, exception or rule the site got them; "none" where there is none.
        moves: whether they are brought over a border for this voyage.
    """

    item: Answer
    count: Count | None
    is_advanced_computing: bool | None
    classification: Answer | None
    origin: Country | None
    authority: Answer | None
    moves: bool | None
    evidence: Evidences


class DeclaredSite(Part, frozen=True, kw_only=True):
    """The place where the machines stand; its country is `site_country`.

    Attributes:
        kilowatts: power of the site.
        infrastructure_attested: the operator attests power, cooling and space for the machines in writing.
    """

    address: Answer | None
    kilowatts: Count | None
    infrastructure_attested: bool | None
    hardware: Annotated[tuple[DeclaredHardware, ...], msgspec.Meta(max_length=MAX_ROWS)]
    evidence: Evidences


class DeclaredCarrier(Part, frozen=True, kw_only=True):
    """A person or firm that carries cases.

    Attributes:
        acts_for: the firm or party on whose behalf; "none" for nobody but itself.
        location: where it lives or has its seat.
    """

    name: Answer
    acts_for: Answer | None
    location: Country | None


class DeclaredLeg(Part, frozen=True, kw_only=True):
    """One leg of the route: into which country, how, and who carries. The first leg begins at the shipper."""

    country: Country | None
    mode: TravelMode | None
    carriers: Annotated[tuple[Answer, ...], msgspec.Meta(max_length=MAX_ROWS)]


class DeclaredReseller(Part, frozen=True, kw_only=True):
    """Somebody between the customer and the site, with the digest of a dossier of his own where there is one."""

    party: DeclaredParty
    dossier: Sha256 | None


class DeclaredReturn(Part, frozen=True, kw_only=True):
    """What happens to the trained model.

    Attributes:
        country: where it goes.
        recipient: who gets it.
        training_operations: how many operations the training takes, about, such as "3e24".
        classification: of the weights in the export control list; "none" where they have none.
    """

    country: Country | None
    recipient: DeclaredParty | None
    training_operations: Answer | None
    classification: Answer | None


class DeclaredLicence(Part, frozen=True, kw_only=True):
    """A licence or permit that is held for this voyage, or for its hardware."""

    number: Answer
    authority: Answer
    covers: Answer
    valid_until: Day | None
    evidence: Evidences


class DeclaredPersons(Part, frozen=True, kw_only=True):
    """Persons of one country whose data of one kind is carried, and the instrument under which it may leave."""

    kind: PersonalKind | None
    country: Country | None
    number: Count | None
    transfer_tool: Answer | None
    evidence: Evidences


class PersonalData(Part, frozen=True, kw_only=True):
    """Who answers for the personal data, why it may be used, and whose it is."""

    controller: Answer | None
    lawful_basis: Answer | None
    persons: Annotated[tuple[DeclaredPersons, ...], msgspec.Meta(max_length=MAX_ROWS)]


class FullForm(Part, frozen=True, kw_only=True):
    """The answers of the full form.

    Attributes:
        customer, end_user, model_owner, payer: as parties of the six questions.
        forwarders, resellers, licences, prohibited_uses: empty for "none".
        parties: further facts, one row a party.
        owners, holdings: the chain above the parties.
        prohibited_uses: what the model may be used for, of the uses that export law names; empty is the box "none".
        customs_reference: carnet or declaration under which the drives cross; "none" where there is none.
        data_source: where the data came from, and under which licence or permission.
        personal: None where the data is not personal.
    """

    customer: DeclaredParty | None
    end_user: DeclaredParty | None
    model_owner: DeclaredParty | None
    payer: DeclaredParty | None
    forwarders: Annotated[tuple[DeclaredParty, ...], msgspec.Meta(max_length=MAX_ROWS)] | None
    resellers: Annotated[tuple[DeclaredReseller, ...], msgspec.Meta(max_length=MAX_ROWS)] | None
    parties: Annotated[tuple[PartyFacts, ...], msgspec.Meta(max_length=MAX_ROWS)]
    owners: Annotated[tuple[DeclaredOwner, ...], msgspec.Meta(max_length=MAX_ROWS)]
    holdings: Annotated[tuple[DeclaredHolding, ...], msgspec.Meta(max_length=MAX_ROWS)]
    contract: DeclaredContract
    prohibited_uses: Annotated[tuple[ProhibitedUse, ...], msgspec.Meta(max_length=100)] | None
    site: DeclaredSite
    carriers: Annotated[tuple[DeclaredCarrier, ...], msgspec.Meta(max_length=MAX_ROWS)]
    route: Annotated[tuple[DeclaredLeg, ...], msgspec.Meta(max_length=1000)]
    customs_reference: Answer | None
    home: DeclaredReturn
    licences: Annotated[tuple[DeclaredLicence, ...], msgspec.Meta(max_length=MAX_ROWS)] | None
    data_source: Answer | None
    personal: PersonalData | None
