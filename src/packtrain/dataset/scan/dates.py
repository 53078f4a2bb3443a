"""Days inside of numbers."""

from __future__ import annotations

from typing import Final

_DAYS: Final = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def is_month_and_day(month: int, day: int) -> bool:
    """Return whether a year, leap or not, has this day."""
    return 1 <= month <= 12 and 1 <= day <= _DAYS[month - 1]
