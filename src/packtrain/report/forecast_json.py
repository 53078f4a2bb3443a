"""A forecast as the mapping that --json prints; days and bytes are numbers, probabilities parts of 1."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date
from typing import Any

from packtrain.forecast.answer import Forecast, Route
from packtrain.forecast.figures import figures
from packtrain.forecast.odds import Chance
from packtrain.forecast.question import Question
from packtrain.report.forecast_words import day_after


def forecast_json(question: Question, found: Forecast, start: date) -> dict[str, Any]:
    """Return the whole answer as JSON values."""
    return {
        "total_bytes": question.total_bytes,
        "start": start.isoformat(),
        "carry": _route(found.carry, start, question.prices.currency),
        "send": None if found.send is None else _route(found.send, start, question.prices.currency),
        "carry_first": found.carry_first,
        "code": {"k": found.k, "m": found.m},
        "groups": [{"k": group.k, "m": group.m, "drives": list(group.drives)} for group in found.placement.groups],
        "raw_bytes": found.raw_bytes,
        "bytes_a_drive": found.bytes_a_drive,
        "fits": found.fits,
        "survives": found.survives,
        "drive_loss_probability": found.drive_loss,
        "loss_probability": found.loss.probability,
        "loss": _chance(found.loss),
        "loss_probability_after_one_case": found.loss_after_case.probability,
        "loss_after_one_case": _chance(found.loss_after_case),
        "waves": found.waves,
        "load_waves": found.load_waves,
        "bottleneck": found.carry.bottleneck,
        "choices": [
            {
                "survive": {"cases": choice.survive.cases, "drives": choice.survive.drives},
                "groups": [{"k": k, "m": m} for k, m in choice.groups],
                "raw_bytes": choice.raw_bytes,
                "overhead": choice.overhead,
                "bytes_a_drive": choice.bytes_a_drive,
                "most_bytes": choice.most_bytes,
                "loss_probability": choice.loss.probability,
                "loss": _chance(choice.loss),
                "survives": choice.survives,
            }
            for choice in found.choices
        ],
        "results_home": [{"by": way, "days": days} for way, days in found.home_ways],
        "break_even": [
            {
                "link_bits_per_second": each.link_rate,
                "bytes": each.likely,
                "bytes_at_shortest_delays": each.low,
                "bytes_at_longest_delays": each.high,
            }
            for each in found.break_even
        ],
        "assumed": [asdict(figure) for figure in figures(question)],
    }


def _chance(found: Chance) -> dict[str, Any]:
    return {"probability": found.probability, "low": found.low, "high": found.high, "method": found.method}


def _route(route: Route, start: date, currency: str) -> dict[str, Any]:
    return {
        "days": route.days,
        "days_10": route.there.days_10,
        "days_50": route.there.days_50,
        "days_90": route.there.days_90,
        "day_50": _day(start, route.there.days_50),
        "day_90": _day(start, route.there.days_90),
        "curve": [{"percent": 2 * number, "days": days} for number, days in enumerate(route.there.curve)],
        "done_days": route.done_days,
        "done_days_10": route.done.days_10,
        "done_days_50": route.done.days_50,
        "done_days_90": route.done.days_90,
        "done_day_50": _day(start, route.done.days_50),
        "done_day_90": _day(start, route.done.days_90),
        "bottleneck": route.bottleneck,
        "cost": {
            "total": route.cost.total,
            "currency": currency,
            "lines": [
                {"what": line.what, "number": line.number, "each": line.each, "total": line.total}
                for line in route.cost.lines
            ],
            "unpriced": list(route.cost.unpriced),
        },
        "steps": [
            {
                "name": step.name,
                "part": step.part,
                "start_days": begun,
                "start": _day(start, begun),
                "days": {"low": step.days.low, "likely": step.days.likely, "high": step.days.high},
                "limit": step.limit,
                "days_if_only": dict(step.days_if_only),
                "bytes": step.moved_bytes,
                "bytes_per_second": step.bytes_per_second,
            }
            for step, begun in zip(route.steps, route.starts(), strict=True)
        ],
    }


def _day(start: date, days: float) -> str | None:
    day = day_after(start, days)
    return None if day is None else day.isoformat()
