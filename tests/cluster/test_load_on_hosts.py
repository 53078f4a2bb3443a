"""`load --engine ray|slurm` on hosts that are network namespaces, each of which sees its own drives alone."""

import json
from pathlib import Path

import pytest

from loading_parts import LABELS, Arrived, arrive, copy_arrived
from packtrain.documents.placement import PlacedGroup
from ray_hosts import RayHosts, ray_hosts, why_no_cluster
from slurm_node import slurm_node, why_no_slurm
from voyage_papers import tree

PAIRS = (PlacedGroup(k=1, m=1, drives=("A1", "B1")), PlacedGroup(k=1, m=1, drives=("A2", "B2")))

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(400)]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Arrived:
    return arrive(tmp_path_factory.mktemp("voyage"), groups=PAIRS)


@pytest.fixture
def site(template: Arrived, tmp_path: Path) -> Arrived:
    return copy_arrived(template, tmp_path / "site")


def start(cluster: RayHosts, site: Arrived, *mounted: tuple[str, ...]) -> None:
    """Start Ray on all hosts; each but the first sees those drives that it has mounted."""
    for host, labels in zip(cluster.hosts.hosts, mounted, strict=True):
        for label in LABELS:
            if label not in labels:
                host.hide(site.drive(label))
        cluster.start(host)
    with (site.consignee.root / "voyage.toml").open("a") as stream:
        stream.write(f'\n[site]\nray_address = "{cluster.address}"\n')


def load_argv(site: Arrived, engine: str) -> list[str]:
    return ["load", "--engine", engine, str(site.root / "drives" / "*"), "--voyage", str(site.consignee.root), "--json"]


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


def test_slurm_binds_the_share_to_the_node(site: Arrived, template: Arrived, tmp_path: Path) -> None:
    if (reason := why_no_slurm()) is not None:
        pytest.skip(reason)
    alone = copy_arrived(template, tmp_path / "alone")
    alone.load()
    with slurm_node() as node:
        done = node.packtrain(*load_argv(site, "slurm"))
    assert done.returncode == 0, done.stderr
    assert tree(site.consignee.root / "store") == tree(alone.consignee.root / "store")
