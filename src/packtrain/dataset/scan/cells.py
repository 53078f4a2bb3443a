"""One cell: which detectors it is of the form of, and which it passes."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from packtrain.dataset.scan.column_names import meaning_of
from packtrain.dataset.scan.detector import MAX_TEXT, Detector, compact
from packtrain.dataset.scan.email import DETECTOR as EMAIL
from packtrain.dataset.scan.registry import INSIDE, OF_DIGITS, OF_MIXED

_LONGEST_FORM: Final = 64
"""A longer cell is text, and what is looked for is looked for inside of it."""
MAX_JSON: Final = 4096
_MAX_MEMBERS: Final = 64
_WITH_AT: Final = (EMAIL,)
Verdicts = dict[str, bool]


def verdicts_on(cell: str, words: set[str]) -> Verdicts:
    """Return, by detector, whether a cell passes; detectors of whose form it is not are left out.

    Args:
        cell: its text, at most `MAX_JSON` characters of it, without blanks around it.
        words: takes what the names of members mean where the cell is a JSON object.
    """
    found: Verdicts = {}
    if cell[:1] in ("{", "[") and len(cell) > 2:
        for member in _members(cell, words):
            _judge(member, found)
    else:
        _judge(cell, found)
    return found


def _judge(cell: str, found: Verdicts) -> None:
    text = cell[:MAX_TEXT].strip()
    if not text.isascii() and len(text) <= _LONGEST_FORM:
        # Digits of full width are digits; one sign becomes at most 18.
        text = unicodedata.normalize("NFKC", text)[:MAX_TEXT]
    if len(text) <= _LONGEST_FORM:
        for detector in _detectors_for(text):
            verdict = detector.check(text)
            if verdict is not None:
                found[detector.name] = verdict or found.get(detector.name, False)
    if " " in text or len(text) > _LONGEST_FORM:
        for detector in INSIDE:
            if detector.inside is not None and not found.get(detector.name, False) and detector.inside(text):
                found[detector.name] = True


def _detectors_for(text: str) -> tuple[Detector, ...]:
    if "@" in text:
        return _WITH_AT
    if text.isdigit() and text.isascii():
        return OF_DIGITS[len(text)]
    return OF_MIXED[len(compact(text))]


def _members(cell: str, words: set[str]) -> Iterator[str]:
    """Yield texts and numbers of a JSON list or object, the first 64; of what is no JSON the cell itself."""
    try:
        pending: list[Any] = [msgspec.json.decode(cell)]
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        yield cell
        return
    num_seen = 0
    while pending and num_seen < _MAX_MEMBERS:
        value = pending.pop()
        num_seen += 1
        if isinstance(value, dict):
            for name, member in list(value.items())[:_MAX_MEMBERS]:
                meaning = meaning_of(str(name))
                if meaning is not None and meaning.is_strong and member not in (None, ""):
                    words.add(meaning.word)
                yield str(name)
                pending.append(member)
        elif isinstance(value, list):
            pending += value[:_MAX_MEMBERS]
        elif isinstance(value, str):
            yield value
        elif isinstance(value, int) and not isinstance(value, bool):
            yield str(value)
