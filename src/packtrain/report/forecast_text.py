"""A forecast as text for a terminal."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from datetime import date
from typing import Final

from packtrain.forecast.answer import Forecast, Route
from packtrain.forecast.figures import figures
from packtrain.forecast.question import Question
from packtrain.report.forecast_words import (
    asked,
    by,
    chance,
    columns,
    cost_rows,
    cost_total,
    day_after,
    days_of,
    link_rate,
    odds,
    too_small,
)
from packtrain.units import counted, format_bytes

_BAR_COLUMNS: Final = 26
_NAME_COLUMNS: Final = 24
_CHART_COLUMNS: Final = 50
_SCALE_LOW, _SCALE_HIGH = 9.0, 18.0
"""The break-even bars reach from 1 GB to 1 EB, a column for each third of a factor of ten."""


def forecast_text(question: Question, found: Forecast, start: date) -> str:
    """Return the whole answer as a person reads it, with dates from `start` on."""
    lines = [*_heading(question, found, start), "", *_drives(question, found)]
    lines += _time_lines(found, start)
    lines += ["", "there by this day, in how many of 100 voyages", *_odds_chart(found, start)]
    lines += ["", "codes on the same drives, the first as asked", *_codes(question, found)]
    lines += [
        "",
        "carrying is faster from so many bytes on, at the same drives and delays",
        *_break_even(question, found),
    ]
    lines += _costs(question, found)
    lines += ["", "rests on"]
    lines += columns(
        [
            (figure.origin + (f" {figure.measured}" if figure.measured else ""), figure.text)
            for figure in figures(question)
        ]
    )
    return "\n".join(lines)


def brief_text(question: Question, found: Forecast, start: date) -> str:
    """Return the answer in short: both ways side by side, and the steps of the way that a folder prepares."""
    lines = [*_heading(question, found, start), *_time_lines(found, start)]
    measured = [figure.measured for figure in figures(question) if figure.origin == "measured"]
    told = f"rates were measured {measured[0]}" if measured else "no rate was measured: all are assumed or told"
    lines += ["", f"  {told}", '  "packtrain plan --into plan.html" draws it; --json says all of it']
    return "\n".join(lines)


def _heading(question: Question, found: Forecast, start: date) -> list[str]:
    rows = [
        ("", "carry", "send" if found.send else "send (no link given)"),
        ("each step likeliest", *_each(found, lambda route: days_of(route.days))),
        ("there in 10 of 100", *_each(found, lambda route: by(start, route.there.days_10))),
        ("there in 50 of 100", *_each(found, lambda route: by(start, route.there.days_50))),
        ("there in 90 of 100", *_each(found, lambda route: by(start, route.there.days_90))),
    ]
    if found.carry.has_after:
        done = "home" if question.results_bytes else "trained"
        rows += [
            (f"{done} in 10 of 100", *_each(found, lambda route: by(start, route.done.days_10))),
            (f"{done} in 50 of 100", *_each(found, lambda route: by(start, route.done.days_50))),
            (f"{done} in 90 of 100", *_each(found, lambda route: by(start, route.done.days_90))),
        ]
    rows.append(("waits longest for", *_each(found, lambda route: route.bottleneck)))
    if any(route.cost.lines for _, route in found.routes):
        rows.append(("costs", *_each(found, lambda route: cost_total(route.cost, question.prices.currency))))
    lines = [f"{format_bytes(question.total_bytes)}: send or carry?", f"on {asked(question)}", "", *columns(rows)]
    if found.carry_first is not None:
        lines.append(f"  carried, it is there first in {found.carry_first * 100:.0f} of 100 voyages")
    if found.fits is False:
        lines.append(f"  {too_small(found)}")
    return lines


def _drives(question: Question, found: Forecast) -> list[str]:
    codes = Counter((group.k, group.m) for group in found.placement.groups)
    named = ", ".join(f"{count} of {k}+{m}" for (k, m), count in sorted(codes.items(), reverse=True))
    most = found.choices[0].most_bytes
    fits = f": TOO SMALL, the drives hold {format_bytes(most or 0)} of data" if found.fits is False else ""
    return columns(
        [
            ("groups", named),
            ("on the drives", f"{format_bytes(found.raw_bytes)}, {format_bytes(found.bytes_a_drive)} each{fits}"),
            ("waves", f"{found.waves} to pack, {found.load_waves} to load"),
            *_broken("survives", found.survives),
            ("odds of loss", chance(found.loss)),
            ("and once a case is lost", chance(found.loss_after_case)),
        ]
    )


def _broken(name: str, text: str) -> list[tuple[str, str]]:
    """Return a list of clauses as rows, one clause each."""
    clauses = text.replace("; ", ";\n").split("\n")
    return [(name if number == 0 else "", clause) for number, clause in enumerate(clauses)]


def _time_lines(found: Forecast, start: date) -> list[str]:
    lines = ["", "carrying, step by step", *_bars(found.carry, start)]
    if found.send is not None:
        lines += ["", "sending, step by step", *_bars(found.send, start)]
    if len(found.home_ways) > 1:
        ways = ", ".join(f"{days_of(days)} by {way}" for way, days in found.home_ways)
        lines += ["", f"  the results come home in {ways}"]
    return lines


def _bars(route: Route, start: date) -> list[str]:
    whole = max(route.done_days, 1e-9)
    lines: list[str] = []
    width = min(_NAME_COLUMNS, max(len(step.name) for step in route.steps))
    for step, begun in zip(route.steps, route.starts(), strict=True):
        before = min(_BAR_COLUMNS - 1, round(begun / whole * _BAR_COLUMNS))
        length = max(1, round(step.days.likely / whole * _BAR_COLUMNS))
        bar = f"{' ' * before}{'#' * length}"[:_BAR_COLUMNS].ljust(_BAR_COLUMNS)
        name = step.name if len(step.name) <= width else step.name[: width - 2] + ".."
        day = day_after(start, begun)
        begin = "      " if day is None else f"{day:%d %b}"
        lines.append(f"  {name:{width}}  {bar} {begin}  {days_of(step.days.likely)} ({step.limit})")
    return lines


def _odds_chart(found: Forecast, start: date) -> list[str]:
    """Return both cumulative curves over one axis of days: c carried, s sent, * both."""
    first = min(route.there.curve[0] for _, route in found.routes)
    last = max(route.there.curve[-1] for _, route in found.routes)
    step = max(last - first, 1e-9) / (_CHART_COLUMNS - 1)
    lines: list[str] = []
    for percent in (100, 80, 60, 40, 20, 0):
        cells = [" "] * _CHART_COLUMNS
        for name, route in found.routes:
            mark = name[0]
            for column in range(_CHART_COLUMNS):
                done = 2 * (sum(days <= first + column * step + 1e-9 for days in route.there.curve) - 1)
                if round(max(done, 0) / 20) * 20 == percent:
                    cells[column] = mark if cells[column] in (" ", mark) else "*"
        lines.append(f"  {percent:4}  {''.join(cells).rstrip()}")
    ends = [day_after(start, days) for days in (first, last)]
    left, right = (
        days_of(days) if day is None else f"{day:%d %b %Y}" for day, days in zip(ends, (first, last), strict=True)
    )
    lines.append(f"        {left}{right.rjust(_CHART_COLUMNS - len(left))}")
    lines.append("        c: carried" + (", s: sent, *: both" if found.send is not None else ""))
    return lines


def _codes(question: Question, found: Forecast) -> list[str]:
    rows = [("survives", "on the drives", "parity", "a drive", "odds of loss")]
    for choice in found.choices:
        too_small = choice.most_bytes is not None and choice.most_bytes < question.total_bytes
        rows.append(
            (
                f"{counted(choice.survive.cases, 'case')} + {counted(choice.survive.drives, 'drive')}",
                format_bytes(choice.raw_bytes),
                f"{choice.overhead:.0%}",
                format_bytes(choice.bytes_a_drive) + (" TOO SMALL" if too_small else ""),
                odds(choice.loss.probability) + ("" if choice.loss.method == "exact" else " (drawn)"),
            )
        )
    return columns(rows)


def _break_even(question: Question, found: Forecast) -> list[str]:
    """Return for each link a bar on a logarithmic axis: as far as it reaches, sending is faster."""
    here = _column(question.total_bytes)
    rows: list[tuple[str, ...]] = []
    for each in found.break_even:
        reach = _CHART_COLUMNS if each.likely is None else _column(each.likely)
        cells = list(("s" * reach).ljust(_CHART_COLUMNS, "c"))
        cells[min(here, _CHART_COLUMNS - 1)] = "|"
        told = "never" if each.likely is None else format_bytes(each.likely)
        rows.append((link_rate(each.link_rate), told, "".join(cells)))
    lines = columns(rows)
    lines.append(f"  s: send, c: carry, from 1 GB to 1 EB of cargo; |: your {format_bytes(question.total_bytes)}")
    return lines


def _column(total_bytes: int) -> int:
    part = (math.log10(max(1, total_bytes)) - _SCALE_LOW) / (_SCALE_HIGH - _SCALE_LOW)
    return max(0, min(_CHART_COLUMNS, round(part * _CHART_COLUMNS)))


def _costs(question: Question, found: Forecast) -> list[str]:
    lines: list[str] = []
    for name, route in found.routes:
        if route.cost.lines:
            lines += ["", f"what {name}ing costs", *columns(cost_rows(route.cost, question.prices.currency))]
    return lines


def _each(found: Forecast, value: Callable[[Route], str]) -> tuple[str, ...]:
    return tuple("" if route is None else value(route) for route in (found.carry, found.send))
