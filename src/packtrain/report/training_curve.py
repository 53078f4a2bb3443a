"""A training as it went, in bounded memory: loss, rates and data position by step and time, and where attempts began.

Of a million steps some thousand columns are kept, each with the least, the greatest and the last value in it: no spike
is lost, however long a run is. Steps that a restart took back are kept apart.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal, cast

import msgspec

from packtrain import durable
from packtrain.ports import ATTEMPTS_NAME
from packtrain.training.goodput.tally import StepTally

CAPACITY: Final = 1024
"""Columns of one series; where more are filled, neighbours are put together."""
MOST_ATTEMPTS: Final = 500
_MOST_LINE_BYTES: Final = 64 * 1024
_MOST_REASON: Final = 200
_LEAST_SECONDS: Final = 1e-6  # that tell a rate: the program can write the log, and times that are next to nothing
_MOST: Final = 2**53
_step_line: Final = msgspec.json.Decoder(tuple[int, int, float | None, int | None, float])


@dataclass(slots=True)
class Column:
    """What fell into one stretch of an axis.

    Attributes:
        low, high, last: of the values; NaN where there is none.
        at: the last place on the axis.
        seconds, steps, samples: of the lines whose time since the line before is known.
        total_samples: consumed up to and with `at`.
    """

    low: float = math.nan
    high: float = math.nan
    last: float = math.nan
    at: int = 0
    seconds: float = 0.0
    steps: int = 0
    samples: int = 0
    total_samples: int = 0

    def put(self, value: float) -> None:
        """Take a value in; one that is no finite number leaves it as it is."""
        if math.isfinite(value):
            self.low = value if math.isnan(self.low) else min(self.low, value)
            self.high = value if math.isnan(self.high) else max(self.high, value)
            self.last = value

    def amount(self, of: Literal["steps", "samples"]) -> int:
        """Return how many steps or samples fell into it in the time that is known."""
        return self.steps if of == "steps" else self.samples

    def join(self, later: Column) -> None:
        """Take in a column that lies behind this one."""
        for value in (later.low, later.high, later.last):
            self.put(value)
        self.at, self.total_samples = later.at, later.total_samples
        self.seconds, self.steps = self.seconds + later.seconds, self.steps + later.steps
        self.samples += later.samples


class Columns:
    """Columns of equal width on an axis of whole numbers from 0 on; as many as `capacity`, wide as that asks."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self.width = 1
        self._capacity = capacity
        self._columns: dict[int, Column] = {}

    def at(self, place: int) -> Column:
        """Return the column of a place, made where there is none."""
        column = self._columns.get(place // self.width)
        if column is None:
            while len(self._columns) >= self._capacity:
                self._widen()
            column = self._columns.setdefault(place // self.width, Column())
        column.at = place
        return column

    def take_from(self, place: int) -> list[Column]:
        """Remove and return the columns that begin at a place or behind it, in order."""
        keys = sorted(key for key in self._columns if key * self.width >= place)
        return [self._columns.pop(key) for key in keys]

    def in_order(self) -> list[Column]:
        """Return the columns along the axis."""
        return [self._columns[key] for key in sorted(self._columns)]

    def _widen(self) -> None:
        self.width *= 2
        joined: dict[int, Column] = {}
        for key in sorted(self._columns):
            if (before := joined.get(key // 2)) is None:
                joined[key // 2] = self._columns[key]
            else:
                before.join(self._columns[key])
        self._columns = joined


@dataclass(slots=True)
class AttemptMark:
    """Where an attempt began.

    Attributes:
        step: the first that it made.
        seconds: since the first line of all, as far as runs were watched.
        num_undone: steps of earlier attempts that it made once more.
        reason: why the attempt before it ended; "" where nobody says.
    """

    attempt: int
    step: int
    seconds: float
    num_undone: int
    reason: str = ""


@dataclass(slots=True)
class TrainingCurve:
    """A training, line by line.

    Attributes:
        kept: loss by step, of the steps that count.
        undone: loss by step, of those that a restart took back.
        position: samples consumed (steps where the program tells no samples), by thousandths of a second.
        marks: attempts, the first ones; `num_attempts` counts all.
        first_step: of the first loss that is a number; `first_loss` is its.
        num_not_finite: losses that were told and are no finite numbers.
        not_finite_since: the step from which on every loss that was told is none; None where the last one is a number.
        has_times, has_samples: whether lines tell them.
        tally: which steps count, and their time.
    """

    kept: Columns = field(default_factory=Columns)
    undone: Columns = field(default_factory=Columns)
    position: Columns = field(default_factory=Columns)
    marks: list[AttemptMark] = field(default_factory=list[AttemptMark])
    num_attempts: int = 0
    num_lines: int = 0
    num_undone: int = 0
    first_loss: float = math.nan
    last_loss: float = math.nan
    first_step: int = 0
    num_not_finite: int = 0
    not_finite_since: int | None = None
    last_step: int = 0
    num_samples: int = 0
    seconds: float = 0.0
    has_times: bool = False
    has_samples: bool = False
    tally: StepTally = field(default_factory=StepTally)
    _reasons: dict[int, str] = field(default_factory=dict[int, str])
    _attempt: int | None = None
    _elapsed: float = 0.0
    _offset: float = 0.0

    def add(self, attempt: int, step: int, loss: float | None, samples: int | None, elapsed: float | None) -> None:
        """Take in one step line; `elapsed` is in seconds from the start of the run of packtrain that read it."""
        self.tally.add(attempt, step, elapsed)
        since = self._time(attempt, elapsed)
        steps = step - self.last_step if self.num_lines else 0
        if attempt != self._attempt:
            self._begin(attempt, step)
            since, steps = 0.0, 0
        self.num_lines += 1
        self.has_samples = self.has_samples or samples is not None
        self.num_samples += samples or 0
        self.last_step = step
        column = self.kept.at(step)
        column.total_samples = self.num_samples
        if loss is not None and math.isfinite(loss):
            column.put(loss)
            if math.isnan(self.first_loss):
                self.first_loss, self.first_step = loss, step
            self.last_loss, self.not_finite_since = loss, None
        elif loss is not None:
            self.num_not_finite += 1
            self.not_finite_since = step if self.not_finite_since is None else self.not_finite_since
        if since > 0 and steps > 0:
            column.seconds += since
            column.steps += steps
            column.samples += samples or 0
        if self.has_times:
            self.position.at(int(self.seconds * 1000)).put(self.num_samples if self.has_samples else step)

    def rate(self) -> tuple[float, float]:
        """Return steps and samples a second over the last columns that tell times; zeros where none does."""
        columns = [column for column in self.kept.in_order()[-16:] if column.seconds > 0]
        seconds = sum(column.seconds for column in columns)
        if seconds < _LEAST_SECONDS:
            return 0.0, 0.0
        return sum(column.steps for column in columns) / seconds, sum(column.samples for column in columns) / seconds

    def explain(self, reasons: dict[int, str]) -> None:
        """Take in why attempts ended, by number: it is written to the mark of the one after, also to one that comes."""
        self._reasons |= {attempt: _one_line(reason[:_MOST_REASON]) for attempt, reason in reasons.items()}
        for mark in self.marks:
            mark.reason = self._reasons.get(mark.attempt - 1, "")

    def _time(self, attempt: int, elapsed: float | None) -> float:
        """Move the clock; return the seconds since the line before."""
        if elapsed is None or not math.isfinite(elapsed) or elapsed < 0:
            return 0.0
        if attempt != self._attempt and elapsed < self._elapsed:
            # Another run of packtrain, which counts from its own start.
            self._offset = self.seconds
        self.has_times = True
        before, self._elapsed = self.seconds, elapsed
        self.seconds = max(before, self._offset + elapsed)
        return self.seconds - before

    def _begin(self, attempt: int, step: int) -> None:
        num_undone = 0
        if self._attempt is not None and step <= self.last_step:
            num_undone = self.last_step - step + 1
            for column in self.kept.take_from(step):
                self.undone.at(column.at).join(column)
            self.num_samples = self._samples_before(step)
        self._attempt = attempt
        self.num_attempts += 1
        self.num_undone += num_undone
        if len(self.marks) < MOST_ATTEMPTS:
            reason = self._reasons.get(attempt - 1, "")
            self.marks.append(AttemptMark(attempt, step, self.seconds, num_undone, reason))

    def _samples_before(self, step: int) -> int:
        """Return the samples that the steps before `step` consumed: exact while no two steps share a column."""
        columns = self.kept.in_order()
        if not columns:
            return 0
        last = columns[-1]
        if last.at < step:
            return last.total_samples
        before = columns[-2] if len(columns) > 1 else Column()
        share = (step - 1 - before.at) / max(last.at - before.at, 1)
        return before.total_samples + round((last.total_samples - before.total_samples) * share)


class GrowingSteps:
    """A steps.jsonl that may still grow: each reading goes on where the last one ended.

    Args:
        path: the file; the log of attempts lies beside it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file_number = 0
        self._offset = 0
        self._curve = TrainingCurve()

    def read(self) -> TrainingCurve | None:
        """Return the training so far, None where there is none. The next call changes what this one returned.

        Lines that are none are passed over, and one that is not ended yet is left for the next time. A file that is
        another one, or became shorter, is read from its beginning.
        """
        try:
            stream = durable.plain_file(self._path)
        except OSError:
            self._offset, self._curve = 0, TrainingCurve()
            return None
        with stream:
            stat = os.fstat(stream.fileno())
            if (stat.st_ino, True) != (self._file_number, stat.st_size >= self._offset):
                self._file_number, self._offset, self._curve = stat.st_ino, 0, TrainingCurve()
            stream.seek(self._offset)
            while line := stream.readline(_MOST_LINE_BYTES):
                if not line.endswith(b"\n") and len(line) < _MOST_LINE_BYTES:
                    break
                self._offset += len(line)
                self._take(line)
        if not self._curve.num_lines:
            return None
        reasons = {
            int(attempt): str(row.get("reason", ""))
            for row in _objects(self._path.with_name(ATTEMPTS_NAME))
            if (attempt := _number(row.get("attempt"))) is not None
        }
        self._curve.explain(reasons)
        return self._curve

    def _take(self, line: bytes) -> None:
        try:
            # Nearly all lines are of this form; the others take the longer way.
            attempt, step, loss, samples, elapsed = _step_line.decode(line)
        except msgspec.MsgspecError:
            if (found := _unusual(line)) is None:
                return
            attempt, step, loss, samples, elapsed = found
        if 0 <= step < _MOST and 0 <= (samples or 0) < _MOST:
            self._curve.add(attempt, step, loss, samples, elapsed)


def read_steps(path: Path) -> TrainingCurve | None:
    """Return the training that a steps.jsonl tells; None where there is none. Lines that are none are passed over."""
    return GrowingSteps(path).read()


def read_metrics(path: Path) -> TrainingCurve | None:
    """Return the training that a metrics.jsonl tells: steps that count, without times; None where there is none."""
    curve = TrainingCurve()
    for row in _objects(path):
        step, samples = _number(row.get("step")), _number(row.get("samples"))
        if step is not None and step >= 0:
            curve.add(1, int(step), _number(row.get("loss")), None if samples is None else int(samples), None)
    return curve if curve.num_lines else None


def by_column(
    columns: list[Column], first: float, last: float, width: int, of: Literal["loss", "steps", "samples"] = "loss"
) -> list[tuple[float, float] | None]:
    """Return the least and the greatest value in each of `width` stretches between two places; None of an empty one.

    Args:
        columns: in order.
        first, last: the ends of the axis.
        width: how many stretches.
        of: "loss" the values; "steps" or "samples" the rates a second.
    """
    found: list[tuple[float, float] | None] = [None] * width
    sums: list[tuple[float, float]] = [(0.0, 0.0)] * width
    for column in columns:
        cell = min(width - 1, max(0, int((column.at - first) / max(last - first, 1e-9) * width)))
        if of != "loss":
            amount, seconds = sums[cell]
            sums[cell] = amount + column.amount(of), seconds + column.seconds
        elif not math.isnan(column.low):
            before = found[cell]
            found[cell] = (
                min(column.low, before[0] if before else column.low),
                max(column.high, before[1] if before else column.high),
            )
    if of == "loss":
        return found
    return [(amount / seconds, amount / seconds) if seconds > 0 else None for amount, seconds in sums]


def _lines(path: Path) -> Iterator[bytes]:
    try:
        stream = durable.plain_file(path)
    except OSError:
        return
    with stream:
        while line := stream.readline(_MOST_LINE_BYTES):
            yield line


def _unusual(line: bytes) -> tuple[int, int, float | None, int | None, float | None] | None:
    """Return a step line that lacks its last fields, or whose loss is no number of JSON; None where it is none."""
    try:
        row: object = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(row, list):
        return None
    values = [*cast("list[object]", row)[:5], *[None] * 5][:5]
    attempt, step, loss, samples, elapsed = (_number(value) for value in values)
    if attempt is None or step is None:
        return None
    if isinstance(values[2], float) and not math.isfinite(values[2]):
        loss = math.nan  # told, and no number: the training went astray
    return int(attempt), int(step), loss, None if samples is None else int(samples), elapsed


def _one_line(text: str) -> str:
    """Return a text that moves no cursor: the program can write the log of attempts, and terminals show it."""
    return "".join(sign if sign.isprintable() else " " for sign in text)


def _objects(path: Path) -> Iterator[dict[str, object]]:
    for line in _lines(path):
        try:
            row: object = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(row, dict):
            yield cast("dict[str, object]", row)


def _number(value: object) -> float | None:
    """Return a finite number of sane size; None of anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if abs(value) < _MOST and math.isfinite(value) else None
