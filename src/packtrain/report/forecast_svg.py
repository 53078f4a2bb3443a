"""Drawings of a forecast as SVG text: the time line, the odds of the day, and where carrying begins to be faster."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from datetime import date
from typing import Final

from packtrain.forecast.answer import Forecast, Route
from packtrain.forecast.break_even import BreakEven
from packtrain.forecast.question import Question
from packtrain.report.forecast_words import day_after, days_of, link_rate
from packtrain.report.pieces import svg_open, words
from packtrain.units import format_bytes

WIDTH: Final = 760
FORECAST_STYLE: Final = """
.b0{fill:var(--blue)}.b1{fill:var(--green)}.b2{fill:var(--dim)}.soft{opacity:.3}.axis{stroke:var(--dim);fill:none}
.line0{stroke:var(--blue);fill:none;stroke-width:2.5}.line1{stroke:var(--green);fill:none;stroke-width:2.5}
.mark{fill:var(--red);stroke:var(--paper);stroke-width:2}.markline{stroke:var(--red);stroke-dasharray:5 4}
svg .side{font-weight:600;font-size:15px}.wide table{min-width:40rem}
"""
_LEFT: Final = 190
_RIGHT: Final = 104
_ROW: Final = 26
_LONGEST_NAME: Final = 26
_PLOT_LEFT, _PLOT_TOP, _PLOT_HEIGHT, _PLOT_BOTTOM = 70, 36, 300, 58
_MARK_WORDS: Final = 190
_RATE_FIRST, _RATE_LAST, _BYTES_FIRST, _BYTES_LAST = 7.0, 11.0, 9.0, 18.0
"""Powers of ten: 10 Mbit/s to 100 Gbit/s, 1 GB to 1 EB."""


def time_line(found: Forecast, start: date) -> str:
    """Return the steps of both ways as bars over one axis of days; a paler end reaches to the longest."""
    longest = max(_end(route) for _, route in found.routes) or 1.0
    rows = sum(len(route.steps) for _, route in found.routes)
    top = 30
    height = top + rows * _ROW + len(found.routes) * 30 + 4
    scale = (WIDTH - _LEFT - _RIGHT) / longest
    parts = [svg_open(WIDTH, height, _time_line_words(found.routes))]
    for day in _ticks(longest):
        x = _LEFT + day * scale
        parts.append(f'<line class="grid" x1="{x:.1f}" y1="{top - 6}" x2="{x:.1f}" y2="{height - 4}"/>')
        parts.append(f'<text class="small" x="{x:.1f}" y="14" text-anchor="middle">{_tick_word(start, day)}</text>')
    y = top
    for number, (name, route) in enumerate(found.routes):
        parts.append(f'<text class="strong" x="0" y="{y + 18}">{name}</text>')
        y += 26
        for step, begun in zip(route.steps, route.starts(), strict=True):
            x, length = _LEFT + begun * scale, max(2.0, step.days.likely * scale)
            late = min(WIDTH - _RIGHT - x, max(length, step.days.high * scale))
            colour = f"b{number}" if step.part == "way" else "b2"
            parts.append(f'<text x="{_LEFT - 8}" y="{y + 16}" text-anchor="end">{words(_short(step.name))}</text>')
            parts.append(f'<rect class="{colour} soft" x="{x:.1f}" y="{y + 4}" width="{late:.1f}" height="16" rx="3"/>')
            parts.append(f'<rect class="{colour}" x="{x:.1f}" y="{y + 4}" width="{length:.1f}" height="16" rx="3"/>')
            told = f"{days_of(step.days.likely)}, {step.limit}"
            at, anchor = (x + late + 6, "start") if x + late < WIDTH - 170 else (x - 6, "end")
            if anchor == "end" and x - 6 - 7 * len(told) < _LEFT:
                at, anchor = float(WIDTH), "end"
            parts.append(f'<text class="small" x="{at:.1f}" y="{y + 16}" text-anchor="{anchor}">{words(told)}</text>')
            y += _ROW
        y += 4
    return "".join([*parts, "</svg>"])


def odds_curve(found: Forecast, start: date, *, is_done: bool = False) -> str:
    """Return in how many of 100 voyages it is done by which day, for both ways.

    Args:
        found: the forecast.
        start: the first day.
        is_done: until the last step, instead of until the cargo is there.
    """
    curves = [(name, route.done.curve if is_done else route.there.curve) for name, route in found.routes]
    first, last = min(curve[0] for _, curve in curves), max(curve[-1] for _, curve in curves)
    margin = max((last - first) * 0.06, 0.5)
    first, last = max(0.0, first - margin), last + margin
    height = _PLOT_TOP + 220 + _PLOT_BOTTOM
    across = (WIDTH - _PLOT_LEFT - 20) / (last - first)
    label = "; ".join(
        f"{name}: half of the voyages by {_tick_word(start, curve[25])}, nine of ten by {_tick_word(start, curve[45])}"
        for name, curve in curves
    )
    parts = [svg_open(WIDTH, height, f"Odds of the day. {label}")]
    base = _PLOT_TOP + 220
    for percent in (0, 10, 50, 90, 100):
        y = base - percent * 2.2
        parts.append(f'<line class="grid" x1="{_PLOT_LEFT}" y1="{y:.1f}" x2="{WIDTH - 20}" y2="{y:.1f}"/>')
        parts.append(f'<text class="small" x="{_PLOT_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{percent}</text>')
    parts.append('<text class="small" x="0" y="14">of 100 voyages</text>')
    for day in _ticks(last, first):
        x = _PLOT_LEFT + (day - first) * across
        parts.append(f'<line class="grid" x1="{x:.1f}" y1="{_PLOT_TOP}" x2="{x:.1f}" y2="{base}"/>')
        word = _tick_word(start, day)
        parts.append(f'<text class="small" x="{x:.1f}" y="{base + 18}" text-anchor="middle">{word}</text>')
    for number, (name, curve) in enumerate(curves):
        points = " ".join(
            f"{_PLOT_LEFT + (days - first) * across:.1f},{base - 4.4 * place:.1f}" for place, days in enumerate(curve)
        )
        parts.append(f'<polyline class="line{number}" points="{points}"/>')
        x = 90 + number * 130
        parts.append(f'<rect class="b{number}" x="{x}" y="{base + 34}" width="22" height="10" rx="2"/>')
        parts.append(f'<text x="{x + 30}" y="{base + 44}">{name}</text>')
    return "".join([*parts, "</svg>"])


def break_even_chart(question: Question, curve: Sequence[BreakEven]) -> str:
    """Return bytes against the link's rate, both logarithmic: above the line carrying is faster, below it sending."""
    height = _PLOT_TOP + _PLOT_HEIGHT + _PLOT_BOTTOM
    base = _PLOT_TOP + _PLOT_HEIGHT
    parts = [svg_open(WIDTH, height, _break_even_words(question, curve))]
    parts.append('<text class="small" x="0" y="14">bytes of cargo</text>')
    for power in range(int(_BYTES_FIRST), int(_BYTES_LAST) + 1):
        y = _y(10.0**power)
        parts.append(f'<line class="grid" x1="{_PLOT_LEFT}" y1="{y:.1f}" x2="{WIDTH - 20}" y2="{y:.1f}"/>')
        word = format_bytes(10**power)
        parts.append(f'<text class="small" x="{_PLOT_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{word}</text>')
    for power in range(int(_RATE_FIRST), int(_RATE_LAST) + 1):
        x = _x(10.0**power)
        parts.append(f'<line class="grid" x1="{x:.1f}" y1="{_PLOT_TOP}" x2="{x:.1f}" y2="{base}"/>')
        anchor = "end" if power == int(_RATE_LAST) else "middle"
        word = link_rate(10.0**power)
        parts.append(f'<text class="small" x="{x:.1f}" y="{base + 18}" text-anchor="{anchor}">{word}</text>')
    parts += _band(curve)
    drawn = [(each.link_rate, each.likely) for each in curve if each.likely is not None]
    if drawn:
        points = " ".join(f"{_x(rate):.1f},{_y(bytes_):.1f}" for rate, bytes_ in drawn)
        parts.append(f'<polyline class="line0" points="{points}"/>')
    parts.append(f'<text class="side" x="{_PLOT_LEFT + 16}" y="{_PLOT_TOP + 28}">carry</text>')
    parts.append(f'<text class="side" x="{WIDTH - 36}" y="{base - 14}" text-anchor="end">send</text>')
    parts += _here(question)
    parts.append(
        f'<text class="small" x="{_PLOT_LEFT}" y="{base + 44}">rate of the link, {question.link_free:.0%} of it free;'
        " the band: from the shortest delays of carrying to the longest</text>"
    )
    return "".join([*parts, "</svg>"])


