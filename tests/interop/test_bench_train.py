"""`make bench-train` on a few samples: that its jobs run, and its document has what is asked for. No time is judged.

The peers have an environment of their own, which no test makes: their ratios are left out here.
"""

from pathlib import Path

import pytest

from bench_parts import needs_demo_data, run_benchmark

pytestmark = pytest.mark.benchmarks

ASKED = [
    "loader_speed_vs_fastest_peer",
    "overhead_fraction",
    "weights_identical_after_resume",
    "worker_kill_seconds",
    "compression_ratio_vs_zipnn",
]


@pytest.mark.needs_torch
@needs_demo_data
def test_the_benchmark_runs_on_few_samples(tmp_path: Path) -> None:
    document = run_benchmark("bench_train.py", "loader,overhead", tmp_path, ASKED)
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
    document = run_benchmark("bench_train.py", "resume", tmp_path, ASKED)
    assert document["weights_identical_after_resume"] is True
    assert document["worker_kill_seconds"] > 0
