"""DNI and NIE of Spain: eight digits and a letter; X, Y or Z, seven digits and a letter.

Source: Royal Decree 1553/2005, article 11, and Orden INT/2058/2008: the letter is the number modulo 23 in the row
TRWAGMYFPDXBNJZSQVHLCKE, with X, Y and Z as 0, 1 and 2.
"""

from __future__ import annotations

import re
from typing import Final

from packtrain.dataset.scan.detector import Detector, compact

_FORM: Final = re.compile(
    r"(?:[0-9]{8}|[0-9]{2}\.[0-9]{3}\.[0-9]{3}|[XYZ][ -]?[0-9]{7})[ -]?[TRWAGMYFPDXBNJZSQVHLCKE]",
    re.IGNORECASE | re.ASCII,
)
_LETTERS: Final = "TRWAGMYFPDXBNJZSQVHLCKE"


def check(cell: str) -> bool | None:
    """Return whether a cell is a DNI or NIE."""
    if _FORM.fullmatch(cell) is None:
        return None
    text = compact(cell).upper()
    number = str("XYZ".index(text[0])) + text[1:8] if text[0] in "XYZ" else text[:8]
    return _LETTERS[int(number) % 23] == text[8]


DETECTOR: Final = Detector(
    name="es-dni",
    version=1,
    looks_for="identity numbers (ES DNI, NIE)",
    check=check,
    sieve=r"^[XYZxyz0-9][0-9. -]{7,10}[A-Za-z]$",
    mixed=range(9, 10),
    chance=43_480,  # 1 in 23
)
