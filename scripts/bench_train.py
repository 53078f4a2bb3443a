"""How fast the loader is, and what supervision, a killed worker and the way home cost, beside others, in one run.

Prints a table and writes JSON. Rounds are interleaved, so that noise of the machine hits all; medians are reported.

    python scripts/bench_train.py --only loader --repeats 1 --scale 0.1
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from bench.jobs import Benchmark, Job, options, run
from bench.measure import Step
from bench.prepare import voyage
from bench.prepare.work import Figures, Work
from bench.train import loader_job, report, run_jobs

_WEIGHTS_JOB: Final = Path(__file__).parent / "bench" / "train" / "weights_job.py"
_PEER_PACKAGES: Final = ("webdataset", "mosaicml-streaming", "litdata", "zipnn", "torch", "pillow")


def weights(work: Work) -> tuple[Figures, dict[str, Any]]:
    """Compress weights, in the peers' environment, which has zipnn."""
    arguments = [str(work.peers or sys.executable), str(_WEIGHTS_JOB), str(work.folder / "weights")]
    arguments += ["--repeats", str(work.repeats)]
    measured = work.measure(Step("weights", arguments, work.folder, voyage.WITH_SCRIPTS))
    found = {} if measured is None else json.loads(measured.output)
    return {"compression_ratio_vs_zipnn": found.get("compression_ratio_vs_zipnn")}, {**found}


_JOBS: Final[Mapping[str, Job]] = {
    "loader": loader_job.loader,
    "overhead": run_jobs.overhead,
    "resume": run_jobs.resume,
    "weights": weights,
}


def main() -> None:
    """Run the benchmark that the command line asks for."""
    given = options(__doc__, "train", "samples", _JOBS).parse_args()
    run(Benchmark("train", "samples", _JOBS, report.GOALS, _PEER_PACKAGES), given)


if __name__ == "__main__":
    main()