def _here(question: Question) -> Iterator[str]:
    y = _y(question.total_bytes)
    told = f"yours: {format_bytes(question.total_bytes)}"
    if question.link_rate is None:
        yield f'<line class="markline" x1="{_PLOT_LEFT}" y1="{y:.1f}" x2="{WIDTH - 20}" y2="{y:.1f}"/>'
        yield f'<text x="{WIDTH - 28}" y="{y - 6:.1f}" text-anchor="end">{told}, no link given</text>'
        return
    x = _x(question.link_rate)
    told += f" at {link_rate(question.link_rate)}"
    anchor, at = ("end", x - 12) if x - _PLOT_LEFT > _MARK_WORDS else ("start", x + 12)
    yield f'<circle class="mark" cx="{x:.1f}" cy="{y:.1f}" r="6"/>'
    yield f'<text x="{at:.1f}" y="{y - 8:.1f}" text-anchor="{anchor}">{told}</text>'


def _band(curve: Sequence[BreakEven]) -> Iterator[str]:
    lower = [(each.link_rate, each.low) for each in curve if each.low is not None]
    if len(lower) < 2:
        return
    top = 10.0**_BYTES_LAST
    upper = [(each.link_rate, each.high if each.high is not None else top) for each in curve if each.low is not None]
    points = " ".join(f"{_x(rate):.1f},{_y(bytes_):.1f}" for rate, bytes_ in (*lower, *reversed(upper)))
    yield f'<polygon class="band run0" points="{points}"/>'


