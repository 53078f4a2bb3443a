"""The workers of one host in one attempt: started, read and watched in one thread, ended all together.

It decides nothing: attempt.py does, over the crews of all hosts. It is the same class in this process, in an actor of
Ray and in a task of Slurm.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import socket
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

from packtrain.engines.worker import Rendezvous, Worker, kill_daemons, last_words
from packtrain.ports import TrainingJob

MOST_LOG_BYTES: Final = 64 << 20  # of one worker; twice that lies on the disk, see `Worker.cut_log`
_ENDING_POLL_SECONDS: Final = 0.005
_CHECKPOINT_POLL_SECONDS: Final = 5.0
_MOST_COUNT: Final = 2**53  # what a double, and so every reader of JSON, tells from its neighbours


@dataclass(frozen=True, slots=True)
class CrewOrder:
    """What one host does in one attempt.

    Attributes:
        job: what to run; its folders as this host sees them, `num_workers` those of this host.
        attempt: its number.
        first_rank: of this host's workers.
        world_size: workers on all hosts.
        master_address, master_port: where rank 0 opens its store.
        interface: the network interface that gloo and NCCL are pointed at.
    """

    job: TrainingJob
    attempt: int
    master_port: int
    world_size: int
    first_rank: int = 0
    master_address: str = "127.0.0.1"
    interface: str = "lo"

    @property
    def done_mark(self) -> Path:
        """Return the file by which the program tells that the work is done: one a host, or a host would hunt another's
        workers by it (`kill_daemons`)."""
        part = f"-from-{self.first_rank}" if self.first_rank else ""
        return self.job.log_folder / f"attempt-{self.attempt}{part}.done"

    def log_path(self, rank: int) -> Path:
        """Return where the output of a worker goes."""
        return self.job.log_folder / f"attempt-{self.attempt}-rank-{rank}.log"


@dataclass(frozen=True, slots=True)
class CrewStep:
    """A step line of rank 0, and how long ago it was read."""

    step: int
    loss: float | None
    num_samples: int | None
    ago_seconds: float


@dataclass(frozen=True, slots=True)
class CrewNews:
    """What a crew tells when it is asked.

    Attributes:
        first_rank: whose news these are.
        pids: in rank order; () until all are started.
        steps: since it was asked last.
        exit_codes: in rank order: minus the signal for a worker that was killed, None for one that runs.
        is_marked_done: the program has made its done-mark here.
        num_saves: how often the checkpoint folder was seen to have changed.
        words: the last words of each worker, once all are ended.
        is_ended: nothing of the crew runs any more.
        lost: why this host no longer takes part, in words that may go home; "" while it does.
        detail: more of it, for people on the site.
    """

    first_rank: int
    pids: tuple[int, ...] = ()
    steps: tuple[CrewStep, ...] = ()
    exit_codes: tuple[int | None, ...] = ()
    is_marked_done: bool = False
    num_saves: int = 0
    words: tuple[str, ...] = ()
    is_ended: bool = False
    lost: str = ""
    detail: str = ""


MISFIT: Final = "what it told does not fit its workers"
"""Why a host is lost whose news `misfit` refuses; more of it stays on the site."""


def misfit(news: CrewNews, first_rank: int, num_workers: int) -> str:
    """Return in what news are not those of the crew that was asked for; "" where they are.

    Another host wrote them: with a rank that is not its own it would overwrite what others told.

    Args:
        news: as they came.
        first_rank, num_workers: of that host's workers.
    """
    if news.first_rank != first_rank:
        return f"first rank {news.first_rank}, where its own is {first_rank}"
    if len(news.pids) not in (0, num_workers):
        return f"{len(news.pids)} process ids of {num_workers}"
    for what, told in (("exit codes", news.exit_codes), ("last words", news.words)):
        if len(told) > num_workers:
            return f"{len(told)} {what} of {num_workers}"
    return f"step lines of rank {first_rank}" if news.steps and first_rank else ""


class ReservedPort:
    """A free port of an address, held for as long as an attempt runs, so that nobody is given it as a free one.

    It is bound without listening: rank 0's store may bind it all the same, as it asks for SO_REUSEADDR; so do all
    stores of torch.
    """

    def __init__(self, address: str) -> None:
        self._socket = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind((address, 0))
        self.number = int(self._socket.getsockname()[1])

    def close(self) -> None:
        """Let others have it."""
        self._socket.close()


class Crew:
    """One host's workers in one attempt. Nothing of it runs on after `end`, which may be called at any time.

    Args:
        order: what to do.
    """

    def __init__(self, order: CrewOrder) -> None:
        self.order = order
        self._workers: list[Worker] = []
        self._selector = selectors.DefaultSelector()
        self._steps: list[tuple[float, int, float | None, int | None]] = []
        self._pids: tuple[int, ...] = ()
        self._words: tuple[str, ...] = ()
        self._checkpoint_state: object = None
        self._checkpoint_looked = 0.0
        self._num_saves = 0
        self._is_ended = False

    def start(self) -> None:
        """Start the workers.

        Raises:
            TrainingFailed: one cannot be started; `end` ends the others.
        """
        order = self.order
        # One of this number can lie there where somebody cleared logs away: it is no word of this attempt.
        order.done_mark.unlink(missing_ok=True)
        for local_rank in range(order.job.num_workers):
            rank = order.first_rank + local_rank
            place = Rendezvous(
                rank, local_rank, order.world_size, order.master_address, order.master_port, order.interface
            )
            worker = Worker(order.job, place, order.done_mark, order.log_path(rank))
            self._workers.append(worker)
            self._selector.register(worker.stdout, selectors.EVENT_READ, worker)
        self._pids = tuple(worker.pid for worker in self._workers)

    def news(self, timeout_seconds: float) -> CrewNews:
        """Return what happened since the last call, after at most `timeout_seconds` of waiting for output."""
        if not self._is_ended:
            self._read(timeout_seconds)
            self._look_at_checkpoints()
        now = time.monotonic()
        steps = tuple(CrewStep(step, loss, samples, now - at) for at, step, loss, samples in self._steps)
        self._steps.clear()
        return CrewNews(
            self.order.first_rank,
            self._pids,
            steps,
            # Once ended they are reaped: what was seen before stands.
            tuple(worker.exit_code if self._is_ended else worker.look() for worker in self._workers),
            self.order.done_mark.exists(),
            self._num_saves,
            self._words,
            self._is_ended,
        )

    def ask_to_stop(self) -> None:
        """Send SIGTERM to all that live."""
        if not self._is_ended:
            for worker in self._workers:
                worker.ask_to_stop()

    def end(self) -> None:
        """Kill every process group and daemon, read what is left in the pipes, reap."""
        if self._is_ended:
            return
        for worker in self._workers:
            worker.look()
            worker.kill_group()
        kill_daemons(self.order.done_mark)
        for worker in self._workers:
            worker.reap()
            self._take(worker, worker.read_left())
            worker.close()
        self._selector.close()
        self._words = tuple(last_words(self.order.log_path(worker.rank)) for worker in self._workers)
        self._is_ended = True

    def _look_at_checkpoints(self) -> None:
        job, now = self.order.job, time.monotonic()
        if now - self._checkpoint_looked <= min(_CHECKPOINT_POLL_SECONDS, job.stall_seconds / 4):
            return
        # Step lines are optional in the contract: a program without them shows its progress by saving.
        self._checkpoint_looked = now
        for worker in self._workers:
            worker.cut_log(MOST_LOG_BYTES)
        state = _newest_change(job.checkpoints)
        self._num_saves += self._checkpoint_state not in (None, state)
        self._checkpoint_state = state

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
            else:
                self._steps.append((time.monotonic(), *step))


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
