"""Training over the hosts of a Ray cluster: an actor a host, asked by the driver each second; and one for its folder.

Of Ray we use the list of hosts, the placing of an actor, its calls, and that an actor ends with its driver. Restarts,
placement groups, Ray's own health check and Ray Train are not used (docs/adr/0050).
"""

from __future__ import annotations

import contextlib
import itertools
import os
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from packtrain.engines.host_folder import HostFolderLink
from packtrain.engines.host_links import Answer, HostThere
from packtrain.engines.many_hosts import run_on_hosts
from packtrain.engines.ray_cluster import joined, one_line
from packtrain.engines.ray_host import RayHost, RayHostFolder
from packtrain.errors import ClusterUnreachable, HostUnfit
from packtrain.events import Sink
from packtrain.ports import HostPlaces, TrainingJob, TrainingRun

_LOOK_SECONDS: Final = 1.0  # between two looks at which hosts there are
_HEAD_SECONDS: Final = 20.0  # without a word from the head, before the run ends
_KILL_SECONDS: Final = 4.0  # since the head was heard, within which it is asked to end an actor
_CALLS_AT_ONCE: Final = 32  # of a host's own folder: the driver's one, and those of peers that fetch from it
_CALL_SECONDS: Final = 3600.0  # for one call: to fetch one file, or to read a host's part of a checkpoint
_WAIT_SECONDS: Final = 0.5  # between two looks whether a host was given up
_RAY_PATIENCE_SECONDS: Final = 3600
"""For our own driver: Ray ends a process without a word 60 s after it last heard from the head, we with a verdict."""


class RayEngine:
    """Runs a training program on the hosts of a Ray cluster. See `ports.Engine`.

    Args:
        address: HOST:PORT of the head; without it RAY_ADDRESS, and without that a Ray of this machine alone.
        when_unfit: see `many_hosts.run_on_hosts`.
    """

    name = "ray"

    def __init__(self, address: str, when_unfit: Callable[[HostUnfit], None] | None = None) -> None:
        self._address = address
        self._when_unfit = when_unfit

    def run(self, job: TrainingJob, sink: Sink) -> TrainingRun:
        """Run the program to its end, with a fresh attempt after each failure, on the hosts that are left.

        `max_restarts` counts as on one machine. Hosts without CPUs for Ray (`--num-cpus 0`) take no part.

        Raises:
            MissingDependency, VoyageFileError: see `ray_cluster.joined`.
            ClusterUnreachable: no cluster answers, its head is gone, or too few hosts are left.
            HostUnfit: nobody takes it, and before the first attempt a host does not see or have what it needs.
            TrainingFailed, WorkerStalled: see `ports.Engine`.
        """
        os.environ.setdefault("RAY_gcs_rpc_server_reconnect_timeout_s", str(_RAY_PATIENCE_SECONDS))
        with joined(self._address, None, sink, "train") as ray, contextlib.closing(RayLinks(ray)) as links:
            return run_on_hosts(links, job, sink, self._when_unfit)


