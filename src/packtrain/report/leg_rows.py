"""The rows of plan against actual: a leg of the forecast, what happened of it, how far they are apart.

What is not done is *to come*, with the date it is expected on now; what nobody wrote down is *not known*.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal

from packtrain.documents.forecast import Forecast, ForecastStep
from packtrain.documents.parties import Role
from packtrain.report.happened import KINDS, Span
from packtrain.units import format_bytes, format_seconds

State = Literal["done", "under way", "to come", "not known"]

_DAY: Final = timedelta(days=1)
_DAY_SECONDS: Final = 86_400
_AS_PLANNED: Final = (0.8, 1.25)
"""A ratio between them is called as planned."""
# What people call the legs between packing and loading; a stage has exactly its own name.
_WORDS: Final[Mapping[str, re.Pattern[str]]] = {
    "seal": re.compile(r"\bseal", re.IGNORECASE),
    "hand over": re.compile(r"hand.?over|\breleas|pick.?up|collect", re.IGNORECASE),
    "transport": re.compile(
        r"transport|\bfl(y|ight)|\bship|truck|\bvan\b|\bcar\b|\broad|\brail|\bsea\b|ferry|courier|travel|plane|journey",
        re.IGNORECASE,
    ),
    "admit": re.compile(r"\badmi|verdict", re.IGNORECASE),
}
_OF_STAGES: Final = ("prepare", "pack", "load", "train", "return")
_WHOSE: Final[Mapping[str, Role]] = {"load": "consignee", "train": "consignee"}


@dataclass(frozen=True, slots=True)
class LegRow:
    """One leg of the voyage, planned and real.

    Attributes:
        planned_start, planned_days, planned_days_high: None where there is no forecast of it.
        days: it took, or has taken so far; None where that is not known.
        is_least: `days` is the least it can have been.
        ratio: `days` to what was likely; None where one of them is missing or the leg has not ended.
        expected_end: of a leg that has not ended: when it is expected to now; None without a forecast, or beyond the
            year 9999.
        limit: what the plan says it waits for.
        note: what else is to be said, in words.
    """

    name: str
    state: State
    planned_start: datetime | None
    planned_days: float | None
    planned_days_high: float | None
    planned_bytes_per_second: float | None
    limit: str
    started: datetime | None
    ended: datetime | None
    days: float | None
    is_least: bool
    bytes: int | None
    bytes_per_second: float | None
    waves: int | None
    ratio: float | None
    expected_end: datetime | None
    note: str

    def to_dict(self) -> dict[str, Any]:
        """Return the row as plain values; instants as documents spell them."""
        return {name: _plain(getattr(self, name)) for name in self.__dataclass_fields__}


@dataclass(frozen=True, slots=True)
class PlanActual:
    """The whole voyage, planned and real.

    Attributes:
        made: when the forecast was made; None without one.
        rows: the legs, in order.
        planned_there, expected_there: when the cargo is at the site; `expected_there` is what happened once it did.
        planned_home, expected_home: the same of the results at home; None where no leg is about that.
        most_off: in words, what took most longer (or less long) than planned; "" where nothing has ended.
    """

    made: str | None
    rows: tuple[LegRow, ...]
    planned_there: datetime | None
    expected_there: datetime | None
    planned_home: datetime | None
    expected_home: datetime | None
    most_off: str

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as plain values."""
        return {
            "forecast_made": self.made,
            "rows": [row.to_dict() for row in self.rows],
            "planned_there": _plain(self.planned_there),
            "expected_there": _plain(self.expected_there),
            "planned_home": _plain(self.planned_home),
            "expected_home": _plain(self.expected_home),
            "most_off": self.most_off,
        }


