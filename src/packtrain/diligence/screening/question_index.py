"""The few that are asked about, indexed by word, so that the many of a list are read once and kept nowhere.

A word of a list is held against all words of all questions: by letters, by sound, as a short form, by consonants. What
it meets is remembered, because lists repeat their words. A name whose words cover enough of a question, or of
themselves, is worth scoring; so is one whose letters, written together, are nearly the question's.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from rapidfuzz import fuzz, process
from rapidfuzz.distance import OSA

from packtrain.diligence.screening.likeness import LEAST, beginning, has_no_vowel, likeness, skeleton, sound
from packtrain.diligence.screening.normalise import (
    OWN_WEIGHT,
    Form,
    address_weight,
    is_own,
    is_unspaced,
    latin_words,
    name_weight,
    native_name,
    without_phrases,
)
from packtrain.diligence.screening.score import LEAST_JOINED, neighbours, spelled
from packtrain.diligence.screening.vocabulary import ADDRESS_GENERIC, GENERIC, LEGAL_FORMS

_ENOUGH: Final = 0.55
"""Part of the smaller of two names that must be covered before they are scored; a candidate covers more."""
_MAX_REMEMBERED: Final = 600_000
"""Words of lists that are remembered, about 100 MB; then it begins anew."""
_SHORTEST: Final = 3
"""Shorter words are met exactly or not at all: one letter in three is no misprint but another word."""
_SHORTEST_JOINED: Final = 4

_Met = tuple[int, tuple[tuple[int, float], ...]]
"""A word's weight, and how much of which question it covers."""


