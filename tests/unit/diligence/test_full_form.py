"""The full form: what is asked, what is lacking, what an amendment shows."""

import tomllib
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from document_strategies import documents
from packtrain.diligence.amendments import altered_answers, changed_answers
from packtrain.diligence.declaration_file import Answered, declare_from, evidence_files
from packtrain.diligence.form_text import EXAMPLE, further_questions
from packtrain.diligence.full_form_gaps import gaps
from packtrain.diligence.short_form import escapes, obstacles
from packtrain.documents.codec import decode, encode
from packtrain.documents.declaration import Declaration
from packtrain.documents.full_form import DeclaredHolding, FullForm
from packtrain.errors import DeclarationFileError, DeclarationIncomplete
from voyage_papers import declaration_toml

SCENARIOS = Path(__file__).parents[2] / "scenarios"
ABROAD = {"site_country": '"BE"'}


def scenario(name: str) -> str:
    return (SCENARIOS / f"{name}-voyage.declaration.toml").read_text()


def read(text: str, root: Path = SCENARIOS) -> Answered:
    return declare_from(text.encode(), "test voyage", "declaration.toml", root)


def whole(name: str = "lawful") -> tuple[Declaration, FullForm]:
    answered = read(scenario(name))
    assert answered.missing == () and answered.declaration.full is not None
    return answered.declaration, answered.declaration.full


def replaced(text: str, old: str, new: str) -> str:
    assert old in text, old
    return text.replace(old, new, 1)


def with_full(declaration: Declaration, **changes: Any) -> Declaration:
    assert declaration.full is not None
    return msgspec.structs.replace(declaration, full=msgspec.structs.replace(declaration.full, **changes))


# --- what is asked ---


@pytest.mark.parametrize("name", ["lawful", "reported"])
def test_the_answers_of_a_scenario_make_a_whole_full_form_that_survives_its_bytes(name: str) -> None:
    declaration, _ = whole(name)
    assert declaration.form == "full"
    assert gaps(declaration) == ()
    assert decode(Declaration, encode(declaration), "declaration.json") == declaration


@pytest.mark.parametrize("name", ["lawful", "reported"])
def test_a_full_form_is_spelled_as_it_was_when_it_was_frozen(name: str) -> None:
    declaration, _ = whole(name)
    frozen = (SCENARIOS / f"{name}-voyage.declaration.json").read_bytes()
    assert encode(msgspec.structs.replace(declaration, signed_on="2026-11-21T08:09:10Z")) == frozen


def test_one_country_is_asked_six_questions() -> None:
    answered = read(declaration_toml())
    assert (answered.declaration.form, answered.missing) == ("short", ())


def test_six_answers_over_a_border_say_everything_that_the_full_form_lacks() -> None:
    answered = read(declaration_toml(ABROAD))
    assert answered.declaration.form == "short"
    for field in ("customer", "end_user", "facts.shipper.kind", "site.address", "permits.licences", "home.country"):
        assert field in answered.missing
    assert "carriage.customs_reference" in answered.missing
    assert any("carriage.legs" in each for each in answered.missing)
    assert not any("data.persons" in each or "controller" in each for each in answered.missing)


def test_customs_and_route_are_not_asked_where_no_border_is_crossed() -> None:
    missing = read(declaration_toml(parties={"receiver": {"headquarters": "undisclosed"}})).missing
    assert "customer" in missing
    assert not any("customs" in each or "carriage.legs" in each for each in missing)


def test_personal_data_asks_whose_it_is() -> None:
    missing = read(declaration_toml({**ABROAD, "data.personal_data": "true"})).missing
    assert {"source.controller", "source.lawful_basis", "whose personal data it is (data.persons)"} <= set(missing)


