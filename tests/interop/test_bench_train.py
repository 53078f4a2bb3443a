"""`make bench-train` on a few samples: that its jobs run, and its document has what is asked for. No time is judged.

The peers have an environment of their own, which no test makes: their ratios are left out here.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "scripts" / "bench_train.py"
DEMO_DATA = ROOT / "build" / "demo-data"
ASKED = [
    "loader_speed_vs_fastest_peer",
    "overhead_fraction",
    "weights_identical_after_resume",
    "worker_kill_seconds",
    "compression_ratio_vs_zipnn",
]


needs_demo_data = pytest.mark.skipif(
    not (DEMO_DATA / "clips").is_dir(), reason="build/demo-data is fetched by `make demo-data`"
)


def run(tmp_path: Path, jobs: str) -> dict[str, Any]:
    output = tmp_path / "bench.json"
    arguments = ["--scale", "0.02", "--repeats", "1", "--only", jobs, "--demo-data", str(DEMO_DATA)]
    places = ["--work", str(tmp_path), "--disk", str(tmp_path), "--peers", str(tmp_path / "none")]
    done = subprocess.run(
        [sys.executable, SCRIPT, *arguments, *places, "--output", output], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    document: dict[str, Any] = json.loads(output.read_text())
    assert list(document)[: len(ASKED)] == ASKED
    assert not list(tmp_path.glob("packtrain-bench-*"))
    return document


@pytest.mark.needs_torch
@needs_demo_data
def test_the_benchmark_runs_on_few_samples(tmp_path: Path) -> None:
    document = run(tmp_path, "loader,overhead")
    assert [name for name in ASKED if document[name] is not None] == ["overhead_fraction"]
    loader = document["jobs"]["loader"]
    assert loader["same_bytes_from_all"] == ["packtrain", "packtrain-unchecked"]
    assert loader["samples"] > 200
    assert min(loader["samples_per_second"]["packtrain"].values()) > 0


# Eleven processes that import torch: that a killed run ends with the same weights, tests/crash shows in `make test`.
@pytest.mark.needs_torch
@pytest.mark.full_size
@needs_demo_data
def test_a_killed_run_of_the_benchmark_ends_with_the_same_weights(tmp_path: Path) -> None:
    document = run(tmp_path, "resume")
    assert document["weights_identical_after_resume"] is True
    assert document["worker_kill_seconds"] > 0
