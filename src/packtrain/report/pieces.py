"""What every page is made of: its frame, the style sheet, sections and tables. No script, no network, no font."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from html import escape
from typing import Final

from packtrain.report.papers.markup import safe

_INSTANT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)
_MANY_COLUMNS: Final = 5
STYLE: Final = """
:root{color-scheme:light dark;--ink:#1c2024;--dim:#5d6670;--paper:#fff;--panel:#f5f6f8;--line:#d8dce1;
--blue:#2563a8;--green:#2f7d4f;--amber:#965900;--red:#b3362b}
@media(prefers-color-scheme:dark){:root{--ink:#e7eaee;--dim:#9aa4af;--paper:#15181c;--panel:#1d2126;--line:#343a42;
--blue:#6aa9ee;--green:#66bd8a;--amber:#e0a64a;--red:#ec7a6e}}
*{box-sizing:border-box}body{margin:0;background:var(--paper);color:var(--ink);overflow-wrap:break-word;
font:16px/1.5 system-ui,-apple-system,"Segoe UI",sans-serif}
main{max-width:60rem;margin:0 auto;padding:2rem 1.2rem 4rem}
h1{font-size:1.9rem;line-height:1.2;margin:0 0 .3rem}h2{font-size:1.2rem;margin:2.6rem 0 .7rem}
p{max-width:44rem}.lead,.dim{color:var(--dim)}
.cards{display:grid;grid-template-columns:repeat(auto-fill,minmax(9.3rem,1fr));gap:.7rem;margin:1.4rem 0}
.card{background:var(--panel);border:1px solid var(--line);border-radius:8px;padding:.7rem .9rem}
.card b{display:block;font-size:1.2rem;white-space:nowrap;font-variant-numeric:tabular-nums}
.card span{color:var(--dim);font-size:.85rem}
.wide{overflow-x:auto}table{border-collapse:collapse;width:100%;font-size:.92rem}
.many{min-width:46rem}
th,td{text-align:left;padding:.4rem .7rem .4rem 0;border-bottom:1px solid var(--line);vertical-align:top}
th{color:var(--dim);font-weight:600}.n{font-variant-numeric:tabular-nums;white-space:nowrap}
code{font:.86em ui-monospace,monospace;overflow-wrap:anywhere}
.kept,.passed,.admit{color:var(--green)}.broken,.refuse{color:var(--red)}
.not-shown,.not-done,.hold{color:var(--amber)}
.drawing{overflow-x:auto}svg{width:100%;min-width:34rem;height:auto;display:block}
svg text{fill:var(--ink);font-size:12px}svg .small{font-size:11px;fill:var(--dim)}
svg .strong{font-weight:600;font-size:13px}.grid{stroke:var(--line)}.restart{stroke:var(--amber);stroke-dasharray:4 3}
polyline{fill:none;stroke-width:2}.run0{stroke:var(--blue)}.run1{stroke:var(--green)}.run2{stroke:var(--amber)}
.undone{stroke:var(--dim);stroke-width:1;opacity:.6}.band{stroke:none;opacity:.22}.band.run0{fill:var(--blue)}
.band.run1{fill:var(--green)}.band.run2{fill:var(--amber)}.band.undone{fill:var(--dim)}
h3{font-size:1rem;margin:1.2rem 0 .2rem}
.bar{fill:var(--blue)}
.pictures{margin-top:.8rem;display:flex;flex-wrap:wrap;gap:5px}
.pictures img{width:72px;height:72px;object-fit:cover;border-radius:4px}
ul.story{list-style:none;padding:0}ul.story li{margin:.35rem 0;overflow-wrap:anywhere}
"""


def whole_page(title: str, style: str, body: str) -> str:
    """Return a page that reaches nothing outside of itself.

    Args:
        title: escaped.
        style: its style sheet.
        body: HTML of what stands in `main`.
    """
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; img-src data:; style-src 'unsafe-inline'\">"
        f"<title>{title}</title><style>{style}</style></head><body><main>{body}</main></body></html>\n"
    )


def section(title: str, body: str, name: str = "") -> str:
    """Return a section under its title; nothing where it has no body.

    Args:
        title: plain text; empty for a part without one.
        body: HTML.
        name: its id in the page.
    """
    if not body:
        return ""
    if not title:
        return f'<div id="{name}">{body}</div>' if name else body
    if not name:
        return f"<section><h2>{escape(title)}</h2>{body}</section>"
    heading = f'<h2 id="{name}-title">{escape(title)}</h2>'
    return f'<section id="{name}" aria-labelledby="{name}-title">{heading}{body}</section>'


def words(text: str) -> str:
    """Return a text from anywhere as HTML: escaped, in one line, and what would not be seen shown as <U+202E>."""
    return str(safe(text))


def when(instant: str | None) -> str:
    """Return a UTC instant as HTML, as people write it: "2026-11-28 00:50 UTC"; "not known" of none."""
    if instant is None:
        return "not known"
    shown = f"{instant[:10]} {instant[11:16]} UTC" if _INSTANT.fullmatch(instant) else instant
    return f'<time datetime="{words(instant)}">{words(shown)}</time>'


def number(value: int) -> str:
    """Return a whole number as HTML, for the right edge of a cell."""
    return f'<span class="n">{value:,}</span>'


def bullets(items: Sequence[str]) -> str:
    """Return a list of plain texts; nothing of none."""
    return "<ul>" + "".join(f"<li>{words(item)}</li>" for item in items) + "</ul>" if items else ""


def svg_open(width: int, height: int, label: str) -> str:
    """Return the opening of a drawing; `label` is plain text and says what a person would read off it."""
    return f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{words(label)}">'


def cards(figures: Iterable[tuple[str, str]]) -> str:
    """Return figures, each with what it is of, side by side; nothing of none."""
    told = "".join(
        f'<div class="card"><b>{words(value)}</b><span>{words(caption)}</span></div>' for value, caption in figures
    )
    return f'<div class="cards">{told}</div>' if told else ""


def progress_bar(share: float, name: str) -> str:
    """Return a bar of how much is done, from 0 to 1; `name` is plain text, for those who hear the page."""
    percent = min(max(share, 0.0), 1.0) * 100
    return f'<progress max="100" value="{percent:.1f}" aria-label="{words(name)}">{percent:.0f} %</progress>'


def drawing(svg: str) -> str:
    """Return a drawing that scrolls sideways on a narrow screen, where its words would shrink beyond reading."""
    return f'<div class="drawing" tabindex="0" role="group" aria-label="drawing">{svg}</div>' if svg else ""


def table(head: Sequence[str], rows: Iterable[Sequence[str]], name: str = "table") -> str:
    """Return a table that scrolls sideways on a narrow screen, by the keyboard too.

    Args:
        head: plain texts; "" for a column that needs no name.
        rows: cells in HTML.
        name: what it is a table of, in plain text, for those who hear the page.
    """
    header = "".join(f'<th scope="col">{escape(title)}</th>' if title else "<td></td>" for title in head)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    # Many columns are not squeezed on a telephone: they scroll.
    wide = ' class="many"' if len(head) >= _MANY_COLUMNS else ""
    return (
        f'<div class="wide" tabindex="0" role="group" aria-label="{escape(name, quote=True)}">'
        f"<table{wide}><thead><tr>{header}</tr></thead><tbody>{body}</tbody></table></div>"
    )
