"""Payment card numbers.

Source: ISO/IEC 7812-1 (Luhn's check digit, annex B) and the number ranges that the card schemes publish: Visa 4 (16 or
19 digits), Mastercard 51-55 and 2221-2720, American Express 34 and 37 (15), Diners 300-305, 36, 38, 39 (14), Discover
6011, 644-649, 65, JCB 3528-3589, UnionPay 62 (16 to 19), Maestro 50, 56-58, 67 only with 16 to 19 digits.
"""

from __future__ import annotations

import re
from typing import Final

from packtrain.dataset.scan.detector import Detector, compact

_FORM: Final = re.compile(
    r"[0-9]{14,19}|[0-9]{4}([ -])[0-9]{4}\1[0-9]{4}\1[0-9]{4}(?:\1[0-9]{3})?|[0-9]{4}([ -])[0-9]{6}\2[0-9]{4,5}"
)
_INSIDE: Final = re.compile(
    r"(?<![0-9.,-])(?:[0-9]{15,16}|[0-9]{4}([ -])[0-9]{4}\1[0-9]{4}\1[0-9]{4})(?![0-9.,-]*[0-9])"
)
_DOUBLED: Final = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)


def passes_luhn(digits: str) -> bool:
    """Return whether a row of digits ends in its Luhn check digit."""
    from_the_right = [int(digit) for digit in reversed(digits)]
    return (sum(from_the_right[::2]) + sum(_DOUBLED[digit] for digit in from_the_right[1::2])) % 10 == 0


def _has_issuer(digits: str) -> bool:
    four, three, two, length = int(digits[:4]), int(digits[:3]), int(digits[:2]), len(digits)
    if length == 14:
        return 300 <= three <= 305 or two in (36, 38, 39)
    if length == 15:
        return two in (34, 37)
    if length == 16 and (51 <= two <= 55 or 2221 <= four <= 2720):
        return True
    if length in (16, 19) and digits[0] == "4":
        return True
    longer = four == 6011 or 644 <= three <= 649 or two == 65 or 3528 <= four <= 3589 or two == 62
    return length >= 16 and (longer or two in (50, 56, 57, 58, 67))


def check(cell: str) -> bool | None:
    """Return whether a cell is the number of a card."""
    if _FORM.fullmatch(cell) is None:
        return None
    digits = compact(cell)
    return _has_issuer(digits) and passes_luhn(digits) and len(set(digits)) > 1


def inside(text: str) -> bool:
    """Return whether a text holds the number of a card."""
    return any(check(found[0]) for found in _INSIDE.finditer(text))


# Issuers have less than a third of all numbers, one of ten passes; 1 in 10 also where a column has one issuer.
DETECTOR: Final = Detector(
    name="payment-card",
    version=1,
    looks_for="payment card numbers",
    check=check,
    sieve=r"^[0-9]{4}[ -]?[0-9]{4,6}[ -]?[0-9]{4}[ -]?[0-9]{2,7}$|[0-9][0-9 -]{13}",
    digits=range(14, 20),
    mixed=range(14, 20),
    chance=100_000,
    least_share=250,
    inside=inside,
)
