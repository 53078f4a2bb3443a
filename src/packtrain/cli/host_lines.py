"""What a terminal says of hosts that are waited for or lost: one line, and no flood where three hundred are."""

from __future__ import annotations

from typing import Final

from packtrain.events import HostLost, HostsAwaited, WorkersStarted
from packtrain.record.awaited import Wait, after, whole_seconds

SAID_AFTER_SECONDS: Final = 5.0
"""A wait is said when it lasts so long: every attempt waits a moment for its workers."""
SAID_EVERY_SECONDS: Final = 30.0
_MOST_LOST: Final = 3
"""Lost hosts of one attempt that have a line each; the others are counted."""
_COUNTED_AFTER_SECONDS: Final = 1.0


class HostLines:
    """Takes events of hosts; returns lines when they are due. Times are of a clock that never goes back."""

    def __init__(self) -> None:
        self._wait: Wait | None = None
        self._said_at: float | None = None
        self._lost_in: tuple[int, int] = (0, 0)
        self._unsaid: list[HostLost] = []
        self._unsaid_since = 0.0

    @property
    def is_at_work(self) -> bool:
        """Return whether silence may bring a line."""
        return self._wait is not None or bool(self._unsaid)

    def take(self, event: HostLost | HostsAwaited | WorkersStarted, now: float) -> list[str]:
        """Return the lines to say of an event, at once."""
        if isinstance(event, HostLost):
            return self._lost(event, now)
        lines = self._count_lost()
        following = after(self._wait, event, now) if isinstance(event, HostsAwaited) else None
        before = self._wait
        if before is not None and (following is None or following.since != before.since):
            if self._said_at is not None:
                what = before.words(before.since).removeprefix("waits for ").removesuffix(" (0 s)")
                lines.append(f"attempt {before.told.attempt}: waited {whole_seconds(now - before.since)} for {what}")
            self._said_at = None
        self._wait = following
        return lines

    def due(self, now: float) -> list[str]:
        """Return the lines that are due by now, though nothing was told."""
        lines = self._count_lost() if self._unsaid and now - self._unsaid_since >= _COUNTED_AFTER_SECONDS else []
        wait = self._wait
        if wait is not None:
            next_at = wait.since + SAID_AFTER_SECONDS
            if self._said_at is not None:
                next_at = self._said_at + SAID_EVERY_SECONDS
            if now >= next_at:
                self._said_at = now
                lines.append(f"attempt {wait.told.attempt}: {wait.words(now)}")
        return lines

    def drawn(self, now: float) -> str:
        """Return the line that is drawn over while something is waited for; "" while nothing is."""
        return self._wait.words(now) if self._wait is not None else ""

    def end(self) -> list[str]:
        """Return what is left to say; nothing is waited for any more."""
        self._wait = self._said_at = None
        return self._count_lost()

    def _lost(self, event: HostLost, now: float) -> list[str]:
        attempt, number = self._lost_in
        number = number + 1 if attempt == event.attempt else 1
        lines = self._count_lost() if attempt != event.attempt else []
        self._lost_in = event.attempt, number
        if number <= _MOST_LOST:
            return [*lines, f"warning: attempt {event.attempt}: host {event.host} lost: {event.reason}"]
        if not self._unsaid:
            self._unsaid_since = now
        self._unsaid.append(event)
        return lines

    def _count_lost(self) -> list[str]:
        if not self._unsaid:
            return []
        last, number = self._unsaid[-1], len(self._unsaid)
        self._unsaid = []
        if number == 1:
            return [f"warning: attempt {last.attempt}: host {last.host} lost: {last.reason}"]
        return [f"warning: attempt {last.attempt}: {number} more hosts lost, the last {last.host}: {last.reason}"]
