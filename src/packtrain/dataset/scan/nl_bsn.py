"""Citizen service numbers of the Netherlands (BSN): nine digits.

Source: Logisch Ontwerp BSN, "elfproef": 9a + 8b + ... + 2h - i is a multiple of 11, and not 0.
"""

from __future__ import annotations

import re
from typing import Final

from packtrain.dataset.scan.detector import Detector, compact, weighted_sum

_FORM: Final = re.compile(r"[0-9]{9}|[0-9]{4}\.[0-9]{2}\.[0-9]{3}|[0-9]{3}[ .][0-9]{3}[ .][0-9]{3}")
_WEIGHTS: Final = (9, 8, 7, 6, 5, 4, 3, 2, -1)


def check(cell: str) -> bool | None:
    """Return whether a cell is a BSN."""
    if _FORM.fullmatch(cell) is None:
        return None
    digits = compact(cell)
    return weighted_sum(digits, _WEIGHTS) % 11 == 0 and len(set(digits)) > 1


DETECTOR: Final = Detector(
    name="nl-bsn",
    version=1,
    looks_for="citizen service numbers (NL BSN)",
    check=check,
    sieve=r"^[0-9]{9}$|^[0-9]{3,4}[ .][0-9]{2,3}[ .][0-9]{3}$",
    digits=range(9, 10),
    mixed=range(9, 10),
    chance=90_910,  # 1 in 11
)
