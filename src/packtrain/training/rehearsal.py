"""The runs of a rehearsal, inside the box: one undisturbed, and others in which something is done to the program.

The undisturbed run serves twice: what it shows by itself, and as the measure that the others are held against. Runs are
shared where they can be: the full disk, both killed workers and the request to stop follow each other in one run.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from packtrain.documents.ready import Clause, StepLoss, UndisturbedRun
from packtrain.errors import PacktrainError
from packtrain.events import Notice, Progress, Sink
from packtrain.ports import Engine, StepRecord, TrainingJob
from packtrain.training import checks, fault_checks, rehearsal_numbers, small_disk
from packtrain.training.checkpoints import (
    CheckpointWatch,
    Weights,
    checkpoint_bytes,
    is_beyond,
    newest_checkpoint,
    weights_of,
)
from packtrain.training.command import fill_command
from packtrain.training.disturbances import Disturber, Kind, Lived, When, longest_gap_seconds
from packtrain.training.export_trial import judge_export
from packtrain.training.fault_checks import FullDisk
from packtrain.training.likeness import Likeness, last_of_each_step
from packtrain.training.metrics import steps_that_count

STAGE: Final = "rehearse"
UNDISTURBED: Final = "undisturbed"
DISTURBED: Final = "disturbed"
FEWER: Final = "fewer-workers"
HUNG: Final = "hung"
# What `train` gives too: with more, a program would be said to save in time that is killed at the site.
GRACE_SECONDS: Final = 20.0
_HANG_GRACE_SECONDS: Final = 2.0
_LEAST_HANG_SECONDS: Final = 3.0
_NUM_TRIALS: Final = 6
MOST_LOSSES: Final = 4096
"""Of a longer rehearsal the first steps are told: by them a site is held against home."""
# An attempt that ends for a reason of its own (a port that was taken meanwhile) is followed by another.
_SPARE_RESTARTS: Final = 1


@dataclass(frozen=True, slots=True)
class RehearsalRuns:
    """What to run.

    Attributes:
        python: the kit's interpreter.
        program_folder: the kit's program.
        command: with its placeholders.
        data: the store that the miniature was loaded into.
        folder: where checkpoints and results of all runs go.
        logs: where the engine writes.
        stall_seconds: no step and no checkpoint for so long ends a run.
        is_boxed: whether a disk may be mounted that nobody else sees.
        with_hang: whether rank 0 is stopped once, and the watchdog waited for.
    """

    python: Path
    program_folder: Path
    command: str
    data: Path
    folder: Path
    logs: Path
    num_workers: int
    num_steps: int
    stall_seconds: float
    is_boxed: bool = False
    with_hang: bool = True


@dataclass(frozen=True, slots=True)
class Shown:
    """What the runs showed: clauses of the sheet, the weights at the end, and numbers by name."""

    clauses: tuple[Clause, ...]
    weights: Weights | None
    num_steps: int
    measurements: dict[str, float]
    undisturbed: UndisturbedRun | None = None


def run_rehearsal(wanted: RehearsalRuns, engine: Engine, sink: Sink) -> Shown:
    """Run the program undisturbed, then under each fault; return what that showed.

    A program that fails breaks a clause; nothing of it is raised.
    """
    return _Rehearsal(wanted, engine, sink).run()


class _Rehearsal:
    def __init__(self, wanted: RehearsalRuns, engine: Engine, sink: Sink) -> None:
        self._wanted = wanted
        self._engine = engine
        self._sink = sink
        self._snapshot = wanted.folder / "snapshot"
        self._patience_seconds = wanted.stall_seconds

    def run(self) -> Shown:
        wanted = self._wanted
        checkpoints = self._checkpoints(UNDISTURBED)
        self._begin(1, "undisturbed run")
        self._say(f"undisturbed run: {wanted.num_steps} steps, {wanted.num_workers} workers")
        try:
            with CheckpointWatch(checkpoints) as watch:
                run = self._engine.run(self._job(UNDISTURBED, 0), self._sink)
        except PacktrainError as error:
            return Shown((checks.broken(checks.RUNS, error.message),), None, 0, {})
        newest = newest_checkpoint(checkpoints)
        first = checks.Undisturbed(
            run=run,
            checkpoint_bytes=checkpoint_bytes(newest) if newest else 0,
            checkpoint_seconds=watch.longest_seconds,
            weights=weights_of(newest) if newest else None,
        )
        measurements = rehearsal_numbers.of_undisturbed(first)
        # A program that stood still under a fault must not hold the rehearsal for as long as it may at the site.
        self._patience_seconds = min(wanted.stall_seconds, max(30.0, 4 * run.elapsed_seconds))

        self._begin(2, "export")
        self._say("what export.toml declares is taken out of the last checkpoint")
        exports = judge_export(
            wanted.python,
            wanted.program_folder,
            checkpoints,
            checkpoints.with_name("results"),
            wanted.folder / "export",
        )
        last = newest.relative_to(checkpoints) if newest else None
        self._begin(3, "full disk")
        full = self._on_full_disk(first, newest, last)
        self._begin(4, "workers killed and stopped")
        second = self._disturbed(first, full, last)
        tolerance = Likeness.of(run.steps, second.before).tolerance
        self._begin(5, "one worker fewer")
        fewer = self._with_fewer(first, tolerance)
        self._begin(6, "rank 0 hangs")
        hang = self._with_a_hang(first, last, tolerance)
        clauses = [
            *checks.judge_undisturbed(first, wanted.num_steps, wanted.num_workers, second.middle),
            *checks.judge_disturbed(first, second),
            fault_checks.judge_full_disk(first, full, tolerance),
            fault_checks.judge_stop(second.lived, second.error),
            fewer,
            hang,
            exports,
        ]
        measurements |= rehearsal_numbers.of_restart(second.lived)
        measurements |= rehearsal_numbers.of_losses(measurements, wanted.stall_seconds)
        return Shown(
            tuple(clauses),
            first.weights,
            len(last_of_each_step(run.steps)),
            measurements,
            told_of_run(run.steps, wanted.num_workers, wanted.num_steps),
        )

    # --- the faults ---

    def _on_full_disk(self, first: checks.Undisturbed, newest: Path | None, last: Path | None) -> FullDisk:
        """Run on a disk that holds one checkpoint and not two."""
        if newest is None:
            return FullDisk("not run", "no checkpoint to measure a disk by")
        size_bytes = small_disk.room_for(newest)
        if reason := small_disk.why_not(size_bytes, is_boxed=self._wanted.is_boxed):
            return FullDisk("not run", reason)
        self._say("disturbed run: on a disk that holds one checkpoint and not two")
        checkpoints = self._checkpoints(DISTURBED)
        when = When.at_half(first.run)
        disturber = Disturber(self._sink, (), when, checkpoints)
        seen = FullDisk("finished", "", size_bytes)
        job = self._job(DISTURBED, 0)
        try:
            with small_disk.small_disk(checkpoints, size_bytes):
                try:
                    self._engine.run(job, disturber)
                except PacktrainError as error:
                    seen.outcome, seen.told = "failed", _why(disturber.lived, error)
        except OSError as error:
            return FullDisk("not run", f"no small disk can be mounted here: {error.strerror}")
        seen.steps = disturber.lived.steps
        whole = newest_checkpoint(checkpoints)
        seen.had_checkpoint = whole is not None
        seen.is_beyond_first = whole is not None and is_beyond(whole, checkpoints, when.first)
        seen.has_last = last is not None and (checkpoints / last).exists()
        if seen.outcome == "finished":
            self._clear(DISTURBED)
        return seen

    def _disturbed(self, first: checks.Undisturbed, full: FullDisk, last: Path | None) -> checks.Disturbed:
        """Kill workers and ask to stop, one after another; then let it come to its end."""
        workers = self._wanted.num_workers
        kinds: tuple[Kind, ...] = ("last worker killed", "rank 0 killed", "asked to stop")
        kinds = kinds if workers > 1 else ("rank 0 killed", "asked to stop")
        self._say("disturbed run: workers are killed and asked to stop, one after another")
        lived, error = self._disturb(first, kinds)
        if full.outcome == "failed":
            full.after = lived.lines_of(lived.attempts[0] if lived.attempts else None)
            if error and not lived.made:
                # Half a checkpoint is in its way. What it does when a worker is killed is seen without one.
                full.fault_after = error
                self._clear(DISTURBED)
                lived, error = self._disturb(first, kinds)
        before = full.steps or lived.lines_of(lived.attempts[0] if lived.attempts else None)
        weights = self._weights_at_the_end(DISTURBED, last)
        return checks.Disturbed(lived, before, error, weights, self._in_the_middle(lived, last))

    def _weights_at_the_end(self, name: str, last: Path | None) -> Weights | None:
        """Return the weights of a run's checkpoint of the name that the undisturbed run ended with."""
        path = self._checkpoints(name) / last if last is not None else None
        return weights_of(path) if path is not None and path.exists() else None

    def _in_the_middle(self, lived: Lived, last: Path | None) -> Weights | None:
        """Return the weights of the snapshot, where steps were made after it: those of the last one are others."""
        newest = newest_checkpoint(self._snapshot)
        if newest is None:
            return None
        has_gone_on = bool(lived.attempts) and bool(lived.lines_of(lived.attempts[-1]))
        return weights_of(newest) if has_gone_on or newest.relative_to(self._snapshot) != last else None

    def _disturb(self, first: checks.Undisturbed, kinds: Sequence[Kind]) -> tuple[Lived, str]:
        checkpoints = self._checkpoints(DISTURBED)
        disturber = Disturber(self._sink, kinds, When.at_half(first.run), checkpoints, self._take_snapshot)
        with CheckpointWatch(checkpoints, disturber.look):
            error = self._end_of(self._job(DISTURBED, len(kinds) + _SPARE_RESTARTS), disturber)
        lived = disturber.lived
        if error or not lived.made:
            return lived, error
        final = lived.made[-1]
        if final.kind != "asked to stop" and lived.attempt_after(final.attempt) is None:
            # A worker that had ended before the signal reached it was not lost.
            lived.made.pop()
        return lived, ""

    def _end_of(self, job: TrainingJob, sink: Sink) -> str:
        """Run a job; return why it did not come to its end, empty where it did."""
        try:
            self._engine.run(job, sink)
        except PacktrainError as error:
            return error.message
        return ""

    def _with_fewer(self, first: checks.Undisturbed, tolerance: float) -> Clause:
        workers = self._wanted.num_workers
        if workers == 1:
            return checks.not_shown(checks.OTHER_WORKERS, "[training] workers is 1: there is none to leave out")
        if not self._begin_from_snapshot(FEWER):
            return checks.not_shown(checks.OTHER_WORKERS, "no checkpoint in the middle of the run to go on from")
        self._say(f"going on with {workers - 1} of {workers} workers")
        heard = Disturber(self._sink, (), When.at_half(first.run), self._checkpoints(FEWER))
        error = self._end_of(self._job(FEWER, 0, num_workers=workers - 1), heard)
        return fault_checks.judge_other_workers(first, heard.lived.steps, error, workers, tolerance)

    def _with_a_hang(self, first: checks.Undisturbed, last: Path | None, tolerance: float) -> Clause:
        if not self._wanted.with_hang:
            return checks.not_shown(checks.HANGS, "[training] rehearsal_hang is false")
        if not first.run.steps:
            return checks.not_shown(checks.HANGS, f"a short limit needs step lines; {checks.NO_STEP_LINES}")
        if not self._begin_from_snapshot(HUNG):
            return checks.not_shown(checks.HANGS, "no checkpoint in the middle of the run to go on from")
        limit_seconds = min(self._wanted.stall_seconds, max(_LEAST_HANG_SECONDS, 3 * longest_gap_seconds(first.run)))
        self._say(f"rank 0 is stopped, and must be ended after {limit_seconds:.3g} s")
        at_once = When(step=0, latest=0, seconds=0.0)
        disturber = Disturber(self._sink, ("rank 0 hung",), at_once, self._checkpoints(HUNG))
        job = self._job(HUNG, 1, stall_seconds=limit_seconds, grace_seconds=_HANG_GRACE_SECONDS)
        error = self._end_of(job, disturber)
        weights = self._weights_at_the_end(HUNG, last)
        return fault_checks.judge_hang(first, disturber.lived, error, limit_seconds, weights, tolerance)

    # --- folders ---

    def _checkpoints(self, name: str) -> Path:
        return self._wanted.folder / name / "checkpoints"

    def _clear(self, name: str) -> None:
        shutil.rmtree(self._wanted.folder / name, ignore_errors=True)

    def _take_snapshot(self) -> None:
        """Keep the checkpoints as an attempt of the disturbed run finds them; those of the last stay."""
        shutil.rmtree(self._snapshot, ignore_errors=True)
        try:
            shutil.copytree(self._checkpoints(DISTURBED), self._snapshot, symlinks=True)
        except (OSError, shutil.Error):
            # The program has begun to clear up among them.
            shutil.rmtree(self._snapshot, ignore_errors=True)

    def _begin_from_snapshot(self, name: str) -> bool:
        if newest_checkpoint(self._snapshot) is None:
            return False
        shutil.copytree(self._snapshot, self._checkpoints(name), symlinks=True)
        return True

    def _job(
        self,
        name: str,
        max_restarts: int,
        *,
        num_workers: int | None = None,
        stall_seconds: float | None = None,
        grace_seconds: float = GRACE_SECONDS,
    ) -> TrainingJob:
        wanted = self._wanted
        places = {part: wanted.folder / name / part for part in ("checkpoints", "results")}
        for path in places.values():
            path.mkdir(parents=True, exist_ok=True)
        return TrainingJob(
            python=wanted.python,
            command=fill_command(wanted.command, data=wanted.data, steps=wanted.num_steps, **places),
            program_folder=wanted.program_folder,
            environment={},
            checkpoints=places["checkpoints"],
            log_folder=wanted.logs / name,
            num_workers=num_workers or wanted.num_workers,
            max_restarts=max_restarts,
            stall_seconds=stall_seconds or self._patience_seconds,
            grace_seconds=grace_seconds,
        )

    def _begin(self, number: int, what: str) -> None:
        """Tell which of the trials begins."""
        activity = f"trial {number} of {_NUM_TRIALS}: {what}"
        self._sink(Progress(STAGE, activity, done_items=number - 1, total_items=_NUM_TRIALS, unit="trials"))

    def _say(self, text: str) -> None:
        self._sink(Notice(STAGE, text))


def told_of_run(steps: Sequence[StepRecord], num_workers: int, num_steps: int) -> UndisturbedRun:
    """Return what the sheet tells of the undisturbed run: the loss of each step, as far as there is room for them."""
    losses = [
        StepLoss(step=record.step, loss=record.loss)
        for record in steps_that_count(steps)
        if record.loss is not None and math.isfinite(record.loss)
    ]
    return UndisturbedRun(num_workers=num_workers, num_steps=num_steps, losses=tuple(losses[:MOST_LOSSES]))


def _why(lived: Lived, error: PacktrainError) -> str:
    """Return how an attempt ended: the engine's reason, and the last words of the program."""
    reason = next(iter(lived.reasons.values()), error.message)
    words = str(error.found or "")
    return f"{reason}: {words}" if words else reason
