"""What a run of many hosts waits for, since when, in one line: for the terminal, logs/live.json and the page alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from packtrain.events import HostsAwaited
from packtrain.units import format_seconds

MOST_NAMED: Final = 3
"""Hosts that a line names; the others are counted."""


@dataclass(frozen=True, slots=True)
class Wait:
    """A wait.

    Attributes:
        told: the event that told of it last.
        since: when waiting for this began: seconds of a clock that never goes back.
    """

    told: HostsAwaited
    since: float

    def words(self, now: float) -> str:
        """Return it in one line: "waits for h3: its workers to start (12 s)"."""
        told = self.told
        return awaited_in_words(told.what, told.hosts, len(told.hosts), now - self.since)


def after(wait: Wait | None, event: HostsAwaited, now: float) -> Wait | None:
    """Return what is waited for after an event; None where nothing is any more.

    A wait goes on where the same is waited for of fewer hosts, or of hosts that are not there.
    """
    if not event.what:
        return None
    if wait is not None and _kind(wait.told) == _kind(event):
        return Wait(event, wait.since)
    return Wait(event, now)


def awaited_in_words(what: str, hosts: Sequence[str], num_hosts: int, seconds: float | None) -> str:
    """Return a wait in one line.

    Args:
        what: see `events.HostsAwaited`.
        hosts: names, all or the first ones.
        num_hosts: how many there are.
        seconds: for so long; None where that is not known.
    """
    named = ", ".join(hosts[:MOST_NAMED])
    more = num_hosts - min(len(hosts), MOST_NAMED)
    whom = f"{named} and {more:,} more: " if more > 0 and named else f"{named}: " if named else ""
    lasting = f" ({whole_seconds(seconds)})" if seconds is not None else ""
    return f"waits for {whom}{what}{lasting}"


def whole_seconds(seconds: float) -> str:
    """Return a duration without tenths: it is drawn anew each second."""
    whole = round(max(0.0, seconds))
    return f"{whole} s" if whole < 60 else format_seconds(whole)


def _kind(event: HostsAwaited) -> tuple[bool, str]:
    # "2 more hosts" becomes "1 more host": the same wait.
    return bool(event.hosts), event.what if event.hosts else ""
