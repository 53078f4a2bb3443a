"""What two runs of a program show of its contract: one undisturbed, one in which a worker was lost.

The judging is plain comparison of step lines and digests; each function returns one clause of the sheet. A clause is
*kept* only when it was seen, *broken* when the opposite was seen, and *not shown* otherwise.
"""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from packtrain.documents.ready import Clause
from packtrain.ports import StepRecord, TrainingRun
from packtrain.training.checkpoints import Weights
from packtrain.training.metrics import steps_that_count
from packtrain.units import format_bytes, format_seconds

# The names are part of the sheet's form: readers compare sheets by them.
INSTALLS: Final = "installs from the kit with no network"
NO_NETWORK: Final = "reaches for no network"
READS_DRIVES: Final = "reads the miniature with a drive lost and blocks damaged"
RUNS: Final = "runs its steps and exits with 0"
SAVES: Final = "saves complete checkpoints"
LOSS: Final = "loss is finite and falls"
REPEATS: Final = "gives the same numbers twice"
RESUMES: Final = "goes on from its newest checkpoint after a lost worker"
SAME_WEIGHTS: Final = "ends with the same weights after a lost worker"
SAMPLES: Final = "loses and repeats no sample"
CLAUSES: Final = (
    INSTALLS,
    NO_NETWORK,
    READS_DRIVES,
    RUNS,
    SAVES,
    LOSS,
    REPEATS,
    RESUMES,
    SAME_WEIGHTS,
    SAMPLES,
)
"""Every sheet has these clauses, in this order."""

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
    """The second run.

    Attributes:
        run: its lines, of all attempts.
        lost_after_step: the last step line before a worker was killed; None where none was killed in time.
        had_checkpoint: whether a complete checkpoint was there when it was killed.
        weights: of the checkpoint with the same name as the undisturbed run's last one; None where there is none.
    """

    run: TrainingRun
    lost_after_step: int | None
    had_checkpoint: bool
    weights: Weights | None


def kept(clause: str, evidence: str) -> Clause:
    """Return a clause that was seen to hold."""
    return Clause(clause=clause, verdict="kept", evidence=evidence[:4000])


def broken(clause: str, evidence: str) -> Clause:
    """Return a clause that was seen not to hold."""
    return Clause(clause=clause, verdict="broken", evidence=evidence[:4000])


def not_shown(clause: str, evidence: str) -> Clause:
    """Return a clause of which nothing was seen, with the reason."""
    return Clause(clause=clause, verdict="not shown", evidence=evidence[:4000])


def judge_undisturbed(first: Undisturbed, num_steps: int, num_workers: int) -> list[Clause]:
    """Return the clauses that the first run shows: RUNS, SAVES, LOSS."""
    return [_runs(first.run, num_steps, num_workers), _saves(first), _loss(first.run)]


def judge_disturbed(first: Undisturbed, second: Disturbed) -> list[Clause]:
    """Return the clauses that comparing the two runs shows: REPEATS, RESUMES, SAME_WEIGHTS, SAMPLES."""
    return [_repeats(first, second), _resumes(first, second), _same_weights(first, second), _samples(first, second)]


def last_of_each_step(run: TrainingRun) -> dict[int, StepRecord]:
    """Return the line that counts of each step: a later attempt did some of them again."""
    return {record.step: record for record in steps_that_count(run.steps)}


def step_seconds(steps: Sequence[StepRecord]) -> float | None:
    """Return the median time between step lines of one run, or None with fewer than two."""
    gaps = [later.elapsed_seconds - earlier.elapsed_seconds for earlier, later in itertools.pairwise(steps)]
    return statistics.median(gaps) if gaps else None


def _runs(run: TrainingRun, num_steps: int, num_workers: int) -> Clause:
    took = f"{num_workers} workers, {format_seconds(run.elapsed_seconds)}"
    if not run.steps:
        return kept(RUNS, f"exit 0 of {took}; {NO_STEP_LINES}")
    last = max(record.step for record in run.steps)
    if last > num_steps:
        return broken(RUNS, f"{num_steps} steps were asked for and it made {last}: is {{steps}} in the command?")
    return kept(RUNS, f"exit 0 after step {last} of {num_steps}; {took}")


def _saves(first: Undisturbed) -> Clause:
    if first.weights is None:
        return broken(SAVES, "no checkpoint in the folder {checkpoints} after the last step")
    size, seconds = format_bytes(first.checkpoint_bytes), format_seconds(first.checkpoint_seconds)
    return kept(SAVES, f"{size}, written in {seconds}; digest of {first.weights.taken_of}: {first.weights.sha256[:16]}")


def _loss(run: TrainingRun) -> Clause:
    losses = [(record.step, record.loss) for record in run.steps if record.loss is not None]
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


