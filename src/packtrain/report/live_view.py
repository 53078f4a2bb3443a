"""What runs in a voyage folder right now, in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from packtrain.record.awaited import awaited_in_words
from packtrain.record.folder import VoyageFolder
from packtrain.record.live import Live, read_live
from packtrain.record.receipts import instant, moment
from packtrain.units import format_bytes, format_rate, format_seconds

_MOST: Final = 2**62
"""Beyond this no number of this file is one: a file that says more was not written by a stage."""


@dataclass(frozen=True, slots=True)
class LiveView:
    """A stage that tells, or told, how far it is.

    Attributes:
        role: whose folder it is.
        state: running, stopped (its process is gone, or somebody stopped it), done, wants drives, failed, or "not
            known": it runs, or ran, on another machine.
        share: done of all, 0 to 1; None where nothing is counted.
        waited_seconds: for so long it waits for hosts by now, in whole seconds; None where it waits for none.
    """

    role: str
    state: str
    live: Live
    share: float | None
    waited_seconds: int | None = None

    @property
    def waiting(self) -> str:
        """Return what a stage that runs waits for, in one line; "" where it waits for no host."""
        live = self.live
        if self.waited_seconds is None:
            return ""
        return awaited_in_words(live.awaits, live.awaited_hosts, live.num_awaited_hosts, self.waited_seconds)

    def sentence(self) -> str:
        """Return it in a sentence: "pack runs now: 3 of 8 waves, 41 %, about 2 h left"."""
        live = self.live
        if self.state == "running":
            head = f"{live.stage} runs now"
        elif self.state == "not known":
            head = f"{live.stage} runs, or ran, on {live.host}; told last {live.updated}"
        elif self.state == "stopped":
            head = f"{live.stage} stopped before its end, told last {live.updated}"
        elif self.state == "failed":
            head = f"{live.stage} failed, {live.updated}"
        elif self.state == "wants drives":
            head = f"{live.stage} wants other drives, {live.updated}"
        else:
            head = f"{live.stage} ended, {live.updated}"
        told: list[str] = [live.activity] if live.activity else []
        if live.num_waves > 1:
            told.append(f"wave {live.wave} of {live.num_waves}")
        if self.share is not None:
            told.append(f"{self.share * 100:.0f} %")
        if live.total_bytes:
            told.append(f"{format_bytes(live.done_bytes)} of {format_bytes(live.total_bytes)}")
        elif live.total_items:
            told.append(f"{live.done_items:,} of {live.total_items:,} {live.unit}")
        told += [self.waiting] if self.waiting else []
        if self.state == "running":
            if live.rate is not None:
                told.append(format_rate(live.rate) if live.total_bytes else f"{live.rate:,.1f} {live.unit}/s")
            if live.left_seconds is not None:
                told.append(f"about {format_seconds(live.left_seconds)} left")
            if live.stalled_seconds >= 1:
                told.append(f"nothing moved for {format_seconds(live.stalled_seconds)}")
        return f"{head}: {', '.join(told)}" if told else head


def live_view(folder: VoyageFolder, role: str) -> LiveView | None:
    """Return what runs, or ran last, in a folder; None where nothing told anything, or it cannot be read."""
    try:
        live = read_live(folder.root)
        is_running = live.is_running if live is not None else None
    except RecursionError:
        return None
    if live is None or not all(0 <= number < _MOST for number in _numbers(live)):
        return None
    state = (
        live.state if live.state != "running" else {True: "running", False: "stopped", None: "not known"}[is_running]
    )
    share: float | None = None
    if live.total_bytes > 0:
        share = min(max(live.done_bytes / live.total_bytes, 0.0), 1.0)
    elif live.total_items > 0:
        share = min(max(live.done_items / live.total_items, 0.0), 1.0)
    return LiveView(
        role=role, state=state, live=live, share=share, waited_seconds=_waited(live) if state == "running" else None
    )


def _waited(live: Live) -> int | None:
    if not live.awaits:
        return None
    try:
        return max(0, int((moment(instant()) - moment(live.awaited_since)).total_seconds()))
    except (ValueError, OverflowError):
        return 0


def _numbers(live: Live) -> tuple[float, ...]:
    return (
        live.done_bytes,
        live.total_bytes,
        live.done_items,
        live.total_items,
        live.wave,
        live.num_waves,
        live.attempt,
        live.num_hosts,
        live.num_ranks,
        live.num_awaited_hosts,
        live.rate or 0,
        live.left_seconds or 0,
        live.stalled_seconds,
        *(number for drive in live.drives for number in (drive.done_bytes, drive.total_bytes, drive.rate or 0)),
    )
