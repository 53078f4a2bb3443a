"""What works in the folders right now: one line to be read aloud, and a part of the page with figures."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Final

from packtrain.record.live import Live, LiveDrive
from packtrain.report.live_view import LiveView
from packtrain.report.pieces import section
from packtrain.units import format_bytes, format_seconds

NAME: Final = "now"
_ENDED: Final = {
    "done": "is done",
    "wants drives": "is done with these drives and wants others",
    "failed": "ended with an error",
    "stopped": "stopped before its end; the same command goes on",
}


def line_of(found: Sequence[LiveView]) -> str:
    """Return what runs, in words without a figure: it is read aloud whenever it changes."""
    running = [f"{_doing(one)} ({one.role})" for one in found if one.state == "running"]
    if running:
        return f"At work: {'; '.join(running)}."
    elsewhere = [f"{one.live.stage} ({one.role})" for one in found if one.state == "not known"]
    if elsewhere:
        return f"On another machine, perhaps still at work: {'; '.join(elsewhere)}."
    return "Nothing is at work now."


def section_of(found: Sequence[LiveView]) -> str:
    """Return the part of the page; empty where no stage ever told anything."""
    return section("Now", "".join(_party(one) for one in found), NAME)


def _party(one: LiveView) -> str:
    live = one.live
    if one.state in _ENDED:
        told = f'{_ENDED[one.state]}, <span class="dim">{escape(live.updated)}</span>'
        return f"<p><b>{escape(live.stage)}</b> ({escape(one.role)}) {told}</p>"
    head = f"<b>{escape(_doing(one))}</b> ({escape(one.role)})"
    if one.state == "not known":
        head += f" on {escape(live.host)}; whether it still runs cannot be seen from here"
    parts = [f'<p class="doing">{head}</p>', _bar(one), f'<dl class="figures">{_figures(live)}</dl>']
    parts += [f'<p class="hold">{escape(text)}</p>' for text in live.slow]
    parts += [_drives(live.drives)] if live.drives else []
    return f'<div class="at-work">{"".join(parts)}</div>'


def _doing(one: LiveView) -> str:
    return f"{one.live.stage}: {one.live.activity}" if one.live.activity else one.live.stage


def _bar(one: LiveView) -> str:
    if one.share is None:
        return ""
    name = escape(f"{one.live.stage}: how far", quote=True)
    return f'<progress aria-label="{name}" value="{one.share:.4f}" max="1">{one.share:.0%}</progress>'


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
