"""Social security numbers of France (NIR) with their key: 15 places.

Source: INSEE, structure of the NIR (decree 82-103): sex, year, month, department, commune, order; the key is 97 less
the thirteen digits modulo 97, where 2A and 2B count as 19 and 18.
"""

from __future__ import annotations

import re
from typing import Final

from packtrain.dataset.scan.detector import Detector, compact

_FORM: Final = re.compile(
    r"[12378] ?[0-9]{2} ?(?:0[1-9]|1[0-2]|[2-9][0-9]) ?(?:[0-9]{2}|2[ABab]) ?[0-9]{3} ?[0-9]{3} ?[0-9]{2}"
)


def check(cell: str) -> bool | None:
    """Return whether a cell is a NIR with its key."""
    if _FORM.fullmatch(cell) is None:
        return None
    text = compact(cell).upper()
    number = text[:13].replace("2A", "19", 1) if text[5:7] == "2A" else text[:13]
    number = number.replace("2B", "18", 1) if text[5:7] == "2B" else number
    return int(text[13:]) == 97 - int(number) % 97


DETECTOR: Final = Detector(
    name="fr-nir",
    version=1,
    looks_for="social security numbers (FR NIR)",
    check=check,
    sieve=r"^[12378] ?[0-9]{2} ?[0-9]{2} ?[0-9][0-9ABab] ?[0-9]{3} ?[0-9]{3} ?[0-9]{2}$",
    digits=range(15, 16),
    mixed=range(15, 16),
    chance=10_310,  # 1 in 97
    least_share=100,
)
