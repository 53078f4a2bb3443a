"""Figures beside their goals, as lines and as Markdown; and the first lines of a run on docs/benchmarks.md."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def shown(value: float | bool | None) -> str:
    """Return a figure as it is printed: small fractions with the digits that they are judged by."""
    if value is None:
        return "not measured"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float) and 0 < abs(value) < 0.1:
        return f"{value:.4f}"
    return f"{value:,.2f}" if abs(value) < 100 else f"{value:,.0f}"


def goals_table(figures: Mapping[str, Any], goals: Mapping[str, str]) -> str:
    """Return the figures beside their goals, then the others."""
    lines = [f"{'figure':36} {'here':>12}   goal"]
    lines += [
        f"{name:36} {shown(figures.get(name)):>12}   {goals.get(name, '')}".rstrip() for name in _all(figures, goals)
    ]
    return "\n".join(lines)


def goals_markdown(figures: Mapping[str, Any], goals: Mapping[str, str]) -> list[str]:
    """Return the same as the lines of a Markdown table."""
    lines = ["| figure | here | goal |", "| --- | ---: | --- |"]
    return lines + [
        f"| `{name}` | {shown(figures.get(name))} | {goals.get(name, '')} |" for name in _all(figures, goals)
    ]


def about_run(document: Mapping[str, Any], places: str) -> list[str]:
    """Return machine, load, day, versions and command of a run, and a warning where other work ran beside it.

    Args:
        document: what `bench.jobs` wrote.
        places: on which file systems it worked, in words.
    """
    machine = document["machine"]
    versions = "; ".join(f"{name} {version}" for name, version in document["versions"].items())
    return [
        f"{machine['processor']}, {machine['cores']} cores, {machine['memory_mib']} MiB, Python {machine['python']}, "
        f"{places}; load average {machine['load_average'][0]} before, {document['load_average_after'][0]} after; "
        f"medians of {document['repeats']}; {machine['day']}. Versions: {versions}. Command: `{document['command']}`",
        "",
        *busy(machine),
    ]


def busy(machine: Mapping[str, Any]) -> list[str]:
    """Return a warning where more than half of the cores had work when the run began."""
    if machine["load_average"][0] <= machine["cores"] / 2:
        return []
    return ["**Other work ran on this machine at the same time: these figures are a first idea and no result.**", ""]


def _all(figures: Mapping[str, Any], goals: Mapping[str, str]) -> list[str]:
    return [*goals, *(name for name in figures if name not in goals)]
