"""The process dies at a durable step of sealing, handing over, importing: the same command again ends the same way."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import bagit
import pytest

from death_parts import dies_at
from packtrain import durable
from packtrain.diligence import amendments
from packtrain.diligence.hand_over import custody_log, extend
from packtrain.documents.admission import Admission
from packtrain.documents.declaration import Declaration
from packtrain.documents.plan import Plan
from packtrain.events import discard
from packtrain.record import keys
from packtrain.record.folder import VoyageFolder
from packtrain.report.papers import render
from packtrain.stages import admit, carry, custody, declare, exchange, flags, screen
from packtrain.stages.papers import write_papers
from scenario_parts import with_lists
from three_parties import three_parties
from voyage_papers import CASES, Papers, accept_cases, arrived, declaration_toml, packed, release_cases, tree

pytestmark = pytest.mark.long


def count_steps(work: Callable[[], object]) -> int:
    """Run `work` and return how many durable steps it has."""
    steps: list[str] = []
    durable.observe_steps(steps.append)
    try:
        work()
    finally:
        durable.observe_steps(None)
    return len(steps)


def test_sealing_survives_death_at_any_step(tmp_path: Path) -> None:
    def prepare(name: str) -> Papers:
        papers = packed(tmp_path / name)
        (papers.consignor.documents / "packing-statement.json").unlink()
        custody_log(papers.consignor).path.unlink()
        return papers

    whole = prepare("whole")
    for number in range(0, count_steps(whole.seal), 2):
        papers = prepare(str(number))
        assert dies_at(number, papers.seal)
        papers.seal()
        lines = custody_log(papers.consignor).read(papers.consignor.trust())
        assert [line.event.cases for line in lines] == [("A",), ("B",)]


def test_accepting_survives_death_at_any_step(tmp_path: Path) -> None:
    def prepare(name: str) -> tuple[Papers, Callable[[], object]]:
        papers = packed(tmp_path / name)
        offered = release_cases(papers.consignor, CASES, "operator", discard, destination=papers.root / "offered")
        return papers, lambda: accept_cases(papers.operator, offered, discard, destination=papers.root / "answer")

    _, accept = prepare("whole")
    for number in range(count_steps(accept)):
        papers, accept = prepare(str(number))
        assert dies_at(number, accept)
        accept()
        carry.adopt(papers.consignor, papers.root / "answer", discard)
        assert custody_log(papers.consignor).path.read_bytes() == custody_log(papers.operator).path.read_bytes()
        assert len(custody_log(papers.operator).read(papers.operator.trust())) == 4


def test_a_hand_over_by_code_survives_death_on_both_sides(tmp_path: Path) -> None:
    def prepare(name: str) -> tuple[Papers, Callable[[], str]]:
        papers = packed(tmp_path / name)
        extend(papers.operator, custody_log(papers.consignor).read(papers.consignor.trust()))
        carry.offer(papers.consignor, CASES, "operator", discard)
        code = carry.own_code(papers.consignor)
        return papers, lambda: (carry.take_code(papers.operator, code, discard), carry.own_code(papers.operator))[1]

    def adopting(papers: Papers, answer: str) -> Callable[[], object]:
        return lambda: carry.adopt_code(papers.consignor, answer, discard)

    whole, accept = prepare("whole")
    num_steps = count_steps(accept)
    num_adopting = count_steps(adopting(whole, accept()))
    for number in range(0, max(num_steps, num_adopting), 4):
        papers, accept = prepare(str(number))
        if number < num_steps:
            assert dies_at(number, accept)
        adopt = adopting(papers, accept())
        if number < num_adopting:
            assert dies_at(number, adopt)
        assert adopt() is not None
        assert custody_log(papers.consignor).path.read_bytes() == custody_log(papers.operator).path.read_bytes()
        assert len(custody_log(papers.operator).read(papers.operator.trust())) == 4


def test_amending_survives_death_at_any_step(tmp_path: Path) -> None:
    def prepare(name: str) -> tuple[VoyageFolder, Callable[[], object]]:
        folder = three_parties(tmp_path / name)["consignor"]
        answers = folder.root / "declaration.toml"
        answers.write_text(declaration_toml())
        declare.declare(folder, discard)
        answers.write_text(declaration_toml({"end_use": '"to find planets"'}))
        return folder, lambda: declare.declare(folder, discard, amend=True)

    for number in range(count_steps(prepare("whole")[1])):
        folder, amend = prepare(str(number))
        assert dies_at(number, amend)
        folder.settle()
        amend()
        assert folder.read_signed(Declaration).end_use == "to find planets"
        assert len(amendments.chain_of(folder)) == 2


def test_a_dossier_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    papers = packed(tmp_path)
    num_steps = count_steps(lambda: papers.dossier("whole"))
    for number in range(0, num_steps - 1, 5):
        assert dies_at(number, lambda: papers.dossier("dossier"))
        assert not (tmp_path / "dossier").exists()
    papers.dossier("dossier")
    assert bagit.Bag(str(tmp_path / "dossier")).is_valid()


def test_importing_survives_death_at_any_step(tmp_path: Path) -> None:
    whole = packed(tmp_path / "whole")
    source = whole.dossier()
    num_steps = count_steps(lambda: exchange.import_dossier(whole.operator, source, discard))
    expected = tree(whole.operator.root)
    for number in range(0, num_steps, 7):
        papers = packed(tmp_path / str(number))
        assert dies_at(number, lambda papers=papers: exchange.import_dossier(papers.operator, source, discard))
        papers.operator.settle()
        exchange.import_dossier(papers.operator, source, discard)
        assert tree(papers.operator.root) == expected


def test_importing_a_newer_attempt_survives_death_at_any_step(tmp_path: Path) -> None:
    sender = packed(tmp_path / "sender")
    first = sender.dossier("first")
    sender.pack(attempt=2)
    sender.seal()
    second = sender.dossier("second")

    def prepare(name: str) -> tuple[Papers, Callable[[], object]]:
        papers = packed(tmp_path / name)
        exchange.import_dossier(papers.operator, first, discard)
        return papers, lambda: exchange.import_dossier(papers.operator, second, discard)

    whole, take = prepare("whole")
    num_steps = count_steps(take)
    expected = tree(whole.operator.root)
    for number in range(0, num_steps, 11):
        papers, take = prepare(str(number))
        assert dies_at(number, take)
        papers.operator.settle()
        take()
        assert papers.operator.digest(Plan) == sender.consignor.digest(Plan)
        assert tree(papers.operator.root) == expected


def test_admitting_survives_death_at_any_step(tmp_path: Path) -> None:
    whole = arrived(tmp_path / "whole")
    source = whole.dossier()
    exchange.import_dossier(whole.operator, source, discard)
    num_steps = count_steps(lambda: admit.admit(whole.operator, None, whole.mounted(), discard))
    for number in range(0, num_steps, 3):
        papers = arrived(tmp_path / str(number))
        exchange.import_dossier(papers.operator, source, discard)
        assert dies_at(number, lambda papers=papers: admit.admit(papers.operator, None, papers.mounted(), discard))
        admit.admit(papers.operator, None, papers.mounted(), discard)
        assert papers.operator.read_signed(Admission).verdict == "admit"
        assert (papers.operator.keys / keys.RELEASE).is_file()


def test_an_import_of_every_kind_of_paper_survives_death_at_any_step(tmp_path: Path) -> None:
    template = arrived(tmp_path / "template")
    with_lists(template.consignor)
    flags.judge(template.consignor, discard)
    write_papers(template.consignor, render, discard)
    exchange.import_dossier(template.operator, template.dossier("first"), discard)
    template.declare(declaration_toml({"end_use": '"to find more comets"'}), amend=True)
    screen.screen(template.consignor, discard)
    flags.judge(template.consignor, discard)
    letter = template.root / "letter.txt"
    letter.write_text("a letter")
    reply = flags.FlagReply("RET-1", "A. Able", "it was looked into", evidence=[letter])
    raised = [flag.result.rule for flag in flags.show(template.consignor)["consignor"].standing.flags]
    flags.answer(template.consignor, replace(reply, rule=raised[0]), discard)
    write_papers(template.consignor, render, discard)
    custody.make_head(template.consignor, discard, destination=template.root / "head")
    custody.revoke(template.consignor, "the laptop was lost", discard)
    template.dossier("second")

    def prepare(name: str) -> Papers:
        shutil.copytree(template.root, tmp_path / name)
        return Papers(tmp_path / name, {role: VoyageFolder(tmp_path / name / role) for role in template.folders})

    def take(papers: Papers) -> None:
        papers.operator.settle()
        exchange.import_dossier(papers.operator, papers.root / "second", discard)

    clean = prepare("clean")
    steps = count_steps(lambda: take(clean))
    whole = tree(clean.operator.documents)
    assert {"heads", "revocations", "evidence", "flags", "flag-answers", "screenings", "declarations", "papers"} <= {
        name.partition("/")[0] for name in whole
    }
    for number in range(0, steps, 3):
        papers = prepare(f"step{number}")
        assert dies_at(number, lambda papers=papers: take(papers))
        take(papers)
        assert tree(papers.operator.documents) == whole, number
        shutil.rmtree(papers.root)
