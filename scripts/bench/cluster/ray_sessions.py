"""Runs over a Ray cluster: Ray Train's own way, and `packtrain train`."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from bench.cluster.sessions import Session
from netns_hosts import Host
from ray_hosts import RayHosts

_DRIVER: Final = Path(__file__).with_name("ray_train_driver.py")
# Ray Train's own patience with a group of workers that does not come up is 60 s: once for each host that is gone.
QUICK_START: Final = {"RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S": "20"}
_FEWEST: Final = 1
_STARTS_AT_ONCE: Final = 2


@dataclass
class OverRay(Session):
    """A run over a Ray cluster whose first host is the head, without a CPU for workers.

    Attributes:
        cluster: hosts and environment of Ray.
        driver: the host on which the command runs; the head unless it is to be lost.
        command_at: when the command was started first, by the monotonic clock.
    """

    cluster: RayHosts = field(kw_only=True)
    driver: Host = field(kw_only=True)
    command_at: float = 0.0
    goes_on = True

    def start(self) -> None:
        """Start Ray on every host, then the command."""
        self.start_cluster()
        self.command_at = time.monotonic()
        self.start_command()

    def start_cluster(self) -> None:
        """Start Ray on the head, then on the others, some at a time: each start takes seconds of a core."""
        head, *others = self.hosts.hosts
        self.start_ray(head)
        with ThreadPoolExecutor(_STARTS_AT_ONCE) as pool:
            for _ in pool.map(self.start_ray, others):
                pass

    def start_ray(self, host: Host) -> None:
        """Start Ray on a host, with a CPU where workers are to be."""
        num_cpus = int(host not in (self.cluster.head, self.driver))
        try:
            self.cluster.start(host, num_cpus=num_cpus)
        except AssertionError:
            # Ray gives its own processes 30 s, which a busy machine may take.
            _end_ray(host)
            self.cluster.start(host, num_cpus=num_cpus)

    def start_command(self) -> None:
        """Start the command on the driver's host."""
        raise NotImplementedError

    def revive(self) -> None:
        """Bring the lost hosts back, with Ray on them."""
        lost = [*self.lost]
        super().revive()
        for host in lost:
            self.start_ray(host)


def _end_ray(host: Host) -> None:
    """Kill what Ray left on a host, and nothing else: Redis may run there."""
    for process in host.processes():
        with contextlib.suppress(OSError):
            if b"/ray/" in Path(f"/proc/{process}/cmdline").read_bytes():
                os.kill(process, signal.SIGKILL)


class RayTrain(OverRay):
    """Ray Train's TorchTrainer, elastic, over the program as it is."""

    def start_command(self) -> None:
        """Start the driver."""
        most = sum(host not in (self.cluster.head, self.driver) for host in self.hosts.hosts)
        argv = [sys.executable, str(_DRIVER), self.cluster.address, str(_FEWEST), str(most)]
        argv += [str(self.folder / "storage"), *self.arguments()]
        self.start_on(self.driver, "driver", argv, self.cluster.environment)
