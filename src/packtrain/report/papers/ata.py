"""The general list of an ATA carnet: every thing by itself, numbered, in the seven columns of the form."""

from __future__ import annotations

from packtrain.diligence.paper_sources import Item, PaperSources
from packtrain.documents.customs import Customs
from packtrain.report.papers.markup import Html, el
from packtrain.report.papers.sheet import boxes, count, facts, kilograms, money, page, party, section, signatures, table

TITLE = "ATA carnet: general list"


def ata_general_list(sources: PaperSources, name: str) -> bytes:
    """Return the general list."""
    customs = sources.customs
    assert customs is not None
    items = sources.items()
    pieces = sum(item.pieces for item in items)
    grams = sum(item.goods.net_grams * item.pieces for item in items if item.goods)
    head = (
        ("1\u2002Item no.", "n"),
        ("2\u2002Trade description of goods and marks and numbers, if any", ""),
        ("3\u2002Number of pieces", "n"),
        ("4\u2002Weight, kg", "n"),
        (f"5\u2002Value*, {customs.currency}", "n"),
        ("6\u2002Country of origin**", "s"),
        ("7\u2002For customs use only", "h"),
    )
    total = ["", "TOTAL or CARRIED OVER", str(pieces), kilograms(grams), money(customs.goods_value, customs.decimals)]
    body = (
        boxes(
            party("Holder", customs.holder),
            el(
                "div",
                el("h3", "Represented by"),
                el("p", el("b", customs.representative)),
                el("h3", "Intended use of goods"),
                el("p", customs.carriage.intended_use),
                cls="box",
            ),
        ),
        facts(
            (
                ("From", f"{customs.carriage.dispatch}, {customs.carriage.port_of_exit}"),
                ("To", f"{customs.carriage.destination}, {customs.carriage.port_of_entry}"),
                ("Returns by", customs.carriage.returns_by),
                ("Goods", f"{count(len(items), 'item')}, {count(pieces, 'piece')}"),
            )
        ),
        section("General list", table(head, [_row(customs, item) for item in items], [*total, "", ""])),
        el(
            "p",
            "* Commercial value in the country of issue and in its currency, of all pieces of the line.",
            cls="thin",
        ),
        el("p", "** ISO 3166-1 code of two letters, as printed on the goods.", cls="thin"),
        el(
            "p",
            "This is the list to be copied to the carnet of the issuing association; it is no carnet itself. A carnet asks "
            "that the goods come back unaltered: ask the issuing association whether drives that are rewritten abroad qualify.",
            cls="say",
        ),
        signatures(
            ("Holder or representative", ("Name", "Place and date", "Signature")),
            ("Issuing association", ("Carnet number", "Place and date", "Stamp")),
        ),
    )
    subtitle = "Every drive is an item of its own, by make, model and serial number."
    return page(sources, name, TITLE, subtitle, "customs", body, customs.reference)


def _row(customs: Customs, item: Item) -> list[str]:
    goods = item.goods
    assert goods is not None
    label = f"; label {item.label}" if item.label else ""
    number = el("span", item.serial, cls="mono") if item.serial else Html("none")
    text = el("span", f"{goods.description}; make {goods.make}; model {goods.model}; S/N ", number)
    return [
        str(item.number),
        el("span", text, f"{label}, case {item.case}"),
        str(item.pieces),
        kilograms(goods.net_grams * item.pieces),
        money(goods.value * item.pieces, customs.decimals),
        goods.origin,
        "",
    ]