@pytest.mark.parametrize(
    ("old", "new", "lacking"),
    [
        ('customs_reference = "none"', 'customs_reference = "tbd"', "carriage.customs_reference"),
        ('incorporated_on = "2025-05-30"', "", "facts.receiver.incorporated_on"),
        ('formed_at_request_of = "Example Data Hall Sdn Bhd"', "", "facts.receiver.formed_at_request_of"),
        ('[end_user]\nsame_as = "shipper"', "", "end_user"),
        ('owner = "undisclosed"\nowned = "Island', 'owner = ""\nowned = "Island', "ownership.holdings[2].owner"),
        ('unknown_because = "the register of the island is not open"', "", "ownership.holdings[2].unknown_because"),
        ('country = "MY"\nmode', 'country = "SG"\nmode', "a route that ends in the site's country, MY"),
        ('carriers = ["First Engineer"', 'carriers = ["Nobody"', "carrier Nobody of carriage.legs[0]"),
        ('owner = "Island Holdings Example Ltd"', 'owner = "Islands"', "who Islands is"),
        ('licences = "none"', "licences = []", "permits.licences"),
        ('moves = "no"', "", "site.hardware[0].moves"),
    ],
)
def test_a_question_without_an_answer_is_named(old: str, new: str, lacking: str) -> None:
    missing = read(replaced(scenario("reported"), old, new)).missing
    assert any(each.startswith(lacking) for each in missing), missing


def test_a_company_whose_owners_nobody_mentions_is_named() -> None:
    text = scenario("reported")
    start = text.index('[[ownership.holdings]]\nowner = "undisclosed"')
    missing = read(text[:start] + text[text.index("[site]") :]).missing
    assert missing == ("who owns Island Holdings Example Ltd (ownership.holdings; undisclosed is an answer)",)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('kind = "company"', 'kind = "firm"'),
        ('incorporated_on = "2025-05-30"', 'incorporated_on = "30 May 2025"'),
        ("percent = 100", "percent = 100.5"),
        ("percent = 100", 'percent = "0.00001"'),
        ("percent = 100", "percent = -1"),
        ("percent = 100", 'percent = "Infinity"'),
        ("percent = 100", "percent = 100\nat_least = 5"),
        ("percent = 100", "at_least = 60\nat_most = 40"),
        ('moves = "no"', 'moves = "perhaps"'),
        ('mode = "hand baggage"', 'mode = "donkey"'),
        ('recipient = "end_user"', 'recipient = "the team"'),
        ('licences = "none"', 'licences = "many"'),
        ('[end_user]\nsame_as = "shipper"', '[end_user]\nsame_as = "model_owner"\n[facts.end_user]\nkind = "person"'),
        (
            '[end_user]\nsame_as = "shipper"\n\n[model_owner]\nsame_as = "shipper"',
            '[end_user]\nsame_as = "model_owner"\n\n[model_owner]\nsame_as = "end_user"',
        ),
    ],
)
def test_what_cannot_be_an_answer_is_refused(old: str, new: str) -> None:
    with pytest.raises(DeclarationFileError):
        read(replaced(scenario("reported"), old, new))


def test_undisclosed_is_an_answer_and_none_is_another() -> None:
    text = replaced(scenario("lawful"), '[end_user]\nsame_as = "shipper"', '[end_user]\nname = "undisclosed"')
    text = replaced(text, 'customs_reference = "ATA carnet CL-2026-000417"', 'customs_reference = "None"')
    text = replaced(text, 'signed_on = "2026-03-02"', 'signed_on = "unknown"')
    text = replaced(text, 'recipient = "end_user"', 'recipient = "shipper"')
    answered = read(text)
    assert answered.missing == () and answered.declaration.full is not None
    full = answered.declaration.full
    assert full.end_user is None
    assert (full.customs_reference, full.contract.signed_on) == ("none", None)


@pytest.mark.parametrize(
    ("written", "millionths"),
    [("100", 1_000_000), ('"49.99"', 499_900), ("49.99", 499_900), ('"33.3333%"', 333_333), ("0", 0)],
)
def test_a_percentage_is_taken_as_it_is_written(written: str, millionths: int) -> None:
    answered = read(replaced(scenario("reported"), "percent = 100", f"percent = {written}"))
    assert answered.declaration.full is not None
    assert answered.declaration.full.holdings[0].low == answered.declaration.full.holdings[0].high == millionths


