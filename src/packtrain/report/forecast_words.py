"""Days, odds, rates and money of a forecast in words."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Final

from packtrain.forecast.odds import Chance
from packtrain.forecast.prices import Cost
from packtrain.units import format_seconds

_SHORT_DAYS: Final = 0.05
_PRICED_WORDS: Final = {
    "drive": "drives",
    "case": "cases",
    "carrier": "carriers",
    "shipping": "shipments",
    "link_month": "months of link",
}


def day_after(start: date, days: float) -> date | None:
    """Return the day so many days after the first; None beyond what a calendar holds."""
    try:
        return start + timedelta(days=days)
    except OverflowError:
        return None


def by(start: date, days: float) -> str:
    """Return a day and how many days until it."""
    day = day_after(start, days)
    return f"{days_of(days)}" if day is None else f"{day:%d %b %Y} ({days_of(days)})"


def days_of(days: float) -> str:
    """Return days in words; of very many, years, and of a small part of one, hours and less."""
    if days < _SHORT_DAYS:
        return format_seconds(days * 86_400)
    return f"{days:,.1f} days" if days < 3650 else f"{days / 365.25:,.0f} years"


def odds(probability: float) -> str:
    """Return a probability as people say it."""
    if probability <= 0:
        return "none"
    if probability < 1e-12:
        return "less than 1 in 10^12"
    return f"1 in {1 / probability:,.0f}" if probability < 0.05 else f"{probability:.0%}"


def chance(found: Chance) -> str:
    """Return a chance with what is known of how well it is known."""
    if found.method == "exact":
        return f"{odds(found.probability)} (exact)"
    return f"{odds(found.probability)} (drawn; 95%: {_bound(found.low)} to {_bound(found.high)})"


def _bound(probability: float) -> str:
    return f"{probability:.3g}"


def link_rate(bits_per_second: float) -> str:
    """Return bits a second in decimal units."""
    for factor, unit in ((1e9, "Gbit/s"), (1e6, "Mbit/s"), (1e3, "kbit/s")):
        if bits_per_second >= factor:
            return f"{bits_per_second / factor:.4g} {unit}"
    return f"{bits_per_second:g} bit/s"


def money(amount: float, currency: str) -> str:
    """Return an amount; without a currency the bare number."""
    return f"{amount:,.0f} {currency}".strip()


def cost_total(cost: Cost, currency: str) -> str:
    """Return the sum of one way, and what is not in it."""
    total = cost.total
    if total is None:
        return "not priced"
    missing = ", ".join(_PRICED_WORDS[name] for name in cost.unpriced)
    return money(total, currency) + (f" (without {missing})" if missing else "")


def cost_rows(cost: Cost, currency: str) -> list[tuple[str, str, str, str]]:
    """Return the lines of one way: what, how many, each, together."""
    return [
        (_PRICED_WORDS[line.what], f"{line.number:,}", money(line.each, currency), money(line.total, currency))
        for line in cost.lines
    ]


def columns(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Return rows as aligned text."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
