"""An invented list of parties, and questions of which it is known whom they mean: all from one seed, nobody real.

Names are put together from syllables, in four ways of writing (Latin, Cyrillic, Arabic, Chinese), and written in Latin
letters by tables of this file, more than one a script: the transliteration under test has to meet others than its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, Literal

from bench.name_syllables import (
    CYRILLIC_B,
    CYRILLIC_C,
    GENERIC,
    HAN,
    HAN_TRADES,
    LEGAL,
    STREETS,
    Maker,
    person_spellings,
    pinyin,
    spelled,
)
from packtrain.diligence.lists.entry import ListedAddress, ListedName, ListedParty

CATEGORIES: Final = (
    "misspelt",
    "transliterated",
    "native script",
    "reordered",
    "with alias",
    "without alias",
    "legal form",
    "abbreviation",
    "address only",
)

EntryKind = Literal["person", "organisation", "vessel", "address"]


@dataclass(frozen=True, slots=True)
class Question:
    """A name or address to screen, and the entry it means (None: nobody on the list)."""

    category: str
    text: str
    is_address: bool
    kind: Literal["person", "organisation", "address"]
    entry_id: str | None


def make(num_entries: int, num_questions: int, seed: int = 7) -> tuple[list[ListedParty], list[Question]]:
    """Return a list of so many entries, so many questions of each category, and as many about nobody on the list."""
    maker = Maker(seed)
    rng = maker.random
    entries: list[ListedParty] = []
    questions: list[Question] = []
    wanted = [category for category in CATEGORIES for _ in range(num_questions)]
    places = sorted(rng.sample(range(num_entries), len(wanted)))
    rng.shuffle(wanted)
    asked = dict(zip(places, wanted, strict=True))
    for number in range(num_entries):
        entry, question = _MAKERS[asked.get(number, "")](maker, f"E{number}")
        entries.append(entry)
        if question is not None:
            questions.append(question)
    absent = Maker(seed + 1)
    for number in range(num_questions):
        entry, _ = _filler(absent, f"absent {number}")
        if entry.names:
            kind = "person" if entry.kind == "person" else "organisation"
            questions.append(Question("absent", entry.names[0].text, False, kind, None))
    return entries, questions


_Made = tuple[ListedParty, Question | None]


def _entry(
    maker: Maker, entry_id: str, kind: EntryKind, names: list[str], *, address: str | None = None
) -> ListedParty:
    if address is None and maker.random.random() < 0.6:
        address = _address(maker.address())
    return ListedParty(
        "bench",
        entry_id,
        kind,
        tuple(ListedName(name, is_alias=place > 0) for place, name in enumerate(dict.fromkeys(names))),
        (ListedAddress(address),) if address else (),
        programs=("BENCH",),
    )


def _address(parts: tuple[int, str, str, str, str]) -> str:
    number, street, kind, postcode, town = parts
    return f"{number} {street} {kind}, {town} {postcode}"


def _filler(maker: Maker, entry_id: str) -> _Made:
    chance = maker.random.random()
    if chance < 0.01:
        return _entry(maker, entry_id, "address", [], address=_address(maker.address())), None
    if chance < 0.6:
        native, latin, other = person_spellings(*maker.person())
        names = [
            latin,
            *([native] if maker.random.random() < 0.4 else []),
            *([other] if other and maker.random.random() < 0.3 else []),
        ]
        return _entry(maker, entry_id, "person", names), None
    own, generic, legal = maker.organisation()
    names = [" ".join([*own, *generic, legal])]
    if maker.random.random() < 0.3:
        names.append(" ".join([maker.word(3), *generic]))
    return _entry(maker, entry_id, "organisation", names), None


def _misspelt(maker: Maker, entry_id: str) -> _Made:
    if maker.random.random() < 0.5:
        _, latin, _ = person_spellings(*maker.person())
        return _entry(maker, entry_id, "person", [latin]), Question(
            "misspelt", maker.misspelt(latin), False, "person", entry_id
        )
    own, generic, legal = maker.organisation()
    name = " ".join([*own, *generic, legal])
    asked = " ".join([*maker.misspelt(" ".join(own), maker.random.choice((1, 2))).split(" "), *generic, legal])
    return _entry(maker, entry_id, "organisation", [name]), Question("misspelt", asked, False, "organisation", entry_id)


def _foreign_person(maker: Maker) -> tuple[str, str, str]:
    while (person := maker.person())[0] == "latin":
        pass
    return person


def _transliterated(maker: Maker, entry_id: str) -> _Made:
    flavour, first, family = _foreign_person(maker)
    _, latin, other = person_spellings(flavour, first, family)
    if flavour == "cyrillic":
        other = spelled(f"{first} {family}", maker.random.choice((CYRILLIC_B, CYRILLIC_C)))
    return _entry(maker, entry_id, "person", [latin]), Question("transliterated", other, False, "person", entry_id)


def _native(maker: Maker, entry_id: str) -> _Made:
    if maker.random.random() < 0.3:
        own = "".join(maker.random.choices(list(HAN)[30:], k=2))
        trade = maker.random.choice(list(HAN_TRADES))
        listed = f"{own}{trade}有限公司"
        asked = f"{pinyin(own, together=True)} {HAN_TRADES[trade]} Co., Ltd."
        return _entry(maker, entry_id, "organisation", [listed]), Question(
            "native script", asked, False, "organisation", entry_id
        )
    native, latin, _ = person_spellings(*_foreign_person(maker))
    listed, asked = (native, latin) if maker.random.random() < 0.7 else (latin, native)
    return _entry(maker, entry_id, "person", [listed]), Question("native script", asked, False, "person", entry_id)


def _reordered(maker: Maker, entry_id: str) -> _Made:
    if maker.random.random() < 0.6:
        flavour, first, family = maker.person()
        _, latin, _ = person_spellings(flavour, first, family)
        words = latin.split(" ")
        return _entry(maker, entry_id, "person", [latin]), Question(
            "reordered", f"{words[-1].upper()}, {' '.join(words[:-1])}", False, "person", entry_id
        )
    own, generic, legal = maker.organisation()
    mixed = [*own, *generic]
    maker.random.shuffle(mixed)
    return _entry(maker, entry_id, "organisation", [" ".join([*own, *generic, legal])]), Question(
        "reordered", " ".join([*mixed, legal]), False, "organisation", entry_id
    )


def _with_alias(maker: Maker, entry_id: str) -> _Made:
    own, generic, legal = maker.organisation()
    alias_own, alias_generic, _ = maker.organisation()
    alias = " ".join([*alias_own, *alias_generic])
    asked = " ".join([*maker.misspelt(" ".join(alias_own)).split(" "), *alias_generic])
    return _entry(maker, entry_id, "organisation", [" ".join([*own, *generic, legal]), alias]), Question(
        "with alias", asked, False, "organisation", entry_id
    )


def _without_alias(maker: Maker, entry_id: str) -> _Made:
    if maker.random.random() < 0.5:
        while len(words := person_spellings(*maker.person())[1].split(" ")) < 3:
            pass
        return _entry(maker, entry_id, "person", [" ".join(words)]), Question(
            "without alias", f"{words[0]} {words[-1]}", False, "person", entry_id
        )
    own, generic, legal = maker.organisation()
    asked = [*own, *generic[:-1]] if len(generic) > 1 else own
    return _entry(maker, entry_id, "organisation", [" ".join([*own, *generic, legal])]), Question(
        "without alias", " ".join(asked), False, "organisation", entry_id
    )


def _legal_form(maker: Maker, entry_id: str) -> _Made:
    own, generic, legal = maker.organisation()
    other = maker.random.choice([form for form in LEGAL if form != legal])
    return _entry(maker, entry_id, "organisation", [" ".join([*own, *generic, legal])]), Question(
        "legal form", " ".join([*own, *generic, other]), False, "organisation", entry_id
    )


def _abbreviation(maker: Maker, entry_id: str) -> _Made:
    chance = maker.random.random()
    if chance < 0.3:
        while (person := maker.person())[0] not in ("latin", "cyrillic"):
            pass
        words = person_spellings(*person)[1].split(" ")
        asked = " ".join([*(f"{word[0]}." for word in words[:-1]), words[-1]])
        return _entry(maker, entry_id, "person", [" ".join(words)]), Question(
            "abbreviation", asked, False, "person", entry_id
        )
    own, generic, legal = maker.organisation()
    name = " ".join([*own, *generic, legal])
    if chance < 0.45:
        while len(own) + len(generic) < 4:
            own, generic, legal = maker.organisation()
        name = " ".join([*own, *generic, legal])
        asked = "".join(word[0] for word in (*own, *generic))
    else:
        asked = " ".join([*own, *(maker.random.choice(GENERIC[word]) for word in generic)])
    return _entry(maker, entry_id, "organisation", [name]), Question(
        "abbreviation", asked, False, "organisation", entry_id
    )


def _address_only(maker: Maker, entry_id: str) -> _Made:
    number, street, kind, postcode, town = maker.address()
    asked = maker.random.choice(
        (
            f"{number} {street} {STREETS[kind]}, {town} {postcode}",
            f"No. {number}, {maker.misspelt(street)} {kind}, {postcode} {town}",
            f"{number} {street} {kind}, {town}",
            f"Floor 3, {number} {street} {STREETS[kind]}, {town}, {postcode}",
        )
    )
    entry = _entry(maker, entry_id, "address", [], address=_address((number, street, kind, postcode, town)))
    return entry, Question("address only", asked, True, "address", entry_id)


_MAKERS: Final[dict[str, Callable[[Maker, str], _Made]]] = {
    "": _filler,
    "misspelt": _misspelt,
    "transliterated": _transliterated,
    "native script": _native,
    "reordered": _reordered,
    "with alias": _with_alias,
    "without alias": _without_alias,
    "legal form": _legal_form,
    "abbreviation": _abbreviation,
    "address only": _address_only,
}


def by_category(questions: list[Question]) -> Iterator[tuple[str, list[Question]]]:
    """Yield each category and its questions, in the order of `CATEGORIES`."""
    for category in CATEGORIES:
        yield category, [question for question in questions if question.category == category]