def _repeats(first: Undisturbed, second: Disturbed) -> Clause:
    expected = last_of_each_step(first.run)
    before = [record for record in second.run.steps if record.attempt == second.run.attempts[0].attempt]
    compared = 0
    for record in before:
        twin = expected.get(record.step)
        if twin is None or twin.loss is None or record.loss is None:
            continue
        if not _same(twin.loss, record.loss):
            return broken(REPEATS, f"loss of step {record.step} was {twin.loss!r} and, run again, {record.loss!r}")
        compared += 1
    if compared:
        return kept(REPEATS, f"equal losses, to the last bit, in {compared} steps of two runs")
    if first.weights is not None and first.weights == second.weights:
        return kept(REPEATS, "two runs ended with equal weights")
    return not_shown(REPEATS, NO_STEP_LINES)


def _resumes(first: Undisturbed, second: Disturbed) -> Clause:
    if reason := _no_loss(second):
        return not_shown(RESUMES, reason)
    after = [record for record in second.run.steps if record.attempt != second.run.attempts[0].attempt]
    if not after or not first.run.steps:
        return not_shown(RESUMES, f"it ended with exit 0 after the loss; {NO_STEP_LINES}")
    start = min(record.step for record in first.run.steps)
    if after[0].step <= start:
        return broken(RESUMES, f"it began again at step {after[0].step} although a complete checkpoint was there")
    expected = last_of_each_step(first.run)
    for record in after:
        twin = expected.get(record.step)
        if twin is None:
            return broken(RESUMES, f"after the loss it made a step {record.step}, which the undisturbed run did not")
        if twin.loss is not None and record.loss is not None and not _same(twin.loss, record.loss):
            return broken(
                RESUMES,
                f"from step {record.step} on the losses differ: {twin.loss!r} undisturbed, {record.loss!r} after going "
                f"on at step {after[0].step}",
            )
    return kept(
        RESUMES,
        f"worker killed after step {second.lost_after_step}, went on at step {after[0].step}, equal losses to the end",
    )


def _same_weights(first: Undisturbed, second: Disturbed) -> Clause:
    if second.lost_after_step is None:
        return not_shown(SAME_WEIGHTS, _no_loss(second))
    if first.weights is None:
        return not_shown(SAME_WEIGHTS, "no checkpoint to compare")
    if second.weights is None:
        return broken(
            SAME_WEIGHTS, "the disturbed run did not write the checkpoint that the undisturbed one ended with"
        )
    if first.weights != second.weights:
        return broken(
            SAME_WEIGHTS,
            f"{first.weights.taken_of} differ: {first.weights.sha256[:16]} undisturbed, "
            f"{second.weights.sha256[:16]} after a lost worker",
        )
    return kept(SAME_WEIGHTS, f"{first.weights.taken_of} equal to the bit: {first.weights.sha256[:16]}")


def _samples(first: Undisturbed, second: Disturbed) -> Clause:
    expected, found = last_of_each_step(first.run), last_of_each_step(second.run)
    counts = {step: record.num_samples for step, record in expected.items()}
    if not counts or any(count is None for count in counts.values()):
        return not_shown(SAMPLES, f"its step lines name no samples: {NO_STEP_LINES}" if counts else NO_STEP_LINES)
    if reason := _no_loss(second):
        return not_shown(SAMPLES, reason)
    missing = sorted(expected.keys() - found.keys())
    if missing:
        return broken(SAMPLES, f"steps {_some(missing)} are missing from the disturbed run")
    for step, count in sorted(counts.items()):
        if found[step].num_samples != count:
            return broken(SAMPLES, f"step {step} took {count} samples undisturbed and {found[step].num_samples} after")
    if any(not _same(expected[step].loss, found[step].loss) for step in counts):
        return not_shown(SAMPLES, "as many samples in every step, but other losses: they may be other samples")
    total = sum(count or 0 for count in counts.values())
    return kept(SAMPLES, f"{total} samples in {len(counts)} steps of both runs, and equal losses step by step")


def _no_loss(second: Disturbed) -> str:
    if second.lost_after_step is None:
        return "the program ended before a worker could be killed: give more rehearsal_steps"
    if not second.had_checkpoint:
        return (
            f"no complete checkpoint was there when the worker was killed after step {second.lost_after_step}: let the "
            "program save more often, or give more rehearsal_steps"
        )
    return ""


def _same(one: float | None, other: float | None) -> bool:
    # NaN is no difference here: LOSS tells of it.
    return one == other or (one is not None and other is not None and math.isnan(one) and math.isnan(other))


def _some(steps: Sequence[int]) -> str:
    return ", ".join(str(step) for step in steps[:8]) + (" …" if len(steps) > 8 else "")
