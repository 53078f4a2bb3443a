"""How alike a subject and a listed name or address are, in whole per mille, and why, in words.

The words of both are paired, each with the one most like it. What is not paired counts against the pair, each word by
its weight, so that "Alpha Trading" and "Alpha Bank" are two names, and "Ivan Petrov" is in "Petrov, Ivan Sergeevich".
Legal forms never count against: companies change them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from rapidfuzz import fuzz

from packtrain.diligence.screening.likeness import INITIAL, likeness
from packtrain.diligence.screening.normalise import GENERIC_WEIGHT, NUMBER_WEIGHT, OWN_WEIGHT, Form, is_unspaced

THRESHOLD: Final = 750
"""From this score on a pair is a candidate. Low, so that people read some in vain rather than miss one."""
STRONG: Final = 900
"""From this score on one person alone does not dismiss a candidate."""

LEAST_JOINED: Final = 82
"""Per cent of letters that two names written together must share to count as one spelled or spaced otherwise."""
_CONTAINED: Final = 0.92
_CONTAINED_SINGLE: Final = 0.8
_INITIALS: Final = 800
_NATIVE_PART: Final = 850
_LEAST_INITIALS: Final = 3
_MOST_INITIALS: Final = 8
_MAX_REASONS: Final = 8


@dataclass(frozen=True, slots=True)
class Match:
    """A score, 0 to 1000, and the reasons for it in words; no reasons below the threshold."""

    score: int
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Pair:
    """A word of the one and the word of the other that it stands for."""

    mine: int
    theirs: int
    likeness: float


def compare_names(subject: Form, listed: Form, *, is_person: bool = False) -> Match:
    """Return how alike two names are.

    Args:
        subject: a name of the voyage.
        listed: a name of a list.
        is_person: the entry is a person: a first name alone is then no match for whoever bears it.
    """
    subject, listed = _merged(subject, listed), _merged(listed, subject)
    pairs = _paired(subject, listed)
    score, why = _aligned(subject, listed, pairs, is_person=is_person)
    joined = _joined(subject, listed, pairs)
    if joined > score:
        score, why = joined, f'written together "{subject.own}" and "{listed.own}" are nearly one'
        why = f'written together both are "{subject.own}"' if subject.own == listed.own else why
    native, native_why = _native(subject, listed)
    if native > score:
        score, why = native, native_why
    short, short_why = _initials(subject, listed) if not is_person else (0, "")
    if short > score:
        score, why = short, short_why
    if score < THRESHOLD:
        return Match(score)
    reasons = [why, *_differences(subject, listed, pairs)] if why not in (native_why, short_why) else [why]
    if subject.legal != listed.legal:
        forms = (", ".join(form.legal) or "none" for form in (subject, listed))
        reasons.append("legal form differs: {} / {}".format(*forms))
    return Match(score, tuple(reasons[:_MAX_REASONS]))


def compare_addresses(subject: Form, listed: Form) -> Match:
    """Return how alike two addresses are.

    An address that names a town and no more is like nothing: it would be like every address of the town. Where both
    have numbers, one at least must be common, or they are two houses.
    """
    if not (is_place(subject) and is_place(listed)):
        native, why = _native(subject, listed)
        return Match(native, (why,)) if native >= THRESHOLD else Match(native)
    pairs = _paired(subject, listed)
    matched = _matched(subject, listed, pairs)
    score = matched / (subject.weight + listed.weight)
    small, index = (subject, 0) if subject.weight <= listed.weight else (listed, 1)
    part = sum(pair.likeness * small.weights[(pair.mine, pair.theirs)[index]] for pair in pairs) / small.weight
    score = max(score, _CONTAINED * part)
    numbers = [{word for word in form.words if word[0].isdigit()} for form in (subject, listed)]
    if all(numbers) and numbers[0].isdisjoint(numbers[1]):
        return Match(min(int(score * 1000), THRESHOLD - 1))
    if score * 1000 < THRESHOLD:
        return Match(int(score * 1000))
    return Match(round(score * 1000), ("the same place", *_differences(subject, listed, pairs))[:_MAX_REASONS])


def is_place(form: Form) -> bool:
    """Return whether an address has a second thing beside its town: another name, or a number."""
    return sum(weight >= NUMBER_WEIGHT for weight in form.weights) > 1


def neighbours(form: Form) -> list[tuple[int, int]]:
    """Return places of words that stand together and may be one word: two of the name's own."""
    places = range(len(form.words) - 1)
    return [(at, at + 1) for at in places if min(form.weights[at : at + 2]) >= OWN_WEIGHT and not form.is_generic]


def spelled(words: Sequence[str], weights: Sequence[int]) -> set[str]:
    """Return the first letters of a name's words, of all and of those that count; none of too few or too many."""
    every = "".join([word[0] for word in words])
    counted = "".join([word[0] for word, weight in zip(words, weights, strict=True) if weight >= GENERIC_WEIGHT])
    return {letters for letters in (every, counted) if _LEAST_INITIALS <= len(letters) <= _MOST_INITIALS}


def _merged(form: Form, other: Form) -> Form:
    """Return a name with words written together that the other name writes so: "Xiao Ming" beside "Xiaoming"."""
    words, weights = [*form.words], [*form.weights]
    for first, second in reversed(neighbours(form)):
        joined = form.words[first] + form.words[second]
        if joined in other.words and second < len(words):
            words[first : second + 1] = [joined]
            weights[first : second + 1] = [OWN_WEIGHT]
    return form if len(words) == len(form.words) else replace(form, words=tuple(words), weights=tuple(weights))


