"""One machine: the engine starts every worker itself, under torchrun's environment, and forms each attempt afresh.

A fresh port, a fresh store and fresh processes for each attempt leave no address of the last one to be found: that is
why there is no elastic rendezvous here. Nothing runs on when `run` returns or raises. The loop over attempts is in
attempts.py; attempt.py judges one, crew.py holds its workers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from packtrain.engines.attempts import run_attempts
from packtrain.engines.crew import Crew, CrewNews, CrewOrder, ReservedPort
from packtrain.events import Sink
from packtrain.ports import TrainingJob, TrainingRun


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
        return run_attempts(job, lambda number, _: OwnCrew(job, number), sink)


class OwnCrew:
    """The one crew of an attempt, in this process. See `attempt.Crews`."""

    hosts = ()
    resumed_from = ""
    short_grace_seconds = math.inf

    def __init__(self, job: TrainingJob, number: int) -> None:
        self._port = ReservedPort("127.0.0.1")
        self._crew = Crew(CrewOrder(job, number, self._port.number, job.num_workers))

    def start(self) -> None:
        """Start the workers.

        Raises:
            TrainingFailed: one cannot be started.
        """
        self._crew.start()

    def news(self, timeout_seconds: float) -> Sequence[CrewNews]:
        """Return what came in, waiting at most so long."""
        return (self._crew.news(timeout_seconds),)

    def ask_to_stop(self) -> None:
        """Send SIGTERM to all that live."""
        self._crew.ask_to_stop()

    def end(self) -> Sequence[CrewNews]:
        """Kill what still runs and return the last news."""
        self._crew.end()
        self._port.close()
        return (self._crew.news(0),)
