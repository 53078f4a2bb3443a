"""How far the writing of volumes is: bytes from several threads, told not too often."""

from __future__ import annotations

import dataclasses
import threading
import time
from typing import Final

from packtrain.events import Progress, Sink

_PROGRESS_SECONDS: Final = 0.2


class Meter:
    """Adds up bytes from several threads and tells the sink, not too often."""

    def __init__(self, sink: Sink, stage: str, total_bytes: int, total_stripes: int) -> None:
        self._sink = sink
        self._stage = stage
        self._total_bytes = total_bytes
        self._total_stripes = total_stripes
        # Every byte counts half when it is written and half when it was read back: so the rate is that of proven bytes,
        # and does not fall to nothing while a stripe is read.
        self._half_bytes = 0
        self._ended_bytes = 0
        self._done_stripes = 0
        self._told = 0.0
        self._lock = threading.Lock()

    def add_bytes(self, count: int) -> None:
        """Count ciphertext that was written."""
        self._add(count)

    def add_read_back(self, count: int) -> None:
        """Count ciphertext that was read back."""
        self._add(count)

    def _add(self, count: int) -> None:
        with self._lock:
            self._half_bytes += count
            now = time.monotonic()
            if now - self._told < _PROGRESS_SECONDS:
                return
            self._told = now
            self._tell()

    def end_stripe(self, stripe_bytes: int) -> None:
        """Count a stripe of this exact length as done, so that a rewritten one counts once."""
        with self._lock:
            self._done_stripes += 1
            self._ended_bytes += stripe_bytes
            self._half_bytes = 0
            self._tell()

    def _tell(self) -> None:
        self._sink(
            Progress(
                self._stage,
                "writing and reading back",
                done_bytes=min(self._ended_bytes + self._half_bytes // 2, self._total_bytes),
                total_bytes=self._total_bytes,
                done_items=self._done_stripes,
                total_items=self._total_stripes,
                unit="stripes",
            )
        )


class ItemMeter:
    """Counts items from several threads and tells the sink, not too often, and once at the start."""

    def __init__(self, sink: Sink, stage: str, activity: str, total_items: int, unit: str) -> None:
        self._sink = sink
        self._progress = Progress(stage, activity, total_items=total_items, unit=unit)
        self._told = 0.0
        self._lock = threading.Lock()
        sink(self._progress)

    def add(self) -> None:
        """Count one more."""
        with self._lock:
            self._progress = dataclasses.replace(self._progress, done_items=self._progress.done_items + 1)
            now = time.monotonic()
            if now - self._told >= _PROGRESS_SECONDS or self._progress.done_items == self._progress.total_items:
                self._told = now
                self._sink(self._progress)