def test_evidence_is_hashed_from_the_voyage_folder_and_a_missing_file_is_named(tmp_path: Path) -> None:
    old = 'sha256 = "1111111111111111111111111111111111111111111111111111111111111111"'
    text = replaced(scenario("lawful"), old, 'file = "treaty.pdf"')
    assert evidence_files(text.encode()) == ("treaty.pdf",)
    with pytest.raises(DeclarationFileError, match=r"facts\.shipper\.evidence\[0\]\.file cannot be read"):
        read(text, tmp_path)
    (tmp_path / "treaty.pdf").write_bytes(b"abc")
    answered = read(text, tmp_path)
    assert answered.declaration.full is not None
    digest = answered.declaration.full.parties[0].evidence[0].sha256
    assert digest == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_a_same_as_may_lead_through_another() -> None:
    _, full = whole()
    assert full.payer == full.customer


def test_a_full_form_begun_in_one_country_is_asked_to_its_end() -> None:
    answered = read(declaration_toml() + '[customer]\nsame_as = "shipper"\n')
    assert "end_user" in answered.missing and "customer" not in answered.missing


# --- the form to fill in ---


def test_the_written_form_asks_every_missing_question_once_and_is_read_without_a_fault() -> None:
    text = declaration_toml({**ABROAD, "data.personal_data": "true"})
    before = read(text)
    more, tables = further_questions(text.encode(), before.declaration, "declaration.toml")
    after = read(text + more)
    # The form has one carrier, one leg and one row of persons to fill in, so their fields are asked for instead.
    assert {"carriage.carriers[0].name", "carriage.legs[0].country", "data.persons[0].country"} <= set(after.missing)
    assert {"facts.shipper", "facts.trained_for", "carriage", "data.persons"} <= set(tables)
    assert further_questions((text + more).encode(), before.declaration, "declaration.toml") == ("", ())


def test_the_written_form_asks_about_a_party_where_it_is_written_out() -> None:
    text = declaration_toml(ABROAD)
    start, end = text.index("[receiver]"), text.index("[operator]")
    text = text[:start] + '[receiver]\nsame_as = "operator"\n' + text[end:]
    more, tables = further_questions(text.encode(), read(text).declaration, "declaration.toml")
    assert "facts.operator" in tables and "facts.receiver" not in tables
    assert "[carriage.legs]" in more


@pytest.mark.parametrize(("changes", "asked"), [(ABROAD, True), ({}, False)])
def test_the_written_form_asks_for_customs_only_over_a_border(changes: dict[str, str], asked: bool) -> None:
    text = declaration_toml(changes, {"receiver": {"headquarters": "undisclosed"}})
    more, _ = further_questions(text.encode(), read(text).declaration, "declaration.toml")
    assert ("customs_reference" in more) == asked


def test_a_name_in_the_form_cannot_break_out_of_its_comment() -> None:
    text = declaration_toml(ABROAD, {"shipper": {"name": "A\\nend_use = 1\\u2028B"}})
    more, _ = further_questions(text.encode(), read(text).declaration, "declaration.toml")
    assert "# A end_use = 1 B" in more
    tomllib.loads(text + more)


def test_the_six_questions_alone_are_the_first_form() -> None:
    with pytest.raises(DeclarationIncomplete):
        read(EXAMPLE)


# --- a document that somebody else signed ---


@pytest.mark.parametrize(
    ("changes", "lacking"),
    [
        ({"carriers": ()}, "who carries the cases"),
        ({"route": ()}, "the route over the border"),
        ({"parties": ()}, "facts of Southern Plateau Observatory"),
        ({"customs_reference": " ? "}, "no answer to full.customs_reference"),
        ({"data_source": "tbd"}, "no answer to full.data_source"),
    ],
)
def test_a_signed_full_form_with_a_gap_is_seen(changes: dict[str, Any], lacking: str) -> None:
    declaration, _ = whole()
    assert any(gap.startswith(lacking) for gap in gaps(with_full(declaration, **changes)))


def test_a_share_that_contradicts_itself_is_seen() -> None:
    declaration, full = whole("reported")
    own = DeclaredHolding(
        owner="Local Tenant Example Sdn Bhd",
        owned="Local Tenant Example Sdn Bhd",
        low=7,
        high=3,
        as_of=None,
        unknown_because=None,
        evidence=(),
    )
    found = gaps(with_full(declaration, holdings=(*full.holdings, own)))
    assert any("cannot hold itself" in gap for gap in found)
    assert any("its least is more than its most" in gap for gap in found)