def compare(forecast: Forecast | None, spans: Mapping[str, Span], roles: Sequence[Role], now: datetime) -> PlanActual:
    """Return the rows of a forecast beside what happened; without a forecast those of what happened.

    Args:
        forecast: what `plan` expected.
        spans: as `happened` found them.
        roles: whose folders were read: of the others nothing may be known.
        now: the present.
    """
    legs = [_Leg(step, _kinds_of(step.name)) for step in forecast.steps] if forecast is not None else []
    if forecast is None:
        legs = [_Leg(None, (kind,)) for kind in KINDS if kind in spans]
    first_day = _day_of(forecast.start) if forecast is not None else now
    is_seal_named = any("seal" in leg.kinds for leg in legs)
    found = [_span_of(leg.kinds, spans, is_seal_named=is_seal_named) for leg in legs]
    last_known = max((at for at, span in enumerate(found) if span is not None), default=-1)
    rows: list[LegRow] = []
    at: datetime | None = first_day or now
    for number, (leg, span) in enumerate(zip(legs, found, strict=True)):
        row = _row(leg, span, first_day, at, now, is_past=number < last_known, roles=roles)
        rows.append(row)
        if row.ended is None and row.state in ("under way", "to come") and row.expected_end is None:
            at = None
        elif (end := row.ended or row.expected_end) is not None:
            at = max(at or end, end)
    return PlanActual(
        made=forecast.made if forecast is not None else None,
        rows=tuple(rows),
        planned_there=_planned_end(forecast, forecast.carry.days if forecast is not None else None),
        expected_there=_end_of(rows, "load"),
        planned_home=_planned_end(forecast, forecast.carry.home_days if forecast is not None else None),
        expected_home=_end_of(rows, "return"),
        most_off=_most_off(rows),
    )


@dataclass(frozen=True, slots=True)
class _Leg:
    step: ForecastStep | None
    kinds: tuple[str, ...]

    @property
    def name(self) -> str:
        return self.step.name if self.step is not None else self.kinds[0]


def _kinds_of(name: str) -> tuple[str, ...]:
    """Return what of a voyage a leg is about, in order; nothing where its name says nothing that is recorded."""
    if name in _OF_STAGES:
        return (name,)
    return tuple(kind for kind in KINDS if kind in _WORDS and _WORDS[kind].search(name))


def _span_of(kinds: Sequence[str], spans: Mapping[str, Span], *, is_seal_named: bool) -> Span | None:
    """Return the one span from the beginning of the first to the end of the last of these; None without a trace."""
    known = [spans[kind] for kind in kinds if kind in spans]
    if not known:
        return None
    if len(kinds) == 1 and (kinds[0] != "hand over" or is_seal_named):
        return known[0]
    started = next((span.started for span in known if span.started is not None), None)
    if kinds[0] == "hand over" and not is_seal_named and "pack" in spans:
        # Sealing is no leg of this plan: the time it took belongs to the first leg after packing.
        started = spans["pack"].ended or started
    last = spans.get(kinds[-1])
    note = "; ".join(dict.fromkeys(span.note for span in known if span.note))
    return Span(started, last.ended if last is not None else None, is_least=any(s.is_least for s in known), note=note)


def _row(
    leg: _Leg,
    span: Span | None,
    first_day: datetime | None,
    at: datetime | None,
    now: datetime,
    *,
    is_past: bool,
    roles: Sequence[Role],
) -> LegRow:
    step = leg.step
    state = _state(span, is_past=is_past)
    days = _days(span, state, now)
    likely = step.days_likely if step is not None else None
    moved = span.bytes if span is not None else None
    seconds = span.seconds if span is not None else None
    is_exact = span is not None and not span.is_least
    return LegRow(
        name=leg.name,
        state=state,
        planned_start=_after(first_day, step.start_days) if step is not None else None,
        planned_days=likely,
        planned_days_high=step.days_high if step is not None else None,
        planned_bytes_per_second=step.bytes_per_second if step is not None else None,
        limit=step.limit if step is not None else "",
        started=span.started if span is not None else None,
        ended=span.ended if span is not None else None,
        days=days,
        is_least=not is_exact and days is not None,
        bytes=moved,
        bytes_per_second=moved / seconds if moved and seconds and is_exact else None,
        waves=span.waves if span is not None else None,
        ratio=days / likely if state == "done" and days is not None and likely else None,
        expected_end=_expected(state, span, step, at, now),
        note=_note(leg, span, state, roles),
    )


