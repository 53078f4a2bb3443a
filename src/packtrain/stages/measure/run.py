"""The measurement as a whole: what is measured, where, in which order; and what of it is refused before it begins."""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
import stat
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from packtrain import __version__
from packtrain.documents.measurement import Machine, MeasuredFolder, Measurement, Work
from packtrain.errors import DriveFailed, DriveFull, PacktrainError
from packtrain.events import Notice, Progress, Sink
from packtrain.ports import Bench, Drive, Store
from packtrain.record.receipts import instant
from packtrain.stages.measure.drives import Asked, Candidate, look_at, measure_alone
from packtrain.stages.measure.folders import measure_source, measure_store
from packtrain.stages.measure.machine import CORE_SECONDS, core_rates
from packtrain.stages.measure.meter import STAGE
from packtrain.stages.measure.subject import Subject
from packtrain.stages.measure.together import measure_together
from packtrain.stages.measure.trial import sweep
from packtrain.stages.measure.work import ROOM, SMALLEST_SET_BYTES, measure_work
from packtrain.units import MIB, counted, format_bytes
from packtrain.volume.formatting import refuse_duplicates

_BUSY_PART: Final = 0.4
_PREFIX: Final = "packtrain-measure-"
_MEMORY: Final = Path("/dev/shm")  # noqa: S108 - a folder of our own is made in it


@dataclass(frozen=True, slots=True)
class World:
    """What measuring needs of the world: drives, stores, and what the machine says of itself."""

    open_drive: Callable[[Path], Drive]
    open_store: Callable[[Path], Store]
    bench: Bench


def measure(subject: Subject, world: World, sink: Sink) -> Measurement:
    """Measure all of it, one thing after the other; nothing that was there is touched, and nothing is left.

    Raises:
        DriveMissing, DuplicateDrive: of drives that were named, or of source and store.
        DriveFull: a drive that was named has no room for it.
        DriveInUse: another measurement is running on one of them.
        DriveFailed: no drive could be measured at all.
    """
    started = time.monotonic()
    with _on_cores(subject.cores) as num_cores, contextlib.ExitStack() as held:
        asked = Asked(subject.total_bytes, subject.seconds, num_cores)
        opened = _open(subject, world, sink)
        for folder in (*(one.location for one in opened.values()), *filter(None, (subject.store,))):
            held.enter_context(world.bench.hold(Path(folder)))
            _sweep(Path(folder), world, sink)
        candidates = _look(opened, subject, world, sink)
        machine = _machine(subject, world, sink, num_cores)
        drives = [measure_alone(one, world.bench, asked, sink) for one in candidates]
        if subject.is_named and drives and not any(one.write or one.read for one in drives):
            raise DriveFailed("no drive could be measured", found="; ".join(f"{d.name}: {d.problem}" for d in drives))
        together = measure_together(candidates, drives, world.bench, asked, sink)
        source = measure_source(subject.sources, world.bench, asked, sink) if subject.sources else None
        store = _store(subject, world, sink, asked)
    return Measurement(
        made=instant(),
        seconds=round(time.monotonic() - started, 3),
        machine=machine,
        drives=tuple(drives),
        together=together,
        source=source,
        store=store,
    )


def candidates_of(subject: Subject, world: World, sink: Sink) -> list[Candidate]:
    """Return the drives that will be measured, and how; those that were not named one by one may be left out.

    Raises:
        DriveMissing, DuplicateDrive, DriveFull, DriveInUse, DriveFailed: see `measure`.
    """
    return _look(_open(subject, world, sink), subject, world, sink)


def _open(subject: Subject, world: World, sink: Sink) -> dict[str, Drive]:
    opened: dict[str, Drive] = {}
    for name, path in subject.drives.items():
        with _left_out(name, subject, sink):
            opened[name] = world.open_drive(path)
    refuse_duplicates(opened)
    return opened


def _look(opened: Mapping[str, Drive], subject: Subject, world: World, sink: Sink) -> list[Candidate]:
    asked = Asked(subject.total_bytes, subject.seconds, 1)
    found: list[Candidate] = []
    for name, drive in opened.items():
        with _left_out(name, subject, sink):
            found.append(look_at(name, drive, world.bench, asked, is_exact=subject.is_exact))
    return found


@contextlib.contextmanager
def _left_out(name: str, subject: Subject, sink: Sink) -> Iterator[None]:
    """Leave out a drive with which something is wrong, and say so; one that was named is refused."""
    try:
        yield
    except PacktrainError as error:
        if subject.is_named:
            raise
        sink(Notice(STAGE, f"{name} is not measured: {error.message}", is_warning=True))


def to_dict(candidates: Sequence[Candidate], subject: Subject) -> dict[str, Any]:
    """Return what would be measured as plain values, for a dry run."""
    return {
        "drives": [
            {
                "name": one.name,
                "path": one.drive.location,
                "use": one.use,
                "bytes": one.total_bytes,
                "file_system": one.medium.file_system,
                "free_bytes": one.medium.free_bytes,
                "hangs_on": [words for _, words in one.medium.way],
            }
            for one in candidates
        ],
        "side_by_side": len(candidates) > 1,
        "source": str(subject.sources[0]) if subject.sources else None,
        "store": str(subject.store) if subject.store is not None else None,
        "most_seconds": most_seconds(len(candidates), subject),
        "code": f"{subject.k}+{subject.m}",
    }


