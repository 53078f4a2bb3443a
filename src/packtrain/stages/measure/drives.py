"""One drive by itself: files of our own on one that may be written, its volumes on one that holds a shipment."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final, Literal

from packtrain.documents.measurement import MeasuredDrive, PartOfRun, Rate, Slowed
from packtrain.errors import DriveFailed, DriveFull, PacktrainError
from packtrain.events import Notice, Sink
from packtrain.ports import Bench, Drive, Medium, Readback
from packtrain.stages.measure.machine import rate_of
from packtrain.stages.measure.meter import STAGE, Meter
from packtrain.stages.measure.trial import NUM_FILES, Moved, read_files, remove_files, write_files
from packtrain.units import MIB, format_bytes
from packtrain.volume import layout

Use = Literal["write", "read"]

FEWEST_BYTES: Final = 64 * MIB
SPARE_BYTES: Final = 64 * MIB
"""A file system that is filled to the last byte is slow for reasons of its own."""
_FAST_CACHE_BYTES: Final = 100 * 10**9
"""What shingled disks put aside before they crawl is tens of GB; flash keeps up to a third of what is free as its fast
part. Who writes less than both has not seen what comes behind."""
_FEWEST_PARTS: Final = 4
_SLOWED: Final = 0.7
_LISTED: Final = 20_000


@dataclass(frozen=True, slots=True)
class Asked:
    """What is measured of each drive.

    Attributes:
        total_bytes: that are written, and read.
        seconds: each writing and each reading takes no longer.
        cores: processors that this process may use.
    """

    total_bytes: int
    seconds: float
    cores: int


@dataclass(frozen=True, slots=True)
class Candidate:
    """One drive that is to be measured.

    Attributes:
        use: "read" for one that holds a shipment, or is mounted read-only: nothing is written there.
        total_bytes: for it; as asked, or what fits.
    """

    name: str
    drive: Drive
    medium: Medium
    use: Use
    total_bytes: int


def look_at(name: str, drive: Drive, bench: Bench, asked: Asked, *, is_exact: bool) -> Candidate:
    """Return how a drive will be measured; nothing is written.

    Args:
        name: label or path.
        drive: opened.
        bench: this machine.
        asked: what is to be measured.
        is_exact: refuse rather than write less than was asked for.

    Raises:
        DriveFull: there is no room.
        DriveFailed: it cannot be read.
    """
    medium = bench.medium(Path(drive.location))
    if medium.is_read_only or _has_shipment(drive):
        return Candidate(name, drive, medium, "read", asked.total_bytes)
    room_bytes = drive.free_bytes() - SPARE_BYTES
    total_bytes = asked.total_bytes if is_exact else min(asked.total_bytes, room_bytes // 2)
    if total_bytes > room_bytes or total_bytes < min(FEWEST_BYTES, asked.total_bytes):
        raise DriveFull(
            "no room to measure this drive",
            where=drive.location,
            expected=f"{format_bytes((asked.total_bytes if is_exact else 2 * FEWEST_BYTES) + SPARE_BYTES)} free",
            found=format_bytes(drive.free_bytes()),
            hint="give fewer --bytes, or make room; what lies on the drive is not touched",
        )
    return Candidate(name, drive, medium, "write", total_bytes)


def _has_shipment(drive: Drive) -> bool:
    """Return whether a drive, or one that this folder lies within, holds part of a shipment."""
    if drive.size_bytes(layout.PLAN) is not None or drive.size_bytes(layout.DRIVE) is not None:
        return True
    above = Path(drive.location).resolve().parents
    return any((folder / name).is_file() for folder in above for name in (layout.PLAN, layout.DRIVE))


def measure_alone(one: Candidate, bench: Bench, asked: Asked, sink: Sink) -> MeasuredDrive:
    """Return one drive's rates by itself; what goes wrong is told in `problem`. Nobody else may be measuring it."""
    written: list[Moved] = []
    read: list[Moved] = []
    readback: Readback | None = None
    problem = ""
    places: dict[str, int | None] = {}
    root = Path(one.drive.location)
    try:
        meter = Meter(sink, f"reading {one.name}", one.total_bytes)
        if one.use == "write":
            to_write = Meter(sink, f"writing {one.name}", one.total_bytes)
            written = write_files(one.drive, one.total_bytes, asked.seconds, to_write.add)
            read, readback = read_files(one.drive, written, asked.seconds, meter.add)
        elif files := volumes_of(one.drive):
            read, readback = read_files(
                one.drive, files, asked.seconds, meter.add, most_bytes=part_of(one.total_bytes, files)
            )
        else:
            problem = _why_only_read(one)
        places = {moved.name: bench.begins_at(root / moved.name) for moved in written or read}
        refuse_other_medium(one, bench)
    except PacktrainError as error:
        problem, written, read, readback = error.message, [], [], None
        sink(Notice(STAGE, f"{one.name}: {problem}", is_warning=True))
    finally:
        if one.use == "write":
            remove_files(one.drive)
    return MeasuredDrive(
        name=one.name,
        path=one.drive.location,
        serial=one.drive.serial,
        file_system=one.medium.file_system,
        size_bytes=one.medium.size_bytes,
        free_bytes=one.medium.free_bytes,
        is_written=one.use == "write",
        write=_rate(written, "files of our own, one after the other, each synced") if written else None,
        sync_seconds=round(sum(moved.sync_seconds for moved in written), 3),
        read=_rate(read, _how_read(one, readback)) if read else None,
        readback=readback,
        parts=tuple(_parts(written, read, places)),
        slowed=_slowed(written),
        is_short=not one.medium.is_in_memory
        and sum(moved.bytes for moved in written) < min(_FAST_CACHE_BYTES, one.medium.free_bytes // 3),
        problem=problem[:4096],
    )


def volumes_of(drive: Drive) -> list[Moved]:
    """Return volumes of a packed drive, spread evenly over it: stripes lie in the order in which they were written."""
    names = sorted(name for name in islice(drive.names(), _LISTED) if name.startswith("data/"))
    volumes = [name for name in names if (drive.size_bytes(name) or 0) > 0]
    step = max(len(volumes) / NUM_FILES, 1.0)
    return [Moved(volumes[int(at * step)]) for at in range(min(NUM_FILES, len(volumes)))]


def refuse_other_medium(one: Candidate, bench: Bench) -> None:
    """Check that what was measured is still mounted: a drive that falls off leaves a folder of the system's own disk.

    Raises:
        DriveFailed: something else lies there now.
    """
    if bench.medium(Path(one.drive.location)).way[:1] != one.medium.way[:1]:
        raise DriveFailed(
            "the drive is not mounted here any more",
            where=one.drive.location,
            hint="check cable, bay and kernel log; when it is back, the next measurement removes its left-over files",
        )


def part_of(total_bytes: int, files: Sequence[Moved]) -> int:
    """Return how much of each file is read, so that all of them give so many bytes."""
    return max(total_bytes // max(len(files), 1), MIB)


def _why_only_read(one: Candidate) -> str:
    why = "it is mounted read-only" if one.medium.is_read_only else "it holds part of a shipment"
    return f"nothing was measured: {why}, and has no volume that could be read"


def _how_read(one: Candidate, readback: Readback | None) -> str:
    source = "the same files" if one.use == "write" else "volumes of its shipment, spread over the drive"
    return {
        "direct": f"{source}, past the page cache (O_DIRECT)",
        "dropped": f"{source}, after the kernel was asked to drop them from the page cache",
        "memory": f"{source}, from memory: there is no medium below this file system",
    }.get(readback or "", source)


def _rate(moved: Sequence[Moved], how: str) -> Rate:
    return rate_of(sum(one.bytes for one in moved), sum(one.seconds for one in moved), how)


def _parts(written: Sequence[Moved], read: Sequence[Moved], places: dict[str, int | None]) -> Iterator[PartOfRun]:
    readings = {one.name: one for one in read}
    for one in written or read:
        reading = readings.get(one.name)
        yield PartOfRun(
            at_bytes=places.get(one.name),
            bytes=one.bytes,
            write_bytes_per_second=_rate([one], "").bytes_per_second if written else None,
            read_bytes_per_second=_rate([reading], "").bytes_per_second if reading is not None else None,
        )


def _slowed(written: Sequence[Moved]) -> Slowed:
    whole = [one.bytes / one.seconds for one in written if one.seconds > 0 and one.bytes >= written[0].bytes]
    if len(whole) < _FEWEST_PARTS:
        return "not known"
    last = statistics.median(whole[-(len(whole) // 4) :])
    return "yes" if last < _SLOWED * statistics.median(whole[: len(whole) // 2]) else "not seen"
