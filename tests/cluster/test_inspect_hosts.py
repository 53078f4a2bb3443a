"""The programs of `inspect` on hosts that are network namespaces: a shut door, a slow link, a host that never comes.

The engine here starts one process on each host, as any engine of many hosts does; what it runs and how it is judged is
what `inspect` runs and judges.
"""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from netns_hosts import Hosts, network_of_hosts, until, why_no_hosts, with_source_tree
from packtrain.documents.inspection import Finding, Inspection
from packtrain.documents.promised_section import PromisedSection
from packtrain.errors import TrainingFailed
from packtrain.events import Sink
from packtrain.ports import AttemptRecord, HostsWanted, TrainingJob, TrainingRun
from packtrain.record.folder import VoyageFolder
from packtrain.training.programs.site import reach
from packtrain.training.site.across import AcrossTask, ReachReport, judge_reach, look_across
from ray_hosts import ray_hosts, why_no_cluster
from site_parts import site_after_load, site_with_miniature
from slurm_node import slurm_node, why_no_slurm

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]
PORT = 29811
NUM_HOSTS = 4


@pytest.fixture(scope="module", autouse=True)
def needed() -> None:
    """Skip where there can be no hosts."""
    if (reason := why_no_hosts()) is not None:
        pytest.skip(reason)


@pytest.fixture
def hosts() -> Iterator[Hosts]:
    """Yield hosts on a switch, whose names are their own."""
    with network_of_hosts(NUM_HOSTS) as made:
        yield made


class EngineOfHosts:
    """Runs one process of a job on each host; `absent` ones are started nowhere."""

    name = "hosts"

    def __init__(self, hosts: Hosts, environment: Mapping[str, str], absent: Sequence[int] = ()) -> None:
        self._hosts, self._environment, self._absent = hosts, environment, absent

    def run(self, job: TrainingJob, sink: Sink) -> TrainingRun:
        """Run the program to its end on all hosts."""
        job.log_folder.mkdir(parents=True, exist_ok=True)
        running: list[subprocess.Popen[str]] = []
        for rank, host in enumerate(self._hosts.hosts):
            if rank in self._absent:
                continue
            contract = {
                "RANK": rank,
                "WORLD_SIZE": len(self._hosts.hosts),
                "LOCAL_RANK": 0,
                "LOCAL_WORLD_SIZE": 1,
                "MASTER_ADDR": self._hosts.hosts[0].address,
                "MASTER_PORT": PORT,
            }
            environment = {**self._environment, **job.environment, **{name: str(v) for name, v in contract.items()}}
            # A host name of its own, as each host has: gloo asks for the address of its name.
            argv = ["unshare", "--uts", "sh", "-c", f'hostname node-{rank + 1}; exec "$@"', "sh", str(job.python)]
            with (job.log_folder / f"attempt-1-rank-{rank}.log").open("w") as log:
                running.append(
                    self._hosts.start_in(
                        host,
                        [*argv, *job.command],
                        env={**environment, "GLOO_SOCKET_IFNAME": "lan0"},
                        stdout=log,
                        stderr=log,
                        cwd=job.program_folder,
                    )
                )
        codes = [process.wait(timeout=200) for process in running]
        if any(codes):
            raise TrainingFailed(f"exit codes {codes}", where=str(job.log_folder))
        return TrainingRun((AttemptRecord(1, 0.0, 1.0, "every worker ended", None),), (), 1.0)


def inspected(hosts: Hosts, folder: Path, absent: Sequence[int] = (), **promised: Any) -> dict[str, list[Any]]:
    import os

    engine = EngineOfHosts(hosts, with_source_tree(os.environ), absent)
    task = AcrossTask(Path(sys.executable), folder, HostsWanted(), 1, False, False, PromisedSection(**promised))
    findings, _ = look_across(task, engine, lambda _: None)
    told: dict[str, list[Any]] = {}
    for one in findings:
        print(one.verdict, one.hosts, one.what, one.found)
        told.setdefault(one.what, []).append(one)
    return told


