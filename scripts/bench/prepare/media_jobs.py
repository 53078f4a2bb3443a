"""The jobs that read pictures, films and tables, each beside its peers."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import statistics
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from bench.measure import Measured, Step
from bench.near_corpus import Planted
from bench.prepare import voyage
from bench.prepare.clips import make_clips
from bench.prepare.pictures import make_pictures
from bench.prepare.work import Figures, Work, fresh, medians, ratio

_NUM_PICTURES: Final = 2048
_PICTURE_SIDE_PIXELS: Final = 256
IMAGE_RECIPE: Final[Mapping[str, object]] = {
    "image_resize_pixels": _PICTURE_SIDE_PIXELS,
    "image_encode": "jpeg",
    "near_duplicates": {"drop": True, "image": "phash"},
}
"""As the peers are asked for; packtrain also drops what it finds alike by phash, where they compute it and no more."""
_PEERS: Final = {"daft": "image_by_daft.py", "ray data": "image_by_ray.py", "process pool": "image_by_pool.py"}

_NUM_CLIPS: Final = 240
_CLIP_SIDE_PIXELS: Final = 64
CLIP_RECIPE: Final[Mapping[str, object]] = {"clip_frames": 12, "clip_size_pixels": _CLIP_SIDE_PIXELS}

_CSV_BYTES: Final = 400_000_000
NEAR_RECIPE: Final[Mapping[str, object]] = {"near_duplicates": {"drop": True, "image": "pdq"}}


def images(work: Work) -> tuple[Figures, dict[str, Any]]:
    """Read, digest, drop duplicates, decode in full, resize, phash, encode, write: all engines on the same files."""
    recipe = voyage.known(IMAGE_RECIPE)
    times: dict[str, list[Measured]] = {}
    found: dict[str, dict[str, Any]] = {}
    with fresh(work.folder / "images") as root:
        pictures = make_pictures(root, work.demo_data, work.scaled(_NUM_PICTURES, 128), seed=work.seed)
        for _ in range(work.repeats):
            with fresh(root / "round") as folder:
                ours = voyage.make_voyage(folder / "voyage", [pictures.folder], recipe)
                measured = work.measure(voyage.prepare_step(ours))
                if measured is not None:
                    times.setdefault("packtrain", []).append(measured)
                    told = voyage.set_aside(ours)
                    found["packtrain"] = {"kept": voyage.samples_prepared(ours), "damaged": sorted(told)}
            for name, script in _PEERS.items():
                with fresh(root / "round") as folder:
                    asked = (str(pictures.folder), str(folder), str(_PICTURE_SIDE_PIXELS))
                    step = work.peer_step(name, script, *asked, at=folder)
                    measured = work.measure(step) if step is not None and name not in work.not_to_be_had else None
                    if measured is not None:
                        times.setdefault(name, []).append(measured)
                        found[name] = json.loads(measured.output.splitlines()[-1])
    middle = {name: medians(each) for name, each in times.items()}
    details: dict[str, Any] = {
        "files": pictures.num_files,
        "bytes": pictures.total_bytes,
        "planted": {
            "duplicates": len(pictures.duplicates),
            "near": len(pictures.near),
            "damaged": len(pictures.damaged),
        },
        "recipe": recipe,
        "recipe_fields_this_version_lacks": sorted(set(IMAGE_RECIPE) - set(recipe)),
        "medians": middle,
        "kept": {name: each["kept"] for name, each in found.items()},
        "damaged_found": {name: len(pictures.damaged.intersection(each["damaged"])) for name, each in found.items()},
        "sound_set_aside": {name: len(set(each["damaged"]) - pictures.damaged) for name, each in found.items()},
    }
    if start := found.get("ray data", {}).get("start_seconds"):
        details["ray_start_seconds"] = round(start, 2)
    ours_found = details["damaged_found"].get("packtrain")
    figures: Figures = {
        "image_speed_vs_daft": ratio(middle.get("daft"), middle.get("packtrain")),
        "image_speed_vs_ray_data": ratio(middle.get("ray data"), middle.get("packtrain")),
        "image_speed_vs_process_pool": ratio(middle.get("process pool"), middle.get("packtrain")),
        "damaged_found_fraction": None if ours_found is None else round(ours_found / len(pictures.damaged), 4),
        "image_peak_rss_mib": max(
            (round(each.peak_bytes / 2**20, 1) for each in times.get("packtrain", [])), default=None
        ),
    }
    return figures, details


def clips(work: Work) -> tuple[Figures, dict[str, Any]]:
    """Cut clips into runs of frames, beside PyAV's plain loop; and keep them as they are, every frame decoded."""
    times: dict[str, list[Measured]] = {}
    recipes: dict[str, Mapping[str, object]] = {"packtrain": CLIP_RECIPE, "packtrain, kept as they are": {}}
    with fresh(work.folder / "clips") as root:
        sources = make_clips(root, work.demo_data, work.scaled(_NUM_CLIPS, 4), seed=work.seed)
        for _ in range(work.repeats):
            loop = [sys.executable, str(Path(__file__).with_name("clips.py")), str(sources), str(_CLIP_SIDE_PIXELS)]
            steps = {"pyav loop": Step("pyav loop", loop, root, {})}
            for name, recipe in recipes.items():
                ours = voyage.make_voyage(root / f"round {name}", [sources], recipe)
                steps[name] = voyage.prepare_step(ours)
            for name, step in steps.items():
                if (measured := work.measure(step)) is not None:
                    times.setdefault(name, []).append(measured)
            for name in recipes:
                shutil.rmtree(root / f"round {name}")
        num_clips, total_bytes = len(list(sources.iterdir())), sum(path.stat().st_size for path in sources.iterdir())
    middle = {name: medians(each) for name, each in times.items()}
    speed, kept = (ratio(middle.get("pyav loop"), middle.get(name)) for name in recipes)
    details = {"clips": num_clips, "bytes": total_bytes, "recipe": CLIP_RECIPE, "medians": middle}
    return {
        "clip_speed_vs_pyav_loop_per_core": None if speed is None else round(speed / voyage.CORES, 3),
        "clips_kept_speed_vs_pyav_loop_per_core": None if kept is None else round(kept / voyage.CORES, 3),
    }, details


