"""IP addresses that are routed.

Source: RFC 791, RFC 4291 (forms) and the special-purpose registries of RFC 6890, as Python's `ipaddress` has them: what
is private, reserved or meant for documentation names no machine of anybody.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Final

from packtrain.dataset.scan.detector import Detector

_FORM: Final = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}|[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7}")
_CLOCK: Final = re.compile(r"[0-9]{1,2}(?::[0-9]{2}){2}")


def check(cell: str) -> bool | None:
    """Return whether a cell is an address that is routed."""
    if _FORM.fullmatch(cell) is None or _CLOCK.fullmatch(cell):
        return None
    try:
        return ipaddress.ip_address(cell).is_global
    except ValueError:
        return False


# A column of versions in four parts ("1.2.3.4") passes as well: a person sees that at once, a number does not.
DETECTOR: Final = Detector(
    name="ip-address",
    version=1,
    looks_for="IP addresses",
    check=check,
    sieve=r"^[0-9]{1,3}(\.[0-9]{1,3}){3}$|^[0-9A-Fa-f]{0,4}:[0-9A-Fa-f:]{0,32}:[0-9A-Fa-f]{0,4}$",
    mixed=range(2, 40),
    least_share=250,
)
