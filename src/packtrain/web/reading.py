"""What the folders say, read once for all who ask, and again only where files changed. Writes nothing, takes no lock.

Three kinds of files are told apart by how often they change: papers (documents, receipts, voyage.toml), the logs of a
training, and what a stage tells while it works. A log of steps is read on from where the last reading ended.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from packtrain.errors import PacktrainError
from packtrain.overview import overview
from packtrain.record.checks import CHECKS_NAME
from packtrain.record.folder import VOYAGE_FILE, VoyageFolder
from packtrain.record.live import LIVE_NAME
from packtrain.record.receipts import instant
from packtrain.report.live_view import live_view
from packtrain.report.page import SECTIONS, section_html
from packtrain.report.prometheus import metrics_text
from packtrain.report.summarize import trained
from packtrain.report.summary import Summary
from packtrain.report.summary_json import status_document
from packtrain.report.training_curve import GrowingSteps, TrainingCurve
from packtrain.report.training_facts import STEPS, training_of
from packtrain.training.metrics import METRICS_NAME
from packtrain.voyage import Voyage
from packtrain.web import now
from packtrain.web.marks import Mark, marks_of
from packtrain.web.page import CONTENTS, Part, contents_of, part_of, whole

LOOK_SECONDS: Final = 0.5
"""Files are asked at most so often, whatever the number of browsers."""
_STATE_SECONDS: Final = 60.0
"""Whether sources changed since a stage ran is in no file of the folder: it is looked at anew after this time."""
_SHARE_OF_TIME: Final = 0.03
"""And less often where looking takes long, as it does over many sources: it takes up this share of the time at most."""

_SHARE_WHILE_BUSY: Final = 0.1
"""Of the time that reading papers may take while they change without an end."""

_OF_PAPERS_ALONE: Final = frozenset({"carried"})
"""Parts that are not made anew for each step of a training: pictures are cut out of shards."""


@dataclass(frozen=True, slots=True)
class View:
    """What is served until something changes.

    Attributes:
        page: the whole page.
        parts: by name.
        watch: what a browser asks for again and again: digests of the parts, and what runs.
        status: what `packtrain status --json` prints.
        metrics: what `packtrain status --prometheus` prints.
    """

    page: bytes
    parts: dict[str, Part]
    watch: bytes
    status: bytes
    metrics: bytes


class Reading:
    """Reads folders for all browsers.

    Args:
        voyages: the folders of one voyage; they are to be opened with `only_watches`.
        with_pictures: show sample pictures of the first folder's shards.
    """

    def __init__(self, voyages: Sequence[Voyage], *, with_pictures: bool = False) -> None:
        self._voyages = tuple(voyages)
        self._folders = tuple(voyage.folder for voyage in voyages)
        self._with_pictures = with_pictures
        self._steps = {folder.root: GrowingSteps(folder.logs / STEPS) for folder in self._folders}
        self._marks: dict[str, tuple[Mark, ...]] = {}
        self._summary: Summary | None = None
        self._read_seconds = 0.0
        self._read_at = 0.0
        self._kept_html: dict[str, str] = {}
        self._fault = ""
        self._view: View | None = None
        self._looked_at = 0.0
        self._turn = asyncio.Lock()

    async def view(self) -> View:
        """Return what the folders say now, or said less than `LOOK_SECONDS` ago.

        Raises:
            PacktrainError, OSError: they cannot be read, and never were before.
        """
        if self._view is not None and (
            self._turn.locked() or time.monotonic() - self._looked_at < LOOK_SECONDS
        ):  # while one reads, the others get what was read last
            return self._view
        async with self._turn:
            if self._view is None or time.monotonic() - self._looked_at >= LOOK_SECONDS:
                self._view = await asyncio.to_thread(self.look)
                self._looked_at = time.monotonic()
            return self._view

    def look(self) -> View:
        """Return what the folders say now; see `view` for errors."""
        fault = ""
        is_changed = False
        try:
            is_changed = self._read()
        except (PacktrainError, OSError) as error:
            if self._view is None:
                raise
            since = self._fault.partition(":")[0] if self._fault else f"Not read since {instant()}"
            fault = f"{since}: {error}"
        if self._view is None or is_changed or fault != self._fault:
            self._fault = fault
            self._view = self._render()
        return self._view

    def _read(self) -> bool:
        """Read what changed; return whether anything did."""
        # Taken before anything is read: what changes meanwhile is seen the next time.
        marks = {
            "papers": marks_of([path for folder in self._folders for path in _papers(folder)]),
            "training": marks_of([path for folder in self._folders for path in _logs(folder)]),
            "live": marks_of([folder.logs / LIVE_NAME for folder in self._folders]),
        }
        changed = {kind for kind, found in marks.items() if found != self._marks.get(kind)}
        age = time.monotonic() - self._read_at
        is_old = age > max(_STATE_SECONDS, self._read_seconds / _SHARE_OF_TIME)
        if "papers" in changed and self._summary is not None and age < self._read_seconds / _SHARE_WHILE_BUSY:
            # A load notes every volume: the rest of the machine is for the load. Seen a little later it is.
            changed.discard("papers")
            marks["papers"] = self._marks["papers"]
        before = self._summary
        if before is None or "papers" in changed or is_old:
            started = time.monotonic()
            summary = overview(self._voyages, with_pictures=self._with_pictures, curve_of=self._curve_of)
            self._read_at, self._read_seconds = time.monotonic(), time.monotonic() - started
            self._kept_html = {}
            changed.add("papers")
        else:
            summary = before
            # A process that was killed changes no file: one that ran is looked for each time.
            if "live" in changed or any(live.state == "running" for live in before.live):
                parties = tuple(replace(party, live=live_view(party.folder, party.role)) for party in before.parties)
                summary = replace(summary, parties=parties)
                changed |= {"live"} if summary.live != before.live else set()
            if changed:
                training, attempts = trained(summary.parties, self._curve_of)
                summary = replace(summary, training=training, attempts=attempts)
            if changed:
                summary = replace(summary, read_at=instant())
        self._marks, self._summary = marks, summary
        return bool(changed)

    def _curve_of(self, folder: VoyageFolder) -> TrainingCurve | None:
        return self._steps[folder.root].read() or training_of(folder)

    def _render(self) -> View:
        summary = self._summary
        assert summary is not None
        htmls = {name: self._section(name, summary) for name in SECTIONS}
        htmls[CONTENTS] = contents_of(htmls)
        parts = {name: part_of(name, html) for name, html in htmls.items()}
        line = now.line_of(summary.live)
        watch = {"said": line, "fault": self._fault, "parts": {name: part.digest for name, part in parts.items()}}
        return View(
            page=whole(summary.name, line, parts, self._fault).encode("utf-8", "replace"),
            parts=parts,
            watch=_json(watch),
            status=_json(status_document(summary)),
            metrics=metrics_text(summary).encode("utf-8", "replace"),
        )

    def _section(self, name: str, summary: Summary) -> str:
        if name not in _OF_PAPERS_ALONE:
            return section_html(name, summary)
        if name not in self._kept_html:
            self._kept_html[name] = section_html(name, summary)
        return self._kept_html[name]


def _papers(folder: VoyageFolder) -> list[Path]:
    # Of keys/ the names count: what was sealed, and what `close` destroyed. None is opened.
    return [
        folder.root / VOYAGE_FILE,
        folder.documents,
        folder.receipts,
        folder.keys,
        folder.logs / CHECKS_NAME,
        *(folder.work / "load" / name for name in ("progress.json", "journal.jsonl")),
        *sorted((folder.work / "pack").glob("attempt-*/group-*.json")),
    ]


def _logs(folder: VoyageFolder) -> list[Path]:
    return [(folder.logs / STEPS).parent, folder.logs / METRICS_NAME, folder.root / "results" / METRICS_NAME]


def _json(value: Any) -> bytes:
    # ASCII: a lone surrogate, as file names may hold, is written as an escape and does not fail.
    return json.dumps(value).encode("ascii")