class RayLinks:
    """Links to the hosts of a Ray cluster. See `host_links.HostLinks`.

    Args:
        ray: the module, joined to a cluster.
    """

    name = "ray"

    def __init__(self, ray: Any) -> None:
        self._ray = ray
        self._actor_class = ray.remote(RayHost)
        self._folder_class = ray.remote(RayHostFolder)
        self._actors: dict[str, Any] = {}
        self._folders: dict[str, _FolderCalls] = {}
        self._numbers = itertools.count()
        self._out: dict[Any, tuple[str, int]] = {}
        self._present = self._look()
        self._heard = time.monotonic()
        self._is_closed = threading.Event()
        threading.Thread(target=self._keep_looking, name="hosts of the cluster", daemon=True).start()

    def close(self) -> None:
        """Look no more."""
        self._is_closed.set()
        for calls in self._folders.values():
            calls.is_closed.set()

    def present(self) -> Sequence[HostThere]:
        """Return the hosts that were there a second or so ago.

        Raises:
            ClusterUnreachable: the head has not answered for 20 s.
        """
        silent_seconds = time.monotonic() - self._heard
        if silent_seconds > _HEAD_SECONDS:
            raise ClusterUnreachable(
                "the head of the Ray cluster is gone",
                found=f"no answer for {silent_seconds:.0f} s",
                hint="start a head, let hosts join it, and run the same command: it resumes from the newest checkpoint",
            )
        return self._present

    def join(self, host: HostThere, silent_seconds: float) -> None:
        """Have an actor started on a host."""
        self.leave(host.key)
        self._actors[host.key] = self._start(self._actor_class, host, host.address, silent_seconds)

    def folder(self, host: HostThere, places: HostPlaces) -> HostFolderLink:
        """Have the actor of a host's own folder started there."""
        actor = self._start(self._folder_class, host, places, max_concurrency=_CALLS_AT_ONCE)
        calls = self._folders[host.key] = _FolderCalls(self._ray, host.address, actor, self._actor_of_folder)
        return HostFolderLink(calls)

    def _start(self, actor_class: Any, host: HostThere, *arguments: object, **options: Any) -> Any:
        here = self._ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(node_id=host.key, soft=False)
        # No CPU and no accelerator is reserved: Ray then hides none from it, and the workers have the whole host.
        asked = {"num_cpus": 0, "max_restarts": 0, "max_task_retries": 0, "scheduling_strategy": here, **options}
        return actor_class.options(**asked).remote(*arguments)

    def _actor_of_folder(self, address: str) -> Any:
        found = [calls.actor for calls in list(self._folders.values()) if calls.address == address]
        if not found:
            raise ConnectionError(f"{address} is not there")
        return found[-1]

    def leave(self, key: str) -> None:
        """End the actor of a host; what it was asked is forgotten."""
        actor = self._actors.pop(key, None)
        actors = [actor] if actor is not None else []
        if (calls := self._folders.pop(key, None)) is not None:
            calls.is_closed.set()
            actors.append(calls.actor)
        if actors:
            self._out = {ref: asked for ref, asked in self._out.items() if asked[0] != key}
            # Without a head the call would wait for it; the actor ends with this process, its workers with their lease.
            if time.monotonic() - self._heard < _KILL_SECONDS:
                for each in actors:
                    with contextlib.suppress(self._ray.exceptions.RayError):
                        self._ray.kill(each)

    def ask(self, key: str, method: str, *arguments: object) -> int:
        """Put a question to the actor of a host."""
        number = next(self._numbers)
        self._out[self._actors[key].call.remote(method, *arguments)] = (key, number)
        return number

    def answers(self, timeout_seconds: float) -> Sequence[Answer]:
        """Return the answers that came in, waiting at most so long for the first."""
        if not self._out:
            time.sleep(timeout_seconds)
            return []
        refs = list(self._out)
        came, rest = self._ray.wait(refs, num_returns=1, timeout=timeout_seconds)
        if came and rest:
            came += self._ray.wait(rest, num_returns=len(rest), timeout=0)[0]
        return [self._answer(ref) for ref in came]

    def _answer(self, ref: Any) -> Answer:
        key, number = self._out.pop(ref)
        failures = self._ray.exceptions
        try:
            return Answer(key, number, self._ray.get(ref))
        except failures.RayTaskError as error:
            return Answer(key, number, error=error.cause)
        except failures.RayError as error:
            return Answer(key, number, error=RuntimeError(one_line(error)), is_gone=True)

    def _keep_looking(self) -> None:
        # In a thread: without a head, Ray does not return from this for minutes.
        while not self._is_closed.wait(_LOOK_SECONDS):
            with contextlib.suppress(self._ray.exceptions.RayError, OSError, RuntimeError):
                self._present = self._look()
                self._heard = time.monotonic()

    def _look(self) -> Sequence[HostThere]:
        found = [
            HostThere(node["NodeID"], node["NodeManagerAddress"])
            for node in self._ray.nodes()
            # One without CPUs is a head, or where this command runs.
            if node["Alive"] and node["Resources"].get("CPU", 0) >= 1
        ]
        return sorted(found, key=lambda host: [(len(part), part) for part in host.address.split(".")])


class _FolderCalls:
    """Calls to the actor of a host's own folder, each until it answers or its host is given up.

    Args:
        ray: the module.
        address: of the host.
        actor: there.
        actor_of: returns the actor of a peer by its address.
    """

    def __init__(self, ray: Any, address: str, actor: Any, actor_of: Callable[[str], Any]) -> None:
        self._ray = ray
        self._actor_of = actor_of
        self.address = address
        self.actor = actor
        self.is_closed = threading.Event()

    def __call__(self, name: str, *arguments: Any) -> object:
        """Return what a method there returns.

        Raises:
            ConnectionError: the host was given up, or the call took longer than any may.
            OSError, ValueError: what the method raises.
        """
        failures = self._ray.exceptions
        deadline = time.monotonic() + _CALL_SECONDS
        # Asked first: where this process has left the cluster, Ray would start one of its own for the next call.
        self._refuse_closed()
        try:
            if name == "pull":
                file, peer = arguments
                asked = self.actor.pull.remote(file, self._actor_of(peer))
            else:
                asked = self.actor.call.remote(name, *arguments)
            while True:
                self._refuse_closed()
                try:
                    return self._ray.get(asked, timeout=_WAIT_SECONDS)
                except failures.GetTimeoutError:
                    if time.monotonic() > deadline:
                        raise ConnectionError(f"{self.address} did not do it in {_CALL_SECONDS:g} s: {name}") from None
        except failures.RayTaskError as error:
            if isinstance(error.cause, OSError | ValueError):
                raise error.cause from None
            raise ConnectionError(one_line(error)) from None
        except failures.RayError as error:
            raise ConnectionError(one_line(error)) from None

    def _refuse_closed(self) -> None:
        if self.is_closed.is_set():
            raise ConnectionError(f"{self.address} was given up")
