"""What works in the folders right now: one line to be read aloud, and each drive with its bar."""

from __future__ import annotations

from collections.abc import Sequence

from packtrain.record.live import LiveDrive
from packtrain.report.live_view import LiveView
from packtrain.report.pieces import words
from packtrain.units import format_bytes

NAME = "now"
"""The part of the page that this adds to."""


def line_of(found: Sequence[LiveView]) -> str:
    """Return what runs, in words without a figure: it is read aloud whenever it changes."""
    running = [f"{_doing(one)} ({one.role})" for one in found if one.state == "running"]
    if running:
        return f"At work: {'; '.join(running)}."
    elsewhere = [f"{one.live.stage} ({one.role})" for one in found if one.state == "not known"]
    if elsewhere:
        return f"On another machine, perhaps still at work: {'; '.join(elsewhere)}."
    return "Nothing is at work now."


def bars_of(found: Sequence[LiveView]) -> str:
    """Return a bar for each drive that a running stage writes or reads; empty where none does."""
    drives = [drive for one in found if one.state == "running" for drive in one.live.drives]
    return f'<ul class="bars">{"".join(_drive(drive) for drive in drives)}</ul>' if drives else ""


def _doing(one: LiveView) -> str:
    return f"{one.live.stage}: {one.live.activity}" if one.live.activity else one.live.stage


def _drive(drive: LiveDrive) -> str:
    share = min(1.0, drive.done_bytes / drive.total_bytes) if drive.total_bytes > 0 else None
    told = drive.state + (f", {format_bytes(int(drive.rate))}/s" if drive.rate is not None else "")
    slow = '<span class="hold">slow</span>, ' if drive.is_slow else ""
    bar = "<span></span>"
    if share is not None:
        name = f"drive {words(drive.label)}, done of all"
        bar = f'<progress aria-label="{name}" max="100" value="{share * 100:.1f}">{share * 100:.0f} %</progress>'
    return f'<li><b>{words(drive.label)}</b>{bar}<span class="dim">{slow}{words(told)}</span></li>'