def test_a_form_that_is_not_what_it_says_has_a_gap() -> None:
    declaration, _ = whole()
    assert gaps(msgspec.structs.replace(declaration, full=None))
    assert gaps(msgspec.structs.replace(declaration, form="short"))


@settings(max_examples=15)
@given(documents(Declaration))
def test_no_document_makes_the_search_for_gaps_fail(declaration: Declaration) -> None:
    for gap in gaps(declaration):
        assert gap


# --- amendments ---


def test_answering_the_full_form_is_one_change_and_alters_nothing() -> None:
    text = scenario("lawful")
    declaration, _ = whole()
    six = read(text[: text.index("[customer]")]).declaration
    changes = changed_answers(six, declaration)
    assert changes[0] == 'form: "short" -> "full"'
    assert changes[1].startswith("full: not stated -> answered (SHA-256 ") and len(changes) == 2
    assert altered_answers(six, declaration) == ()
    # The way back takes answers away; it leads out only where the six are of one country with nobody undisclosed.
    assert len(altered_answers(declaration, six)) == 2
    one_country = read(declaration_toml()).declaration
    assert obstacles(six) and not obstacles(one_country)
    assert escapes(declaration, one_country) and escapes(six, one_country)
    assert not escapes(declaration, six) and not escapes(six, declaration)


def test_a_changed_row_is_shown_by_its_name_and_leaves_the_others() -> None:
    declaration, full = whole()
    other = msgspec.structs.replace(full.carriers[1], name="E. Traveller")
    changes = changed_answers(
        declaration, with_full(declaration, carriers=(full.carriers[0], other, *full.carriers[2:]))
    )
    assert 'full.carriers["B. Traveller"].name: "B. Traveller" -> not stated' in changes
    assert 'full.carriers["E. Traveller"].name: not stated -> "E. Traveller"' in changes
    assert len(changes) == 6


@settings(max_examples=15)
@given(st.data())
def test_every_answer_that_differs_is_shown(data: st.DataObject) -> None:
    old, _ = whole("reported")
    drawn = data.draw(documents(Declaration))
    kept = {"signed_on": old.signed_on, "supersedes": None, "changes": ()}
    new = msgspec.structs.replace(drawn, **kept)
    if drawn.full is not None:
        field = data.draw(st.sampled_from(msgspec.structs.fields(FullForm))).name
        new = with_full(old, **{field: getattr(drawn.full, field)})
    shown = changed_answers(old, new)
    assert bool(shown) == (_unordered(old) != _unordered(new))


def _unordered(node: Any) -> Any:
    """Return a value with rows that have names of their own in any order: their order says nothing."""
    if isinstance(node, msgspec.Struct):
        return {field: _unordered(getattr(node, field)) for field in node.__struct_fields__}
    if isinstance(node, tuple) and node and all(hasattr(row, "name") for row in node):  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
        rows: list[Any] = [_unordered(row) for row in node]  # pyright: ignore[reportUnknownVariableType]
        if len({row["name"] for row in rows}) == len(rows):
            return sorted(rows, key=lambda row: row["name"])
        return rows
    if isinstance(node, tuple):
        return [_unordered(row) for row in node]  # pyright: ignore[reportUnknownVariableType]
    return node


def test_a_party_named_like_a_place_hides_no_change() -> None:
    declaration, full = whole()
    facts = full.parties[0]
    odd = msgspec.structs.replace(facts, name='X"].website')
    before = with_full(declaration, parties=(facts, odd))
    after = with_full(declaration, parties=(facts, msgspec.structs.replace(odd, website="elsewhere.example")))
    assert len(changed_answers(before, after)) == 1


def test_answers_of_any_length_fit_in_their_change() -> None:
    declaration, _ = whole()
    before = with_full(declaration, data_source="a" * 4096)
    after = with_full(declaration, data_source="a" * 4095 + "b")
    (change,) = changed_answers(before, after)
    encode(msgspec.structs.replace(after, changes=(change,)))
