"""Runs of a training program: under packtrain's engine, under torchrun, and started by hand."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Final

from packtrain.engines.local import LocalEngine
from packtrain.events import Event, TrainingStep, WorkersStarted, discard
from packtrain.ports import TrainingJob

WORLD_SIZE: Final = 2
PROGRAM: Final = Path(str(files("packtrain.training.programs"))) / "reference" / "train.py"
# What the engine sets too (engines/worker.py): the same program has the same environment, however it is started.
_ENVIRONMENT: Final = {"PYTHONUNBUFFERED": "1", "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"}
_TORCHRUN: Final = (
    *(sys.executable, "-m", "torch.distributed.run", "--standalone", "--max-restarts", "3"),
    *("--nproc-per-node", str(WORLD_SIZE)),
)


@dataclass(slots=True)
class KillOnce:
    """Kills the last worker at one step, and notes how long it takes to the next step line.

    Attributes:
        step: at which; 0 kills none.
        seconds: from the kill to the next step line; None while there was none.
    """

    step: int
    seconds: float | None = None
    _pid: int = 0
    _killed: float = 0.0

    def started(self, pid: int) -> None:
        """Note the worker that is to be killed."""
        self._pid = self._pid or pid

    def line(self, step: int) -> None:
        """Act on a step line."""
        if not self._killed and step == self.step:
            self._killed = time.perf_counter()
            os.kill(self._pid, signal.SIGKILL)
        elif self._killed and self.seconds is None and time.perf_counter() - self._killed > _ECHO_SECONDS:
            self.seconds = time.perf_counter() - self._killed

    def __call__(self, event: Event) -> None:
        """Act on an event of the engine."""
        if isinstance(event, WorkersStarted):
            self.started(event.pids[-1])
        elif isinstance(event, TrainingStep):
            self.line(event.step)


# A step line that was on its way when the worker was killed is no sign of life; nobody starts torch in so short a time.
_ECHO_SECONDS: Final = 0.5


def by_engine(command: Sequence[str], folder: Path, kill: KillOnce | None = None) -> tuple[float, float]:
    """Run under packtrain's engine; return wall seconds, and CPU seconds of the process that supervises."""
    job = TrainingJob(
        python=Path(sys.executable),
        command=tuple(command),
        program_folder=folder,
        environment={},
        checkpoints=folder / "checkpoints",
        log_folder=folder / "logs",
        num_workers=WORLD_SIZE,
    )
    started, cpu_started = time.perf_counter(), time.process_time()
    LocalEngine().run(job, kill or discard)
    return time.perf_counter() - started, time.process_time() - cpu_started


def by_hand(command: Sequence[str], folder: Path, port: int) -> float:
    """Start the same processes with nobody to watch them; return wall seconds."""
    started = time.perf_counter()
    processes: list[subprocess.Popen[bytes]] = []
    with (folder / "output").open("wb") as output:
        for rank in range(WORLD_SIZE):
            of_rank = {"RANK": str(rank), "LOCAL_RANK": str(rank)}
            processes.append(
                subprocess.Popen(
                    [sys.executable, *command],
                    cwd=folder,
                    env={**os.environ, **_ENVIRONMENT, **_contract(port), **of_rank},
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                )
            )
        codes = [process.wait() for process in processes]
    if any(codes):
        raise SystemExit(f"{command}: exit codes {codes}: {(folder / 'output').read_text()[-500:]}")
    return time.perf_counter() - started


def by_torchrun(command: Sequence[str], folder: Path, kill: KillOnce | None = None) -> float:
    """Run under `torchrun --standalone`; return wall seconds. It is waited for until its last step line's process ends.

    Raises:
        SystemExit: it failed.
    """
    # Without the variable a restart may find the addresses of the attempt before, and hang.
    environment = {**os.environ, **_ENVIRONMENT, "TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1"}
    started = time.perf_counter()
    with (folder / "errors").open("wb") as errors:
        process = subprocess.Popen(
            [*_TORCHRUN, *command],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
        )
        assert process.stdout is not None
        for line in process.stdout:
            if kill is not None and (step := _step_in(line)) is not None:
                kill.started(_children(process.pid)[-1])
                kill.line(step)
    if process.wait():
        raise SystemExit(f"torchrun: exit code {process.returncode}: {(folder / 'errors').read_text()[-500:]}")
    return time.perf_counter() - started


def _contract(port: int) -> Mapping[str, str]:
    return {
        "WORLD_SIZE": str(WORLD_SIZE),
        "LOCAL_WORLD_SIZE": str(WORLD_SIZE),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
    }


def _children(pid: int) -> list[int]:
    found: list[int] = []
    for thread in Path(f"/proc/{pid}/task").iterdir():
        found += map(int, (thread / "children").read_text("ascii").split())
    return sorted(found)


def _step_in(line: bytes) -> int | None:
    with contextlib.suppress(ValueError, TypeError, KeyError):
        return int(json.loads(line)["step"])
    return None
