"""What acts on one host for the driver: holds its crew, answers what is asked, and ends it when nobody asks any more.

The same class in an actor of Ray and in a task of Slurm; it knows of neither. Calls return at once: workers are
started, read and ended in a thread of their own, so that a full disk or a hanging mount there is not taken for the
death of the host.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from packtrain import durable
from packtrain.digest import sha256_tree
from packtrain.engines.crew import Crew, CrewNews, CrewOrder, CrewStep, ReservedPort
from packtrain.engines.network_interfaces import interface_towards
from packtrain.engines.shared_folders import SharedFolders, require_fit, versions_here
from packtrain.engines.worker import DONE_VARIABLE
from packtrain.errors import DriveFull, HostUnfit, TrainingFailed
from packtrain.ports import HostPlaces

_LEASH: Final = Path(__file__).with_name("leash.py")
_READ_SECONDS: Final = 0.05
_OWN_MODE: Final = 0o700
_MOST_STEPS: Final = 10_000  # in one answer
_LEASE_SHARE: Final = 0.9
"""Of `silent_seconds`: workers are ended for want of a driver before the driver gives their host up."""


@dataclass(frozen=True, slots=True)
class HostProof:
    """What a host must see and have before it takes part.

    Attributes:
        shared: the folders that all hosts see; None where each has folders of its own.
        versions: of packtrain and Python.
        python: the interpreter of the workers.
        program_folder, program: the program, and what `sha256_tree` says of it.
        places: the folder of the host's own; None where all share one.
    """

    shared: SharedFolders | None
    versions: dict[str, str]
    python: Path
    program_folder: Path
    program: str
    places: HostPlaces | None = None


class HostAgent:
    """Acts on this host. Calls come one at a time, in the order in which the driver made them.

    Args:
        address: what others reach this host at, and what it is called.
        silent_seconds: after so long without an answer the driver takes this host for lost.
    """

    def __init__(self, address: str, silent_seconds: float) -> None:
        self._address = address
        self._lease_seconds = _LEASE_SHARE * silent_seconds
        self._answered = time.monotonic()
        self._port: ReservedPort | None = None
        self._run: _CrewRun | None = None
        # In a session of its own: what kills this process group must not reach it.
        self._leash = subprocess.Popen(
            (sys.executable, "-I", "-S", str(_LEASH)), stdin=subprocess.PIPE, bufsize=0, start_new_session=True
        )

    def call(self, name: str, *arguments: object) -> object:
        """Do what the driver asks, and return the answer.

        The lease of the workers counts from the answer before this question and not from its arrival: that moment lies
        before the one at which the driver asked, and from there the driver counts its own patience.
        """
        if self._run is not None:
            self._order(f"lease {max(0.0, self._answered + self._lease_seconds - time.monotonic())}")
        try:
            return getattr(self, name)(*arguments)
        finally:
            self._answered = time.monotonic()

    def ping(self) -> int:
        """Return this process's id."""
        return os.getpid()

    def prove(self, proof: HostProof) -> None:
        """Return if this host may take part.

        Raises:
            HostUnfit: it may not.
        """
        here = versions_here([])
        for name, version in proof.versions.items():
            if here.get(name) != version:
                raise self._unfit(f"this host has another version of {name}", version, here.get(name))
        if proof.shared is not None:
            require_fit(proof.shared, self._address)
        if proof.places is not None:
            self._require_writable(proof.places.folder)
        if not os.access(proof.python, os.X_OK):
            raise self._unfit("this host does not have the interpreter", str(proof.python), None)
        if not proof.program_folder.is_dir():
            raise self._unfit("this host does not have the program", str(proof.program_folder), None)
        if (found := sha256_tree(proof.program_folder)) != proof.program:
            raise self._unfit(
                "this host has another program", f"{proof.program_folder}, {proof.program[:12]}", found[:12]
            )

    def _require_writable(self, folder: Path) -> None:
        probe = folder / "probe"
        try:
            # Checkpoints, results and logs lie below it, and the host may have other users.
            folder.mkdir(parents=True, exist_ok=True, mode=_OWN_MODE)
            folder.chmod(_OWN_MODE)
            durable.write_bytes(probe, b"here")
            probe.unlink()
        except (OSError, DriveFull) as error:
            raise self._unfit("this host cannot write to its own folder", str(folder), str(error)) from error

    def reserve_port(self) -> int:
        """Return a port of this host that is free for the next attempt, and held for it."""
        if self._port is not None:
            self._port.close()
        self._port = ReservedPort(self._address)
        return self._port.number

    def begin(self, order: CrewOrder) -> None:
        """Begin an attempt; whatever ran here before is killed first."""
        if self._run is not None:
            self._run.end()
            self._run.wait()
            self._run = None
        self._order("free")
        self._order(f"mark {DONE_VARIABLE}={order.done_mark}")
        self._order(f"lease {self._lease_seconds}")
        interface = interface_towards(self._address)
        self._run = _CrewRun(replace(order, interface=interface), self._order)

    def report(self, attempt: int, num_seen: int) -> CrewNews | None:
        """Return the news of an attempt, with the steps behind the first `num_seen`; None where it is not at it."""
        return self._run.news(num_seen) if self._run is not None and self._run.attempt == attempt else None

    def stop(self, attempt: int) -> None:
        """Ask the workers of an attempt to stop."""
        if self._run is not None and self._run.attempt == attempt:
            self._run.stop()

    def end(self, attempt: int) -> None:
        """Kill what runs of an attempt; `is_ended` of the report says when nothing does."""
        if self._run is not None and self._run.attempt == attempt:
            self._run.end()

    def close(self) -> None:
        """End everything, and wait for it."""
        if self._run is not None:
            self._run.end()
            self._run.wait()
        assert self._leash.stdin is not None
        with contextlib.suppress(OSError):
            self._leash.stdin.close()
        self._leash.wait()

    def _order(self, line: str) -> None:
        assert self._leash.stdin is not None
        # One write a line, unbuffered: lines of two threads do not mix.
        self._leash.stdin.write(f"{line}\n".encode())

    def _unfit(self, what: str, expected: str, found: str | None) -> HostUnfit:
        return HostUnfit(
            what,
            where=self._address,
            expected=expected,
            found=found or "nothing there",
            hint="bring this host to what the first one has, at the same paths; then run the same command again",
        )


