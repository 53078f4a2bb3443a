"""One machine: the engine starts every worker itself, under torchrun's environment, and forms each attempt afresh.

A fresh port, a fresh store and fresh processes for each attempt leave no address of the last one to be found: that is
why there is no elastic rendezvous here. Nothing runs on when `run` returns or raises. Here is the loop over attempts;
attempt.py has one of them, worker.py one process of it.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import re
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from types import FrameType
from typing import Final

from packtrain import durable
from packtrain.engines.attempt import Attempt
from packtrain.events import Sink
from packtrain.ports import ATTEMPTS_NAME, AttemptRecord, StepRecord, TrainingJob, TrainingRun

_LOG_NAME: Final = re.compile(r"attempt-(\d{1,9})-rank-\d+\.log")
_MOST_LOG_BYTES: Final = 64 << 20


class LocalEngine:
    """Runs a training program on this machine, `num_workers` processes at a time. See `ports.Engine`."""

    name = "local"

    def run(self, job: TrainingJob, sink: Sink) -> TrainingRun:
        """Run the program to its end, with a fresh attempt after each failure.

        `max_restarts` counts failures in a row: an attempt that got further than all before it starts the count anew,
        or a run of months would end by the hundredth lost machine though each was got over. A program that fails at the
        same step again and again gets no further, nor does one without step lines. An attempt that got further, saved
        and exited 75 did not fail: somebody else had asked it to stop.

        On Ctrl-C, and on SIGTERM to packtrain, workers get SIGTERM and `grace_seconds` to save; then KeyboardInterrupt
        goes on to the caller. If packtrain is killed outright the kernel kills the workers.

        Raises:
            TrainingFailed: more attempts failed than `max_restarts` allows; `where` is the log of the worker at fault.
            WorkerStalled: the same, and the last of them made no step for `stall_seconds`.
        """
        job.log_folder.mkdir(parents=True, exist_ok=True)
        job.checkpoints.mkdir(parents=True, exist_ok=True)
        started = time.monotonic()
        records: list[AttemptRecord] = []
        steps: list[StepRecord] = []
        # Numbers go on from earlier runs: a later run never writes over the evidence of an earlier one.
        first_number = _last_attempt(job.log_folder) + 1
        num_failed, furthest = 0, -1
        with _sigterm_is_interrupt():
            for number in itertools.count(first_number):
                attempt = Attempt(job, number, started, sink, _MOST_LOG_BYTES)
                try:
                    attempt.run()
                finally:
                    record = AttemptRecord(
                        attempt=number,
                        started_seconds=round(attempt.started_seconds, 3),
                        ended_seconds=round(time.monotonic() - started, 3),
                        reason=attempt.reason,
                        lost_rank=attempt.lost_rank,
                    )
                    records.append(record)
                    durable.append_line(job.log_folder / ATTEMPTS_NAME, json.dumps(asdict(record)).encode())
                steps += attempt.steps
                if attempt.outcome == "done":
                    return TrainingRun(
                        attempts=tuple(records), steps=tuple(steps), elapsed_seconds=time.monotonic() - started
                    )
                reached = max((step.step for step in attempt.steps), default=-1)
                if reached > furthest:
                    num_failed, furthest = int(attempt.outcome != "saved"), reached
                else:
                    num_failed += 1
                if num_failed > job.max_restarts:
                    raise attempt.failure(num_failed, len(records))
        raise AssertionError("the loop above has no other end")


def _last_attempt(log_folder: Path) -> int:
    matches = (_LOG_NAME.fullmatch(path.name) for path in log_folder.iterdir())
    return max((int(match.group(1)) for match in matches if match), default=0)


@contextlib.contextmanager
def _sigterm_is_interrupt() -> Iterator[None]:
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
