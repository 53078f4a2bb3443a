"""RUN and RUT of Chile, written with the dash before the check character: 12.345.678-5.

Source: the mod 11 of the Servicio de Registro Civil: weights 2 to 7 from the right, again and again; 11 is 0, 10 is K.
"""

from __future__ import annotations

import re
from typing import Final

from packtrain.dataset.scan.detector import Detector, compact

_FORM: Final = re.compile(r"(?:[0-9]{1,2}\.[0-9]{3}\.[0-9]{3}|[0-9]{7,8})-[0-9Kk]")
_WEIGHTS: Final = (2, 3, 4, 5, 6, 7, 2, 3)


def check(cell: str) -> bool | None:
    """Return whether a cell is a RUN or RUT."""
    if _FORM.fullmatch(cell) is None:
        return None
    text = compact(cell).upper()
    total = sum(int(digit) * weight for digit, weight in zip(reversed(text[:-1]), _WEIGHTS, strict=False))
    return "0123456789K"[-total % 11] == text[-1] and len(set(text)) > 1


DETECTOR: Final = Detector(
    name="cl-rut",
    version=1,
    looks_for="identity numbers (CL RUN, RUT)",
    check=check,
    sieve=r"^[0-9]{1,2}\.?[0-9]{3}\.?[0-9]{3}-[0-9Kk]$",
    mixed=range(8, 10),
    chance=90_910,  # 1 in 11
)
