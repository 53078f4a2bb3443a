import json
from datetime import timedelta
from pathlib import Path

import pytest

from days import today
from packtrain.crypto.sshsig import generate_key_pair
from packtrain.diligence.lists.add import ListToAdd, add_list
from packtrain.diligence.screening.record import DISPOSITIONS, SCREENINGS, read_dispositions
from packtrain.diligence.screening.state import screening_state
from packtrain.documents.screening import Screening
from packtrain.errors import (
    CandidateUnknown,
    DocumentError,
    DossierError,
    IntegrityError,
    SignatureInvalid,
    StageNotReady,
    UntrustedSigner,
)
from packtrain.events import discard
from packtrain.record.folder import VoyageFolder
from packtrain.stages import screen
from packtrain.stages.screen import Answer
from packtrain.voyage import Voyage
from second_person import with_reviewer
from three_parties import three_parties
from voyage_papers import Papers, declaration_toml, declared


@pytest.fixture
def papers(tmp_path: Path) -> Papers:
    return declared(tmp_path)


def add(folder: VoyageFolder, *names: str, days_old: int = 1) -> None:
    path = folder.root / "list.csv"
    path.write_text("name\n" + "\n".join(names) + "\n")
    day = today() - timedelta(days=days_old)
    add_list(folder, ListToAdd("invented", "csv", [path], day, columns={"name": "name"}), discard)


def test_a_listed_shipper_is_a_strong_candidate_that_two_persons_have_to_dismiss(
    papers: Papers, tmp_path: Path
) -> None:
    folder = papers.consignor
    add(folder, "Shipper of the Test", "Somebody Else")

    receipt = screen.screen(folder, papers.sink)

    assert (receipt.counts["candidates"], receipt.counts["strong"]) == (1, 1)
    assert "1 points are open" in papers.notices()
    (state,) = screening_state(folder).states
    assert (state.candidate.text, state.candidate.score, state.is_strong) == ("Shipper of the Test", 1000, True)
    first = Answer(state.candidate.id[:8], "false match", "another town")
    screen.answer(folder, first, papers.sink)
    assert "needs a second" in papers.notices()

    second = with_reviewer(folder, tmp_path)
    evidence = tmp_path / "extract.pdf"
    evidence.write_bytes(b"an extract of the register")
    screen.answer(folder, Answer(state.candidate.id, "false match", "see extract", [evidence], second), discard)

    now = screening_state(folder)
    assert now.open_points == ()
    assert now.states[0].has_two_signers
    assert sorted(len(said.disposition.evidence) for said in now.states[0].answers) == [0, 1]
    assert "no point open" in now.in_words


def test_the_operator_screens_with_lists_of_its_own_and_its_own_signature(papers: Papers) -> None:
    papers.pack()
    papers.seal()
    from packtrain.diligence.dossier import import_dossier

    import_dossier(papers.operator, papers.dossier())
    add(papers.operator, "A. Carrier")

    screen.screen(papers.operator, discard)

    state = screening_state(papers.operator)
    assert state.screening.by == "operator"
    strong = [each.subject.places for each in state.states if each.is_strong]
    assert strong == [("packing statement.cases[0].carrier",)]


def test_without_a_list_the_document_says_not_screened(papers: Papers) -> None:
    receipt = screen.screen(papers.consignor, papers.sink)

    assert papers.consignor.read_signed(Screening).outcome == "not screened"
    assert receipt.facts["screening"] == "not screened: no list of parties was looked at"
    assert "not screened: no list was added" in papers.notices()


def test_the_age_of_a_list_is_that_of_the_day_of_signing(papers: Papers) -> None:
    add(papers.consignor, "Somebody Else", days_old=9)

    screen.screen(papers.consignor, discard)

    assert [each.age_days for each in papers.consignor.read_signed(Screening).lists] == [9]


def test_a_new_list_makes_a_new_screening_and_an_answer_to_an_unchanged_entry_holds(papers: Papers) -> None:
    folder = papers.consignor
    add(folder, "Shipper of a Test")
    screen.screen(folder, discard)
    before = folder.digest(Screening)
    (state,) = screening_state(folder).states
    screen.answer(folder, Answer(state.candidate.id, "true match", "it is us"), discard)

    add(folder, "Shipper of a Test", "Receiver of the Test")
    screen.screen(folder, discard)

    assert (folder.documents / SCREENINGS / f"{before}.json.sig").is_file()
    assert [each.disposition for each in screening_state(folder).states if "Shipper" in each.candidate.text] == [
        "true match"
    ]
    assert {point.kind for point in screening_state(folder).open_points} == {"true match", "not answered"}