class _CrewRun:
    """The crew of one attempt, in a thread that lives as long: the kernel kills workers with the thread they are of."""

    def __init__(self, order: CrewOrder, tell_leash: Callable[[str], None]) -> None:
        self.attempt = order.attempt
        self._order = order
        self._tell_leash = tell_leash
        self._lock = threading.Lock()
        self._news = CrewNews(order.first_rank)
        self._steps: list[tuple[float, CrewStep]] = []
        self._num_seen = 0
        self._is_asked_to_stop = threading.Event()
        self._is_asked_to_end = threading.Event()
        self._thread = threading.Thread(target=self._work, name=f"attempt {order.attempt}", daemon=True)
        self._thread.start()

    def news(self, num_seen: int) -> CrewNews:
        """Return the news, with the steps behind the first `num_seen`, which are forgotten."""
        now = time.monotonic()
        with self._lock:
            del self._steps[: max(0, num_seen - self._num_seen)]
            self._num_seen = max(self._num_seen, num_seen)
            steps = tuple(replace(step, ago_seconds=now - at) for at, step in self._steps[:_MOST_STEPS])
            return replace(self._news, steps=steps)

    def stop(self) -> None:
        """Ask the workers to stop."""
        self._is_asked_to_stop.set()

    def end(self) -> None:
        """Have the workers killed."""
        self._is_asked_to_end.set()

    def wait(self) -> None:
        """Return when nothing runs any more."""
        self._thread.join()

    def _work(self) -> None:
        crew = Crew(self._order)
        lost, detail = "", ""
        try:
            self._order.job.log_folder.mkdir(parents=True, exist_ok=True)
            self._order.job.checkpoints.mkdir(parents=True, exist_ok=True)
            if (places := self._order.job.host_places) is not None:
                places.results_there.mkdir(parents=True, exist_ok=True)
            crew.start()
            self._watch(crew)
        except TrainingFailed as error:
            lost, detail = "it could not start its workers", error.message
        except OSError as error:
            lost, detail = "it could not write its logs", error.strerror or str(error)
        finally:
            crew.end()
            self._take(crew.news(0))
            self._tell_leash("free")
            with self._lock:
                self._news = replace(self._news, is_ended=True, lost=lost, detail=detail)

    def _watch(self, crew: Crew) -> None:
        news = crew.news(0)
        for pid in news.pids:
            self._tell_leash(f"group {pid}")
        is_asked = False
        while not self._is_asked_to_end.is_set():
            self._take(news)
            if self._is_asked_to_stop.is_set() and not is_asked:
                is_asked = True
                crew.ask_to_stop()
            if all(code is not None for code in news.exit_codes):
                self._is_asked_to_end.wait(_READ_SECONDS)
            news = crew.news(_READ_SECONDS)
        self._take(news)

    def _take(self, news: CrewNews) -> None:
        at = time.monotonic()
        with self._lock:
            self._steps += [(at - step.ago_seconds, step) for step in news.steps]
            self._news = replace(news, steps=())
