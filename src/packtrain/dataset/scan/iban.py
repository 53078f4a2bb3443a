"""International bank account numbers.

Source: ISO 13616-1 (form, check by mod 97-10 of ISO/IEC 7064) and the registry of the lengths by country that SWIFT
publishes; countries whose length is not in the table are not looked for.
"""

from __future__ import annotations

import re
from typing import Final

from packtrain.dataset.scan.detector import Detector, compact

_LENGTHS: Final = {
    country: int(entry[:2])
    for entry in ["15NO", "16BE", "18DK", "18FI", "18FO", "18GL", "18NL", "19MK", "19SI", "20AT", "20BA", "20EE", "20KZ", "20LT", "20LU", "20XK", "21CH", "21HR", "21LI", "21LV", "22BG", "22BH", "22CR", "22DE", "22GB", "22GE", "22IE", "22ME", "22RS", "23AE", "23GI", "23IL", "24AD", "24CZ", "24ES", "24MD", "24PK", "24RO", "24SA", "24SE", "24SK", "24TN", "24VG", "25PT", "26IS", "26TR", "27FR", "27GR", "27IT", "27MC", "27MR", "27SM", "28AL", "28AZ", "28BY", "28CY", "28DO", "28GT", "28HU", "28LB", "28PL", "29BR", "29PS", "29QA", "29UA", "30JO", "30KW", "30MU", "31MT"]
    for country in (entry[2:],)
}
_FORM: Final = re.compile(
    r"[A-Z]{2}[0-9]{2}(?:[A-Z0-9]{11,27}|(?: [A-Z0-9]{4}){2,6}(?: [A-Z0-9]{1,4})?)", re.IGNORECASE
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
    mixed=range(15, 32),
    chance=10_310,  # 1 in 97
    least_share=50,
    inside=inside,
)
