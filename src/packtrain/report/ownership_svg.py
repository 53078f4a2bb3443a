"""Owners above the parties of a declaration as one drawing: a box each with its share, the undisclosed in red."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from html import escape
from typing import Final

from packtrain.diligence.ownership_chain import DrawnOwner, drawn_owners
from packtrain.documents.declaration import Declaration
from packtrain.report.ownership_tree import chains_by_party, one_line, verdict_text

_STEP: Final = 44
"""Pixels that an owner is drawn further right than what it owns."""
_CHARACTER: Final = 7.0
"""Width of a character of 12 pixels, on the wide side: fonts differ."""
_LINE: Final = 16
_STYLE: Final = (
    "text{font:12px system-ui,sans-serif;fill:#1c1f23}.role{font-weight:600;font-size:13px}.note{fill:#4d545c}"
    ".share{font-weight:600}.box{fill:#f4f6f8;stroke:#7b858f}.party{fill:#dfeaf6;stroke:#33618f}"
    ".dark{fill:#fdecea;stroke:#b3261e;stroke-dasharray:4 3}.line{stroke:#7b858f;fill:none}"
)


def ownership_drawing(declaration: Declaration, width: int = 760) -> str:
    """Return an SVG of the owners above all parties whose owners are asked for; empty for a short form.

    The drawing brings its own style and stands alone: in a page, on paper, or as a file.

    Args:
        declaration: in the full form.
        width: in pixels; deep chains are squeezed to fit.
    """
    y = 8
    parts: list[str] = []
    names: list[str] = []
    for roles, chain in chains_by_party(declaration):
        names.append(chain.party.name)
        parts.append(f'<text class="role" x="8" y="{y + 14}">{_text(", ".join(roles))}</text>')
        drawn, y = _tree(drawn_owners(declaration, chain.party.name), y + 24, width)
        parts += drawn
        for line in textwrap.wrap(verdict_text(chain), int((width - 24) / _CHARACTER)):
            parts.append(f'<text class="note" x="8" y="{y + 12}">{_text(line)}</text>')
            y += _LINE
        y += 20
    if not parts:
        return ""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {y}" width="{width}" height="{y}" role="img" '
        f'aria-label="{_text("Owners of " + ", ".join(names))}"><style>{_STYLE}</style>{"".join(parts)}</svg>'
    )


def _tree(lines: Sequence[DrawnOwner], top: int, width: int) -> tuple[list[str], int]:
    """Return the elements of one tree, and the y below it."""
    deepest = max(line.depth for line in lines)
    step = min(_STEP, (width - 320) / max(deepest, 1))
    parts: list[str] = []
    # Lower edge of the last box of each depth: where the line to an owner of it begins.
    foot: dict[int, float] = {}
    y = top
    for line in lines:
        x = 8 + line.depth * step
        share = f"{line.share}  " if line.share else ""
        again = " (drawn above)" if line.is_repeated else ""
        # The share is cut off the first row again, to be set in bold: a place is kept for it.
        rows = textwrap.wrap("x" * len(share) + line.label + again, max(16, int((width - x - 24) / _CHARACTER))) or [""]
        height = _LINE * len(rows) + 10
        if line.depth:
            stem = x - step + min(14, step / 2)
            way = f"M{stem:.1f} {foot[line.depth - 1]:.1f}V{y + height / 2:.1f}H{x:.1f}"
            parts.append(f'<path class="line" d="{way}"/>')
        box = "dark" if line.is_undisclosed else "box" if line.depth else "party"
        long = min(max(map(len, rows)) * _CHARACTER + 16, width - x - 8)
        parts.append(f'<rect class="{box}" x="{x:.1f}" y="{y}" width="{long:.1f}" height="{height}" rx="4"/>')
        for i, row in enumerate(rows):
            words = _text(row)
            if i == 0 and share:
                words = f'<tspan class="share">{_text(line.share)}</tspan>&#160;&#160;{_text(row[len(share) :])}'
            parts.append(f'<text x="{x + 8:.1f}" y="{y + 17 + i * _LINE}">{words}</text>')
        foot[line.depth] = y + height
        y += height + 8
    return parts, y


def _text(text: str) -> str:
    return escape(one_line(text), quote=True)
