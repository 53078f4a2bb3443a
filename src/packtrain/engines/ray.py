"""The Ray engine of `prepare`: jobs as core tasks over the hosts of a Ray cluster.

Ray only places tasks and tells when one is lost. It retries nothing and keeps no state of ours: a job whose worker or
host died is handed out again from here, since jobs are idempotent, and what was done is known from receipts.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from packtrain.engines.ray_cluster import ENVIRONMENT, joined, one_line
from packtrain.engines.shared_folders import SharedFolders, require_fit, require_mark
from packtrain.errors import ClusterUnreachable, HostUnfit, WorkerCrashed
from packtrain.events import Notice, Sink
from packtrain.ports import LostHost
from packtrain.units import counted

J = TypeVar("J")
R = TypeVar("R")

_JOBS_AHEAD: Final = 2  # a CPU of the cluster, so that none waits for the next job
_CHANCES: Final = 3  # of a job whose worker dies, without a source to blame
_HOSTS_A_JOB: Final = 5  # may be lost under one job; it is then taken for what brings them down
_LOOK_SECONDS: Final = 2.0  # between two looks at which hosts are there
_ANSWER_SECONDS: Final = 30.0  # for a host to say that it is there
_NO_HOST_SECONDS: Final = 120.0  # without a host that works, before we give up
_PROBE_SECONDS: Final = 120.0  # for a host to start a worker and look at its folders


@contextlib.contextmanager
def open_ray(
    address: str,
    num_workers: int | None,
    shared: SharedFolders,
    sink: Sink,
    stage: str = "prepare",
    when_unfit: Callable[[HostUnfit], None] | None = None,
) -> Iterator[RayMapper]:
    """Yield a mapper over a Ray cluster, every host of which was found fit.

    Args:
        address: HOST:PORT of the head; without it RAY_ADDRESS, and without that a Ray of this machine alone.
        num_workers: how many jobs run at once (default: one a CPU of the cluster).
        shared: what every host must see and have.
        sink: takes a warning for each host that is lost.
        stage: the verb that warnings name.
        when_unfit: takes each host that is unfit; it gets no job, and nothing is raised for it.

    Raises:
        MissingDependency: the extra `cluster` is not installed.
        VoyageFileError: the address is one of a Ray client.
        ClusterUnreachable: no cluster answers there, or it wants a token that is not here.
        HostUnfit: nobody takes it, and a host does not see the shared folders, or has other versions; it is named.
    """
    with joined(address, num_workers, sink, stage) as ray:
        mapper = RayMapper(ray, num_workers, shared, sink, stage, when_unfit)
        mapper.require_fit_hosts()
        yield mapper


@dataclass(slots=True)
class _Attempt(Generic[J]):
    """A job that is being done: where, how often its worker died, and how many hosts were lost under it."""

    job: J
    node: str = ""
    num_crashes: int = 0
    num_hosts_lost: int = 0


@dataclass(slots=True)
class _Host:
    """A host that takes jobs: its address, its CPUs, and how many jobs are with it."""

    address: str
    num_cpus: int
    num_jobs: int = 0

    @property
    def load(self) -> float:
        """Return the jobs a CPU."""
        return self.num_jobs / self.num_cpus


class RayMapper:
    """Maps jobs over the hosts of a Ray cluster. See `ports.JobMapper`.

    Each job is put on a host by us. When Ray says that a host is dead, a task that was there may hang for minutes more,
    until the connection to its worker is given up (2.60, five minutes and two): so such a task is not waited for.
    """

    name = "ray"

    def __init__(
        self,
        ray: Any,
        num_workers: int | None,
        shared: SharedFolders,
        sink: Sink,
        stage: str = "prepare",
        when_unfit: Callable[[HostUnfit], None] | None = None,
    ) -> None:
        self._ray = ray
        self._num_workers = num_workers
        self._shared = shared
        self._sink = sink
        self._stage = stage
        self._when_unfit = when_unfit
        # Once: each call of `remote` would leave a copy of the function with the head.
        self._do, self._probe, self._ask = (ray.remote(each) for each in (_do, _probe, _are_you_there))
        self._hosts: dict[str, _Host] = {}
        self._newcomers: dict[Any, tuple[str, _Host]] = {}
        self._known: set[str] = set()
        self._looked = float("-inf")
        # Not whether there are hosts: all may be lost for a while, and an unfit one that joins then is told like any.
        self._has_begun = False
        self._is_bound = False
        self._last_seen = time.monotonic()

    def require_fit_hosts(self) -> None:
        """Return if every host that would take jobs is fit.

        Raises:
            HostUnfit: one is not; the first is named.
            ClusterUnreachable: there is no host.
        """
        self._look()
        _, silent = self._ray.wait(list(self._newcomers), num_returns=len(self._newcomers), timeout=_PROBE_SECONDS)
        for probe in silent:
            _, host = self._newcomers.pop(probe)
            self._leave_out(
                HostUnfit("this host does not answer", where=host.address, expected=f"within {_PROBE_SECONDS:.0f} s")
            )
        self._welcome()
        if self._when_unfit is None:
            self._require_hosts()
        self._has_begun = True

    def map(
        self,
        run: Callable[[J], R],
        jobs: Iterable[J],
        after_crash: Callable[[J], J | None] = lambda job: None,
    ) -> Generator[tuple[J, R]]:
        """Yield each job with its result, as they end.

        Raises:
            WorkerCrashed: a job ended its worker again and again, or one host after the other.
            ClusterUnreachable: no host is left.
        """
        waiting = iter(jobs)
        again: deque[_Attempt[J]] = deque()
        running: dict[Any, _Attempt[J]] = {}
        try:
            while True:
                self._look_at_times()
                for task, attempt in list(running.items()):
                    if attempt.node not in self._hosts:
                        del running[task]
                        again.append(_after_lost_host(attempt))
                while (node := self._free_host(len(running))) is not None:
                    attempt = again.popleft() if again else _next(waiting)
                    if attempt is None:
                        break
                    attempt.node = node
                    self._hosts[node].num_jobs += 1
                    running[self._on(node, self._do, 1).remote(run, attempt.job)] = attempt
                if not running and not again:
                    return
                for task in self._ended(list(running)):
                    attempt = running.pop(task)
                    if attempt.node in self._hosts:
                        self._hosts[attempt.node].num_jobs -= 1
                    try:
                        result = self._ray.get(task)
                    except self._ray.exceptions.RayError as error:
                        again.append(self._after(error, attempt, after_crash))
                        continue
                    yield attempt.job, result
        finally:
            # What still runs ends with the command, when this driver leaves the cluster. To cancel it here would be
            # sooner by a moment, but a task that ends just then makes Ray end this process (2.60: a failed check).
            for host in self._hosts.values():
                host.num_jobs = 0

    def hosts(self) -> tuple[str, ...]:
        """Return the addresses of the hosts that take jobs."""
        self._look()
        self._welcome()
        return tuple(sorted(host.address for host in self._hosts.values()))

    def map_bound(self, run: Callable[[J], R], jobs: Iterable[tuple[str, J]]) -> Generator[tuple[str, J, R | LostHost]]:
        """Yield each job with its host and result, as they end; see `ports.JobMapper`."""
        running: dict[Any, tuple[str, _Attempt[J]]] = {}
        again: list[tuple[str, _Attempt[J]]] = [(host, _Attempt(job)) for host, job in jobs]
        self._is_bound = True
        try:
            while running or again:
                self._look_at_times()
                nodes = {host.address: node for node, host in self._hosts.items()}
                for address, attempt in again:
                    # A host that was lost and came back is another node; what ran on the first ended with it.
                    attempt.node = nodes.get(address, "")
                    if not attempt.node:
                        yield address, attempt.job, LostHost(address, "it is not there")
                        continue
                    running[self._on(attempt.node, self._do, 1).remote(run, attempt.job)] = address, attempt
                again = []
                for task, (address, attempt) in list(running.items()):
                    if attempt.node not in self._hosts:
                        del running[task]
                        yield address, attempt.job, LostHost(address, "it was lost on the way")
                for task in self._ended(list(running)) if running else ():
                    address, attempt = running.pop(task)
                    try:
                        result = self._ray.get(task)
                    except self._ray.exceptions.RayError as error:
                        why = self._why_lost(error, attempt)
                        if why:
                            yield address, attempt.job, LostHost(address, why)
                        else:
                            again.append((address, attempt))
                        continue
                    yield address, attempt.job, result
        finally:
            self._is_bound = False  # what still runs: as in `map`

    def _why_lost(self, error: Any, attempt: _Attempt[J]) -> str:
        """Return why a bound job cannot be done where it must be; "" if it is to be tried there once more."""
        failures = self._ray.exceptions
        if isinstance(error, failures.RayTaskError):
            raise error.cause from error
        if isinstance(error, failures.NodeDiedError | failures.ObjectLostError | failures.TaskUnschedulableError):
            return "it was lost on the way"
        if not isinstance(error, failures.WorkerCrashedError | failures.OutOfMemoryError):
            raise _lost_cluster(one_line(error)) from error
        if not self._answers(attempt.node):
            return "it was lost on the way"
        attempt.num_crashes += 1
        return "its process ended without a word, twice" if attempt.num_crashes > 1 else ""

    def _on(self, node: str, function: Any, num_cpus: int) -> Any:
        here = self._ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(node_id=node, soft=False)
        return function.options(num_cpus=num_cpus, max_retries=0, scheduling_strategy=here)

    def _free_host(self, num_running: int) -> str | None:
        """Return the host with most room for one more job, or None if there is no room."""
        if not self._hosts or (self._num_workers is not None and num_running >= self._num_workers):
            return None
        node = min(self._hosts, key=lambda node: self._hosts[node].load)
        return node if self._hosts[node].load < _JOBS_AHEAD else None

    def _ended(self, running: list[Any]) -> list[Any]:
        """Return the tasks that have ended, after a while perhaps none."""
        if not running:
            time.sleep(_LOOK_SECONDS)
            return []
        ended, rest = self._ray.wait(running, timeout=_LOOK_SECONDS)
        # All of them: to ask for one after the other would go through the whole list for each.
        return ended + (self._ray.wait(rest, num_returns=len(rest), timeout=0)[0] if ended and rest else [])

    def _after(self, error: Any, attempt: _Attempt[J], after_crash: Callable[[J], J | None]) -> _Attempt[J]:
        """Return what is tried after a task that gave no result; raise what is not mended by trying."""
        failures = self._ray.exceptions
        if isinstance(error, failures.RayTaskError):
            raise error.cause from error
        if isinstance(error, failures.NodeDiedError | failures.ObjectLostError | failures.TaskUnschedulableError):
            return _after_lost_host(attempt)
        if not isinstance(error, failures.WorkerCrashedError | failures.OutOfMemoryError):
            raise _lost_cluster(one_line(error)) from error
        if not self._answers(attempt.node):
            return _after_lost_host(attempt)
        attempt.num_crashes += 1
        # The first death may come from outside, and where memory is short from the work of others. And where a host was
        # lost under the job, which is perhaps still at it, nobody knows which of the two has said last what it reads.
        is_to_blame = attempt.num_crashes > 1 and not attempt.num_hosts_lost
        if isinstance(error, failures.OutOfMemoryError):
            is_to_blame = False
        changed = after_crash(attempt.job) if is_to_blame else None
        if changed is not None:
            return _Attempt(changed, num_crashes=1)
        if attempt.num_crashes > _CHANCES:
            raise WorkerCrashed(
                "a worker process ended without a word, again and again at the same work",
                hint="usually the host was out of memory: give Ray fewer CPUs there (--num-cpus)",
            ) from error
        return attempt

    def _answers(self, node: str) -> bool:
        """Return whether a host is still there, so that it was the worker alone that died."""
        asked = self._on(node, self._ask, 0).remote()
        ended, _ = self._ray.wait([asked], timeout=_ANSWER_SECONDS)
        try:
            return bool(ended) and self._ray.get(asked)
        except self._ray.exceptions.RayError:
            return False

    # --- which hosts there are

    def _look_at_times(self) -> None:
        if time.monotonic() > self._looked + _LOOK_SECONDS:
            self._look()
            self._welcome()

    def _look(self) -> None:
        """Look which hosts are there; tell which were lost, ask new ones what they see.

        Raises:
            ClusterUnreachable: none has been there for too long.
        """
        self._looked = time.monotonic()
        alive: set[str] = set()
        try:
            nodes = self._ray.nodes()
        except self._ray.exceptions.RayError as error:
            raise _lost_cluster(one_line(error)) from error
        for node in nodes:
            name, num_cpus = node["NodeID"], int(node["Resources"].get("CPU", 0))
            # A head without CPUs takes no job and needs to see no folder.
            if not node["Alive"] or num_cpus < 1:
                continue
            alive.add(name)
            if name not in self._known:
                self._known.add(name)
                host = _Host(node["NodeManagerAddress"], num_cpus)
                probe = self._on(name, self._probe, 0).remote(self._shared, host.address)
                self._newcomers[probe] = (name, host)
        for name in self._hosts.keys() - alive:
            address = self._hosts.pop(name).address
            rest = "" if self._is_bound else ": what it was at is done elsewhere"
            self._sink(Notice(self._stage, f"host {address} was lost{rest}", is_warning=True))
        if self._hosts or self._newcomers:
            self._last_seen = self._looked
        elif self._looked > self._last_seen + _NO_HOST_SECONDS:
            self._require_hosts()

    def _welcome(self) -> None:
        """Let the new hosts that have answered take jobs.

        Raises:
            HostUnfit: one is not fit, and no job was handed out yet. Later it is told, and left alone.
        """
        if not self._newcomers:
            return
        answered, _ = self._ray.wait(list(self._newcomers), num_returns=len(self._newcomers), timeout=0)
        for probe in answered:
            name, host = self._newcomers.pop(probe)
            try:
                self._ray.get(probe)
                require_mark(self._shared, host.address)
            except self._ray.exceptions.TaskUnschedulableError:
                continue  # lost meanwhile, which is no fault of its folders
            except (self._ray.exceptions.RayError, HostUnfit) as error:
                self._leave_out(_unfit(host.address, error))
                continue
            self._hosts[name] = host

    def _leave_out(self, unfit: HostUnfit) -> None:
        if self._when_unfit is not None:
            self._when_unfit(unfit)
        elif not self._has_begun:
            raise unfit
        self._sink(Notice(self._stage, f"gets no work: {unfit.message}", is_warning=True))

    def _require_hosts(self) -> None:
        if not self._hosts:
            raise _lost_cluster("no host with a CPU to work on is left")


def _do(run: Callable[[J], R], job: J) -> R:
    """Do one job, on a host."""
    os.environ.update(ENVIRONMENT)
    return run(job)


def _probe(shared: SharedFolders, host: str) -> None:
    require_fit(shared, host)


def _are_you_there() -> bool:
    return True


def _after_lost_host(attempt: _Attempt[J]) -> _Attempt[J]:
    attempt.num_hosts_lost += 1
    if attempt.num_hosts_lost == _HOSTS_A_JOB:
        raise WorkerCrashed(
            f"{counted(_HOSTS_A_JOB, 'host')} were lost, one after the other, under the same work",
            hint="look at memory and kernel log of the hosts; what is done is kept",
        )
    return attempt


def _next(waiting: Iterator[J]) -> _Attempt[J] | None:
    for job in waiting:
        return _Attempt(job)
    return None


def _unfit(host: str, error: Any) -> HostUnfit:
    """Return what a probe of a host came to; `error` is of Ray, or ours."""
    cause = getattr(error, "cause", error)
    if isinstance(cause, HostUnfit):
        return cause
    return HostUnfit(
        "this host cannot run packtrain",
        where=host,
        found=one_line(error),
        hint="install on it what is installed here, and start Ray from that environment",
    )


def _lost_cluster(why: str) -> ClusterUnreachable:
    return ClusterUnreachable(
        f"the Ray cluster gives no work back: {why}",
        hint="when it is there again, run the same command: what is done is kept",
    )
