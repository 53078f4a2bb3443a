"""Threads that take turns at what needs the interpreter for every small file.

Two threads that both work on small files only hand the interpreter to each other, some twenty times a file, and are
slower than one. What leaves the interpreter for long (reading, hashing, decrypting, writing 64 KiB and more) is done
out of turn, and keeps the other cores busy.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import TracebackType
from typing import Final

from packtrain.units import KIB

LARGE_BYTES: Final = 64 * KIB
"""From this on what is done to a piece takes longer than a thread that waits for its turn should wait."""


class Turn:
    """A lock that one of the threads holds while it works on small files; use it as a context.

    Attributes:
        lock: for the main thread, as a context of its own: an interrupt never falls between taking it and the context,
            as it does where `__enter__` is Python, and nobody would give the lock back.
        away: a context in one's turn: others have theirs meanwhile.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.away = _Away(self.lock)

    def __enter__(self) -> None:
        self.lock.acquire()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.lock.release()

    def out_of(self, work: Callable[[memoryview], int]) -> Callable[[memoryview], int]:
        """Return `work` as one calls it in one's turn: others have theirs while it runs."""

        def given_away(buffer: memoryview) -> int:
            with self.away:
                return work(buffer)

        return given_away


class _Away:
    """The turn given away for the time of a context."""

    def __init__(self, lock: threading.Lock) -> None:
        self._lock = lock

    def __enter__(self) -> None:
        self._lock.release()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lock.acquire()
