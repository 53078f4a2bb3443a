"""A training drawn with characters: loss in braille or ASCII, the rate as bars, restarts, the place in the data."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from packtrain.report.training_curve import TrainingCurve, by_column
from packtrain.units import counted, format_seconds

_NARROWEST: Final = 30
_HEIGHT: Final = 6
_WIDEST: Final = 160
# Which bit of a braille character is which dot: rows from the top, left and right (Unicode, block 2800).
_DOTS: Final = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
_BARS: Final = " ▁▂▃▄▅▆▇█"
_ASCII_BARS: Final = " .:-=+*#%"


def chart_lines(
    curve: TrainingCurve,
    width: int,
    *,
    total_steps: int = 0,
    epoch_samples: int = 0,
    with_unicode: bool = True,
    height: int = _HEIGHT,
) -> list[str]:
    """Return a training as lines, none longer than `width`; none of a training without a line.

    Args:
        curve: what was read so far.
        width: of the terminal, in characters.
        total_steps: how many there are to be; 0 where nobody says.
        epoch_samples: how many samples one pass over the data has; 0 where nobody knows.
        with_unicode: braille and block characters may be shown.
        height: of the chart of the loss, in lines.
    """
    if not curve.num_lines or width < _NARROWEST:
        return []
    lines = [_head(curve, total_steps)[:width]]
    margin = 10
    inner = min(width, _WIDEST) - margin - 1
    columns = curve.kept.in_order()
    first, last = columns[0].at, max(columns[-1].at, total_steps if total_steps > 0 else 0)
    if any(not math.isnan(column.low) for column in columns):
        cells = by_column(columns, first, last, inner * 2)
        known = [cell for cell in cells if cell is not None]
        low, high = min(cell[0] for cell in known), max(cell[1] for cell in known)
        drawn = _canvas(cells, low, high, inner, height) if with_unicode else _letters(cells, low, high, inner, height)
        bar = "│" if with_unicode else "|"
        names = {0: _short(high), height - 1: _short(low)}
        lines += [f"{names.get(row, ''):>{margin - 1}}{bar}{text}".rstrip() for row, text in enumerate(drawn)]
        lines.append(_axis(curve, first, last, margin, inner, with_unicode=with_unicode))
    of = "samples" if curve.has_samples else "steps"
    rates = by_column(columns, first, last, inner, of)
    if any(rates):
        signs = _BARS if with_unicode else _ASCII_BARS
        most = max(rate[0] for rate in rates if rate is not None) or 1.0
        bars = "".join(" " if rate is None else signs[max(1, round(rate[0] / most * 8))] for rate in rates)
        lines.append(f"{f'{of}/s':>{margin - 1}} {bars}".rstrip())
    lines += [line[:width] for line in _position(curve, epoch_samples)]
    return lines


def _head(curve: TrainingCurve, total_steps: int) -> str:
    steps, samples = curve.rate()
    parts = [f"step {curve.last_step:,}" + (f" of {total_steps:,}" if total_steps else "")]
    if curve.not_finite_since is not None:
        parts.append(f"loss NO FINITE NUMBER since step {curve.not_finite_since:,}")
    elif not math.isnan(curve.last_loss):
        parts.append(f"loss {curve.last_loss:.4f}")
    if curve.num_attempts > 1:
        parts.append(f"attempt {curve.marks[-1].attempt if curve.marks else curve.num_attempts}")
    if steps > 0:
        parts.append(f"{_short(steps)} steps/s" + (f", {_short(samples)} samples/s" if samples > 0 else ""))
        if total_steps > curve.last_step:
            parts.append(f"about {format_seconds((total_steps - curve.last_step) / steps)} left")
    return "  ".join(parts)


def _position(curve: TrainingCurve, epoch_samples: int) -> list[str]:
    parts = [f"     data {curve.num_samples:,} samples" if curve.has_samples else "     data samples not told"]
    if epoch_samples and curve.has_samples:
        parts.append(f"epoch {curve.num_samples / epoch_samples:.2f} of {epoch_samples:,} samples")
    told = ["  ".join(parts)]
    if restarts := curve.num_attempts - 1:
        undone = f", {curve.num_undone:,} steps made again" if curve.num_undone else ""
        why = f"  last: {curve.marks[-1].reason}" if curve.marks and curve.marks[-1].reason else ""
        # A line of its own: a reason that is cut off tells nothing.
        told.append(f"     {counted(restarts, 'restart')}{undone}{why}")
    return told


def _axis(curve: TrainingCurve, first: int, last: int, margin: int, inner: int, *, with_unicode: bool) -> str:
    corner, line, mark = ("└", "─", "▲") if with_unicode else ("+", "-", "^")
    signs = [line] * inner
    for attempt in curve.marks[1:]:
        signs[min(inner - 1, max(0, int((attempt.step - first) / max(last - first, 1) * inner)))] = mark
    left, right = f"{first:,}", f"{last:,}"
    # The numbers stand on the line itself: a row less, and no mark is hidden by more than its neighbours.
    signs[: len(left) + 1] = [*left, " "] if mark not in signs[: len(left) + 1] else signs[: len(left) + 1]
    if mark not in signs[-len(right) - 1 :]:
        signs[-len(right) - 1 :] = [" ", *right]
    return " " * (margin - 1) + corner + "".join(signs)


def _canvas(cells: Sequence[tuple[float, float] | None], low: float, high: float, width: int, height: int) -> list[str]:
    dots = [[0] * width for _ in range(height)]
    before: tuple[int, int] | None = None
    for number, cell in enumerate(cells):
        if cell is None:
            continue
        top, bottom = _row(cell[1], low, high, height * 4), _row(cell[0], low, high, height * 4)
        upper, lower = top, bottom
        if before is not None:
            # Joined to its neighbour: a steep fall is a line and not two dots.
            upper, lower = min(top, before[1] + 1), max(bottom, before[0] - 1)
        for row in range(max(upper, 0), min(lower, height * 4 - 1) + 1):
            dots[row // 4][number // 2] |= _DOTS[row % 4][number % 2]
        before = (top, bottom)
    return ["".join(chr(0x2800 + dot) if dot else " " for dot in line) for line in dots]


def _letters(
    cells: Sequence[tuple[float, float] | None], low: float, high: float, width: int, height: int
) -> list[str]:
    lines = [[" "] * width for _ in range(height)]
    for number, cell in enumerate(cells):
        if cell is not None:
            for row in range(_row(cell[1], low, high, height), _row(cell[0], low, high, height) + 1):
                lines[row][number // 2] = "*"
    return ["".join(line) for line in lines]


def _row(value: float, low: float, high: float, height: int) -> int:
    if high <= low:
        return height // 2
    return min(height - 1, max(0, round((high - value) / (high - low) * (height - 1))))


def _short(value: float) -> str:
    if value == 0:
        return "0"
    if abs(value) >= 100_000 or abs(value) < 0.001:
        return f"{value:.2g}"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