def _x(rate: float) -> float:
    part = (math.log10(rate) - _RATE_FIRST) / (_RATE_LAST - _RATE_FIRST)
    return _PLOT_LEFT + min(1.0, max(0.0, part)) * (WIDTH - 20 - _PLOT_LEFT)


def _y(total_bytes: float) -> float:
    part = (math.log10(max(1.0, total_bytes)) - _BYTES_FIRST) / (_BYTES_LAST - _BYTES_FIRST)
    return _PLOT_TOP + (1 - min(1.0, max(0.0, part))) * _PLOT_HEIGHT


def _end(route: Route) -> float:
    ends = [begun + step.days.high for step, begun in zip(route.steps, route.starts(), strict=True)]
    return max(ends)


def _ticks(last: float, first: float = 0.0) -> list[float]:
    """Return five to ten places on an axis of days, at numbers that people count in."""
    steps = (0.25, 0.5, 1, 2, 7, 14, 28, 56, 112)
    step = next((each for each in steps if (last - first) / each <= 8), None)
    if step is None:
        step = 10 ** math.floor(math.log10((last - first) / 4))
        step *= max(1, round((last - first) / step / 6))
    count = math.floor(last / step)
    return [number * step for number in range(math.ceil(first / step), count + 1)][:40]


def _tick_word(start: date, days: float) -> str:
    day = day_after(start, days)
    return days_of(days) if day is None or days > 36_500 else f"{day:%d %b %y}" if days > 300 else f"{day:%d %b}"


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else name[: _LONGEST_NAME - 1] + "…"


def _time_line_words(routes: Sequence[tuple[str, Route]]) -> str:
    told = [
        f"{name}: " + ", ".join(f"{step.name} {days_of(step.days.likely)} ({step.limit})" for step in route.steps)
        for name, route in routes
    ]
    return "Time line. " + "; ".join(told)


def _break_even_words(question: Question, curve: Sequence[BreakEven]) -> str:
    told: list[str] = []
    for rate in (1e8, 1e9, 1e10):
        nearest = min(curve, key=lambda each: abs(each.link_rate - rate)).likely
        told.append(f"at {link_rate(rate)} " + ("never" if nearest is None else f"from {format_bytes(nearest)} on"))
    return f"Carrying is faster {', '.join(told)}. Asked: {format_bytes(question.total_bytes)}."
