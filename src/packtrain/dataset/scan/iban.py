"""International bank account numbers.

Source: ISO 13616-1 (form, check by mod 97-10 of ISO/IEC 7064) and the registry of the lengths by country that SWIFT
publishes; countries whose length is not in the table are not looked for.
"""

from __future__ import annotations

import re
from typing import Final

from packtrain.dataset.scan.detector import Detector, compact

_COUNTRIES: Final = {
    15: "NO",
    16: "BE",
    18: "DK FI FO GL NL",
    19: "MK SI",
    20: "AT BA EE KZ LT LU XK",
    21: "CH HR LI LV",
    22: "BG BH CR DE GB GE IE ME RS",
    23: "AE GI IL",
    24: "AD CZ ES MD PK RO SA SE SK TN VG",
    25: "PT",
    26: "IS TR",
    27: "FR GR IT MC MR SM",
    28: "AL AZ BY CY DO GT HU LB PL",
    29: "BR PS QA UA",
    30: "JO KW MU",
    31: "MT",
}
_LENGTHS: Final = {country: length for length, countries in _COUNTRIES.items() for country in countries.split(" ")}
_FORM: Final = re.compile(
    r"[A-Z]{2}[0-9]{2}(?:[A-Z0-9]{11,27}|(?: [A-Z0-9]{4}){2,6}(?: [A-Z0-9]{1,4})?)", re.IGNORECASE | re.ASCII
)
_INSIDE: Final = re.compile(r"\b[A-Z]{2}[0-9]{2}(?:[A-Z0-9]{11,27}|(?: [A-Z0-9]{4}){2,6}(?: [A-Z0-9]{1,4})?)\b")


def check(cell: str) -> bool | None:
    """Return whether a cell is an IBAN."""
    if _FORM.fullmatch(cell) is None:
        return None
    text = compact(cell).upper()
    if _LENGTHS.get(text[:2]) != len(text):
        return None
    return int("".join(str(int(letter, 36)) for letter in text[4:] + text[:4])) % 97 == 1


def inside(text: str) -> bool:
    """Return whether a text holds an IBAN."""
    return any(check(found[0]) for found in _INSIDE.finditer(text))


DETECTOR: Final = Detector(
    name="iban",
    version=1,
    looks_for="bank account numbers (IBAN)",
    check=check,
    sieve=r"^[A-Za-z]{2}[0-9]{2}[ A-Za-z0-9]{11,38}$|[A-Z]{2}[0-9]{2} ?[A-Z0-9]{4}",
    mixed=range(15, 32),
    chance=10_310,  # 1 in 97
    least_share=50,
    inside=inside,
)
