"""How threads that read whole drives are ended: Ctrl-C reaches the main thread alone, and a pool waits for its own."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator


class Stopped(Exception):
    """No error: the way out of a thread whose work nobody wants any more. It reaches nobody."""


class Stopping:
    """Ends threads early where the one that waits for them leaves with an error or by Ctrl-C."""

    def __init__(self) -> None:
        self._is_stopped = threading.Event()

    def go_on(self) -> None:
        """Do nothing, or raise: to be called between two blocks."""
        if self._is_stopped.is_set():
            raise Stopped

    @contextlib.contextmanager
    def on_error(self) -> Iterator[None]:
        """Stop the threads where the context is left by an error. To be entered within that of the pool."""
        try:
            yield
        except BaseException:
            self._is_stopped.set()
            raise
