"""A training as SVG text: loss with restarts marked, rate, and place in the data. The page's CSS colours them.

Each drawing says in its label what a person would read off it. Nothing has more points than a drawing has columns.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from html import escape
from typing import Final

from packtrain.report.pieces import svg_open
from packtrain.report.training_curve import AttemptMark, Column, TrainingCurve
from packtrain.units import counted, format_seconds

_WIDTH: Final = 720
_LEFT: Final = 58
_RIGHT: Final = 12
_TOP: Final = 14
_BOTTOM: Final = 34
_MOST_MARKS: Final = 60
"""More lines than these would be a wall; the table below the drawings lists them."""
Point = tuple[float, float, float]
"""A place on the axis, the least and the greatest value there."""


def loss_drawing(curve: TrainingCurve, height: int = 260) -> str:
    """Return the loss by step, what restarts took back behind it, a dashed mark where an attempt begins."""
    kept = _values(curve.kept.in_order())
    if not kept:
        return ""
    undone = _values(curve.undone.in_order())
    astray = f"; {curve.num_not_finite:,} losses are no finite numbers" if curve.num_not_finite else ""
    if curve.not_finite_since is not None:
        astray += f", all from step {curve.not_finite_since:,} on"
    label = (
        f"Training loss from {curve.first_loss:.3f} at step {curve.first_step} to {curve.last_loss:.3f} at step "
        f"{kept[-1][0]:.0f}, least {min(low for _, low, _ in kept):.3f}{astray}{_words_of_restarts(curve)}"
    )
    frame = _Frame([*kept, *undone], height, label, "step", lambda value: f"{value:.2f}", lambda at: f"{at:,.0f}")
    parts = [frame.open(), *(frame.band(undone, "undone") if undone else [])]
    parts += frame.marks(curve.marks[1:], lambda mark: float(mark.step))
    return "".join([*parts, *frame.band(kept, "run0"), "</svg>"])


def rate_drawing(curve: TrainingCurve, height: int = 150) -> str:
    """Return samples a second by step, or steps where no samples are told; nothing where no times are known."""
    of = "samples" if curve.has_samples else "steps"
    columns = [column for column in curve.kept.in_order() if column.seconds > 0]
    points = [(float(c.at), rate, rate) for c in columns for rate in [c.amount(of) / c.seconds]]
    if not points:
        return ""
    seconds = sum(column.seconds for column in columns)
    mean = sum(column.amount(of) for column in columns) / seconds
    values = [value for _, value, _ in points]
    label = (
        f"{of} a second by step: {mean:.3g} on average, between {min(values):.3g} and {max(values):.3g}; starts of "
        "attempts are not counted"
    )
    frame = _Frame(
        [*points, (points[0][0], 0.0, 0.0)],
        height,
        label,
        "step",
        _amount,
        lambda at: f"{at:,.0f}",
    )
    marks = frame.marks(curve.marks[1:], lambda mark: float(mark.step), with_words=False)
    return "".join([frame.open(), *marks, *frame.band(points, "run1"), "</svg>"])


def position_drawing(curve: TrainingCurve, epoch_samples: int, height: int = 150) -> str:
    """Return samples consumed by time, falling back where a restart took steps back; a line for each whole epoch."""
    columns = curve.position.in_order()
    points = [(column.at / 1000, column.low, column.high) for column in columns if not math.isnan(column.low)]
    if len(points) < 2:
        return ""
    what = "samples" if curve.has_samples else "steps"
    end = columns[-1].last
    epochs = f", {end / epoch_samples:.2f} passes over {epoch_samples:,} samples" if epoch_samples else ""
    label = (
        f"{what} consumed by time: {end:,.0f} after {format_seconds(points[-1][0])}{epochs}{_words_of_restarts(curve)}"
    )
    frame = _Frame([*points, (points[0][0], 0.0, 0.0)], height, label, "time", _amount, format_seconds)
    parts = [frame.open()]
    if epoch_samples and curve.has_samples and 1 <= end / epoch_samples <= 20:
        parts += [frame.level(epoch_samples * n, f"epoch {n}") for n in range(1, int(end / epoch_samples) + 1)]
    parts += frame.marks(curve.marks[1:], lambda mark: mark.seconds, with_words=False)
    return "".join([*parts, *frame.band(points, "run2"), "</svg>"])


class _Frame:
    """Axes over the extent of some points, and what is drawn within them."""

    def __init__(
        self,
        points: Sequence[Point],
        height: int,
        label: str,
        unit: str,
        value_words: Callable[[float], str],
        place_words: Callable[[float], str],
    ) -> None:
        self._first, self._last = min(point[0] for point in points), max(point[0] for point in points)
        low, high = min(point[1] for point in points), max(point[2] for point in points)
        self._low, self._high = (low - 0.5, high + 0.5) if high == low else (low, high)
        self._height, self._label, self._unit = height, label, unit
        self._value_words, self._place_words = value_words, place_words

    def x(self, at: float) -> float:
        share = (at - self._first) / ((self._last - self._first) or 1.0)
        return _LEFT + min(1.0, max(0.0, share)) * (_WIDTH - _LEFT - _RIGHT)

    def y(self, value: float) -> float:
        return _TOP + (self._high - value) / (self._high - self._low) * (self._height - _TOP - _BOTTOM)

    def open(self) -> str:
        parts = [svg_open(_WIDTH, self._height, self._label), f"<title>{escape(self._label)}</title>"]
        lines = 5 if self._height > 200 else 3
        for i in range(lines):
            value = self._low + (self._high - self._low) * i / (lines - 1)
            y = self.y(value)
            parts.append(f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
            words = escape(self._value_words(value))
            parts.append(f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{words}</text>')
        for i in range(5):
            at = self._first + (self._last - self._first) * i / 4
            anchor = "end" if i == 4 else "middle"
            words = escape(self._place_words(at))
            parts.append(f'<text x="{self.x(at):.1f}" y="{self._height - 16}" text-anchor="{anchor}">{words}</text>')
        parts.append(
            f'<text class="small" x="{_WIDTH - _RIGHT}" y="{self._height - 3}" text-anchor="end">{self._unit}</text>'
        )
        return "".join(parts)

    def band(self, points: Sequence[Point], name: str) -> list[str]:
        """Return a line through the middle of points, and a pale band where they span more than a line."""
        parts: list[str] = []
        if any(self.y(low) - self.y(high) > 1.5 for _, low, high in points):
            upper = [f"{self.x(at):.1f},{self.y(high):.1f}" for at, _, high in points]
            lower = [f"{self.x(at):.1f},{self.y(low):.1f}" for at, low, _ in reversed(points)]
            parts.append(f'<polygon class="band {name}" points="{" ".join([*upper, *lower])}"/>')
        middle = " ".join(f"{self.x(at):.1f},{self.y((low + high) / 2):.1f}" for at, low, high in points)
        return [*parts, f'<polyline class="{name}" points="{middle}"/>']

    def level(self, value: float, words: str) -> str:
        y = self.y(value)
        line = f'<line class="restart" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        return f'{line}<text class="small" x="{_LEFT + 4}" y="{y - 3:.1f}">{escape(words)}</text>'

    def marks(
        self, marks: Sequence[AttemptMark], place: Callable[[AttemptMark], float], *, with_words: bool = True
    ) -> list[str]:
        """Return a dashed line where each attempt begins; its words where they do not lie over those before."""
        parts: list[str] = []
        free_from = 0.0
        for mark in marks[:_MOST_MARKS]:
            at = self.x(place(mark))
            words = f"attempt {mark.attempt}"
            told = escape(f"{words}: {mark.reason}" if mark.reason else words)
            line = f'x1="{at:.1f}" x2="{at:.1f}" y1="{_TOP}" y2="{self._height - _BOTTOM}"'
            parts.append(f'<line class="restart" {line}><title>{told}</title></line>')
            if with_words and at >= free_from and at < _WIDTH - 70:
                parts.append(f'<text class="small" x="{at + 4:.1f}" y="{_TOP + 10}">{words}</text>')
                free_from = at + 66
        return parts


def _values(columns: Sequence[Column]) -> list[Point]:
    return [(float(column.at), column.low, column.high) for column in columns if not math.isnan(column.low)]


def _words_of_restarts(curve: TrainingCurve) -> str:
    restarts = curve.num_attempts - 1
    return f"; {counted(restarts, 'restart')}" if restarts > 0 else ""


def _amount(value: float) -> str:
    """Return a number that has room beside an axis."""
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if abs(value) >= 10 * size:
            return f"{value / size:,.4g} {unit}"
    return f"{value:,.0f}" if abs(value) >= 100 or value == 0 else f"{value:.3g}"
