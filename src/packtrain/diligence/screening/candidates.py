"""Holds subjects against lists: each list is read once, and of each subject the best candidates are kept.

Nothing is cleared here: what comes out is who might be meant, with a score and the reasons, for a person to answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Final, Literal

from packtrain.diligence.lists.entry import ListedParty
from packtrain.diligence.screening.normalise import Form, address_form, listed_variants, name_form, variants
from packtrain.diligence.screening.question_index import QuestionIndex
from packtrain.diligence.screening.score import THRESHOLD, Match, compare_addresses, compare_names, is_place
from packtrain.diligence.screening.subjects import Subject, SubjectKind

MOST_KEPT: Final = 50
"""Candidates kept of one subject, the highest scores first; how many more there were is said, and their best score."""
_CHUNK: Final = 4096
"""Entries that are in memory at a time."""

MatchedWhat = Literal["name", "alias", "weak alias", "address"]


@dataclass(frozen=True, slots=True)
class Asked:
    """One text that is screened, and all places of the papers where it stands.

    Attributes:
        note: what a reader should know of the comparison: a name of generic words alone, an address of a town alone.
    """

    text: str
    kind: SubjectKind
    country: str | None
    places: tuple[str, ...]
    note: str


@dataclass(frozen=True, slots=True)
class Candidate:
    """An entry that may be meant.

    Attributes:
        entry: the listed party.
        what: which of its texts matched.
        text: that text, as listed.
        match: score and reasons.
    """

    entry: ListedParty
    what: MatchedWhat
    text: str
    match: Match

    @property
    def rank(self) -> tuple[int, str, str, str]:
        """Return what candidates are ordered by: the highest score first, then list, entry and text."""
        return (-self.match.score, self.entry.list_label, self.entry.entry_id, self.text)


@dataclass(slots=True)
class Answers:
    """The candidates of one text.

    Attributes:
        kept: at most MOST_KEPT, best first, one an entry.
        num_left_out: candidates beyond those.
        best_left_out: the highest score among them; 0 where none were left out.
    """

    kept: list[Candidate] = field(default_factory=list[Candidate])
    num_left_out: int = 0
    best_left_out: int = 0

    def add(self, found: Iterable[Candidate]) -> None:
        """Add candidates of further entries."""
        ranked = sorted([*self.kept, *found], key=lambda candidate: candidate.rank)
        self.kept, rest = ranked[:MOST_KEPT], ranked[MOST_KEPT:]
        self.num_left_out += len(rest)
        self.best_left_out = max([self.best_left_out, *(candidate.match.score for candidate in rest)])


def asked_of(subjects: Iterable[Subject]) -> tuple[Asked, ...]:
    """Return the texts to screen: one that stands in several places is asked about once, in the order they came."""
    places: dict[tuple[str, bool], list[Subject]] = {}
    for subject in subjects:
        places.setdefault((subject.text, subject.kind == "address"), []).append(subject)
    asked: list[Asked] = []
    for (text, is_address), same in places.items():
        kinds: list[SubjectKind] = [subject.kind for subject in same if subject.kind != "unknown"]
        country = next((subject.country for subject in same if subject.country is not None), None)
        where = tuple(dict.fromkeys(subject.place for subject in same))
        asked.append(Asked(text, kinds[0] if kinds else "unknown", country, where, _note(text, is_address=is_address)))
    return tuple(asked)


def find_candidates(
    asked: Sequence[Asked],
    lists: Iterable[Iterable[ListedParty]],
    on_entries: Callable[[int], None] = lambda count: None,
) -> list[Answers]:
    """Return the candidates of each text, in the same order. Memory grows with what is asked, not with the lists.

    Args:
        asked: see `asked_of`.
        lists: the entries of each list.
        on_entries: called with the number of entries that were gone through since the last call.
    """
    answers = [Answers() for _ in asked]
    names = _Comparison(asked, is_address=False)
    addresses = _Comparison(asked, is_address=True)
    for entries in lists:
        stream = iter(entries)
        while chunk := list(islice(stream, _CHUNK)):
            for comparison in (names, addresses):
                for place, candidates in comparison.of(chunk).items():
                    answers[place].add(candidates)
            on_entries(len(chunk))
    return answers


class _Comparison:
    """Names against names, or addresses against addresses."""

    def __init__(self, asked: Sequence[Asked], *, is_address: bool) -> None:
        self._is_address = is_address
        self._questions: list[tuple[int, Form]] = []
        for place, each in enumerate(asked):
            if (each.kind == "address") == is_address:
                texts = (each.text,) if is_address else variants(each.text)
                self._questions += [(place, self._form(text)) for text in texts]
        self._index = QuestionIndex([form for _, form in self._questions], is_address=is_address)

    def of(self, entries: Sequence[ListedParty]) -> dict[int, list[Candidate]]:
        """Return what of these entries is a candidate, by the place of the text that was asked about."""
        if not self._questions:
            return {}
        listed = [(entry, *named) for entry in entries for named in self._texts(entry)]
        forms: dict[int, Form] = {}
        best: dict[tuple[int, int], Candidate] = {}
        for row, question in self._index.worth_scoring([text for _, _, text in listed]):
            entry, what, text = listed[row]
            if row not in forms:
                forms[row] = self._form(text)
            place, asked = self._questions[question]
            match = self._compare(asked, forms[row], is_person=entry.kind == "person")
            if match.score >= THRESHOLD:
                candidate = Candidate(entry, what, text, match)
                key = (place, id(entry))
                if key not in best or candidate.rank < best[key].rank:
                    best[key] = candidate
        found: dict[int, list[Candidate]] = {}
        for (place, _), candidate in best.items():
            found.setdefault(place, []).append(candidate)
        return found

    def _texts(self, entry: ListedParty) -> Iterator[tuple[MatchedWhat, str]]:
        """Yield what of an entry is compared: lists give a listed address as an address or as its name."""
        if not self._is_address or entry.kind == "address":
            for name in entry.names:
                what: MatchedWhat = "weak alias" if name.is_weak else "alias" if name.is_alias else "name"
                for text in (name.text,) if self._is_address else listed_variants(name.text):
                    yield what, text
        if self._is_address:
            for address in entry.addresses:
                yield "address", address.text

    def _form(self, text: str) -> Form:
        return address_form(text) if self._is_address else name_form(text)

    def _compare(self, asked: Form, listed: Form, *, is_person: bool) -> Match:
        if self._is_address:
            return compare_addresses(asked, listed)
        return compare_names(asked, listed, is_person=is_person)


def _note(text: str, *, is_address: bool) -> str:
    form = address_form(text) if is_address else name_form(text)
    if is_address:
        return "" if is_place(form) else "names a town and no more, or less: compared with nothing"
    if not form.words:
        return "has no letter or digit that could be compared"
    if form.is_generic:
        return "has no word of its own: compared by its generic words"
    if len(form.own) < 4:
        return "is very short: compared by exact words"
    return ""
