"""E-mail addresses.

Source: RFC 5321 sections 2.3.11 and 4.5.3.1 (local part up to 64, domain up to 255 octets), RFC 1035 section 2.3.1
(labels). Quoted local parts and addresses by number are not looked for.
"""

from __future__ import annotations

import re
from typing import Final

from packtrain.dataset.scan.detector import ANY_TEXT, Detector

# Every repetition is bounded and neighbours share no letter: no cell makes it slow.
_LABEL: Final = r"[^\W_](?:[\w-]{0,61}[^\W_])?"
_ADDRESS: Final = re.compile(
    rf"[\w.!#$%&'*+/=?^`{{|}}~-]{{1,64}}@(?:{_LABEL}\.){{1,8}}(?:[^\W\d_]{{2,24}}|xn--[a-z0-9-]{{2,59}})"
)
_INSIDE: Final = re.compile(rf"(?<=[\w+-])@(?:{_LABEL}\.){{1,8}}[^\W\d_]{{2,24}}")


def check(cell: str) -> bool | None:
    """Return whether a cell is an e-mail address."""
    if "@" not in cell:
        return None
    return _ADDRESS.fullmatch(cell.removeprefix("mailto:")) is not None


def inside(text: str) -> bool:
    """Return whether a text holds an e-mail address."""
    return "@" in text and _INSIDE.search(text) is not None


DETECTOR: Final = Detector(
    name="e-mail",
    version=1,
    looks_for="e-mail addresses",
    check=check,
    sieve=r"@",
    mixed=ANY_TEXT,
    least_share=10,
    inside=inside,
)
