"""The two runs of a rehearsal, inside the box: one undisturbed, one in which a worker is killed at about half.

The undisturbed run serves twice: what it shows by itself, and as the measure that the disturbed one is held against.
"""

from __future__ import annotations

import contextlib
import math
import os
import signal
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from packtrain.documents.ready import Clause
from packtrain.errors import PacktrainError
from packtrain.events import Event, Notice, Sink, TrainingStep, WorkersStarted
from packtrain.ports import Engine, StepRecord, TrainingJob, TrainingRun
from packtrain.training import checks
from packtrain.training.checkpoints import CheckpointWatch, Weights, checkpoint_bytes, newest_checkpoint, weights_of
from packtrain.training.command import fill_command

STAGE: Final = "rehearse"
UNDISTURBED: Final = "undisturbed"
DISTURBED: Final = "disturbed"
GRACE_SECONDS: Final = 10.0
# A day between failures: about what 300 servers of 8 accelerators met in published logs, taken in proportion.
ASSUMED_FAILURE_SECONDS: Final = 86_400.0


@dataclass(frozen=True, slots=True)
class RehearsalRuns:
    """What to run.

    Attributes:
        python: the kit's interpreter.
        program_folder: the kit's program.
        command: with its placeholders.
        data: the store that the miniature was loaded into.
        folder: where checkpoints and results of both runs go.
        logs: where the engine writes.
        stall_seconds: no step and no checkpoint for so long ends a run.
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


@dataclass(frozen=True, slots=True)
class Shown:
    """What the runs showed: clauses of the sheet, the weights at the end, and numbers by name."""

    clauses: tuple[Clause, ...]
    weights: Weights | None
    num_steps: int
    measurements: dict[str, float]


def run_twice(wanted: RehearsalRuns, engine: Engine, sink: Sink) -> Shown:
    """Run the program undisturbed, then with a lost worker; return what that showed.

    A program that fails breaks a clause; nothing of it is raised.
    """
    checkpoints = wanted.folder / UNDISTURBED / "checkpoints"
    sink(Notice(STAGE, f"undisturbed run: {wanted.num_steps} steps, {wanted.num_workers} workers"))
    try:
        with CheckpointWatch(checkpoints) as watch:
            run = engine.run(_job(wanted, UNDISTURBED, max_restarts=0), sink)
    except PacktrainError as error:
        return Shown((checks.broken(checks.RUNS, _told(error)),), None, 0, {})
    newest = newest_checkpoint(checkpoints)
    first = checks.Undisturbed(
        run=run,
        checkpoint_bytes=checkpoint_bytes(newest) if newest else 0,
        checkpoint_seconds=watch.longest_seconds,
        weights=weights_of(newest) if newest else None,
    )
    clauses = checks.judge_undisturbed(first, wanted.num_steps, wanted.num_workers)
    measurements = _measure(first)

    sink(Notice(STAGE, "disturbed run: a worker is killed at about half"))
    last_name = newest.relative_to(checkpoints) if newest else None
    try:
        second = _disturbed(wanted, engine, sink, run, last_name)
    except PacktrainError as error:
        clauses.append(checks.broken(checks.RESUMES, f"after the loss of a worker: {_told(error)}"))
    else:
        clauses += checks.judge_disturbed(first, second)
        measurements |= _measure_restart(second)
    return Shown(tuple(clauses), first.weights, len(checks.last_of_each_step(run)), measurements)


def _disturbed(
    wanted: RehearsalRuns, engine: Engine, sink: Sink, undisturbed: TrainingRun, last_name: Path | None
) -> checks.Disturbed:
    checkpoints = wanted.folder / DISTURBED / "checkpoints"
    killer = _WorkerKiller(sink, undisturbed, checkpoints)
    with CheckpointWatch(checkpoints, killer.look):
        run = engine.run(_job(wanted, DISTURBED, max_restarts=2), killer)
    final = checkpoints / last_name if last_name is not None else None
    return checks.Disturbed(
        run=run,
        # A worker that had ended before the signal reached it was not lost.
        lost_after_step=killer.killed_after_step if run.num_restarts else None,
        had_checkpoint=killer.had_checkpoint,
        weights=weights_of(final) if final is not None and final.exists() else None,
    )


class _WorkerKiller:
    """A sink that kills the last worker of the first attempt, once, when half the steps are done and one is saved.

    Without a checkpoint it waits for one, but not beyond three quarters of the steps. A program without step lines is
    killed at half the time that the undisturbed run took.
    """

    def __init__(self, sink: Sink, undisturbed: TrainingRun, checkpoints: Path) -> None:
        self._sink = sink
        self._checkpoints = checkpoints
        steps = sorted({record.step for record in undisturbed.steps})
        self._half = steps[(len(steps) - 1) // 2] if steps else None
        self._latest = steps[len(steps) * 3 // 4] if len(steps) > 1 else None
        self._half_seconds = undisturbed.elapsed_seconds / 2
        self._pid: int | None = None
        self._started = 0.0
        self._attempt: int | None = None
        self._step = 0
        self._lock = threading.Lock()
        self.killed_after_step: int | None = None
        self.had_checkpoint = False

    def __call__(self, event: Event) -> None:
        self._sink(event)
        if isinstance(event, WorkersStarted) and self._attempt is None:
            self._attempt, self._started, self._pid = event.attempt, time.monotonic(), event.pids[-1]
        elif isinstance(event, TrainingStep) and event.attempt == self._attempt:
            self._step = event.step
            if self._half is not None and event.step >= self._half:
                self._kill(even_without=self._latest is not None and event.step >= self._latest)

    def look(self) -> None:
        """Kill by the clock where no step line can tell the time; called from the watch's thread."""
        if self._half is None and self._pid is not None and time.monotonic() - self._started >= self._half_seconds:
            self._kill(even_without=False)

    def _kill(self, *, even_without: bool) -> None:
        with self._lock:
            if self._pid is None or self.killed_after_step is not None:
                return
            self.had_checkpoint = newest_checkpoint(self._checkpoints) is not None
            if self.had_checkpoint or even_without:
                self.killed_after_step = self._step
                with contextlib.suppress(ProcessLookupError):
                    os.kill(self._pid, signal.SIGKILL)