def most_seconds(num_drives: int, subject: Subject) -> float:
    """Return about how long it takes at most, syncing apart: writing and reading each alone, then all, and the rest."""
    rounds = num_drives + (1 if num_drives > 1 else 0) + (1 if subject.store is not None else 0)
    return 2 * subject.seconds * rounds + (subject.seconds if subject.sources else 0) + 30


def _sweep(folder: Path, world: World, sink: Sink) -> None:
    """Remove what a measurement that was killed has left there; a drive that cannot be read is told of later."""
    with contextlib.suppress(PacktrainError):
        if num_swept := sweep(world.open_drive(folder)):
            sink(Notice(STAGE, f"{folder}: {counted(num_swept, 'file')} of a measurement that was killed removed"))


def _store(subject: Subject, world: World, sink: Sink, asked: Asked) -> MeasuredFolder | None:
    if subject.store is None:
        return None
    return measure_store(subject.store, world.open_drive, world.bench, asked, sink, is_exact=subject.is_exact)


def _machine(subject: Subject, world: World, sink: Sink, num_cores: int) -> Machine:
    sink(Progress(STAGE, "digests, cipher and code of one core"))
    rates = core_rates(subject.k, subject.m, min(CORE_SECONDS, subject.seconds / 20))
    works: tuple[Work, Work] | None = None
    note = _busy_note(num_cores)
    if note:
        sink(Notice(STAGE, note, is_warning=True))
    try:
        with _work_folder(world.bench, subject.set_bytes) as (folder, where, set_bytes):
            sink(Progress(STAGE, f"packing and loading {format_bytes(set_bytes)} {where}"))
            works = measure_work(folder, subject.k, subject.m, world.open_drive, world.open_store, where, set_bytes)
    except PacktrainError as error:
        told = f"packing and loading were not measured: {error.message}"
        sink(Notice(STAGE, told, is_warning=True))
        note = "; ".join(filter(None, (note, told)))[:4096]
    return Machine(
        cores=num_cores,
        processor=world.bench.processor()[:4096],
        system=f"{platform.system()} {platform.release()}",
        python=platform.python_version(),
        packtrain=__version__,
        memory_bytes=world.bench.memory_bytes()[0],
        sha256=rates["sha256"],
        xxh3=rates["xxh3"],
        encrypt=rates["encrypt"],
        encode=rates["encode"],
        pack=works[0] if works is not None else None,
        load=works[1] if works is not None else None,
        note=note,
    )


def _busy_note(num_cores: int) -> str:
    """Return that others are at work on this machine, if they are: then every rate is lower than it could be."""
    busy = os.getloadavg()[0]
    if busy < max(_BUSY_PART * num_cores, 0.5):
        return ""
    return f"other programs wanted {busy:.1f} processors when this began, of {num_cores}: alone it would be faster"


@contextlib.contextmanager
def _on_cores(num_cores: int | None) -> Iterator[int]:
    """Keep this process, its threads and its children to so many processors; yield how many they are."""
    allowed = os.sched_getaffinity(0)
    chosen = set(sorted(allowed)[: num_cores or len(allowed)])
    os.sched_setaffinity(0, chosen)
    try:
        yield len(chosen)
    finally:
        os.sched_setaffinity(0, allowed)


@contextlib.contextmanager
def _work_folder(bench: Bench, wanted_bytes: int) -> Iterator[tuple[Path, str, int]]:
    """Yield a folder to pack in, what kind of place it is, and how large a set may be; nothing of it is left.

    In memory where there is room, so that processors are measured and no disk. What a killed run left is removed first:
    a folder that lives is locked.

    Raises:
        DriveFull: there is no room anywhere.
    """
    places = (_MEMORY, Path(tempfile.gettempdir()))
    for place in places:
        if place.is_dir():
            _sweep_folders(place, bench)
    room = {place: _room_bytes(place, bench) for place in places if place.is_dir()}
    place = next((one for one, free in room.items() if free >= ROOM * wanted_bytes), None)
    place = place or max(room, key=lambda one: room[one])
    set_bytes = min(wanted_bytes, room[place] // ROOM // MIB * MIB)
    if set_bytes < min(SMALLEST_SET_BYTES, wanted_bytes):
        raise DriveFull(
            "no room to pack a small set",
            where=", ".join(map(str, room)),
            expected=f"{format_bytes(ROOM * SMALLEST_SET_BYTES)} free",
            found=format_bytes(room[place]),
        )
    where = "in memory" if bench.medium(place).is_in_memory else f"on {bench.medium(place).file_system or 'a disk'}"
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=place))
    try:
        with bench.hold(folder):
            yield folder, where, set_bytes
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _room_bytes(place: Path, bench: Bench) -> int:
    """Return what may be written there: in memory no more than half of what is available."""
    medium = bench.medium(place)
    if medium.is_read_only or not os.access(place, os.W_OK):
        return 0
    return min(medium.free_bytes, bench.memory_bytes()[1] // 2) if medium.is_in_memory else medium.free_bytes


def _sweep_folders(place: Path, bench: Bench) -> None:
    for folder in place.glob(f"{_PREFIX}*"):
        # OSError: another measurement ended while we look, and took its folder with it.
        with contextlib.suppress(PacktrainError, OSError):
            status = folder.lstat()
            if stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid():
                with bench.hold(folder):
                    shutil.rmtree(folder, ignore_errors=True)
