"""How fast and how exact `packtrain prepare` is, beside other engines, readers and formats, in one run.

Prints a table and writes JSON. Rounds are interleaved (every program once, then again), so that noise of the machine
hits all; medians are reported. Corpora are made from one seed out of the demo's real pictures, film and tables; what is
damaged or a duplicate in them is known, and found or not.

    python scripts/bench_prepare.py --only images,clips --repeats 1 --scale 0.1
    python scripts/bench_prepare.py --only crawl --crawl 1000000
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from bench.jobs import Benchmark, Job, options, run
from bench.prepare import media_jobs, report, set_jobs
from bench.prepare.work import Figures, Work

_PEER_PACKAGES: Final = ("daft", "ray", "ImageHash", "pillow", "webdataset", "mosaicml-streaming", "litdata")
_JOBS: Final[Mapping[str, Job]] = {
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
    parser = options(__doc__, "prepare", "shards", _JOBS)
    parser.add_argument(
        "--crawl",
        type=int,
        default=0,
        metavar="FILES",
        help="one job more, crawl: so many tiny files; a million take long",
    )
    given = parser.parse_args()

    def crawl(work: Work) -> tuple[Figures, dict[str, Any]]:
        return set_jobs.crawl(work, given.crawl)

    jobs = {**_JOBS, "crawl": crawl} if given.crawl else _JOBS
    benchmark = Benchmark("prepare", "shards", jobs, report.GOALS, _PEER_PACKAGES)
    run(benchmark, given, f" --crawl {given.crawl}" if given.crawl else "")


if __name__ == "__main__":
    main()
