"""Telephone numbers in international form: "+49 30 1234567", "0049...", "(+49) ...".

Source: ITU-T E.164 (at most 15 digits) and its list of assigned country codes. National forms are not looked for: too
many numbers look like one.
"""

from __future__ import annotations

import re
from typing import Final

from packtrain.dataset.scan.detector import Detector

_TWO_DIGITS: Final = frozenset(
    map(str, (20, 27, *range(30, 35), 36, 39, *range(40, 50), *range(51, 67), 81, 82, 84, 86, *range(90, 99)))
) - {"42", "50", "59", "96", "97"}
_THREE_DIGITS: Final = frozenset(
    map(str, (*range(21, 27), 29, 35, 37, 38, 42, 50, 59, 67, 68, 69, 80, 85, 87, 88, 96, 97, 99))
)
"""First two of three digits."""
_FORM: Final = re.compile(r"(?:\(\+[0-9]{1,3}\)|\+|00)[ ]?[0-9](?:[ ./()-]{0,2}[0-9]){7,16}")
_DECIMAL: Final = re.compile(r"\+?[0-9]+\.[0-9]+")
_INSIDE: Final = re.compile(r"(?<![\w+.])\+[1-9](?:[ ./()-]{0,2}[0-9]){7,14}(?![0-9])")


def check(cell: str) -> bool | None:
    """Return whether a cell is a telephone number with its country code."""
    if cell[:1] not in ("+", "0", "(") or _FORM.fullmatch(cell) is None or _DECIMAL.fullmatch(cell):
        return None
    digits = "".join(letter for letter in cell if letter.isdigit())
    if cell.startswith("00"):
        if cell.isdigit() and len(cell) < 12:
            return None  # a number with leading zeros
        digits = digits[2:]
    if len(digits) > 15 or len(digits) < 8:
        return False
    if digits[0] == "1":
        # The North American plan: neither area nor exchange begins with 0 or 1.
        return len(digits) == 11 and digits[1] in "23456789" and digits[4] in "23456789"
    return digits[0] == "7" or digits[:2] in _TWO_DIGITS or digits[:2] in _THREE_DIGITS


def inside(text: str) -> bool:
    """Return whether a text holds a telephone number with its country code after a plus sign."""
    return "+" in text and any(check(found[0]) for found in _INSIDE.finditer(text))


# About three of four random numbers have an assigned code: it is the plus sign, or 00, that is the evidence.
DETECTOR: Final = Detector(
    name="phone",
    version=1,
    looks_for="telephone numbers",
    check=check,
    sieve=r"^\(?\+[0-9]|^00[0-9 ]+[0-9 ./()-]{8,}$|\+[1-9]",
    digits=range(12, 18),
    mixed=range(9, 24),
    least_share=100,
    inside=inside,
)
