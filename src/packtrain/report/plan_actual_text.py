"""Plan against actual as text: a line a leg, then what was most off and when it all ends now."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from packtrain.report.leg_rows import LegRow, PlanActual
from packtrain.units import counted, format_bytes, format_rate, format_seconds

_DAY_SECONDS: Final = 86_400
HEAD: Final = ("leg", "state", "planned", "took", "ratio", "ends", "moved", "remark")


def leg_cells(row: LegRow) -> tuple[str, ...]:
    """Return the cells of one leg, as `HEAD` names them; empty where there is nothing to say."""
    return (
        row.name,
        row.state,
        _days(row.planned_days),
        _took(row),
        f"{row.ratio:.2g}" if row.ratio is not None else "",
        _end(row),
        _moved(row),
        "; ".join(filter(None, (counted(row.waves, "wave") if row.waves and row.waves > 1 else "", row.note))),
    )


def sentences(found: PlanActual) -> list[str]:
    """Return what is to be said of the whole: what was most off, and when it ends now."""
    said = [f"most off: {found.most_off}"] if found.most_off else []
    for name, planned, expected in (
        ("at the site", found.planned_there, found.expected_there),
        ("home", found.planned_home, found.expected_home),
    ):
        if planned is not None:
            now = _day(expected) if expected is not None else "not known"
            said.append(f"{name}: planned for {_day(planned)}, now {now}")
    if found.made is None:
        said.append('no forecast is here: "packtrain plan" makes one before anything is packed')
    return said


def plan_actual_table(found: PlanActual) -> Sequence[tuple[str, ...]]:
    """Return head and cells, for a table."""
    return [HEAD, *(leg_cells(row) for row in found.rows)]


def _days(days: float | None) -> str:
    return format_seconds(days * _DAY_SECONDS) if days is not None else ""


def _took(row: LegRow) -> str:
    if row.days is None:
        return "not known" if row.state in ("done", "not known") else ""
    least = "at least " if row.is_least else ""
    so_far = " so far" if row.state == "under way" else ""
    return f"{least}{_days(row.days)}{so_far}"


def _end(row: LegRow) -> str:
    if row.ended is not None:
        return _day(row.ended)
    return f"expected {_day(row.expected_end)}" if row.expected_end is not None else ""


def _moved(row: LegRow) -> str:
    if row.bytes is None:
        return ""
    rate = f", {format_rate(row.bytes_per_second)}" if row.bytes_per_second is not None else ""
    planned = f" ({format_rate(row.planned_bytes_per_second)} planned)" if row.planned_bytes_per_second else ""
    return f"{format_bytes(row.bytes)}{rate}{planned if rate else ''}"


def _day(at: datetime) -> str:
    return f"{at:%d %b %Y %H:%M}"
