"""Events of a process in the box, passed to the one outside through a file that grows."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final, cast

import msgspec

from packtrain.events import Event, Notice, Progress, Sink, TrainingStep, WorkerLost

# Not WorkersStarted: its process numbers mean nothing outside the box's own namespace. Nor what is told of hosts: a box
# is one machine, and `train` on many tells the sink of its caller itself.
_PASSED: Final[Mapping[str, Any]] = {kind.__name__: kind for kind in (Progress, Notice, TrainingStep, WorkerLost)}
_MAX_READ_BYTES: Final = 4 << 20


def write_events(path: Path, sink: Sink) -> Sink:
    """Return a sink that appends each event to the file and hands it on to `sink`."""

    def take(event: Event) -> None:
        sink(event)
        if type(event).__name__ in _PASSED:
            # Not synced: it is told and forgotten.
            with path.open("a", encoding="utf-8") as stream:
                stream.write(json.dumps({"event": type(event).__name__, **asdict(event)}) + "\n")

    return take


class EventTail:
    """Reads what `write_events` wrote, as it comes.

    Args:
        path: the file; it may not be there yet.
        sink: gets the events.
    """

    def __init__(self, path: Path, sink: Sink) -> None:
        self._path = path
        self._sink = sink
        self._offset = 0

    def pass_on(self) -> None:
        """Hand on the whole lines that are new. A line that is no event is left out."""
        try:
            with self._path.open("rb") as stream:
                stream.seek(self._offset)
                payload = stream.read(_MAX_READ_BYTES)
        except FileNotFoundError:
            return
        whole = payload.rpartition(b"\n")[0]
        if not whole:
            return
        self._offset += len(whole) + 1
        for line in whole.split(b"\n"):
            event = _event(line)
            if event is not None:
                self._sink(event)


def _event(line: bytes) -> Event | None:
    try:
        body: Any = json.loads(line)
        if not isinstance(body, dict):
            return None
        fields = cast("dict[str, Any]", body)
        # Each field of its type: whoever shows them reckons with them, and the box is not to be trusted.
        return cast("Event", msgspec.convert(fields, type=_PASSED[fields.pop("event")]))
    except (ValueError, KeyError, TypeError):
        return None