@pytest.mark.needs_torch
def test_a_host_on_a_slow_link_is_named_and_no_other(hosts: Hosts, tmp_path: Path) -> None:
    if shutil.which("tc") is None:
        pytest.skip("no tc command (Debian package: iproute2)")
    slow = hosts.hosts[2]
    shaped = hosts.run_in(
        slow,
        ["tc", "qdisc", "add", "dev", "lan0", "root", "tbf", "rate", "40mbit", "burst", "32kbit", "latency", "400ms"],
    )
    if shaped.returncode != 0:
        pytest.skip(f"tc cannot slow a link down here: {shaped.stderr.strip()}")
    found = inspected(hosts, tmp_path, allreduce_gb_per_second=0.1)

    assert [one.hosts for one in found["slow hosts"]] == [("node-3",)]
    assert found["slow hosts"][0].verdict == "bad"
    assert (found["sum over all hosts"][0].verdict, found["sum over all hosts"][0].is_promised) == ("bad", True)
    assert "the slowest: node-3, node-4" in found["sum in halves"][0].found
    assert found["connections"][0].verdict == "good"


@pytest.mark.needs_torch
def test_the_command_by_ray_looks_at_each_host_and_names_the_slow_one(tmp_path: Path) -> None:
    if (reason := why_no_cluster()) is not None:
        pytest.skip(reason)
    if shutil.which("tc") is None:
        pytest.skip("no tc command (Debian package: iproute2)")
    folder = site_after_load(tmp_path)["operator"]
    with ray_hosts(4) as cluster:
        head, *others = cluster.hosts.hosts
        for host in cluster.hosts.hosts:
            cluster.start(host, num_cpus=0 if host is head else 1)
        shape = "tc qdisc add dev lan0 root tbf rate 40mbit burst 32kbit latency 400ms"
        if (shaped := cluster.hosts.run_in(others[2], shape.split())).returncode != 0:
            pytest.skip(f"tc cannot slow a link down here: {shaped.stderr.strip()}")
        with (folder.root / "voyage.toml").open("a") as stream:
            stream.write(f'\n[site]\nengine = "ray"\nray_address = "{cluster.address}"\n')
        done = cluster.packtrain("inspect", "--voyage", str(folder.root), "--seconds", "0.2", "--json")

    assert done.returncode == 88, done.stderr
    sheet = folder.read_signed(Inspection)
    assert json.loads(done.stdout)["engine"] == sheet.engine == "ray"
    assert sheet.hosts == tuple(host.address for host in others)
    for what in ("processors", "rate, work"):
        looks = [one for one in sheet.findings if one.what == what]
        assert sorted(one.hosts[0] for one in looks) == sorted(sheet.hosts)
        assert {one.verdict for one in looks} == {"good"}
    # These hosts have one name: the rank tells them apart, which is that of the third.
    [slow] = [one for one in sheet.findings if one.what == "slow hosts"]
    assert slow.verdict == "bad" and [name.rpartition("/")[2] for name in slow.hosts] == ["2"]


