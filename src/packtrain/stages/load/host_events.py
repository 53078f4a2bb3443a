"""What hosts tell while they load, put together: one bar of bytes, and a row for each drive with its host's name."""

from __future__ import annotations

import contextlib
import dataclasses
import threading
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Final

from packtrain.events import Event, Notice, Progress, Sink
from packtrain.stages.load.kept import STAGE
from packtrain.training.event_relay import EventTail
from packtrain.volume.shares import EVENTS_NAME, share_folder

_LOOK_SECONDS: Final = 0.5


class HostEvents:
    """Hands on what hosts tell.

    Args:
        sink: takes the events; one thread at a time calls it.
    """

    def __init__(self, sink: Sink) -> None:
        self._inner = sink
        self._lock = threading.Lock()
        self._progress: dict[str, Progress] = {}

    def sink(self, event: Event) -> None:
        """Take an event of this process."""
        with self._lock:
            self._inner(event)

    @contextlib.contextmanager
    def relayed(self, journal_path: Path, hosts: Collection[str]) -> Iterator[None]:
        """Hand on what these hosts tell for the time of the context, to its last word."""
        tails = [EventTail(share_folder(journal_path, host) / EVENTS_NAME, self._taker(host)) for host in sorted(hosts)]
        is_over = threading.Event()

        def relay() -> None:
            while not is_over.wait(_LOOK_SECONDS):
                for tail in tails:
                    tail.pass_on()

        thread = threading.Thread(target=relay, name="events of hosts", daemon=True)
        thread.start()
        try:
            yield
        finally:
            is_over.set()
            thread.join()
            for tail in tails:
                tail.pass_on()

    def _taker(self, host: str) -> Sink:
        def take(event: Event) -> None:
            if isinstance(event, Notice):
                self.sink(dataclasses.replace(event, stage=STAGE, text=f"{host}: {event.text}"))
            elif isinstance(event, Progress):
                self._progress[host] = event
                told = self._progress.values()
                drives = tuple(
                    dataclasses.replace(drive, label=f"{name} {drive.label}")
                    for name, progress in sorted(self._progress.items())
                    for drive in progress.drives
                )
                done, total = sum(each.done_bytes for each in told), sum(each.total_bytes for each in told)
                self.sink(Progress(STAGE, event.activity, done, total, drives=drives))

        return take
