"""Histograms as SVG text: what was read drawn wide and pale behind, what is kept narrow and strong before it."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Final

from packtrain.dataset.looking.look import Histogram
from packtrain.report.pieces import svg_open
from packtrain.units import format_bytes

_WIDTH: Final = 320
_HEIGHT: Final = 132
_TOP: Final = 16
_BOTTOM: Final = 22


def histogram(drawn: Histogram) -> str:
    """Return the histogram of one measure; its label says in words what a person would read off it."""
    most = max(*drawn.before, 1)
    step = _WIDTH / len(drawn.before)
    floor, room = _HEIGHT - _BOTTOM, _HEIGHT - _TOP - _BOTTOM
    least_text, most_text = measured(drawn.measure, drawn.least), measured(drawn.measure, drawn.most)
    label = (
        f"{drawn.measure} of {sum(drawn.before):,} samples read and {sum(drawn.after):,} kept,"
        f" from {least_text} to {most_text}; at most {most:,} in a class"
    )
    parts = [svg_open(_WIDTH, _HEIGHT, label)]
    for name, counts, inset in (("before", drawn.before, 0.03), ("after", drawn.after, 0.22)):
        for i, count in enumerate(counts):
            if count:
                # Never less than a line: one sample of a million must not look like none.
                height = max(count / most * room, 1.5)
                x, width = (i + inset) * step, (1 - 2 * inset) * step
                parts.append(
                    f'<rect class="{name}" x="{x:.1f}" y="{floor - height:.1f}" width="{width:.1f}"'
                    f' height="{height:.1f}"/>'
                )
    parts.append(f'<line class="grid" x1="0" x2="{_WIDTH}" y1="{floor}.5" y2="{floor}.5"/>')
    parts.append(f'<text x="0" y="11" class="small">{most:,}</text>')
    parts.append(f'<text x="0" y="{_HEIGHT - 6}">{escape(least_text)}</text>')
    if drawn.is_logarithmic:
        parts.append(
            f'<text x="{_WIDTH / 2:.0f}" y="{_HEIGHT - 6}" class="small" text-anchor="middle">log scale</text>'
        )
    parts.append(f'<text x="{_WIDTH}" y="{_HEIGHT - 6}" text-anchor="end">{escape(most_text)}</text>')
    return "".join([*parts, "</svg>"])


def sparkline(bars: Sequence[int], label: str) -> str:
    """Return bars without an axis, small enough for the cell of a table."""
    most = max(*bars, 1) if bars else 1
    path = "".join(f"M{i * 6} 24v-{max(count / most * 22, 1):.1f}h5V24z" for i, count in enumerate(bars) if count)
    return (
        f'<svg class="spark" viewBox="0 0 {max(6 * len(bars), 6)} 24" preserveAspectRatio="none" role="img"'
        f' aria-label="{escape(label, quote=True)}"><path class="after" d="{path}"/></svg>'
    )


def share_bar(part: int, most: int) -> str:
    """Return a bar as long as a number is beside the largest; the number itself stands beside it in words."""
    length = max(part / max(most, 1) * 100, 1)
    return (
        '<svg class="share" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">'
        f'<rect class="after" width="{length:.1f}" height="10"/></svg>'
    )


def measured(measure: str, value: float) -> str:
    """Return a measured number for people: bytes in their units, whole numbers whole, others with four digits."""
    if measure == "bytes":
        return format_bytes(round(value))
    if value == round(value) and abs(value) < 1e15:
        return f"{value:,.0f}"
    return f"{value:.4g}"
