"""`prepare --dry-run`: some files are read by the real readers, in a folder that is removed; what all give is forecast.

Nothing is written into the voyage folder. Where there are no more files than asked for all of them are read, and the
numbers are no forecast: they are what `prepare` will write, but for the seconds.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

from packtrain.dataset import work_units
from packtrain.dataset.kinds.registry import KIND_NAMES
from packtrain.dataset.recipe import check_recipe
from packtrain.dataset.survey import Survey, survey
from packtrain.dataset.trial_sample import Estimate, Layer, Layers, draw, layer_of, share, total
from packtrain.dataset.unit_reader import read_unit
from packtrain.dataset.work_units import ReadJob, UnitReceipt
from packtrain.documents.dataset import Kind
from packtrain.errors import DriveFull, NothingToCarry, VoyageFileError
from packtrain.events import Progress, Sink, discard
from packtrain.ports import JobMapper
from packtrain.record.folder import VoyageFolder
from packtrain.stages.prepare import ground
from packtrain.stages.prepare.fitting import capacity_bytes
from packtrain.stages.prepare.ground import STAGE, Given, Places
from packtrain.units import format_bytes

_ROOM: Final = 4
"""So many times the bytes of the sources must be free: tables and frames take more room than the files they are in."""


@dataclass(frozen=True, slots=True)
class KindForecast:
    """What all files of one kind become.

    Attributes:
        num_files, num_read: of this kind in all, and those that were read.
        samples, bytes: that are kept; exact duplicates and filters count as far as they show among what was read.
        rejects: share of the files that is set aside, 0 to 1.
    """

    kind: Kind
    num_files: int
    num_read: int
    samples: Estimate
    bytes: Estimate
    rejects: Estimate


@dataclass(frozen=True, slots=True)
class TrialForecast:
    """The whole forecast.

    Attributes:
        is_exact: everything was read.
        source_bytes, read_bytes: of all files, and of those that were read.
        hours: with `num_workers` processes on this machine.
        capacity_bytes: what the planned drives hold beside their parity; None where nothing is planned.
        max_reject_rate: at which `prepare` stops.
        first_rejects: a few of what was set aside, with the reason.
    """

    is_exact: bool
    num_files: int
    num_read: int
    source_bytes: int
    read_bytes: int
    kinds: tuple[KindForecast, ...]
    samples: Estimate
    bytes: Estimate
    hours: Estimate
    num_workers: int
    capacity_bytes: int | None
    max_reject_rate: float
    first_rejects: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain values."""
        return asdict(self)


def trial(folder: VoyageFolder, num_wanted: int, mapper: JobMapper, num_workers: int, sink: Sink) -> TrialForecast:
    """Return what `prepare` will make of the sources, from reading some of them.

    Args:
        folder: the consignor's voyage folder.
        num_wanted: about how many files to read; of each kind and size two at least.
        mapper: reads the files.
        num_workers: workers like one of this machine's, as `prepare` would have them.
        sink: takes progress.

    Raises:
        MissingDependency, VoyageFileError, SourceUnreadable, SourceChanged: see `prepare`.
        NothingToCarry: there is no file to read.
        DriveFull: the folder for temporary files is too small for what would be read.
    """
    ground.require_extra()
    recipe = folder.voyage_file().prepare
    check_recipe(recipe, str(folder.root / "voyage.toml"))
    section = folder.voyage_file().sources
    if section is not None and section.form != "files":
        raise VoyageFileError(
            "a dry run reads single files",
            where=str(folder.root / "voyage.toml"),
            expected='form = "files"',
            found=f'form = "{section.form}"',
            hint="shards that are adopted, and a folder carried as it is, travel as large as they are",
        )
    sources = ground.open_sources(folder)
    held_out = ground.held_out(folder)
    with tempfile.TemporaryDirectory(prefix="packtrain-dry-run-") as name:
        places = Places(folder)
        places.work, places.dataset = Path(name) / "work", Path(name) / "dataset"
        seen = survey(sources, recipe.kinds, places.work, held_out.names)
        if not seen.num_files:
            raise NothingToCarry("no table, image or clip in the sources", hint="correct [sources] paths, or kinds")
        given = Given(places, sources, seen, recipe, mapper, retry=False, sink=discard, withdrawn=held_out)
        return _forecast(given, num_wanted, max(num_workers, 1), sink)


@dataclass(frozen=True, slots=True)
class _Read:
    """One file that was read: what came of it, and how long it took."""

    layer: Layer
    receipt: UnitReceipt
    seconds: float


