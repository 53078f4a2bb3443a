"""`train --engine ray` on hosts that are network namespaces: each fault ends in a next step or a verdict."""

import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from counting_program import weights_after
from netns_hosts import until
from ray_faults import (
    RayTraining,
    kill_host,
    kill_worker,
    make_training,
    power_off,
    stop_agent,
    wake_agent,
    workers_on,
)
from ray_hosts import QUICK, RayHosts, ray_hosts, why_no_cluster

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(500)]

MOST_SECONDS = 60.0


@pytest.fixture(scope="module", autouse=True)
def needed() -> None:
    """Skip where there can be no such hosts; asked when a test is run, for asking makes a host."""
    if (reason := why_no_cluster()) is not None:
        pytest.skip(reason)


@pytest.fixture(scope="module")
def lasting() -> Iterator[RayHosts]:
    """Return a head and two hosts that stay."""
    with ray_hosts(3) as cluster:
        _start_all(cluster)
        yield cluster


def _start_all(cluster: RayHosts, but: int = 0, **more: str) -> None:
    for host in cluster.hosts.hosts[: len(cluster.hosts.hosts) - but]:
        cluster.start(host, num_cpus=0 if host is cluster.head else 1, **(more if host is cluster.head else {}))


def _must_end_well(training: RayTraining, steps: int) -> None:
    code, said = training.finish()
    assert code == 0, said
    assert training.weights() == weights_after(steps)


def test_a_killed_worker_is_restarted_in_place(lasting: RayHosts, tmp_path: Path) -> None:
    training = make_training(lasting, tmp_path, steps=80, slow=0.1, workers=2)
    training.start()
    training.wait_for_steps(5)
    host = lasting.hosts.hosts[2]
    assert training.seconds_to_next_step(lambda: kill_worker(host)) < MOST_SECONDS
    _must_end_well(training, 80)
    first, second = training.attempts()
    assert first["hosts"] == second["hosts"] == [each.address for each in lasting.hosts.hosts[1:]]
    assert first["lost_host"] == host.address
    assert "SIGKILL" in first["reason"]


def test_a_slow_host_is_lost_only_when_it_is_silent_too_long_and_then_writes_nothing(
    lasting: RayHosts, tmp_path: Path
) -> None:
    training = make_training(lasting, tmp_path, steps=250, slow=0.1, silent_seconds=5.0)
    training.start()
    training.wait_for_steps(5)
    host = lasting.hosts.hosts[1]
    stop_agent(host)
    time.sleep(2.5)
    wake_agent(host)
    training.wait_for_steps(training.steps()[-1][1] + 20)
    assert training.attempts() == []
    workers = workers_on(host)
    assert workers
    assert training.seconds_to_next_step(lambda: stop_agent(host)) < MOST_SECONDS
    assert not set(workers) & set(workers_on(host))
    wake_agent(host)
    _must_end_well(training, 250)
    assert training.attempts()[0]["lost_host"] == host.address


def test_a_host_that_is_stopped_for_hardly_less_than_the_patience_costs_no_step_or_an_attempt_and_never_two_runs(
    lasting: RayHosts, tmp_path: Path
) -> None:
    training = make_training(lasting, tmp_path, steps=400, slow=0.1, silent_seconds=5.0, workers=2)
    training.start()
    host = lasting.hosts.hosts[2]
    for seconds in (4.0, 4.4, 4.7, 4.95):
        training.wait_for_steps(3)
        stop_agent(host)
        time.sleep(seconds)
        wake_agent(host)
    _must_end_well(training, 400)
    assert {attempt["lost_host"] for attempt in training.attempts()} <= {host.address, None}


def test_with_the_health_check_of_ray_as_it_comes_our_own_heartbeat_notices_a_host_without_power(
    tmp_path: Path,
) -> None:
    with ray_hosts(3) as cluster:
        cluster.environment = {name: value for name, value in cluster.environment.items() if name not in QUICK}
        _start_all(cluster)
        training = make_training(cluster, tmp_path, steps=250, slow=0.1, silent_seconds=10.0)
        training.start()
        training.wait_for_steps(5)
        assert training.seconds_to_next_step(lambda: power_off(cluster, cluster.hosts.hosts[2])) < MOST_SECONDS
        _must_end_well(training, 250)
        assert training.attempts()[0]["reason"].endswith("it did not answer for 10 s")


def test_hosts_that_die_one_after_the_other_with_rank_0_first(tmp_path: Path) -> None:
    with ray_hosts(5) as cluster:
        _start_all(cluster, but=1)
        _, first, second, third, late = cluster.hosts.hosts
        training = make_training(cluster, tmp_path, steps=600, slow=0.1)
        training.start()
        training.wait_for_steps(5)
        assert training.seconds_to_next_step(lambda: power_off(cluster, first)) < MOST_SECONDS
        cluster.start(late)
        training.wait_for_steps(60)
        assert training.seconds_to_next_step(lambda: kill_host(cluster, second)) < MOST_SECONDS
        _must_end_well(training, 600)
        hosts = [attempt["hosts"] for attempt in training.attempts()]
        assert hosts == [
            [first.address, second.address, third.address],
            [second.address, third.address],
            [third.address, late.address],
        ]
        assert [attempt["lost_host"] for attempt in training.attempts()] == [first.address, second.address, None]


def test_a_lost_head_ends_the_command_with_a_verdict_and_the_same_command_goes_on_with_a_new_one(
    tmp_path: Path,
) -> None:
    with ray_hosts(3) as cluster:
        _start_all(cluster)
        _, first, second = cluster.hosts.hosts
        training = make_training(cluster, tmp_path, steps=500, slow=0.1, driver=first)
        training.start()
        training.wait_for_steps(5)
        begun = time.monotonic()
        kill_host(cluster, cluster.head)
        code, said = training.finish(MOST_SECONDS)
        assert time.monotonic() - begun < MOST_SECONDS
        assert code == 27, said
        assert "head of the Ray cluster is gone" in said
        until(lambda: not workers_on(first) + workers_on(second), 20, "the end of the workers")
        for host in cluster.hosts.hosts:
            kill_host(cluster, host)
        _start_all(cluster)
        done = training.steps()[-1][1]
        training.start()
        training.wait_for_steps(2)
        assert training.steps()[-1][1] > done - 2
        _must_end_well(training, 500)


@pytest.mark.skipif(shutil.which("redis-server") is None, reason="no redis-server (Debian package: redis-server)")
def test_with_redis_a_head_that_comes_back_costs_no_step(tmp_path: Path) -> None:
    with ray_hosts(4) as cluster:
        _, first, second, keeper = cluster.hosts.hosts
        argv = [
            "redis-server",
            "--bind",
            keeper.address,
            "--protected-mode",
            "no",
            "--save",
            "",
            "--dir",
            str(tmp_path),
        ]
        redis = cluster.hosts.start_in(keeper, argv, stdout=subprocess.DEVNULL)
        try:
            state = {"RAY_REDIS_ADDRESS": f"{keeper.address}:6379"}
            _start_all(cluster, but=1, **state)
            training = make_training(cluster, tmp_path / "v", steps=300, slow=0.1, driver=first)
            training.start()
            training.wait_for_steps(5)
            kill_host(cluster, cluster.head)
            cluster.start(cluster.head, num_cpus=0, **state)
            _must_end_well(training, 300)
            print(training.attempts())
            assert len(training.attempts()) == 1
            assert training.attempts()[0]["hosts"] == [first.address, second.address]
        finally:
            redis.kill()
            redis.wait()
