"""How fast the loader is, and what supervision, a killed worker and the way home cost, beside others, in one run.

Prints a table and writes JSON. Rounds are interleaved, so that noise of the machine hits all; medians are reported.

    python scripts/bench_train.py --only loader --repeats 1 --scale 0.1
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from bench.environment import peer_versions, roomy_folder
from bench.measure import Step, machine_facts
from bench.prepare import voyage
from bench.prepare.work import Figures, Work
from bench.train import loader_job, report, run_jobs
from packtrain import __version__

_ROOT: Final = Path(__file__).parents[1]
_NEEDED_BYTES: Final = 4 << 30
_WEIGHTS_JOB: Final = _ROOT / "scripts" / "bench" / "train" / "weights_job.py"
_PEER_PACKAGES: Final = ("webdataset", "mosaicml-streaming", "litdata", "zipnn", "torch", "pillow")


def weights(work: Work) -> tuple[Figures, dict[str, Any]]:
    """Compress weights, where this version has the code that does; in the peers' environment, which has zipnn."""
    if not _WEIGHTS_JOB.exists():
        print("weights: not built")
        return {}, {"is_built": False}
    environment = {"PYTHONPATH": os.pathsep.join([str(_ROOT / "scripts"), voyage.ENVIRONMENT["PYTHONPATH"]])}
    arguments = [str(work.peers or sys.executable), str(_WEIGHTS_JOB), str(work.folder / "weights")]
    arguments += ["--repeats", str(work.repeats)]
    measured = work.measure(Step("weights", arguments, work.folder, environment))
    found = {} if measured is None else json.loads(measured.output)
    return {"compression_ratio_vs_zipnn": found.get("compression_ratio_vs_zipnn")}, {"is_built": True, **found}


_JOBS: Final[dict[str, Callable[[Work], tuple[Figures, dict[str, Any]]]]] = {
    "loader": loader_job.loader,
    "overhead": run_jobs.overhead,
    "resume": run_jobs.resume,
    "weights": weights,
}


def main() -> None:
    """Run the benchmark that the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help=f"jobs, with commas between: {', '.join(_JOBS)}")
    parser.add_argument("--repeats", type=int, default=3, help="rounds (3)")
    parser.add_argument("--scale", type=float, default=1.0, help="of the data (1)")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--work", type=Path, help="folder to work in; else /dev/shm where it is large enough")
    parser.add_argument("--disk", type=Path, default=_ROOT / "build", help="for samples that are read cold (build)")
    parser.add_argument("--demo-data", type=Path, default=_ROOT / "build" / "demo-data")
    parser.add_argument("--peers", type=Path, default=_ROOT / "build" / "bench-prepare-peers", help="their environment")
    parser.add_argument("--output", type=Path, default=_ROOT / "build" / "bench-train.json")
    given = parser.parse_args()
    wanted = [name.strip() for name in given.only.split(",") if name.strip()]
    if unknown := set(wanted) - set(_JOBS):
        raise SystemExit(f"no such job: {', '.join(sorted(unknown))}")
    started = time.perf_counter()
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
        document = _benchmark(work, wanted)
    document["seconds_in_all"] = round(time.perf_counter() - started)
    # Without the folders of this machine: what somebody else types to repeat it.
    options = f"--repeats {given.repeats} --scale {given.scale:g}" + (f" --only {given.only}" if given.only else "")
    document["command"] = f'make bench-train BENCH_ARGS="{options}"'
    given.output.parent.mkdir(parents=True, exist_ok=True)
    given.output.write_text(json.dumps(document, indent=2) + "\n")
    print(f"{document['seconds_in_all']} s in all; written to {given.output}")


def _benchmark(work: Work, wanted: list[str]) -> dict[str, Any]:
    machine = machine_facts(work.folder)
    print(", ".join(f"{name}: {value}" for name, value in machine.items()))
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
    asked: dict[str, Any] = {name: figures.get(name) for name in report.GOALS}
    print(report.goals_table({**asked, **figures}))
    for name in work.not_to_be_had:
        print(f"not to be had: {name}")
    return {
        **asked,
        "figures": figures,
        "jobs": jobs,
        "machine": machine,
        "file_system_of_samples": machine_facts(work.disk)["file_system_of_work"],
        "load_average_after": [round(value, 2) for value in os.getloadavg()],
        "repeats": work.repeats,
        "scale": work.scale,
        "seed": work.seed,
        "versions": {"packtrain": __version__, **peer_versions(work.peers, _PEER_PACKAGES)},
        "not_to_be_had": work.not_to_be_had,
    }


if __name__ == "__main__":
    main()
