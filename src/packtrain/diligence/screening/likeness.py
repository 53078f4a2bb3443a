"""How alike two words are: by letters, by sound, as a short form, or by consonants where a script writes no vowels."""

from __future__ import annotations

import re
from typing import Final

from rapidfuzz.distance import OSA

LEAST: Final = 0.7
"""Words less alike than this are two words. One letter in four, two in seven; none in three, which is on purpose."""
SOUND: Final = 0.85
SHORT_FORM: Final = 0.85
INITIAL: Final = 0.8
_LEAST_SOUND: Final = 0.5
SHORT_FORM_LETTERS: Final = 4
"""A word that begins another one may be its short form if it has so many letters."""

_WITH_H: Final = tuple(
    (letters, heard)
    for heard, spellings in (
        ("s", ("shch", "tsch", "dzh", "sch", "tch", "tsh", "sh", "ch", "zh")),
        ("k", ("kh", "gh")),
        ("t", ("th",)),
        ("d", ("dh",)),
        ("f", ("ph",)),
    )
    for letters in spellings
)
_SOFT_C: Final = re.compile("c(?=[eiyz])")
_HEARD: Final = str.maketrans(
    {**dict.fromkeys("aeiouyhj"), **dict.fromkeys("cqg", "k"), "v": "f", "w": "f", "z": "s", "x": "ks"}
)
_REPEATED: Final = re.compile(r"([^ ])\1+")
_NO_VOWEL: Final = frozenset("aeiou")
_CONSONANT: Final = str.maketrans(
    {**dict.fromkeys("aeiouwyh"), **dict.fromkeys("cqgx", "k"), "p": "b", "v": "f", "z": "s"}
)


def sound(words: str) -> str:
    """Return how a word sounds, roughly: its consonants, those alike as one letter. Spellings of one name share it.

    Several words with a space between are answered so, each by itself: many at once take a fraction of the time.
    """
    if "h" in words:
        for letters, heard in _WITH_H:
            words = words.replace(letters, heard)
    if "c" in words:
        words = _SOFT_C.sub("s", words)
    key = words.replace("ts", "s").replace("tz", "s").replace("dj", "j").translate(_HEARD)
    return _REPEATED.sub(r"\1", key)


def skeleton(words: str) -> str:
    """Return the consonants that a script without vowels would write of a word, or of each of several."""
    for letters, heard in (("sh", "s"), ("kh", "k"), ("gh", "k"), ("th", "t"), ("dh", "d")):
        words = words.replace(letters, heard)
    return _REPEATED.sub(r"\1", words.translate(_CONSONANT))


def has_no_vowel(word: str) -> bool:
    """Return whether a word is spelled as a script without vowels is in Latin letters."""
    return len(word) > 1 and word.isalpha() and _NO_VOWEL.isdisjoint(word)


def likeness(one: str, other: str) -> float:
    """Return how alike two words are, 0 to 1; the same whichever comes first. Numbers are the same or not alike."""
    if one == other:
        return 1.0
    if not (one.isalpha() and other.isalpha()):
        return 0.0
    letters = OSA.normalized_similarity(one, other)
    best = letters if letters >= LEAST else 0.0
    if best < SOUND:
        if (letters >= _LEAST_SOUND and _same(sound(one), sound(other))) or (
            (has_no_vowel(one) or has_no_vowel(other)) and _same(skeleton(one), skeleton(other))
        ):
            best = SOUND
        elif min(len(one), len(other)) >= SHORT_FORM_LETTERS and (one.startswith(other) or other.startswith(one)):
            best = SHORT_FORM
    return best


def _same(one: str, other: str) -> bool:
    return len(one) > 1 and one == other
