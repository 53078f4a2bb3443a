"""MyKad numbers of Malaysia: YYMMDD-PB-###G.

Source: the National Registration Department's codes of the place of birth: 01 to 59 without 17 to 20 (states), 60 to
68, 71, 72, 74 to 79, 82 to 93, 98, 99 (abroad, unknown). There is no check digit.
"""

from __future__ import annotations

import re
from typing import Final

from packtrain.dataset.scan.dates import is_month_and_day
from packtrain.dataset.scan.detector import Detector

_FORM: Final = re.compile(r"([0-9]{6})(-?)([0-9]{2})\2([0-9]{4})")
_PLACES: Final = frozenset((*range(1, 17), *range(21, 69), 71, 72, *range(74, 80), *range(82, 94), 98, 99))


def check(cell: str) -> bool | None:
    """Return whether a cell may be a MyKad number."""
    found = _FORM.fullmatch(cell)
    if found is None:
        return None
    day, place, serial = found[1], int(found[3]), found[4]
    # Without dashes YYMMDDhhmmss looks the same: what may be a time of day is not counted.
    if not found[2] and place < 24 and serial[:2] < "60" and serial[2:] < "60":
        return False
    return place in _PLACES and is_month_and_day(int(day[2:4]), int(day[4:6]))


DETECTOR: Final = Detector(
    name="my-mykad",
    version=1,
    looks_for="identity numbers (MY MyKad)",
    check=check,
    sieve=r"^[0-9]{6}-?[0-9]{2}-?[0-9]{4}$",
    digits=range(12, 13),
    mixed=range(12, 13),
    chance=32_000,  # a day (1 in 27), a place (86 in 100)
)
