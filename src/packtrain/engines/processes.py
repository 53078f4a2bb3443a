"""The local engine of `prepare`: jobs over processes of this machine. One that dies takes no other job with it."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import socket
import sys
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from importlib.abc import MetaPathFinder
from typing import Final, Self, TypeVar

from packtrain.errors import WorkerCrashed
from packtrain.ports import LostHost

J = TypeVar("J")
R = TypeVar("R")

_JOBS_AHEAD: Final = 2  # a worker, so that none waits for the next job; more would only hold memory
NO_TELEMETRY: Final = {"DO_NOT_TRACK": "1", "HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
"""No library of ours reports home; these are for what a library might begin to do."""
_DIE_WITH_PARENT: Final = 1  # PR_SET_PDEATHSIG of <linux/prctl.h>
_CHANCES: Final = 3  # of a job whose process dies while it runs alone, without a source to blame


class ProcessMapper:
    """Maps jobs over processes of this machine. See `ports.JobMapper`.

    Processes that ended one map well are kept for the next: to start one and import what reads a table costs half a
    second. Call `close` when no map follows, or use it as a context.

    Args:
        num_workers: processes; 0 runs every job in this one.
    """

    name = "local"

    def __init__(self, num_workers: int) -> None:
        self._num_workers = num_workers
        self._held: ProcessPoolExecutor | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the processes; a later map starts new ones."""
        if self._held is not None:
            self._held.shutdown(wait=True, cancel_futures=True)
            self._held = None

    def map(
        self,
        run: Callable[[J], R],
        jobs: Iterable[J],
        after_crash: Callable[[J], J | None] = lambda job: None,
    ) -> Generator[tuple[J, R]]:
        """Yield each job with its result, as they end.

        Raises:
            WorkerCrashed: a job ended its process again and again.
        """
        if self._num_workers == 0:
            for job in jobs:
                yield job, run(job)
            return
        waiting = iter(jobs)
        while True:
            lost: list[J] = []
            pool, self._held = self._held or _new_pool(self._num_workers), None
            try:
                yield from _run_until_a_crash(run, waiting, self._num_workers, pool, lost)
                if not lost:
                    self._held = pool
                    return
            finally:
                # Kept after a whole map alone: after an error some may still be at work, after a crash they are gone.
                if self._held is None:
                    pool.shutdown(wait=True, cancel_futures=True)
            # Which of them killed the process is not told: each is tried alone.
            for job in lost:
                yield _alone(run, job, after_crash)

    def hosts(self) -> tuple[str, ...]:
        """Return this machine's name."""
        return (socket.gethostname(),)

    def map_bound(self, run: Callable[[J], R], jobs: Iterable[tuple[str, J]]) -> Generator[tuple[str, J, R | LostHost]]:
        """Yield each job with its result; one of another machine with `LostHost`."""
        for host, job in jobs:
            if host not in self.hosts():
                yield host, job, LostHost(host, "it is not this machine")
                continue
            try:
                [(_, result)] = self.map(run, [job])
            except WorkerCrashed as error:
                yield host, job, LostHost(host, error.what)
            else:
                yield host, job, result


def _run_until_a_crash(
    run: Callable[[J], R], waiting: Iterator[J], num_workers: int, pool: ProcessPoolExecutor, lost: list[J]
) -> Iterator[tuple[J, R]]:
    running: dict[Future[R], J] = {}
    more = True
    while more or running:
        while more and not lost and len(running) < _JOBS_AHEAD * num_workers:
            try:
                job = next(waiting)
            except StopIteration:
                more = False
                break
            try:
                running[pool.submit(run, job)] = job
            except BrokenProcessPool:
                lost.append(job)
        done, _ = wait(running, return_when=FIRST_COMPLETED)
        for future in done:
            job = running.pop(future)
            try:
                result = future.result()
            except BrokenProcessPool:
                lost.append(job)
                continue
            yield job, result
        if lost and not running:
            return


def _alone(run: Callable[[J], R], job: J, after_crash: Callable[[J], J | None]) -> tuple[J, R]:
    chances = _CHANCES
    while True:
        try:
            with _new_pool(1) as pool:
                return job, pool.submit(run, job).result()
        except BrokenProcessPool as error:
            changed = after_crash(job)
            if changed is None:
                chances -= 1
                if chances == 0:
                    raise WorkerCrashed(
                        "a worker process ended without a word, three times at the same work",
                        hint="usually the machine was out of memory: give --workers a smaller number",
                    ) from error
            else:
                job = changed


def _new_pool(num_workers: int) -> ProcessPoolExecutor:
    # spawn: a fork of a process with threads (pyarrow, duckdb) can hang in a lock that nobody will release.
    return ProcessPoolExecutor(
        num_workers,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_begin,
        initargs=(os.getpid(),),
    )


def _begin(parent: int) -> None:
    """Make this worker end with its parent, and at once at Ctrl-C."""
    # An orphan would go on writing units beside those of the next run.
    ctypes.CDLL(None, use_errno=True).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.environ.update(NO_TELEMETRY)
    sys.meta_path.insert(0, _WithoutPandas())


class _WithoutPandas(MetaPathFinder):
    """Says that there is no pandas.

    pyarrow imports it where it is installed, to know its types when it sees one: 50 MiB a process, and nothing that
    reads sources makes any.
    """

    def find_spec(self, fullname: str, path: object = None, target: object = None) -> None:
        """Refuse pandas, and leave all else to the others."""
        if fullname == "pandas":
            raise ModuleNotFoundError("left out of worker processes", name=fullname)
