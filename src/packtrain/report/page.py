"""The summary as one HTML file: no script, no network, no external font; dark and light; safe to mail."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from packtrain.report.page_style import PAGE_STYLE
from packtrain.report.pieces import section, whole_page, words
from packtrain.report.sections import attempts, data, drives, inspection, papers, voyage
from packtrain.report.summary import Summary


@dataclass(frozen=True, slots=True)
class Section:
    """One part of the page.

    Attributes:
        title: what stands over it; empty for what needs no title.
        render: returns its HTML; empty where there is nothing to show.
    """

    title: str
    render: Callable[[Summary], str]


SECTIONS: Final[Mapping[str, Section]] = {
    "voyage": Section("", voyage.heading),
    "route": Section("Route", voyage.route),
    "now": Section("Now", voyage.now),
    "numbers": Section("In numbers", voyage.numbers),
    "drives": Section("Drives in their cases", drives.drives),
    "groups": Section("Stripes still provable", drives.groups),
    "waves": Section("Waves", voyage.waves),
    "carried": Section("What was carried", data.carried),
    "inspections": Section("Inspection of the site", inspection.inspections),
    "training": Section("Training", data.training),
    "attempts": Section("Attempts and hosts", attempts.attempts),
    "stages": Section("Stages", voyage.stages),
    "plan-actual": Section("Planned and happened", voyage.plan_actual),
    "rehearsal": Section("Rehearsal", papers.rehearsal),
    "declaration": Section("Who, for whom, what for", papers.declaration),
    "flags": Section("Flags", papers.flags),
    "admission": Section("Admission", papers.admission),
    "custody": Section("Custody", papers.custody),
    "results": Section("What came home", papers.results),
    "time": Section("Time", voyage.time),
    "digests": Section("Digests", voyage.digests),
    "unread": Section("Not read", papers.unread),
}
"""The parts of the page by id, in their order."""

FOOT: Final = (
    '<footer class="dim">Made by packtrain from the signed documents, receipts, custody log and logs of the voyage '
    "folders. Nothing here is legal advice.</footer>"
)


def page(summary: Summary) -> str:
    """Return the report as HTML."""
    body = "".join(section_html(name, summary) for name in SECTIONS)
    return whole_page(f"{words(summary.name)}: voyage report", PAGE_STYLE, body + FOOT)


def section_html(name: str, summary: Summary) -> str:
    """Return one section of `SECTIONS` as HTML with `name` as its id; empty where it has nothing to show."""
    shown = SECTIONS[name]
    return section(shown.title, shown.render(summary), name)
