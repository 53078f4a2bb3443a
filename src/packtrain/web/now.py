"""What works in the folders right now, in one line that is read aloud."""

from __future__ import annotations

from collections.abc import Sequence

from packtrain.report.live_view import LiveView


def line_of(found: Sequence[LiveView]) -> str:
    """Return what runs, in words without a figure: it is read aloud whenever it changes."""
    running = [f"{_doing(one)} ({one.role})" for one in found if one.state == "running"]
    if running:
        return f"At work: {'; '.join(running)}."
    elsewhere = [f"{one.live.stage} ({one.role})" for one in found if one.state == "not known"]
    if elsewhere:
        return f"On another machine, perhaps still at work: {'; '.join(elsewhere)}."
    return "Nothing is at work now."


def _doing(one: LiveView) -> str:
    return f"{one.live.stage}: {one.live.activity}" if one.live.activity else one.live.stage
