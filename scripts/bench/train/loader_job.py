"""Batches by packtrain's loader, and by those of other formats, of the same samples."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from bench.measure import Step
from bench.prepare import voyage
from bench.prepare.pictures import make_pictures
from bench.prepare.work import NO_TELEMETRY, Figures, Work, bytes_below, fresh, medians_by_name, same_samples

_SCRIPTS: Final = Path(__file__).parents[2]
_READER: Final = Path(__file__).with_name("read_batches.py")
_NUM_PICTURES: Final = 3072
_SHARD_BYTES: Final = 8 << 20  # WebDataset shuffles whole shards and deals them to processes: it needs some
_FORMS: Final = ("packtrain", "packtrain-unchecked", "files", "webdataset", "mds", "litdata")
_PEERS: Final = _FORMS[2:]
# Who mixes how. "random": any sample of the whole set may come next. "block": shards are permuted, and samples within a
# window of 1,000 (WebDataset), a chunk (LitData), a block (mosaicml-streaming), 4,096 (packtrain).
_CLASSES: Final[Mapping[str, tuple[str, Mapping[str, str]]]] = {
    "sequential": ("sequential", {form: "sequential" for form in _PEERS}),
    "random": ("random", {"files": "shuffled"}),
    "block": ("block", {form: "shuffled" for form in ("webdataset", "mds", "litdata")}),
}


def loader(work: Work) -> tuple[Figures, dict[str, Any]]:
    """Read one data set in batches of 32: in order, mixed, cold, warm; with two processes, with none, and decoding."""
    rates: dict[str, dict[str, list[float]]] = {}
    cpu_us: dict[str, dict[str, list[float]]] = {}
    contents: dict[str, tuple[int, int, str]] = {}
    with fresh(work.disk / "loader") as root:
        made = make_pictures(root, work.demo_data, work.scaled(_NUM_PICTURES, 256), seed=work.seed)
        ours = voyage.make_voyage(root / "voyage", [made.folder], {"shard_bytes": _SHARD_BYTES})
        work.measure(voyage.prepare_step(ours))
        dataset = ours / "work" / "dataset"
        folders = {"packtrain": dataset, "packtrain-unchecked": dataset, "webdataset": dataset}
        for form in ("mds", "litdata"):
            folders[form] = root / form
            _at_peers(
                work, f"{form}, written", "bench.prepare.read_shards", "write", form, str(dataset), str(root / form)
            )
        folders["files"] = root / "files"
        _at_peers(work, "files, written", "bench.train.read_batches", "extract", str(dataset), str(root / "files"))
        for number in range(work.repeats):
            sections = "content,bytes,alone,decode" if number == 0 else "bytes,alone"
            for form in _FORMS:
                # What is decoded takes a hundred times as long as to check it: once is enough.
                without = ",decode" if form == "packtrain-unchecked" else ""
                said = _read(work, form, folders[form], sections.removesuffix(without))
                if said is None:
                    continue
                if "digest" in said:
                    contents[form] = (said["samples"], said["bytes"], said["digest"])
                for kind, found in (("rates", rates), ("cpu_us", cpu_us)):
                    for name, value in said[kind].items():
                        found.setdefault(form, {}).setdefault(name, []).append(value)
        disk_bytes = {form: bytes_below(folders[form]) for form in rates}
    middle, lean = medians_by_name(rates, 0), medians_by_name(cpu_us, 1)
    ratios = _ratios(middle, "packtrain", ("cold", "warm"))
    details = {
        **same_samples(contents),
        "samples_per_second": middle,
        "cpu_microseconds_per_sample": lean,
        "disk_bytes": disk_bytes,
        "ratios": ratios,
    }
    unchecked = {"packtrain": middle.get("packtrain-unchecked", {}), **{form: middle.get(form, {}) for form in _PEERS}}
    leaner = {form: {name: 1 / value for name, value in of.items() if value} for form, of in lean.items()}
    figures: Figures = {
        "loader_speed_vs_fastest_peer": _least(ratios),
        "loader_unchecked_vs_fastest_peer": _least(_ratios(unchecked, "packtrain", ("cold", "warm"))),
        "loader_decoding_vs_fastest_peer": _least(_ratios(middle, "packtrain", ("decoded",))),
        "loader_one_process_vs_fastest_peer": _least(_ratios(middle, "packtrain", ("alone",))),
        "loader_least_cpu_of_peers_vs_ours": _least(_ratios(leaner, "packtrain", ("warm",))),
    }
    return figures, details


def _read(work: Work, form: str, folder: Path, sections: str) -> dict[str, Any] | None:
    if form in _PEERS:
        measured = _at_peers(work, f"{form}, read", "bench.train.read_batches", form, str(folder), sections)
    else:
        arguments = [sys.executable, str(_READER), form, str(folder), sections]
        measured = work.measure(Step(f"{form}, read", arguments, work.disk, voyage.WITH_SCRIPTS))
    return None if measured is None else json.loads(measured.output.splitlines()[-1])


def _at_peers(work: Work, label: str, module: str, *arguments: str) -> Any:
    """Run a script of the bench in the peers' environment; None where there is none, or where it failed before."""
    if work.peers is None or label in work.not_to_be_had:
        return None
    environment = {**NO_TELEMETRY, "PYTHONPATH": str(_SCRIPTS)}
    return work.measure(Step(label, [str(work.peers), "-m", module, *arguments], work.disk, environment))


def _ratios(rates: Mapping[str, Mapping[str, float]], ours: str, ways: Iterable[str]) -> dict[str, float]:
    """Return by order and way how many times faster ours is than the fastest that mixes alike."""
    found: dict[str, float] = {}
    for name, (own_order, peers) in _CLASSES.items():
        for way in ways:
            theirs = [
                rate for form, order in peers.items() if (rate := rates.get(form, {}).get(f"{order}_{way}")) is not None
            ]
            own = rates.get(ours, {}).get(f"{own_order}_{way}")
            if own is not None and theirs:
                found[f"{name}_{way}"] = round(own / max(theirs), 3)
    return found


def _least(ratios: Mapping[str, float]) -> float | None:
    return min(ratios.values(), default=None)
