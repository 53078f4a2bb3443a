"""Runs of small programs, and the clauses they keep and break. Small disks are mounted where the tests run as root."""

import ctypes
import os
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from packtrain.documents.ready import Clause
from packtrain.engines.local import LocalEngine
from packtrain.events import discard
from packtrain.training import checks
from packtrain.training.rehearsal import RehearsalRuns, Shown, run_rehearsal
from rehearsal_parts import COMMAND, write_program

pytestmark = pytest.mark.long

FROM_RUNS = checks.CLAUSES[3:]
WITH_HANG = ("stops when asked",)
# From <linux/sched.h> and <sys/mount.h>.
CLONE_NEWNS, MS_REC, MS_PRIVATE = 0x20000, 0x4000, 0x40000


@pytest.fixture(scope="module")
def rehearsed(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Shown]:
    """Rehearse a variant, once for all tests that look at it."""
    return cache(lambda variant: _rehearse(tmp_path_factory.mktemp("rehearsal"), variant))


def _can_mount() -> bool:
    """Give this process mounts of its own, as the box does, so that a small disk is seen by nobody else."""
    return os.geteuid() == 0 and ctypes.CDLL(None).unshare(CLONE_NEWNS) == 0 and _make_private()


def _make_private() -> bool:
    return ctypes.CDLL(None).mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None) == 0


def _rehearse(tmp_path: Path, variant: str) -> Shown:
    data = tmp_path / "data"
    data.mkdir()
    (data / "a.bin").write_bytes(b"x" * 40)
    return run_rehearsal(
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
            is_boxed=_can_mount(),
            with_hang=variant in WITH_HANG,
        ),
        LocalEngine(),
        discard,
    )


def _verdicts(shown: Shown) -> dict[str, str]:
    return {clause.clause: clause.verdict for clause in shown.clauses}


def _clause(shown: Shown, name: str) -> Clause:
    return next(clause for clause in shown.clauses if clause.clause == name)


def test_a_program_that_obeys_keeps_every_clause(rehearsed: Callable[[str], Shown]):
    shown = rehearsed("stops when asked")
    expected = dict.fromkeys(FROM_RUNS, "kept") | {checks.EXPORTS: "not shown"}
    if os.geteuid() != 0:
        expected[checks.FULL_DISK] = "not shown"
    assert _verdicts(shown) == expected, shown.clauses
    assert list(_verdicts(shown)) == list(FROM_RUNS)
    assert shown.num_steps == 12
    assert "rank 0 killed after step" in _clause(shown, checks.RESUMES).evidence
    assert shown.measurements["worker_memory_bytes"] > 5_000_000
    assert {
        "checkpoint_bytes",
        "step_seconds",
        "restart_seconds_low",
        "samples_per_second",
    } <= shown.measurements.keys()


def test_a_program_need_not_save_when_asked_nor_have_the_same_bits_twice(rehearsed: Callable[[str], Shown]):
    plain, noisy = rehearsed("good"), rehearsed("differs each time")
    assert _clause(plain, checks.STOPS).verdict == "not kept"
    assert _clause(noisy, checks.REPEATS).verdict == "not kept"
    assert checks.is_ready(plain.clauses)
    assert checks.is_ready(noisy.clauses)


def test_without_step_lines_six_clauses_are_not_shown_and_no_sheet_is_signed(rehearsed: Callable[[str], Shown]):
    shown = rehearsed("speaks no lines")
    told = {clause.clause for clause in shown.clauses if checks.NO_STEP_LINES in clause.evidence} - {checks.RUNS}
    required = {checks.LOSS, checks.RESUMES, checks.SAMPLES}
    # Without a hang and, where nobody may mount, without a full disk: those two need lines as well.
    assert told - {checks.FULL_DISK} == required | {checks.OTHER_WORKERS}
    assert {_clause(shown, name).verdict for name in told} == {"not shown"}
    assert not checks.is_ready(shown.clauses)


@pytest.mark.parametrize(
    ("variant", "clause", "verdict", "told"),
    [
        ("begins again", checks.RESUMES, "broken", "it began again at step 1 although"),
        ("forgets the weight", checks.RESUMES, "broken", "on the losses differ"),
        ("takes other samples", checks.SAMPLES, "broken", "took 4 samples undisturbed and 5 after"),
        ("skips steps", checks.SAMPLES, "broken", "missing from the disturbed run"),
        ("differs each time", checks.REPEATS, "not kept", "run again"),
        ("differs each time", checks.RESUMES, "kept", "like losses to the end"),
        ("differs each time", checks.SAMPLES, "not shown", "may be other samples"),
        ("good", checks.STOPS, "not kept", "was killed by SIGTERM"),
        ("stops when asked", checks.HANGS, "kept", "ended by the watchdog after 3 s, went on at step"),
        ("begins again", checks.HANGS, "not shown", "rehearsal_hang is false"),
        ("says that it saved", checks.STOPS, "not kept", "it had not saved"),
        ("grows with its workers", checks.OTHER_WORKERS, "not kept", "took 2 samples and not 4"),
        ("wants two workers", checks.OTHER_WORKERS, "not kept", "two workers, please"),
        ("saves too seldom", checks.RESUMES, "not shown", "give more rehearsal_steps"),
        ("never saves", checks.SAVES, "broken", "no checkpoint in the folder {checkpoints}"),
        ("speaks no lines", checks.LOSS, "not shown", "writes no step lines"),
        ("speaks no lines", checks.SAME_WEIGHTS, "kept", "equal to the bit"),
        ("speaks no lines", checks.RUNS, "kept", "exit 0"),
        ("speaks each line twice", checks.SAMPLES, "kept", "48 samples in 12 steps"),
        ("speaks each line twice", checks.LOSS, "kept", "mean of the first 3 steps"),
        ("names no losses", checks.RESUMES, "kept", "name no losses to compare"),
        ("names no losses", checks.SAMPLES, "not shown", "no losses to tell them by"),
        ("saves before its first step", checks.RESUMES, "kept", "equal losses to the end"),
        ("stops early", checks.RUNS, "not shown", "12 steps were asked for, and it ended after step 5"),
        ("saves no weights", checks.SAVES, "not shown", "the same in the middle of a run and at its end"),
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


@pytest.mark.root
@pytest.mark.parametrize(
    ("variant", "verdict", "told"),
    [
        ("good", "kept", "No space left on device (a disk of 4.1 kB); with room it went on at step 4"),
        ("keeps one", "not shown", "nothing was full"),
        ("saves before its first step", "not shown", "the checkpoint that was whole is of no later step"),
        ("says nothing of a full disk", "broken", "ended with exit 0, and its last checkpoint is not there"),
        ("saves without renaming", "broken", "could not go on when there was room"),
    ],
)
def test_a_full_disk_ends_a_program_and_leaves_no_half_checkpoint(
    rehearsed: Callable[[str], Shown], variant: str, verdict: str, told: str
):
    found = _clause(rehearsed(variant), checks.FULL_DISK)
    assert (found.verdict, told in found.evidence) == (verdict, True), found
    # What it does when a worker is killed is seen all the same.
    assert _clause(rehearsed(variant), checks.RESUMES).verdict == "kept", rehearsed(variant).clauses