def test_the_same_papers_and_lists_are_screened_once(papers: Papers) -> None:
    add(papers.consignor, "Somebody Else")
    voyage = Voyage(papers.consignor.root, discard)

    assert voyage.screen() == voyage.screen()
    add(papers.consignor, "Somebody Else", "One More")
    assert voyage.screen().inputs != {}


def test_an_amended_declaration_is_screened_again(papers: Papers) -> None:
    add(papers.consignor, "Somebody Else")
    screen.screen(papers.consignor, discard)
    papers.declare(declaration_toml({"end_use": '"to find stars"'}), amend=True)

    assert [point.kind for point in screening_state(papers.consignor).open_points] == ["other papers"]


def test_nothing_is_screened_before_a_declaration(tmp_path: Path) -> None:
    folder = three_parties(tmp_path)["consignor"]

    with pytest.raises(StageNotReady, match=r"declaration\.json is not here"):
        screen.screen(folder, discard)


@pytest.mark.parametrize("candidate", ["", "abc", "f" * 64, "not an id"])
def test_an_answer_names_one_candidate(papers: Papers, candidate: str) -> None:
    add(papers.consignor, "Shipper of the Test")
    screen.screen(papers.consignor, discard)

    with pytest.raises(CandidateUnknown, match="id"):
        screen.answer(papers.consignor, Answer(candidate, "false match", "another town"), discard)


def test_an_answer_has_a_reason(papers: Papers) -> None:
    add(papers.consignor, "Shipper of the Test")
    screen.screen(papers.consignor, discard)
    (state,) = screening_state(papers.consignor).states

    with pytest.raises(DocumentError, match="cannot be written"):
        screen.answer(papers.consignor, Answer(state.candidate.id, "false match", "  "), discard)


def test_a_stranger_does_not_answer(papers: Papers, tmp_path: Path) -> None:
    add(papers.consignor, "Shipper of the Test")
    screen.screen(papers.consignor, discard)
    (state,) = screening_state(papers.consignor).states
    generate_key_pair(tmp_path / "stranger", "")

    for key in (tmp_path / "stranger", papers.operator.keys / "signer"):
        with pytest.raises(UntrustedSigner, match="disposition"):
            screen.answer(papers.consignor, Answer(state.candidate.id, "false match", "x", key=key), discard)
    assert read_dispositions(papers.consignor) == ()


def test_an_altered_disposition_is_refused(papers: Papers) -> None:
    folder = papers.consignor
    add(folder, "Shipper of the Test")
    screen.screen(folder, discard)
    (state,) = screening_state(folder).states
    signed = screen.answer(folder, Answer(state.candidate.id, "true match", "it is us"), discard)
    path = folder.documents / DISPOSITIONS / f"{signed.digest}.json"
    path.write_bytes(path.read_bytes().replace(b"true match", b"false match"))

    with pytest.raises(DossierError, match="altered"):
        screening_state(folder)


def test_an_altered_screening_is_refused(papers: Papers) -> None:
    add(papers.consignor, "Shipper of the Test")
    screen.screen(papers.consignor, discard)
    path = papers.consignor.document_path(Screening)
    document = json.loads(path.read_bytes())
    document["subjects"] = []
    path.write_bytes(json.dumps(document, separators=(",", ":"), sort_keys=True).encode())

    with pytest.raises(SignatureInvalid):
        screening_state(papers.consignor)


def test_a_list_that_was_thinned_out_is_noticed_and_nothing_is_signed(papers: Papers) -> None:
    import sqlite3

    add(papers.consignor, "Shipper of the Test", "Somebody Else")
    (path,) = (papers.consignor.root / "lists" / "invented").glob("entries-*.sqlite")
    with sqlite3.connect(path) as connection:
        connection.execute("DELETE FROM entries WHERE id = 1")

    with pytest.raises(IntegrityError, match="not those that were added"):
        screen.screen(papers.consignor, discard)
    assert not papers.consignor.has(Screening)


def test_a_name_that_was_amended_away_is_still_screened(papers: Papers) -> None:
    add(papers.consignor, "Shipper of the Test")
    changed = declaration_toml(parties={"shipper": {"name": "Quite Another House"}})
    papers.declare(changed, amend=True)
    screen.screen(papers.consignor, discard)
    (state,) = screening_state(papers.consignor).states
    assert (state.subject.text, state.subject.places) == ("shipper of the test", ("superseded.shipper.name",))
