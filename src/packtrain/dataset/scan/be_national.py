"""National register numbers of Belgium: YY.MM.DD-XXX.CC.

Source: Royal Decree of 3 April 1984, articles 1 to 5: CC is 97 less the first nine digits modulo 97, a 2 put before
them for those born from 2000 on. Of "bis" numbers the month is raised by 20 or 40.
"""

from __future__ import annotations

import re
from typing import Final

from packtrain.dataset.scan.detector import Detector

_FORM: Final = re.compile(r"([0-9]{2})[.]?([0-9]{2})[.]?([0-9]{2})[- ]?([0-9]{3})[.]?([0-9]{2})")


def check(cell: str) -> bool | None:
    """Return whether a cell is a national register number."""
    found = _FORM.fullmatch(cell)
    if found is None:
        return None
    # A month or day that is not known is 00.
    if int(found[2]) % 20 > 12 or int(found[2]) > 52 or int(found[3]) > 31 or found[4] in ("000", "999"):
        return False
    number = found[1] + found[2] + found[3] + found[4]
    return int(found[5]) in (97 - int(number) % 97, 97 - int("2" + number) % 97)


DETECTOR: Final = Detector(
    name="be-national-number",
    version=1,
    looks_for="national register numbers (BE)",
    check=check,
    sieve=r"^[0-9]{2}\.?[0-9]{2}\.?[0-9]{2}[- ]?[0-9]{3}\.?[0-9]{2}$",
    digits=range(11, 12),
    mixed=range(11, 12),
    chance=2_600,  # two of 100 check numbers, a month and a day (1 in 8)
    least_share=100,
)
