"""A training over Ray hosts, and the faults that can be done to it: each a function, with the time to the next step.

The program is that of counting_program.py: its weights say whether a step was lost, done twice or done by two.
"""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from counting_program import PROGRAM
from netns_hosts import Host, until
from packtrain.record.folder import VoyageFolder
from ray_hosts import RayHosts
from site_parts import COMMAND, site_after_load, write_program, write_training

SLOWEST_SECONDS = 120.0  # against hanging; what is asked for is 60


@dataclass
class RayTraining:
    """One voyage folder, trained on a cluster.

    Attributes:
        cluster: the hosts; those with a CPU for Ray take part.
        folder: the consignee's.
        driver: the host on which the command runs.
        process: the command that runs.
    """

    cluster: RayHosts
    folder: VoyageFolder
    driver: Host
    process: "subprocess.Popen[str] | None" = None

    def start(self) -> None:
        """Start `packtrain train`."""
        self.process = self.cluster.start_packtrain("train", str(self.folder.root), "--json", host=self.driver)

    def finish(self, seconds: float = 240) -> tuple[int, str]:
        """Return the exit code of the command and what it said."""
        assert self.process is not None
        _, said = self.process.communicate(timeout=seconds)
        return self.process.returncode, said

    def attempts(self) -> list[dict[str, Any]]:
        """Return the attempts that ended."""
        return _lines(self.folder.logs / "train" / "attempts.jsonl")

    def steps(self) -> list[list[Any]]:
        """Return the steps: attempt first, then number."""
        return _lines(self.folder.logs / "train" / "steps.jsonl")

    def weights(self) -> dict[str, int]:
        """Return what the run ended with."""
        return json.loads((self.folder.work / "results" / "weights.json").read_text())

    def wait_for_steps(self, number: int, seconds: float = SLOWEST_SECONDS) -> None:
        """Return when so many steps were made in the attempt that runs."""

        def is_there() -> bool:
            self.must_live()
            steps = self.steps()
            return bool(steps) and sum(step[0] == steps[-1][0] for step in steps) >= number

        until(is_there, seconds, f"{number} steps: {self.steps()[-3:]}")

    def must_live(self) -> None:
        """Fail with what the command said if it has ended."""
        if self.process is not None and self.process.poll() is not None:
            raise AssertionError(f"train ended: {self.process.communicate()}")

    def seconds_to_next_step(self, fault: Callable[[], None]) -> float:
        """Do a fault; return the seconds until a step of a later attempt was read."""
        attempt = self.steps()[-1][0]
        begun = time.monotonic()
        fault()

        def is_there() -> bool:
            self.must_live()
            return self.steps()[-1][0] > attempt

        until(is_there, SLOWEST_SECONDS, f"a step after attempt {attempt}: {self.attempts()}")
        return time.monotonic() - begun


def make_training(
    cluster: RayHosts,
    place: Path,
    *,
    steps: int,
    slow: float = 0.2,
    silent_seconds: float = 4.0,
    hosts: str = "",
    workers: int = 1,
    driver: Host | None = None,
) -> RayTraining:
    """Return a training that was not started yet; `hosts` are more lines of [site.hosts]."""
    folder = site_after_load(place)["consignee"]
    write_program(folder, PROGRAM)
    write_training(folder, steps=steps, workers=workers, command=f"{COMMAND} --slow {slow}")
    with (folder.root / "voyage.toml").open("a") as stream:
        stream.write(f'engine = "ray"\nray_address = "{cluster.address}"\n[site.hosts]\n')
        stream.write(f"silent_seconds = {silent_seconds}\n{hosts}\n")
    return RayTraining(cluster, folder, driver or cluster.head)


def workers_on(host: Host, program: str = "train.py") -> list[int]:
    """Return the ids of the training's workers on a host."""
    return [pid for pid in host.processes() if program.encode() in _arguments(pid)]


def agents_on(host: Host) -> list[int]:
    """Return the ids of the actors of packtrain on a host."""
    return [pid for pid in host.processes() if b"ray::RayHost" in _arguments(pid)]


def kill_worker(host: Host) -> None:
    """End the first worker of a host."""
    os.kill(workers_on(host)[0], signal.SIGKILL)


def kill_host(cluster: RayHosts, host: Host) -> None:
    """End all that runs on a host; its kernel tells the others."""
    cluster.hosts.kill_host(host)


def power_off(cluster: RayHosts, host: Host) -> None:
    """Take a host away without a word."""
    cluster.hosts.power_off(host)


def cut_cable(cluster: RayHosts, host: Host) -> None:
    """Let a host be alone, with all that runs on it."""
    cluster.hosts.cut_cable(host)


def kill_part_of_ray(host: Host, name: str) -> None:
    """End one of Ray's own processes on a host: `gcs_server`, which is what makes a head, or `raylet`."""
    found = [pid for pid in host.processes() if _arguments(pid).split(b"\0")[0].endswith(f"/{name}".encode())]
    assert found, f"no {name} on {host.address}"
    for pid in found:
        os.kill(pid, signal.SIGKILL)


def stop_agent(host: Host) -> None:
    """Let the agent of a host hang, with its workers running on."""
    for pid in agents_on(host):
        os.kill(pid, signal.SIGSTOP)


def wake_agent(host: Host) -> None:
    """Let it go on."""
    for pid in agents_on(host):
        os.kill(pid, signal.SIGCONT)


def _arguments(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def _lines(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text().splitlines() if line] if path.exists() else []
