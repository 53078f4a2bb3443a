"""How fast and how exact `packtrain prepare` is, beside other engines, readers and formats, in one run.

Prints a table and writes JSON. Rounds are interleaved (every program once, then again), so that noise of the machine
hits all; medians are reported. Corpora are made from one seed out of the demo's real pictures, film and tables; what is
damaged or a duplicate in them is known, and found or not.

    python scripts/bench_prepare.py --only images,clips --repeats 1 --scale 0.1
    python scripts/bench_prepare.py --only crawl --crawl 1000000
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from bench.environment import peer_versions, roomy_folder
from bench.measure import machine_facts
from bench.prepare import media_jobs, report, set_jobs
from bench.prepare.work import Figures, Work
from packtrain import __version__

_ROOT: Final = Path(__file__).parents[1]
_NEEDED_BYTES: Final = 4 << 30
_PEER_PACKAGES: Final = ("daft", "ray", "ImageHash", "pillow", "webdataset", "mosaicml-streaming", "litdata")
_JOBS: Final[dict[str, Callable[[Work], tuple[Figures, dict[str, Any]]]]] = {
    "images": media_jobs.images,
    "clips": media_jobs.clips,
    "csv": media_jobs.csv,
    "near": media_jobs.near,
    "shards": set_jobs.shards,
    "rebuild": set_jobs.rebuild,
    "growth": set_jobs.growth,
}


def main() -> None:
    """Run the benchmark that the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help=f"jobs, with commas between: {', '.join(_JOBS)}, crawl")
    parser.add_argument("--repeats", type=int, default=3, help="rounds (3)")
    parser.add_argument("--scale", type=float, default=1.0, help="of the corpora (1)")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument(
        "--crawl", type=int, default=0, metavar="FILES", help="also so many tiny files: a million take long"
    )
    parser.add_argument("--work", type=Path, help="folder to work in; else /dev/shm where it is large enough")
    parser.add_argument("--disk", type=Path, default=_ROOT / "build", help="for shards that are read cold (build)")
    parser.add_argument("--demo-data", type=Path, default=_ROOT / "build" / "demo-data")
    parser.add_argument("--peers", type=Path, default=_ROOT / "build" / "bench-prepare-peers", help="their environment")
    parser.add_argument("--output", type=Path, default=_ROOT / "build" / "bench-prepare.json")
    given = parser.parse_args()
    wanted = [name.strip() for name in given.only.split(",") if name.strip()]
    if unknown := set(wanted) - {*_JOBS, "crawl"}:
        raise SystemExit(f"no such job: {', '.join(sorted(unknown))}")
    started = time.perf_counter()
    with (
        tempfile.TemporaryDirectory(prefix="packtrain-bench-", dir=given.work or roomy_folder(_NEEDED_BYTES)) as folder,
        tempfile.TemporaryDirectory(prefix="packtrain-bench-", dir=given.disk) as disk,
    ):
        python = given.peers / "bin" / "python"
        work = Work(
            folder=Path(folder),
            disk=Path(disk),
            demo_data=given.demo_data.resolve(),
            # Not resolved: the environment is known by the link's own place.
            peers=python.absolute() if python.exists() else None,
            repeats=given.repeats,
            scale=given.scale,
            seed=given.seed,
        )
        document = _benchmark(work, wanted, given.crawl)
    document["seconds_in_all"] = round(time.perf_counter() - started)
    # Without the folders of this machine: what somebody else types to repeat it.
    options = f"--repeats {given.repeats} --scale {given.scale:g}" + (f" --only {given.only}" if given.only else "")
    options += f" --crawl {given.crawl}" if given.crawl else ""
    document["command"] = f'make bench-prepare BENCH_ARGS="{options}"'
    given.output.parent.mkdir(parents=True, exist_ok=True)
    given.output.write_text(json.dumps(document, indent=2) + "\n")
    print(f"{document['seconds_in_all']} s in all; written to {given.output}")


def _benchmark(work: Work, wanted: list[str], num_crawled: int) -> dict[str, Any]:
    machine = machine_facts(work.folder)
    print(", ".join(f"{name}: {value}" for name, value in machine.items()))
    versions = {"packtrain": __version__, **peer_versions(work.peers, _PEER_PACKAGES)}
    if work.peers is None:
        print("the peers are not installed (scripts/bench_prepare_peers.sh): packtrain alone is measured")
    jobs: dict[str, Any] = {}
    figures: Figures = {}
    for name, job in _JOBS.items():
        if wanted and name not in wanted:
            continue
        started = time.perf_counter()
        found, details = job(work)
        figures |= found
        jobs[name] = {**details, "seconds_in_all": round(time.perf_counter() - started, 1)}
    if num_crawled and (not wanted or "crawl" in wanted):
        found, jobs["crawl"] = set_jobs.crawl(work, num_crawled)
        figures |= found
    asked: dict[str, Any] = {name: figures.get(name) for name in (*report.GOALS, *report.MORE_GOALS)}
    print(report.goals_table(asked))
    for name in figures.keys() - asked.keys():
        print(f"{name}: {report.shown(figures[name])}")
    for name in work.not_to_be_had:
        print(f"not to be had: {name}")
    return {
        **asked,
        "figures": figures,
        "jobs": jobs,
        "machine": machine,
        "file_system_of_shards": machine_facts(work.disk)["file_system_of_work"],
        "load_average_after": [round(value, 2) for value in os.getloadavg()],
        "repeats": work.repeats,
        "scale": work.scale,
        "seed": work.seed,
        "versions": versions,
        "not_to_be_had": work.not_to_be_had,
    }


if __name__ == "__main__":
    main()
