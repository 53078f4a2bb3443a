"""Tax codes of persons of Italy (codice fiscale): 16 places.

Source: Decree of the Ministry of Finance of 23 December 1976, articles 2 to 7: letters of surname and name, year,
letter of the month, day (women 40 more), place, check letter; letters stand for digits where two codes would
be equal.
"""

from __future__ import annotations

import re
from typing import Final

from packtrain.dataset.scan.detector import Detector

_DIGIT: Final = "[0-9LMNPQRSTUV]"
_FORM: Final = re.compile(
    rf"[A-Z]{{6}}{_DIGIT}{{2}}[ABCDEHLMPRST]{_DIGIT}{{2}}[A-Z]{_DIGIT}{{3}}[A-Z]", re.IGNORECASE | re.ASCII
)
_ODD: Final = (1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23)


def _value(letter: str) -> int:
    """Return 0 to 25 of a letter; digits have the places of the first ten."""
    return int(letter) if letter.isdigit() else ord(letter) - ord("A")


def check(cell: str) -> bool | None:
    """Return whether a cell is a codice fiscale of a person."""
    if _FORM.fullmatch(cell) is None:
        return None
    text = cell.upper()
    total = sum(_ODD[_value(letter)] for letter in text[:15:2]) + sum(_value(letter) for letter in text[1:15:2])
    return chr(ord("A") + total % 26) == text[15]


DETECTOR: Final = Detector(
    name="it-codice-fiscale",
    version=1,
    looks_for="tax codes (IT codice fiscale)",
    check=check,
    sieve=r"^[A-Za-z]{6}[0-9A-Za-z]{2}[A-Za-z][0-9A-Za-z]{2}[A-Za-z][0-9A-Za-z]{3}[A-Za-z]$",
    mixed=range(16, 17),
    chance=38_470,  # 1 in 26
    least_share=100,
)
