"""A small drawing as SVG text: seconds by stage. The page's CSS colours it."""

from __future__ import annotations

from collections.abc import Mapping

from packtrain.report.pieces import svg_open, words


def seconds_by_stage(seconds: Mapping[str, float], width: int = 720) -> str:
    """Return one bar a stage, in the order given, with its seconds."""
    if not seconds:
        return ""
    row, left = 24, 90
    longest = max(seconds.values()) or 1.0
    parts = [svg_open(width, row * len(seconds) + 4, "Seconds by stage")]
    for i, (stage, value) in enumerate(seconds.items()):
        y = i * row
        length = max(1.0, value / longest * (width - left - 70))
        parts.append(f'<text x="{left - 8}" y="{y + 17}" text-anchor="end">{words(stage)}</text>')
        parts.append(f'<rect class="bar" x="{left}" y="{y + 5}" width="{length:.1f}" height="15" rx="3"/>')
        parts.append(f'<text x="{left + length + 6:.1f}" y="{y + 17}">{value:.1f} s</text>')
    return "".join([*parts, "</svg>"])
