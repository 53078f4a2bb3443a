import hashlib
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from packtrain.documents.dataset import DataFile, Dataset
from packtrain.documents.inspection import Finding
from packtrain.documents.ready import StepLoss, UndisturbedRun
from packtrain.errors import IntegrityError
from packtrain.ports import StepRecord
from packtrain.training.rehearsal import MOST_LOSSES, told_of_run
from packtrain.training.site.miniature_again import TOLERANCE, judge_losses, lay_out
from packtrain.training.site.seen import Seen
from sample_documents import samples

LOSSES = (2.5, 2.25, 2.0)


def steps(*losses: float | None) -> tuple[StepRecord, ...]:
    return tuple(StepRecord(1, number, loss, 4, float(number)) for number, loss in enumerate(losses, 1))


def judged(*losses: float | None, home: tuple[float, ...] = LOSSES, workers: int = 2) -> Finding:
    run = UndisturbedRun(
        num_workers=2, num_steps=3, losses=tuple(StepLoss(step=n, loss=loss) for n, loss in enumerate(home, 1))
    )
    seen = Seen("here")
    judge_losses(seen, run, steps(*losses), workers, 1.0)
    return seen.findings[0]


def test_the_same_losses_are_equal_to_the_last_bit() -> None:
    finding = judged(*LOSSES)

    assert finding.verdict == "good" and "equal to the last bit" in finding.found


def test_a_loss_that_differs_a_little_is_told_with_its_step_and_is_good() -> None:
    finding = judged(2.5, 2.2500001, 2.0)

    assert finding.verdict == "good"
    assert "the first that differs is step 2, 2.25 at home and 2.2500001 here" in finding.found
    assert "the number of workers is the same" in finding.found


def test_a_loss_beyond_the_tolerance_is_bad() -> None:
    assert judged(2.5, 2.25, 2.0 * (1 + 2 * TOLERANCE)).verdict == "bad"
    assert judged(2.5, 2.25, float("nan")).verdict == "bad"


def test_a_step_that_was_not_made_is_bad() -> None:
    finding = judged(2.5, 2.25)

    assert finding.verdict == "bad" and "step 3 was not made" in finding.found


def test_a_program_without_losses_shows_nothing() -> None:
    assert judged(None, None, None).verdict == "not shown"
    assert judged(*LOSSES, home=()).verdict == "not shown"


@given(st.lists(st.floats(0.001, 1e6), min_size=1, max_size=20))
def test_a_run_is_like_itself_and_unlike_one_of_twice_its_losses(losses: list[float]) -> None:
    home = told_of_run(steps(*losses), 2, len(losses))
    for factor, verdict in ((1.0, "good"), (2.0, "bad")):
        seen = Seen("here")
        judge_losses(seen, home, steps(*(factor * loss for loss in losses)), 2, 1.0)
        assert seen.findings[0].verdict == verdict


def test_a_sheet_tells_no_more_losses_than_there_is_room_for_and_none_that_is_no_number() -> None:
    run = told_of_run(steps(*[1.0] * (MOST_LOSSES + 5)), 1, MOST_LOSSES + 5)
    assert len(run.losses) == MOST_LOSSES
    assert told_of_run(steps(float("nan"), 2.0, float("inf"), None), 1, 4).losses == (StepLoss(step=2, loss=2.0),)


@pytest.fixture
def travelled(tmp_path: Path) -> tuple[Dataset, Path]:
    """Return a data set's document, and a store with its miniature as it travels."""
    bodies = {"miniature/index.parquet": b"index", "miniature/shards/a.tar": b"samples"}
    files = tuple(
        DataFile(name=name, bytes=len(body), sha256=hashlib.sha256(body).hexdigest()) for name, body in bodies.items()
    )
    dataset = msgspec.structs.replace(samples()[Dataset], miniature_shards=(), miniature_files=files)
    (tmp_path / "store" / "rehearsed").mkdir(parents=True)
    for body in bodies.values():
        (tmp_path / "store" / "rehearsed" / hashlib.sha256(body).hexdigest()).write_bytes(body)
    return dataset, tmp_path / "store"


def test_the_miniature_is_laid_out_as_the_rehearsal_had_it(travelled: tuple[Dataset, Path], tmp_path: Path) -> None:
    dataset, store = travelled
    lay_out(dataset, store, tmp_path / "data")

    assert (tmp_path / "data" / "index.parquet").read_bytes() == b"index"
    assert (tmp_path / "data" / "shards" / "a.tar").read_bytes() == b"samples"


def test_another_byte_in_the_miniature_is_found_and_so_is_a_link(
    travelled: tuple[Dataset, Path], tmp_path: Path
) -> None:
    dataset, store = travelled
    path = store / "rehearsed" / hashlib.sha256(b"index").hexdigest()
    path.write_bytes(b"other")
    with pytest.raises(IntegrityError, match="is not the one of dataset"):
        lay_out(dataset, store, tmp_path / "one")
    path.unlink()
    path.symlink_to("/etc/hostname")
    with pytest.raises(IntegrityError, match="not in the store"):
        lay_out(dataset, store, tmp_path / "two")
