"""The head of a Ray cluster, or the driver's own host, is lost in every way: a verdict or a next step in a minute."""

import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from counting_program import weights_after
from netns_hosts import Host, until
from ray_faults import RayTraining, cut_cable, kill_part_of_ray, make_training, power_off, workers_on
from ray_hosts import RayHosts, ray_hosts, why_no_cluster

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(500)]

MOST_SECONDS = 60.0


@pytest.fixture(scope="module", autouse=True)
def needed() -> None:
    """Skip where there can be no such hosts; asked when a test is run, for asking makes a host."""
    if (reason := why_no_cluster()) is not None:
        pytest.skip(reason)


@pytest.fixture
def cluster() -> Iterator[RayHosts]:
    """Return a head, the host of the driver, and one for workers: it alone has a CPU for Ray."""
    with ray_hosts(3) as cluster:
        for host in cluster.hosts.hosts:
            cluster.start(host, num_cpus=int(host.number > 2))
        yield cluster


def _train(cluster: RayHosts, tmp_path: Path, steps: int = 600) -> tuple[RayTraining, Host, list[Host]]:
    """Start a training; return it, the host of its command, and those of its workers."""
    _, driver, *others = cluster.hosts.hosts
    training = make_training(cluster, tmp_path / "v", steps=steps, slow=0.1, driver=driver)
    training.start()
    training.wait_for_steps(5)
    return training, driver, others


def _must_end_with_a_verdict(training: RayTraining, hosts: list[Host], fault: Callable[[], None]) -> str:
    begun = time.monotonic()
    fault()
    try:
        code, said = training.finish(MOST_SECONDS)
    except BaseException:
        _dump_stacks(training)
        raise
    assert time.monotonic() - begun < MOST_SECONDS
    assert code == 27, said
    until(lambda: not [pid for host in hosts for pid in workers_on(host)], 20, "the end of the workers")
    return said


def _dump_stacks(training: RayTraining) -> None:
    """Print where the command hangs, if there is a tool for it, and end it."""
    assert training.process is not None
    tool = shutil.which("py-spy")
    if tool is not None:
        os.system(f"{tool} dump --pid {training.process.pid}")
    os.killpg(training.process.pid, signal.SIGKILL)


def test_a_head_without_power_ends_the_command_with_a_verdict(cluster: RayHosts, tmp_path: Path) -> None:
    training, _, others = _train(cluster, tmp_path)
    said = _must_end_with_a_verdict(training, others, lambda: power_off(cluster, cluster.head))
    assert "head of the Ray cluster is gone" in said


def test_a_head_that_works_too_and_is_missed_as_a_worker_first_ends_it_as_well(tmp_path: Path) -> None:
    with ray_hosts(3) as cluster:
        for host in cluster.hosts.hosts:
            cluster.start(host, num_cpus=int(host.number != 2))
        _, driver, other = cluster.hosts.hosts
        training = make_training(cluster, tmp_path / "v", steps=600, slow=0.1, driver=driver, silent_seconds=2.5)
        training.start()
        training.wait_for_steps(5)
        _must_end_with_a_verdict(training, [other], lambda: power_off(cluster, cluster.head))


def test_a_head_whose_server_of_the_cluster_is_killed_ends_the_command_too(cluster: RayHosts, tmp_path: Path) -> None:
    training, _, others = _train(cluster, tmp_path)
    said = _must_end_with_a_verdict(training, others, lambda: kill_part_of_ray(cluster.head, "gcs_server"))
    assert "head of the Ray cluster is gone" in said


def test_a_head_that_loses_its_raylet_alone_costs_no_step(cluster: RayHosts, tmp_path: Path) -> None:
    training, _, _ = _train(cluster, tmp_path, steps=300)
    kill_part_of_ray(cluster.head, "raylet")
    code, said = training.finish()
    assert code == 0, said
    assert training.weights() == weights_after(300)
    assert len(training.attempts()) == 1


def test_a_driver_whose_host_loses_its_cable_ends_and_so_do_the_workers(cluster: RayHosts, tmp_path: Path) -> None:
    training, driver, others = _train(cluster, tmp_path)
    _must_end_with_a_verdict(training, others, lambda: cut_cable(cluster, driver))
