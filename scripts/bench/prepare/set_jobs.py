"""The jobs on whole data sets: reading shards beside other formats, rebuilding them, growth, very many small files."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, Final

from PIL import Image

from bench.measure import Measured, Step
from bench.prepare import voyage
from bench.prepare.clips import make_clips
from bench.prepare.pictures import make_pictures
from bench.prepare.work import Figures, Work, bytes_below, fresh, medians, medians_by_name, same_samples

_NUM_SHARD_PICTURES: Final = 3072
_SHARD_BYTES: Final = 32 << 20
_FORMATS: Final = ("packtrain", "webdataset", "mds", "litdata")
_NUM_REBUILT_PICTURES: Final = 256
_NUM_REBUILT_CLIPS: Final = 8
_NUM_GROWTH_PICTURES: Final = 512
_GROWTH_SIDE_PIXELS: Final = 360
_GROWTH: Final = (1, 4, 16)
_FILES_A_FOLDER: Final = 1000
# A table of three lines takes as long as some dozens of tiny pictures (26 ms of CPU time here): a few of them.
_FILES_A_TABLE: Final = 100


def shards(work: Work) -> tuple[Figures, dict[str, Any]]:
    """Read one data set in order and shuffled, cold and warm, by packtrain's loader and by those of other formats."""
    rates: dict[str, dict[str, list[float]]] = {}
    with fresh(work.disk / "shards") as root:
        made = make_pictures(root, work.demo_data, work.scaled(_NUM_SHARD_PICTURES, 128), seed=work.seed)
        ours = voyage.make_voyage(root / "voyage", [made.folder], {"shard_bytes": _SHARD_BYTES})
        work.measure(voyage.prepare_step(ours))
        dataset = ours / "work" / "dataset"
        folders = {"packtrain": dataset, "webdataset": dataset, "mds": root / "mds", "litdata": root / "litdata"}
        written: dict[str, float] = {}
        for form in ("mds", "litdata"):
            step = work.peer_step(
                f"{form}, written", "read_shards.py", "write", form, str(dataset), str(root / form), at=root
            )
            if step is not None and (measured := work.measure(step)) is not None:
                written[form] = round(measured.wall_seconds, 2)
        # Which bytes every reader gave: the same, or the figures compare nothing.
        contents: dict[str, tuple[int, int, str]] = {}
        for _ in range(work.repeats):
            for form in _FORMATS:
                step = _reading(work, form, folders[form], root)
                measured = (
                    work.measure(step) if step is not None and f"{form}, read" not in work.not_to_be_had else None
                )
                if measured is None:
                    continue
                said = json.loads(measured.output.splitlines()[-1])
                contents[form] = (said["samples"], said["bytes"], said["digest"])
                for name, rate in said["rates"].items():
                    rates.setdefault(form, {}).setdefault(name, []).append(rate)
        disk_bytes = {form: bytes_below(folders[form]) for form in rates if form != "webdataset"}
    middle = medians_by_name(rates, 0)
    details = {
        **same_samples(contents),
        "samples_per_second": middle,
        "seconds_to_write": written,
        "disk_bytes": disk_bytes,
    }
    figures: Figures = {f"shard_read_vs_{form}": _least_ratio(middle, form) for form in _FORMATS[1:]}
    return figures, details


def _reading(work: Work, form: str, folder: Path, at: Path) -> Step | None:
    if form != "packtrain":
        return work.peer_step(f"{form}, read", "read_shards.py", "read", form, str(folder), at=at)
    script = str(Path(__file__).with_name("read_shards.py"))
    return Step("packtrain, read", [sys.executable, script, "read", form, str(folder)], at, voyage.ENVIRONMENT)


def _least_ratio(rates: dict[str, dict[str, float]], form: str) -> float | None:
    """Return the smallest of packtrain's rates over the other's: in order, shuffled, cold, warm."""
    if form not in rates or "packtrain" not in rates:
        return None
    return round(min(rates["packtrain"][name] / rates[form][name] for name in rates[form]), 3)


