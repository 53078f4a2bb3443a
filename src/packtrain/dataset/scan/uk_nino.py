"""National insurance numbers of the United Kingdom: two letters, six digits, A to D.

Source: HMRC, National Insurance Manual NIM39110: letters that are not used, prefixes that are not given.
"""

from __future__ import annotations

import re
from typing import Final

from packtrain.dataset.scan.detector import Detector, compact

_FORM: Final = re.compile(r"[A-Z]{2} ?[0-9]{2} ?[0-9]{2} ?[0-9]{2} ?[A-Z]", re.IGNORECASE | re.ASCII)
_NUMBER: Final = re.compile(r"(?!BG|GB|KN|NK|NT|TN|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z][0-9]{6}[A-D]")


def check(cell: str) -> bool | None:
    """Return whether a cell may be a national insurance number."""
    if _FORM.fullmatch(cell) is None:
        return None
    return _NUMBER.fullmatch(compact(cell).upper()) is not None


DETECTOR: Final = Detector(
    name="uk-nino",
    version=1,
    looks_for="national insurance numbers (UK)",
    check=check,
    sieve=r"^[A-Za-z]{2} ?[0-9]{2} ?[0-9]{2} ?[0-9]{2} ?[A-Za-z]$",
    mixed=range(9, 10),
    chance=86_000,  # prefixes (56 in 100), a last letter (4 in 26)
    least_share=300,
)
