from pathlib import Path

import pytest

from packtrain.diligence import amendments
from packtrain.documents.codec import digest
from packtrain.documents.declaration import Declaration
from packtrain.errors import (
    AnswerChanged,
    DeclarationFileError,
    DeclarationIncomplete,
    DeclarationMissing,
    FullFormNeeded,
    StageNotReady,
    UntrustedSigner,
    WrongRole,
)
from packtrain.events import Event, Notice, discard
from packtrain.record.receipts import is_fresh
from packtrain.stages import carry, declare
from three_parties import three_parties
from voyage_papers import Papers, declaration_toml, declared


@pytest.fixture
def papers(tmp_path: Path) -> Papers:
    return Papers(tmp_path, three_parties(tmp_path))


def test_declaration_is_signed_by_the_consignor_and_says_what_was_answered(papers: Papers) -> None:
    papers.declare()
    declaration = papers.consignor.read_signed(Declaration)
    assert declaration.shipper.name == "shipper of the test"
    assert declaration.trained_for.ultimate_parent == "none"
    assert (declaration.most_bytes, declaration.most_drives) == (10_000_000, 4)
    assert declaration.supersedes is None
    receipt = papers.consignor.receipt("declare")
    assert receipt is not None and receipt.facts["form"].startswith("short")


def test_every_missing_answer_is_named_at_once(papers: Papers) -> None:
    papers.answer(
        declaration_toml(
            {"end_use": '""', "most_drives": None, "data.personal_data": None, "data.categories": "[]"},
            {"receiver": {"address": "?"}, "trained_for": {"name": "", "ultimate_parent": "TODO"}},
        )
    )
    with pytest.raises(DeclarationIncomplete) as caught:
        declare.declare(papers.consignor, discard)
    for field in (
        "end_use",
        "most_drives",
        "data.personal_data",
        "data.categories",
        "receiver.address",
        "trained_for.name",
        "trained_for.ultimate_parent",
        "trained_for.parent_country",
    ):
        assert field in caught.value.message
    assert "shipper" not in caught.value.message
    assert not papers.consignor.has(Declaration)


def test_a_missing_file_is_said_with_where_the_form_is(papers: Papers) -> None:
    with pytest.raises(DeclarationMissing):
        declare.declare(papers.consignor, discard)


def test_a_typo_is_named_with_the_nearest_field(papers: Papers) -> None:
    papers.answer(declaration_toml().replace("end_use", "end_uses"))
    with pytest.raises(DeclarationFileError) as caught:
        declare.declare(papers.consignor, discard)
    assert caught.value.hint == 'did you mean "end_use"?'


@pytest.mark.parametrize("code", ["UK", "XX", "Netherlands", "N"])
def test_what_is_no_country_is_refused(papers: Papers, code: str) -> None:
    papers.answer(declaration_toml({"site_country": f'"{code}"'}))
    with pytest.raises(DeclarationFileError):
        declare.declare(papers.consignor, discard)


@pytest.mark.parametrize(("field", "text"), [("most_bytes", '"plenty"'), ("most_bytes", "-1"), ("most_drives", "-3")])
def test_what_is_no_size_or_count_is_refused(papers: Papers, field: str, text: str) -> None:
    papers.answer(declaration_toml({field: text}))
    with pytest.raises(DeclarationFileError):
        declare.declare(papers.consignor, discard)


def test_same_as_stands_for_all_answers_of_the_other_party(papers: Papers) -> None:
    text = declaration_toml()
    start, end = text.index("[trained_for]"), text.index("[data]")
    papers.declare(text[:start] + '[trained_for]\nsame_as = "shipper"\n' + text[end:])
    declaration = papers.consignor.read_signed(Declaration)
    assert declaration.trained_for == declaration.shipper


def test_same_as_beside_own_answers_is_refused(papers: Papers) -> None:
    papers.answer(declaration_toml(parties={"trained_for": {"same_as": "shipper"}}))
    with pytest.raises(DeclarationFileError):
        declare.declare(papers.consignor, discard)


def test_only_the_consignor_declares(papers: Papers) -> None:
    (papers.operator.root / "declaration.toml").write_text(declaration_toml())
    with pytest.raises(WrongRole):
        declare.declare(papers.operator, discard)


def test_declaring_the_same_answers_again_keeps_the_same_document(papers: Papers) -> None:
    first = papers.declare()
    assert is_fresh(papers.consignor, declare.STAGE, declare.inputs(papers.consignor))
    papers.answer(declaration_toml() + "\n# a comment changes no answer\n")
    assert not is_fresh(papers.consignor, declare.STAGE, declare.inputs(papers.consignor))
    declare.declare(papers.consignor, discard)
    assert papers.consignor.digest(Declaration) == first


@pytest.mark.parametrize(
    ("changes", "parties", "fact"),
    [
        ({"site_country": '"BE"'}, {}, "BE: site"),
        ({}, {"operator": {"location": "BE"}}, "BE: operator location"),
        ({}, {"trained_for": {"headquarters": "SG"}}, "SG: trained_for headquarters"),
        ({}, {"receiver": {"ultimate_parent": "Holding", "parent_country": "SG"}}, "SG: receiver ultimate parent"),
        ({}, {"receiver": {"ultimate_parent": "Holding", "parent_country": "undisclosed"}}, "parent's country"),
        ({}, {"shipper": {"headquarters": "undisclosed"}}, "undisclosed: shipper headquarters"),
        (
            {},
            {"operator": {"ultimate_parent": "unknown", "parent_country": "NL"}},
            "undisclosed: operator ultimate parent",
        ),
    ],
)
def test_the_short_form_needs_one_country_and_no_undisclosed_owner(
    papers: Papers, changes: dict[str, str | None], parties: dict[str, dict[str, str]], fact: str
) -> None:
    papers.answer(declaration_toml(changes, parties))
    with pytest.raises(FullFormNeeded) as caught:
        declare.declare(papers.consignor, discard)
    assert fact in caught.value.message
    assert not papers.consignor.has(Declaration)


