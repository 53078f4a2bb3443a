"""A forecast as the document that is kept, so that what happened can be held against it."""

from __future__ import annotations

from datetime import date
from typing import Final

from packtrain.documents.forecast import (
    Forecast as ForecastDocument,
)
from packtrain.documents.forecast import ForecastFigure, ForecastLoss, ForecastOdds, ForecastRoute, ForecastStep
from packtrain.forecast.answer import Forecast, Route
from packtrain.forecast.arrival import Odds
from packtrain.forecast.durations import Days
from packtrain.forecast.figures import figures
from packtrain.forecast.odds import Chance
from packtrain.forecast.question import Question
from packtrain.forecast.steps import RETURN_PREFIX, Step

LARGEST: Final = 2**53 - 1
"""9 PB: a document spells no larger number of bytes."""


def forecast_document(
    question: Question, found: Forecast, *, voyage: str, start: date, made: str, bytes_from: str
) -> ForecastDocument:
    """Return the document.

    Args:
        question: what was asked; no number of bytes in it or in the answer is above `LARGEST`.
        found: the answer to it.
        voyage: its name.
        start: the first day.
        made: the instant.
        bytes_from: where the bytes of the cargo are known from.
    """
    return ForecastDocument(
        voyage=voyage,
        made=made,
        start=start.isoformat(),
        total_bytes=question.total_bytes,
        bytes_from=bytes_from,
        raw_bytes=found.raw_bytes,
        num_drives=question.num_drives,
        num_cases=question.num_cases,
        k=found.k,
        m=found.m,
        waves=found.waves,
        load_waves=found.load_waves,
        fits=bool(found.fits),
        survives=found.survives,
        loss=_loss(found.loss),
        loss_after_case=_loss(found.loss_after_case),
        currency=question.prices.currency,
        steps=_steps(found.carry),
        send_steps=() if found.send is None else _steps(found.send),
        carry=_route(found.carry),
        send=None if found.send is None else _route(found.send),
        assumed=tuple(
            ForecastFigure(name=figure.name, text=figure.text, origin=figure.origin, measured=figure.measured)
            for figure in figures(question)
        ),
    )


def _loss(found: Chance) -> ForecastLoss:
    return ForecastLoss(probability=found.probability, low=found.low, high=found.high, method=found.method)


def _odds(found: Odds) -> ForecastOdds:
    return ForecastOdds(days_10=found.days_10, days_50=found.days_50, days_90=found.days_90)


def _route(route: Route) -> ForecastRoute:
    return ForecastRoute(
        days=route.days,
        there=_odds(route.there),
        home_days=route.done_days if route.has_after else None,
        home=_odds(route.done) if route.has_after else None,
        bottleneck=route.bottleneck,
        cost=route.cost.total,
    )


def _steps(route: Route) -> tuple[ForecastStep, ...]:
    """Return the steps; the way home on drives is one of them, "return": the record has one span of it, too."""
    # By its part too: people may call a leg of the way there "return: ..."; and what comes home comes last.
    home = [step for step in route.steps if step.part == "after" and step.name.startswith(RETURN_PREFIX)]
    steps = list(route.steps[: len(route.steps) - len(home)])
    if home:
        longest = max(home, key=lambda step: step.days.likely)
        low, likely, high = (sum(getattr(step.days, name) for step in home) for name in ("low", "likely", "high"))
        steps.append(Step("return", "after", Days(low, likely, high), longest.limit, moved_bytes=home[0].moved_bytes))
    return tuple(
        ForecastStep(
            name=step.name,
            part=step.part,
            start_days=begun,
            days_low=step.days.low,
            days_likely=step.days.likely,
            days_high=step.days.high,
            limit=step.limit,
            bytes=step.moved_bytes,
            bytes_per_second=step.bytes_per_second,
        )
        for step, begun in zip(steps, route.starts(), strict=False)
    )
