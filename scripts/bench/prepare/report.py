"""The goals of `make bench-prepare`, and the way of its figures to the section of docs/benchmarks.md."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from bench.goals import about_run, goals_markdown

GOALS: Final[Mapping[str, str]] = {
    "image_speed_vs_daft": "at least 1.5",
    "image_speed_vs_ray_data": "at least 3",
    "damaged_found_fraction": "1",
    "image_peak_rss_mib": "at most 500",
    "clip_speed_vs_pyav_loop_per_core": "at least 0.8",
    "csv_speed_vs_duckdb_copy": "at least 0.7",
    "near_dup_recall": "at least 0.98",
    "near_dup_extra_fraction": "at most 0.01",
    "shard_read_vs_webdataset": "at least 1",
    "shard_read_vs_mds": "at least 1",
    "rebuild_identical": "yes",
    "growth_seconds_per_item_4x_vs_1x": "at most 1.1",
    "growth_seconds_per_item_16x_vs_4x": "at most 1.1",
    "growth_peak_rss_16x_vs_1x": "about 1",
}


def last_run(document: Mapping[str, Any]) -> str:
    """Return one run as Markdown: machine, figures beside their goals, then each job with its peers."""
    jobs = document["jobs"]
    places = (
        f"work on {document['machine']['file_system_of_work']}, shards read from {document['file_system_of_shards']}"
    )
    lines = [*about_run(document, places), *goals_markdown(document["figures"], GOALS)]
    for title, job in (("Images", "images"), ("Clips", "clips"), ("CSV", "csv"), ("Growth", "growth")):
        if job in jobs:
            lines += ["", f"{title}: {_about(jobs[job])}.", "", *_measured_table(jobs[job])]
    if rates := jobs.get("shards", {}).get("samples_per_second"):
        about = f"{jobs['shards']['samples']:,} samples, {jobs['shards']['bytes'] / 1e6:,.0f} MB"
        lines += ["", f"Shards, samples a second, one process, nothing decoded: {about}.", ""]
        names = ("sequential_cold", "sequential_warm", "shuffled_cold", "shuffled_warm")
        lines += ["| reader | " + " | ".join(name.replace("_", ", ") for name in names) + " |"]
        lines += ["| --- | ---: | ---: | ---: | ---: |"]
        lines += [f"| {form} | " + " | ".join(f"{of[name]:,}" for name in names) + " |" for form, of in rates.items()]
    return "\n".join(lines) + "\n"


def _about(job: Mapping[str, Any]) -> str:
    parts: list[str] = []
    if isinstance(job.get("files"), int):
        parts.append(f"{job['files']:,} files")
    if "clips" in job:
        parts.append(f"{job['clips']} clips")
    if "bytes" in job:
        parts.append(f"{job['bytes'] / 1e6:,.0f} MB")
    if "planted" in job:
        parts.append("planted: " + ", ".join(f"{number} {name}" for name, number in job["planted"].items()))
    return ", ".join(parts) or "more and more of the same pictures"


def _measured_table(job: Mapping[str, Any]) -> list[str]:
    has_damage = "damaged_found" in job
    lines = ["| | wall s | CPU s | peak MiB |" + (" damaged found | sound set aside | kept |" if has_damage else "")]
    lines.append("| --- | ---: | ---: | ---: |" + (" ---: | ---: | ---: |" if has_damage else ""))
    for name, found in job["medians"].items():
        cells = [f"{found[key]:,.{digits}f}" if key in found else "" for key, digits in _COLUMNS]
        if has_damage:
            cells += [str(job[key].get(name, "")) for key in ("damaged_found", "sound_set_aside", "kept")]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return lines


_COLUMNS: Final = (("wall_seconds", 2), ("cpu_seconds", 2), ("peak_rss_mib", 0))
