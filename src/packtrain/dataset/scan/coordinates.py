"""Precise places: latitude and longitude in one column, or in two whose names say so.

Source: ISO 6709 (annex H: decimal degrees with sign) and the well-known text POINT of OGC 06-103r4. Four decimals are
about 11 m; with fewer it is a town or a region and not counted.
"""

from __future__ import annotations

import re
from typing import Final

from packtrain.dataset.scan.detector import Detector

_DEGREES: Final = r"[+-]?[0-9]{1,3}\.[0-9]{1,15}"
_PAIR: Final = re.compile(rf"[(\[]?({_DEGREES})(?:[,;] ?| )({_DEGREES})[)\]]?")
_ISO: Final = re.compile(r"([+-][0-9]{2}\.[0-9]{1,15})([+-][0-9]{3}\.[0-9]{1,15})/?")
_POINT: Final = re.compile(rf"POINT ?\(({_DEGREES}) ({_DEGREES})\)", re.IGNORECASE | re.ASCII)
_LEAST_DECIMALS: Final = 4


def is_precise(latitude: str, longitude: str) -> bool:
    """Return whether two decimals are a place on Earth to about 11 m."""
    try:
        north, east = float(latitude), float(longitude)
    except ValueError:
        return False
    decimals = min(len(text.partition(".")[2]) for text in (latitude, longitude))
    # Two numbers between -1 and 1 are rather shares or components of a vector than a place in the Gulf of Guinea.
    is_small = abs(north) <= 1 and abs(east) <= 1
    return decimals >= _LEAST_DECIMALS and abs(north) <= 90 and abs(east) <= 180 and not is_small


def check(cell: str) -> bool | None:
    """Return whether a cell is latitude and longitude, in either order."""
    if "." not in cell:
        return None
    found = _PAIR.fullmatch(cell) or _ISO.fullmatch(cell) or _POINT.fullmatch(cell)
    if found is None:
        return None
    return is_precise(found[1], found[2]) or is_precise(found[2], found[1])


DETECTOR: Final = Detector(
    name="coordinates",
    version=1,
    looks_for="precise coordinates",
    check=check,
    sieve=r"^[(\[]?[+-]?[0-9]{1,3}\.[0-9]{1,15}[,; ] ?[+-]?[0-9]|^[+-][0-9]{2}\.[0-9]{1,15}[+-][0-9]|^(?i:point) ?\(",
    mixed=range(6, 48),
    least_share=250,
)
