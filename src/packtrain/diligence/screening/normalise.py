"""Names and addresses as they are compared: in their own script and in Latin letters, in words that weigh differently.

Nothing is thrown away: a name that is nothing but generic words, or nothing but a legal form, is compared by these.
Short names stay too; their words are compared exactly, because two words of three letters are alike by chance.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from anyascii import anyascii

from packtrain.diligence.screening.vocabulary import (
    ADDRESS_GENERIC,
    ADDRESS_SIGNS,
    GENERIC,
    LEGAL_FORMS,
    LEGAL_PHRASES,
    PARTICLES,
    SIGNS,
)

MAX_TEXT: Final = 1024
"""Characters of a name or address that are compared: one that is longer is prose."""
MAX_WORDS: Final = 32
OWN_WEIGHT: Final = 10
NUMBER_WEIGHT: Final = 6
GENERIC_WEIGHT: Final = 4
LEAST_WEIGHT: Final = 1

_WORD: Final = re.compile(r"[^\W_]+")
_DOTTED: Final = re.compile(r"(?<![^\W_])(?:[^\W\d_]\.\s?){1,6}(?:[^\W\d_](?![^\W_]))?")
_NO_WORD: Final = {code: " " for code in range(128) if not chr(code).isalnum()}
_APOSTROPHES: Final = dict.fromkeys(map(ord, "'’‘`´ʹʺʼ"))
# Scripts that are written without spaces: CJK signs, kana, hangul.
_UNSPACED: Final = re.compile("[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff]")
_ARABIC_ARTICLE: Final = re.compile(r"(?<!\w)(?:\u0648?\u0627\u0644|\u0644\u0644|\u0628\u0627\u0644)(?=\w{3})")
_PHRASES: Final = re.compile(
    r"\b(?:" + "|".join(re.escape(phrase) for phrase in sorted(LEGAL_PHRASES, key=len, reverse=True)) + r")\b"
)
_PHRASE_STARTS: Final = frozenset(phrase.split()[0] for phrase in LEGAL_PHRASES)
_VARIANT: Final = re.compile(
    r"[()\[\]（）;/|]|\b(?:[afn]\.?\s?k\.?\s?a\.?|d\.?\s?b\.?\s?a\.?|formerly|also known as|trading as)(?![^\W_])", re.I
)
_BRACKET: Final = re.compile(r"[()\[\]（）;/|]")


def _replacer(signs: tuple[tuple[str, str], ...]) -> Callable[[str], str]:
    meanings = dict(signs)
    found = re.compile("|".join(re.escape(sign) for sign, _ in signs))
    return lambda text: found.sub(lambda match: f" {meanings[match[0]]} ", text)


_name_signs: Final = _replacer(SIGNS)
_address_signs: Final = _replacer((*SIGNS, *ADDRESS_SIGNS))


class _Latin(dict[int, str]):
    """Code point -> Latin letters, filled as letters come: `str.translate` is many times as fast as `anyascii`."""

    def __missing__(self, code: int) -> str:
        latin = self[code] = anyascii(chr(code)).lower()
        return latin


_latin: Final = _Latin()


@dataclass(frozen=True, slots=True)
class Form:
    """A name or an address as it is compared.

    Attributes:
        text: as it was given.
        words: Latin letters and digits, lower case, generic words by their meaning; legal forms are not among them.
        weights: how much each word counts.
        own: the words that are neither generic nor particles, written together.
        native: in its own script, written together, without what is a legal form; "" for Latin letters.
        legal: legal forms, sorted.
        is_generic: no word is the name's own; the generic ones, or the legal form, count in full then.
    """

    text: str
    words: tuple[str, ...]
    weights: tuple[int, ...]
    own: str
    native: str
    legal: tuple[str, ...]
    is_generic: bool

    @property
    def weight(self) -> int:
        """Return what all words count together."""
        return sum(self.weights)


def name_form(text: str) -> Form:
    """Return a name as it is compared."""
    words: list[str] = []
    legal: list[str] = []
    for word in without_phrases(latin_words(text)):
        if word in LEGAL_FORMS or word[0] == "+":
            legal.append(word[1:].replace("+", " ") if word[0] == "+" else word)
        else:
            words.append(GENERIC.get(word, word))
    weights = [name_weight(word) for word in words]
    is_generic = not any(weight >= NUMBER_WEIGHT for weight in weights)
    if is_generic:
        words, legal = (words, legal) if words else (legal, [])
        weights = [OWN_WEIGHT] * len(words)
    return Form(
        text, tuple(words), tuple(weights), _own(words, weights), native_name(text), tuple(sorted(legal)), is_generic
    )


def address_form(text: str) -> Form:
    """Return an address as it is compared: streets, towns and numbers count, "street" and "floor" little."""
    words = [ADDRESS_GENERIC.get(word, word) for word in latin_words(text, is_address=True)]
    weights = [address_weight(word) for word in words]
    is_generic = OWN_WEIGHT not in weights
    native = _native(text, _address_signs)
    return Form(text, tuple(words), tuple(weights), _own(words, weights), native, (), is_generic)


def listed_variants(text: str) -> tuple[str, ...]:
    """Return a listed name and the names that it holds in brackets, after a slash or a semicolon.

    Importers take "a.k.a." apart; where one did not, the name that is asked about is still a part of the listed one.
    """
    return (text,) if _BRACKET.search(text) is None else variants(text)


def native_name(text: str) -> str:
    """Return a name in its own script, written together, without what is a legal form; "" for Latin letters."""
    return _native(text, _name_signs)


def has_unspaced(text: str) -> bool:
    """Return whether a text has signs that are written without spaces."""
    return not text.isascii() and _UNSPACED.search(text) is not None


def is_unspaced(native: str) -> bool:
    """Return whether a native form is in signs that are written without spaces, so that a part of it may be a name."""
    return bool(native) and all(map(_UNSPACED.match, native))


def variants(text: str) -> tuple[str, ...]:
    """Return a name and the names that it holds: in brackets, after "formerly", "a.k.a.", a slash or a semicolon."""
    if _VARIANT.search(text) is None:
        return (text,)
    parts = [part.strip(" ,.-") for part in _VARIANT.split(text)]
    return tuple(dict.fromkeys((text, *(part for part in parts if len(part) > 2))))


def latin_words(text: str, *, is_address: bool = False) -> list[str]:
    """Return the words of a text in Latin letters and digits, lower case; of a long one the first."""
    text = text[:MAX_TEXT]
    if text.isascii():
        text = text.lower()
    else:
        text = unicodedata.normalize("NFKC", text).casefold()
        if _UNSPACED.search(text) is not None:
            text = (_address_signs if is_address else _name_signs)(text)
        text = _ARABIC_ARTICLE.sub("", text).translate(_latin)
    if "." in text:
        text = _DOTTED.sub(_undotted, text.translate(_APOSTROPHES))
    elif "'" in text or "`" in text:
        text = text.translate(_APOSTROPHES)
    if "&" in text:
        text = text.replace("&", " and ")
    return text.translate(_NO_WORD).split()[:MAX_WORDS]


def without_phrases(words: list[str]) -> list[str]:
    """Return the words, those of a legal form in several words as one: "+joint+stock+company"."""
    if _PHRASE_STARTS.isdisjoint(words):
        return words
    return _PHRASES.sub(lambda match: "+" + match[0].replace(" ", "+"), " ".join(words)).split(" ")


def name_weight(word: str) -> int:
    """Return how much a word counts in a name."""
    if word in GENERIC:
        return GENERIC_WEIGHT
    if word in PARTICLES:
        return LEAST_WEIGHT
    if word[0].isdigit():
        return NUMBER_WEIGHT
    return OWN_WEIGHT if len(word) > 1 else GENERIC_WEIGHT


def address_weight(word: str) -> int:
    """Return how much a word counts in an address."""
    if word in ADDRESS_GENERIC:
        return LEAST_WEIGHT
    if word[0].isdigit():
        return NUMBER_WEIGHT
    return OWN_WEIGHT if len(word) > 1 else GENERIC_WEIGHT


def is_own(word: str, weight: int) -> bool:
    """Return whether a word of a name is its own: neither generic nor a particle. Initials are."""
    return weight >= NUMBER_WEIGHT or (len(word) == 1 and weight > LEAST_WEIGHT)


def _own(words: list[str], weights: list[int]) -> str:
    return "".join(word for word, weight in zip(words, weights, strict=True) if is_own(word, weight))


def _undotted(match: re.Match[str]) -> str:
    """Return dotted letters as a legal form, "S.A.R.L.", or as the initials that they else are."""
    letters = "".join(filter(str.isalpha, match[0]))
    return f" {letters} " if letters in LEGAL_FORMS else f" {' '.join(letters)} "


def _native(text: str, signs: Callable[[str], str]) -> str:
    """Return the text in its own script, written together, without Latin letters, marks and legal forms."""
    if text.isascii():
        return ""
    folded = unicodedata.normalize("NFKC", text[:MAX_TEXT]).casefold()
    decomposed = unicodedata.normalize("NFD", signs(folded) if _UNSPACED.search(folded) else folded)
    bare = "".join(letter for letter in decomposed if not unicodedata.category(letter).startswith("M"))
    words = _WORD.findall(unicodedata.normalize("NFC", bare))
    return "".join(word for word in words if not word.isascii() and word.translate(_latin) not in LEGAL_FORMS)