def _job(wanted: RehearsalRuns, name: str, *, max_restarts: int) -> TrainingJob:
    folder = wanted.folder / name
    places = {part: folder / part for part in ("checkpoints", "results")}
    for path in places.values():
        path.mkdir(parents=True, exist_ok=True)
    return TrainingJob(
        python=wanted.python,
        command=fill_command(wanted.command, data=wanted.data, steps=wanted.num_steps, **places),
        program_folder=wanted.program_folder,
        environment={},
        checkpoints=places["checkpoints"],
        log_folder=wanted.logs / name,
        num_workers=wanted.num_workers,
        max_restarts=max_restarts,
        stall_seconds=wanted.stall_seconds,
        grace_seconds=GRACE_SECONDS,
    )


def _measure(first: checks.Undisturbed) -> dict[str, float]:
    steps = first.run.steps
    numbers: dict[str, float] = {"run_seconds": first.run.elapsed_seconds}
    if first.weights is not None:
        numbers["checkpoint_bytes"] = float(first.checkpoint_bytes)
        numbers["checkpoint_seconds"] = first.checkpoint_seconds
        # Young's rule: the interval at which time lost to saving and time lost to failures are equal.
        advice = math.sqrt(2 * first.checkpoint_seconds * ASSUMED_FAILURE_SECONDS)
        numbers["checkpoint_interval_seconds_at_a_failure_a_day"] = advice
    if steps:
        numbers["first_step_seconds"] = steps[0].elapsed_seconds
    median_seconds = checks.step_seconds(steps)
    if median_seconds:
        numbers["step_seconds"] = median_seconds
        counts = [record.num_samples for record in steps if record.num_samples is not None]
        if counts:
            numbers["samples_per_second"] = sum(counts) / len(counts) / median_seconds
    return {name: round(value, 6) for name, value in numbers.items()}


def _measure_restart(second: checks.Disturbed) -> dict[str, float]:
    if len(second.run.attempts) < 2:
        return {}
    lost = second.run.attempts[0].attempt
    before = [record for record in second.run.steps if record.attempt == lost]
    after: list[StepRecord] = [record for record in second.run.steps if record.attempt != lost]
    if not before or not after:
        return {}
    return {"restart_seconds": round(after[0].elapsed_seconds - before[-1].elapsed_seconds, 3)}


def _told(error: PacktrainError) -> str:
    return error.message
