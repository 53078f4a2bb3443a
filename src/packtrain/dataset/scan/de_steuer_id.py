"""Tax identification numbers of persons of Germany (Steuer-ID): eleven digits.

Source: Abgabenordnung sections 139a and 139b and the check rule of the Bundeszentralamt für Steuern: ISO/IEC 7064 mod
11,10; the first is not 0; of the first ten digits one occurs twice or three times, all others once at most.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Final

from packtrain.dataset.scan.detector import Detector, compact

_FORM: Final = re.compile(r"[1-9][0-9]{10}|[1-9][0-9] [0-9]{3} [0-9]{3} [0-9]{3}")


def check(cell: str) -> bool | None:
    """Return whether a cell is a Steuer-ID."""
    if _FORM.fullmatch(cell) is None:
        return None
    digits = compact(cell)
    times = sorted(Counter(digits[:10]).values())
    if times[-1] not in (2, 3) or times[-2] != 1 or any(digit * 3 in digits[:10] for digit in "0123456789"):
        return False
    product = 10
    for digit in digits[:10]:
        product = ((int(digit) + product) % 10 or 10) * 2 % 11
    return (11 - product) % 10 == int(digits[10])


DETECTOR: Final = Detector(
    name="de-steuer-id",
    version=1,
    looks_for="tax numbers of persons (DE Steuer-ID)",
    check=check,
    sieve=r"^[1-9][0-9]{10}$|^[1-9][0-9] [0-9]{3} [0-9]{3} [0-9]{3}$",
    digits=range(11, 12),
    mixed=range(11, 12),
    chance=4_000,  # how often digits repeat (1 in 25 or so), a check digit (1 in 10)
    least_share=100,
)
