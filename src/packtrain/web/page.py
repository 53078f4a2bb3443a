"""The page around the sections: what a browser gets first, with all of it, so that it can be read without a script."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import Final

from packtrain.digest import sha256_bytes
from packtrain.report.page import FOOT, SECTIONS
from packtrain.report.pieces import words

CONTENTS: Final = "contents"
PARTS: Final[tuple[str, ...]] = (CONTENTS, *SECTIONS)
"""The parts of the page by name, in their order. One that has nothing to show is there and empty: it may fill later."""


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the page, in its place on it.

    Attributes:
        html: empty inside where there is nothing to show.
        digest: changes with it; by this a browser knows that it has the part already.
    """

    html: str
    digest: str


def part_of(name: str, html: str) -> Part:
    """Return a part from what it shows."""
    digest = sha256_bytes(html.encode("utf-8", "replace"))[:16]
    return Part(f'<div class="part" id="part-{name}" data-digest="{digest}">{html}</div>', digest)


def contents_of(htmls: Mapping[str, str]) -> str:
    """Return links to all parts with a title that show something."""
    links = [
        f'<li><a href="#{name}">{escape(shown.title)}</a></li>'
        for name, shown in SECTIONS.items()
        if shown.title and htmls[name]
    ]
    return f'<nav aria-label="Contents"><ul>{"".join(links)}</ul></nav>' if links else ""


def whole(title: str, line: str, parts: Mapping[str, Part], fault: str) -> str:
    """Return the page.

    Args:
        title: the voyage's name, as it is.
        line: what runs now.
        parts: all of `PARTS`.
        fault: why what is shown may be old; "" where it is not.
    """
    body = "".join(parts[name].html for name in PARTS)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{words(title)}: packtrain</title>"
        '<link rel="icon" href="/icon.svg" type="image/svg+xml"><link rel="stylesheet" href="/page.css">'
        '<script src="/page.js" defer></script></head><body>'
        '<a class="skip" href="#content">To the voyage</a>'
        '<header class="bar"><p class="brand">packtrain</p>'
        f'<p id="said" role="status" aria-live="polite">{words(line)}</p>'
        f'<p id="state" role="status" aria-live="polite">{words(fault) if fault else ""}</p>'
        '<p class="again"><a href="/">Refresh</a></p></header>'
        f'<main id="content" tabindex="-1">{body}</main>'
        f"{FOOT}</body></html>\n"
    )
