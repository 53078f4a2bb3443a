"""The goals of `make bench-train`, and the way of its figures to the section of docs/benchmarks.md."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from bench.goals import about_run, goals_markdown

GOALS: Final[Mapping[str, str]] = {
    "loader_speed_vs_fastest_peer": "at least 1",
    "overhead_fraction": "below 0.01",
    "weights_identical_after_resume": "yes",
    "worker_kill_seconds": "",
    "compression_ratio_vs_zipnn": "at most 1.03",
}


def last_run(document: Mapping[str, Any]) -> str:
    """Return one run as Markdown: machine, figures beside their goals, then the jobs."""
    jobs = document["jobs"]
    lines = about_run(document, f"samples read from {document['file_system_of_samples']}")
    lines += goals_markdown(document["figures"], GOALS)
    if "loader" in jobs:
        lines += _loader(jobs["loader"])
    if "overhead" in jobs:
        lines += _overhead(jobs["overhead"])
    if "resume" in jobs:
        lines += _resume(jobs["resume"])
    return "\n".join(lines) + "\n"


def _loader(job: Mapping[str, Any]) -> list[str]:
    ways = ("cold", "warm", "decoded", "alone")
    lines = [
        "",
        f"Batches of 32: {job['samples']:,} samples, {job['bytes'] / 1e6:,.0f} MB. Samples a second; in brackets",
    ]
    lines += ["CPU microseconds a sample, of all processes of the loader.", ""]
    lines += ["| loader | order | two processes, cold | warm | warm, decoded | one process, warm |"]
    lines += ["| --- | --- | ---: | ---: | ---: | ---: |"]
    for form, rates in job["samples_per_second"].items():
        orders = dict.fromkeys(name.rpartition("_")[0] for name in rates)
        cpu = job["cpu_microseconds_per_sample"][form]
        for order in orders:
            names = [f"{order}_{way}" for way in ways]
            cells = [f"{rates[name]:,} ({cpu[name]:,.0f})" if name in rates else "" for name in names]
            lines.append(f"| {form} | {order} | {' | '.join(cells)} |")
    ratios = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in job["ratios"].items())
    return [*lines, "", f"packtrain over the fastest that mixes alike, two processes: {ratios}."]


def _overhead(job: Mapping[str, Any]) -> list[str]:
    walls = ", ".join(f"{name} {value} s" for name, value in job["wall_seconds"].items())
    pairs = ", ".join(f"{value:+.4f}" for value in job["fraction_of_each_pair"])
    return [
        "",
        f"Overhead: {job['steps']} steps, 20 a second, two workers: {walls}; pair by pair {pairs}; the supervising "
        f"process took {job['supervisor_cpu_seconds']} CPU seconds.",
    ]


def _resume(job: Mapping[str, Any]) -> list[str]:
    each = "; ".join(f"{name} {', '.join(map(str, seconds))}" for name, seconds in job["seconds"].items())
    return ["", f"Seconds from SIGKILL of a worker to the next step line, {job['world_size']} workers: {each}."]
