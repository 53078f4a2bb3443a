"""Words from drives and dossiers, made safe to show."""

from __future__ import annotations

import re
from typing import Final

# Controls (an escape sequence can retitle, recolour and rewrite a terminal), signs that turn the direction of writing,
# and the lone surrogates by which Python spells bytes that are no UTF-8, which stdout would refuse.
_UNSAFE: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def harmless(text: str) -> str:
    """Return the text with what a terminal would obey shown as \\uXXXX; ends of lines and tabs stay."""
    return _UNSAFE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def on_one_line(text: str) -> str:
    """Return the text so too, and with what would break a line."""
    return harmless(text).replace("\n", "\\u000a").replace("\t", "\\u0009")
