"""The packing list: case by case what is in it, its marks, seal, size and weight."""

from __future__ import annotations

from packtrain.diligence.paper_sources import Item, PaperSources
from packtrain.report.papers.markup import Html
from packtrain.report.papers.sheet import (
    boxes,
    centimetres,
    count,
    day,
    facts,
    kilograms,
    page,
    party,
    section,
    signatures,
    table,
)

TITLE = "Packing list"
_HEAD = (
    ("Item", "n"),
    ("Label", "s"),
    ("Description, make, model", ""),
    ("Serial number", "m"),
    ("Pieces", "n"),
    ("Net kg", "n"),
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
        net = _net(inside)
        size = " x ".join(centimetres(side) for side in (case.length_mm, case.width_mm, case.height_mm))
        rows.append(
            [
                f"{number} of {len(customs.cases)}",
                case.label,
                case.marks,
                packed.seal,
                packed.carrier,
                size,
                str(_pieces(inside)),
                kilograms(net),
                kilograms(case.gross_grams),
            ]
        )
        head = f"Case {case.label}, package {number} of {len(customs.cases)}, seal {packed.seal}"
        total = ["", "", f"Case {case.label}", "", str(_pieces(inside)), kilograms(net)]
        cases.append(section(head, table(_HEAD, [_row(item) for item in inside], total)))
    gross = kilograms(sum(case.gross_grams for case in customs.cases))
    total = ["", "", "Total", "", "", "", str(_pieces(items)), kilograms(_net(items)), gross]
    summary = table(
        (
            ("Package", "s"),
            ("Case", "s"),
            ("Marks", ""),
            ("Seal", "s"),
            ("Carried by", ""),
            ("Size, cm", "s"),
            ("Pieces", "n"),
            ("Net kg", "n"),
            ("Gross kg", "n"),
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
                ("In all", f"{count(len(customs.cases), 'case')}, {count(_pieces(items), 'piece')}"),
            )
        ),
        section("Packages", summary),
        *cases,
        signatures(
            ("Packed and sealed for the consignor", ("Name", "Place and date", "Signature")),
            ("Seen by customs", ("Remarks", "Place and date", "Stamp")),
        ),
    )
    subtitle = "One statement over all cases and carriers of this shipment; no case of it travels under another."
    return page(sources, name, TITLE, subtitle, "packing-statement", body, customs.reference)


def _row(item: Item) -> list[str]:
    assert item.goods is not None
    goods = item.goods
    text = f"{goods.description}; {goods.make} {goods.model}"
    return [
        str(item.number),
        item.label,
        text,
        item.serial,
        str(item.pieces),
        kilograms(goods.net_grams * item.pieces),
    ]


def _net(items: list[Item]) -> int:
    return sum(item.goods.net_grams * item.pieces for item in items if item.goods)


def _pieces(items: list[Item]) -> int:
    return sum(item.pieces for item in items)
