"""Where a voyage stands in one sentence."""

from __future__ import annotations

from typing import Final

from packtrain.report.drive_view import BAD
from packtrain.report.summary import Summary
from packtrain.units import counted

_PLACES: Final = {
    "home": "at home",
    "out": "on the way to the site",
    "site": "at the site",
    "back": "at the end of the work at the site: the results are on their way home",
    "done": "at home again: the results came home",
}


def headline(summary: Summary) -> str:
    """Return the sentence that stands on top: what runs now, else where the voyage is."""
    running = [view for view in summary.live if view.state == "running"]
    if running:
        return "; ".join(view.sentence() for view in running)
    return place_sentence(summary)


def place_sentence(summary: Summary) -> str:
    """Return where the voyage is, in a sentence, whatever runs."""
    here = next((stop for stop in summary.route if stop.state == "here"), None)
    if here is None:
        if not summary.closed_by:
            return "Nothing is known of this voyage yet"
        return f"The voyage is closed, as far as is known here by the {_listed(summary.closed_by)}"
    note = f": {here.note}" if here.note else ""
    return f"The voyage stands {_PLACES[here.stop]}{note}"


def health_sentence(summary: Summary) -> str:
    """Return how the drives are, in a sentence; "" where there are none."""
    if not summary.drives:
        return ""
    bad = [drive for drive in summary.drives if drive.state in BAD]
    cases = counted(len(summary.cases), "case")
    if not bad:
        looked_at = sum(drive.checked is not None for drive in summary.drives)
        seen = "none known to have been checked" if not looked_at else f"{looked_at:,} checked or read as a whole"
        found = sum(drive.state == "checked" and drive.caption != "checked" for drive in summary.drives)
        other = f"; {found:,} with other findings" if found else ""
        return f"{counted(len(summary.drives), 'drive')} in {cases}: {seen}, none known to be damaged or lost{other}"
    counts = {state: sum(drive.state == state for drive in bad) for state in BAD}
    told = ", ".join(
        f"{count:,} {'not usable' if state == 'unusable' else state}" for state, count in counts.items() if count
    )
    return f"{counted(len(summary.drives), 'drive')} in {cases}: {told}"


def _listed(names: tuple[str, ...]) -> str:
    return " and ".join([", ".join(names[:-1]), *names[-1:]] if len(names) > 1 else names)
