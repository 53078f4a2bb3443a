"""How long `prepare` takes on one, two and four Ray hosts, of one CPU each, in turn.

    python tests/ray_hosts_measured.py FOLDER [REPEATS]

Prints one JSON object: seconds of each run as the receipt has them (with the start of workers, without Ray's), and
those of a local run with as many processes. The hosts are namespaces of one machine: its cores, its disk.
"""

import json
import sys
import time
from pathlib import Path

from hosts_voyage import is_same, nothing_prepared, prepared_here
from packtrain.engines.processes import ProcessMapper
from packtrain.stages.prepare import prepare
from ray_hosts import ray_hosts
from source_parts import ignore


def measure(folder: Path, repeats: int) -> dict[str, list[float]]:
    """Return the seconds of each run, by what ran it."""
    whole = prepared_here(folder / "whole")
    found: dict[str, list[float]] = {}
    for turn in range(repeats):
        for count in (1, 2, 4):
            voyage = nothing_prepared(whole, folder / f"local-{count}-{turn}", "")
            started = time.monotonic()
            prepare(voyage, ProcessMapper(count), ignore)
            found.setdefault(f"local, {count} processes", []).append(round(time.monotonic() - started, 1))
            found.setdefault(f"ray, {count} hosts", []).append(_on_ray(whole, folder / f"ray-{count}-{turn}", count))
    return found


def _on_ray(whole: Path, place: Path, count: int) -> float:
    voyage = nothing_prepared(whole, place, 'engine = "ray"')
    with ray_hosts(count) as cluster:
        for host in cluster.hosts.hosts:
            cluster.start(host)
        with (voyage.root / "voyage.toml").open("a") as stream:
            stream.write(f'ray_address = "{cluster.address}"\n')
        done = cluster.packtrain("prepare", str(voyage.root))
        assert done.returncode == 0, done.stderr
    assert is_same(voyage, whole)
    receipt = voyage.receipt("prepare")
    assert receipt is not None
    return round(receipt.seconds, 1)


if __name__ == "__main__":
    print(json.dumps(measure(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 3), indent=1))