def test_reported_voyage_is_refused_at_declare_with_every_fact_named(papers: Papers) -> None:
    # The facts as the press reported them in June 2025; roles, no names.
    papers.answer(
        declaration_toml(
            {
                "site_country": '"MY"',
                "hardware_class": '"advanced computing item (3A090/4A090), about 300 rented servers"',
                "most_bytes": '"80TB"',
                "most_drives": "60",
                "returns": '"model parameters, to CN"',
            },
            {
                "shipper": {"location": "CN", "headquarters": "CN"},
                "receiver": {
                    "location": "MY",
                    "headquarters": "MY",
                    "ultimate_parent": "undisclosed",
                    "parent_country": "undisclosed",
                },
                "operator": {"location": "MY", "headquarters": "MY"},
                "trained_for": {"location": "CN", "headquarters": "CN"},
            },
        )
    )
    with pytest.raises(FullFormNeeded) as caught:
        declare.declare(papers.consignor, discard)
    assert "CN: shipper location, shipper headquarters, trained_for location, trained_for headquarters" in str(
        caught.value
    )
    assert "MY: site" in str(caught.value)
    assert "undisclosed: receiver ultimate parent" in str(caught.value)
    assert not papers.consignor.has(Declaration)
    with pytest.raises(StageNotReady):
        papers.dossier()


def test_reported_voyage_cannot_try_other_answers_unseen(papers: Papers) -> None:
    papers.answer(declaration_toml(parties={"trained_for": {"headquarters": "CN"}}))
    with pytest.raises(FullFormNeeded):
        declare.declare(papers.consignor, discard)
    papers.answer(declaration_toml())
    with pytest.raises(AnswerChanged) as caught:
        declare.declare(papers.consignor, discard)
    assert 'trained_for.headquarters: "CN" -> "NL"' in caught.value.message
    events: list[Event] = []
    declare.declare(papers.consignor, events.append, amend=True)
    warnings = [event.text for event in events if isinstance(event, Notice) and event.is_warning]
    assert any("the site will hold this voyage until its operator has answered" in text for text in warnings)
    declaration = papers.consignor.read_signed(Declaration)
    assert declaration.changes[0] == 'trained_for.headquarters: "CN" -> "NL"'
    assert "the short form did not apply to the superseded answers" in declaration.changes[1]
    assert declaration.supersedes in amendments.archived(papers.consignor, Declaration)


def test_refused_answers_asked_again_are_refused_again_without_a_second_paper(papers: Papers) -> None:
    for _ in range(2):
        papers.answer(declaration_toml(parties={"operator": {"location": "BE"}}))
        with pytest.raises(FullFormNeeded):
            declare.declare(papers.consignor, discard)
    assert len(amendments.archived(papers.consignor, Declaration)) == 1


def test_a_changed_answer_without_amend_shows_old_and_new(papers: Papers) -> None:
    first = papers.declare()
    papers.answer(declaration_toml({"end_use": '"to find planets"'}))
    with pytest.raises(AnswerChanged) as caught:
        declare.declare(papers.consignor, discard)
    assert 'end_use: "to find comets" -> "to find planets"' in caught.value.message
    assert papers.consignor.digest(Declaration) == first


def test_an_amendment_names_every_change_and_keeps_the_old_paper(papers: Papers) -> None:
    first = papers.declare()
    second = papers.declare(
        declaration_toml({"most_bytes": '"20 MB"', "data.categories": '["a", "b"]'}, {"operator": {"name": "Other"}}),
        amend=True,
    )
    declaration = papers.consignor.read_signed(Declaration)
    assert declaration.supersedes == first
    assert declaration.changes == (
        'operator.name: "operator of the test" -> "Other"',
        'data.categories: ["astronomical images"] -> ["a", "b"]',
        "most_bytes: 10000000 -> 20000000",
    )
    assert [name for name, _ in amendments.chain_of(papers.consignor)] == [second, first]


def test_an_amendment_to_facts_beyond_the_short_form_withdraws_the_declaration(papers: Papers) -> None:
    first = papers.declare()
    papers.pack()
    papers.answer(declaration_toml(parties={"trained_for": {"headquarters": "SG"}}))
    with pytest.raises(FullFormNeeded):
        declare.declare(papers.consignor, discard, amend=True)
    assert not papers.consignor.has(Declaration)
    assert first in amendments.archived(papers.consignor, Declaration)
    with pytest.raises(StageNotReady):
        carry.seal(papers.consignor, discard)


def test_amend_without_a_change_changes_nothing(tmp_path: Path) -> None:
    papers = declared(tmp_path)
    before = papers.consignor.digest(Declaration)
    declare.declare(papers.consignor, discard, amend=True)
    assert papers.consignor.digest(Declaration) == before


def test_a_declaration_signed_by_a_stranger_is_not_taken_for_the_consignors(papers: Papers) -> None:
    papers.declare()
    declaration = papers.consignor.read(Declaration)
    papers.consignor.write_signed(declaration, papers.operator.signer())
    with pytest.raises(UntrustedSigner):
        declare.declare(papers.consignor, discard)
    assert papers.consignor.digest(Declaration) == digest(declaration)
