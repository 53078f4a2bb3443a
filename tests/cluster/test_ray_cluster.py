"""`prepare --engine ray` on hosts that are network namespaces: lost, unfit, without a token; and a driver that ends."""

import contextlib
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import packtrain
from hosts_voyage import is_same, nothing_prepared, prepared_here, receipts
from netns_hosts import Host, until
from packtrain.record.folder import VoyageFolder
from ray_hosts import RayHosts, ray_hosts, why_no_cluster

UNITS_BEFORE = 4  # finished before something is taken away: enough to see that they stay, and more are to come
UNITS_SECONDS = 240.0  # against hanging: a busy machine takes more than two minutes

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]


@pytest.fixture(scope="module", autouse=True)
def needed() -> None:
    """Skip where there can be no such hosts; asked when a test is run, for asking makes a host."""
    if (reason := why_no_cluster()) is not None:
        pytest.skip(reason)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with `raw`, and with what a local run makes of it in `voyage`."""
    return prepared_here(tmp_path_factory.mktemp("whole"))


@pytest.fixture
def voyage(whole: Path, tmp_path: Path) -> VoyageFolder:
    """Return a voyage folder over the same sources, with nothing prepared."""
    return nothing_prepared(whole, tmp_path / "voyage", 'engine = "ray"')


@pytest.fixture(scope="module")
def pair() -> Iterator[RayHosts]:
    """Return two hosts with Ray."""
    with ray_hosts(2) as cluster:
        for host in cluster.hosts.hosts:
            cluster.start(host)
        yield cluster


def _command(cluster: RayHosts, folder: VoyageFolder) -> list[str]:
    with (folder.root / "voyage.toml").open("a") as stream:
        stream.write(f'ray_address = "{cluster.address}"\n')
    return ["prepare", str(folder.root)]


def test_a_host_that_loses_power_costs_no_unit_and_changes_no_byte(voyage: VoyageFolder, whole: Path) -> None:
    with ray_hosts(3) as cluster:
        for host in cluster.hosts.hosts:
            cluster.start(host)
        command = _command(cluster, voyage)
        run = cluster.start_packtrain(*command)
        until(lambda: len(receipts(voyage)) >= UNITS_BEFORE, UNITS_SECONDS, "the first units")
        cluster.hosts.power_off(cluster.hosts.hosts[2])
        done_before = receipts(voyage)
        output, told = run.communicate(timeout=240)
        assert run.returncode == 0, told
        assert f"host {cluster.hosts.hosts[2].address} was lost" in told
        assert is_same(voyage, whole)
        done_after = receipts(voyage)
        assert len(done_after) > len(done_before) + 2, "the host was lost when nearly all was done"
        assert {name: done_after[name] for name in done_before} == done_before
        assert not list(voyage.work.rglob("*.part"))
        assert "ray" not in output.lower()
        (voyage.root / "receipts" / "prepare.json").unlink()
        again = cluster.packtrain(*command)
        assert f"units reused       {len(done_after)}" in again.stdout, again.stderr
    assert receipts(voyage) == done_after


def test_a_host_that_does_not_see_the_sources_is_refused_by_name(voyage: VoyageFolder, whole: Path) -> None:
    with ray_hosts(2) as cluster:
        blind = cluster.hosts.hosts[1]
        blind.hide(whole / "raw")
        for host in cluster.hosts.hosts:
            cluster.start(host)
        done = cluster.packtrain(*_command(cluster, voyage))
    assert done.returncode == 26
    assert f"{blind.address}: this host does not see a source" in done.stderr
    assert receipts(voyage) == {}


def test_hosts_that_join_later_get_work_if_they_are_fit(voyage: VoyageFolder, whole: Path) -> None:
    with ray_hosts(3) as cluster:
        head, blind, good = cluster.hosts.hosts
        cluster.start(head)
        run = cluster.start_packtrain(*_command(cluster, voyage))
        until(lambda: receipts(voyage), UNITS_SECONDS, "the first unit")
        blind.hide(whole / "raw")
        cluster.start(good)
        cluster.start(blind)
        until(lambda: _workers(cluster, good), 60, "work for the one that is fit")
        _, told = run.communicate(timeout=240)
    assert run.returncode == 0, told
    assert f"gets no work: {blind.address}: this host does not see a source" in told
    assert is_same(voyage, whole)


def test_a_host_without_packtrain_is_refused_by_name(voyage: VoyageFolder) -> None:
    with ray_hosts(2) as cluster:
        bare = cluster.hosts.hosts[1]
        bare.hide(Path(packtrain.__file__).parent)
        for host in cluster.hosts.hosts:
            cluster.start(host)
        done = cluster.packtrain(*_command(cluster, voyage))
    assert done.returncode == 26
    assert f"{bare.address}: this host cannot run packtrain" in done.stderr


def test_who_has_no_token_is_told_so(pair: RayHosts, voyage: VoyageFolder, tmp_path: Path) -> None:
    other = tmp_path / "token"
    other.write_text("0" * 32)
    command = _command(pair, voyage)
    environment = {**pair.environment, "RAY_AUTH_TOKEN_PATH": str(other)}
    argv = [sys.executable, "-m", "packtrain", *command]
    done = pair.hosts.run_in(pair.head, argv, env=environment, timeout=120)
    assert done.returncode == 27, done.stderr
    assert "token" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_killed_driver_leaves_what_a_second_run_finishes(pair: RayHosts, voyage: VoyageFolder, whole: Path) -> None:
    command = _command(pair, voyage)
    run = pair.start_packtrain(*command)
    until(lambda: len(receipts(voyage)) >= UNITS_BEFORE, UNITS_SECONDS, "the first units")
    os.killpg(run.pid, signal.SIGKILL)
    run.communicate()
    done_before = receipts(voyage)
    again = pair.packtrain(*command)
    assert again.returncode == 0, again.stderr
    assert is_same(voyage, whole)
    done_after = receipts(voyage)
    assert {name: done_after[name] for name in done_before} == done_before
    assert not list(voyage.work.rglob("*.part"))


def test_an_interrupt_ends_it_with_its_code_and_no_work_goes_on(pair: RayHosts, voyage: VoyageFolder) -> None:
    run = pair.start_packtrain(*_command(pair, voyage))
    until(lambda: len(receipts(voyage)) >= UNITS_BEFORE, UNITS_SECONDS, "the first units")
    os.killpg(run.pid, signal.SIGINT)
    _, told = run.communicate(timeout=60)
    assert run.returncode == 130, told
    assert "Traceback" not in told
    until(lambda: not _workers(pair), 30, "tasks to end")
    done = receipts(voyage)
    time.sleep(2)
    assert receipts(voyage) == done


def _workers(cluster: RayHosts, *hosts: Host) -> list[int]:
    """Return the processes of these hosts (default: of all) that are at one of our tasks."""
    found: list[int] = []
    for process in [process for host in hosts or cluster.hosts.hosts for process in host.processes()]:
        with contextlib.suppress(OSError):
            if b"ray::_do" in Path(f"/proc/{process}/cmdline").read_bytes():
                found.append(process)
    return found
