"""customs.json: what a customs desk asks and no other document says: values, weights, tariff codes, tax numbers.

Signed by the consignor, and bound to one packing statement: another seal or another drive makes another of these.
There are no fractions: money is in minor units of its currency, weight in grams, length in millimetres.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from packtrain.documents.codec import Document, Instant, Label, Part, Sha256, Uuid
from packtrain.documents.declared_party import Country, Day

Line = Annotated[str, msgspec.Meta(min_length=1, max_length=512)]
"""A text that goes into one field of a paper."""
Currency = Annotated[str, msgspec.Meta(pattern=r"\A[A-Z]{3}\Z")]
"""ISO 4217."""
HsCode = Annotated[str, msgspec.Meta(pattern=r"\A[0-9]{4}(\.?[0-9]{2}){1,3}\Z")]
"""Six to ten digits of the Harmonized System and what a country adds, with or without dots."""
Pieces = Annotated[int, msgspec.Meta(ge=1, le=1_000_000)]
Money = Annotated[int, msgspec.Meta(ge=0, le=10**12)]
Grams = Annotated[int, msgspec.Meta(ge=1, le=10**9)]
Millimetres = Annotated[int, msgspec.Meta(ge=1, le=100_000)]


class CustomsParty(Part, frozen=True, kw_only=True):
    """Somebody on a customs paper.

    Attributes:
        tax_id, eori: "none" where it has none.
        contact: person, telephone, e-mail.
    """

    name: Line
    address: Line
    country: Country
    tax_id: Line
    eori: Line
    contact: Line


class GoodsKind(Part, frozen=True, kw_only=True):
    """One kind of goods: what each piece of it is, weighs and is worth.

    Attributes:
        value: of one piece, in minor units.
        net_grams: of one piece.
        lithium: "none", or watt hours and packing.
        export_class: number in an export control list, such as "EAR99"; "none" where it is on no list.
    """

    description: Line
    make: Line
    model: Line
    hs_code: HsCode
    origin: Country
    value: Money
    net_grams: Grams
    lithium: Line
    export_class: Line


class DriveKind(Part, frozen=True, kw_only=True):
    """Drives of one make and model, by UUID."""

    goods: GoodsKind
    drives: Annotated[tuple[Uuid, ...], msgspec.Meta(min_length=1, max_length=4096)]


class OtherGoods(Part, frozen=True, kw_only=True):
    """What travels in a case besides the drives.

    Attributes:
        serial: "none" where the pieces have none; what is electrical has one, and is then one piece.
    """

    goods: GoodsKind
    case: Label
    pieces: Pieces
    serial: Line


class PrintedSerial(Part, frozen=True, kw_only=True):
    """The serial number that is printed on a drive, read by a person where packtrain could not read it."""

    drive: Uuid
    serial: Annotated[str, msgspec.Meta(min_length=1, max_length=128)]


class CustomsCase(Part, frozen=True, kw_only=True):
    """One case as a package: its marks, its size, what it weighs packed."""

    label: Label
    marks: Line
    length_mm: Millimetres
    width_mm: Millimetres
    height_mm: Millimetres
    gross_grams: Grams


class Carriage(Part, frozen=True, kw_only=True):
    """Why and how the goods cross the border.

    Attributes:
        reason: such as "temporary export for scientific work, not for sale".
        intended_use: what is done with the goods abroad (the cover of a carnet asks).
        returns_by: the day by which the goods come back.
        destination: country of the consignee's customs desk.
        transport: such as "hand baggage, flight KL 702".
    """

    reason: Line
    intended_use: Line
    returns_by: Day
    incoterm: Line
    dispatch: Country
    destination: Country
    port_of_exit: Line
    port_of_entry: Line
    transport: Line


class Customs(Document, frozen=True, kw_only=True):
    """The customs answers of one packing statement.

    Attributes:
        holder, representative: of an ATA carnet.
        decimals: digits of the currency's minor unit; values are whole numbers of it.
        recorded_data: value of what is recorded on the drives; None is "none declared".
        freight, insurance: charges; 0 for none.
        value_basis: how the values were found, such as "replacement price, May 2026".
        seal_type, seal_maker: of the seals, for the seal record.
        supersedes: the answers before these, by digest.
    """

    kind = "customs"

    shipment: Uuid
    attempt: Annotated[int, msgspec.Meta(ge=1, le=9999)]
    shipment_root: Sha256
    packing_statement: Sha256
    reference: Line
    place: Line
    consignor: CustomsParty
    consignee: CustomsParty
    holder: CustomsParty
    representative: Line
    carriage: Carriage
    currency: Currency
    decimals: Annotated[int, msgspec.Meta(ge=0, le=4)]
    value_basis: Line
    recorded_data: Money | None
    freight: Money
    insurance: Money
    seal_type: Line
    seal_maker: Line
    drive_kinds: Annotated[tuple[DriveKind, ...], msgspec.Meta(min_length=1, max_length=4096)]
    others: Annotated[tuple[OtherGoods, ...], msgspec.Meta(max_length=4096)]
    cases: Annotated[tuple[CustomsCase, ...], msgspec.Meta(min_length=1, max_length=255)]
    printed_serials: Annotated[tuple[PrintedSerial, ...], msgspec.Meta(max_length=4096)]
    stated_on: Instant
    supersedes: Sha256 | None

    @property
    def goods_value(self) -> int:
        """Return the value of all goods, in minor units."""
        drives = sum(kind.goods.value * len(kind.drives) for kind in self.drive_kinds)
        return drives + sum(other.goods.value * other.pieces for other in self.others)