def _state(span: Span | None, *, is_past: bool) -> State:
    if span is None:
        return "not known" if is_past else "to come"
    if span.ended is not None:
        return "done"
    # What only its beginning is known of, and others came after it: unless something says how far it is.
    return "not known" if is_past and span.part_done is None else "under way"


def _days(span: Span | None, state: State, now: datetime) -> float | None:
    if span is None or span.started is None or state not in ("done", "under way"):
        return None
    return max(0.0, ((span.ended or now) - span.started).total_seconds()) / _DAY_SECONDS


def _expected(
    state: State, span: Span | None, step: ForecastStep | None, at: datetime | None, now: datetime
) -> datetime | None:
    if state in ("done", "not known"):
        return None
    if state == "under way" and span is not None and span.started is not None:
        if span.part_done:
            until = _after(span.started, (now - span.started) / _DAY / span.part_done)
        else:
            until = _after(span.started, step.days_likely) if step is not None else None
        return max(now, until) if until is not None else None
    return _after(max(at, now), step.days_likely) if step is not None and at is not None else None


def _note(leg: _Leg, span: Span | None, state: State, roles: Sequence[Role]) -> str:
    notes = [span.note] if span is not None and span.note else []
    if state == "not known":
        notes.append("nothing that is recorded says when it was" if leg.kinds else "no record is kept of it")
    whose = {role for kind in leg.kinds if (role := _WHOSE.get(kind)) is not None}
    if span is None and whose - set(roles):
        notes.append(f"as far as is known here: the folder of the {', '.join(sorted(whose - set(roles)))} was not read")
    return "; ".join(notes)


def _planned_end(forecast: Forecast | None, days: float | None) -> datetime | None:
    if forecast is None or days is None:
        return None
    return _after(_day_of(forecast.start), days)


def _day_of(text: str) -> datetime | None:
    """Return the first moment of a day; None of one that no calendar has."""
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        return None


def _after(at: datetime | None, days: float) -> datetime | None:
    """Return the moment so many days later; None beyond what a calendar holds."""
    try:
        return at + _DAY * days if at is not None else None
    except OverflowError:
        return None


def _end_of(rows: Sequence[LegRow], name: str) -> datetime | None:
    row = next((row for row in rows if row.name == name), None)
    return (row.ended or row.expected_end) if row is not None else None


def _most_off(rows: Sequence[LegRow]) -> str:
    compared = [row for row in rows if row.ratio is not None]
    if not compared:
        return ""
    row = max(compared, key=lambda one: abs((one.days or 0.0) - (one.planned_days or 0.0)))
    days, planned, ratio = row.days or 0.0, row.planned_days or 0.0, row.ratio or 0.0
    least = "at least " if row.is_least else ""
    text = (
        f"{row.name}: {least}{format_seconds(days * _DAY_SECONDS)}, where {format_seconds(planned * _DAY_SECONDS)} "
        "were planned"
    )
    if _AS_PLANNED[0] <= ratio <= _AS_PLANNED[1]:
        return f"nothing was far off; most of all {text}"
    # A tenth of the time is read more easily than a ratio of 0.1.
    times = f"{ratio:,.1f} times as long" if ratio >= 1 else f"{1 / ratio:,.1f} times as fast" if ratio else "at once"
    text = f"{text}, {times}"
    if row.bytes_per_second is not None and row.planned_bytes_per_second is not None:
        text += (
            f"; planned with {format_bytes(int(row.planned_bytes_per_second))}/s, reached "
            f"{format_bytes(int(row.bytes_per_second))}/s"
        )
    return f"{text}; in the plan it waits for {row.limit}" if row.limit else text


def _plain(value: object) -> object:
    return value.strftime("%Y-%m-%dT%H:%M:%SZ") if isinstance(value, datetime) else value
