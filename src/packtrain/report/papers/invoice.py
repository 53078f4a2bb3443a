"""The pro-forma invoice: what each thing is, comes from and is worth, for goods that are not sold."""

from __future__ import annotations

from collections.abc import Iterator

from packtrain.diligence.paper_sources import Item, PaperSources
from packtrain.documents.customs import Customs, GoodsKind
from packtrain.report.papers.goods import dagger_note, described, net_grams, num_pieces, serial
from packtrain.report.papers.markup import Html, el
from packtrain.report.papers.sheet import (
    boxes,
    day,
    facts,
    kilograms,
    money,
    page,
    party,
    section,
    signatures,
    table,
)
from packtrain.units import counted

TITLE = "Pro-forma invoice"


def invoice(sources: PaperSources, name: str) -> bytes:
    """Return the pro-forma invoice."""
    customs, statement = sources.customs, sources.statement
    assert customs is not None and statement is not None
    items = sources.items()
    carriage = customs.carriage
    subtitle = (
        f"Temporary export, not for sale. Goods return by {carriage.returns_by}. Value for customs purposes only."
    )
    marks = "; ".join(f"case {case.label}: {case.marks}" for case in customs.cases)
    seals = "; ".join(f"case {case.label}: {case.seal}" for case in statement.cases)
    body = (
        boxes(party("Consignor (exporter)", customs.consignor), party("Consignee (importer)", customs.consignee)),
        facts(
            (
                ("Date and place", f"{day(customs.stated_on)}, {customs.place}"),
                ("Incoterm", carriage.incoterm),
                ("Reason of export", carriage.reason),
                ("Sale", "none: the goods stay the property of their owner"),
                ("From, by way of", f"{carriage.dispatch}, {carriage.port_of_exit}"),
                ("To, by way of", f"{carriage.destination}, {carriage.port_of_entry}"),
                ("Transport", carriage.transport),
                ("Packages", counted(len(customs.cases), "case")),
                ("Gross weight", f"{kilograms(sum(case.gross_grams for case in customs.cases))} kg"),
                ("Net weight", f"{kilograms(net_grams(items))} kg"),
                ("Marks", marks),
                ("Seals", seals),
            )
        ),
        section("Goods", _lines(customs, items)),
        _sums(customs),
        section(
            "The value, and the data on the drives",
            el("p", f"Basis of the values: {customs.value_basis}.", cls="say"),
            el("p", _data_clause(customs), cls="say"),
            cls="keep",
        ),
        section(
            "Declaration of the consignor",
            el(
                "p",
                "I declare that the particulars on this invoice are true and complete, that the goods are not sold, "
                f"and that they are to return to {carriage.dispatch} by {carriage.returns_by}.",
                cls="say",
            ),
            signatures(("For the consignor", ("Name and title", "Place and date", "Signature and stamp"))),
            cls="keep",
        ),
        *_serials(items),
    )
    return page(sources, name, TITLE, subtitle, ("customs", "packing-statement"), body, customs.reference)


def _lines(customs: Customs, items: list[Item]) -> Html:
    rows: list[list[str]] = []
    for number, (goods, ours) in enumerate(_by_kind(items), 1):
        pieces = num_pieces(ours)
        rows.append(
            [
                str(number),
                f"{described(goods)}; lithium: {goods.lithium}; export class: {goods.export_class}",
                goods.hs_code,
                goods.origin,
                f"{pieces} pcs",
                kilograms(goods.net_grams),
                money(goods.value, customs.decimals),
                money(goods.value * pieces, customs.decimals),
            ]
        )
    total = ["", "Total", "", "", f"{num_pieces(items)} pcs", "", "", _total(customs)]
    head = (
        ("Line", "n", 9),
        ("Description of goods", "", 0),
        ("HS code", "s", 18),
        ("Origin", "s", 13),
        ("Quantity", "n", 17),
        ("kg each", "n", 15),
        (f"{customs.currency} each", "n", 20),
        (f"{customs.currency} in all", "n", 24),
    )
    return table(head, rows, total)


def _serials(items: list[Item]) -> Iterator[Html]:
    """Yield the serial numbers line by line: they are part of the description of the goods."""
    for number, (_, ours) in enumerate(_by_kind(items), 1):
        if serials := [item for item in ours if item.serial]:
            text = f"Serial numbers of line {number} ({len(serials)}), by item of the packing list"
            yield section(text, el("div", *(_serial(item) for item in serials), cls="serials"))
    yield dagger_note(items)


def _by_kind(items: list[Item]) -> list[tuple[GoodsKind, list[Item]]]:
    kinds: dict[GoodsKind, list[Item]] = {}
    for item in items:
        assert item.goods is not None
        kinds.setdefault(item.goods, []).append(item)
    return list(kinds.items())


def _serial(item: Item) -> Html:
    return el("p", f"item {item.number}, {item.label or 'case ' + item.case}: ", serial(item))


def _total(customs: Customs) -> str:
    return money(customs.goods_value, customs.decimals)


def _sums(customs: Customs) -> Html:
    data = customs.recorded_data
    total = customs.goods_value + customs.freight + customs.insurance + (data or 0)
    rows = (
        ("Goods", _total(customs)),
        (
            "Value of the data recorded on the drives",
            "none declared" if data is None else money(data, customs.decimals),
        ),
        ("Freight", money(customs.freight, customs.decimals)),
        ("Insurance", money(customs.insurance, customs.decimals)),
        (f"Total, {customs.currency}", money(total, customs.decimals)),
    )
    return el("table", *(el("tr", *(el("td", cell) for cell in row)) for row in rows), cls="sum")


def _data_clause(customs: Customs) -> str:
    if customs.recorded_data is None:
        return (
            "The drives hold recorded data. No value is declared for it: the amounts above are those of the goods "
            "alone. The data is not sold and not licensed by this invoice."
        )
    return (
        "The drives hold recorded data. Its value is stated above on a line of its own; the other amounts are those of "
        "the goods alone."
    )