def _paired(subject: Form, listed: Form) -> list[_Pair]:
    """Return pairs of words, the most alike first, no word twice; then initials with what is left."""
    alike = [
        _Pair(mine, theirs, found)
        for mine, word in enumerate(subject.words)
        for theirs, other in enumerate(listed.words)
        if (found := likeness(word, other)) > 0
    ]
    alike.sort(key=lambda pair: (-pair.likeness, abs(pair.mine - pair.theirs), pair.mine, pair.theirs))
    pairs: list[_Pair] = []
    taken_mine: set[int] = set()
    taken_theirs: set[int] = set()

    def take(pair: _Pair) -> None:
        if pair.mine not in taken_mine and pair.theirs not in taken_theirs:
            taken_mine.add(pair.mine)
            taken_theirs.add(pair.theirs)
            pairs.append(pair)

    for pair in alike:
        take(pair)
    for mine, word in enumerate(subject.words):
        for theirs, other in enumerate(listed.words):
            if (len(word) == 1) != (len(other) == 1) and word[0] == other[0] and word[0].isalpha():
                take(_Pair(mine, theirs, INITIAL))
    return pairs


def _matched(subject: Form, listed: Form, pairs: Sequence[_Pair]) -> float:
    return sum(pair.likeness * (subject.weights[pair.mine] + listed.weights[pair.theirs]) for pair in pairs)


def _aligned(subject: Form, listed: Form, pairs: Sequence[_Pair], *, is_person: bool) -> tuple[int, str]:
    """Return the score of paired words and why: of both names, or of the smaller one inside the larger."""
    whole = _matched(subject, listed, pairs) / max(subject.weight + listed.weight, 1)
    is_mine = subject.weight <= listed.weight
    small = subject if is_mine else listed
    inside = [(pair, pair.mine if is_mine else pair.theirs) for pair in pairs]
    part = sum(pair.likeness * small.weights[place] for pair, place in inside) / max(small.weight, 1)
    own = [small.words[place] for _, place in inside if small.weights[place] == OWN_WEIGHT]
    if len(own) > 1:
        part *= _CONTAINED
    elif own and len(own[0]) > 3 and not is_person and not small.is_generic:
        part *= _CONTAINED_SINGLE
    else:
        part = 0.0
    if part > whole:
        return round(part * 1000), f'all of "{small.text}" is in "{(listed if is_mine else subject).text}"'
    exact = all(pair.likeness == 1 for pair in pairs) and len(pairs) == len(subject.words) == len(listed.words)
    in_order = all(pair.mine == pair.theirs for pair in pairs)
    why = ("the same words" if in_order else "the same words in another order") if exact else "the words are alike"
    return round(whole * 1000), why


def _joined(subject: Form, listed: Form, pairs: Sequence[_Pair]) -> int:
    """Return the score where the own words of both, written together, are one text; generic words count as paired."""
    if len(subject.own) < 4 or len(listed.own) < 4 or len(subject.words) + len(listed.words) == 2:
        return 0
    ratio = fuzz.ratio(subject.own, listed.own, score_cutoff=LEAST_JOINED) / 100
    digits = ["".join(letter for letter in form.own if letter.isdigit()) for form in (subject, listed)]
    if ratio == 0 or digits[0] != digits[1]:
        return 0
    own = sum(weight for form in (subject, listed) for weight in form.weights if weight >= NUMBER_WEIGHT)
    generic = sum(
        pair.likeness * (subject.weights[pair.mine] + listed.weights[pair.theirs])
        for pair in pairs
        if subject.weights[pair.mine] <= GENERIC_WEIGHT and listed.weights[pair.theirs] <= GENERIC_WEIGHT
    )
    return round((ratio * own + generic) / (subject.weight + listed.weight) * 1000)


def _native(subject: Form, listed: Form) -> tuple[int, str]:
    """Return the score where signs of the one are in the other: without spaces between, a part may be a name."""
    short, long = sorted((subject.native, listed.native), key=len)
    if len(short) > 1 and short in long and is_unspaced(short):
        return _NATIVE_PART, f'"{short}" is in "{long}"'
    return 0, ""


def _initials(subject: Form, listed: Form) -> tuple[int, str]:
    for short, long in ((subject, listed), (listed, subject)):
        if len(short.words) == 1 and short.words[0].isalpha() and short.words[0] in spelled(long.words, long.weights):
            return _INITIALS, f'"{short.words[0]}" are the first letters of "{long.text}"'
    return 0, ""


def _differences(subject: Form, listed: Form, pairs: Sequence[_Pair]) -> list[str]:
    """Return what is not the same, in words: spellings, and words that one of the two lacks."""
    found = [f'"{subject.words[pair.mine]}" for "{listed.words[pair.theirs]}"' for pair in pairs if pair.likeness < 1]
    mine = [word for place, word in enumerate(subject.words) if all(pair.mine != place for pair in pairs)]
    theirs = [word for place, word in enumerate(listed.words) if all(pair.theirs != place for pair in pairs)]
    for whose, words in (("declared", mine), ("listed", theirs)):
        if words:
            found.append(f"only in the {whose} one: {' '.join(words)}")
    return found
