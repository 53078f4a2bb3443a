import random
import tracemalloc
from collections.abc import Iterator

from hypothesis import given, settings
from hypothesis import strategies as st

from packtrain.diligence.lists.entry import ListedAddress, ListedName, ListedParty
from packtrain.diligence.screening.candidates import MOST_KEPT, Answers, asked_of, find_candidates
from packtrain.diligence.screening.normalise import address_form, name_form
from packtrain.diligence.screening.question_index import QuestionIndex
from packtrain.diligence.screening.score import THRESHOLD, compare_addresses, compare_names
from packtrain.diligence.screening.subjects import Subject, SubjectKind

SYLLABLES = ("bra", "sket", "vel", "mo", "ra", "tre", "vane", "ли", "ко", "jo", "run")


TEXTS: tuple[tuple[str, SubjectKind], ...] = (
    ("Trading Co", "organisation"),
    ("Zq", "organisation"),
    ("?!", "organisation"),
    ("Velmora", "address"),
    ("Velmora", "organisation"),
)


def party(number: int, *names: str, address: str | None = None, is_weak: bool = False) -> ListedParty:
    return ListedParty(
        "test",
        f"E{number}",
        "organisation" if names else "address",
        tuple(ListedName(name, is_alias=place > 0, is_weak=is_weak) for place, name in enumerate(names)),
        (ListedAddress(address),) if address else (),
    )


def ask(*texts: str, entries: list[ListedParty], is_address: bool = False) -> list[Answers]:
    kind: SubjectKind = "address" if is_address else "organisation"
    subjects = [Subject("shipper", "address" if is_address else "name", text, kind, None) for text in texts]
    return find_candidates(asked_of(subjects), [entries])


def invented(rng: random.Random) -> str:
    return " ".join(
        "".join(rng.choices(SYLLABLES, k=rng.choice((1, 2, 3)))).capitalize() for _ in range(rng.choice((1, 2, 3)))
    )


def test_an_entry_is_a_candidate_once_with_the_name_that_fits_best() -> None:
    (found,) = ask("Velmora Ltd", entries=[party(1, "Velmara Ltd", "Velmora GmbH", "Velmorra"), party(2, "Trevane")])

    assert [(candidate.entry.entry_id, candidate.text) for candidate in found.kept] == [("E1", "Velmora GmbH")]
    assert found.kept[0].what == "alias"


def test_a_weak_alias_is_compared_as_well_and_called_so() -> None:
    (found,) = ask("Velmora", entries=[party(1, "Velmora", is_weak=True)])

    assert found.kept[0].what == "weak alias"


def test_an_entry_without_a_name_is_found_by_its_address() -> None:
    (found,) = ask("5 Brasket St., Velmora", entries=[party(1, address="5 Brasket Street, Velmora")], is_address=True)

    assert found.kept[0].what == "address"


def test_a_listed_address_that_the_list_gives_as_a_name_is_found() -> None:
    listed = ListedParty("test", "E1", "address", (ListedName("5 Brasket Street, Velmora"),))

    (found,) = ask("5 Brasket St., Velmora", entries=[listed], is_address=True)

    assert found.kept[0].text == "5 Brasket Street, Velmora"


def test_a_list_without_any_address_is_read_all_the_same() -> None:
    (found,) = ask("5 Brasket St., Velmora", entries=[party(1, "Velmora")], is_address=True)

    assert found.kept == []


def test_names_and_addresses_are_not_mixed() -> None:
    (found,) = ask("5 Brasket Street Velmora", entries=[party(1, "X", address="5 Brasket Street, Velmora")])

    assert found.kept == []


def test_a_name_in_brackets_is_asked_about_too() -> None:
    (found,) = ask("Trevane (formerly Velmora)", entries=[party(1, "Velmora")])

    assert found.kept[0].match.score == 1000


def test_a_text_that_stands_in_several_places_is_asked_about_once() -> None:
    subjects = [
        Subject("shipper", "name", "Velmora", "unknown", None),
        Subject("trained_for", "name", "Velmora", "organisation", "NL"),
    ]

    (asked,) = asked_of(subjects)

    assert asked.places == ("shipper.name", "trained_for.name")
    assert (asked.kind, asked.country) == ("organisation", "NL")


def test_what_limits_a_comparison_is_noted() -> None:
    notes = {
        (asked.text, asked.kind): asked.note
        for asked in asked_of(Subject("x", str(number), text, kind, None) for number, (text, kind) in enumerate(TEXTS))
    }
    assert "generic words" in notes["Trading Co", "organisation"]
    assert "very short" in notes["Zq", "organisation"]
    assert "no letter" in notes["?!", "organisation"]
    assert "a town and no more" in notes["Velmora", "address"]
    assert notes["Velmora", "organisation"] == ""


def test_beyond_the_most_kept_the_best_stay_and_the_rest_is_counted() -> None:
    entries = [party(number, f"Velmora {'x' * (number % 3)}q{number}") for number in range(MOST_KEPT)]
    entries += [party(1000 + number, "Velmora") for number in range(10)]

    (found,) = ask("Velmora", entries=entries)

    assert len(found.kept) == MOST_KEPT
    assert [candidate.match.score for candidate in found.kept[:10]] == [1000] * 10
    assert found.num_left_out == 10
    assert found.best_left_out <= found.kept[-1].match.score


def test_the_order_of_a_list_does_not_matter() -> None:
    rng = random.Random(4)
    entries = [party(number, invented(rng), address=f"{number % 9} {invented(rng)} Street") for number in range(300)]
    asked = asked_of([Subject("x", str(place), invented(rng), "unknown", None) for place in range(10)])
    shuffled = entries[:]
    rng.shuffle(shuffled)

    one, other = find_candidates(asked, [entries]), find_candidates(asked, [shuffled[:100], shuffled[100:]])

    assert [answers.kept for answers in one] == [answers.kept for answers in other]


@settings(max_examples=20)
@given(st.integers(0, 10_000), st.booleans())
def test_the_index_misses_no_pair_that_scores_as_a_candidate(seed: int, is_address: bool) -> None:
    rng = random.Random(seed)
    form, compare = (address_form, compare_addresses) if is_address else (name_form, compare_names)
    texts = [f"{rng.randint(1, 5)} {invented(rng)}" if is_address else invented(rng) for _ in range(40)]
    questions = [form(f"{rng.randint(1, 5)} {invented(rng)}" if is_address else invented(rng)) for _ in range(6)]

    worth = QuestionIndex(questions, is_address=is_address).worth_scoring(texts)

    for place, text in enumerate(texts):
        for question, asked in enumerate(questions):
            if compare(asked, form(text)).score >= THRESHOLD:
                assert (place, question) in worth, (text, asked.text)


def test_memory_does_not_grow_with_the_list() -> None:
    def entries(number: int) -> Iterator[ListedParty]:
        rng = random.Random(1)
        for each in range(number):
            yield party(each, invented(rng))

    asked = asked_of([Subject("x", "name", "Velmora Brasket", "unknown", None)])

    def peak(number: int) -> int:
        tracemalloc.start()
        find_candidates(asked, [entries(number)])
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    peak(100)
    assert peak(18_000) < 1.7 * peak(6_000)
