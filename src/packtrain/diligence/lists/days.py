"""The day that a list states of itself, in the spellings that publishers use."""

from __future__ import annotations

import re
from datetime import date
from typing import Final

_ISO: Final = re.compile(r"\b(\d{4})-(\d{2})-(\d{2})")
_SLASHES: Final = re.compile(r"\b(\d{1,2})/(\d{1,2})/(\d{4})\b")
_WORDS: Final = re.compile(r"\b(\d{1,2})[- ]([A-Za-z]{3})[a-z]*[- ](\d{4})\b")
_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


def day(text: str) -> str | None:
    """Return the first day in a text as YYYY-MM-DD: ISO, DD/MM/YYYY or "23-Sep-2026"; None where there is none."""
    try:
        if found := _ISO.search(text):
            return date(int(found[1]), int(found[2]), int(found[3])).isoformat()
        if found := _SLASHES.search(text):
            return date(int(found[3]), int(found[2]), int(found[1])).isoformat()
        if (found := _WORDS.search(text)) and found[2].lower() in _MONTHS:
            return date(int(found[3]), _MONTHS.index(found[2].lower()) + 1, int(found[1])).isoformat()
    except ValueError:
        return None
    return None
