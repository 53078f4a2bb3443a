"""The same faults under torchrun and under Ray Train."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final

from bench.cluster.faults import HEAD_LOSS, HOST_KILL, LEADER_LOSS, POWER_OFF, WORKER_KILL, Outcome, campaign, summary
from bench.cluster.ray_sessions import QUICK_START, RayTrain
from bench.cluster.sessions import Session, Torchrun, worker_environment
from bench.prepare.work import Figures, Work, fresh
from netns_hosts import network_of_hosts
from ray_hosts import QUICK, RayHosts, ray_hosts

NUM_WORKER_HOSTS: Final = 3


@contextlib.contextmanager
def torchrun_session(folder: Path) -> Iterator[Session]:
    """Yield a run that is not started; afterwards nothing of it is left."""
    with fresh(folder) as place, network_of_hosts(NUM_WORKER_HOSTS) as hosts:
        session = Torchrun(hosts, place)
        try:
            yield session
        finally:
            session.end()


@contextlib.contextmanager
def ray_train_session(
    folder: Path, packages: Path, settings: Mapping[str, str], *, is_head_apart: bool = False
) -> Iterator[Session]:
    """The same for Ray Train.

    Args:
        packages: what Ray Train needs beside Ray (scripts/bench_cluster_peers.sh).
        settings: of Ray, as variables; without any, its own.
        is_head_apart: the command runs on a host of its own and not on the head.
    """
    with fresh(folder) as place, ray_hosts(1 + NUM_WORKER_HOSTS) as cluster:
        set_environment(cluster, settings)
        cluster.environment["PYTHONPATH"] += f":{packages}"
        driver = cluster.hosts.hosts[int(is_head_apart)]
        session = RayTrain(cluster.hosts, place, cluster=cluster, driver=driver)
        try:
            yield session
        finally:
            session.end()


def set_environment(cluster: RayHosts, settings: Mapping[str, str]) -> None:
    """Give Ray these settings, and its own where there are none."""
    kept = {name: value for name, value in cluster.environment.items() if name not in QUICK}
    cluster.environment = {**worker_environment(kept), **settings}


def torchrun(work: Work) -> tuple[Figures, dict[str, Any]]:
    """Each fault in a run of its own: an agent that was ended is not started again."""
    faults = [WORKER_KILL, HOST_KILL, POWER_OFF, LEADER_LOSS]
    outcomes = campaign("torchrun", faults, lambda: torchrun_session(work.folder / "torchrun"))
    return figures_of("torchrun", summary(outcomes)), {"torchrun": summary(outcomes)}


def ray_train(work: Work) -> tuple[Figures, dict[str, Any]]:
    """With Ray's own settings, and the loss of hosts also with those that packtrain documents."""
    if work.peers is None:
        work.not_to_be_had.append("Ray Train")
        return {}, {}
    packages = next((work.peers.parents[1] / "lib").glob("python*/site-packages"))
    found: dict[str, Any] = {}
    figures: Figures = {}
    quick = {**QUICK, **QUICK_START}
    for name, settings, faults in (
        ("ray_train", {}, [WORKER_KILL, HOST_KILL, POWER_OFF, LEADER_LOSS, HEAD_LOSS]),
        ("ray_train_quick", quick, [POWER_OFF, LEADER_LOSS]),
    ):
        outcomes: list[Outcome] = []
        for of, is_head_apart in (([fault for fault in faults if fault != HEAD_LOSS], False), ([HEAD_LOSS], True)):
            session = partial(
                ray_train_session, work.folder / "ray-train", packages, settings, is_head_apart=is_head_apart
            )
            outcomes += campaign(name, [fault for fault in of if fault in faults], session)
        found[name] = summary(outcomes)
        figures |= figures_of(name, found[name])
    return figures, {**found, "settings_of_ray_train_quick": quick}


def figures_of(name: str, of: Mapping[str, Any]) -> Figures:
    """Return the figures of a launcher: the seconds of each fault, and how many faults it hung on."""
    figures: Figures = {f"{fault}_seconds_of_{name}": each["seconds"] for fault, each in of.items()}
    figures[f"hangs_of_{name}"] = float(sum(each["hangs"] for each in of.values()))
    return figures
