"""What works in the folders right now: one line to be read aloud, and a part of the page with figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

from packtrain.record.live import Live, LiveDrive
from packtrain.report.pieces import section
from packtrain.units import format_bytes, format_seconds

NAME: Final = "now"
_ENDED: Final = {
    "done": "is done",
    "wants drives": "is done with these drives and wants others",
    "failed": "ended with an error",
    "stopped": "was stopped",
}


@dataclass(frozen=True, slots=True)
class Watched:
    """What one party's folder tells.

    Attributes:
        role: the party.
        live: what a stage told last; None where none did.
        is_running: see `Live.is_running`.
    """

    role: str
    live: Live | None
    is_running: bool | None


def watched(role: str, live: Live | None) -> Watched:
    """Return what runs, from what was told last; the process is looked for: one that was killed tells nothing."""
    return Watched(role, live, live.is_running if live is not None else False)


def line_of(all_watched: Sequence[Watched]) -> str:
    """Return what runs, in words without a figure: it is read aloud whenever it changes."""
    running = [f"{_doing(one)} ({one.role})" for one in all_watched if one.live is not None and one.is_running]
    if running:
        return f"At work: {'; '.join(running)}."
    elsewhere = [
        f"{one.live.stage} ({one.role})" for one in all_watched if one.live is not None and one.is_running is None
    ]
    if elsewhere:
        return f"On another machine, perhaps still at work: {'; '.join(elsewhere)}."
    return "Nothing is at work now."


def section_of(all_watched: Sequence[Watched]) -> str:
    """Return the part of the page; empty where no stage ever told anything."""
    return section("Now", "".join(_party(one) for one in all_watched), NAME)


def _party(one: Watched) -> str:
    live = one.live
    if live is None:
        return ""
    number = f'data-party="{escape(one.role)}"'
    if one.is_running is False:
        how = _ENDED.get(live.state, "was cut off; the same command goes on where it stopped")
        return f'<p {number}><b>{escape(live.stage)}</b> {how}, <span class="dim">{escape(live.updated)}</span></p>'
    head = f"<b>{escape(_doing(one))}</b>"
    if one.is_running is None:
        head += f" on {escape(live.host)}; whether it still runs cannot be seen from here"
    parts = [f'<p class="doing" {number}>{head}</p>', _bar(live), f'<dl class="figures">{_figures(live)}</dl>']
    parts += [f'<p class="hold">{escape(text)}</p>' for text in live.slow]
    parts += [_drives(live.drives)] if live.drives else []
    return f'<div class="at-work">{"".join(parts)}</div>'


def _doing(one: Watched) -> str:
    assert one.live is not None
    return f"{one.live.stage}: {one.live.activity}" if one.live.activity else one.live.stage


def _bar(live: Live) -> str:
    done, total = (live.done_bytes, live.total_bytes) if live.total_bytes else (live.done_items, live.total_items)
    if total <= 0:
        return ""
    share = min(1.0, max(0.0, done / total))
    name = escape(f"{live.stage}: how far", quote=True)
    return f'<progress aria-label="{name}" value="{share:.4f}" max="1">{share:.0%}</progress>'


def _figures(live: Live) -> str:
    rows: list[tuple[str, str, str, float | int]] = []
    if live.total_bytes:
        words = f"{format_bytes(live.done_bytes)} of {format_bytes(live.total_bytes)}"
        rows.append(("bytes", words, "done_bytes", live.done_bytes))
    if live.total_items:
        words = f"{live.done_items:,} of {live.total_items:,}"
        rows.append((live.unit, words, "done_items", live.done_items))
    if live.num_waves:
        rows.append(("wave", f"{live.wave} of {live.num_waves}", "wave", live.wave))
    if live.rate is not None:
        words = f"{format_bytes(int(live.rate))}/s" if live.total_bytes else f"{live.rate:,.3g} {live.unit}/s"
        rows.append(("rate", words, "rate", live.rate))
    if live.left_seconds is not None:
        rows.append(("time left", f"about {format_seconds(live.left_seconds)}", "left_seconds", live.left_seconds))
    if live.stalled_seconds:
        rows.append(
            ("nothing moved for", format_seconds(live.stalled_seconds), "stalled_seconds", live.stalled_seconds)
        )
    figures = "".join(
        f'<div><dt>{escape(name)}</dt><dd data-live="{field}" data-value="{value}">{escape(words)}</dd></div>'
        for name, words, field, value in rows
    )
    note = f"<div><dt>note</dt><dd>{escape(live.note)}</dd></div>" if live.note else ""
    since = f"<div><dt>since</dt><dd>{escape(live.started)}</dd></div>"
    return figures + note + since


def _drives(drives: Sequence[LiveDrive]) -> str:
    """Return a bar a drive; those at work first to be seen, in the order told."""
    return f'<ul class="bars">{"".join(_drive(drive) for drive in drives)}</ul>'


def _drive(drive: LiveDrive) -> str:
    share = min(1.0, drive.done_bytes / drive.total_bytes) if drive.total_bytes > 0 else 0.0
    label = escape(drive.label)
    words = drive.state + (f", {format_bytes(int(drive.rate))}/s" if drive.rate is not None else "")
    slow = '<span class="hold">slow</span> ' if drive.is_slow else ""
    name = escape(f"drive {drive.label}: how far", quote=True)
    bar = f'<progress aria-label="{name}" value="{share:.4f}" max="1">{share:.0%}</progress>'
    return f'<li><b>{label}</b>{bar}<span class="dim">{slow}{escape(words)}</span></li>'
