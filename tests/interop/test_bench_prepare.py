"""`make bench-prepare` on a few files: that it runs, and that its document has what is asked for. No time is judged.

The peers have an environment of their own, which no test makes: their ratios are left out here.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "scripts" / "bench_prepare.py"
DEMO_DATA = ROOT / "build" / "demo-data"
ASKED = [
    "image_speed_vs_daft",
    "image_speed_vs_ray_data",
    "damaged_found_fraction",
    "image_peak_rss_mib",
    "clip_speed_vs_pyav_loop_per_core",
    "csv_speed_vs_duckdb_copy",
    "near_dup_recall",
    "near_dup_extra_fraction",
    "shard_read_vs_webdataset",
    "shard_read_vs_mds",
    "rebuild_identical",
]


@pytest.mark.skipif(not (DEMO_DATA / "clips").is_dir(), reason="build/demo-data is fetched by `make demo-data`")
def test_the_benchmark_runs_on_a_small_corpus_and_finds_all_that_is_damaged_in_it(tmp_path: Path) -> None:
    output = tmp_path / "bench.json"
    arguments = ["--scale", "0.02", "--repeats", "1", "--only", "images,clips,rebuild", "--demo-data", str(DEMO_DATA)]
    places = ["--work", str(tmp_path), "--disk", str(tmp_path), "--peers", str(tmp_path / "none")]
    done = subprocess.run(
        [sys.executable, SCRIPT, *arguments, *places, "--output", output], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    document = json.loads(output.read_text())
    assert list(document)[: len(ASKED)] == ASKED
    assert [name for name in ASKED if document[name] is not None] == [
        "damaged_found_fraction",
        "image_peak_rss_mib",
        "clip_speed_vs_pyav_loop_per_core",
        "rebuild_identical",
    ]
    images = document["jobs"]["images"]
    assert images["planted"]["damaged"] >= 3
    assert document["damaged_found_fraction"] == 1
    assert images["sound_set_aside"] == {"packtrain": 0}
    assert document["rebuild_identical"] is True
    assert document["jobs"]["rebuild"]["files"] > 5
    assert not list(tmp_path.glob("packtrain-bench-*"))
