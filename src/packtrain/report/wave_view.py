"""Waves of a packing: done and to come, which drives come next, and how long the rest takes at the pace so far."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from packtrain.record.custody import CustodyLine
from packtrain.record.receipts import moment


@dataclass(frozen=True, slots=True)
class BayView:
    """One bay: its path as voyage.toml spells it, its state in a word, whose drive it holds, and what to do."""

    location: str
    state: str
    label: str
    text: str


@dataclass(frozen=True, slots=True)
class WavesView:
    """A packing in waves.

    Attributes:
        done, total: waves; None where every group is closed.
        wanted: what to mount next, in words; "" for nothing.
        wanted_empty, wanted_again: labels.
        wanted_sources: so many of these labels besides, to rebuild from.
        left_seconds: for what is to come, changing of drives included; None where no wave was timed yet.
    """

    done: int | None
    total: int | None
    wanted: str = ""
    wanted_empty: tuple[str, ...] = ()
    wanted_again: tuple[str, ...] = ()
    wanted_sources: tuple[tuple[int, tuple[str, ...]], ...] = ()
    bays: tuple[BayView, ...] = ()
    left_seconds: float | None = None


def left_seconds(custody: Iterable[CustodyLine], drives: Collection[str], done: int, total: int) -> float | None:
    """Return how long the waves to come take, if they take as long as those that are done.

    Args:
        custody: the log: drives are noted in it when they are made ready and when they are closed.
        drives: UUIDs of this attempt: an earlier one, perhaps of days ago, says nothing of its pace.
        done, total: waves.
    """
    events = [line.event for line in custody if not set(drives).isdisjoint(line.event.drives)]
    begun = [event.at for event in events if event.verb == "formatted"]
    closed = [event.at for event in events if event.verb == "closed"]
    if not done or not begun or not closed:
        return None
    spent = (moment(max(closed)) - moment(min(begun))).total_seconds()
    return max(0.0, spent) / done * (total - done)


def labels_in_short(labels: Sequence[str], most: int = 12) -> str:
    """Return labels for a line: the first of them, and how many more there are."""
    more = f" and {len(labels) - most} more" if len(labels) > most else ""
    return f"{', '.join(labels[:most])}{more}"