def csv(work: Work) -> tuple[Figures, dict[str, Any]]:
    """Prepare CSV files, beside DuckDB's COPY of them to Parquet."""
    from bench import csv_job

    pairs: list[tuple[float, float]] = []
    with fresh(work.folder / "csv") as root:
        sources = root / "sources"
        csv_job.make_csv_set(sources, work.scaled(_CSV_BYTES, 1_000_000), work.seed)
        total_bytes = sum(path.stat().st_size for path in sources.iterdir())
        for _ in range(work.repeats):
            with _environment(voyage.ENVIRONMENT):
                ours = csv_job.packtrain_seconds(sources)
            pairs.append((ours, csv_job.duckdb_seconds(sources)))
            print(f"csv: packtrain {pairs[-1][0]:.2f} s, duckdb {pairs[-1][1]:.2f} s", file=sys.stderr)
    ours, theirs = (statistics.median(each) for each in zip(*pairs, strict=True))
    details = {
        "bytes": total_bytes,
        "medians": {"packtrain": {"wall_seconds": round(ours, 3)}, "duckdb copy": {"wall_seconds": round(theirs, 3)}},
    }
    return {"csv_speed_vs_duckdb_copy": round(theirs / ours, 3)}, details


@contextlib.contextmanager
def _environment(added: Mapping[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update(added)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def near(work: Work) -> tuple[Figures, dict[str, Any]]:
    """Prepare pictures with planted near duplicates; judge what was dropped for what by the data set's own table."""
    from bench import near_corpus

    recipe = voyage.known(NEAR_RECIPE)
    nothing: Figures = {"near_dup_recall": None, "near_dup_extra_fraction": None}
    if not recipe:
        return nothing, {"not_measured_because": "this version of packtrain drops no near duplicates"}
    with fresh(work.folder / "near") as root:
        sources = root / "sources"
        sources.mkdir()
        planted = list(near_corpus.near_corpus(work.demo_data))
        for picture in planted:
            (sources / picture.name).write_bytes(picture.content)
        ours = voyage.make_voyage(root / "voyage", [sources], recipe)
        measured = work.measure(voyage.prepare_step(ours))
        if measured is None:
            return nothing, {"not_measured_because": "prepare failed"}
        rows = voyage.table(ours, "drops.parquet")
    number = {picture.name: place for place, picture in enumerate(planted)}
    # "source" is the folder's label and the name below it.
    instead = {
        number[row["source"].partition("/")[2]]: number[row["kept_source"].partition("/")[2]]
        for row in rows
        if row["reason"] in ("near-duplicate", "duplicate")
    }
    if not instead:
        return nothing, {"not_measured_because": "nothing was dropped"}
    found = near_corpus.judge(planted, _with_originals_kept(planted, instead))
    details = {
        "pictures": len(planted),
        "planted": found.num_planted,
        "missed": dict(found.missed),
        "recipe": recipe,
        "medians": {"packtrain": medians([measured])},
    }
    return {"near_dup_recall": round(found.recall, 4), "near_dup_extra_fraction": round(found.extra, 4)}, details


def _with_originals_kept(planted: Sequence[Planted], instead: Mapping[int, int]) -> dict[int, int]:
    """Return the same finding as if of each group the original had been kept.

    `prepare` keeps the one with most pixels, which a copy may be. A copy that was kept, its original dropped for it, is
    found as well as the other way about.
    """
    original_of = {
        kept: dropped
        for dropped, kept in instead.items()
        if not planted[dropped].change and planted[kept].change and planted[dropped].base == planted[kept].base
    }
    turned = {dropped: original_of.get(kept, kept) for dropped, kept in instead.items()}
    turned |= original_of
    return {dropped: kept for dropped, kept in turned.items() if dropped != kept}
