"""What `make bench-prepare` and `make bench-train` share: their options, a run of their jobs, the document of it."""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bench.environment import peer_versions, roomy_folder
from bench.goals import goals_table
from bench.measure import machine_facts
from bench.prepare.work import Figures, Work
from packtrain import __version__

_BUILD: Final = Path(__file__).parents[2] / "build"
_NEEDED_BYTES: Final = 4 << 30

Job = Callable[[Work], tuple[Figures, dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class Benchmark:
    """One benchmark of several jobs.

    Attributes:
        name: "prepare" or "train", as in `make bench-prepare` and build/bench-prepare.json.
        reads: what is read cold from a disk: "shards" or "samples".
        jobs: name -> what gives figures and details.
        goals: figure -> its goal, in the order in which the document has them.
        peer_packages: whose versions are written down.
    """

    name: str
    reads: str
    jobs: Mapping[str, Job]
    goals: Mapping[str, str]
    peer_packages: Sequence[str]


def options(about: str | None, name: str, reads: str, jobs: Iterable[str]) -> argparse.ArgumentParser:
    """Return what reads the command line."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help=f"jobs, with commas between: {', '.join(jobs)}")
    parser.add_argument("--repeats", type=int, default=3, help="rounds (3)")
    parser.add_argument("--scale", type=float, default=1.0, help="of the data (1)")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--work", type=Path, help="folder to work in; else /dev/shm where it is large enough")
    parser.add_argument("--disk", type=Path, default=_BUILD, help=f"for {reads} that are read cold (build)")
    parser.add_argument("--demo-data", type=Path, default=_BUILD / "demo-data")
    parser.add_argument("--peers", type=Path, default=_BUILD / "bench-prepare-peers", help="their environment")
    parser.add_argument("--output", type=Path, default=_BUILD / f"bench-{name}.json")
    return parser


def run(benchmark: Benchmark, given: argparse.Namespace, more_options: str = "") -> None:
    """Run the jobs that the command line asks for, print the figures and write the document.

    Args:
        given: what `options` read.
        more_options: beside those of `options`, as they are typed.

    Raises:
        SystemExit: there is no such job.
    """
    wanted = [name.strip() for name in given.only.split(",") if name.strip()]
    if unknown := set(wanted) - set(benchmark.jobs):
        raise SystemExit(f"no such job: {', '.join(sorted(unknown))}")
    started = time.perf_counter()
    if given.work:
        given.work.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix="packtrain-bench-", dir=given.work or roomy_folder(_NEEDED_BYTES)) as folder,
        tempfile.TemporaryDirectory(prefix="packtrain-bench-", dir=given.disk) as disk,
    ):
        python = given.peers / "bin" / "python"
        work = Work(
            folder=Path(folder),
            disk=Path(disk).resolve(),
            demo_data=given.demo_data.resolve(),
            # Not resolved: the environment is known by the link's own place.
            peers=python.absolute() if python.exists() else None,
            repeats=given.repeats,
            scale=given.scale,
            seed=given.seed,
        )
        document = _document(benchmark, work, wanted)
    document["seconds_in_all"] = round(time.perf_counter() - started)
    # Without the folders of this machine: what somebody else types to repeat it.
    typed = f"--repeats {given.repeats} --scale {given.scale:g}" + (f" --only {given.only}" if given.only else "")
    document["command"] = f'make bench-{benchmark.name} BENCH_ARGS="{typed}{more_options}"'
    given.output.parent.mkdir(parents=True, exist_ok=True)
    given.output.write_text(json.dumps(document, indent=2) + "\n")
    print(f"{document['seconds_in_all']} s in all; written to {given.output}")


def _document(benchmark: Benchmark, work: Work, wanted: Sequence[str]) -> dict[str, Any]:
    machine = machine_facts(work.folder)
    print(", ".join(f"{name}: {value}" for name, value in machine.items()))
    if work.peers is None:
        print("the peers are not installed (scripts/bench_prepare_peers.sh): packtrain alone is measured")
    jobs: dict[str, Any] = {}
    figures: Figures = {}
    for name, job in benchmark.jobs.items():
        if wanted and name not in wanted:
            continue
        started = time.perf_counter()
        try:
            found, details = job(work)
        except (KeyboardInterrupt, SystemExit):
            print(f"ended during {name}: what was measured until then is written")
            work.not_to_be_had += [each for each in benchmark.jobs if each not in jobs and each in (wanted or [each])]
            break
        figures |= found
        jobs[name] = {**details, "seconds_in_all": round(time.perf_counter() - started, 1)}
    print(goals_table(figures, benchmark.goals))
    for name in work.not_to_be_had:
        print(f"not to be had: {name}")
    return {
        **{name: figures.get(name) for name in benchmark.goals},
        "figures": figures,
        "jobs": jobs,
        "machine": machine,
        f"file_system_of_{benchmark.reads}": machine_facts(work.disk)["file_system_of_work"],
        "load_average_after": [round(value, 2) for value in os.getloadavg()],
        "repeats": work.repeats,
        "scale": work.scale,
        "seed": work.seed,
        "versions": {"packtrain": __version__, **peer_versions(work.peers, benchmark.peer_packages)},
        "not_to_be_had": work.not_to_be_had,
    }
