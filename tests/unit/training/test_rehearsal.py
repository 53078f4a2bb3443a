"""Two runs of small programs, and the clauses they keep and break."""

import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from packtrain.documents.ready import Clause
from packtrain.engines.local import LocalEngine
from packtrain.events import discard
from packtrain.training import checks
from packtrain.training.rehearsal import RehearsalRuns, Shown, run_twice
from rehearsal_parts import COMMAND, write_program

FROM_RUNS = checks.CLAUSES[3:]


@pytest.fixture(scope="module")
def rehearsed(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Shown]:
    """Rehearse a variant, once for all tests that look at it."""
    return cache(lambda variant: _rehearse(tmp_path_factory.mktemp("rehearsal"), variant))


def _rehearse(tmp_path: Path, variant: str) -> Shown:
    data = tmp_path / "data"
    data.mkdir()
    (data / "a.bin").write_bytes(b"x" * 40)
    return run_twice(
        RehearsalRuns(
            python=Path(sys.executable),
            program_folder=write_program(tmp_path / "program", variant),
            command=COMMAND,
            data=data,
            folder=tmp_path / "runs",
            logs=tmp_path / "logs",
            num_workers=2,
            num_steps=12,
            stall_seconds=30,
        ),
        LocalEngine(),
        discard,
    )


def _verdicts(shown: Shown) -> dict[str, str]:
    return {clause.clause: clause.verdict for clause in shown.clauses}


def _clause(shown: Shown, name: str) -> Clause:
    return next(clause for clause in shown.clauses if clause.clause == name)


def test_a_program_that_obeys_keeps_every_clause(rehearsed: Callable[[str], Shown]):
    shown = rehearsed("good")
    assert _verdicts(shown) == dict.fromkeys(FROM_RUNS, "kept"), shown.clauses
    assert shown.num_steps == 12
    assert "went on at step" in _clause(shown, checks.RESUMES).evidence
    assert {"checkpoint_bytes", "step_seconds", "restart_seconds", "samples_per_second"} <= shown.measurements.keys()


@pytest.mark.parametrize(
    ("variant", "clause", "verdict", "told"),
    [
        ("begins again", checks.RESUMES, "broken", "it began again at step 1 although"),
        ("forgets the weight", checks.RESUMES, "broken", "on the losses differ"),
        ("takes other samples", checks.SAMPLES, "broken", "took 4 samples undisturbed and 5 after"),
        ("skips steps", checks.SAMPLES, "broken", "missing from the disturbed run"),
        ("differs each time", checks.REPEATS, "broken", "run again"),
        ("saves too seldom", checks.RESUMES, "not shown", "give more rehearsal_steps"),
        ("never saves", checks.SAVES, "broken", "no checkpoint in the folder {checkpoints}"),
        ("speaks no lines", checks.LOSS, "not shown", "writes no step lines"),
        ("speaks no lines", checks.SAME_WEIGHTS, "kept", "equal to the bit"),
        ("speaks no lines", checks.RUNS, "kept", "exit 0"),
        ("loss is not a number", checks.LOSS, "broken", "loss of step 5 is nan"),
        ("loss grows", checks.LOSS, "not shown", "it did not fall"),
        ("fails", checks.RUNS, "broken", "out of memory, say"),
        ("ignores the number of steps", checks.RUNS, "broken", "is {steps} in the command?"),
    ],
)
def test_what_a_program_breaks_is_named(
    rehearsed: Callable[[str], Shown], variant: str, clause: str, verdict: str, told: str
):
    found = _clause(rehearsed(variant), clause)
    assert (found.verdict, told in found.evidence) == (verdict, True), found


def test_weights_that_were_spoilt_by_the_restart_break_their_clause(rehearsed: Callable[[str], Shown]):
    shown = rehearsed("forgets the weight")
    assert _verdicts(shown)[checks.SAME_WEIGHTS] == "broken"
    assert _verdicts(shown)[checks.REPEATS] == "kept"
