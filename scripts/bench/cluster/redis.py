"""The head lost while its state lies in Redis on another host, and brought back: what becomes of a run."""

from __future__ import annotations

import contextlib
import itertools
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bench.cluster.faults import say
from bench.cluster.ours import Packtrain
from bench.cluster.trace import StepLine
from bench.prepare.work import Figures, Work, fresh
from netns_hosts import Host
from ray_hosts import ray_hosts

_PORT: Final = 6380
_AWAY_SECONDS: Final = 15
_WATCHED_SECONDS: Final = 60


@dataclass
class WithRedis(Packtrain):
    """A run whose head keeps its state in Redis, which runs on the driver's host."""

    def start_ray(self, host: Host) -> None:
        """Start Ray; the head with its state in Redis."""
        if host is not self.cluster.head:
            super().start_ray(host)
            return
        plain = self.cluster.environment
        self.cluster.environment = {**plain, "RAY_REDIS_ADDRESS": f"{self.driver.address}:{_PORT}"}
        try:
            super().start_ray(host)
        finally:
            self.cluster.environment = plain

    def start_cluster(self) -> None:
        """Start Redis, then Ray."""
        argv = ["redis-server", "--port", str(_PORT), "--bind", self.driver.address, "--protected-mode", "no"]
        argv += ["--save", "", "--appendonly", "no", "--dir", str(self.folder)]
        with (self.folder / "redis.txt").open("w") as output:
            self.hosts.start_in(self.driver, argv, stdout=output, stderr=output, stdin=subprocess.DEVNULL)
        time.sleep(1)
        super().start_cluster()


def head_with_redis(work: Work) -> tuple[Figures, dict[str, Any]]:
    """Take the head away for some seconds, and tell what the run did meanwhile and afterwards."""
    if shutil.which("redis-server") is None:
        work.not_to_be_had.append("Redis (Debian: redis-server)")
        return {}, {}
    with _session(work.folder / "redis") as session:
        session.start()
        if not session.wait_for_steps():
            raise RuntimeError(f"no first step: {session.verdict()}")
        began = time.monotonic()
        session.hosts.power_off(session.cluster.head)
        say(f"redis: the head is off for {_AWAY_SECONDS} s")
        time.sleep(_AWAY_SECONDS)
        steps_while_away = sum(step.at > began for step in session.trace.steps())
        session.hosts.power_on(session.cluster.head)
        session.start_ray(session.cluster.head)
        back = time.monotonic()
        while time.monotonic() < back + _WATCHED_SECONDS and not session.is_over():
            time.sleep(0.5)
        found: dict[str, Any] = {
            "away_seconds": round(back - began, 1),
            "steps_while_away": steps_while_away,
            "steps_afterwards": sum(step.at > back for step in session.trace.steps()),
            "longest_pause_seconds": longest_pause(session.trace.steps(), began, time.monotonic()),
            "attempts_that_ended": [record["reason"] for record in session.attempts()],
            "verdict": session.verdict() if session.is_over() else "",
        }
    say(f"redis: {found}")
    return {
        "head_loss_redis_longest_pause_seconds": found["longest_pause_seconds"],
        "head_loss_redis_attempts_ended": float(len(found["attempts_that_ended"])),
        "head_loss_redis_run_goes_on": not found["verdict"] and found["steps_afterwards"] > 0,
    }, found


@contextlib.contextmanager
def _session(folder: Path) -> Iterator[WithRedis]:
    with fresh(folder) as place, ray_hosts(4) as cluster:
        session = WithRedis(cluster.hosts, place, cluster=cluster, driver=cluster.hosts.hosts[1])
        try:
            yield session
        finally:
            session.end()


def longest_pause(steps: Sequence[StepLine], began: float, ended: float) -> float:
    """Return the longest time without a step between two moments, in seconds."""
    moments = [began, *(step.at for step in steps if began < step.at < ended), ended]
    return round(max(later - earlier for earlier, later in itertools.pairwise(moments)), 2)
