"""What a program did under the faults that it need not bear: a full disk, a request to stop, fewer workers, a hang.

Each function returns one clause. What breaks the three clauses of the contract is *broken* here as well: an exit 0
without the last checkpoint, or half a checkpoint in the way of going on. All else is *not kept*: known before
departure, and no reason to stay.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from packtrain.documents.ready import Clause
from packtrain.ports import StepRecord
from packtrain.training import checks
from packtrain.training.checkpoints import Weights
from packtrain.training.checks import Undisturbed
from packtrain.training.disturbances import Lived
from packtrain.training.likeness import first_difference, last_of_each_step
from packtrain.units import format_bytes

OTHER_WORKERS_TOLERANCE = 1e-3
"""Sums in another order differ in the last bits; other samples make another loss."""


@dataclass(slots=True)
class FullDisk:
    """The run on a small disk, and what the program did when there was room again.

    Attributes:
        outcome: how it ended; "not run" with the reason in `told`.
        told: the engine's words on the end.
        had_checkpoint: whether a complete checkpoint was there at the end.
        is_beyond_first: whether it was of a step beyond the first.
        has_last: whether the checkpoint that the undisturbed run ended with is there.
        steps: its step lines.
        after: step lines of the attempt that followed, with room.
        fault_after: why that attempt ended by itself; empty where it did not.
    """

    outcome: Literal["not run", "failed", "finished"]
    told: str
    size_bytes: int = 0
    had_checkpoint: bool = False
    is_beyond_first: bool = True
    has_last: bool = False
    steps: Sequence[StepRecord] = ()
    after: Sequence[StepRecord] = field(default_factory=tuple[StepRecord, ...])
    fault_after: str = ""


def judge_full_disk(first: Undisturbed, seen: FullDisk, tolerance: float) -> Clause:
    """Return FULL_DISK."""
    size = format_bytes(seen.size_bytes)
    if seen.outcome == "not run":
        return checks.not_shown(checks.FULL_DISK, seen.told)
    if seen.outcome == "finished":
        if seen.has_last:
            return checks.not_shown(checks.FULL_DISK, f"it came to its end on a disk of {size}: nothing was full")
        return checks.broken(
            checks.FULL_DISK, f"on a disk of {size} it ended with exit 0, and its last checkpoint is not there"
        )
    if seen.fault_after:
        return checks.broken(
            checks.FULL_DISK,
            f"it ended with an error on a disk of {size}, and could not go on when there was room: {seen.fault_after}",
        )
    told = f"{seen.told} (a disk of {size})"
    if not seen.had_checkpoint:
        return checks.not_shown(checks.FULL_DISK, f"{told}; but no checkpoint was complete before the disk was full")
    if not seen.after or not first.run.steps:
        return checks.not_shown(checks.FULL_DISK, f"{told}; {checks.NO_STEP_LINES}")
    start, went_on = min(record.step for record in first.run.steps), seen.after[0].step
    if went_on <= start and not seen.is_beyond_first:
        return checks.not_shown(checks.FULL_DISK, f"{told}; but the checkpoint that was whole is of no later step")
    if went_on <= start:
        return checks.broken(
            checks.FULL_DISK, f"{told}; then it began again at step {went_on} although a complete checkpoint was there"
        )
    if fault := first_difference(first.run.steps, seen.after, tolerance):
        return checks.broken(checks.FULL_DISK, f"{told}; then {fault}")
    return checks.kept(checks.FULL_DISK, f"{told}; with room it went on at step {went_on}")


def judge_stop(lived: Lived, error: str) -> Clause:
    """Return STOPS: what the workers did that were all asked to stop."""
    made = next((made for made in lived.made if made.kind == "asked to stop"), None)
    if made is None:
        return checks.not_shown(checks.STOPS, error or "it ended before it could be asked: give more rehearsal_steps")
    reason = lived.reasons.get(made.attempt, "")
    if "asked to stop" not in reason:
        if not reason:
            return checks.not_kept(checks.STOPS, f"asked after step {made.after_step}, it went on to its end")
        return checks.not_kept(checks.STOPS, f"asked after step {made.after_step}, and {reason}")
    last = max((record.step for record in lived.lines_of(made.attempt)), default=made.after_step)
    after = lived.lines_of(lived.attempt_after(made.attempt))
    if after and after[0].step <= last:
        return checks.not_kept(
            checks.STOPS, f"exit 75 after step {last}, but it went on at {after[0].step}: it had not saved"
        )
    went_on = f"went on at {after[0].step}" if after else "no step line followed"
    return checks.kept(checks.STOPS, f"asked after step {made.after_step}, exit 75 after step {last}, {went_on}")


def judge_other_workers(
    first: Undisturbed, steps: Sequence[StepRecord], error: str, num_workers: int, tolerance: float
) -> Clause:
    """Return OTHER_WORKERS for a run with one worker fewer, from a checkpoint of the disturbed run to the end."""
    doing = f"{num_workers} to {num_workers - 1} workers"
    if error:
        return checks.not_kept(checks.OTHER_WORKERS, f"{doing}: {error}")
    if not steps or not first.run.steps:
        return checks.not_shown(checks.OTHER_WORKERS, f"{doing}, exit 0; {checks.NO_STEP_LINES}")
    expected = last_of_each_step(first.run.steps)
    if steps[0].step <= min(expected):
        return checks.not_kept(checks.OTHER_WORKERS, f"{doing}: it began again at step {steps[0].step}")
    missing = {step for step in expected if step > steps[0].step} - {record.step for record in steps}
    if missing:
        return checks.not_kept(checks.OTHER_WORKERS, f"{doing}: step {min(missing)} was not made")
    for record in steps:
        twin = expected.get(record.step)
        if twin is not None and twin.num_samples != record.num_samples:
            return checks.not_kept(
                checks.OTHER_WORKERS,
                f"{doing}: step {record.step} took {record.num_samples} samples and not {twin.num_samples}",
            )
    allowed = max(tolerance, OTHER_WORKERS_TOLERANCE)
    if fault := first_difference(first.run.steps, steps, allowed):
        return checks.not_kept(checks.OTHER_WORKERS, f"{doing}: {fault} (more than {allowed:.2g} apart)")
    losses = f"losses within {allowed:.2g}" if any(record.loss is not None for record in steps) else "no losses named"
    return checks.kept(
        checks.OTHER_WORKERS, f"{doing}: went on at step {steps[0].step}, as many samples in each step, {losses}"
    )


def judge_hang(
    first: Undisturbed, lived: Lived, error: str, limit_seconds: float, weights: Weights | None, tolerance: float
) -> Clause:
    """Return HANGS for a run in which rank 0 was stopped after a step line, with a short limit of the watchdog."""
    made = next(iter(lived.made), None)
    if made is None:
        return checks.not_shown(checks.HANGS, error or "it ended before rank 0 could be stopped")
    told = f"rank 0 stopped after step {made.after_step}, ended by the watchdog after {limit_seconds:.3g} s"
    if error:
        return checks.not_kept(checks.HANGS, f"{told}; then {error}")
    after = lived.lines_of(lived.attempt_after(made.attempt))
    if not after:
        return checks.not_shown(checks.HANGS, f"rank 0 was stopped after step {made.after_step}: no attempt followed")
    if after[0].step <= min((record.step for record in first.run.steps), default=-1):
        return checks.not_kept(checks.HANGS, f"{told}, and began again at step {after[0].step}")
    if fault := first_difference(first.run.steps, after, tolerance):
        return checks.not_kept(checks.HANGS, f"{told}; then {fault}")
    same = "; equal weights at the end" if weights is not None and weights == first.weights else ""
    return checks.kept(checks.HANGS, f"{told}, went on at step {after[0].step}{same}")
