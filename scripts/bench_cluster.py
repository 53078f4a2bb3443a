"""What a lost worker, host, leader or head costs, beside torchrun and Ray Train; many hosts; data over several hosts.

Hosts are network namespaces of this machine: root and iproute2 are needed. Prints a table and writes JSON; what goes
wrong with one job costs its figures and no others.

    python scripts/bench_cluster.py --only faults --repeats 1
    python scripts/bench_cluster.py --quick
"""

from __future__ import annotations

import json
import signal
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path
from types import FrameType
from typing import Any, Final

ROOT: Final = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))  # hosts of our own making are the tests'

from bench.cluster import data, many, ours, peers, redis, report  # noqa: E402
from bench.cluster.faults import one_line  # noqa: E402
from bench.jobs import Benchmark, Job, options, run  # noqa: E402
from bench.prepare.work import Figures, Work  # noqa: E402

_JOBS: Final[Mapping[str, Job]] = {
    "faults": ours.faults,
    "torchrun": peers.torchrun,
    "ray-train": peers.ray_train,
    "simulated": many.simulated,
    "redis": redis.head_with_redis,
    "steady": ours.steady,
    "real": many.real,
    "prepare": data.prepare,
    "load": data.load,
}
_PEER_PACKAGES: Final = ("ray", "torch", "pydantic")


def guarded(name: str, job: Job) -> Job:
    """Return a job that gives no figures, and says why, where it goes wrong."""

    def run_it(work: Work) -> tuple[Figures, dict[str, Any]]:
        try:
            return job(work)
        except Exception as error:  # noqa: BLE001 - the figures of the others are worth more than this one's end
            traceback.print_exc()
            work.not_to_be_had.append(name)
            return {}, {"went_wrong": f"{type(error).__name__}: {one_line(error)}"}

    return run_it


def _end(number: int, _: FrameType | None) -> None:
    sys.exit(128 + number)


def main() -> None:
    """Run the benchmark that the command line asks for."""
    parser = options(__doc__, "cluster", "checkpoints", _JOBS)
    parser.set_defaults(repeats=1, peers=ROOT / "build" / "bench-cluster-peers")
    parser.add_argument("--json", type=Path, dest="output", help="the same as --output")
    parser.add_argument(
        "--quick", action="store_true", help="fewer power-offs, shorter watching, fewer hosts: --scale 0.3"
    )
    given = parser.parse_args()
    if given.quick:
        given.scale = 0.3
    # Ended by a signal it still takes its hosts away, and writes what it measured.
    signal.signal(signal.SIGTERM, _end)
    jobs = {name: guarded(name, job) for name, job in _JOBS.items()}
    run(Benchmark("cluster", "checkpoints", jobs, report.GOALS, _PEER_PACKAGES), given)
    print()
    print(report.last_run(json.loads(given.output.read_text("utf-8"))))


if __name__ == "__main__":
    main()