def _forecast(given: Given, num_wanted: int, num_workers: int, sink: Sink) -> TrialForecast:
    from packtrain.dataset.selection import Selection

    seen, places = given.seen, given.places
    layers = Layers.of(seen.files())
    chosen = draw(seen.files(), layers.shares(num_wanted), given.recipe.seed)
    read_bytes = sum(file.size_bytes for _, file in chosen)
    _refuse_small(places.work, read_bytes)
    read = list(_read_all(given, chosen, sink))
    kept: dict[str, tuple[int, int]] = {}
    with Selection([places.units.samples(each.receipt.unit) for each in read], places.spill, given.recipe) as selection:
        selection.settle()
        for row in selection.kept():
            if not row["withdrawn"]:
                number, size = kept.get(row["source"], (0, 0))
                kept[row["source"]] = number + 1, size + row["blob_bytes"]
        factors, write_seconds = _written(given, selection, kept, {each.receipt.sources[0].name: each for each in read})
    samples: dict[Layer, list[float]] = {}
    sizes: dict[Layer, list[float]] = {}
    seconds: dict[Layer, list[float]] = {}
    for each in read:
        number, size = kept.get(each.receipt.sources[0].name, (0, 0))
        samples.setdefault(each.layer, []).append(number)
        sizes.setdefault(each.layer, []).append(size * factors.get(each.layer[0], 1.0))
        seconds.setdefault(each.layer, []).append(each.seconds)
    num_files = layers.num_files
    all_bytes = total(sizes, num_files)
    # Shards are written in as many processes as sources are read in; here it was one.
    written = sum(sum(values) for values in sizes.values())
    writing = all_bytes.times(write_seconds / written if written else 0.0)
    reading = total(seconds, num_files)
    per_hour = 3600 * num_workers
    return TrialForecast(
        is_exact=len(read) == seen.num_files,
        num_files=seen.num_files,
        num_read=len(read),
        source_bytes=seen.total_bytes,
        read_bytes=read_bytes,
        kinds=tuple(
            _of_kind(kind, seen, read, samples, sizes, num_files) for kind in KIND_NAMES if kind in seen.num_of_kind
        ),
        samples=total(samples, num_files),
        bytes=all_bytes,
        hours=Estimate(
            (reading.low + writing.low) / per_hour,
            (reading.likely + writing.likely) / per_hour,
            (reading.high + writing.high) / per_hour,
        ),
        num_workers=num_workers,
        capacity_bytes=capacity_bytes(places.folder),
        max_reject_rate=given.recipe.max_reject_rate,
        first_rejects=_first_rejects(read),
    )


def _of_kind(
    kind: Kind,
    seen: Survey,
    read: list[_Read],
    samples: dict[Layer, list[float]],
    sizes: dict[Layer, list[float]],
    num_files: dict[Layer, int],
) -> KindForecast:
    own = [each for each in read if each.layer[0] == kind]
    lost = sum(record.lost for each in own for record in each.receipt.sources)
    return KindForecast(
        kind=kind,
        num_files=seen.num_of_kind[kind],
        num_read=len(own),
        samples=total({layer: values for layer, values in samples.items() if layer[0] == kind}, num_files),
        bytes=total({layer: values for layer, values in sizes.items() if layer[0] == kind}, num_files),
        rejects=share(lost, len(own), seen.num_of_kind[kind]),
    )


_warm: Final[dict[Kind, float]] = {}
"""In this process, by kind: what a unit costs that has no file in it."""


def _timed(job: ReadJob) -> tuple[UnitReceipt, float]:
    """Read one file as a unit; return the receipt, and the seconds that the file took beside what a unit costs."""
    kind = job.unit.kind
    if kind not in _warm:
        # The first file of a kind waits for its libraries to be loaded, which happens once and not for each file.
        _seconds_of(job)
        bare = replace(job, unit=replace(job.unit, unit_id=f"{'0' * 56}{os.getpid():08x}", files=()))
        _warm[kind] = min(_seconds_of(bare) for _ in range(3))
    seconds = max(_seconds_of(job) - _warm[kind], 0.0)
    receipt = work_units.finished(job.folder, job.unit.unit_id)
    assert receipt is not None
    return receipt, seconds


def _seconds_of(job: ReadJob) -> float:
    # Or a unit that was read once would be taken for done.
    job.folder.receipt(job.unit.unit_id).unlink(missing_ok=True)
    started = time.monotonic()
    read_unit(job)
    return time.monotonic() - started


def _read_all(given: Given, chosen: list[tuple[Kind, Any]], sink: Sink) -> Iterable[_Read]:
    """Yield what came of each file; a unit of its own each, so that its seconds are known."""

    def jobs() -> Iterable[ReadJob]:
        for pair in chosen:
            (unit,) = work_units.slice_sources([pair], given.recipe, 1)
            yield ReadJob(unit, given.sources, given.recipe, given.places.units, withdrawn=given.withdrawn.digests)

    reading = given.mapper.map(_timed, jobs(), work_units.without_the_source_it_died_of)
    with contextlib.closing(reading):
        for number, (job, (receipt, seconds)) in enumerate(reading, 1):
            sink(Progress(STAGE, "reading a sample", done_items=number, total_items=len(chosen), unit="files"))
            yield _Read(layer_of(job.unit.kind, job.unit.files[0]), receipt, seconds)


def _written(
    given: Given, selection: Any, kept: dict[str, tuple[int, int]], read: dict[str, _Read]
) -> tuple[dict[str, float], float]:
    """Write the shards of what was read; return by kind their bytes for each byte of media, and the seconds it took."""
    from packtrain.stages.prepare import writing

    num_kept = sum(number for number, _ in kept.values())
    if not num_kept:
        return {}, 0.0
    started = time.monotonic()
    shards, _ = writing.write_set(given, selection.kept(), num_kept, "trial/")
    seconds = time.monotonic() - started
    media: dict[str, int] = {}
    for name, (_, size) in kept.items():
        kind = read[name].receipt.kind
        media[kind] = media.get(kind, 0) + size
    written: dict[str, int] = {}
    for shard in shards:
        written[shard.kind] = written.get(shard.kind, 0) + shard.bytes
    return {kind: written[kind] / size for kind, size in media.items() if size}, seconds


def _first_rejects(read: list[_Read]) -> tuple[str, ...]:
    told = [
        f"{reject.path}{f' {reject.place}' if reject.place else ''}: {reject.error}"
        for each in read
        for reject in each.receipt.rejects
    ]
    return tuple(told[:3])


def _refuse_small(folder: Path, read_bytes: int) -> None:
    free = shutil.disk_usage(folder).free
    if read_bytes * _ROOM > free:
        raise DriveFull(
            "not enough room for a dry run",
            where=str(folder),
            expected=f"{format_bytes(read_bytes * _ROOM)}",
            found=f"{format_bytes(free)} free",
            hint="set TMPDIR to a folder on a larger disk, or give --sample a smaller number",
        )
