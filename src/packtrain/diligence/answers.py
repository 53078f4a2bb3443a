"""declaration.toml as it is written, table by table. Any field may be left out, so that all gaps are named at once."""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from packtrain.documents.codec import Part, Text

PARTIES: Final = ("shipper", "receiver", "operator", "trained_for")
"""The roles of the six questions."""
FULL_PARTIES: Final = ("customer", "end_user", "model_owner", "payer")
"""The further roles of the full form."""
Role = Literal["shipper", "receiver", "operator", "trained_for", "customer", "end_user", "model_owner", "payer"]
Number = int | float | Text | None
YesNo = bool | Text | None


class PartyAnswers(Part, frozen=True, kw_only=True):
    """One party of declaration.toml, or the name of a role that the same party has."""

    same_as: Role | None = None
    name: Text = ""
    address: Text = ""
    location: Text = ""
    headquarters: Text = ""
    ultimate_parent: Text = ""
    parent_country: Text = ""


class EvidenceAnswers(Part, frozen=True, kw_only=True):
    """A file that supports an answer: by its name, taken from the voyage folder, or by its SHA-256."""

    what: Text = ""
    file: Text = ""
    sha256: Text = ""


Evidences = tuple[EvidenceAnswers, ...]


class FactsAnswers(Part, frozen=True, kw_only=True):
    """[facts.ROLE]: what else is said of a party that is written out."""

    kind: Text = ""
    incorporated_on: Text = ""
    formed_at_request_of: Text = ""
    directors: tuple[Text, ...] | Text | None = None
    line_of_business: Text = ""
    related_work: Text = ""
    trades_for_others: YesNo = None
    website: Text = ""
    address_kind: Text = ""
    evidence: Evidences = ()


class FactsByRole(Part, frozen=True, kw_only=True):
    """[facts]: one table a role."""

    shipper: FactsAnswers | None = None
    receiver: FactsAnswers | None = None
    operator: FactsAnswers | None = None
    trained_for: FactsAnswers | None = None
    customer: FactsAnswers | None = None
    end_user: FactsAnswers | None = None
    model_owner: FactsAnswers | None = None
    payer: FactsAnswers | None = None


class OwnerAnswers(Part, frozen=True, kw_only=True):
    """[[ownership.owners]]: somebody above a party."""

    name: Text = ""
    kind: Text = ""
    address: Text = ""
    headquarters: Text = ""
    evidence: Evidences = ()


class HoldingAnswers(Part, frozen=True, kw_only=True):
    """[[ownership.holdings]]: who holds how much of whom; `percent`, or `at_least` and `at_most`."""

    owner: Text = ""
    owned: Text = ""
    percent: Number = None
    at_least: Number = None
    at_most: Number = None
    as_of: Text = ""
    unknown_because: Text = ""
    evidence: Evidences = ()


class OwnershipAnswers(Part, frozen=True, kw_only=True):
    """[ownership]."""

    owners: tuple[OwnerAnswers, ...] = ()
    holdings: tuple[HoldingAnswers, ...] = ()


class ResellerAnswers(PartyAnswers, frozen=True, kw_only=True):
    """[[contract.resellers]]: a party, with the SHA-256 of a dossier of its own where there is one."""

    dossier: Text = ""


class ContractAnswers(Part, frozen=True, kw_only=True):
    """[contract]: between customer and site."""

    signed_on: Text = ""
    payment: Text = ""
    resellers: tuple[ResellerAnswers, ...] | Text | None = None
    evidence: Evidences = ()


class HardwareAnswers(Part, frozen=True, kw_only=True):
    """[[site.hardware]]: machines of one class."""

    item: Text = ""
    count: Number = None
    is_advanced_computing: YesNo = None
    classification: Text = ""
    origin: Text = ""
    authority: Text = ""
    moves: YesNo = None
    evidence: Evidences = ()


class SiteAnswers(Part, frozen=True, kw_only=True):
    """[site]: the place where the machines stand."""

    address: Text = ""
    megawatts: Number = None
    infrastructure_attested: YesNo = None
    hardware: tuple[HardwareAnswers, ...] = ()
    evidence: Evidences = ()


class CarrierAnswers(Part, frozen=True, kw_only=True):
    """[[carriage.carriers]]: who carries."""

    name: Text = ""
    acts_for: Text = ""
    location: Text = ""


