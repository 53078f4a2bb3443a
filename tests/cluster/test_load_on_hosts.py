"""`load --engine ray|slurm` on hosts that are network namespaces, each of which sees its own drives alone."""

import json
import os
from pathlib import Path

import pytest

from load_on_hosts_parts import PAIRS
from loading_parts import LABELS, Arrived, arrive, copy_arrived
from netns_hosts import Host, until
from packtrain.documents.plan import Plan
from packtrain.errors import HostsLost
from packtrain.volume.load_journal import LoadJournal
from ray_hosts import RayHosts, ray_hosts, why_no_cluster
from slurm_node import slurm_node, why_no_slurm
from voyage_papers import tree

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(400)]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Arrived:
    return arrive(tmp_path_factory.mktemp("voyage"), groups=PAIRS)


@pytest.fixture
def site(template: Arrived, tmp_path: Path) -> Arrived:
    return copy_arrived(template, tmp_path / "site")


STOPPED_CODE = """
import os, time
from pathlib import Path
from packtrain import durable


def stop(step):
    if step == "published":
        Path(os.environ["STOPPED_AT"]).touch()
        time.sleep(1000)


durable.observe_steps(stop)
"""


def start_host(cluster: RayHosts, site: Arrived, host: Host, labels: tuple[str, ...], **more: str) -> None:
    """Start Ray on a host that has these drives mounted; `more` goes to its environment."""
    for label in LABELS:
        if label not in labels:
            host.hide(site.drive(label))
    cluster.start(host, 1, **more)


def start(cluster: RayHosts, site: Arrived, *mounted: tuple[str, ...]) -> None:
    """Start Ray on the hosts, in turn; each sees those drives that it has mounted."""
    for host, labels in zip(cluster.hosts.hosts, mounted, strict=False):
        start_host(cluster, site, host, labels)
    with (site.consignee.root / "voyage.toml").open("a") as stream:
        stream.write(f'\n[site]\nray_address = "{cluster.address}"\n')


def load_argv(site: Arrived, engine: str, *more: str) -> list[str]:
    place = str(site.root / "drives" / "*")
    return ["load", "--engine", engine, place, *more, "--voyage", str(site.consignee.root), "--json"]


def needs_ray() -> None:
    if (reason := why_no_cluster()) is not None:
        pytest.skip(reason)


def test_hosts_load_what_one_loads(site: Arrived, template: Arrived, tmp_path: Path) -> None:
    needs_ray()
    alone = copy_arrived(template, tmp_path / "alone")
    alone.load()
    with ray_hosts(3) as cluster:
        start(cluster, site, (), ("A1", "B1"), ("A2", "B2"))
        done = cluster.packtrain(*load_argv(site, "ray"))
    assert done.returncode == 0, done.stderr
    assert tree(site.consignee.root / "store") == tree(alone.consignee.root / "store")
    receipt = site.consignee.receipt("load")
    assert receipt is not None
    assert receipt.counts["drives_lost"] == 0
    assert receipt.facts["hosts"].count("10.77.0.") == 2


def test_a_split_group_is_refused_with_its_moves(site: Arrived) -> None:
    needs_ray()
    with ray_hosts(2) as cluster:
        start(cluster, site, ("A1", "A2", "B2"), ("B1",))
        done = cluster.packtrain(*load_argv(site, "ray"))
    assert done.returncode == 46, done.stderr
    [move] = json.loads(done.stdout or done.stderr)["moves"]
    said = (move["drive"], move["from"][-1], move["to"][-1])
    assert said in (("B1", "2", "1"), ("A1", "1", "2"))
    assert not list((site.consignee.root / "store").glob("[!.]*"))


def test_a_host_without_power_costs_its_share_which_another_host_finishes(
    site: Arrived, template: Arrived, tmp_path: Path
) -> None:
    needs_ray()
    alone = copy_arrived(template, tmp_path / "alone")
    alone.load()
    store = site.consignee.root / "store"
    stopped = tmp_path / "stopped"
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "sitecustomize.py").write_text(STOPPED_CODE)
    with ray_hosts(4) as cluster:
        _, good, bad, other = cluster.hosts.hosts
        start(cluster, site, (), ("A1", "B1"))
        path = os.pathsep.join((str(tmp_path / "code"), cluster.environment["PYTHONPATH"]))
        start_host(cluster, site, bad, ("A2", "B2"), PYTHONPATH=path, STOPPED_AT=str(stopped))
        run = cluster.start_packtrain(*load_argv(site, "ray"))
        until(lambda: stopped.exists() or run.poll() is not None, 120, "the first file of the host that is to be lost")
        cluster.hosts.power_off(bad)
        output, told = run.communicate(timeout=120)
        assert run.returncode == HostsLost.exit_code, told
        assert f"{bad.address} (group " in output + told
        assert f"{good.address} (group " not in output + told
        assert site.consignee.receipt("load") is None
        noted = LoadJournal(
            site.consignee.work / "load" / "journal.jsonl", site.consignee.digest(Plan), str(store)
        ).volumes
        assert noted, "what the other host had to do is done"
        before = {path: path.stat().st_ino for path in store.rglob("*") if path.is_file()}
        start_host(cluster, site, other, ("A2", "B2"))
        again = cluster.packtrain(*load_argv(site, "ray"))
    assert again.returncode == 0, again.stderr
    assert tree(store) == tree(alone.consignee.root / "store")
    published = {path: inode for path, inode in before.items() if ".packtrain-staging" not in path.parts}
    kept = {path for path, inode in published.items() if path.stat().st_ino == inode}
    assert kept, "nothing is read again that was noted"
    receipt = site.consignee.receipt("load")
    assert receipt is not None
    assert other.address in receipt.facts["hosts"]
    assert good.address in receipt.facts["hosts"]
    assert bad.address not in receipt.facts["hosts"]


def test_a_lost_drive_within_survival_is_made_good_on_its_host(
    site: Arrived, template: Arrived, tmp_path: Path
) -> None:
    needs_ray()
    alone = copy_arrived(template, tmp_path / "alone")
    alone.load()
    with ray_hosts(3) as cluster:
        start(cluster, site, (), ("A1", "B1"), ("A2",))
        done = cluster.packtrain(*load_argv(site, "ray", "--without", "B2"))
    assert done.returncode == 0, done.stderr
    assert tree(site.consignee.root / "store") == tree(alone.consignee.root / "store")
    receipt = site.consignee.receipt("load")
    assert receipt is not None
    assert receipt.counts["drives_lost"] == 1


def test_slurm_binds_the_share_to_the_node(site: Arrived, template: Arrived, tmp_path: Path) -> None:
    if (reason := why_no_slurm()) is not None:
        pytest.skip(reason)
    alone = copy_arrived(template, tmp_path / "alone")
    alone.load()
    with (site.consignee.root / "voyage.toml").open("a") as stream:
        stream.write('\n[site]\nslurm_arguments = ["-p", "work"]\n')
    with slurm_node() as node:
        done = node.packtrain(*load_argv(site, "slurm"))
    assert done.returncode == 0, done.stderr
    assert tree(site.consignee.root / "store") == tree(alone.consignee.root / "store")
