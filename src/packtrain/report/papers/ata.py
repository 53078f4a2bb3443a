"""The general list of an ATA carnet: every thing by itself, numbered, in the seven columns of the form."""

from __future__ import annotations

from packtrain.diligence.paper_sources import Item, PaperSources
from packtrain.documents.customs import Customs
from packtrain.report.papers.goods import dagger_note, described, net_grams, num_pieces, serial
from packtrain.report.papers.markup import el
from packtrain.report.papers.sheet import boxes, facts, kilograms, money, page, party, section, signatures, table
from packtrain.units import counted

TITLE = "ATA carnet: general list"


def ata_general_list(sources: PaperSources, name: str) -> bytes:
    """Return the general list."""
    customs = sources.customs
    assert customs is not None
    items = sources.items()
    pieces = num_pieces(items)
    head = (
        ("1\u2002Item no.", "n", 10),
        ("2\u2002Trade description of goods and marks and numbers, if any", "", 0),
        ("3\u2002Number of pieces", "n", 14),
        ("4\u2002Weight, kg", "n", 15),
        (f"5\u2002Value*, {customs.currency}", "n", 20),
        ("6\u2002Country of origin**", "s", 15),
        ("7\u2002For customs use only", "", 21),
    )
    total = [
        "",
        "TOTAL or CARRIED OVER",
        str(pieces),
        kilograms(net_grams(items)),
        money(customs.goods_value, customs.decimals),
    ]
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
                ("Goods", f"{counted(len(items), 'item')}, {counted(pieces, 'piece')}"),
            )
        ),
        section("General list", table(head, [_row(customs, item) for item in items], [*total, "", ""])),
        el(
            "p",
            "* Commercial value in the country of issue and in its currency, of all pieces of the line.",
            cls="thin",
        ),
        dagger_note(items),
        el("p", "** ISO 3166-1 code of two letters, as printed on the goods.", cls="thin"),
        el(
            "p",
            "This is the list to be copied to the carnet of the issuing association; it is no carnet itself. A carnet "
            "asks that the goods come back unaltered: ask the issuing association whether drives that are rewritten "
            "abroad qualify.",
            cls="say",
        ),
        signatures(
            ("Holder or representative", ("Name", "Place and date", "Signature")),
            ("Issuing association", ("Carnet number", "Place and date", "Stamp")),
        ),
    )
    subtitle = "Every drive is an item of its own, by make, model and serial number."
    return page(sources, name, TITLE, subtitle, ("customs", "packing-statement"), body, customs.reference)


def _row(customs: Customs, item: Item) -> list[str]:
    goods = item.goods
    assert goods is not None
    number = serial(item) if item.serial else "none"
    place = f", label {item.label}, case {item.case}" if item.label else f", case {item.case}"
    text = el("div", el("p", described(goods)), el("p", "S/N ", number, place))
    return [
        str(item.number),
        text,
        str(item.pieces),
        kilograms(goods.net_grams * item.pieces),
        money(goods.value * item.pieces, customs.decimals),
        goods.origin,
        "",
    ]
