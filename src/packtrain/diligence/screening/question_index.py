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

from packtrain.diligence.screening.likeness import LEAST, SHORT_FORM_LETTERS, has_no_vowel, likeness, skeleton, sound
from packtrain.diligence.screening.normalise import (
    OWN_WEIGHT,
    Form,
    address_weight,
    has_unspaced,
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

_Met = tuple[int, str, tuple[tuple[int, float], ...]]
"""A word's weight, the word again if it is one of a name's own, and how much of which question it covers."""


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
        self._beginnings = {word[:end] for word in self._weights for end in range(1, len(word))}
        self._by_length: dict[int, list[str]] = {}
        self._by_sound = _grouped((sound(word), word) for word in self._compared)
        self._by_skeleton = _grouped((skeleton(word), word) for word in self._compared)
        self._by_beginning = _grouped(
            (word[:SHORT_FORM_LETTERS], word) for word in self._compared if len(word) >= SHORT_FORM_LETTERS
        )
        self._are_vowelless = any(map(has_no_vowel, self._compared))
        self._singles: defaultdict[str, list[int]] = defaultdict(list)
        self._spelled: defaultdict[str, list[int]] = defaultdict(list)
        self._joined: list[tuple[str, int]] = []
        self._unspaced: list[tuple[str, int]] = []
        if not is_address:
            self._index_names(forms)
        self._single_beginnings = {word[0] for word in self._singles}
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
        own: defaultdict[int, dict[int, str]] = defaultdict(dict)
        spelt = [self._words(text) for text in texts]
        self._remember(spelt)
        # One loop, and no call in it for a word that meets nothing: this is where the time of a large list goes.
        known, beginnings = self._met, self._beginnings
        for place, words in enumerate(spelt):
            total, joined, before = 0, "", ""
            covered: dict[int, float] = {}
            for word in words:
                weight, own_word, met = known[word]
                total += weight
                joined += own_word
                for question, amount in met:
                    covered[question] = covered.get(question, 0.0) + amount
                if before:
                    self._cover_split(before + word, covered)
                before = word if word in beginnings else ""
            for question, amount in covered.items():
                if amount >= _ENOUGH * min(total, self._totals[question]):
                    found.add((place, question))
            if not self._is_address:
                own[len(joined)][place] = joined
                for question in self._by_initials(words):
                    found.add((place, question))
        for joined, question in self._joined:
            for length, choices in own.items():
                # Nothing else reaches the score: it is twice the common letters, in parts of all letters of both.
                if 2 * min(length, len(joined)) * 100 >= LEAST_JOINED * (length + len(joined)):
                    near = process.extract(joined, choices, scorer=fuzz.ratio, score_cutoff=LEAST_JOINED, limit=None)
                    found.update((place, question) for _, _, place in near)
        if self._unspaced:
            for place, text in enumerate(texts):
                signs = native_name(text) if has_unspaced(text) else ""
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

    def _cover_split(self, joined: str, covered: dict[int, float]) -> None:
        """Add what two words cover that a question writes as one: "Xiao Ming" for "Xiaoming"."""
        for question, amount in self._weights.get(joined, {}).items():
            covered[question] = covered.get(question, 0.0) + 2 * amount

    def _by_initials(self, words: Sequence[str]) -> Iterator[int]:
        """Yield questions of which these words have the first letters, or the other way round."""
        if len(words) <= 2:
            for word in words:
                yield from self._spelled.get(word, ())
        # Only a particle may stand before the first word that counts.
        elif words[0][0] in self._single_beginnings or words[1][0] in self._single_beginnings:
            for letters in spelled(words, [self._met[word][0] for word in words]):
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
            weight = self._weight(word)
            met = self._meet(word, heard, consonants)
            self._met[word] = weight, word if is_own(word, weight) else "", met

    def _weight(self, word: str) -> int:
        if self._is_address:
            return address_weight(word)
        return 0 if word[0] == "+" or word in LEGAL_FORMS else name_weight(word)

    def _meet(self, word: str, heard: str, consonants: str) -> tuple[tuple[int, float], ...]:
        """Return how much of which question a word covers; its consonants only where a question may need them."""
        if len(word) < _SHORTEST or not word.isalpha():
            return tuple((question, float(weight)) for question, weight in self._weights.get(word, {}).items())
        near = process.extract(
            word, self._of_length(len(word)), scorer=OSA.normalized_similarity, score_cutoff=LEAST, limit=None
        )
        sounding = self._by_sound.get(heard)
        beginning_so = self._by_beginning.get(word[:SHORT_FORM_LETTERS])
        bare = self._by_skeleton.get(consonants or skeleton(word)) if consonants or has_no_vowel(word) else None
        # Most words of a list meet nothing: no set is made for them.
        if not (near or sounding or beginning_so or bare or word in self._weights):
            return ()
        alike = {word, *(other for other, _, _ in near), *(sounding or ()), *(beginning_so or ()), *(bare or ())}
        best: dict[int, float] = {}
        for other in alike:
            amount = likeness(word, other)
            if amount:
                for question, weight in self._weights.get(other, {}).items():
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
        if len(key) > 1:
            groups[key][word] = None
    return {key: tuple(words) for key, words in groups.items()}
