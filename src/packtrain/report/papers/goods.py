"""How papers word one line of goods, in one of two lengths."""

from __future__ import annotations

from collections.abc import Sequence

from packtrain.diligence.paper_sources import Item
from packtrain.documents.customs import GoodsKind
from packtrain.documents.declared_party import NO_ONE
from packtrain.report.papers.markup import Html, el


def make_and_model(goods: GoodsKind) -> str:
    """Return make and model; empty where the goods have neither."""
    return " ".join(text for text in (goods.make, goods.model) if text != NO_ONE)


def named(goods: GoodsKind) -> str:
    """Return what goods are, then make and model where they have one: the short way, for tables."""
    return f"{goods.description}; {make_and_model(goods)}".removesuffix("; ")


def described(goods: GoodsKind) -> str:
    """Return what goods are, with make and model where they have one."""
    words = [f"{word} {text}" for word, text in (("make", goods.make), ("model", goods.model)) if text != NO_ONE]
    return "; ".join([goods.description, *words])


def serial(item: Item) -> Html:
    """Return a serial number; one that a person read, where packtrain could not, has a dagger."""
    return el("span", el("span", item.serial, cls="mono"), " \u2020" if item.is_printed else "")


def dagger_note(items: Sequence[Item]) -> Html:
    """Return what the dagger means; empty where no item has one."""
    if not any(item.is_printed for item in items):
        return Html("")
    return el(
        "p",
        "\u2020 As printed on the drive, read by a person: packtrain could not read it from the device.",
        cls="thin",
    )


def net_grams(items: Sequence[Item]) -> int:
    """Return what items weigh, all their pieces."""
    return sum(item.goods.net_grams * item.pieces for item in items if item.goods)


def num_pieces(items: Sequence[Item]) -> int:
    """Return how many pieces items are."""
    return sum(item.pieces for item in items)
