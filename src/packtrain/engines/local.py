"""One machine: the engine starts every worker itself, under torchrun's environment, and forms each attempt afresh.

A fresh port, a fresh store and fresh processes for each attempt leave no address of the last one to be found: that is
why there is no elastic rendezvous here. One thread reads and watches; nothing runs on when `run` returns or raises.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import re
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from types import FrameType
from typing import IO, Any, Final, Literal, cast

from packtrain import durable
from packtrain.errors import PacktrainError, TrainingFailed, WorkerStalled
from packtrain.events import Notice, Sink, TrainingStep, WorkerLost, WorkersStarted
from packtrain.ports import AttemptRecord, StepRecord, TrainingJob, TrainingRun
from packtrain.units import counted

SAVED_AND_STOPPED: Final = 75
"""The exit code by which a program says that it saved because it was asked to stop (EX_TEMPFAIL)."""

ATTEMPTS_NAME: Final = "attempts.jsonl"
_WORKER_START: Final = Path(__file__).with_name("worker_start.py")
_CONTRACT: Final = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
_LOG_NAME: Final = re.compile(r"attempt-(\d{1,9})-rank-\d+\.log")
_POLL_SECONDS: Final = 0.05
_ENDING_POLL_SECONDS: Final = 0.005
_CHECKPOINT_POLL_SECONDS: Final = 5.0
_MAX_LINE_BYTES: Final = 64 * 1024
_LOG_TAIL_BYTES: Final = 4096
_MOST_LOG_BYTES: Final = 64 << 20  # of one worker in one attempt; twice that lies on the disk, see _Attempt._cut_logs
_MOST_COUNT: Final = 2**53  # what a double, and so every reader of JSON, tells from its neighbours
_PIPE_PIECES: Final = 64  # 4 MiB: more than any pipe holds by default
# After a lost worker the others usually fail by themselves at once: their connection to it is gone.
_KILL_WAIT_SECONDS: Final = 10.0

Outcome = Literal["done", "lost", "saved", "stalled", "interrupted"]


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
                attempt, num_before = _Attempt(job, number, started, sink, steps), len(steps)
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
                if attempt.outcome == "done":
                    return TrainingRun(
                        attempts=tuple(records), steps=tuple(steps), elapsed_seconds=time.monotonic() - started
                    )
                reached = max((step.step for step in steps[num_before:]), default=-1)
                if reached > furthest:
                    num_failed, furthest = int(attempt.outcome != "saved"), reached
                else:
                    num_failed += 1
                if num_failed > job.max_restarts:
                    raise attempt.failure(num_failed, len(records))
        raise AssertionError("the loop above has no other end")


class _Worker:
    """One process, its log, and the part of its output that is no whole line yet."""

    def __init__(self, rank: int, process: subprocess.Popen[bytes], log: IO[bytes]) -> None:
        assert process.stdout is not None
        self.rank = rank
        self.process = process
        self.stdout = process.stdout
        self.log = log
        self.rest = b""
        self.exit_code: int | None = None

    def look(self) -> int | None:
        """Return the exit code (minus the signal) if the process has ended. It is not reaped: its id stays its own."""
        if self.exit_code is None:
            found = os.waitid(os.P_PID, self.process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            if found is not None:
                self.exit_code = found.si_status if found.si_code == os.CLD_EXITED else -found.si_status
        return self.exit_code


class _Attempt:
    """One attempt: starts the workers, reads them, ends them."""

    def __init__(self, job: TrainingJob, number: int, run_started: float, sink: Sink, steps: list[StepRecord]) -> None:
        self._job = job
        self._number = number
        self._run_started = run_started
        self._sink = sink
        self._steps = steps
        self._workers: list[_Worker] = []
        self._selector = selectors.DefaultSelector()
        self._port = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._done_mark = job.log_folder / f"attempt-{number}.done"
        self._checkpoint_state: object = None
        self._checkpoint_looked = 0.0
        self._last_progress = time.monotonic()
        self.started_seconds = self._last_progress - run_started
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
                self._start(rank, port)
            self._sink(WorkersStarted(self._number, tuple(worker.process.pid for worker in self._workers)))
            self._watch()
        finally:
            try:
                if self.outcome != "done":
                    self._ask_to_stop()
            finally:
                self._end()

    def log_path(self, rank: int) -> Path:
        """Return where this worker's output lies."""
        return self._job.log_folder / f"attempt-{self._number}-rank-{rank}.log"

    def failure(self, num_failed: int, num_attempts: int) -> PacktrainError:
        """Return the error of a run that ends with this attempt: so many failed in a row, of all that were made."""
        error_type = WorkerStalled if self.outcome == "stalled" else TrainingFailed
        last = "" if num_failed == num_attempts else f", the last {num_failed} without getting further"
        made = counted(num_attempts, "attempt")
        return error_type(
            f"training did not finish in {made}{last}; the last ended because {self.reason}",
            where=str(self.log_path(self.lost_rank or 0)),
            expected="exit 0 of every worker",
            found=self.last_words(self.lost_rank or 0),
            hint="read the log; the same command goes on from the newest checkpoint",
        )

    def last_words(self, rank: int) -> str:
        """Return the last line of a worker's log that says something."""
        with contextlib.suppress(OSError), self.log_path(rank).open("rb") as stream:
            stream.seek(max(0, os.fstat(stream.fileno()).st_size - _LOG_TAIL_BYTES))
            lines = stream.read().decode("utf-8", "replace").split("\n")
            return next((line.strip()[:300] for line in reversed(lines) if line.strip()), "nothing in its log")
        return "no log"

    # --- starting ---

    def _reserve_port(self) -> int:
        # Held, without listening, for as long as the attempt runs: nobody is given it as a free one. Rank 0's store may
        # bind it all the same, as it asks for SO_REUSEADDR; so do all stores of torch.
        self._port.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._port.bind(("127.0.0.1", 0))
        return int(self._port.getsockname()[1])

    def _start(self, rank: int, port: int) -> None:
        log = self.log_path(rank).open("ab", buffering=0)
        command = (str(self._job.python), *self._job.command)
        try:
            process = subprocess.Popen(
                (sys.executable, "-I", "-S", str(_WORKER_START), str(os.getpid()), *command),
                cwd=self._job.program_folder,
                env=self._environment(rank, port),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,
            )
        except OSError as error:
            log.close()
            raise TrainingFailed(
                f"worker cannot be started: {error.strerror}", where=str(self._job.program_folder)
            ) from error
        worker = _Worker(rank, process, log)
        os.set_blocking(worker.stdout.fileno(), False)
        self._selector.register(worker.stdout, selectors.EVENT_READ, worker)
        self._workers.append(worker)

    def _environment(self, rank: int, port: int) -> dict[str, str]:
        inherited = {
            name: value
            for name, value in os.environ.items()
            if name not in _CONTRACT and not name.startswith("TORCHELASTIC_")
        }
        if self._job.num_workers > 1:
            # As torchrun does: w workers with a thread for every core each would stand in each other's way.
            inherited.setdefault("OMP_NUM_THREADS", "1")
        # gloo looks its address up by the machine's name, which in a box without a network leads nowhere.
        inherited.setdefault("GLOO_SOCKET_IFNAME", "lo")
        return {
            **inherited,
            "PYTHONUNBUFFERED": "1",
            **self._job.environment,
            "RANK": str(rank),
            "LOCAL_RANK": str(rank),
            "WORLD_SIZE": str(self._job.num_workers),
            "LOCAL_WORLD_SIZE": str(self._job.num_workers),
            "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": str(port),
            "PACKTRAIN_DONE": str(self._done_mark),
        }

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

    def _set_lost(self, worker: _Worker) -> None:
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
            self._cut_logs()
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
            worker: _Worker = key.data
            self._read_worker(worker)

    def _read_worker(self, worker: _Worker) -> bool:
        """Take what is in the pipe; return whether there was anything."""
        try:
            piece = os.read(worker.stdout.fileno(), _MAX_LINE_BYTES)
        except BlockingIOError:
            return False
        if not piece:
            self._selector.unregister(worker.stdout)
            self._take_line(worker, worker.rest)
            worker.rest = b""
            return False
        *lines, worker.rest = (worker.rest + piece).split(b"\n")
        for line in lines:
            self._take_line(worker, line + b"\n")
        if len(worker.rest) > _MAX_LINE_BYTES:
            self._take_line(worker, worker.rest)
            worker.rest = b""
        return True

    def _take_line(self, worker: _Worker, line: bytes) -> None:
        step = _parse_step(line) if worker.rank == 0 else None
        if step is None:
            if line:
                worker.log.write(line)
            return
        self._last_progress = time.monotonic()
        number, loss, num_samples = step
        elapsed_seconds = self._last_progress - self._run_started
        self._steps.append(StepRecord(self._number, number, loss, num_samples, elapsed_seconds))
        self._sink(TrainingStep(self._number, number, loss, num_samples))

    def _cut_logs(self) -> None:
        """Begin a log that is too long anew; what it held, and no more, stays beside it as `….log.1`.

        Workers append to it themselves: what one writes between copy and cut is lost.
        """
        for worker in self._workers:
            if os.fstat(worker.log.fileno()).st_size > _MOST_LOG_BYTES:
                path = self.log_path(worker.rank)
                with contextlib.suppress(OSError):  # on a full disk it is the cut that helps
                    shutil.copyfile(path, path.with_name(f"{path.name}.1"))
                os.ftruncate(worker.log.fileno(), 0)

    # --- ending ---

    def _ask_to_stop(self) -> None:
        """SIGTERM to all that live, and up to `grace_seconds` for them to save and end."""
        for worker in self._workers:
            if worker.look() is None:
                # Not Popen.send_signal: it reaps a worker that has just ended, and nobody could look at it any more.
                os.kill(worker.process.pid, signal.SIGTERM)
        deadline = time.monotonic() + self._job.grace_seconds
        while any(worker.look() is None for worker in self._workers) and time.monotonic() < deadline:
            self._read(_POLL_SECONDS)

    def _end(self) -> None:
        """Kill every process group, read what is left in the pipes, reap."""
        for worker in self._workers:
            # Before reaping: while the leader is a zombie its group id cannot belong to anybody else.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(worker.process.pid, signal.SIGKILL)
        _kill_all_with(f"PACKTRAIN_DONE={self._done_mark}".encode())
        for worker in self._workers:
            with contextlib.suppress(subprocess.TimeoutExpired):
                worker.process.wait(_KILL_WAIT_SECONDS)
            # Counted: a process that escaped and writes without end is no reason to read without end.
            for _ in range(_PIPE_PIECES):
                if worker.stdout not in self._selector.get_map() or not self._read_worker(worker):
                    break
            self._take_line(worker, worker.rest)
            worker.stdout.close()
            worker.log.close()
        self._selector.close()
        self._port.close()


def _kill_all_with(variable: bytes) -> None:
    """Kill every process that was started with this variable: daemons of a worker, which left its process group.

    One that also wiped its environment, or that of another user, is not found.
    """
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            with contextlib.suppress(OSError):
                process = os.pidfd_open(int(entry.name))  # by descriptor: the number could pass to another process
                try:
                    if variable in (entry / "environ").read_bytes().split(b"\0"):
                        signal.pidfd_send_signal(process, signal.SIGKILL)
                finally:
                    os.close(process)


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


def _last_attempt(log_folder: Path) -> int:
    matches = (_LOG_NAME.fullmatch(path.name) for path in log_folder.iterdir())
    return max((int(match.group(1)) for match in matches if match), default=0)


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


@contextlib.contextmanager
def _sigterm_is_interrupt() -> Iterator[None]:
    """Make SIGTERM to packtrain end the workers in the same way as Ctrl-C does."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    previous = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)
