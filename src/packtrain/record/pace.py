"""How fast it goes: over the last seconds and not since the start, so that a stall shows; and which drive is slow."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from statistics import median
from typing import Final

from packtrain.events import DriveProgress, Progress
from packtrain.units import format_rate

WINDOW_SECONDS: Final = 20.0
"""What a rate is taken over: long enough to hold the turns of writing and reading back, short enough that a person who
pulls a cable sees it."""
_SAMPLE_SECONDS: Final = 0.5
_FIRST_SECONDS: Final = 1.0
"""Before so much time has passed nothing is said of a rate."""
_STALLED_SECONDS: Final = 10.0
_STEPS_IN_WINDOW: Final = 4
"""Work that is counted in large steps (a unit of a minute) is looked at over so many of them."""
_SLOW_SHARE: Final = 0.5
_LEAST_BUSY_SECONDS: Final = 0.2
"""A drive that was at work for less has no rate to be held against those of others."""
_WAITED_SHARE: Final = 0.25
"""A drive that is waited for less of the time holds nobody up, however slow it is."""


@dataclass(frozen=True, slots=True)
class DrivePace:
    """One drive: how far, and how fast while it is at work; `rate` in bytes a second, None while it is not known."""

    label: str
    state: str
    done_bytes: int
    total_bytes: int
    rate: float | None = None
    is_slow: bool = False


@dataclass(frozen=True, slots=True)
class Pace:
    """How far a stage is and how fast it goes.

    Attributes:
        progress: the last that the stage told.
        rate: bytes a second over the last seconds, or items where bytes are not counted; None while it is not known.
        left_seconds: at this rate; None where it is not known, a stall included.
        stalled_seconds: for so long nothing moved; 0.0 while something does.
        drives: see `DrivePace`, in the order told.
        slow: what to say of slow drives, a sentence each.
    """

    progress: Progress
    rate: float | None = None
    left_seconds: float | None = None
    stalled_seconds: float = 0.0
    drives: tuple[DrivePace, ...] = ()
    slow: tuple[str, ...] = ()


@dataclass(slots=True)
class _Window:
    """Samples of one counter: (time, count), the newest last; the oldest is as old as the window at least."""

    samples: deque[tuple[float, float]] = field(default_factory=deque[tuple[float, float]])

    def add(self, at: float, count: float) -> None:
        # One that goes backwards (a stripe is written anew) begins anew.
        if self.samples and count < self.samples[-1][1]:
            self.samples.clear()
        if len(self.samples) > 1 and at - self.samples[-2][0] < _SAMPLE_SECONDS:
            self.samples.pop()
        self.samples.append((at, count))

    def forget_before(self, at: float) -> None:
        while len(self.samples) > 2 and self.samples[1][0] <= at:
            self.samples.popleft()

    def gain(self, now: float) -> tuple[float, float]:
        """Return seconds and what came in them."""
        (first, before), (_, after) = self.samples[0], self.samples[-1]
        return now - first, after - before


class PaceKeeper:
    """Keeps the pace of the stage that works now. Not for several threads at once."""

    def __init__(self) -> None:
        self._last: Progress | None = None
        self._window = _Window()
        self._drives: dict[str, tuple[_Window, _Window]] = {}
        self._moved_at = self._heard_at = 0.0
        self._longest_step_seconds = 0.0

    def take(self, progress: Progress, now: float) -> None:
        """Note how far the stage is; `now` is of a clock that never goes back."""
        last = self._last
        if last is None or (last.stage, last.activity) != (progress.stage, progress.activity):
            self._window, self._drives, self._moved_at = _Window(), {}, now
            self._longest_step_seconds = 0.0
        elif _moved(last) != _moved(progress):
            self._longest_step_seconds = max(self._longest_step_seconds, now - self._moved_at)
            self._moved_at = now
        self._last = progress
        self._window.add(now, _count(progress))
        self._window.forget_before(now - max(WINDOW_SECONDS, _STEPS_IN_WINDOW * self._longest_step_seconds))
        for drive in progress.drives:
            moved, busy = self._drives.setdefault(drive.label, (_Window(), _Window()))
            for window, count in ((moved, drive.moved_bytes), (busy, drive.busy_seconds)):
                window.add(now, count)
                window.forget_before(now - WINDOW_SECONDS)

    def heard(self, now: float) -> None:
        """Note that something went on that is not counted: it does not stall."""
        self._heard_at = now

    def pace(self, now: float) -> Pace | None:
        """Return the pace by now; None before anything was told."""
        last = self._last
        if last is None:
            return None
        elapsed_seconds, gained = self._window.gain(now)
        stalled_seconds = now - max(self._moved_at, self._heard_at)
        if stalled_seconds < max(_STALLED_SECONDS, 2 * self._longest_step_seconds):
            stalled_seconds = 0.0
        rate = gained / elapsed_seconds if elapsed_seconds >= _FIRST_SECONDS else None
        total = last.total_bytes or last.total_items
        left = max(0.0, total - _count(last))
        left_seconds = left / rate if rate and total and not stalled_seconds else None
        drives = self._paces(last.drives, now)
        return Pace(last, rate, left_seconds, stalled_seconds, drives, _slow_in_words(drives))

    def _paces(self, drives: tuple[DriveProgress, ...], now: float) -> tuple[DrivePace, ...]:
        rates: dict[str, float] = {}
        waited_for: set[str] = set()
        for drive in drives:
            moved, busy = self._drives[drive.label]
            elapsed_seconds, busy_seconds = busy.gain(now)
            if busy_seconds >= _LEAST_BUSY_SECONDS:
                rates[drive.label] = moved.gain(now)[1] / busy_seconds
            if busy_seconds >= _WAITED_SHARE * elapsed_seconds:
                waited_for.add(drive.label)
        return tuple(
            DrivePace(
                drive.label,
                drive.state,
                drive.done_bytes,
                drive.total_bytes,
                rates.get(drive.label),
                drive.label in waited_for and _is_slow(drive.label, rates),
            )
            for drive in drives
        )


def _count(progress: Progress) -> float:
    return progress.done_bytes if progress.total_bytes or progress.done_bytes else progress.done_items


def _moved(progress: Progress) -> tuple[int, int, int]:
    return progress.done_bytes, progress.done_items, sum(drive.moved_bytes for drive in progress.drives)


def _is_slow(label: str, rates: dict[str, float]) -> bool:
    others = [rate for other, rate in rates.items() if other != label]
    return label in rates and bool(others) and rates[label] < _SLOW_SHARE * median(others)


def _slow_in_words(drives: tuple[DrivePace, ...]) -> tuple[str, ...]:
    slow = [(drive.rate, drive.label) for drive in drives if drive.is_slow and drive.rate is not None]
    others = [drive.rate for drive in drives if not drive.is_slow and drive.rate is not None]
    if not slow or not others:
        return ()
    whose = "the others" if len(others) > 1 else "the other"
    return tuple(
        f"{label} is slow: {format_rate(rate)}, {whose} {format_rate(median(others))}" for rate, label in sorted(slow)
    )
