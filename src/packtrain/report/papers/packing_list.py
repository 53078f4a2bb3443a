"""The packing list: case by case what is in it, its marks, seal, size and weight."""

from __future__ import annotations

from packtrain.diligence.paper_sources import Item, PaperSources
from packtrain.report.papers.goods import dagger_note, named, net_grams, num_pieces, serial
from packtrain.report.papers.markup import Html, el
from packtrain.report.papers.sheet import (
    boxes,
    centimetres,
    day,
    facts,
    kilograms,
    page,
    party,
    section,
    signatures,
    table,
)
from packtrain.units import counted

TITLE = "Packing list"
_HEAD = (
    ("Item", "n", 10),
    ("Label", "s", 16),
    ("Description, make, model", "", 0),
    ("Serial number", "m", 46),
    ("Pieces", "n", 13),
    ("Net kg", "n", 17),
)


def packing_list(sources: PaperSources, name: str) -> bytes:
    """Return the packing list."""
    customs, statement = sources.customs, sources.statement
    assert customs is not None and statement is not None
    items = sources.items()
    rows: list[list[str]] = []
    cases: list[Html] = []
    for number, (case, packed) in enumerate(zip(customs.cases, statement.cases, strict=True), 1):
        inside = [item for item in items if item.case == case.label]
        net = net_grams(inside)
        size = " x ".join(centimetres(side) for side in (case.length_mm, case.width_mm, case.height_mm))
        rows.append(
            [
                f"{number} of {len(customs.cases)}",
                case.label,
                case.marks,
                packed.seal,
                packed.carrier,
                size,
                str(num_pieces(inside)),
                kilograms(net),
                kilograms(case.gross_grams),
            ]
        )
        over = f"Case {case.label}, package {number} of {len(customs.cases)}, seal {packed.seal}"
        total = ["", "", f"Case {case.label}", "", str(num_pieces(inside)), kilograms(net)]
        cases.append(el("section", table(_HEAD, [_row(item) for item in inside], total, over=over)))
    gross = kilograms(sum(case.gross_grams for case in customs.cases))
    total = ["", "", "Total", "", "", "", str(num_pieces(items)), kilograms(net_grams(items)), gross]
    summary = table(
        (
            ("Package", "s", 16),
            ("Case", "s", 13),
            ("Marks", "", 0),
            ("Seal", "s", 24),
            ("Carried by", "", 24),
            ("Size, cm", "s", 33),
            ("Pieces", "n", 12),
            ("Net kg", "n", 16),
            ("Gross kg", "n", 17),
        ),
        rows,
        total,
    )
    body = (
        boxes(party("Consignor", customs.consignor), party("Consignee", customs.consignee)),
        facts(
            (
                ("Invoice", customs.reference),
                ("Packed as stated on", day(statement.stated_on)),
                ("Transport", customs.carriage.transport),
                ("In all", f"{counted(len(customs.cases), 'case')}, {counted(num_pieces(items), 'piece')}"),
            )
        ),
        section("Packages", summary),
        *cases,
        dagger_note(items),
        signatures(
            ("Packed and sealed for the consignor", ("Name", "Place and date", "Signature")),
            ("Seen by customs", ("Remarks", "Place and date", "Stamp")),
        ),
    )
    subtitle = "One statement over all cases and carriers of this shipment; no case of it travels under another."
    return page(sources, name, TITLE, subtitle, ("packing-statement", "customs"), body, customs.reference)


def _row(item: Item) -> list[str]:
    assert item.goods is not None
    goods = item.goods
    text = named(goods)
    return [
        str(item.number),
        item.label,
        text,
        serial(item),
        str(item.pieces),
        kilograms(goods.net_grams * item.pieces),
    ]
