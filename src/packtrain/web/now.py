"""What works in the folders right now, in one line that is read aloud."""

from __future__ import annotations

from collections.abc import Sequence

from packtrain.record.awaited import awaited_in_words
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
    live = one.live
    waiting = ""
    if one.waiting:
        # Of hosts that are not there it is told how many: that is a figure, and changes.
        named = awaited_in_words(live.awaits, live.awaited_hosts, live.num_awaited_hosts, None)
        waiting = f", {named}" if live.awaited_hosts else ", waits for hosts"
    return f"{live.stage}{f': {live.activity}' if live.activity else ''}{waiting}"
