"""Pictures of samples in HTML: contact sheets, strips of frames, two side by side; or why there is no picture."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from html import escape
from typing import Final

from packtrain.dataset.looking.look import Making, Pair, Shown, Thumb
from packtrain.report.ownership_tree import one_line
from packtrain.report.pieces import table
from packtrain.units import counted

_LONGEST: Final = 240
# Pictures of fewer pixels are enlarged without smoothing: a person wants to see these pixels.
_TINY_PIXELS: Final = 48


def text(value: str) -> str:
    """Return a stranger's text for HTML: escaped, in one line, cut where it is longer than a person reads."""
    whole = one_line(value)
    return escape(whole if len(whole) <= _LONGEST else f"{whole[: _LONGEST - 1]}…", quote=True)


def contact_sheet(shown: Iterable[Shown]) -> str:
    """Return the samples as a grid of pictures; what is known of one comes up on pointing at it, or by the tab key."""
    tiles: list[str] = []
    is_strip = False
    for each in shown:
        is_strip = each.kind == "clip"
        tiles.append(
            f'<figure class="tile" tabindex="0"><div class="frames">{_thumbs(each)}</div>'
            f'<figcaption class="told">{_facts(each)}</figcaption></figure>'
        )
    return f'<div class="sheet{" strips" if is_strip else ""}">{"".join(tiles)}</div>'


def captioned(shown: Iterable[Shown]) -> str:
    """Return samples with what is known of them in plain sight below each."""
    return f'<div class="captioned">{"".join(_captioned(each) for each in shown)}</div>'


def makings(made: Iterable[Making]) -> str:
    """Return samples beside what they were made of."""
    rows = [
        f'<div class="two"><div><p class="side">source</p>{_captioned(each.before)}</div>'
        f'<div><p class="side">sample</p>{_captioned(each.after)}</div></div>'
        for each in made
    ]
    return f'<div class="twos">{"".join(rows)}</div>'


def pairs(found: Iterable[Pair]) -> str:
    """Return pairs of a dropped and a kept sample, with what was measured of the two."""
    rows = [
        f'<div class="two"><p class="measured"><b>{_number(pair.value)}</b> <span class="dim">limit'
        f" {_number(pair.limit)}: {text(pair.rule)}</span></p>"
        f'<div><p class="side">dropped</p>{_captioned(pair.dropped)}</div>'
        f'<div><p class="side">kept</p>{_captioned(pair.kept)}</div>{_differ(pair)}</div>'
        for pair in found
    ]
    return f'<div class="twos">{"".join(rows)}</div>'


def _differ(pair: Pair) -> str:
    if pair.differ is None:
        return ""
    parts: list[str] = []
    for side, grid in zip(("dropped", "kept"), pair.differ, strict=True):
        rows = [[text(cell) for cell in row] for row in grid.rows]
        said = counted(grid.num_rows, "row")
        parts.append(f'<p class="side">only in the one {side}: {said}</p>{table(grid.names, rows) if rows else ""}')
    return f'<div class="differ">{"".join(parts)}</div>'


def _captioned(shown: Shown) -> str:
    frames = f'<div class="frames">{_thumbs(shown)}</div>' if shown.thumbs else ""
    strip = ' class="strip"' if len(shown.thumbs) > 1 else ""
    return f"<figure{strip}>{frames}<figcaption>{_facts(shown)}</figcaption></figure>"


def _facts(shown: Shown) -> str:
    facts = "".join(f" <span><i>{text(name)}</i> {text(value)}</span>" for name, value in shown.facts)
    key = f" <code>{text(shown.key)}</code>" if shown.key else ""
    return f"<b>{text(shown.source)}</b>{facts}{key}"


def _thumbs(shown: Shown) -> str:
    return "".join(_thumb(thumb, shown) for thumb in shown.thumbs)


def _thumb(thumb: Thumb, shown: Shown) -> str:
    at = f"{thumb.at_seconds:.2f} s" if thumb.at_seconds is not None else ""
    time = f'<span class="at">{at}</span>' if at else ""
    if thumb.error:
        return f'<span class="frame none"><span>no picture: {text(thumb.error)}</span></span>'
    data = base64.b64encode(thumb.payload).decode("ascii")
    tiny = ' class="tiny"' if max(thumb.width, thumb.height) < _TINY_PIXELS else ""
    alt = f"{shown.kind} {text(shown.source)}{f', frame at {at}' if at else ''}"
    return (
        f'<span class="frame"><img{tiny} src="data:image/webp;base64,{data}" width="{thumb.width}"'
        f' height="{thumb.height}" alt="{alt}">{time}</span>'
    )


def _number(value: float | None) -> str:
    return "not measured" if value is None else f"{value:.6g}"
