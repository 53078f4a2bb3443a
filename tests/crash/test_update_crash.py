"""The process dies at a durable step of an update: the same command again ends as if nothing had happened."""

from collections.abc import Callable
from pathlib import Path

import pytest

from death_parts import Killed, dies_at
from packtrain import durable
from packtrain.documents.kit import Kit
from packtrain.documents.kit_update import KitUpdate
from packtrain.errors import KitError, VoyageFileError
from packtrain.events import discard
from packtrain.stages import train, update
from packtrain.training.kit_held import verify_kit
from site_parts import load_receipt
from update_parts import kit_at_the_site, mended, rehearse, yes
from voyage_papers import Papers, copy_papers, tree

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Papers:
    papers = kit_at_the_site(tmp_path_factory.mktemp("voyage"))
    load_receipt(papers.consignee)
    rehearse(papers.consignor, mended(), {"alpha": "1.1", "beta": "2.0"})
    return papers


def kill_everywhere(
    template: Papers, root: Path, ready: Callable[[Papers], None], work: Callable[[Papers], object], every: int
) -> tuple[Papers, list[Papers]]:
    """Return a voyage in which `work` ran through, and one for each step at which it was killed and run again."""
    whole = copy_papers(template, root / "whole")
    ready(whole)
    work(whole)
    killed: list[Papers] = []
    number = 0
    while True:
        papers = copy_papers(template, root / str(number))
        ready(papers)
        if not dies_at(number, lambda papers=papers: work(papers)):
            return whole, killed
        for folder in papers.folders.values():
            folder.settle()
        work(papers)
        killed.append(papers)
        number += every


def file_of(papers: Papers) -> Path:
    return papers.root / "one.update"


def make(papers: Papers) -> None:
    update.make(papers.consignor, file_of(papers), "it failed", discard)


def countersign(papers: Papers) -> None:
    update.countersign(papers.operator, file_of(papers), yes)


def apply(papers: Papers) -> None:
    update.apply(papers.consignee, file_of(papers), discard)


def test_making_survives_death_at_any_step(template: Papers, tmp_path: Path) -> None:
    _, killed = kill_everywhere(template, tmp_path, lambda papers: None, make, 1)
    assert len(killed) >= 8
    for papers in killed:
        assert papers.consignor.read_signed(KitUpdate).number == 1
        countersign(papers)


def test_countersigning_survives_death_at_any_step(template: Papers, tmp_path: Path) -> None:
    made = copy_papers(template, tmp_path / "made")
    make(made)
    whole, killed = kill_everywhere(made, tmp_path / "killed", lambda papers: None, countersign, 3)
    assert len(killed) >= 8
    for papers in killed:
        assert tree(papers.operator.documents) == tree(whole.operator.documents)
        apply(papers)


def test_applying_survives_death_at_any_step_and_trains_with_no_mixture(template: Papers, tmp_path: Path) -> None:
    signed = copy_papers(template, tmp_path / "signed")
    make(signed)
    countersign(signed)
    first, second = signed.consignee.read_signed(Kit), signed.consignor.read_signed(Kit)
    seen: set[str] = set()

    def applied(papers: Papers) -> None:
        """Apply; where it dies, see which kit a training would run with."""
        try:
            apply(papers)
        except Killed:
            durable.observe_steps(None)
            folder = papers.consignee
            folder.settle()
            try:
                inputs = train.inputs(folder)
                program = folder.resolve("work/kit/program")
                train._check_program(folder, program, inputs["program"])  # pyright: ignore[reportPrivateUsage]
            except KitError:
                seen.add("refused")
            except VoyageFileError:  # no program folder: between two renames
                seen.add("no program")
            else:
                seen.add({first.program: "first", second.program: "second"}[inputs["program"]])
                assert inputs["program"] == folder.read_signed(Kit).program
            raise

    whole, killed = kill_everywhere(signed, tmp_path / "killed", lambda papers: None, applied, 2)
    assert len(killed) >= 20
    for papers in killed:
        assert tree(papers.consignee.documents) == tree(whole.consignee.documents)
        assert tree(papers.consignee.work / "kit") == tree(whole.consignee.work / "kit")
        assert sorted(path.name for path in papers.consignee.work.iterdir()) == ["kit"]
        verify_kit(papers.consignee.work / "kit", second)
    assert seen - {"second"} == {"first", "refused", "no program"}
