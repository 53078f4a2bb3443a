"""forecast.json: how long, how safe and how dear `plan` expected the voyage to be, before anything was packed."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from packtrain.documents.codec import Count, Document, Instant, Part, Text

DayText = Annotated[str, msgspec.Meta(pattern=r"\A[0-9]{4}-[0-9]{2}-[0-9]{2}\Z")]
_Positive = Annotated[float, msgspec.Meta(ge=0)]
_Part = Annotated[float, msgspec.Meta(ge=0, le=1)]


class ForecastStep(Part, frozen=True, kw_only=True):
    """One bar of the time line.

    Attributes:
        name: "prepare", "pack", "load", "train" and "return" are the stages of these names; others are legs that people
            named.
        part: "before" of both ways, "way" there, "after" of both ways.
        start_days: when it begins, counted from the first day, if everything takes as long as is likely.
        days_low, days_likely, days_high: how long it takes.
        limit: what it waits for: "bays", "drives", "cores", "link", "source", "store", "people", or "accelerators".
        bytes: what it moves: cargo bytes, before the code adds parity; None where it moves none.
        bytes_per_second: over the whole likely time of the step, swaps of drives included; None where it moves none.
    """

    name: Text
    part: Literal["before", "way", "after"]
    start_days: _Positive
    days_low: _Positive
    days_likely: _Positive
    days_high: _Positive
    limit: Literal["bays", "drives", "cores", "link", "source", "store", "people", "accelerators"]
    bytes: Count | None
    bytes_per_second: _Positive | None


class ForecastOdds(Part, frozen=True, kw_only=True):
    """In so many of 100 voyages it is done within these days."""

    days_10: _Positive
    days_50: _Positive
    days_90: _Positive


class ForecastRoute(Part, frozen=True, kw_only=True):
    """One way to the site, and home again.

    Attributes:
        days: until the cargo is at the site, every step its likeliest.
        there: the odds of that.
        home_days, home: the same until the results are home; None where neither training nor results were told.
        bottleneck: the longest step on the way there and what it waits for.
        cost: in the unit of `currency`, of what has a price; None where nothing has.
    """

    days: _Positive
    there: ForecastOdds
    home_days: _Positive | None
    home: ForecastOdds | None
    bottleneck: Text
    cost: _Positive | None


class ForecastLoss(Part, frozen=True, kw_only=True):
    """How likely something is lost for good.

    Attributes:
        method: "exact", or "drawn": an estimate by stratified drawing of lost cases, each draw with its exact odds.
        low, high: of a drawn one the interval that holds it in 95 of 100 forecasts; of an exact one the value itself.
    """

    probability: _Part
    low: _Part
    high: _Part
    method: Literal["exact", "drawn"]


class ForecastFigure(Part, frozen=True, kw_only=True):
    """One figure that the forecast rests on.

    Attributes:
        origin: "given" by a person, "measured" on a machine, "counted" in the voyage folder, or "assumed".
        measured: when and where, of a measured one; "" of others.
    """

    name: Text
    text: Text
    origin: Literal["given", "measured", "counted", "assumed"]
    measured: Text = ""


class Forecast(Document, frozen=True, kw_only=True):
    """What `plan` expected; the last one from before the first byte was packed is kept.

    Attributes:
        start: the first day.
        total_bytes: of the cargo; `bytes_from` says where that is known from.
        raw_bytes: data and parity on all drives.
        k, m: the code of most groups.
        waves, load_waves: how often drives are changed at home and at the site, the first time included.
        fits: whether the drives hold it.
        steps: of carrying, in order; `send_steps` of sending.
        send: None where no link is known.
    """

    kind = "forecast"

    voyage: Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
    made: Instant
    start: DayText
    total_bytes: Count
    bytes_from: Text
    raw_bytes: Count
    num_drives: Count
    num_cases: Count
    k: Count
    m: Count
    waves: Count
    load_waves: Count
    fits: bool
    survives: Text
    loss: ForecastLoss
    loss_after_case: ForecastLoss
    currency: Text
    steps: Annotated[tuple[ForecastStep, ...], msgspec.Meta(max_length=256)]
    send_steps: Annotated[tuple[ForecastStep, ...], msgspec.Meta(max_length=256)]
    carry: ForecastRoute
    send: ForecastRoute | None
    assumed: Annotated[tuple[ForecastFigure, ...], msgspec.Meta(max_length=256)]
