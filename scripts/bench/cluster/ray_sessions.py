"""Runs over a Ray cluster: Ray Train's own way, and `packtrain train`."""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from netns_hosts import Host, Hosts
from ray_hosts import RayHosts

from bench.cluster.sessions import PROGRAM, Session, worker_environment

_DRIVER: Final = Path(__file__).with_name("ray_train_driver.py")
# Ray Train's own patience with a group of workers that does not come up is 60 s: once for each host that is gone.
QUICK_START: Final = {"RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S": "20"}
_FEWEST: Final = 1


@dataclass
class OverRay(Session):
    """A run over a Ray cluster whose first host is the head, without a CPU for workers.

    Attributes:
        cluster: hosts and environment of Ray.
        driver: the host on which the command runs; the head unless it is to be lost.
    """

    cluster: RayHosts = field(kw_only=True)
    driver: Host = field(kw_only=True)
    goes_on = True

    def start(self) -> None:
        """Start Ray on every host, then the command."""
        for host in self.hosts.hosts:
            self.start_ray(host)
        self.start_command()

    def start_ray(self, host: Host) -> None:
        """Start Ray on a host, with a CPU where workers are to be."""
        self.cluster.start(host, num_cpus=int(host not in (self.cluster.head, self.driver)))

    def start_command(self) -> None:
        """Start the command on the driver's host."""
        raise NotImplementedError

    def revive(self) -> None:
        """Bring the lost hosts back, with Ray on them."""
        lost = [*self.lost]
        super().revive()
        for host in lost:
            self.start_ray(host)


class RayTrain(OverRay):
    """Ray Train's TorchTrainer, elastic, over the program as it is."""

    def start_command(self) -> None:
        """Start the driver."""
        most = sum(host not in (self.cluster.head, self.driver) for host in self.hosts.hosts)
        argv = [sys.executable, str(_DRIVER), self.cluster.address, str(_FEWEST), str(most)]
        argv += [str(self.folder / "storage"), *self.arguments()]
        self.start_on(self.driver, "driver", argv, self.cluster.environment)
