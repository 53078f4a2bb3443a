"""declare --ask as a person meets it: what is asked and what not, what is kept, and that it ends in the same paper."""

import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from declaring_parts import LAWFUL, REPORTED, Person, by_file, said
from packtrain.diligence import amendments, asking
from packtrain.diligence.interview import Asked
from packtrain.documents.declaration import Declaration
from packtrain.errors import DeclarationFileError, FullFormNeeded, StageNotReady
from packtrain.events import discard
from packtrain.stages import declare
from three_parties import three_parties
from voyage_papers import Papers, declaration_toml


@pytest.fixture
def papers(tmp_path: Path) -> Papers:
    return Papers(tmp_path, three_parties(tmp_path))


def by_asking(papers: Papers, person: Callable[[Asked], str]) -> Declaration:
    """Answer, sign, answer what is asked besides, sign; as `Voyage.declare_by_asking` does."""
    asking.ask_six(papers.consignor, person, papers.sink)
    try:
        declare.declare(papers.consignor, papers.sink)
    except FullFormNeeded:
        asking.ask_further(papers.consignor, person, papers.sink)
        declare.declare(papers.consignor, papers.sink)
    return papers.consignor.read_signed(Declaration)


@pytest.mark.parametrize("text", [LAWFUL, REPORTED, declaration_toml()], ids=["lawful", "reported", "one country"])
def test_asking_ends_in_the_same_declaration_as_the_file(papers: Papers, tmp_path: Path, text: str) -> None:
    person = Person(text)

    declaration = by_asking(papers, person)

    assert said(declaration) == said(by_file(tmp_path / "file", text))
    assert not person.faults


def test_a_voyage_in_one_country_is_asked_six_questions_in_their_order_and_nothing_else(papers: Papers) -> None:
    person = Person(declaration_toml())

    assert by_asking(papers, person).form == "short"

    assert [field for field in person.asked if field in ("shipper", "receiver", "operator", "trained_for")] == [
        "shipper",
        "receiver",
        "operator",
        "trained_for",
    ]
    assert person.asked.index("trained_for") < person.asked.index("end_use") < person.asked.index("data.description")
    assert not any("." in field and field.split(".")[0] not in Declaration.__struct_fields__ for field in person.asked)
    # "none": there is nobody above whose country could be asked for.
    assert not any("parent_country" in field for field in person.asked)


def test_only_companies_are_asked_for_their_register_and_only_a_border_for_customs(papers: Papers) -> None:
    person = Person(LAWFUL)
    by_asking(papers, person)

    assert "carriage.customs_reference" in person.asked
    assert "carriage.legs[0].carriers" in person.asked
    assert "facts.shipper.website" in person.asked
    assert not any(field.endswith(("incorporated_on", "directors")) for field in person.asked)
    assert not any(field.startswith(("data.persons", "source.controller", "ownership")) for field in person.asked)


def test_what_is_asked_besides_is_asked_only_once_the_six_are_signed(papers: Papers) -> None:
    # Which questions follow would tell, before anything is signed, whether the short form applies.
    person = Person(LAWFUL)
    asking.ask_six(papers.consignor, person, discard)

    assert "customer" not in person.asked
    with pytest.raises(StageNotReady):
        asking.ask_further(papers.consignor, person, discard)
    assert amendments.last_signed(papers.consignor) is None


def test_answers_before_are_proposed_and_enter_keeps_them(papers: Papers) -> None:
    papers.answer(LAWFUL)
    proposed: dict[str, str] = {}

    def enter(asked: Asked) -> str:
        proposed[asked.field] = asked.default
        return ""

    declaration = by_asking(papers, enter)

    assert declaration.form == "full"
    assert proposed["shipper"] == "Southern Plateau Observatory"
    assert proposed["receiver"] == "operator"
    assert proposed["most_drives"] == "60"
    assert proposed["data.personal_data"] == "no"


def test_a_full_form_begun_of_free_will_is_asked_to_its_end(papers: Papers) -> None:
    at_home = LAWFUL.replace('"CL"', '"NL"')
    papers.answer(at_home[: at_home.index("[end_user]")])

    assert by_asking(papers, Person(at_home)).form == "full"


def test_stopping_keeps_what_was_answered(papers: Papers) -> None:
    person = Person(declaration_toml())

    def stops(asked: Asked) -> str:
        if asked.field == "operator":
            raise KeyboardInterrupt
        return person(asked)

    with pytest.raises(KeyboardInterrupt):
        asking.ask_six(papers.consignor, stops, discard)

    kept = tomllib.loads((papers.consignor.root / "declaration.toml").read_text())
    assert kept["shipper"]["headquarters"] == "NL"
    assert "operator" not in kept
    # The same again goes on where it stopped: the shipper is there, to be kept.
    assert by_asking(papers, Person(declaration_toml())).form == "short"


def test_what_cannot_be_read_is_asked_again_and_says_why(papers: Papers) -> None:
    person = Person(declaration_toml())
    wrong = {
        "shipper.location": ["Netherlands"],
        "most_bytes": ["eighty potatoes", "-1"],
        "most_drives": ["four"],
        "data.personal_data": ["perhaps"],
        "site_country": ["XX"],
        "end_use": [" ", "?"],
        "operator": ["\udcff"],
    }

    def clumsy(asked: Asked) -> str:
        left = wrong.get(asked.field)
        return left.pop(0) if left else person(asked)

    assert by_asking(papers, clumsy).most_drives == 4
    assert len(person.faults) == len(wrong)


def test_undisclosed_is_an_answer_that_is_shown(papers: Papers) -> None:
    person = Person(LAWFUL.replace('origin = "US"', 'origin = "undisclosed"').replace("4.5", "undisclosed"))

    declaration = by_asking(papers, person)

    assert declaration.full is not None
    assert declaration.full.site.kilowatts is None and declaration.full.site.hardware[0].origin is None
    assert 'origin = "undisclosed"' in (papers.consignor.root / "declaration.toml").read_text()


def test_a_file_written_by_hand_is_kept_beside_the_one_that_is_written_anew(papers: Papers) -> None:
    text = "# asked our counsel on Monday\n" + declaration_toml()
    papers.answer(text)

    by_asking(papers, Person(declaration_toml({"end_use": '"to find planets"'})))

    root = papers.consignor.root
    assert (root / "declaration.toml.before").read_text() == text
    assert 'end_use = "to find planets"' in (root / "declaration.toml").read_text()
    assert "declaration.toml.before" in papers.notices()


def test_nothing_is_written_where_nothing_was_answered_anew(papers: Papers) -> None:
    papers.answer(declaration_toml())

    asking.ask_six(papers.consignor, lambda asked: "", discard)

    assert (papers.consignor.root / "declaration.toml").read_text() == declaration_toml()


def test_a_file_that_cannot_be_read_is_not_written_on(papers: Papers) -> None:
    papers.answer('end_use = "x"\ncolour = "red"\n')

    with pytest.raises(DeclarationFileError):
        asking.ask_six(papers.consignor, Person(declaration_toml()), discard)
    assert (papers.consignor.root / "declaration.toml").read_text() == 'end_use = "x"\ncolour = "red"\n'
