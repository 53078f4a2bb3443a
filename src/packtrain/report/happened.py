"""What really happened on a voyage, and when: read from receipts and custody entries, and from nothing else.

A receipt has the time of its stage's last run alone. Where a stage took several runs (drives in waves), the custody log
says when the first drive was formatted, and it is believed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from packtrain.documents.custody import CustodyEvent, CustodyVerb
from packtrain.documents.parties import Role
from packtrain.documents.receipt import Receipt

KINDS: Final = ("prepare", "pack", "seal", "hand over", "transport", "admit", "load", "train", "return")
"""What a voyage is made of, in order; all but the four of people are stages."""
_SAME: Final = timedelta(seconds=2)
"""Custody entries have whole seconds, receipts are written after them."""


@dataclass(frozen=True, slots=True)
class Span:
    """One thing that happened.

    Attributes:
        started, ended: None where it has not, or where nobody wrote it down.
        is_least: it took at least so long: its beginning is not recorded, only a later moment of it.
        bytes: that it moved, None where it moved none or nobody counted.
        waves: how often drives were changed, the first time included; None where that is not recorded.
        part_done: of one that has not ended, from 0 to 1; None where it is not known.
        note: what else is to be said, in words.
    """

    started: datetime | None = None
    ended: datetime | None = None
    is_least: bool = False
    bytes: int | None = None
    waves: int | None = None
    part_done: float | None = None
    note: str = ""

    @property
    def seconds(self) -> float | None:
        """Return how long it took, or at least took; None if it has not ended, or its beginning is not known."""
        if self.started is None or self.ended is None:
            return None
        return max(0.0, (self.ended - self.started).total_seconds())


def when(instant: str) -> datetime:
    """Return an instant as documents spell it."""
    return datetime.strptime(instant, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)


def happened(
    receipts: Iterable[tuple[Role, Receipt]],
    events: Sequence[CustodyEvent],
    num_drives: int,
    admitted: str | None,
) -> dict[str, Span]:
    """Return for each of `KINDS` that left a trace when it was.

    Args:
        receipts: of all parties whose folders are here.
        events: verified entries of their custody logs, each once, in order of time.
        num_drives: of the shipment; 0 where it is not known.
        admitted: when the operator decided, as the admission says; None without one.
    """
    found = _Record({(role, receipt.stage): receipt for role, receipt in receipts}, events, num_drives)
    spans: dict[str, Span | None] = {"prepare": found.run("consignor", "prepare", "source_bytes"), "pack": found.pack()}
    pack = spans["pack"]
    packed = pack.ended if pack is not None else None
    sealed = found.last("sealed", "consignor")
    spans["seal"] = Span(packed, sealed) if sealed is not None else None
    spans["hand over"] = found.handed_over(packed, sealed)
    spans["transport"] = found.transported()
    spans["admit"] = found.admitted(admitted)
    spans["load"] = found.load()
    spans["train"] = found.run("consignee", "train", None)
    spans["return"] = found.came_home()
    return {kind: span for kind, span in spans.items() if span is not None}


@dataclass(frozen=True, slots=True)
class _Record:
    receipts: dict[tuple[Role, str], Receipt]
    events: Sequence[CustodyEvent]
    num_drives: int

    def run(self, role: Role, stage: str, bytes_name: str | None) -> Span | None:
        receipt = self.receipts.get((role, stage))
        if receipt is None:
            return None
        ended = when(receipt.finished)
        moved = receipt.counts.get(bytes_name) if bytes_name is not None else None
        return Span(ended - timedelta(seconds=receipt.seconds), ended, bytes=moved)

    def pack(self) -> Span | None:
        formatted = self.of("formatted", "consignor")
        closed = self.of("closed", "consignor")
        run = self.run("consignor", "pack", "bytes_packed")
        if run is None:
            if not formatted:
                return None
            drives = {drive for event in closed for drive in event.drives}
            part = len(drives) / self.num_drives if self.num_drives else None
            if part is not None and part >= 1:
                # Another party has no receipt of it; that every drive was closed is in the log that it was given.
                return Span(when(formatted[0].at), when(closed[-1].at), waves=_waves(self.events))
            return Span(when(formatted[0].at), waves=_waves(self.events), part_done=part)
        first, waves = when(formatted[0].at) if formatted else None, _waves(self.events)
        if first is None or run.started is None or (waves == 1 and first >= run.started - _SAME):
            return replace(run, waves=waves or None)
        note = "several runs; the time between them is in it"
        return replace(run, started=min(first, run.started), waves=waves, note=note)

    def handed_over(self, packed: datetime | None, sealed: datetime | None) -> Span | None:
        released = self.of("released", "consignor")
        if not released:
            return None
        return Span(sealed or packed, when(released[-1].at))

    def transported(self) -> Span | None:
        released = self.of("released", "consignor")
        accepted = [event for event in self.events if event.verb == "accepted" and event.by != "consignor"]
        if not released and not accepted:
            return None
        started = when(released[0].at) if released else None
        gone = {case for event in released for case in event.cases}
        here = {case for event in accepted for case in event.cases}
        lost = {case for event in self.events if event.verb == "lost" for case in event.cases}
        if gone - here - lost:
            return Span(started, part_done=len(gone & here) / len(gone), note=_still_away(gone - here - lost))
        note = f"lost: {', '.join(sorted(lost - here))}" if lost - here else ""
        return Span(started, when(accepted[-1].at) if accepted else None, note=note)

    def admitted(self, decided: str | None) -> Span | None:
        receipt = self.receipts.get(("operator", "admit"))
        at = decided or (receipt.finished if receipt is not None else None)
        if at is None:
            return None
        ended = when(at)
        arrived = [event for event in self.events if event.verb == "accepted" and event.by != "consignor"]
        started = when(arrived[-1].at) if arrived else None
        if started is not None and started > ended:
            return Span(None, ended, note="decided on the papers, before the last case arrived")
        return Span(started, ended)

    def load(self) -> Span | None:
        loaded = self.of("loaded", "consignee")
        run = self.run("consignee", "load", "bytes_loaded")
        if run is None:
            if not loaded:
                return None
            drives = {drive for event in loaded for drive in event.drives}
            part = len(drives) / self.num_drives if self.num_drives else None
            note = "the beginning of the first wave is not recorded"
            return Span(when(loaded[0].at), is_least=True, waves=len(loaded), part_done=part, note=note)
        first = when(loaded[0].at) if loaded else None
        if first is None or run.started is None or (len(loaded) == 1 and first >= run.started - _SAME):
            return replace(run, waves=len(loaded) or None)
        note = "the beginning of the first wave is not recorded; counted from its end"
        return replace(run, started=min(first, run.started), is_least=True, waves=len(loaded), note=note)

    def came_home(self) -> Span | None:
        exported = self.run("consignee", "return", "result_bytes")
        accepted = self.run("consignor", "return", "result_bytes")
        if exported is None:
            note = "when it was sent is not known here"
            return replace(accepted, started=None, note=note) if accepted is not None else None
        if accepted is None:
            note = "exported; when it is home, the consignor's folder says"
            return Span(exported.started, bytes=exported.bytes, note=note)
        return replace(accepted, started=exported.started)

    def of(self, verb: CustodyVerb, by: Role) -> list[CustodyEvent]:
        return [event for event in self.events if event.verb == verb and event.by == by]

    def last(self, verb: CustodyVerb, by: Role) -> datetime | None:
        found = self.of(verb, by)
        return when(found[-1].at) if found else None


def _waves(events: Sequence[CustodyEvent]) -> int:
    """Return how often drives were changed: what is formatted after something was closed is another wave."""
    waves, is_writing = 0, False
    for event in events:
        if event.by != "consignor" or event.verb not in ("formatted", "closed"):
            continue
        if event.verb == "formatted" and not is_writing:
            waves += 1
        is_writing = event.verb == "formatted"
    return waves


def _still_away(cases: set[str]) -> str:
    return f"not accepted yet: {', '.join(sorted(cases))}"
