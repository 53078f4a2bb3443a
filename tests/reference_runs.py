"""The reference program, started as torchrun would start it and without an engine: what it does when left to itself."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

PROGRAM = Path(str(files("packtrain.training.programs"))) / "reference"
PYTHON = Path(sys.executable)


class Workers:
    """`num_workers` processes of the program on one machine, over a data set and a folder of checkpoints.

    Given several folders, each is that of a host with one worker.

    Attributes:
        processes: by rank.
        output: the lines of rank 0 that were read.
    """

    def __init__(
        self, num_workers: int, data: Path, checkpoints: Path | Sequence[Path], num_steps: int, *options: str | Path
    ) -> None:
        folders = [checkpoints] * num_workers if isinstance(checkpoints, Path) else list(checkpoints)
        num_local = num_workers if isinstance(checkpoints, Path) else 1
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.output: list[str] = []
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - for as long as this object lives
        common = {
            "WORLD_SIZE": str(num_workers),
            "LOCAL_WORLD_SIZE": str(num_local),
            "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": str(port),
            "GLOO_SOCKET_IFNAME": "lo",
        }
        command = [PYTHON, PROGRAM / "train.py", "--data", data, "--steps", str(num_steps)]
        command += ["--batch", "4"] if "--batch" not in options else []
        self.processes = [
            subprocess.Popen(
                [*command, "--ckpt", folder, *options],
                env={**os.environ, **common, "RANK": str(rank), "LOCAL_RANK": str(rank % num_local)},
                stdout=subprocess.PIPE if rank == 0 else self._log,
                stderr=self._log,
                text=True,
            )
            for rank, folder in enumerate(folders)
        ]

    def next_step(self) -> int:
        """Wait for a step line; return its step."""
        stdout = self.processes[0].stdout
        assert stdout is not None
        while line := stdout.readline():
            self.output.append(line)
            if found := steps([line]):
                return found[0]
        raise AssertionError(f"it ended: {self.words()}")

    def wait(self) -> list[int]:
        """Read rank 0 to its end; return the exit codes by rank."""
        stdout = self.processes[0].stdout
        assert stdout is not None
        self.output += stdout.readlines()
        return [process.wait(120) for process in self.processes]

    def kill(self) -> None:
        """Kill all of them."""
        for process in self.processes:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
        self.wait()

    def words(self) -> str:
        """Return what they wrote beside step lines, its end."""
        self._log.seek(0)
        return self._log.read().decode("utf-8", "replace")[-2000:]


def losses(lines: Sequence[str]) -> dict[int, float]:
    """Return the loss of each step by the step lines."""
    found = (json.loads(line) for line in lines if line.startswith("{"))
    return {line["step"]: line["loss"] for line in found}


def steps(lines: Sequence[str]) -> list[int]:
    """Return the steps of step lines."""
    return list(losses(lines))
