"""What the name of a column means, in several languages. The name itself is never passed on: only our own word for it.

A strong word is a finding where the column is filled. A weak one ("name", "city") stands in many tables that are about
no person: it counts where the table has another finding, or three weak words of different meaning.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Final

from packtrain.dataset.scan.dictionary import PLACES, STRONG, WEAK

MAX_NAME: Final = 128
MAX_WORDS: Final = 4
LEAST_WEAK: Final = 3


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a column's name means; `is_strong` where that is enough by itself."""

    word: str
    is_strong: bool


_CAMEL: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_NO_LETTER: Final = re.compile(r"[\W_]+")


def _plain(name: str) -> str:
    """Return a name in lower case, without accents and signs, its words apart by one blank."""
    text = _CAMEL.sub(" ", unicodedata.normalize("NFKC", name[:MAX_NAME])[:MAX_NAME]).casefold()
    bare = "".join(letter for letter in unicodedata.normalize("NFKD", text) if not unicodedata.combining(letter))
    # Hangul and kana come apart in NFKD; they are put together again.
    return _NO_LETTER.sub(" ", unicodedata.normalize("NFC", bare)).strip()


def _table() -> tuple[dict[str, Meaning], dict[str, Meaning]]:
    whole: dict[str, Meaning] = {}
    parts: dict[str, Meaning] = {}
    for meanings, is_strong in ((PLACES, False), (WEAK, False), (STRONG, True)):
        for word, entries in meanings.items():
            for entry in entries.split(","):
                plain = _plain(entry.strip().removeprefix("="))
                whole[plain] = Meaning(word, is_strong)
                if not entry.strip().startswith("="):
                    parts[plain] = Meaning(word, is_strong)
    return whole, parts


_WHOLE, _PARTS = _table()
_WITHOUT_BLANKS: Final = tuple((entry, meaning) for entry, meaning in _PARTS.items() if ord(entry[0]) > 0x2E00)


def meaning_of(name: str) -> Meaning | None:
    """Return what a column's name means, or None where the dictionary does not have it; a strong meaning goes first."""
    plain = _plain(name)
    if (whole := _WHOLE.get(plain)) is not None:
        return whole
    words = plain.split(" ")
    found: Meaning | None = None
    for first in range(len(words)):
        for end in range(first + 1, min(first + MAX_WORDS, len(words)) + 1):
            meaning = _PARTS.get(" ".join(words[first:end]))
            if meaning is not None and meaning.word not in PLACES and (found is None or meaning.is_strong):
                found = meaning
    if not plain.isascii():
        # Scripts without blanks between words.
        for entry, meaning in _WITHOUT_BLANKS:
            if entry in plain and (found is None or meaning.is_strong):
                found = meaning
    return found
