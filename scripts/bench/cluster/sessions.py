"""One run of `program.py` over hosts of our own making, by whatever launches it: what all launchers have in common."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from bench.cluster.trace import TraceFile, workers_of
from netns_hosts import Host, Hosts, with_source_tree

PROGRAM: Final = Path(__file__).with_name("program.py")
STEP_SECONDS: Final = 0.25
CHECKPOINT_EVERY: Final = 5
FIRST_STEPS_SECONDS: Final = 240.0
MANY_STEPS: Final = 1_000_000
"""More than any run here makes: each is ended from outside."""


@dataclass
class Session(ABC):
    """One run, from its start to its end, through faults.

    Attributes:
        hosts: the network; the first host is the head: Ray's, torchrun's rendezvous.
        folder: takes output, trace and checkpoints.
        trace: what the workers say.
        lost: hosts that were taken away and are not back.
        processes: what was started here, by a name for messages.
        goes_on: whether the next fault can meet the same run, after `revive`.
    """

    hosts: Hosts
    folder: Path
    goes_on = False
    lost: list[Host] = field(default_factory=list[Host])
    processes: dict[str, subprocess.Popen[str]] = field(default_factory=dict[str, "subprocess.Popen[str]"])

    def __post_init__(self) -> None:
        """Name the trace."""
        self.trace = TraceFile(self.folder / "trace.jsonl")

    @abstractmethod
    def start(self) -> None:
        """Start the run."""

    def revive(self) -> None:
        """Bring the lost hosts back, without what ran on them."""
        for host in self.lost:
            self.hosts.power_on(host)
        self.lost.clear()

    def is_over(self) -> bool:
        """Return whether everything that was started here has ended, but for what was on a lost host."""
        return all(process.poll() is not None for process in self.processes.values())

    def verdict(self) -> str:
        """Return what was said last."""
        return last_line((self.folder / f"{name}.txt") for name in self.processes)

    def arguments(self) -> list[str]:
        """Return the program's arguments."""
        return [
            *("--trace", str(self.trace.path), "--ckpt", str(self.folder / "checkpoints")),
            *("--steps", str(MANY_STEPS), "--step-seconds", str(STEP_SECONDS)),
            *("--checkpoint-every", str(CHECKPOINT_EVERY)),
        ]

    def start_on(self, host: Host, name: str, argv: Sequence[str], environment: Mapping[str, str]) -> None:
        """Start a program on a host; its output goes into a file under its name."""
        with (self.folder / f"{name}.txt").open("a") as output:
            self.processes[name] = self.hosts.start_in(
                host, argv, env=environment, stdout=output, stderr=output, stdin=subprocess.DEVNULL
            )

    def wait_for_steps(self, number: int = 6) -> bool:
        """Wait for some steps more; return whether they came."""
        return self.trace.wait_for_steps(number, time.monotonic(), FIRST_STEPS_SECONDS, self.is_over)

    def workers(self) -> dict[int, tuple[int, Host]]:
        """Return rank -> process id and host, of the workers that run now."""
        on = {process: host for host in self.hosts.hosts for process in host.processes()}
        return {rank: (pid, on[pid]) for rank, pid in workers_of(self.trace.lines()).items() if pid in on}

    def end(self) -> None:
        """End what was started here; what runs on the hosts ends with them."""
        for process in self.processes.values():
            if process.poll() is None:
                process.kill()
            process.wait(20)


class Torchrun(Session):
    """`torchrun` on every host, elastic, with its c10d rendezvous on the first."""

    _FEWEST: Final = 2
    _PORT: Final = 29400

    def start(self) -> None:
        """Start an agent on each host."""
        for host in self.hosts.hosts:
            self._start_agent(host)

    def _start_agent(self, host: Host) -> None:
        most = len(self.hosts.hosts)
        # The store's own address is told: a host whose name leads to the loopback takes itself for a client otherwise.
        rendezvous = f"join_timeout=60,last_call_timeout=5,is_host={int(host is self.hosts.hosts[0])}"
        argv = [
            *(sys.executable, "-m", "torch.distributed.run", "--nnodes", f"{self._FEWEST}:{most}"),
            *("--nproc-per-node", "1", "--max-restarts", "20", "--rdzv-backend", "c10d", "--rdzv-id", "bench"),
            *("--rdzv-endpoint", f"{self.hosts.hosts[0].address}:{self._PORT}", "--local-addr", host.address),
            *("--rdzv-conf", rendezvous, str(PROGRAM), *self.arguments()),
        ]
        self.start_on(host, f"agent-{host.number}", argv, worker_environment(os.environ))


def worker_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Return an environment in which workers find each other: on the network of the hosts, with one thread each."""
    return {
        **with_source_tree(environment),
        "GLOO_SOCKET_IFNAME": "lan0",
        "OMP_NUM_THREADS": "1",
        "PYTHONUNBUFFERED": "1",
        # Without it torchrun's restarts may find the addresses of the attempt before, and hang.
        "TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1",
    }


def last_line(paths: Iterator[Path] | Sequence[Path]) -> str:
    """Return the last line of the last file that says anything, short."""
    found = ""
    for path in paths:
        with contextlib.suppress(OSError):
            lines = path.read_text("utf-8", "replace").split("\n")
            found = next((line.strip()[:200] for line in reversed(lines) if line.strip()), found)
    return found


def kill(pid: int) -> None:
    """Kill a process that may be gone."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
