"""`make bench-cargo` on a few files: that it runs, and that its document has what is asked for. No time is judged."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.benchmarks

SCRIPT = Path(__file__).parents[2] / "scripts" / "bench_cargo.py"
ASKED = [
    "pack_wall_vs_age_par2",
    "pack_wall_vs_fastest_backup",
    "pack_cpu_seconds_per_gb",
    "small_files_per_second",
    "load_wall_vs_fastest_restore",
    "load_degraded_vs_clean",
    "check_vs_sha256_rate",
    "peak_rss_mib",
]


@pytest.mark.needs_age
def test_the_benchmark_runs_on_a_small_corpus_and_brings_everything_back(tmp_path: Path) -> None:
    output = tmp_path / "bench.json"
    arguments = [
        "--bytes",
        "3MB",
        "--small-files",
        "50",
        "--repeats",
        "1",
        "--touch",
        "8MB",
        "--only",
        "packtrain,tar | age",
    ]
    done = subprocess.run(
        [sys.executable, SCRIPT, *arguments, "--work", tmp_path, "--output", output],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    document = json.loads(output.read_text())
    assert list(document)[: len(ASKED)] == ASKED
    measured = [name for name in ASKED if document[name] is not None]
    # The ratios to restic, borg and par2 need these programs.
    assert [name for name in ASKED if name not in measured] == [
        "pack_wall_vs_age_par2",
        "pack_wall_vs_fastest_backup",
        "load_wall_vs_fastest_restore",
    ]
    assert all(document[name] > 0 for name in measured)
    assert document["corpora"]["small files"]["files"] == 50
    assert document["machine"]["cores"] >= 1
    assert "sha_ni" in document["machine"]["flags"]
    assert not list(tmp_path.glob("packtrain-bench-*"))
