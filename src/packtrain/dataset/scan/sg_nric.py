"""NRIC and FIN of Singapore: a letter, seven digits, a check letter.

Source: the check letter as described for validation by developers; the Immigration & Checkpoints Authority does not
publish it. S and T: weights 2 7 6 5 4 3 2, offset 0 or 4; F and G the same with another row of letters; M since 2022,
offset 3.
"""

from __future__ import annotations

import re
from typing import Final

from packtrain.dataset.scan.detector import Detector, weighted_sum

_FORM: Final = re.compile(r"[STFGM][0-9]{7}[A-Z]", re.IGNORECASE | re.ASCII)
_WEIGHTS: Final = (2, 7, 6, 5, 4, 3, 2)
_OFFSETS: Final = {"S": 0, "T": 4, "F": 0, "G": 4, "M": 3}
_LETTERS: Final = {
    "S": "JZIHGFEDCBA",
    "T": "JZIHGFEDCBA",
    "F": "XWUTRQPNMLK",
    "G": "XWUTRQPNMLK",
}


def check(cell: str) -> bool | None:
    """Return whether a cell is an NRIC or FIN."""
    if _FORM.fullmatch(cell) is None:
        return None
    text = cell.upper()
    rest = (weighted_sum(text[1:8], _WEIGHTS) + _OFFSETS[text[0]]) % 11
    if text[0] == "M":
        return "KLJNPQRTUWX"[10 - rest] == text[8]
    return _LETTERS[text[0]][rest] == text[8]


DETECTOR: Final = Detector(
    name="sg-nric",
    version=1,
    looks_for="identity numbers (SG NRIC, FIN)",
    check=check,
    sieve=r"^[STFGMstfgm][0-9]{7}[A-Za-z]$",
    mixed=range(9, 10),
    chance=90_910,  # 1 in 11, where the last letter is one of those that occur
)
