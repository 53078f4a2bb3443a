"""Small drawings as SVG text: drives in their cases, seconds by stage. The page's CSS colours them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Literal

DriveState = Literal["read", "damaged", "lost", "closed"]


@dataclass(frozen=True, slots=True)
class DrawnDrive:
    """One drive in a drawing."""

    label: str
    case: str
    state: DriveState
    caption: str


def drives_in_cases(drives: Sequence[DrawnDrive], width: int = 720) -> str:
    """Return the drives drawn in their cases, with their state as a colour and in words."""
    if not drives:
        return ""
    cases: dict[str, list[DrawnDrive]] = {}
    for drive in drives:
        cases.setdefault(drive.case, []).append(drive)
    columns = max(1, min(4, len(cases)))
    case_width = (width - 12 * (columns - 1)) // columns
    per_row = max(1, (case_width - 16) // 84)
    rows_of = {label: -(-len(members) // per_row) for label, members in cases.items()}
    case_height = 34 + max(rows_of.values()) * 74
    height = -(-len(cases) // columns) * (case_height + 12)
    lost = sum(drive.state == "lost" for drive in drives)
    parts = [_open(width, height, f"{len(drives)} drives in {len(cases)} cases, {lost} lost")]
    for i, (label, members) in enumerate(cases.items()):
        left, top = (i % columns) * (case_width + 12), (i // columns) * (case_height + 12)
        parts.append(
            f'<rect class="case" x="{left}.5" y="{top}.5" width="{case_width - 1}" height="{case_height}" rx="8"/>'
        )
        parts.append(f'<text class="strong" x="{left + 12}" y="{top + 20}">case {escape(label)}</text>')
        for j, drive in enumerate(members):
            at_x, at_y = left + 10 + (j % per_row) * 84, top + 30 + (j // per_row) * 74
            parts.append(f'<rect class="drive {drive.state}" x="{at_x}" y="{at_y}" width="76" height="64" rx="5"/>')
            parts.append(f'<text class="strong" x="{at_x + 8}" y="{at_y + 20}">{escape(drive.label)}</text>')
            for k, line in enumerate(drive.caption.split("\n")[:2]):
                parts.append(f'<text class="small" x="{at_x + 8}" y="{at_y + 38 + 14 * k}">{escape(line)}</text>')
    return "".join([*parts, "</svg>"])


def seconds_by_stage(seconds: Mapping[str, float], width: int = 720) -> str:
    """Return one bar a stage, in the order given, with its seconds."""
    if not seconds:
        return ""
    row, left = 24, 90
    longest = max(seconds.values()) or 1.0
    parts = [_open(width, row * len(seconds) + 4, "Seconds by stage")]
    for i, (stage, value) in enumerate(seconds.items()):
        y = i * row
        length = max(1.0, value / longest * (width - left - 70))
        parts.append(f'<text x="{left - 8}" y="{y + 17}" text-anchor="end">{escape(stage)}</text>')
        parts.append(f'<rect class="bar" x="{left}" y="{y + 5}" width="{length:.1f}" height="15" rx="3"/>')
        parts.append(f'<text x="{left + length + 6:.1f}" y="{y + 17}">{value:.1f} s</text>')
    return "".join([*parts, "</svg>"])


def _open(width: int, height: int, label: str) -> str:
    return f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{escape(label, quote=True)}">'
