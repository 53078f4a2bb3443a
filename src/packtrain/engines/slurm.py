"""The Slurm engine of `prepare`: jobs in lots, a lot a task of a job array, told of by files in the shared folder."""

from __future__ import annotations

import contextlib
import logging
import shlex
import shutil
import sys
import time
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

from packtrain.engines.job_lots import Listener, Told, jobs_of_lot, read_records, write_lot, write_records
from packtrain.engines.shared_folders import SharedFolders, is_host_name
from packtrain.engines.slurm_arguments import require_usable
from packtrain.engines.slurm_commands import (
    ENDED,
    POLLS_ENDED,
    SILENT_SECONDS,
    call,
    last_line,
    require_commands,
    submit,
)
from packtrain.errors import ClusterUnreachable, HostUnfit, WorkerCrashed
from packtrain.events import Notice, Sink
from packtrain.ports import LostHost
from packtrain.units import counted

J = TypeVar("J")
R = TypeVar("R")

_COMMANDS: Final = ("sbatch", "squeue", "scancel", "sinfo")
# An array has at most MaxArraySize tasks, by default 1001; a lot is what one task does: long enough to be worth its
# start of a second or two, and what is handed out again when it is lost is only what it has not done.
_MOST_TASKS: Final = 1000
_JOBS_A_LOT: Final = 64
_LOTS_A_WORKER: Final = 4  # so that none is idle long at the end
_WORKERS_GUESSED: Final = 64  # where nobody says how many tasks run at once
_CHANCES: Final = 3  # to be handed out again, of a lot that gets no further
_POLL_SECONDS: Final = 2.0
_UP: Final = frozenset(("idle", "mixed", "allocated", "completing"))
_JOB_IDS: Final = "arrays.txt"

_log = logging.getLogger(__name__)


@contextlib.contextmanager
def open_slurm(
    place: Path,
    arguments: Sequence[str],
    num_workers: int | None,
    shared: SharedFolders,
    sink: Sink,
    stage: str = "prepare",
    when_unfit: Callable[[HostUnfit], None] | None = None,
) -> Iterator[SlurmMapper]:
    """Yield a mapper that submits job arrays; those of a run that was killed are cancelled first.

    Args:
        place: folder for lots and logs, below the voyage folder. What lies in it is removed.
        arguments: more options for `sbatch`.
        num_workers: how many tasks run at once (default: as Slurm sees fit).
        shared: what every host must see and have.
        sink: takes what is told of arrays.
        stage: the verb that it is told of.
        when_unfit: takes each host that a bound job found unfit, which then counts as lost; nothing is raised for it.

    Raises:
        VoyageFileError: `arguments` would take the arrays out of our hands.
        MissingDependency: Slurm's commands are not here.
        ClusterUnreachable: its controller does not answer.
    """
    require_usable(arguments, _setting_of(stage))
    require_commands(_COMMANDS)
    mapper = SlurmMapper(place, arguments, num_workers, shared, sink, stage, when_unfit)
    mapper.cancel_left()
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True, mode=0o700)
    try:
        yield mapper
    except BaseException:
        mapper.cancel_left()
        raise
    shutil.rmtree(place, ignore_errors=True)


class _Task:
    """One task of an array: how many jobs it has, and what it has told of them."""

    def __init__(self, folder: Path, number: int, num_jobs: int) -> None:
        self.number = number
        self.is_done: list[bool] = [False] * num_jobs
        self.begun = -1
        self.num_chances = _CHANCES + 1
        self.num_crashes = 0
        self.polls_ended = 0
        self.state = ""
        self.folder = folder
        self.listener = Listener(folder, number)

    @property
    def has_more(self) -> bool:
        """Return whether a job is not done."""
        return not all(self.is_done)

    @property
    def stopped_at(self) -> int | None:
        """Return the job that has begun and not ended."""
        return self.begun if self.begun >= 0 and not self.is_done[self.begun] else None

    def jobs(self, places: Sequence[int]) -> Iterator[Any]:
        """Yield the jobs at these places of its lot, which must be in order; no more of it is read than they need."""
        wanted = set(places)
        jobs = islice(jobs_of_lot(self.folder, self.number), places[-1] + 1 if places else 0)
        return (job for place, job in enumerate(jobs) if place in wanted)

    def take_news(self) -> list[Told]:
        """Return what it has told of jobs that ended; note it.

        Raises:
            BaseException: the error that it told.
        """
        ended: list[Told] = []
        for told in self.listener.news():
            if told.error is not None:
                raise told.error
            self.begun = told.place
            if told.has_ended:
                self.is_done[told.place] = True
                self.num_chances = _CHANCES + 1
                ended.append(told)
        return ended


