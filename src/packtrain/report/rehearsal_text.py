"""The rehearsal's sheet for people: clauses with verdict and evidence, numbers with their units, ranges as ranges."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from packtrain.documents.ready import Clause, Ready
from packtrain.units import format_bytes, format_seconds

_LOW: Final = "_low"
_HIGH: Final = "_high"
_FEW: Final = 0.01
_UNSIGNED: Final = "not signed: something that must be kept was broken or not shown"


def clause_rows(sheet: Ready) -> list[tuple[str, str]]:
    """Return verdict, and clause with its evidence below, of every clause in the sheet's order."""
    return [(part.verdict, f"{_named(part)}\n{part.evidence}") for part in sheet.clauses]


def number_rows(measurements: Mapping[str, float]) -> list[tuple[str, str]]:
    """Return name and value of every number, two of them as one where they are the ends of a range."""
    rows: list[tuple[str, str]] = []
    for name, value in sorted(measurements.items()):
        stem = name.removesuffix(_LOW)
        high = measurements.get(stem + _HIGH)
        if name.endswith(_HIGH) and name.removesuffix(_HIGH) + _LOW in measurements:
            continue
        if stem != name and high is not None:
            low_text, high_text = _spelled(stem, value), _spelled(stem, high)
            rows.append((_label(stem), low_text if low_text == high_text else f"{low_text} to {high_text}"))
        else:
            if stem != name or name + _LOW not in measurements:  # a middle is in its range
                rows.append((_label(name), _spelled(name, value)))
    return sorted(rows)


def verdict_of(sheet: Ready) -> str:
    """Return in a few words whether the sheet says ready to leave."""
    return "ready to leave, signed" if sheet.ready_to_leave else _UNSIGNED


def _named(part: Clause) -> str:
    return f"{part.clause} (optional)" if part.optional else part.clause


_LABELS: Final[Mapping[str, str]] = {
    "checkpoint_bytes": "a checkpoint holds",
    "checkpoint_seconds": "a checkpoint is written in",
    "checkpoint_interval_seconds": "save about every",
    "epoch_days_here": "one pass over the data, on this machine",
    "epoch_days_at_the_site": "one pass over the data, at the site",
    "failures_expected": "failures to expect in the whole training",
    "first_step_seconds": "from start to first step",
    "install_seconds": "installing the kit",
    "load_bytes_per_second": "loading the miniature, rate",
    "load_seconds": "loading the miniature",
    "lost_fraction": "time that failures cost",
    "read_needed_at_the_site_bytes_per_second": "read rate that the training needs, at the site",
    "read_needed_bytes_per_second": "read rate that the training needs",
    "restart_seconds": "from killed worker to next step",
    "run_seconds": "the undisturbed run",
    "step_seconds": "a step",
    "training_days_at_the_site": "the whole training, at the site",
    "training_days_here": "the whole training, on this machine",
    "miniature_bytes": "the miniature holds",
    "worker_memory_bytes": "most memory of a worker",
}


def _label(name: str) -> str:
    for end in (_LOW, _HIGH):
        if name.endswith(end) and name.removesuffix(end) in _LABELS:
            return f"{_LABELS[name.removesuffix(end)]}, {end.removeprefix('_')}"
    if name in _LABELS:
        return _LABELS[name]
    for unit in ("_bytes_per_second", "_seconds", "_bytes", "_fraction"):
        name = name.removesuffix(unit)
    return name.replace("_", " ")


def _spelled(name: str, value: float) -> str:
    if name.endswith("_bytes_per_second"):
        return f"{format_bytes(round(value))}/s"
    if name.endswith("_bytes"):
        return format_bytes(round(value))
    if name.endswith("_seconds"):
        return _duration(value)
    if "_days" in name:
        return _duration(value * 86_400)
    if name == "failures_expected" and value < _FEW:
        return f"under {_FEW}"
    if name.endswith("_fraction"):
        return f"{100 * value:.3g} %"
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def _duration(seconds: float) -> str:
    return f"{1000 * seconds:.2g} ms" if 0 < seconds < 0.0995 else format_seconds(seconds)