def rebuild(work: Work) -> tuple[Figures, dict[str, Any]]:
    """Prepare the same sources twice, elsewhere and with other workers; compare every file of the data sets."""
    with fresh(work.folder / "rebuild") as root:
        digests: list[dict[str, str]] = []
        for place, num_workers in (("here", 1), ("some/where/else", voyage.CORES + 1)):
            sources = root / place / "sources"
            if digests:
                shutil.copytree(root / "here" / "sources", sources)
            else:
                make_pictures(sources, work.demo_data, work.scaled(_NUM_REBUILT_PICTURES, 64), seed=work.seed)
                make_clips(sources, work.demo_data, work.scaled(_NUM_REBUILT_CLIPS, 2), seed=work.seed)
                shutil.copytree(work.demo_data / "tables", sources / "tables")
            ours = voyage.make_voyage(root / place / "voyage", [sources], {"shard_bytes": 2 << 20, **voyage_recipe()})
            work.measure(voyage.prepare_step(ours, num_workers))
            dataset = ours / "work" / "dataset"
            files = sorted(path for path in dataset.rglob("*") if path.is_file())
            digests.append(
                {str(path.relative_to(dataset)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
            )
    first, second = digests
    differing = sorted(name for name in first.keys() | second.keys() if first.get(name) != second.get(name))
    return {"rebuild_identical": bool(first) and not differing}, {"files": len(first), "differing": differing[:20]}


def voyage_recipe() -> dict[str, object]:
    """Return a recipe that encodes anew: what only copies its sources is the same bytes easily."""
    return voyage.known({"clip_frames": 12, "clip_size_pixels": 64, "image_crop_pixels": 128})


def growth(work: Work) -> tuple[Figures, dict[str, Any]]:
    """Prepare 1, 4 and 16 times as many pictures."""
    found: dict[str, dict[str, float]] = {}
    num_files: dict[str, int] = {}
    for times in _GROWTH:
        with fresh(work.folder / "growth") as root:
            number = work.scaled(_NUM_GROWTH_PICTURES, 16) * times
            made = make_pictures(root, work.demo_data, number, seed=work.seed, side_pixels=_GROWTH_SIDE_PIXELS)
            ours = voyage.make_voyage(root / "voyage", [made.folder], {})
            measured = work.measure(voyage.prepare_step(ours))
            if measured is None:
                return {}, {"files": num_files, "medians": found}
            found[f"{times}x"], num_files[f"{times}x"] = medians([measured]), number
    each = {name: found[name]["wall_seconds"] / num_files[name] for name in found}
    return {
        "growth_seconds_per_item_4x_vs_1x": round(each["4x"] / each["1x"], 3),
        "growth_seconds_per_item_16x_vs_4x": round(each["16x"] / each["4x"], 3),
        "growth_peak_rss_16x_vs_1x": round(found["16x"]["peak_rss_mib"] / found["1x"]["peak_rss_mib"], 3),
    }, {"files": num_files, "medians": found}


def crawl(work: Work, num_files: int) -> tuple[Figures, dict[str, Any]]:
    """Make very many tiny files, PNG and one CSV in a hundred, and prepare them."""
    with fresh(work.disk / "crawl") as root:
        started = time.perf_counter()
        folders = range(-(-num_files // _FILES_A_FOLDER))
        with ProcessPoolExecutor() as pool:
            list(pool.map(_tiny_files, [(root / "sources", folder, num_files) for folder in folders], chunksize=4))
        making_seconds = time.perf_counter() - started
        print(f"{num_files:,} files made in {making_seconds:.0f} s", file=sys.stderr)
        walk = _walk_seconds(root / "sources")
        ours = voyage.make_voyage(root / "voyage", [root / "sources"], {})
        measured: Measured | None = work.measure(voyage.prepare_step(ours))
        samples = 0 if measured is None else voyage.samples_prepared(ours)
        again = None if measured is None else work.measure(voyage.prepare_step(ours))
    return {
        "crawl_seconds": None if measured is None else round(measured.wall_seconds, 1),
        "crawl_peak_rss_mib": None if measured is None else round(measured.peak_bytes / 2**20, 1),
    }, {
        "files": num_files,
        "samples": samples,
        "seconds_to_make": round(making_seconds, 1),
        "seconds_of_os_walk_and_stat": round(walk, 1),
        "seconds_when_nothing_changed": None if again is None else round(again.wall_seconds, 1),
    }


def _tiny_files(job: tuple[Path, int, int]) -> None:
    root, folder, num_files = job
    below = root / f"{folder // 100:03d}" / f"{folder:05d}"
    below.mkdir(parents=True)
    for number in range(folder * _FILES_A_FOLDER, min(num_files, (folder + 1) * _FILES_A_FOLDER)):
        if number % _FILES_A_TABLE == 0:
            (below / f"{number:07d}.csv").write_bytes(b"number,place\n%d,north\n%d,south\n" % (number, number + 1))
            continue
        target = io.BytesIO()
        color = (number & 255, number >> 8 & 255, number >> 16 & 255)
        Image.new("RGB", (8, 8), color).save(target, "PNG")
        (below / f"{number:07d}.png").write_bytes(target.getvalue())


def _walk_seconds(root: Path) -> float:
    started = time.perf_counter()
    for at, _, names in os.walk(root):
        for name in names:
            os.stat(os.path.join(at, name))  # noqa: PTH116, PTH118 - as fast as Python walks
    return time.perf_counter() - started
