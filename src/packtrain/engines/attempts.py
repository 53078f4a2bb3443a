"""The loop over attempts, the same on one host and on many: how often a run is tried again, and what is noted of it."""

from __future__ import annotations

import contextlib
import itertools
import json
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from types import FrameType
from typing import Final

from packtrain import durable
from packtrain.engines.attempt import Attempt, Crews
from packtrain.engines.streak import Streak
from packtrain.events import Sink
from packtrain.ports import ATTEMPTS_NAME, AttemptRecord, StepRecord, TrainingJob, TrainingRun

_LOG_NAME: Final = re.compile(r"attempt-(\d{1,9})-(?:rank-\d+|hosts)\.log")


def run_attempts(job: TrainingJob, form: Callable[[int, Attempt | None], Crews], sink: Sink) -> TrainingRun:
    """Run the program to its end, with a fresh attempt after each failure.

    Args:
        job: what to run.
        form: returns the crews of an attempt by its number; it is given the attempt before, None for the first of this
            run. What it raises ends the run.
        sink: takes events.

    Raises:
        TrainingFailed, WorkerStalled: see `LocalEngine.run`.
    """
    job.log_folder.mkdir(parents=True, exist_ok=True)
    job.checkpoints.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    records: list[AttemptRecord] = []
    steps: list[StepRecord] = []
    # Numbers go on from earlier runs: a later run never writes over the evidence of an earlier one.
    first_number = last_attempt(job.log_folder) + 1
    streak = Streak()
    attempt: Attempt | None = None
    with sigterm_is_interrupt():
        for number in itertools.count(first_number):
            attempt = Attempt(job, number, form(number, attempt), started, sink)
            try:
                attempt.run()
            finally:
                record = AttemptRecord(
                    attempt=number,
                    started_seconds=round(attempt.started_seconds, 3),
                    ended_seconds=round(time.monotonic() - started, 3),
                    reason=attempt.reason,
                    lost_rank=attempt.lost_rank,
                    hosts=attempt.hosts,
                    lost_host=attempt.lost_host,
                    resumed_from=attempt.resumed_from,
                )
                records.append(record)
                durable.append_line(job.log_folder / ATTEMPTS_NAME, json.dumps(asdict(record)).encode())
            steps += attempt.steps
            if attempt.outcome == "done":
                return TrainingRun(
                    attempts=tuple(records), steps=tuple(steps), elapsed_seconds=time.monotonic() - started
                )
            reached = max((step.step for step in attempt.steps), default=-1)
            streak = streak.after(attempt.outcome, reached)
            if streak.is_too_long(job.max_restarts):
                raise attempt.failure(streak.num_failed, len(records))
    raise AssertionError("the loop above has no other end")


def last_attempt(log_folder: Path) -> int:
    """Return the highest number of an attempt that has logs there; 0 before the first."""
    matches = (_LOG_NAME.fullmatch(path.name) for path in log_folder.iterdir())
    return max((int(match.group(1)) for match in matches if match), default=0)


@contextlib.contextmanager
def sigterm_is_interrupt() -> Iterator[None]:
    """Make SIGTERM to packtrain end the workers in the same way as Ctrl-C does."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(number: int, frame: FrameType | None) -> None:
        # The command line's own notes which signal it was, and raises the same.
        if callable(previous):
            previous(number, frame)
        raise KeyboardInterrupt

    previous = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)
