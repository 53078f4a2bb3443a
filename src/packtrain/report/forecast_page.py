"""A forecast as one HTML file: the answer, its drawings, and the tables that say the same in words."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from packtrain import durable
from packtrain.forecast.answer import Forecast
from packtrain.forecast.figures import figures
from packtrain.forecast.question import Question
from packtrain.report.forecast_svg import FORECAST_STYLE, break_even_chart, odds_curve, time_line
from packtrain.report.forecast_words import (
    asked,
    by,
    chance,
    cost_rows,
    cost_total,
    day_after,
    days_of,
    link_rate,
    money,
    odds,
    too_small,
)
from packtrain.report.pieces import STYLE, cards, drawing, section, table, whole_page, words
from packtrain.units import counted, format_bytes, format_rate


def write_forecast_page(question: Question, found: Forecast, start: date, path: Path) -> None:
    """Write the page.

    Raises:
        DriveFull: no space is left.
    """
    durable.write_bytes(path, forecast_page(question, found, start).encode("utf-8"))


def forecast_page(question: Question, found: Forecast, start: date) -> str:
    """Return the page; the same forecast gives the same bytes."""
    size = words(format_bytes(question.total_bytes))
    body = [
        f'<h1>{size}: send or carry?</h1><p class="lead">{words(_lead(question, found, start))}</p>',
        _cards(question, found),
        section("Side by side", _side_by_side(question, found, start)),
        section("Step by step", drawing(time_line(found, start)) + _steps(found, start)),
        section("Odds of the day the data is there", drawing(odds_curve(found, start))),
        section(
            "Odds of the last day", drawing(odds_curve(found, start, is_done=True)) if found.carry.has_after else ""
        ),
        section("From how many bytes on", drawing(break_even_chart(question, found.curve)) + _break_even(found)),
        section("Codes on the same drives", _codes(question, found)),
        section("Cost", _cost(question, found)),
        section("What it rests on", _rests_on(question)),
        '<p class="dim">An estimate made by packtrain before the voyage. Nothing here is a promise.</p>',
    ]
    return whole_page(f"{size}: send or carry?", STYLE + FORECAST_STYLE, "".join(body))


def _lead(question: Question, found: Forecast, start: date) -> str:
    small = f" {too_small(found)}" if found.fits is False else ""
    day = by(start, found.carry.there.days_90)
    carried = f"On {asked(question)}.{small} Carried, it is there by {day} in 90 of 100 voyages"
    if found.send is None or found.carry_first is None:
        return f"{carried}. No link was given to set beside it."
    sent = f"sent over {link_rate(question.link_rate or 0)}, by {by(start, found.send.there.days_90)}"
    return f"{carried}; {sent}. Carrying is first in {found.carry_first * 100:.0f} of 100."


def _cards(question: Question, found: Forecast) -> str:
    return cards(
        [
            (days_of(found.carry.days), "carried, likeliest"),
            *([(days_of(found.send.days), "sent, likeliest")] if found.send is not None else []),
            (f"{found.k}+{found.m}", f"code of most groups, {question.num_drives:,} drives"),
            (format_bytes(found.raw_bytes), "on the drives"),
            (odds(found.loss.probability), "odds of a loss"),
            (f"{found.waves}", "waves to pack"),
        ]
    )


def _side_by_side(question: Question, found: Forecast, start: date) -> str:
    routes = [route for _, route in found.routes]

    def row(name: str, values: list[str]) -> list[str]:
        return [words(name), *(words(value) for value in values)]

    rows = [
        row(f"there in {percent} of 100 by", [by(start, getattr(each.there, f"days_{percent}")) for each in routes])
        for percent in (10, 50, 90)
    ]
    if found.carry.has_after:
        done = "home" if question.results_bytes else "trained"
        rows += [
            row(f"{done} in {percent} of 100 by", [by(start, getattr(each.done, f"days_{percent}")) for each in routes])
            for percent in (10, 50, 90)
        ]
    rows.append(row("waits longest for", [each.bottleneck for each in routes]))
    rows.append(row("costs", [cost_total(each.cost, question.prices.currency) for each in routes]))
    return table(["what", "carry", "send"][: len(routes) + 1], rows)


def _steps(found: Forecast, start: date) -> str:
    rows: list[list[str]] = []
    for name, route in found.routes:
        for step, begun in zip(route.steps, route.starts(), strict=True):
            others = ", ".join(
                f"{limit} {days_of(days)}"
                for limit, days in sorted(step.days_if_only.items(), key=lambda item: -item[1])
            )
            rate = step.bytes_per_second
            cells = [
                name,
                step.name,
                "" if (day := day_after(start, begun)) is None else f"{day:%d %b %Y}",
                f"{step.days.low:,.1f} to {step.days.high:,.1f} days",
                step.limit + (f" ({others})" if len(step.days_if_only) > 1 else ""),
                "" if rate is None else format_rate(rate),
            ]
            # Dates and numbers stay whole where the table is narrow.
            rows.append([words(cell) if place in (1, 4) else _whole(cell) for place, cell in enumerate(cells)])
    return table(["way", "step", "begins", "takes", "waits for", "rate"], rows)


def _whole(cell: str) -> str:
    return words(cell).replace(" ", "&nbsp;")


def _break_even(found: Forecast) -> str:
    def told(least: int | None) -> str:
        return "never" if least is None else format_bytes(least)

    rows = [
        [words(link_rate(each.link_rate)), *(words(told(least)) for least in (each.low, each.likely, each.high))]
        for each in found.break_even
    ]
    return table(["link", "delays at their shortest", "likeliest", "at their longest"], rows)


def _codes(question: Question, found: Forecast) -> str:
    rows: list[list[str]] = []
    for choice in found.choices:
        too_small = choice.most_bytes is not None and choice.most_bytes < question.total_bytes
        cells = [
            f"{counted(choice.survive.cases, 'case')} + {counted(choice.survive.drives, 'drive')}",
            f"{format_bytes(choice.raw_bytes)} (+{choice.overhead:.0%})",
            format_bytes(choice.bytes_a_drive) + (", too small" if too_small else ""),
            chance(choice.loss),
            choice.survives,
        ]
        rows.append([words(cell) for cell in cells])
    after = f"<p>Once one case is lost: {words(chance(found.loss_after_case))}.</p>"
    return table(["survives", "on the drives", "a drive", "odds of a loss", "in words"], rows) + after


def _cost(question: Question, found: Forecast) -> str:
    currency = question.prices.currency
    rows = [
        [words(cell) for cell in (name, *cells)]
        for name, route in found.routes
        for cells in cost_rows(route.cost, currency)
    ]
    if not rows:
        return ""
    rows += [
        [name, "together", "", "", words(money(route.cost.total, currency))]
        for name, route in found.routes
        if route.cost.total is not None
    ]
    told = [f"{name}: {cost_total(route.cost, currency)}." for name, route in found.routes if route.cost.unpriced]
    return table(["way", "of", "number", "each", "together"], rows) + f"<p>{words(' '.join(told))}</p>"


def _rests_on(question: Question) -> str:
    rows = [
        [words(figure.origin + (f" {figure.measured}" if figure.measured else "")), words(figure.text)]
        for figure in figures(question)
    ]
    return table(["known how", "figure"], rows)
