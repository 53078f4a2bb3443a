"""Social security numbers of the United States, written AAA-GG-SSSS.

Source: 20 CFR 422.103 and what the Social Security Administration says of its randomised numbers since 2011: no area
000, 666 or 900 and above, no group 00, no serial 0000. There is no check digit: nine digits without dashes are not
looked for, nine of ten random ones would pass.
"""

from __future__ import annotations

import re
from typing import Final

from packtrain.dataset.scan.detector import Detector

_FORM: Final = re.compile(r"([0-9]{3})-([0-9]{2})-([0-9]{4})")


def check(cell: str) -> bool | None:
    """Return whether a cell may be a social security number."""
    found = _FORM.fullmatch(cell)
    if found is None:
        return None
    return found[1] not in ("000", "666") and found[1] < "900" and found[2] != "00" and found[3] != "0000"


DETECTOR: Final = Detector(
    name="us-ssn",
    version=1,
    looks_for="social security numbers (US)",
    check=check,
    sieve=r"^[0-9]{3}-[0-9]{2}-[0-9]{4}$",
    mixed=range(9, 10),
    least_share=500,
)