class LegAnswers(Part, frozen=True, kw_only=True):
    """[[carriage.legs]]: one leg of the route."""

    country: Text = ""
    mode: Text = ""
    carriers: tuple[Text, ...] = ()


class CarriageAnswers(Part, frozen=True, kw_only=True):
    """[carriage]: who carries the cases where, under which customs paper."""

    customs_reference: Text = ""
    forwarders: tuple[PartyAnswers, ...] | Text | None = None
    carriers: tuple[CarrierAnswers, ...] = ()
    legs: tuple[LegAnswers, ...] = ()


class HomeAnswers(Part, frozen=True, kw_only=True):
    """[home]: where the trained model goes. `recipient` is a role, or a table like a party."""

    country: Text = ""
    recipient: PartyAnswers | Text | None = None
    training_operations: Text = ""
    classification: Text = ""


class LicenceAnswers(Part, frozen=True, kw_only=True):
    """[[permits.licences]]: one licence or permit."""

    number: Text = ""
    authority: Text = ""
    covers: Text = ""
    valid_until: Text = ""
    evidence: Evidences = ()


class PermitsAnswers(Part, frozen=True, kw_only=True):
    """[permits]: what is allowed, and what is excluded."""

    prohibited_uses: tuple[Text, ...] | Text | None = None
    licences: tuple[LicenceAnswers, ...] | Text | None = None


class PersonsAnswers(Part, frozen=True, kw_only=True):
    """[[data.persons]]: persons of one country whose data of one kind is carried."""

    kind: Text = ""
    country: Text = ""
    number: Number = None
    transfer_tool: Text = ""
    evidence: Evidences = ()


class SourceAnswers(Part, frozen=True, kw_only=True):
    """[source]: where the data came from; for personal data also who answers for it, and why it may be used."""

    origin: Text = ""
    controller: Text = ""
    lawful_basis: Text = ""


class DataAnswers(Part, frozen=True, kw_only=True):
    """[data] of declaration.toml; `card` is the SHA-256 of the data set's card, where there is one."""

    description: Text = ""
    categories: tuple[Text, ...] = ()
    personal_data: bool | None = None
    erased_by: Text = ""
    card: Text | None = None
    persons: tuple[PersonsAnswers, ...] = ()


class DeclarationFile(Part, frozen=True, kw_only=True):
    """All of declaration.toml: the six questions, and below them what only the full form asks."""

    end_use: Text = ""
    hardware_class: Text = ""
    site_country: Text = ""
    returns: Text = ""
    most_bytes: int | Text | None = None
    most_drives: int | None = None
    shipper: PartyAnswers = msgspec.field(default_factory=PartyAnswers)
    receiver: PartyAnswers = msgspec.field(default_factory=PartyAnswers)
    operator: PartyAnswers = msgspec.field(default_factory=PartyAnswers)
    trained_for: PartyAnswers = msgspec.field(default_factory=PartyAnswers)
    data: DataAnswers = msgspec.field(default_factory=DataAnswers)
    customer: PartyAnswers = msgspec.field(default_factory=PartyAnswers)
    end_user: PartyAnswers = msgspec.field(default_factory=PartyAnswers)
    model_owner: PartyAnswers = msgspec.field(default_factory=PartyAnswers)
    payer: PartyAnswers = msgspec.field(default_factory=PartyAnswers)
    facts: FactsByRole = msgspec.field(default_factory=FactsByRole)
    ownership: OwnershipAnswers = msgspec.field(default_factory=OwnershipAnswers)
    contract: ContractAnswers = msgspec.field(default_factory=ContractAnswers)
    site: SiteAnswers = msgspec.field(default_factory=SiteAnswers)
    carriage: CarriageAnswers = msgspec.field(default_factory=CarriageAnswers)
    home: HomeAnswers = msgspec.field(default_factory=HomeAnswers)
    permits: PermitsAnswers = msgspec.field(default_factory=PermitsAnswers)
    source: SourceAnswers = msgspec.field(default_factory=SourceAnswers)


_ONLY_FULL: Final = (
    *FULL_PARTIES,
    "facts",
    "ownership",
    "contract",
    "site",
    "carriage",
    "home",
    "permits",
    "source",
)


def answers_full_form(answers: DeclarationFile) -> bool:
    """Return whether any question that only the full form asks has an answer of any kind."""
    empty = DeclarationFile()
    return bool(answers.data.persons) or any(getattr(answers, name) != getattr(empty, name) for name in _ONLY_FULL)
