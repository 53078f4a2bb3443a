"""Verdicts on runs that were not made: what a program can do by chance alone, or hardly at all."""

from collections.abc import Iterable

import pytest

from packtrain.documents.ready import Clause
from packtrain.ports import AttemptRecord, StepRecord, TrainingRun
from packtrain.training import checks, fault_checks
from packtrain.training.checkpoints import Weights
from packtrain.training.checks import Disturbed, Undisturbed
from packtrain.training.disturbances import Disturbance, Lived

WEIGHTS = Weights("a" * 64, "all tensors")
END = "every worker ended"


def lines(attempt: int, steps: Iterable[int], loss_at: float = 1.0) -> list[StepRecord]:
    return [StepRecord(attempt, step, loss_at / (step + 1), 4, float(step)) for step in steps]


def undisturbed(steps: Iterable[int] = range(1, 13), end: str = END) -> Undisturbed:
    run = TrainingRun((AttemptRecord(1, 0.0, 9.0, end, None),), tuple(lines(1, steps)), 9.0)
    return Undisturbed(run, 10, 0.1, WEIGHTS)


def killed(at: int, attempts: dict[int, Iterable[int]]) -> Lived:
    """Return a run whose first attempt was killed after a step."""
    made = [Disturbance("rank 0 killed", next(iter(attempts)), at, had_checkpoint=True, elapsed_seconds=1.0)]
    steps = [record for attempt, made in attempts.items() for record in lines(attempt, made)]
    return Lived(list(attempts), {}, steps, made)


def clause(found: Iterable[Clause], name: str) -> Clause:
    return next(part for part in found if part.clause == name)


@pytest.mark.parametrize(
    ("steps", "verdict"),
    [
        (range(1, 13), "kept"),
        (range(12), "kept"),  # counted from 0
        ((5, 10), "kept"),  # a line every fifth step
        ((12,), "kept"),
        (range(1, 11), "not shown"),
        ((2, 4, 6), "not shown"),
        (range(1, 14), "broken"),
    ],
)
def test_a_program_that_ends_before_its_last_step_was_not_seen_to_run_them(steps: Iterable[int], verdict: str):
    assert checks.judge_undisturbed(undisturbed(steps), 12, 2, None)[0].verdict == verdict


def test_an_end_by_the_mark_is_not_called_exit_0():
    told = checks.judge_undisturbed(undisturbed(end="the program had marked itself done"), 12, 2, None)[0]
    assert told.verdict == "kept"
    assert told.evidence.startswith("the program had marked itself done after step 12 of 12")


@pytest.mark.parametrize(
    ("attempts", "verdict"),
    [({2: range(4, 9), 3: range(7, 13)}, "kept"), ({2: (4,), 3: range(6, 13)}, "broken")],
    ids=["none", "step 5"],
)
def test_steps_lost_with_the_full_disk_do_not_stand_for_steps_that_were_skipped(
    attempts: dict[int, Iterable[int]], verdict: str
):
    # On the full disk it made steps 1 to 6, and its last whole checkpoint was of step 3.
    seen = Disturbed(killed(4, attempts), lines(1, range(1, 7)), "", WEIGHTS)
    found = clause(checks.judge_disturbed(undisturbed(), seen), checks.SAMPLES)
    assert found.verdict == verdict, found


@pytest.mark.parametrize(
    ("after", "verdict", "told"),
    [
        (lines(2, range(7, 13)), "kept", "went on at step 7"),
        (lines(2, range(1, 13)), "not kept", "began again at step 1"),
        (lines(2, range(7, 13), 2.0), "not kept", "the losses differ"),
    ],
)
def test_a_program_that_begins_again_after_a_hang_did_not_go_on(after: list[StepRecord], verdict: str, told: str):
    made = [Disturbance("rank 0 hung", 1, 7, had_checkpoint=True, elapsed_seconds=1.0)]
    lived = Lived([1, 2], {}, [*lines(1, (7,)), *after], made)
    found = fault_checks.judge_hang(undisturbed(), lived, "", 3.0, None, 0.0)
    assert (found.verdict, told in found.evidence) == (verdict, True), found
