"""`make bench-prepare` on a few files: that it runs, and that its document has what is asked for. No time is judged.

The peers have an environment of their own, which no test makes: their ratios are left out here.
"""

from pathlib import Path

import pytest

from bench_parts import needs_demo_data, run_benchmark

pytestmark = pytest.mark.benchmarks

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


@needs_demo_data
def test_the_benchmark_runs_on_a_small_corpus_and_finds_all_that_is_damaged_in_it(tmp_path: Path) -> None:
    document = run_benchmark("bench_prepare.py", "images,clips,rebuild", tmp_path, ASKED)
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
