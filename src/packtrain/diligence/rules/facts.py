"""Everything a rule may look at: plain values, made from the documents by others. No rule reads a document itself.

None is "asked, and not disclosed" throughout; "none" is the answer that there is none; an empty tuple says that no row
was stated. What the short form does not ask is None as well, and `Facts.form` says which form it was. Countries are
ISO 3166-1 alpha-2.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from typing import Final, Literal

NO_ONE: Final = "none"
"""The answer "there is none"; it differs from None."""

PartyRole = Literal[
    "shipper",
    "receiver",
    "operator",
    "trained_for",
    "end_user",
    "customer",
    "model_owner",
    "payer",
    "forwarder",
    "reseller",
    "recipient",
]
"""`recipient` gets the trained model; the other words are those of the declaration."""
Moment = Literal["declaration", "admission", "return"]
"""When the rules are run: before packing, at the site's gate, or before results leave."""


@dataclass(frozen=True, slots=True)
class Ancestor:
    """One owner in the chain above a party, and where it has its headquarters."""

    name: str
    headquarters: str | None


@dataclass(frozen=True, slots=True)
class Party:
    """One party in all of its roles.

    Attributes:
        declared_parent: name of its ultimate parent as declared; "none" where nobody is above it.
        kind: "company", "public body", "treaty organisation" or "person".
        formed_at_request_of: who asked that it be formed; "none" where nobody did.
        related_work: earlier work of this kind; "none" where it can show none.
        trades_for_others: it passes goods on: a forwarder, a trading house.
        address_kind: "office", "residence", "care of", "post box" or "registered agent".
        evidence: what each file of evidence about it is; the digests are in the declaration.
        has_dossier: of a reseller: it has a dossier of its own.
        above: the chain from its nearest controlling owner to the last that is known, computed from the shares; not
            the party itself.
        above_ends: how that chain ends; see `ownership.Walk`. None where no shares were asked for.
    """

    name: str
    roles: tuple[PartyRole, ...]
    address: str | None
    location: str | None
    headquarters: str | None
    declared_parent: str | None
    parent_country: str | None
    kind: str | None
    incorporated_on: date | None
    formed_at_request_of: str | None
    directors: tuple[str, ...] | None
    line_of_business: str | None
    related_work: str | None
    trades_for_others: bool | None
    website: str | None
    address_kind: str | None
    evidence: tuple[str, ...]
    has_dossier: bool
    above: tuple[Ancestor, ...]
    above_ends: Literal["top", "undisclosed", "cycle"] | None


@dataclass(frozen=True, slots=True)
class Owner:
    """Somebody above a party who has no role himself.

    Attributes:
        kind: as of a party, or "dispersed": many owners, none of them known by name or with more than half.
    """

    name: str
    kind: str | None
    headquarters: str | None
    has_evidence: bool


@dataclass(frozen=True, slots=True)
class Share:
    """A share between `low` and `high`, parts of 1. `owner` is None where it is not said, and then why not."""

    owner: str | None
    owned: str
    low: Fraction
    high: Fraction
    as_of: date | None
    unknown_because: str | None
    has_evidence: bool


@dataclass(frozen=True, slots=True)
class Contract:
    """The customer's contract with the site. `payment` is a word such as "bank transfer" or "cash"."""

    signed_on: date | None
    payment: str | None
    has_evidence: bool


@dataclass(frozen=True, slots=True)
class Hardware:
    """Machines of one class at the site.

    Attributes:
        is_advanced: an advanced computing item of export control; None where that is not said.
        classification: its number in the export control list.
        authority: under which licence, exception or rule the site got them.
        moves: they are brought over a border for this voyage.
    """

    item: str
    is_advanced: bool | None
    classification: str | None
    origin: str | None
    authority: str | None
    moves: bool | None
    has_evidence: bool


@dataclass(frozen=True, slots=True)
class Site:
    """Where the machines stand. `is_attested`: the operator attests power, cooling and space in writing."""

    country: str
    address: str | None
    kilowatts: int | None
    is_attested: bool
    hardware: tuple[Hardware, ...]


@dataclass(frozen=True, slots=True)
class Leg:
    """One leg of the route: into which country, by which means, with whom."""

    country: str | None
    mode: str | None
    carriers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Route:
    """The way from the shipper's country to the site.

    Attributes:
        carriers: everybody declared to carry, on the legs and besides.
        customs_reference: carnet or declaration of the drives; "none" where there is none.
    """

    start: str
    legs: tuple[Leg, ...]
    carriers: tuple[str, ...]
    customs_reference: str | None


