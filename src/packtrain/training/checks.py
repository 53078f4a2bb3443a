"""What an undisturbed run and a disturbed one show of a program's contract.

The judging is plain comparison of step lines and digests; each function returns one clause of the sheet. A clause is
*kept* only when it was seen, *broken* when the opposite was seen, and *not shown* otherwise. Of what a program need not
promise the opposite is *not kept*; what is *broken* there all the same, fault_checks.py and export_trial.py say.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from packtrain.documents.ready import Clause, Verdict
from packtrain.ports import StepRecord, TrainingRun
from packtrain.training.checkpoints import Weights
from packtrain.training.disturbances import Disturbance, Lived
from packtrain.training.likeness import Likeness, first_difference, last_of_each_step, same
from packtrain.training.metrics import steps_that_count
from packtrain.units import format_bytes, format_seconds

# The names are part of the sheet's form: readers compare sheets by them.
INSTALLS: Final = "installs from the kit with no network"
NO_NETWORK: Final = "reaches for no network"
READS_DRIVES: Final = "reads the miniature with a drive lost and blocks damaged"
RUNS: Final = "runs its steps and exits with 0"
SAVES: Final = "saves complete checkpoints"
LOSS: Final = "loss is finite and falls"
RESUMES: Final = "goes on from its newest checkpoint after a lost worker"
SAME_WEIGHTS: Final = "ends with the same weights after a lost worker"
SAMPLES: Final = "loses and repeats no sample"
REPEATS: Final = "gives the same numbers twice"
FULL_DISK: Final = "ends with an error on a full disk and goes on when there is room"
STOPS: Final = "saves and exits with 75 when it is asked to stop"
OTHER_WORKERS: Final = "goes on with one worker fewer"
HANGS: Final = "goes on after rank 0 hung"
EXPORTS: Final = "has the results that export.toml declares"
CLAUSES: Final = (
    INSTALLS,
    NO_NETWORK,
    READS_DRIVES,
    RUNS,
    SAVES,
    LOSS,
    RESUMES,
    SAME_WEIGHTS,
    SAMPLES,
    REPEATS,
    FULL_DISK,
    STOPS,
    OTHER_WORKERS,
    HANGS,
    EXPORTS,
)
"""Every sheet has these clauses, in this order."""
OPTIONAL: Final = frozenset({REPEATS, FULL_DISK, STOPS, OTHER_WORKERS, HANGS, EXPORTS})
"""What a plain program need not promise."""

NO_STEP_LINES: Final = 'the program writes no step lines ({"step": 1, "loss": 2.5, "samples": 16} on its output)'


@dataclass(frozen=True, slots=True)
class Undisturbed:
    """The first run: its lines, its last checkpoint (None: it saved nothing) and the time that saving took."""

    run: TrainingRun
    checkpoint_bytes: int
    checkpoint_seconds: float
    weights: Weights | None


@dataclass(frozen=True, slots=True)
class Disturbed:
    """The run that was disturbed again and again, at equal number of workers.

    Attributes:
        lived: its lines and disturbances, of all attempts; without those of the full disk.
        before: step lines from the very start up to the first thing that was done to the program.
        error: why it did not come to its end; empty where it did.
        weights: of the checkpoint with the same name as the undisturbed run's last one; None where there is none.
        middle: of the newest checkpoint in the middle of the run, with steps after it; None where there is none.
    """

    lived: Lived
    before: Sequence[StepRecord]
    error: str
    weights: Weights | None
    middle: Weights | None = None


def kept(clause: str, evidence: str) -> Clause:
    """Return a clause that was seen to hold."""
    return _clause(clause, "kept", evidence)


def broken(clause: str, evidence: str) -> Clause:
    """Return a clause that was seen not to hold."""
    return _clause(clause, "broken", evidence)


def not_kept(clause: str, evidence: str) -> Clause:
    """Return a clause that was seen not to hold, and that a program need not promise."""
    assert clause in OPTIONAL
    return _clause(clause, "not kept", evidence)


def not_shown(clause: str, evidence: str, *, optional: bool = False) -> Clause:
    """Return a clause of which nothing was seen, with the reason."""
    return _clause(clause, "not shown", evidence, optional=optional)


def _clause(clause: str, verdict: Verdict, evidence: str, *, optional: bool = False) -> Clause:
    return Clause(clause=clause, verdict=verdict, evidence=evidence[:4000], optional=optional or clause in OPTIONAL)


def is_ready(clauses: Iterable[Clause]) -> bool:
    """Return whether a sheet of these clauses may be signed: nothing broken, and all kept that is not optional."""
    return all(part.verdict == "kept" or (part.optional and part.verdict != "broken") for part in clauses)


def judge_undisturbed(first: Undisturbed, num_steps: int, num_workers: int, middle: Weights | None) -> list[Clause]:
    """Return the clauses that the first run shows: RUNS, SAVES, LOSS.

    Args:
        first: the run.
        num_steps, num_workers: what it was asked for.
        middle: see `Disturbed`.
    """
    return [_runs(first.run, num_steps, num_workers), _saves(first, middle), _loss(first.run)]


def judge_disturbed(first: Undisturbed, second: Disturbed) -> list[Clause]:
    """Return the clauses that comparing the two runs shows: RESUMES, SAME_WEIGHTS, SAMPLES, REPEATS."""
    likeness = Likeness.of(first.run.steps, second.before)
    return [
        _resumes(first, second, likeness),
        _same_weights(first, second, likeness),
        _samples(first, second, likeness),
        _repeats(first, second, likeness),
    ]


def _runs(run: TrainingRun, num_steps: int, num_workers: int) -> Clause:
    took = f"{num_workers} workers, {format_seconds(run.elapsed_seconds)}"
    # A program that marked itself done need not have ended with 0.
    end = run.attempts[-1].reason if run.attempts else ""
    end = end if "marked itself done" in end else "exit 0"
    if not run.steps:
        return kept(RUNS, f"{end}, {took}; {NO_STEP_LINES}")
    made = sorted({record.step for record in run.steps})
    last = made[-1]
    if last > num_steps:
        return broken(RUNS, f"{num_steps} steps were asked for and it made {last}: is {{steps}} in the command?")
    # Steps may be counted from 0, and not every one has a line: the next line would have been due by now.
    if len(made) > 1 and last + max(after - before for before, after in pairwise(made)) < num_steps:
        return not_shown(
            RUNS,
            f"{num_steps} steps were asked for, and it ended after step {last} ({end}): is {{steps}} in the command, "
            "and the miniature enough for so many rehearsal_steps?",
        )
    return kept(RUNS, f"{end} after step {last} of {num_steps}; {took}")


def _saves(first: Undisturbed, middle: Weights | None) -> Clause:
    if first.weights is None:
        return broken(SAVES, "no checkpoint in the folder {checkpoints} after the last step")
    if first.weights == middle:
        same_bits = f"{first.weights.taken_of} were the same in the middle of a run and at its end"
        return not_shown(SAVES, f"{same_bits}: does it save what it trains?")
    size, seconds = format_bytes(first.checkpoint_bytes), format_seconds(first.checkpoint_seconds)
    return kept(SAVES, f"{size}, written in {seconds}; digest of {first.weights.taken_of}: {first.weights.sha256[:16]}")


def _loss(run: TrainingRun) -> Clause:
    losses = [(record.step, record.loss) for record in steps_that_count(run.steps) if record.loss is not None]
    if not losses:
        return not_shown(LOSS, NO_STEP_LINES)
    for step, loss in losses:
        if not math.isfinite(loss):
            return broken(LOSS, f"loss of step {step} is {loss}")
    values = [loss for _, loss in losses]
    quarter = max(1, len(values) // 4)
    early, late = statistics.fmean(values[:quarter]), statistics.fmean(values[-quarter:])
    told = f"mean of the first {quarter} steps {early:.4f}, of the last {quarter} {late:.4f}"
    if late < early:
        return kept(LOSS, told)
    return not_shown(LOSS, f"{told}: it did not fall; more rehearsal_steps may show it")


def _resumes(first: Undisturbed, second: Disturbed, likeness: Likeness) -> Clause:
    kills = [made for made in second.lived.made if made.kind.endswith("killed")]
    if second.error:
        doing = (
            f"after the loss of a worker: {second.error}" if kills else f"before a worker was killed: {second.error}"
        )
        return broken(RESUMES, doing)
    if reason := _no_loss(kills):
        return not_shown(RESUMES, reason)
    if not first.run.steps:
        return not_shown(RESUMES, f"it ended with exit 0 after the loss; {NO_STEP_LINES}")
    start = min(record.step for record in first.run.steps)
    told: list[str] = []
    for made in kills:
        after = second.lived.lines_of(second.lived.attempt_after(made.attempt))
        if not after:
            return not_shown(RESUMES, f"no step line followed after the {made.kind}")
        if made.had_checkpoint and after[0].step <= start:
            return broken(RESUMES, f"it began again at step {after[0].step} although a complete checkpoint was there")
        told.append(f"{made.kind} after step {made.after_step}, went on at {after[0].step}")
    if fault := first_difference(first.run.steps, second.lived.steps, likeness.tolerance):
        return broken(RESUMES, f"after {second.lived.made[0].kind}: {fault}")
    same_losses = f"{'like' if likeness.tolerance else 'equal'} losses to the end"
    if all(record.loss is None for record in first.run.steps):
        same_losses = "its step lines name no losses to compare"
    return kept(RESUMES, f"{'; '.join(told)}; {same_losses}")


def _same_weights(first: Undisturbed, second: Disturbed, likeness: Likeness) -> Clause:
    if not any(made.kind.endswith("killed") for made in second.lived.made):
        return not_shown(SAME_WEIGHTS, second.error or _no_loss([]))
    if first.weights is None:
        return not_shown(SAME_WEIGHTS, "no checkpoint to compare")
    if second.error:
        return not_shown(SAME_WEIGHTS, "the disturbed run did not come to its end")
    if second.weights is None:
        return broken(
            SAME_WEIGHTS, "the disturbed run did not write the checkpoint that the undisturbed one ended with"
        )
    if first.weights == second.weights:
        return kept(
            SAME_WEIGHTS,
            f"{first.weights.taken_of} equal to the bit after {len(second.lived.made)} disturbances: "
            f"{first.weights.sha256[:16]}",
        )
    if likeness.differing:
        return not_shown(
            SAME_WEIGHTS,
            "two runs of this program differ without any disturbance, so equal bits say nothing",
            optional=True,
        )
    return broken(
        SAME_WEIGHTS,
        f"{first.weights.taken_of} differ: {first.weights.sha256[:16]} undisturbed, "
        f"{second.weights.sha256[:16]} after a lost worker",
    )


def _samples(first: Undisturbed, second: Disturbed, likeness: Likeness) -> Clause:
    expected, found = last_of_each_step(first.run.steps), last_of_each_step(second.lived.steps)
    counts = {step: record.num_samples for step, record in expected.items()}
    if not counts or any(count is None for count in counts.values()):
        return not_shown(SAMPLES, f"its step lines name no samples: {NO_STEP_LINES}" if counts else NO_STEP_LINES)
    if second.error:
        return not_shown(SAMPLES, "the disturbed run did not come to its end")
    if reason := _no_loss([made for made in second.lived.made if made.kind.endswith("killed")]):
        return not_shown(SAMPLES, reason)
    # The full disk came first: the steps before its checkpoint are not among the later attempts' lines. What was made
    # beyond that checkpoint was lost, and must be among them.
    begun = min(found, default=0)
    found |= {record.step: record for record in second.before if record.step < begun}
    missing = sorted(expected.keys() - found.keys())
    if missing:
        return broken(SAMPLES, f"steps {_some(missing)} are missing from the disturbed run")
    for step, count in sorted(counts.items()):
        if found[step].num_samples != count:
            return broken(SAMPLES, f"step {step} took {count} samples undisturbed and {found[step].num_samples} after")
    if any(expected[step].loss is None or found[step].loss is None for step in counts):
        return not_shown(SAMPLES, "as many samples in every step, but no losses to tell them by")
    if any(not same(expected[step].loss, found[step].loss, 0.0) for step in counts):
        return not_shown(
            SAMPLES,
            "as many samples in every step, but other losses: they may be other samples",
            optional=bool(likeness.differing),
        )
    total = sum(count or 0 for count in counts.values())
    return kept(SAMPLES, f"{total} samples in {len(counts)} steps of both runs, and equal losses step by step")


def _repeats(first: Undisturbed, second: Disturbed, likeness: Likeness) -> Clause:
    if likeness.differing:
        return not_kept(
            REPEATS, f"{likeness.differing}; losses are compared within {likeness.tolerance:.2g} of each other"
        )
    if likeness.compared:
        return kept(REPEATS, f"equal losses, to the last bit, in {likeness.compared} steps of two runs")
    if first.weights is not None and first.weights == second.weights:
        return kept(REPEATS, "two runs ended with equal weights")
    return not_shown(REPEATS, NO_STEP_LINES)


def _no_loss(kills: Sequence[Disturbance]) -> str:
    if not kills:
        return "the program ended before a worker could be killed: give more rehearsal_steps"
    if not kills[0].had_checkpoint:
        return (
            f"no complete checkpoint was there when the worker was killed after step {kills[0].after_step}: let the "
            "program save more often, or give more rehearsal_steps"
        )
    return ""


def _some(steps: Sequence[int]) -> str:
    return ", ".join(str(step) for step in steps[:8]) + (" …" if len(steps) > 8 else "")
