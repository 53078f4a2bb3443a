"""`make bench-train` on a few samples: that its jobs run, and its document has what is asked for. No time is judged.

The peers have an environment of their own, which no test makes: their ratios are left out here.
"""

import json
import subprocess
import sys
from pathlib import Path

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


@pytest.mark.needs_torch
@pytest.mark.slow
@pytest.mark.skipif(not (DEMO_DATA / "clips").is_dir(), reason="build/demo-data is fetched by `make demo-data`")
def test_the_benchmark_runs_on_few_samples_and_a_killed_run_ends_with_the_same_weights(tmp_path: Path) -> None:
    output = tmp_path / "bench.json"
    arguments = ["--scale", "0.02", "--repeats", "1", "--only", "loader,overhead,resume", "--demo-data", str(DEMO_DATA)]
    places = ["--work", str(tmp_path), "--disk", str(tmp_path), "--peers", str(tmp_path / "none")]
    done = subprocess.run(
        [sys.executable, SCRIPT, *arguments, *places, "--output", output], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    document = json.loads(output.read_text())
    assert list(document)[: len(ASKED)] == ASKED
    assert [name for name in ASKED if document[name] is None] == [
        "loader_speed_vs_fastest_peer",
        "compression_ratio_vs_zipnn",
    ]
    assert document["weights_identical_after_resume"] is True
    assert document["worker_kill_seconds"] > 0
    loader = document["jobs"]["loader"]
    assert loader["same_bytes_from_all"] == ["packtrain", "packtrain-unchecked"]
    assert loader["samples"] > 200
    assert min(loader["samples_per_second"]["packtrain"].values()) > 0
    assert not list(tmp_path.glob("packtrain-bench-*"))
