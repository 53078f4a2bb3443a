"""What all papers share: the page, its head with the code, facts in columns, tables, lines to sign on, and its foot."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from typing import Final

from packtrain.diligence.paper_folder import PAPER_NAMESPACE
from packtrain.diligence.paper_sources import PaperSources
from packtrain.documents.customs import CustomsParty
from packtrain.report.labels import qr_svg
from packtrain.report.papers.markup import Html, el, join, visible
from packtrain.report.papers.style import CSS

_SPACE: Final = "\u00a0"
_DOCUMENTS: Final = {"custody": "custody.jsonl, last entry"}
_MOST_IN_CODE: Final = 120
Row = Sequence[str]
Column = tuple[str, str, int]
"""Words of a column, its class (n: numbers, s: short, m: serials, x: digests), its width in mm; 0: what is left."""


def page(
    sources: PaperSources,
    name: str,
    title: str,
    subtitle: str,
    made_from: Sequence[str],
    body: Iterable[str],
    reference: str = "",
) -> bytes:
    """Return a paper as HTML.

    Args:
        sources: what it is made from.
        name: of its file.
        title, subtitle: of the paper, in words of ours.
        made_from: kinds of the documents that it is made from; the code names the first.
        body: the sections.
        reference: the number it is called by at a desk; "" for none.
    """
    root = sources.root() or "not packed yet"
    code = "\n".join(
        (
            f"packtrain paper: {title}",
            f"voyage {textwrap.shorten(visible(sources.parties.voyage), _MOST_IN_CODE)}",
            f"root {root}",
            f"{made_from[0]} {sources.digests[made_from[0]]}",
        )
    )
    head = el(
        "header",
        el(
            "div",
            el("h1", title),
            el("p", subtitle, cls="subtitle"),
            el("p", "Reference: ", el("b", reference)) if reference else "",
        ),
        el("figure", Html(qr_svg(code)), el("figcaption", "voyage, shipment root, document")),
    )
    # The page margin holds words of ours and hexadecimal digits alone: in CSS nothing is escaped like text.
    margin = f'@page{{@bottom-left{{content:"{title} · shipment root {root[:16]}"}}}}'
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    text = (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        f"{el('title', title, ' ', reference)}<style>{CSS}{margin}</style></head>\n<body>"
        f"{join((head, el('main', *body), _foot(sources, name, root, made_from)))}</body></html>\n"
    )
    return text.encode("utf-8")


def _foot(sources: PaperSources, name: str, root: str, made_from: Sequence[str]) -> Html:
    rows = [
        ("shipment root", root),
        *(
            (_DOCUMENTS.get(kind, f"{kind}.json"), digest)
            for kind, digest in sources.digests.items()
            if kind in made_from
        ),
    ]
    command = f"ssh-keygen -Y verify -f allowed_signers -I {sources.role} -n {PAPER_NAMESPACE} -s {name}.sig < {name}"
    return el(
        "footer",
        el("p", el("b", "Made from these signed documents of the voyage (SHA-256):")),
        el("table", *(el("tr", el("td", kind), el("td", digest, cls="mono")) for kind, digest in rows), cls="digests"),
        el(
            "p",
            f"The file of this paper is signed by the {sources.role}, key {sources.fingerprint}. To check it: ",
            el("span", command, cls="mono"),
        ),
        el("p", "Nothing here is legal advice."),
    )


def section(title: str, *parts: str, cls: str = "") -> Html:
    """Return a part of a paper under its heading."""
    return el("section", el("h2", title), *parts, cls=cls)


def facts(rows: Iterable[tuple[str, str]]) -> Html:
    """Return names and values side by side, in two columns of them."""
    return el("dl", *(el("div", el("dt", name), el("dd", value or "\u2013")) for name, value in rows))


def party(title: str, who: CustomsParty) -> Html:
    """Return a box with all that a desk asks of a party."""
    return el(
        "div",
        el("h3", title),
        el("p", el("b", who.name)),
        el("p", who.address, ", ", who.country),
        el("p", "Tax id: ", who.tax_id, cls="thin"),
        el("p", "EORI: ", who.eori, cls="thin"),
        el("p", "Contact: ", who.contact, cls="thin"),
        cls="box",
    )


def boxes(*parts: str) -> Html:
    """Return boxes side by side."""
    return el("div", *parts, cls="boxes")


def table(head: Sequence[Column], rows: Iterable[Row], total: Row | None = None, cls: str = "", over: str = "") -> Html:
    """Return a table; a row is a cell a column, `total` the last row, `over` stands over the columns on every page."""
    classes = [column for _, column, _ in head]
    widths = [Html(f'<col style="width:{width}mm">' if width else "<col>") for _, _, width in head]

    def cells(tag: str, row: Row) -> Html:
        return el("tr", *(el(tag, cell, cls=column) for cell, column in zip(row, classes, strict=True)))

    top = el("tr", el("th", over, cls="over", span=len(head))) if over else ""
    body = el("tbody", *(cells("td", row) for row in rows), cells("th", total) if total is not None else "")
    return el(
        "table",
        *widths,
        el("thead", top, cells("th", [words for words, _, _ in head])),
        body,
        cls=f"lines {cls}".strip(),
    )


def signatures(*who: tuple[str, Sequence[str]]) -> Html:
    """Return lines to sign on: for each who signs, and what is written on each line."""
    blocks = [
        el(
            "div",
            el("h3", title),
            *(el("p", el("span", line), el("i", ""), cls="write") for line in lines),
            cls="sign",
        )
        for title, lines in who
    ]
    return el("div", *blocks, cls="boxes signs")


def blank_rows(count: int, columns: int) -> list[Row]:
    """Return rows to be filled in by hand."""
    return [[Html("&nbsp;")] * columns for _ in range(count)]


def money(value: int, decimals: int) -> str:
    """Return an amount in digits, exactly: 2475000 with two decimals is 24 750.00."""
    whole, part = divmod(value, 10**decimals)
    return f"{whole:,}".replace(",", _SPACE) + (f".{part:0{decimals}d}" if decimals else "")


def kilograms(grams: int) -> str:
    """Return a weight in kilograms, exactly to the gram."""
    return f"{grams // 1000:,}".replace(",", _SPACE) + f".{grams % 1000:03d}"


def centimetres(millimetres: int) -> str:
    """Return a length in centimetres, exactly to the millimetre."""
    return f"{millimetres // 10}.{millimetres % 10}"


def day(instant: str) -> str:
    """Return the day of an instant of a document."""
    return instant[:10]


def minute(instant: str) -> str:
    """Return day and minute of an instant of a document, in UTC."""
    return f"{instant[:10]} {instant[11:16]}"
