"""Resident identity numbers of China: 18 places.

Source: GB 11643-1999: six digits of a region (GB/T 2260), day of birth, serial, check character by ISO/IEC
7064 mod 11-2.
"""

from __future__ import annotations

import re
from typing import Final

from packtrain.dataset.scan.dates import is_month_and_day
from packtrain.dataset.scan.detector import Detector, weighted_sum

_FORM: Final = re.compile(r"[1-9][0-9]{16}[0-9Xx]")
_PROVINCES: Final = frozenset(
    map(
        str,
        (
            *range(11, 16),
            *range(21, 24),
            *range(31, 38),
            *range(41, 47),
            *range(50, 55),
            *range(61, 66),
            71,
            *range(81, 84),
        ),
    )
)
_WEIGHTS: Final = tuple(2**power % 11 for power in range(17, 0, -1))


def check(cell: str) -> bool | None:
    """Return whether a cell is a resident identity number."""
    if _FORM.fullmatch(cell) is None:
        return None
    year, month, day = int(cell[6:10]), int(cell[10:12]), int(cell[12:14])
    if cell[:2] not in _PROVINCES or not 1900 <= year <= 2099 or not is_month_and_day(month, day):
        return False
    return "10X98765432"[weighted_sum(cell[:17], _WEIGHTS) % 11] == cell[17].upper()


DETECTOR: Final = Detector(
    name="cn-resident-id",
    version=1,
    looks_for="resident identity numbers (CN)",
    check=check,
    sieve=r"^[1-9][0-9]{16}[0-9Xx]$",
    digits=range(18, 19),
    mixed=range(18, 19),
    chance=100,  # a day of two centuries (1 in 1,400), a province (1 in 3), a check character (1 in 11)
    least_share=100,
)
