"""From the figures of `make bench-prepare` to the table, and to the section of docs/benchmarks.md."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

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
}
MORE_GOALS: Final[Mapping[str, str]] = {
    "growth_seconds_per_item_4x_vs_1x": "at most 1.1",
    "growth_seconds_per_item_16x_vs_4x": "at most 1.1",
    "growth_peak_rss_16x_vs_1x": "about 1",
}


def shown(value: float | bool | None) -> str:
    """Return a figure as it is printed."""
    if value is None:
        return "not measured"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,.2f}" if abs(value) < 100 else f"{value:,.0f}"


def goals_table(found: Mapping[str, Any]) -> str:
    """Return the figures beside their goals."""
    lines = [f"{'figure':36} {'here':>12}   goal"]
    for name, goal in {**GOALS, **MORE_GOALS}.items():
        lines.append(f"{name:36} {shown(found.get(name)):>12}   {goal}")
    return "\n".join(lines)


def last_run(document: Mapping[str, Any]) -> str:
    """Return one run as Markdown: machine, figures beside their goals, then each job with its peers."""
    machine, jobs = document["machine"], document["jobs"]
    versions = "; ".join(f"{name} {version}" for name, version in document["versions"].items())
    lines = [
        f"{machine['processor']}, {machine['cores']} cores, {machine['memory_mib']} MiB, Python {machine['python']}, "
        f"work on {machine['file_system_of_work']}, shards read from {document['file_system_of_shards']}; load average "
        f"{machine['load_average'][0]} before, {document['load_average_after'][0]} after; medians of "
        f"{document['repeats']}. Versions: {versions}. Command: `{document['command']}`",
        "",
    ]
    if machine["load_average"][0] > machine["cores"] / 2:
        lines += [
            "**Other work ran on this machine at the same time: these figures are a first idea and no result.**",
            "",
        ]
    lines += ["| figure | here | goal |", "| --- | ---: | --- |"]
    lines += [f"| `{name}` | {shown(document[name])} | {goal} |" for name, goal in {**GOALS, **MORE_GOALS}.items()]
    others = [name for name in document["figures"] if name not in GOALS and name not in MORE_GOALS]
    lines += [f"| `{name}` | {shown(document['figures'][name])} | |" for name in others]
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
