"""A bar for each drive that a stage writes or reads now."""

from __future__ import annotations

from packtrain.record.pace import DrivePace
from packtrain.report.live_view import LiveView
from packtrain.report.pieces import progress_bar, words
from packtrain.units import format_rate


def bars(view: LiveView) -> str:
    """Return the bars of a stage that runs; empty where it runs no more, or works on no drive."""
    if view.state != "running" or not view.live.drives:
        return ""
    return f'<ul class="bars">{"".join(_drive(drive) for drive in view.live.drives)}</ul>'


def _drive(drive: DrivePace) -> str:
    told = drive.state + (f", {format_rate(drive.rate)}" if drive.rate is not None else "")
    slow = '<span class="hold">slow</span>, ' if drive.is_slow else ""
    bar = "<span></span>"
    if drive.total_bytes > 0:
        bar = progress_bar(drive.done_bytes / drive.total_bytes, f"drive {drive.label}, done of all")
    return f'<li><b>{words(drive.label)}</b>{bar}<span class="dim">{slow}{words(told)}</span></li>'
