"""A forecast as text for a terminal, and as the mapping that --json prints."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from typing import Any, Final

from packtrain.forecast.answer import Forecast, Route
from packtrain.forecast.question import Question
from packtrain.units import format_bytes

_BAR_COLUMNS: Final = 40
_PEOPLE: Final = (
    'what machines do is taken as 0.95 to 1.3 times the likely, what people do as the ranges given with "--leg"'
)


def forecast_document(question: Question, found: Forecast) -> dict[str, Any]:
    """Return the answer as JSON values; days and bytes are numbers, probabilities parts of 1."""
    return {
        "total_bytes": question.total_bytes,
        "carry": _route_document(found.carry),
        "send": None if found.send is None else _route_document(found.send),
        "code": {"k": found.k, "m": found.m},
        "groups": [{"k": group.k, "m": group.m, "drives": list(group.drives)} for group in found.placement.groups],
        "raw_bytes": found.raw_bytes,
        "bytes_a_drive": found.bytes_a_drive,
        "fits": found.fits,
        "survives": found.survives,
        "loss_probability": found.loss_probability,
        "loss_probability_after_one_case": found.loss_after_case,
        "waves": found.waves,
        "load_waves": found.load_waves,
        "bottleneck": found.carry.bottleneck,
        "choices": [
            {
                "survive": {"cases": choice.survive.cases, "drives": choice.survive.drives},
                "groups": [{"k": k, "m": m} for k, m in choice.groups],
                "raw_bytes": choice.raw_bytes,
                "overhead": choice.overhead,
                "loss_probability": choice.loss_probability,
                "survives": choice.survives,
            }
            for choice in found.choices
        ],
        "break_even": [{"link_bits_per_second": rate, "bytes": least} for rate, least in found.break_even.items()],
        "assumed": _assumptions(question),
    }


def forecast_text(question: Question, found: Forecast, start: date) -> str:
    """Return the answer as a person reads it, with dates from `start` on."""
    lines = [f"{format_bytes(question.total_bytes)}: send or carry?", ""]
    lines += _columns(
        [
            ("", "carry", "send" if found.send else "send (no --link given)"),
            ("days, each step its likeliest", *_each(found, lambda route: f"{route.days:.1f}")),
            ("there in 10 of 100 voyages by", *_each(found, lambda route: _by(route.days_10, start))),
            ("there in 50 of 100 voyages by", *_each(found, lambda route: _by(route.days_50, start))),
            ("there in 90 of 100 voyages by", *_each(found, lambda route: _by(route.days_90, start))),
            ("waits longest for", *_each(found, lambda route: route.bottleneck)),
        ]
    )
    lines += ["", *_drives(question, found), "", "carrying, step by step", *_bars(found.carry, start)]
    lines += ["", "other codes on the same drives"]
    lines += _columns(
        [
            ("survives", "raw", "parity", "odds of loss"),
            *(
                (
                    f"{choice.survive.cases} cases + {choice.survive.drives} drives",
                    format_bytes(choice.raw_bytes),
                    f"{choice.overhead:.0%}",
                    _odds(choice.loss_probability),
                )
                for choice in found.choices
            ),
        ]
    )
    lines += ["", "from how many bytes on carrying is faster, at the same drives and delays"]
    lines += _columns(
        [(_rate(rate), "never" if least is None else format_bytes(least)) for rate, least in found.break_even.items()]
    )
    lines += ["", "assumed", *(f"  {line}" for line in (*_assumptions(question).values(), _PEOPLE))]
    return "\n".join(lines)


def _drives(question: Question, found: Forecast) -> list[str]:
    codes = Counter((group.k, group.m) for group in found.placement.groups)
    named = ", ".join(f"{count} of {k}+{m}" for (k, m), count in sorted(codes.items(), reverse=True))
    fits = "" if found.fits is not False else f": TOO SMALL, drives hold {format_bytes(question.drive_bytes or 0)}"
    return [
        *_columns(
            [
                ("groups", named),
                ("on the drives", f"{format_bytes(found.raw_bytes)}, {format_bytes(found.bytes_a_drive)} each{fits}"),
                ("waves", f"{found.waves} to pack, {found.load_waves} to load"),
                ("survives", found.survives),
                ("odds of loss", _odds(found.loss_probability)),
                ("and once a case is lost", _odds(found.loss_after_case)),
            ]
        )
    ]


def _assumptions(question: Question) -> dict[str, str]:
    """Return what the answer rests on, by name."""
    risks = question.risks
    return {
        "drives": f"a drive writes {format_bytes(int(question.write_rate))}/s and reads "
        f"{format_bytes(int(question.read_rate))}/s, and is read back after writing",
        "cores": f"{question.cores} cores; {question.pack_cpu_seconds_per_gb:g} s of one for each GB packed, "
        f"{question.load_cpu_seconds_per_gb:g} s for each GB loaded",
        "swap": f"{question.swap_minutes:g} minutes to change the drives of a wave",
        "risk": f"{risks.yearly_failure:.1%} of drives fail in a year, {risks.transit:.1%} more on the way, "
        f"{risks.case_loss:.1%} of cases are lost",
    }


def _bars(route: Route, start: date) -> list[str]:
    whole = max(route.days, 1e-9)
    width = max(len(step.name) for step in route.steps)
    lines: list[str] = []
    for step in route.steps:
        before = round(step.start_days / whole * _BAR_COLUMNS)
        length = max(1, round(step.days.likely / whole * _BAR_COLUMNS))
        bar = f"{' ' * before}{'#' * length}"[: _BAR_COLUMNS + 1].ljust(_BAR_COLUMNS + 1)
        begin = start + timedelta(days=step.start_days)
        lines.append(f"  {step.name:{width}}  {bar} {begin:%d %b}  {step.days.likely:.1f} days ({step.limit})")
    return lines


def _each(found: Forecast, value: Callable[[Route], str]) -> tuple[str, ...]:
    return tuple("" if route is None else value(route) for route in (found.carry, found.send))


def _by(days: float, start: date) -> str:
    return f"{start + timedelta(days=days):%d %b %Y} ({days:.1f} days)"


def _columns(rows: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]


def _odds(probability: float) -> str:
    if probability != probability:
        return "not computed"
    if probability < 1e-12:
        return "less than 1 in 10^12"
    return f"1 in {1 / probability:,.0f}" if probability < 0.05 else f"{probability:.0%}"


def _rate(bits_per_second: float) -> str:
    value, unit = (bits_per_second / 1e9, "Gbit/s") if bits_per_second >= 1e9 else (bits_per_second / 1e6, "Mbit/s")
    return f"{value:g} {unit}"


def _route_document(route: Route) -> dict[str, Any]:
    return {
        "days": route.days,
        "days_10": route.days_10,
        "days_50": route.days_50,
        "days_90": route.days_90,
        "bottleneck": route.bottleneck,
        "steps": [
            {
                "name": step.name,
                "start_days": step.start_days,
                "days": {"low": step.days.low, "likely": step.days.likely, "high": step.days.high},
                "limit": step.limit,
            }
            for step in route.steps
        ],
    }
