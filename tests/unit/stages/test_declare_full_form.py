"""declare with the full form: what is signed when, what is asked next, and what the site makes of it."""

from pathlib import Path

import msgspec
import pytest

from packtrain.diligence import amendments
from packtrain.documents.admission import Admission
from packtrain.documents.declaration import Declaration
from packtrain.errors import (
    AdmissionHeld,
    AdmissionRefused,
    AnswerChanged,
    DeclarationMissing,
    FullFormNeeded,
    StageNotReady,
    WrongRole,
)
from packtrain.events import discard
from packtrain.record.receipts import is_fresh
from packtrain.stages import admit, declare
from three_parties import three_parties
from voyage_papers import Papers, declaration_toml

LAWFUL = Path(__file__).parents[2] / "scenarios" / "lawful-voyage.declaration.toml"
ABROAD = {"site_country": '"BE"'}


@pytest.fixture
def papers(tmp_path: Path) -> Papers:
    return Papers(tmp_path, three_parties(tmp_path))


def six_then_full(papers: Papers) -> tuple[str, str]:
    """Sign the six answers of the lawful voyage, then all; return the digests of both declarations."""
    text = LAWFUL.read_text()
    papers.answer(text[: text.index("[customer]")])
    with pytest.raises(FullFormNeeded):
        declare.declare(papers.consignor, papers.sink)
    (six,) = amendments.archived(papers.consignor, Declaration)
    return six, papers.declare(text)


def verdict(papers: Papers) -> Admission:
    papers.pack()
    papers.seal()
    papers.hand_over()
    with pytest.raises((AdmissionHeld, AdmissionRefused)):
        admit.admit(papers.operator, papers.dossier(), papers.mounted(), discard)
    return papers.operator.read_signed(Admission)


def outcome(admission: Admission, name: str) -> tuple[str, str]:
    return next((check.outcome, check.detail) for check in admission.checks if check.check == name)


def test_answering_the_full_form_at_once_signs_it(papers: Papers) -> None:
    papers.declare(LAWFUL.read_text())
    declaration = papers.consignor.read_signed(Declaration)
    assert (declaration.form, declaration.supersedes, declaration.changes) == ("full", None, ())
    assert is_fresh(papers.consignor, declare.STAGE, declare.inputs(papers.consignor))
    receipt = papers.consignor.receipt("declare")
    assert receipt is not None and receipt.facts["form"].startswith("full")


def test_answering_the_full_form_after_the_six_needs_no_amendment_and_warns_of_nothing(papers: Papers) -> None:
    six, whole = six_then_full(papers)
    declaration = papers.consignor.read_signed(Declaration)
    assert declaration.supersedes == six
    assert declaration.changes[0] == 'form: "short" -> "full"' and len(declaration.changes) == 2
    assert "will hold" not in papers.notices()
    assert [name for name, _ in amendments.chain_of(papers.consignor)] == [whole, six]


def test_a_six_answer_changed_while_the_full_form_is_answered_is_an_amendment(papers: Papers) -> None:
    text = LAWFUL.read_text()
    papers.answer(text[: text.index("[customer]")])
    with pytest.raises(FullFormNeeded):
        declare.declare(papers.consignor, discard)
    changed = text.replace('headquarters = "CL"', 'headquarters = "NL"')
    papers.answer(changed)
    with pytest.raises(AnswerChanged) as caught:
        declare.declare(papers.consignor, discard)
    assert 'shipper.headquarters: "CL" -> "NL"' in caught.value.message
    assert "full:" not in caught.value.message
    papers.declare(changed, amend=True)
    assert 'shipper.headquarters: "CL" -> "NL"' in papers.consignor.read_signed(Declaration).changes


def test_an_answer_of_the_full_form_changes_only_by_an_amendment(papers: Papers) -> None:
    first = papers.declare(LAWFUL.read_text())
    papers.answer(LAWFUL.read_text().replace('origin = "US"', 'origin = "undisclosed"'))
    with pytest.raises(AnswerChanged, match=r'full\.site\.hardware\[0\]\.origin: "US" -> not stated'):
        declare.declare(papers.consignor, discard)
    declare.declare(papers.consignor, discard, amend=True)
    assert papers.consignor.read_signed(Declaration).supersedes == first