class QuestionIndex:
    """Finds which questions a listed name or address may answer.

    Args:
        forms: the questions; a question is its place in this sequence from then on.
        is_address: they are addresses.
    """

    def __init__(self, forms: Sequence[Form], *, is_address: bool) -> None:
        self._meanings = ADDRESS_GENERIC if is_address else GENERIC
        self._is_address = is_address
        self._totals = [form.weight for form in forms]
        self._weights: dict[str, dict[int, int]] = {}
        for question, form in enumerate(forms):
            for word, weight in zip(form.words, form.weights, strict=True):
                known = self._weights.setdefault(word, {})
                known[question] = known.get(question, 0) + weight
            for first, second in neighbours(form):
                self._weights.setdefault(form.words[first] + form.words[second], {})[question] = 2 * OWN_WEIGHT
        self._compared = [word for word in self._weights if word.isalpha() and len(word) >= _SHORTEST]
        self._by_length: dict[int, list[str]] = {}
        self._by_sound = _grouped((sound(word), word) for word in self._compared)
        self._by_skeleton = _grouped((skeleton(word), word) for word in self._compared)
        self._by_beginning = _grouped((beginning(word), word) for word in self._compared)
        self._are_vowelless = any(map(has_no_vowel, self._compared))
        self._singles: defaultdict[str, list[int]] = defaultdict(list)
        self._spelled: defaultdict[str, list[int]] = defaultdict(list)
        self._joined: list[tuple[str, int]] = []
        self._unspaced: list[tuple[str, int]] = []
        if not is_address:
            self._index_names(forms)
        self._met: dict[str, _Met] = {}

    def _index_names(self, forms: Sequence[Form]) -> None:
        for question, form in enumerate(forms):
            if len(form.words) == 1:
                self._singles[form.words[0]].append(question)
            for letters in spelled(form.words, form.weights):
                self._spelled[letters].append(question)
            if len(form.own) >= _SHORTEST_JOINED:
                self._joined.append((form.own, question))
            if is_unspaced(form.native):
                self._unspaced.append((form.native, question))

    def worth_scoring(self, texts: Sequence[str]) -> set[tuple[int, int]]:
        """Return pairs (place in `texts`, question) that may be alike; every pair that is a candidate is among them."""
        found: set[tuple[int, int]] = set()
        own: list[str] = []
        spelt = [self._words(text) for text in texts]
        self._remember(spelt)
        for place, words in enumerate(spelt):
            met = [self._met[word] for word in words]
            total = sum([weight for weight, _ in met])
            for question, amount in self._covered(words, met).items():
                if amount >= _ENOUGH * min(total, self._totals[question]):
                    found.add((place, question))
            if not self._is_address:
                weights = [weight for weight, _ in met]
                for question in self._by_initials(words, weights):
                    found.add((place, question))
                own.append("".join([word for word, weight in zip(words, weights, strict=True) if is_own(word, weight)]))
        for joined, question in self._joined:
            near = process.extract(joined, own, scorer=fuzz.ratio, score_cutoff=LEAST_JOINED, limit=None)
            found.update((place, question) for _, _, place in near)
        if self._unspaced:
            for place, text in enumerate(texts):
                signs = "" if text.isascii() else native_name(text)
                if is_unspaced(signs):
                    found.update(
                        (place, question) for asked, question in self._unspaced if signs in asked or asked in signs
                    )
        return found

    def _words(self, text: str) -> list[str]:
        meanings = self._meanings
        words = latin_words(text, is_address=self._is_address)
        if not self._is_address:
            words = without_phrases(words)
        return [meanings.get(word, word) for word in words]

    def _covered(self, words: Sequence[str], met: Sequence[_Met]) -> dict[int, float]:
        """Return how much of each question these words cover."""
        covered: dict[int, float] = {}
        before = ""
        for word, (_, questions) in zip(words, met, strict=True):
            for question, amount in questions:
                covered[question] = covered.get(question, 0.0) + amount
            if before and (split := self._weights.get(before + word)) is not None:  # "Xiao Ming" for "Xiaoming"
                for question, amount in split.items():
                    covered[question] = covered.get(question, 0.0) + 2 * amount
            before = word
        return covered

    def _by_initials(self, words: Sequence[str], weights: Sequence[int]) -> Iterator[int]:
        """Yield questions of which these words have the first letters, or the other way round."""
        if len(words) <= 2:
            for word in words:
                yield from self._spelled.get(word, ())
        elif self._singles:
            for letters in spelled(words, weights):
                yield from self._singles.get(letters, ())

    def _remember(self, texts: Iterable[Sequence[str]]) -> None:
        """Find out what the words of these texts meet, for those that are not known yet."""
        if len(self._met) > _MAX_REMEMBERED:
            self._met.clear()
        new = list({word for words in texts for word in words if word not in self._met})
        if not new:
            return
        together = " ".join(new)
        sounds = sound(together).split(" ")
        bare = skeleton(together).split(" ") if self._are_vowelless else [""] * len(new)
        for word, heard, consonants in zip(new, sounds, bare, strict=True):
            self._met[word] = self._weight(word), self._meet(word, heard, consonants)

    def _weight(self, word: str) -> int:
        if self._is_address:
            return address_weight(word)
        return 0 if word[0] == "+" or word in LEGAL_FORMS else name_weight(word)

    def _meet(self, word: str, heard: str, consonants: str) -> tuple[tuple[int, float], ...]:
        """Return how much of which question a word covers; its consonants only where a question may need them."""
        alike = {word} if word in self._weights else set[str]()
        if len(word) >= _SHORTEST and word.isalpha():
            near = process.extract(
                word, self._of_length(len(word)), scorer=OSA.normalized_similarity, score_cutoff=LEAST, limit=None
            )
            alike.update(other for other, _, _ in near)
            alike.update(self._by_sound.get(heard, ()))
            alike.update(self._by_beginning.get(beginning(word), ()))
            if consonants or has_no_vowel(word):
                alike.update(self._by_skeleton.get(consonants or skeleton(word), ()))
        if not alike:
            return ()
        best: dict[int, float] = {}
        for other in alike:
            amount = likeness(word, other)
            if amount:
                for question, weight in self._weights[other].items():
                    best[question] = max(best.get(question, 0.0), amount * weight)
        return tuple(best.items())

    def _of_length(self, length: int) -> list[str]:
        """Return the words of questions that are not too long or short to be like a word of this length."""
        words = self._by_length.get(length)
        if words is None:
            words = [word for word in self._compared if min(length, len(word)) >= LEAST * max(length, len(word))]
            self._by_length[length] = words
        return words


def _grouped(pairs: Iterable[tuple[str, str]]) -> dict[str, tuple[str, ...]]:
    groups: defaultdict[str, dict[str, None]] = defaultdict(dict)
    for key, word in pairs:
        if key:
            groups[key][word] = None
    return {key: tuple(words) for key, words in groups.items()}
