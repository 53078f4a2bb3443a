"""Very many hosts in one process: the real driver over hosts that are scripted. Prints one JSON object.

    simulated.py HOSTS FOLDER POLLED_SECONDS SILENT_SECONDS

Real: what forms attempts, asks each host, waits, judges, gives a silent host up and forms anew; the files by which a
host shows that it sees the shared folder. Scripted: each host's agent, which answers two milliseconds after it is asked
as one with a running worker does; there is no process, no network and no Ray. One host then falls silent.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from packtrain.engines.crew import CrewNews, CrewOrder, CrewStep
from packtrain.engines.host_agent import HostProof
from packtrain.engines.host_folder import HostFolderLink
from packtrain.engines.host_links import Answer, HostThere
from packtrain.engines.many_hosts import run_on_hosts
from packtrain.engines.shared_folders import require_fit
from packtrain.events import Event, HostLost, WorkersStarted
from packtrain.ports import HostPlaces, HostsWanted, TrainingJob

_ANSWER_SECONDS: Final = 0.002
_STEP_SECONDS: Final = 0.25
_PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")


@dataclass(slots=True)
class _Agent:
    """What a host does in an attempt, told by a clock."""

    address: str
    order: CrewOrder | None = None
    begun: float = 0.0
    is_ended: bool = False

    def call(self, method: str, arguments: Sequence[Any], is_done: bool) -> object:
        """Answer as `HostAgent.call` does."""
        if method == "ping":
            return os.getpid()
        if method == "prove":
            proof: HostProof = arguments[0]
            if proof.shared is not None:
                require_fit(proof.shared, self.address)
        elif method == "reserve_port":
            return 29500
        elif method == "begin":
            self.order, self.begun, self.is_ended = arguments[0], time.monotonic(), False
        elif method == "end":
            self.is_ended = True
        elif method == "report" and self.order is not None and self.order.attempt == arguments[0]:
            return self._news(self.order, int(arguments[1]), is_done)
        return None

    def _news(self, order: CrewOrder, num_seen: int, is_done: bool) -> CrewNews:
        elapsed = time.monotonic() - self.begun
        steps: tuple[CrewStep, ...] = ()
        if order.first_rank == 0:
            made = range(num_seen + 1, int(elapsed / _STEP_SECONDS) + 1)
            steps = tuple(CrewStep(step, 1 / step, 1, elapsed - step * _STEP_SECONDS) for step in made)
        codes = (0 if is_done else -9 if self.is_ended else None,)
        pids = (100_000 + order.first_rank,)
        return CrewNews(order.first_rank, pids, steps, codes, is_done, 0, (), self.is_ended)


class ScriptedHosts:
    """Links to hosts that are none. See `HostLinks`.

    Attributes:
        silent: keys of hosts that answer nothing any more, and are still told of as there.
        is_done: every worker ended well.
        own_cpu_seconds: what these hosts took themselves, to be taken off.
    """

    name = "simulated"

    def __init__(self, count: int) -> None:
        self._there = [
            HostThere(f"{number:06}", f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}")
            for number in range(1, count + 1)
        ]
        self._agents: dict[str, _Agent] = {}
        self._answers: deque[tuple[float, Answer]] = deque()
        self._num_asked = 0
        self.silent: set[str] = set()
        self.is_done = False
        self.own_cpu_seconds = 0.0

    @property
    def num_asked(self) -> int:
        """Return how many questions were put so far."""
        return self._num_asked

    def present(self) -> Sequence[HostThere]:
        """Return all hosts: a cluster notices a loss later than we do."""
        return self._there

    def join(self, host: HostThere, silent_seconds: float) -> None:
        """Make its agent."""
        self._agents[host.key] = _Agent(host.address)

    def folder(self, host: HostThere, places: HostPlaces) -> HostFolderLink:
        raise NotImplementedError("scripted hosts have no folders")

    def leave(self, key: str) -> None:
        """Forget its agent."""
        self._agents.pop(key, None)

    def ask(self, key: str, method: str, *arguments: object) -> int:
        """Put the answer where it is found a little later."""
        started = time.thread_time()
        self._num_asked += 1
        if key not in self.silent and (agent := self._agents.get(key)) is not None:
            body = agent.call(method, arguments, self.is_done)
            self._answers.append((time.monotonic() + _ANSWER_SECONDS, Answer(key, self._num_asked, body)))
        self.own_cpu_seconds += time.thread_time() - started
        return self._num_asked

    def answers(self, timeout_seconds: float) -> Sequence[Answer]:
        """Return what has come in, waiting at most so long for the first."""
        now = time.monotonic()
        first = self._answers[0][0] if self._answers else float("inf")
        if first > now:
            time.sleep(max(0.0, min(first - now, timeout_seconds)))
            now = time.monotonic()
        found: list[Answer] = []
        while self._answers and self._answers[0][0] <= now:
            found.append(self._answers.popleft()[1])
        return found


class Watch:
    """Takes the events of the run: notes the times, lets a host fall silent, and ends the run after the second attempt.

    Attributes:
        noted: what is printed.
    """

    def __init__(self, hosts: ScriptedHosts, polled_seconds: float) -> None:
        self._hosts = hosts
        self._polled_seconds = polled_seconds
        self._began = time.monotonic()
        self._silent_at = 0.0
        self._polled_from = (0.0, 0.0, 0)
        self.noted: dict[str, float] = {"resident_bytes_before": _resident_bytes()}

    def __call__(self, event: Event) -> None:
        """Take an event."""
        now = time.monotonic()
        if isinstance(event, WorkersStarted) and "form_seconds" not in self.noted:
            self.noted |= {"form_seconds": now - self._began, "resident_bytes_formed": _resident_bytes()}
            self._polled_from = (now, time.process_time() - self._hosts.own_cpu_seconds, self._hosts.num_asked)
        elif isinstance(event, HostLost):
            self.noted["notice_seconds"] = now - self._silent_at
        elif isinstance(event, WorkersStarted):
            self.noted |= {"re_form_seconds": now - self._silent_at, "resident_bytes_re_formed": _resident_bytes()}
            self._hosts.is_done = True
        elif "form_seconds" in self.noted and not self._silent_at and now > self._polled_from[0] + self._polled_seconds:
            self._fall_silent(now)

    def _fall_silent(self, now: float) -> None:
        began, cpu, asked = self._polled_from
        self.noted["driver_cpu_seconds_per_second"] = (time.process_time() - self._hosts.own_cpu_seconds - cpu) / (
            now - began
        )
        self.noted["questions_per_second"] = (self._hosts.num_asked - asked) / (now - began)
        self._silent_at = now
        self._hosts.silent.add(f"{max(1, len(self._hosts.present()) // 2):06}")


def _resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * _PAGE_BYTES


def main() -> None:
    """Form, poll, lose one, form anew."""
    count, folder, polled_seconds = int(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3])
    program = folder / "program"
    program.mkdir(parents=True)
    job = TrainingJob(
        python=Path(sys.executable),
        command=("none.py",),
        program_folder=program,
        environment={},
        checkpoints=folder / "checkpoints",
        log_folder=folder / "logs",
        num_workers=1,
        hosts=HostsWanted(silent_seconds=float(sys.argv[4])),
    )
    hosts = ScriptedHosts(count)
    watch = Watch(hosts, polled_seconds)
    run = run_on_hosts(hosts, job, watch)
    assert len(run.attempts) == 2, run.attempts
    assert [len(attempt.hosts) for attempt in run.attempts] == [count, count - 1], run.attempts
    print(json.dumps({name: round(value, 4) for name, value in watch.noted.items()}))


if __name__ == "__main__":
    main()
