"""Sections 2 to 5 of an audit as values: all of it as declared, None where it is undisclosed."""

from __future__ import annotations

from dataclasses import dataclass

from packtrain.diligence.audit.told import Told
from packtrain.documents.declaration import DeclaredData
from packtrain.documents.declared_party import DeclaredParty
from packtrain.documents.full_form import DeclaredHardware, DeclaredReturn, PersonalData


@dataclass(frozen=True, slots=True)
class WhoseData:
    """Section 2: the data and where it is from, as declared."""

    told: Told
    shipper: DeclaredParty
    data: DeclaredData
    source: str | None
    is_source_asked: bool
    personal: PersonalData | None
    most_bytes: int
    most_drives: int


@dataclass(frozen=True, slots=True)
class Parent:
    """The ultimate parent of a party: as declared, as the shares say, and whether they agree."""

    role: str
    party: str
    declared: str
    computed: str
    agreement: str


@dataclass(frozen=True, slots=True)
class ForWhom:
    """Section 3: for whom is trained, what for, and who is behind them; None is "undisclosed" or not asked."""

    told: Told
    form: str
    trained_for: DeclaredParty
    receiver: DeclaredParty
    end_user: DeclaredParty | None
    customer: DeclaredParty | None
    model_owner: DeclaredParty | None
    payer: DeclaredParty | None
    end_use: str
    prohibited_uses: tuple[str, ...] | None
    returns: str
    home: DeclaredReturn | None
    parents: tuple[Parent, ...]


@dataclass(frozen=True, slots=True)
class Chain:
    """Section 4: who is above a party, by shares of more than half.

    Attributes:
        chain: the party first.
        end: in words.
        undisclosed: parts without a named owner, in words.
    """

    roles: tuple[str, ...]
    party: str
    chain: tuple[str, ...]
    end: str
    undisclosed: tuple[str, ...]
    overfull: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OwnedBy:
    """Section 4. Without chains the short form was used, which asks no shares."""

    told: Told
    chains: tuple[Chain, ...]


@dataclass(frozen=True, slots=True)
class Machines:
    """Section 5: the machines and the place where they stand, as declared."""

    told: Told
    operator: DeclaredParty
    site_country: str
    address: str | None
    kilowatts: int | None
    infrastructure_attested: bool | None
    hardware_class: str
    hardware: tuple[DeclaredHardware, ...]
    licences: tuple[str, ...]
