"""One attempt of the local engine: starts the workers, reads and watches them in one thread, ends them all."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import socket
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final, Literal, cast

from packtrain.engines.worker import Worker, kill_daemons, last_words
from packtrain.errors import PacktrainError, TrainingFailed, WorkerStalled
from packtrain.events import Notice, Sink, TrainingStep, WorkerLost, WorkersStarted
from packtrain.ports import StepRecord, TrainingJob
from packtrain.units import counted

SAVED_AND_STOPPED: Final = 75
"""The exit code by which a program says that it saved because it was asked to stop (EX_TEMPFAIL)."""

_POLL_SECONDS: Final = 0.05
_ENDING_POLL_SECONDS: Final = 0.005
_CHECKPOINT_POLL_SECONDS: Final = 5.0
_MOST_COUNT: Final = 2**53  # what a double, and so every reader of JSON, tells from its neighbours

Outcome = Literal["done", "lost", "saved", "stalled", "interrupted"]


class Attempt:
    """One attempt. Nothing of it runs on when `run` returns or raises.

    Args:
        job: what to run.
        number: of the attempt.
        run_started: when the run began, by the monotonic clock.
        sink: takes events.
        most_log_bytes: of one worker's log; twice that lies on the disk, see `Worker.cut_log`.

    Attributes:
        started_seconds: since the run began.
        steps: the step lines of rank 0.
        outcome, reason, lost_rank: how it ended, in words too, and the worker at fault if one was.
    """

    def __init__(self, job: TrainingJob, number: int, run_started: float, sink: Sink, most_log_bytes: int) -> None:
        self._job = job
        self._number = number
        self._run_started = run_started
        self._sink = sink
        self._most_log_bytes = most_log_bytes
        self._workers: list[Worker] = []
        self._selector = selectors.DefaultSelector()
        self._port = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._done_mark = job.log_folder / f"attempt-{number}.done"
        self._checkpoint_state: object = None
        self._checkpoint_looked = 0.0
        self._last_progress = time.monotonic()
        self.started_seconds = self._last_progress - run_started
        self.steps: list[StepRecord] = []
        self.outcome: Outcome = "interrupted"
        self.reason = "it was interrupted"
        self.lost_rank: int | None = None

    def run(self) -> None:
        """Set `outcome`, `reason` and `lost_rank`; no process of this attempt is left afterwards."""
        # One of this number can lie there where somebody cleared logs away: it is no word of this attempt.
        self._done_mark.unlink(missing_ok=True)
        try:
            port = self._reserve_port()
            for rank in range(self._job.num_workers):
                worker = Worker(self._job, rank, port, self._done_mark, self._log_path(rank))
                self._workers.append(worker)
                self._selector.register(worker.stdout, selectors.EVENT_READ, worker)
            self._sink(WorkersStarted(self._number, tuple(worker.pid for worker in self._workers)))
            self._watch()
        finally:
            try:
                if self.outcome != "done":
                    self._ask_to_stop()
            finally:
                self._end()

    def failure(self, num_failed: int, num_attempts: int) -> PacktrainError:
        """Return the error of a run that ends with this attempt: so many failed in a row, of all that were made."""
        error_type = WorkerStalled if self.outcome == "stalled" else TrainingFailed
        last = "" if num_failed == num_attempts else f", the last {num_failed} without getting further"
        made = counted(num_attempts, "attempt")
        log = self._log_path(self.lost_rank or 0)
        return error_type(
            f"training did not finish in {made}{last}; the last ended because {self.reason}",
            where=str(log),
            expected="exit 0 of every worker",
            found=last_words(log),
            hint="read the log; the same command goes on from the newest checkpoint",
        )

    def _log_path(self, rank: int) -> Path:
        return self._job.log_folder / f"attempt-{self._number}-rank-{rank}.log"

    def _reserve_port(self) -> int:
        # Held, without listening, for as long as the attempt runs: nobody is given it as a free one. Rank 0's store may
        # bind it all the same, as it asks for SO_REUSEADDR; so do all stores of torch.
        self._port.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._port.bind(("127.0.0.1", 0))
        return int(self._port.getsockname()[1])

    # --- watching ---

    def _watch(self) -> None:
        marked_at: float | None = None
        while True:
            self._read(_POLL_SECONDS)
            codes = [worker.look() for worker in self._workers]
            if marked_at is None and self._done_mark.exists():
                marked_at = time.monotonic()
            if all(code is not None for code in codes) and (marked_at is not None or not any(codes)):
                self._set("done", "every worker ended" if not any(codes) else "the program had marked itself done")
                return
            if marked_at is not None:
                # The work is done; how the workers end no longer matters, only that they do.
                if time.monotonic() - marked_at > self._job.grace_seconds:
                    hanging = [str(worker.rank) for worker in self._workers if worker.exit_code is None]
                    self._set("done", f"the program had marked itself done; killed at exit: rank {', '.join(hanging)}")
                    return
                continue
            if failed := [worker for worker in self._workers if worker.exit_code]:
                # Ended by a signal before ended by an error: the second is often the echo of the first.
                self._set_lost(min(failed, key=lambda worker: (worker.exit_code or 0) > 0))
                return
            if self._seconds_without_progress() > self._job.stall_seconds:
                self._set("stalled", f"no step and no checkpoint for {self._job.stall_seconds:g} s")
                self._sink(Notice("train", f"attempt {self._number}: {self.reason}", is_warning=True))
                return

    def _set(self, outcome: Outcome, reason: str) -> None:
        self.outcome, self.reason = outcome, reason

    def _set_lost(self, worker: Worker) -> None:
        code = worker.exit_code or 0
        if code == SAVED_AND_STOPPED:
            self._set("saved", f"rank {worker.rank} was asked to stop, and saved")
        elif code < 0:
            self._set("lost", f"rank {worker.rank} was killed by {_signal_name(-code)}")
        else:
            self._set("lost", f"rank {worker.rank} ended with exit code {code}")
        self.lost_rank = worker.rank
        self._sink(WorkerLost(self._number, worker.rank, self.reason))

    def _seconds_without_progress(self) -> float:
        now = time.monotonic()
        if now - self._checkpoint_looked > min(_CHECKPOINT_POLL_SECONDS, self._job.stall_seconds / 4):
            # Step lines are optional in the contract: a program without them shows its progress by saving.
            self._checkpoint_looked = now
            for worker in self._workers:
                worker.cut_log(self._most_log_bytes)
            state = _newest_change(self._job.checkpoints)
            if self._checkpoint_state not in (None, state):
                self._last_progress = now
            self._checkpoint_state = state
        return now - self._last_progress

    # --- reading ---

    def _read(self, timeout_seconds: float) -> None:
        if not self._selector.get_map():
            # Every worker has closed its output: it is about to end, and a run of seconds should not wait for a poll.
            time.sleep(min(timeout_seconds, _ENDING_POLL_SECONDS))
            return
        for key, _ in self._selector.select(timeout_seconds):
            worker: Worker = key.data
            lines = worker.read()
            if worker.is_closed:
                self._selector.unregister(worker.stdout)
            self._take(worker, lines or ())

    def _take(self, worker: Worker, lines: Iterable[bytes]) -> None:
        for line in lines:
            step = _parse_step(line) if worker.rank == 0 else None
            if step is None:
                worker.log(line)
                continue
            self._last_progress = time.monotonic()
            number, loss, num_samples = step
            elapsed_seconds = self._last_progress - self._run_started
            self.steps.append(StepRecord(self._number, number, loss, num_samples, elapsed_seconds))
            self._sink(TrainingStep(self._number, number, loss, num_samples))

    # --- ending ---

    def _ask_to_stop(self) -> None:
        """SIGTERM to all that live, and up to `grace_seconds` for them to save and end."""
        for worker in self._workers:
            worker.ask_to_stop()
        deadline = time.monotonic() + self._job.grace_seconds
        while any(worker.look() is None for worker in self._workers) and time.monotonic() < deadline:
            self._read(_POLL_SECONDS)

    def _end(self) -> None:
        """Kill every process group and daemon, read what is left in the pipes, reap."""
        for worker in self._workers:
            worker.kill_group()
        kill_daemons(self._done_mark)
        for worker in self._workers:
            worker.reap()
            self._take(worker, worker.read_left())
            worker.close()
        self._selector.close()
        self._port.close()


def _parse_step(line: bytes) -> tuple[int, float | None, int | None] | None:
    """Return step, loss and samples of a step line, or None where it is something else."""
    if not line.lstrip().startswith(b"{"):
        return None
    try:
        # Not msgspec: a program in trouble prints NaN, which Python writes and reads though JSON has no such thing.
        body: Any = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(body, dict):
        return None
    fields = cast("dict[str, object]", body)
    step, loss, samples = fields.get("step"), fields.get("loss"), fields.get("samples")
    if type(step) is not int or not 0 <= step < _MOST_COUNT:
        return None
    return (
        step,
        float(loss) if isinstance(loss, float) or (type(loss) is int and abs(loss) < _MOST_COUNT) else None,
        samples if type(samples) is int and 0 <= samples < _MOST_COUNT else None,
    )


def _newest_change(folder: Path) -> tuple[int, int]:
    """Return the newest modification time (ns) of a folder and the entries in it, and their number."""
    newest, num_entries = 0, 0
    with contextlib.suppress(OSError):
        newest = folder.stat().st_mtime_ns
        for entry in os.scandir(folder):
            num_entries += 1
            with contextlib.suppress(OSError):
                newest = max(newest, entry.stat(follow_symlinks=False).st_mtime_ns)
    return newest, num_entries


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