@dataclass(frozen=True, slots=True)
class Home:
    """What becomes of the model: where it goes, how much computing made it, its control number. Recipient: a role."""

    country: str | None
    training_operations: str | None
    classification: str | None


@dataclass(frozen=True, slots=True)
class Licence:
    """A licence or permit that is held. It counts with evidence, and until its last day."""

    number: str
    authority: str
    covers: str
    valid_until: date | None
    has_evidence: bool


@dataclass(frozen=True, slots=True)
class Persons:
    """Persons of one country whose data of one kind is carried; `transfer_tool` lets it leave that country."""

    kind: str | None
    country: str | None
    number: int | None
    transfer_tool: str | None
    has_evidence: bool


@dataclass(frozen=True, slots=True)
class Data:
    """What the cargo says of persons.

    Attributes:
        persons: rows of the full form; () where the data is not personal.
        scan_findings: what a scan of the data found that looks personal, in words, never values; None where nothing
            was scanned.
    """

    has_personal: bool
    controller: str | None
    lawful_basis: str | None
    persons: tuple[Persons, ...]
    scan_findings: tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class ScreenedList:
    """A list that was screened against, and the day that it is of."""

    label: str
    dated: date


@dataclass(frozen=True, slots=True)
class Candidate:
    """A name or address of the papers that is like one on a list.

    Attributes:
        subject: as declared; `listed` is the name or address on the list.
        is_strong: so alike that one person alone may not dismiss it.
        disposition: None while nobody has decided.
        has_two_signers: besides whoever signed the declaration, or dismissed it first, a second person signed.
    """

    identifier: str
    subject: str
    is_address: bool
    list_label: str
    listed: str
    is_strong: bool
    disposition: Literal["true match", "false match"] | None
    has_two_signers: bool


@dataclass(frozen=True, slots=True)
class Screening:
    """One screening: when it was signed, against which lists, with which candidates.

    Attributes:
        left_out: names or addresses with more candidates than were kept, in words: how many, of what.
    """

    signed_on: date
    lists: tuple[ScreenedList, ...]
    candidates: tuple[Candidate, ...]
    left_out: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PackedDrive:
    """A drive of the shipment, or of the packing statement."""

    label: str
    serial: str
    case: str


@dataclass(frozen=True, slots=True)
class Carriage:
    """What was packed, stated and carried.

    Attributes:
        shipped: the drives of the shipment document.
        stated: the drives of the one packing statement; () where there is none.
        stated_carriers: whom the statement names.
        custody_cases, custody_drives, custody_carriers: what the custody log speaks of since the sealing; drives by
            label where the shipment knows them, else by UUID.
        custody_countries: where cases were, as far as the log says.
    """

    shipped: tuple[PackedDrive, ...]
    stated: tuple[PackedDrive, ...]
    stated_carriers: tuple[str, ...]
    custody_cases: tuple[str, ...]
    custody_drives: tuple[str, ...]
    custody_carriers: tuple[str, ...]
    custody_countries: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Arrival:
    """What the site reads from the drives, held against the statement; one line in words a drive."""

    unknown: tuple[str, ...]
    swapped: tuple[str, ...]
    missing: tuple[str, ...]
    lost: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Facts:
    """All that the rules judge.

    Attributes:
        declared_on: when the declaration in force was signed.
        amended: fields whose signed answers were changed since the first declaration, as amendments name them.
        escaped: amendments that led from answers which need the full form back to the short one, in words.
        stopped_before: what the rules stop in answers that were amended since, and not in those that hold, in words.
        unstated_roles: roles that were asked for and have no party.
        owners, shares: the chain above the parties. Names join these with the parties.
        prohibited_uses: ticked boxes; () is "none of them".
        screening: None while nothing was screened.
        carriage: None before packing. arrival: None before drives are read at the site.
    """

    form: Literal["short", "full"]
    moment: Moment
    declared_on: date
    amended: tuple[str, ...]
    escaped: tuple[str, ...]
    stopped_before: tuple[str, ...]
    parties: tuple[Party, ...]
    unstated_roles: tuple[PartyRole, ...]
    owners: tuple[Owner, ...]
    shares: tuple[Share, ...]
    contract: Contract
    end_use: str
    prohibited_uses: tuple[str, ...] | None
    site: Site
    route: Route
    home: Home
    licences: tuple[Licence, ...]
    data: Data
    screening: Screening | None
    carriage: Carriage | None
    arrival: Arrival | None

    @property
    def is_full(self) -> bool:
        """Return whether the full form's questions were asked."""
        return self.form == "full"

    def of(self, *roles: str) -> Iterator[Party]:
        """Yield the parties that have any of these roles, each once."""
        return (party for party in self.parties if any(role in roles for role in party.roles))