def test_a_door_that_is_shut_and_a_host_that_never_came_are_named(
    hosts: Hosts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Of the first host the second one's address leads nowhere: what a firewall of one direction looks like.
    first, second = hosts.hosts[:2]
    blocked = hosts.run_in(first, ["ip", "route", "add", "blackhole", f"{second.address}/32"])
    assert blocked.returncode == 0, blocked.stderr
    monkeypatch.setattr("packtrain.training.site.across._REACH_SECONDS", 8.0)
    found = inspected(hosts, tmp_path, absent=(3,))

    assert found["hosts"][0].verdict == "bad"
    assert "node rank 1, 3 never reached the first" in found["hosts"][0].found


def test_a_shut_door_between_two_that_are_not_the_first_is_named_with_both_ends(hosts: Hosts, tmp_path: Path) -> None:
    blocked = hosts.run_in(hosts.hosts[1], ["ip", "route", "add", "blackhole", f"{hosts.hosts[2].address}/32"])
    assert blocked.returncode == 0, blocked.stderr
    import os

    engine = EngineOfHosts(hosts, with_source_tree(os.environ))
    report = tmp_path / "report.json"
    job = TrainingJob(
        python=Path(sys.executable),
        command=("reach.py", "--report", str(report), "--seconds", "20"),
        program_folder=Path(reach.__file__).parent,
        environment={},
        checkpoints=tmp_path / "checkpoints",
        log_folder=tmp_path / "logs",
        num_workers=1,
    )
    engine.run(job, lambda _: None)
    found = {
        one.what: one
        for one in judge_reach(msgspec.json.decode(report.read_bytes(), type=ReachReport), PromisedSection())
    }

    assert json.loads(report.read_text())["count"] == NUM_HOSTS
    assert found["hosts"].verdict == "good"
    assert found["connections"].verdict == "bad"
    assert "node-2 to node-3" in found["connections"].found
    assert found["clocks"].verdict == "good"


# Its losses are those of the samples, on every rank; each rank waits for all, so that hosts really work together.
TOGETHER = """
import argparse, json, os, pathlib
import torch.distributed as dist
parser = argparse.ArgumentParser()
for name in ("data", "ckpt", "out"):
    parser.add_argument(f"--{name}")
parser.add_argument("--steps", type=int)
given = parser.parse_args()
dist.init_process_group("gloo")
factor = float((pathlib.Path(given.data) / "index.parquet").read_bytes())
for step in range(1, given.steps + 1):
    dist.barrier()
    if dist.get_rank() == 0:
        print(json.dumps({"step": step, "loss": factor * 10 / step, "samples": 3}), flush=True)
pathlib.Path(given.out, f"world-{dist.get_rank()}").write_text(str(dist.get_world_size()))
dist.destroy_process_group()
"""


@pytest.fixture
def consignee(tmp_path: Path) -> VoyageFolder:
    """Return the consignee's folder after load, with a kit, a rehearsal of 4 steps and its miniature."""
    return site_with_miniature(tmp_path, TOGETHER)["consignee"]


def worlds(folder: VoyageFolder) -> dict[str, str]:
    place = folder.work / "inspection" / "miniature" / "results"
    return {path.name: path.read_text() for path in place.glob("world-*")}


def by_name(sheet: Inspection) -> dict[str, list[Finding]]:
    told: dict[str, list[Finding]] = {}
    for one in sheet.findings:
        print(one.verdict, one.hosts, one.what, one.found)
        told.setdefault(one.what, []).append(one)
    return told


@pytest.mark.needs_torch
def test_by_ray_the_miniature_trains_over_the_hosts_and_an_unfit_one_is_a_finding(
    consignee: VoyageFolder,
) -> None:
    if (reason := why_no_cluster()) is not None:
        pytest.skip(reason)
    with ray_hosts(4) as cluster:
        head, first, second, unfit = cluster.hosts.hosts
        unfit.hide(consignee.root)
        for host in cluster.hosts.hosts:
            cluster.start(host, num_cpus=0 if host is head else 1)
        with (consignee.root / "voyage.toml").open("a") as stream:
            stream.write(f'engine = "ray"\nray_address = "{cluster.address}"\n[site.hosts]\nleast = 3\n')
        done = cluster.packtrain("inspect", "--voyage", str(consignee.root), "--seconds", "0.2", "--json")

    assert done.returncode == 88, done.stderr
    sheet = consignee.read_signed(Inspection)
    found = by_name(sheet)
    assert sheet.hosts == (first.address, second.address, unfit.address)
    assert json.loads(done.stdout)["is_fit"] is False
    assert {one.what for one in sheet.faults} == {"host", "name"}  # namespaces have the machine's name
    [fault] = found["host"]
    assert fault.hosts == (unfit.address,)
    assert "does not see the voyage folder" in fault.found and fault.asked == str(consignee.work)
    assert "mount" in fault.remedy
    assert [one.hosts[0] for one in found["processors"]] == [first.address, second.address]
    assert found["hosts"][0].found == "2 hosts"
    assert found["sum over all hosts"][0].verdict == "good"
    [losses] = found["losses of the miniature"]
    assert losses.verdict == "good" and "equal to the last bit" in losses.found
    assert worlds(consignee) == {"world-0": "2", "world-1": "2"}


def test_by_ray_a_host_that_dies_during_the_look_is_named_and_the_rest_is_inspected(consignee: VoyageFolder) -> None:
    if (reason := why_no_cluster()) is not None:
        pytest.skip(reason)
    with ray_hosts(4) as cluster:
        head, *others = cluster.hosts.hosts
        for host in cluster.hosts.hosts:
            cluster.start(host, num_cpus=0 if host is head else 1)
        with (consignee.root / "voyage.toml").open("a") as stream:
            stream.write(f'engine = "ray"\nray_address = "{cluster.address}"\n')
        # Its disk is written for a minute: by the file of its own it is known that its look has begun.
        run = cluster.start_packtrain("inspect", "--voyage", str(consignee.root), "--seconds", "8", "--json")
        until(lambda: len(list(consignee.root.rglob(".packtrain-inspection-*"))) >= 3, 120, "all looks to begin")
        cluster.hosts.power_off(others[2])
        told, said = run.communicate(timeout=280)

    assert run.returncode == 88, said
    sheet = consignee.read_signed(Inspection)
    found = by_name(sheet)
    assert json.loads(told)["finished"] == sheet.finished
    assert [one.hosts for one in found["host"]] == [(others[2].address,)]
    assert "lost" in found["host"][0].found
    assert [one.hosts[0] for one in found["processors"]] == [host.address for host in others[:2]]
    assert found["hosts"][0].found == "2 hosts"
    assert "equal to the last bit" in found["losses of the miniature"][0].found


@pytest.mark.needs_torch
def test_slurm_looks_at_each_node_and_trains_the_miniature_over_those_that_are_fit(consignee: VoyageFolder) -> None:
    if (reason := why_no_slurm()) is not None:
        pytest.skip(reason)
    with slurm_node(3) as slurm:
        # The daemon of the third node starts anew where the voyage folder is not to be seen.
        slurm.kill_slurmd("n3")
        slurm.nodes["n3"].hide(consignee.root)
        slurm.start_slurmd("n3")
        until(lambda: slurm.states() == dict.fromkeys(slurm.nodes, "idle"), 60, "idle nodes")
        with (consignee.root / "voyage.toml").open("a") as stream:
            stream.write('engine = "slurm"\n')
        done = slurm.packtrain("inspect", "--voyage", str(consignee.root), "--seconds", "0.2", "--json")
        assert slurm.tasks() == []

    assert done.returncode == 88, done.stderr
    sheet = consignee.read_signed(Inspection)
    found = by_name(sheet)
    assert (sheet.engine, sheet.hosts) == ("slurm", ("n1", "n2", "n3"))
    # Nobody knows the names of namespaces.
    assert {one.what for one in sheet.faults} == {"host", "name", "names of all hosts"}
    [fault] = found["host"]
    assert (fault.hosts, fault.found) == (("n3",), "tasks end on this host without a word: state FAILED, twice")
    assert str(consignee.root) in fault.asked
    assert [one.hosts for one in found["processors"]] == [("n1",), ("n2",)]
    assert found["hosts"][0].found == "2 hosts"
    assert found["hosts"][0].hosts == ("n1", "n2")
    assert "equal to the last bit" in found["losses of the miniature"][0].found
    assert worlds(consignee) == {"world-0": "2", "world-1": "2"}
