"""HTML that is built, never pasted together: every text is escaped, and what could not be seen is shown.

The texts of documents come from other parties. A text becomes markup nowhere; control characters and those that turn
the direction of writing round are written out by their number, so that what is printed is what was signed.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from html import escape
from typing import Final

_BLANKS: Final = re.compile(r"[ \t\r\n]+")
_TURNS: Final = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


class Html(str):
    """Markup that was made here. Any other `str` is text, and is escaped."""

    __slots__ = ()


def visible(text: str) -> str:
    """Return a text as one line, with characters that print nothing and change what is read shown as <U+202E>."""
    return "".join(
        f"<U+{ord(sign):04X}>" if sign in _TURNS or unicodedata.category(sign) in ("Cc", "Cs") else sign
        for sign in _BLANKS.sub(" ", text)
    )


def safe(part: str) -> Html:
    """Return markup as it is, and any other text escaped."""
    return part if isinstance(part, Html) else Html(escape(visible(part), quote=True))


def join(parts: Iterable[str]) -> Html:
    """Return parts one after the other, each made safe."""
    return Html("".join(safe(part) for part in parts))


def el(name: str, *parts: str, cls: str = "", span: int = 0) -> Html:
    """Return an element; `cls` and `span` are words of this package, never of a document."""
    attributes = (f' class="{cls}"' if cls else "") + (f' colspan="{span}"' if span else "")
    return Html(f"<{name}{attributes}>{join(parts)}</{name}>")