@dataclass(slots=True)
class _Bound(Generic[J]):
    """A job that only one host can do, and the array of one task that does it."""

    host: str
    job: J
    task: _Task
    array: str


class SlurmMapper:
    """Maps jobs over the hosts of a Slurm cluster. See `ports.JobMapper`."""

    name = "slurm"

    def __init__(
        self,
        place: Path,
        arguments: Sequence[str],
        num_workers: int | None,
        shared: SharedFolders,
        sink: Sink,
        stage: str = "prepare",
        when_unfit: Callable[[HostUnfit], None] | None = None,
    ) -> None:
        self._place = place
        self._arguments = tuple(arguments)
        self._num_workers = num_workers
        self._shared = shared
        self._sink = sink
        self._stage = stage
        self._when_unfit = when_unfit
        self._num_arrays = 0
        self._answered = time.monotonic()

    def map(
        self,
        run: Callable[[J], R],
        jobs: Iterable[J],
        after_crash: Callable[[J], J | None] = lambda job: None,
    ) -> Generator[tuple[J, R]]:
        """Yield each job with its result, as they are told.

        Raises:
            WorkerCrashed: a task ended again and again without having got any further.
            ClusterUnreachable: Slurm refuses an array, or does not answer any more.
            HostUnfit: a host that a task was put on is not fit.
        """
        waiting = iter(jobs)
        # A million jobs are some arrays, one after the other. They lie in files: of none more than a lot is in memory.
        while True:
            folder = self._place / f"{self._num_arrays:04d}"
            folder.mkdir(exist_ok=True)
            num_jobs = write_records(folder / "jobs", islice(waiting, _MOST_TASKS * _JOBS_A_LOT))
            if num_jobs == 0:
                return
            yield from self._map_some(run, folder, num_jobs, after_crash)
            shutil.rmtree(folder, ignore_errors=True)

    def _map_some(
        self, run: Callable[[J], R], folder: Path, num_jobs: int, after_crash: Callable[[J], J | None]
    ) -> Generator[tuple[J, R]]:
        jobs = read_records(folder / "jobs")
        num_tasks = min(num_jobs, self._num_tasks(num_jobs))
        tasks: list[_Task] = []
        for number in range(num_tasks):
            size = num_jobs * (number + 1) // num_tasks - num_jobs * number // num_tasks
            tasks.append(_Task(folder, number, write_lot(folder, number, run, islice(jobs, size), self._shared)))
        while tasks:
            array = self._submit(folder, tasks)
            left = tasks
            while left:
                time.sleep(_POLL_SECONDS)
                states = self._states_of(array)
                for task in left:
                    ended = task.take_news()
                    for told, job in zip(ended, task.jobs([told.place for told in ended]), strict=True):
                        yield job, told.result
                    task.state = states.get(task.number, task.state) if states is not None else "RUNNING"
                    has_ended = states is not None and (task.number not in states or task.state in ENDED)
                    task.polls_ended = task.polls_ended + 1 if has_ended else 0
                # Asked twice: what a task told last may arrive after the word that it has ended.
                left = [task for task in left if task.has_more and task.polls_ended < POLLS_ENDED]
            tasks = [self._again(run, task, after_crash) for task in tasks if task.has_more]

    def hosts(self) -> tuple[str, ...]:
        """Return the names of the nodes that are up, of the partition that the arguments name if they name one.

        Raises:
            ClusterUnreachable: Slurm does not say.
        """
        return tuple(sorted(states_of_nodes(self._arguments)))

    def map_bound(self, run: Callable[[J], R], jobs: Iterable[tuple[str, J]]) -> Generator[tuple[str, J, R | LostHost]]:
        """Yield each job with its host and result, as they are told; see `ports.JobMapper`."""
        bound: list[_Bound[J]] = []
        for host, job in jobs:
            folder = self._place / f"{self._num_arrays:04d}"
            folder.mkdir(exist_ok=True)
            write_lot(folder, 0, run, [job], self._shared)
            task = _Task(folder, 0, 1)
            bound.append(_Bound(host, job, task, self._submit(folder, [task], host)))
        while bound:
            time.sleep(_POLL_SECONDS)
            up, why_not = _nodes_up(self._arguments)
            if up is None and time.monotonic() > self._answered + SILENT_SECONDS:
                raise _no_nodes(why_not)
            for each in list(bound):
                try:
                    ended = each.task.take_news()
                except HostUnfit as error:
                    if self._when_unfit is None:
                        raise
                    # Under the name by which Slurm knows it: its own may be another.
                    self._when_unfit(_named(error, each.host))
                    bound.remove(each)
                    yield each.host, each.job, LostHost(each.host, error.message)
                    continue
                # A controller that is restarted says nothing for a while; jobs run on, and tell what they have done.
                why = "" if ended or up is None else self._why_lost(each, up, run)
                if ended or why:
                    bound.remove(each)
                    if not ended and each.task.state == "FAILED" and self._when_unfit is not None:
                        self._when_unfit(_silent(each.host, self._shared))
                    shutil.rmtree(each.task.folder, ignore_errors=True)
                    yield each.host, each.job, ended[0].result if ended else LostHost(each.host, why)

    def _why_lost(self, each: _Bound[Any], up: Collection[str], run: Callable[[Any], Any]) -> str:
        """Return why a bound job gives no result any more, "" if it may; one that died is submitted once more."""
        states = self._states_of(each.array)
        if states is None:
            return ""
        task = each.task
        task.state = states.get(0, task.state)
        if task.state == "PENDING" and each.host not in up:
            call(["scancel", each.array])
            return "its node is not up"
        task.polls_ended = task.polls_ended + 1 if 0 not in states or task.state in ENDED else 0
        if task.polls_ended < POLLS_ENDED:
            return ""
        if task.state == "FAILED" and task.num_crashes == 0 and each.host in up:
            write_lot(task.folder, 0, run, [each.job], self._shared)
            each.task = _Task(task.folder, 0, 1)
            each.task.num_crashes = 1
            each.array = self._submit(task.folder, [each.task], each.host)
            return ""
        return f"its task ended early ({task.state.lower().replace('_', ' ') or 'not known why'})"

    def _num_tasks(self, num_jobs: int) -> int:
        wanted = _LOTS_A_WORKER * (self._num_workers or _WORKERS_GUESSED)
        return min(max(wanted, -(-num_jobs // _JOBS_A_LOT)), _MOST_TASKS)

    def _again(self, run: Callable[[J], R], task: _Task, after_crash: Callable[[J], J | None]) -> _Task:
        """Return the task that does what one has left when it ended before its time."""
        chances = task.num_chances - 1
        if chances == 0:
            raise WorkerCrashed(
                "a task of the array ended without a word, again and again at the same work",
                where=str(task.folder / "log"),
                hint="its log says why, perhaps that it ran out of memory or time: ask for more in slurm_arguments",
            )
        places = [place for place, is_done in enumerate(task.is_done) if not is_done]
        first: list[J] = []
        num_crashes = 0
        if (stopped_at := task.stopped_at) is not None:
            places.remove(stopped_at)
            [job] = task.jobs([stopped_at])
            # The first end may come from outside. Any other state than this one certainly did: a limit of time or of
            # memory, a host that was taken away.
            num_crashes = (task.num_crashes if stopped_at == 0 else 0) + (task.state == "FAILED")
            changed = after_crash(job) if num_crashes > 1 else None
            if changed is not None:
                job, chances, num_crashes = changed, _CHANCES + 1, 1
            first.append(job)  # first, so that it is known again as the one that a task stops at
        num_jobs = write_lot(task.folder, task.number, run, chain(first, task.jobs(places)), self._shared)
        following = _Task(task.folder, task.number, num_jobs)
        following.num_chances, following.num_crashes = chances, num_crashes
        why = task.state.lower().replace("_", " ") or "not known why"
        text = f"task {task.number} of the array ended early ({why}): what it left is handed out again"
        self._sink(Notice(self._stage, text, is_warning=True))
        return following

    # --- Slurm's commands

    def _submit(self, folder: Path, tasks: Sequence[_Task], on: str = "") -> str:
        """Submit an array for these tasks, bound to one host if one is named; return its job id."""
        (folder / "log").mkdir(exist_ok=True)
        at_once = f"%{self._num_workers}" if self._num_workers else ""
        script = folder / "task.sh"
        script.write_text(_SCRIPT.format(python=shlex.quote(sys.executable), folder=shlex.quote(str(folder))))
        numbers = _ranges(task.number for task in tasks)
        usual = ["--ntasks=1", f"--output={str(folder / 'log').replace('%', '%%')}/%A_%a.txt"]
        # Slurm knows no task that was begun twice: what a lost one has left is handed out here.
        ours = [f"--array={numbers}{at_once}", f"--job-name=packtrain-{self._stage}", "--no-requeue"]
        bound = [f"--nodelist={on}"] if on else []
        done = submit([*usual, *self._arguments, *ours, *bound], script)
        if done.returncode != 0:
            raise ClusterUnreachable(
                f"Slurm refuses the array: {last_line(done.stderr)}",
                hint=f"look at {_setting_of(self._stage)} slurm_arguments in voyage.toml",
            )
        array = done.stdout.strip().partition(";")[0]
        with (self._place / _JOB_IDS).open("a") as stream:
            stream.write(f"{array}\n")
        self._num_arrays += 1
        self._answered = time.monotonic()
        num_jobs = sum(len(task.is_done) for task in tasks)
        text = f"job array {array}: {counted(len(tasks), 'task')} for {counted(num_jobs, 'job')}"
        self._sink(Notice(self._stage, text))
        return array

    def _states_of(self, array: str) -> dict[int, str] | None:
        """Return the states of an array's tasks; those that ended some minutes ago are not in it. None: no answer."""
        done = call(["squeue", "--noheader", "--array", "--states=all", f"--jobs={array}", "--format=%K %T"])
        if done.returncode == 0:
            self._answered = time.monotonic()
            lines = (line.split() for line in done.stdout.splitlines())
            return {int(words[0]): words[1] for words in lines if len(words) == 2 and words[0].isdigit()}
        if "Invalid job id" in done.stderr:
            self._answered = time.monotonic()
            return {}
        _log.debug("squeue: %s", done.stderr)
        if time.monotonic() > self._answered + SILENT_SECONDS:
            raise ClusterUnreachable(
                f"Slurm does not answer: {last_line(done.stderr)}",
                hint="when it does again, run the same command: what is done is kept",
            )
        return None

    def cancel_left(self) -> None:
        """Cancel the arrays of this place that are still there."""
        try:
            arrays = (self._place / _JOB_IDS).read_text().split()
        except OSError:
            return
        if arrays:
            call(["scancel", *arrays])


_SCRIPT: Final = """#!/bin/sh
exec {python} -m packtrain run-units {folder} "$SLURM_ARRAY_TASK_ID"
"""


def _setting_of(stage: str) -> str:
    return "[prepare]" if stage == "prepare" else "[site]"


def states_of_nodes(arguments: Sequence[str]) -> Mapping[str, str]:
    """Return the nodes that are up, of those that these options for `sbatch` name, with their states.

    Raises:
        ClusterUnreachable: Slurm does not say.
    """
    up, why = _nodes_up(arguments)
    if up is None:
        raise _no_nodes(why)
    return up


def _nodes_up(arguments: Sequence[str]) -> tuple[Mapping[str, str] | None, str]:
    """Return the nodes that are up and their states; or None, and why Slurm does not say."""
    done = call(["sinfo", "--noheader", "--Node", "--format=%N %T", *_nodes_meant(arguments)])
    if done.returncode != 0:
        return None, last_line(done.stderr)
    lines = (line.split() for line in done.stdout.splitlines())
    # Its name is part of paths, and of options of `sbatch`.
    named = (words for words in lines if len(words) == 2 and is_host_name(words[0]))
    return {name: state for name, state in named if state in _UP}, ""


def _named(error: HostUnfit, host: str) -> HostUnfit:
    return HostUnfit(error.what, where=host, expected=error.expected, found=error.found, hint=error.hint)


def _silent(host: str, shared: SharedFolders) -> HostUnfit:
    """Return what a host is at fault with whose tasks end at once: where they see no folder they can tell nothing."""
    return HostUnfit(
        "tasks end on this host without a word",
        where=host,
        expected=f"it sees {shared.probe.parents[2]}, and runs {sys.executable}",
        found="state FAILED, twice",
        hint="mount the voyage folder on every node at the same path, and have packtrain on it at the same path too; "
        "slurmd.log of the node says more",
    )


def _no_nodes(why: str) -> ClusterUnreachable:
    return ClusterUnreachable(
        f"Slurm does not say which nodes there are: {why}",
        hint="when it does again, run the same command: what is done is kept",
    )


def _nodes_meant(arguments: Sequence[str]) -> list[str]:
    """Return the options for `sinfo` that name partition and nodes as these options for `sbatch` do, the last ones."""
    options: list[str] = []
    for short, long, asked in (("-p", "--partition", "--partition"), ("-w", "--nodelist", "--nodes")):
        found = ""
        for place, word in enumerate(arguments):
            if word in (short, long):
                found = arguments[place + 1] if place + 1 < len(arguments) else ""
            elif word.startswith((short, f"{long}=")):
                found = word.removeprefix(f"{long}=").removeprefix(short)
        options += [f"{asked}={found}"] if found else []
    return options


def _ranges(numbers: Iterable[int]) -> str:
    """Return rising numbers as Slurm spells runs of them: a list of a thousand is too long for it."""
    found: list[list[int]] = []
    for number in numbers:
        if found and number == found[-1][1] + 1:
            found[-1][1] = number
        else:
            found.append([number, number])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in found)
