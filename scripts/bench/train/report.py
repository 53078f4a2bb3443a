"""From the figures of `make bench-train` to the table, and to the section of docs/benchmarks.md."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from bench.prepare.report import shown

GOALS: Final[Mapping[str, str]] = {
    "loader_speed_vs_fastest_peer": "at least 1",
    "overhead_fraction": "below 0.01",
    "weights_identical_after_resume": "yes",
    "worker_kill_seconds": "",
    "compression_ratio_vs_zipnn": "at most 1.03",
}


def figure(value: float | bool | None) -> str:
    """Return a figure as it is printed: small fractions with the digits that they are judged by."""
    return f"{value:.4f}" if isinstance(value, float) and abs(value) < 0.1 else shown(value)


def goals_table(found: Mapping[str, Any]) -> str:
    """Return the figures beside their goals, then the others."""
    lines = [f"{'figure':36} {'here':>12}   goal"]
    for name in (*GOALS, *(name for name in found if name not in GOALS)):
        lines.append(f"{name:36} {figure(found.get(name)):>12}   {GOALS.get(name, '')}".rstrip())
    return "\n".join(lines)


def last_run(document: Mapping[str, Any]) -> str:
    """Return one run as Markdown: machine, figures beside their goals, then the jobs."""
    machine, jobs = document["machine"], document["jobs"]
    versions = "; ".join(f"{name} {version}" for name, version in document["versions"].items())
    lines = [
        f"{machine['processor']}, {machine['cores']} cores, {machine['memory_mib']} MiB, Python {machine['python']}, "
        f"samples read from {document['file_system_of_samples']}; load average {machine['load_average'][0]} before, "
        f"{document['load_average_after'][0]} after; medians of {document['repeats']}. Versions: {versions}. "
        f"Command: `{document['command']}`",
        "",
    ]
    if machine["load_average"][0] > machine["cores"] / 2:
        lines += [
            "**Other work ran on this machine at the same time: these figures are a first idea and no result.**",
            "",
        ]
    figures = document["figures"]
    lines += ["| figure | here | goal |", "| --- | ---: | --- |"]
    lines += [
        f"| `{name}` | {figure(figures.get(name))} | {GOALS.get(name, '')} |"
        for name in (*GOALS, *(name for name in figures if name not in GOALS))
    ]
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
