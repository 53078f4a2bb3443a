"""What a detector is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from operator import mul
from typing import Final

from packtrain.units import KIB

MAX_TEXT: Final = KIB // 2
"""Characters of a cell that are looked at."""
ANY_TEXT: Final = range(1, MAX_TEXT + 1)
NEVER: Final = range(0)
_SEPARATORS: Final = str.maketrans("", "", " .-/")


@dataclass(frozen=True, slots=True)
class Detector:
    """Tells whether a cell is of a form, and whether it passes.

    Attributes:
        name: in the document; never given to another detector.
        version: counted up when the same cells would give other counts.
        looks_for: in plain words, plural.
        check: True: it passes; False: of the form, but the checksum or a range is wrong; None: another form.
        sieve: what a cell, or a text that holds one, matches at least, in the syntax of RE2: most cells are passed over
            by it, a column at a time.
        digits: lengths of a cell of digits alone.
        mixed: lengths of any other cell without its separators.
        chance: of a million random texts of the form, how many pass; 0: the form itself is the evidence.
        least_share: of a thousand filled cells, how many must pass.
        inside: whether a text holds one; None: a cell must be one.
    """

    name: str
    version: int
    looks_for: str
    check: Callable[[str], bool | None]
    sieve: str
    digits: range = NEVER
    mixed: range = NEVER
    chance: int = 0
    least_share: int = 250
    inside: Callable[[str], bool] | None = None


def compact(text: str) -> str:
    """Return a text without blanks, full stops, dashes and slashes."""
    return text.translate(_SEPARATORS)


def weighted_sum(digits: str, weights: tuple[int, ...]) -> int:
    """Return the sum of digits times weights, position by position; both are of one length."""
    return sum(map(mul, map(int, digits), weights))
