"""Days, odds, rates and money of a forecast in words."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Final

from packtrain.forecast.answer import Forecast
from packtrain.forecast.odds import Chance
from packtrain.forecast.prices import Cost
from packtrain.forecast.question import Question
from packtrain.units import counted, format_bytes, format_seconds

_SHORT_DAYS: Final = 0.15
"""Below it, one digit of a day is too coarse to be read beside hours."""
_PRICED_WORDS: Final = {
    "drive": "drives",
    "case": "cases",
    "carrier": "carriers",
    "shipping": "shipments",
    "link_month": "months of link",
}


def asked(question: Question) -> str:
    """Return what was asked: drives, cases, bays, hosts, and the whole rate of the link."""
    drives = f"{counted(question.num_drives, 'drive')} in {counted(question.num_cases, 'case')}"
    bays = counted(question.pack_bays, "bay")
    if question.pack_hosts > 1:
        bays = f"{question.pack_hosts} times {bays}"
    if (question.load_bays, question.load_hosts) != (question.pack_bays, question.pack_hosts):
        times = f"{question.load_hosts} times " if question.load_hosts > 1 else ""
        bays += f" at home and {times}{question.load_bays} at the site"
    link = "" if question.link_rate is None else f", a link of {link_rate(question.link_rate)}"
    return f"{drives}, {bays}{link}"


def too_small(found: Forecast) -> str:
    """Return what to do about drives that do not hold it."""
    needed = format_bytes(found.bytes_a_drive)
    return f"THE DRIVES ARE TOO SMALL: each must hold {needed}, or there must be more of them."


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
