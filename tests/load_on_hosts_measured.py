"""How long `load` takes on one, two and four Ray hosts that have the drives of as many groups mounted, in turn.

    python tests/load_on_hosts_measured.py FOLDER [REPEATS]

Prints one JSON object: seconds of each run as the receipt has them (with the start of workers, without Ray's), and
those of a local run. The hosts are namespaces of one machine: its cores, its disk.
"""

import json
import shutil
import sys
from pathlib import Path

from dataset_parts import write_dataset
from loading_parts import LABELS, Arrived, arrive, copy_arrived
from packtrain.documents.placement import PlacedGroup
from packtrain.record.folder import VoyageFolder
from ray_hosts import ray_hosts
from shipment_parts import content
from voyage_papers import tree

NUM_SHARDS = 16
SHARD_BYTES = 500_000  # 8 MB in all: no more is declared by the tests' papers, so this is mostly what hosts cost


def measure(folder: Path, repeats: int) -> dict[str, list[float]]:
    """Return the seconds of each run, by what ran it."""
    # A drive a group, so that each can be on a host of its own.
    groups = tuple(PlacedGroup(k=1, m=0, drives=(label,)) for label in LABELS)
    template = arrive(folder / "voyage", make_dataset=_write_dataset, groups=groups)
    found: dict[str, list[float]] = {}
    for turn in range(repeats):
        alone = copy_arrived(template, folder / f"local-{turn}")
        found.setdefault("local", []).append(round(alone.load().seconds, 1))
        whole = tree(alone.consignee.root / "store")
        shutil.rmtree(alone.root)
        for count in (1, 2, 4):
            site = copy_arrived(template, folder / f"ray-{count}-{turn}")
            found.setdefault(f"ray, {count} hosts", []).append(_on_ray(site, count))
            assert tree(site.consignee.root / "store") == whole
            shutil.rmtree(site.root)
    return found


def _on_ray(site: Arrived, count: int) -> float:
    with ray_hosts(count) as cluster:
        for number, host in enumerate(cluster.hosts.hosts):
            for place, label in enumerate(LABELS):
                if place % count != number:
                    host.hide(site.drive(label))
            cluster.start(host)
        with (site.consignee.root / "voyage.toml").open("a") as stream:
            stream.write(f'\n[site]\nray_address = "{cluster.address}"\n')
        drives = str(site.root / "drives" / "*")
        done = cluster.packtrain("load", "--engine", "ray", drives, "--voyage", str(site.consignee.root))
        assert done.returncode == 0, done.stderr
    receipt = site.consignee.receipt("load")
    assert receipt is not None
    return round(receipt.seconds, 1)


def _write_dataset(folder: VoyageFolder) -> None:
    names = [f"shards/image-{number:06d}.tar" for number in range(NUM_SHARDS)]
    contents = {name: content(SHARD_BYTES, number) for number, name in enumerate(names)}
    write_dataset(folder, {**contents, "index.parquet": content(700, NUM_SHARDS)}, dict.fromkeys(names, 100))


if __name__ == "__main__":
    print(json.dumps(measure(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 3), indent=1))
