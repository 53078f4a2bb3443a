"""Whether two signed names may be one person's: what counts as two persons must not rest on a space or an accent."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from anyascii import anyascii

_WORD = re.compile(r"[a-z0-9]+")


def spelled_alike(name: str) -> str:
    """Return what the spellings of one name have in common.

    Case, spaces, punctuation, accents, invisible characters, the order of the words, and letters of another script that
    stand for the same Latin one make no second person. Two names that somebody made up do: see the threat model.
    """
    # Invisible ones first: a zero width space inside a name would part it into two words.
    seen = "".join(char for char in unicodedata.normalize("NFKC", name) if unicodedata.category(char) != "Cf")
    words = sorted(_WORD.findall(anyascii(seen).lower()))
    return " ".join(words) or seen.strip().casefold()


def are_two(signers: Iterable[tuple[str, str]]) -> bool:
    """Return whether (key, name) pairs are of two persons at least: two keys, and two names."""
    pairs = [(key, spelled_alike(name)) for key, name in signers]
    return len({key for key, _ in pairs}) > 1 and len({name for _, name in pairs}) > 1
