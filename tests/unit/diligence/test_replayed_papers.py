"""A party's own word is given in its own folder: what it signed in another voyage does not come back with a dossier."""

import shutil
from pathlib import Path

from packtrain.diligence.screening.record import read_dispositions
from packtrain.diligence.screening.state import screening_state
from packtrain.documents.admission import Admission
from packtrain.documents.flags import Flags
from packtrain.events import discard
from packtrain.record.folder import VoyageFolder
from packtrain.stages import admit, exchange, flags, screen
from packtrain.stages.screen import Answer
from scenario_parts import on_paper, verdict, with_lists
from voyage_papers import Papers, arrived


def another_voyage(papers: Papers, root: Path) -> Papers:
    """Return the same parties, with the same keys, before they shared any paper of this voyage."""
    shutil.copytree(papers.root, root)
    return Papers(root, {role: VoyageFolder(root / role) for role in papers.folders}, papers.identity)


def test_an_answer_of_another_voyage_does_not_dismiss_a_candidate_of_this_one(tmp_path: Path) -> None:
    papers = arrived(tmp_path / "this")
    other = another_voyage(papers, tmp_path / "other")
    with_lists(other.operator, "shipper of the test")
    exchange.import_dossier(other.operator, other.dossier(), discard)
    screen.screen(other.operator, discard)
    candidate = screening_state(other.operator).states[0].candidate.id
    screen.answer(other.operator, Answer(candidate, "false match", "that one is in another town"), discard)

    # The consignor had that answer with the operator's dossier, and puts it among the papers of this voyage.
    exchange.import_dossier(other.consignor, other.dossier("back", "operator", "consignor"), discard)
    for name in ("dispositions", "screenings"):
        shutil.copytree(other.consignor.documents / name, papers.consignor.documents / name, dirs_exist_ok=True)
    with_lists(papers.operator, "shipper of the test")
    exchange.import_dossier(papers.operator, papers.dossier(), papers.sink)
    screen.screen(papers.operator, discard)

    (state,) = screening_state(papers.operator).states
    assert state.candidate.id == candidate, "the same text and entry have the same id in every voyage"
    assert state.disposition is None and read_dispositions(papers.operator) == ()
    assert "is signed by this party and not of this folder: it was left aside" in papers.notices()


def test_a_run_and_a_verdict_of_another_voyage_do_not_become_this_ones(tmp_path: Path) -> None:
    papers = on_paper(tmp_path / "this", "lawful")
    other = another_voyage(papers, tmp_path / "other")
    other.drives = papers.drives
    assert verdict(other).verdict == "admit"
    exchange.import_dossier(other.consignor, other.dossier("back", "operator", "consignor"), discard)
    shutil.copytree(other.consignor.documents, papers.consignor.documents, dirs_exist_ok=True)
    run = papers.consignor.documents / "flags" / "operator.json"
    digest = other.operator.digest(Flags)
    for suffix in ("", ".sig"):
        # Under its digest it is an earlier run, and there is none that names it.
        run.with_name(f"operator.json{suffix}").rename(run.with_name(f"{digest}.json{suffix}"))
    exchange.import_dossier(papers.operator, papers.dossier(), discard)
    assert not papers.operator.has(Admission)
    admit.admit(papers.operator, None, papers.mounted(), discard, no_more=True)
    assert papers.operator.read_signed(Flags).supersedes is None
    assert papers.operator.read_signed(Admission).verdict == "admit"
    assert flags.show(papers.operator)["operator"].standing.worst_open in (None, "FLAG")
