"""The questions as the form's text has them: none is lost on the way to a person."""

import tomllib

import msgspec
import pytest

from declaring_parts import LAWFUL, REPORTED
from packtrain.diligence import form_text
from packtrain.diligence.answers import FactsAnswers, HoldingAnswers, PartyAnswers
from packtrain.diligence.form_reader import comments_of, in_order, party_table, tables_of
from packtrain.diligence.form_text import EXAMPLE, full_form_tables
from packtrain.documents.declaration import Declaration
from sample_documents import samples


def further() -> str:
    """Everything that can be asked besides: over a border, with personal data, of a party that is written out."""
    sample = samples()[Declaration]
    assert isinstance(sample, Declaration)
    data = msgspec.structs.replace(sample.data, personal_data=True)
    abroad = msgspec.structs.replace(sample, site_country="NO", data=data)
    return "".join(text for _, text in full_form_tables(LAWFUL.encode(), abroad, "declaration.toml"))


def questions(text: str) -> dict[str, list[str]]:
    return {table.name: [question.name for question in table.questions] for table in tables_of(text)}


def test_every_line_of_the_form_that_asks_is_a_question() -> None:
    for text in (EXAMPLE, further()):
        lines = [line.removeprefix("# ") for line in text.splitlines()]
        asked = [line.split(" = ")[0] for line in lines if " = " in line.split("#")[0] and line[0].islower()]
        assert asked == [name for names in questions(text).values() for name in names]
        assert len(asked) > 20


def test_the_six_questions_come_by_their_numbers() -> None:
    tables = list(in_order(tables_of(EXAMPLE)))

    assert [table.number for table in tables] == [1, 2, 2, 3, 4, 5, 6]
    assert [table.name for table in tables] == ["shipper", "receiver", "operator", "trained_for", "", "", "data"]
    assert sum(len(table.questions) for table in tables) == sum(map(len, questions(EXAMPLE).values()))


def test_a_record_and_its_table_of_the_form_have_the_same_fields() -> None:
    found = questions(further())

    assert set(found["facts.shipper"]) == set(FactsAnswers.__struct_fields__)
    # A share is a percentage, or a range that the same question takes.
    assert set(found["ownership.holdings"]) == set(HoldingAnswers.__struct_fields__) - {"at_least", "at_most"}
    party = {question.name for question in party_table(tables_of(EXAMPLE)).questions}
    assert party == set(PartyAnswers.__struct_fields__) - {"same_as"}


@pytest.mark.parametrize(
    ("table", "name", "choices"),
    [
        ("facts.shipper", "kind", ("company", "public body", "treaty organisation", "person")),
        ("site", "infrastructure_attested", ("yes", "no")),
        ("permits", "prohibited_uses", ("military", "military intelligence", "nuclear")),
        ("data.persons", "kind", ("identifiers", "biometric", "health")),
        ("carriage.legs", "mode", ("hand baggage", "checked baggage")),
    ],
)
def test_the_words_that_an_answer_may_be_are_found(table: str, name: str, choices: tuple[str, ...]) -> None:
    asked = next(each for each in tables_of(further()) if each.name == table)
    question = next(each for each in asked.questions if each.name == name)

    assert question.choices[: len(choices)] == choices


def test_tables_that_come_several_times_are_known_and_so_is_what_they_are() -> None:
    rows = {table.name for table in tables_of(further()) if table.is_rows}

    assert rows == {
        "ownership.owners",
        "ownership.holdings",
        "site.hardware",
        "carriage.carriers",
        "carriage.legs",
        "data.persons",
    }
    assert comments_of(tables_of(EXAMPLE))["shipper.location"] == "country of this address"
    assert comments_of(tables_of(further()))["site"] == "where the machines stand"


def test_a_name_in_the_form_makes_no_question(monkeypatch: pytest.MonkeyPatch) -> None:
    name = 'x"]\n[data]\nend_use = ""  # | a | b'

    (table,) = tables_of(form_text._facts("shipper", name))

    assert table.name == "facts.shipper"
    assert [question.name for question in table.questions] == questions(further())["facts.shipper"]


def test_the_scenarios_are_toml_that_the_form_knows() -> None:
    known = {name.split(".")[0] for name in questions(further() + EXAMPLE) if name}
    for text in (LAWFUL, REPORTED):
        tables = {name for name, value in tomllib.loads(text).items() if isinstance(value, dict)}
        assert tables <= known
