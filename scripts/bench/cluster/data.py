"""Data over several hosts of this one machine: written down as measured, its cores are the same for all."""

from __future__ import annotations

import statistics
from typing import Any

import load_on_hosts_measured
import ray_hosts_measured
from bench.prepare.work import Figures, Work, fresh


def prepare(work: Work) -> tuple[Figures, dict[str, Any]]:
    """`packtrain prepare` on one, two and four Ray hosts, and as many local processes."""
    with fresh(work.folder / "prepare") as place:
        found = ray_hosts_measured.measure(place, work.repeats)
    return _figures("prepare", found), {"seconds": found}


def load(work: Work) -> tuple[Figures, dict[str, Any]]:
    """`packtrain load` on one, two and four Ray hosts, and on one without Ray."""
    with fresh(work.folder / "load") as place:
        found = load_on_hosts_measured.measure(place, work.repeats)
    return _figures("load", found), {"seconds": found}


def _figures(name: str, found: dict[str, list[float]]) -> Figures:
    return {
        f"{name}_seconds_{told.replace(', ', '_').replace(' ', '_')}": round(statistics.median(each), 1)
        for told, each in found.items()
    }
