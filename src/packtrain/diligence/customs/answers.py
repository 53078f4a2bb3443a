"""customs.toml as it is written, table by table. Any field may be left out, so that all gaps are named at once."""

from __future__ import annotations

from typing import Annotated

import msgspec

from packtrain.documents.codec import Part, Text
from packtrain.documents.toml_file import decode_toml
from packtrain.errors import CustomsFileError

Number = int | Text | None
"""Whole numbers, or decimals in quotes: "412.50". TOML's own decimals are binary fractions, and not exact."""
Names = Annotated[tuple[Text, ...], msgspec.Meta(max_length=4096)]


class PartyAnswers(Part, frozen=True, kw_only=True):
    """[consignor], [consignee], [carnet.holder]."""

    name: Text = ""
    address: Text = ""
    country: Text = ""
    tax_id: Text = ""
    eori: Text = ""
    contact: Text = ""


class CarnetAnswers(Part, frozen=True, kw_only=True):
    """[carnet]: who holds it, and who shows it at the desk."""

    holder: PartyAnswers | Text = ""
    representative: Text = ""


class CarriageAnswers(Part, frozen=True, kw_only=True):
    """[carriage]: why and how the goods cross the border."""

    reason: Text = ""
    intended_use: Text = ""
    returns_by: Text = ""
    incoterm: Text = ""
    dispatch: Text = ""
    destination: Text = ""
    port_of_exit: Text = ""
    port_of_entry: Text = ""
    transport: Text = ""


class ValueAnswers(Part, frozen=True, kw_only=True):
    """[value]: in which money, how found, and what besides the goods has one."""

    currency: Text = ""
    basis: Text = ""
    recorded_data: Number = None
    freight: Number = None
    insurance: Number = None


class SealAnswers(Part, frozen=True, kw_only=True):
    """[seals]: what kind of seal is on the cases; the numbers are in the packing statement."""

    type: Text = ""
    maker: Text = ""


class CaseAnswers(Part, frozen=True, kw_only=True):
    """[[case]]: one case as a package."""

    label: Text = ""
    marks: Text = ""
    length_cm: Number = None
    width_cm: Number = None
    height_cm: Number = None
    gross_kg: Number = None


class GoodsAnswers(Part, frozen=True, kw_only=True):
    """What is asked of goods of one kind."""

    description: Text = ""
    make: Text = ""
    model: Text = ""
    hs_code: Text = ""
    origin: Text = ""
    value_each: Number = None
    net_kg_each: Number = None
    lithium: Text = ""
    export_class: Text = ""


class DriveAnswers(GoodsAnswers, frozen=True, kw_only=True):
    """[[drive]]: drives of one make and model, and which they are."""

    cases: Names = ()
    labels: Names = ()
    serials: Names = ()


class OtherAnswers(GoodsAnswers, frozen=True, kw_only=True):
    """[[other]]: what travels besides: cables, docks, the cases themselves."""

    case: Text = ""
    pieces: int | None = None
    serial: Text = ""


class CustomsFile(Part, frozen=True, kw_only=True):
    """customs.toml."""

    reference: Text = ""
    place: Text = ""
    consignor: PartyAnswers = PartyAnswers()
    consignee: PartyAnswers = PartyAnswers()
    carnet: CarnetAnswers = CarnetAnswers()
    carriage: CarriageAnswers = CarriageAnswers()
    value: ValueAnswers = ValueAnswers()
    seals: SealAnswers = SealAnswers()
    case: tuple[CaseAnswers, ...] = ()
    drive: tuple[DriveAnswers, ...] = ()
    other: tuple[OtherAnswers, ...] = ()
    serials: dict[str, Text] = msgspec.field(default_factory=dict)


def decode_customs_file(payload: bytes, where: str) -> CustomsFile:
    """Return customs.toml.

    Raises:
        CustomsFileError: too long, not TOML, an unknown field, or a value of another type.
    """
    return decode_toml(
        CustomsFile, payload, where, error=CustomsFileError, reference="docs/how-to/papers-for-customs.md"
    )