@pytest.mark.parametrize("amend", [False, True])
def test_emptying_a_signed_full_form_signs_and_withdraws_nothing(papers: Papers, amend: bool) -> None:
    first = papers.declare(LAWFUL.read_text())
    text = LAWFUL.read_text()
    papers.answer(text[: text.index("[permits]")])
    with pytest.raises(FullFormNeeded, match=r"permits\.prohibited_uses"):
        declare.declare(papers.consignor, discard, amend=amend)
    assert papers.consignor.digest(Declaration) == first
    assert not amendments.archived(papers.consignor, Declaration)


def test_a_full_form_begun_of_free_will_signs_nothing_before_it_is_whole(papers: Papers) -> None:
    papers.answer(declaration_toml() + '[customer]\nsame_as = "shipper"\n')
    with pytest.raises(FullFormNeeded, match="the full form is begun and lacks"):
        declare.declare(papers.consignor, discard)
    assert amendments.last_signed(papers.consignor) is None


def test_a_changed_file_of_evidence_is_a_changed_answer(papers: Papers) -> None:
    text = LAWFUL.read_text().replace(f'sha256 = "{"1" * 64}"', 'file = "treaty.txt"')
    (papers.consignor.root / "treaty.txt").write_text("first")
    papers.declare(text)
    assert is_fresh(papers.consignor, declare.STAGE, declare.inputs(papers.consignor))
    (papers.consignor.root / "treaty.txt").write_text("second")
    assert not is_fresh(papers.consignor, declare.STAGE, declare.inputs(papers.consignor))
    with pytest.raises(AnswerChanged, match="evidence"):
        declare.declare(papers.consignor, discard)


# --- the form ---


def test_the_form_comes_in_two_steps_and_keeps_what_is_written(papers: Papers) -> None:
    root = papers.consignor.root
    assert declare.write_form(papers.consignor, discard) == ("the six questions",)
    six = declaration_toml(ABROAD)
    (root / "declaration.toml").write_text(six)
    with pytest.raises(StageNotReady):
        declare.write_form(papers.consignor, discard)
    with pytest.raises(FullFormNeeded):
        declare.declare(papers.consignor, discard)
    tables = declare.write_form(papers.consignor, discard)
    assert "carriage" in tables and "data.persons" not in tables
    assert (root / "declaration.toml").read_text().startswith(six)
    assert declare.write_form(papers.consignor, discard) == ()


def test_nothing_more_is_asked_of_a_voyage_in_one_country(papers: Papers) -> None:
    papers.declare()
    assert declare.write_form(papers.consignor, discard) == ()
    assert (papers.consignor.root / "declaration.toml").read_text() == declaration_toml()


def test_only_the_consignor_gets_a_form(papers: Papers) -> None:
    with pytest.raises(WrongRole):
        declare.write_form(papers.operator, discard)


def test_a_missing_file_is_said_with_the_verb_that_writes_it(papers: Papers) -> None:
    with pytest.raises(DeclarationMissing) as caught:
        declare.declare(papers.consignor, discard)
    assert "--write-form" in (caught.value.hint or "")


# --- at the site ---


def test_a_whole_full_form_passes_as_a_form_and_its_answers_are_judged_by_the_rules(papers: Papers) -> None:
    six_then_full(papers)
    admission = verdict(papers)
    assert outcome(admission, "form") == ("passed", "full form: every question that this route asks is answered")
    assert outcome(admission, "amendments")[0] == "passed"
    # The four declared carriers are not those of the two cases of this test.
    assert admission.verdict == "refuse"
    assert "PT-1 STOP" in outcome(admission, "rules")[1]


def test_a_full_form_with_a_gap_is_refused_whoever_signed_it(papers: Papers) -> None:
    papers.declare(LAWFUL.read_text())
    declaration = papers.consignor.read(Declaration)
    assert declaration.full is not None
    forged = msgspec.structs.replace(declaration, full=msgspec.structs.replace(declaration.full, carriers=()))
    papers.consignor.write_signed(forged, papers.consignor.signer())
    admission = verdict(papers)
    assert admission.verdict == "refuse"
    assert "the full form lacks who carries the cases" in outcome(admission, "form")[1]


def test_the_way_back_from_the_full_form_to_the_short_one_is_held(papers: Papers) -> None:
    papers.declare(LAWFUL.read_text())
    papers.declare(declaration_toml({"most_bytes": '"80TB"', "most_drives": "60"}), amend=True)
    assert "will hold this voyage" in papers.notices()
    admission = verdict(papers)
    assert admission.verdict == "hold"
    assert outcome(admission, "form")[0] == "passed"
    assert outcome(admission, "amendments")[0] == "passed"
    assert "AMD-1 HOLD" in outcome(admission, "rules")[1]
