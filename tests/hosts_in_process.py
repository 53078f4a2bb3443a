"""Hosts for tests of attempts over many of them: real agents in this process, that can be silenced."""

import itertools
import sys
import textwrap
import time
from collections.abc import Sequence
from pathlib import Path

from packtrain.engines.host_agent import HostAgent
from packtrain.engines.host_folder import HostFolderLink
from packtrain.engines.host_links import Answer, HostThere
from packtrain.errors import PacktrainError
from packtrain.ports import HostPlaces, HostsWanted, TrainingJob

HEAD = """
import json, os, pathlib, signal, sys, time
rank, world = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
ckpt = pathlib.Path(sys.argv[1])
def say(step):
    if rank == 0:
        print(json.dumps({"step": step, "loss": 1.0, "samples": 8}), flush=True)
def until(name):
    while not (ckpt / name).exists():
        time.sleep(0.01)
"""


class InProcess:
    """Links to agents in this process. See `host_links.HostLinks`."""

    name = "in process"

    def __init__(self, count: int) -> None:
        self.hosts = [HostThere(f"key-{number}", f"127.0.0.{number}") for number in range(1, count + 1)]
        self.agents: dict[str, HostAgent] = {}
        self.silent: set[str] = set()
        self._numbers = itertools.count()
        self._answers: list[Answer] = []

    def present(self) -> Sequence[HostThere]:
        return self.hosts

    def join(self, host: HostThere, silent_seconds: float) -> None:
        self.agents[host.key] = HostAgent(host.address, silent_seconds)

    def folder(self, host: HostThere, places: HostPlaces) -> HostFolderLink:
        raise AssertionError("these hosts share their folders")

    def leave(self, key: str) -> None:
        if key not in self.silent and (agent := self.agents.pop(key, None)) is not None:
            agent.close()

    def ask(self, key: str, method: str, *arguments: object) -> int:
        number = next(self._numbers)
        if key not in self.silent:
            try:
                self._answers.append(Answer(key, number, self.agents[key].call(method, *arguments)))
            except PacktrainError as error:
                self._answers.append(Answer(key, number, error=error))
        return number

    def answers(self, timeout_seconds: float) -> Sequence[Answer]:
        if not self._answers:
            time.sleep(min(timeout_seconds, 0.02))
        found, self._answers = self._answers, []
        return found

    def silence(self, address: str) -> None:
        """Let a host hear and say nothing more; its workers run on."""
        self.silent |= {host.key for host in self.hosts if host.address == address}
        self.hosts = [host for host in self.hosts if host.address != address]


def job_of(
    tmp_path: Path, body: str, hosts: HostsWanted, *, num_workers: int = 1, max_restarts: int = 2
) -> TrainingJob:
    program = tmp_path / "program"
    program.mkdir(exist_ok=True)
    (program / "train.py").write_text(HEAD + textwrap.dedent(body))
    return TrainingJob(
        python=Path(sys.executable),
        command=("train.py", str(tmp_path / "checkpoints")),
        program_folder=program,
        environment={},
        checkpoints=tmp_path / "checkpoints",
        log_folder=tmp_path / "logs",
        num_workers=num_workers,
        max_restarts=max_restarts,
        stall_seconds=30.0,
        grace_seconds=2.0,
        hosts=hosts,
    )
