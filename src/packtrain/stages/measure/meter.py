"""How far a measurement is: bytes from several threads, told not too often."""

from __future__ import annotations

import threading
import time
from typing import Final

from packtrain.events import Progress, Sink

STAGE: Final = "measure"
_TOLD_SECONDS: Final = 0.2


class Stopped(Exception):
    """No error: the way out of a thread whose measurement was ended elsewhere."""


class Meter:
    """Adds up bytes from several threads and tells the sink, not too often.

    Attributes:
        stopped: set it, and whoever adds gets `Stopped`.
    """

    def __init__(self, sink: Sink, activity: str, total_bytes: int) -> None:
        self.stopped = False
        self._sink = sink
        self._activity = activity
        self._total_bytes = total_bytes
        self._done_bytes = 0
        self._told = 0.0
        self._lock = threading.Lock()

    def add(self, count: int) -> None:
        """Count bytes that were moved.

        Raises:
            Stopped: there is no use for more.
        """
        if self.stopped:
            raise Stopped
        with self._lock:
            self._done_bytes += count
            if time.monotonic() - self._told < _TOLD_SECONDS:
                return
            self._told = time.monotonic()
            self._sink(Progress(STAGE, self._activity, done_bytes=self._done_bytes, total_bytes=self._total_bytes))
