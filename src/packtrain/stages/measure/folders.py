"""Where the data comes from and where it goes to: a source is only read, into a store files of our own are written."""

from __future__ import annotations

import contextlib
import itertools
import os
import stat
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from packtrain.documents.measurement import MeasuredFolder
from packtrain.events import Sink
from packtrain.ports import Bench, Drive, Readback
from packtrain.stages.measure.drives import Asked, look_at, measure_alone
from packtrain.stages.measure.machine import rate_of
from packtrain.stages.measure.meter import Meter
from packtrain.units import MIB, counted

_READ_BYTES: Final = 4 * MIB
"""`pack` reads a source in runs of at least so much."""
_MOST_FOLDERS: Final = 100_000


@dataclass(slots=True)
class _Read:
    bytes: int = 0
    files: int = 0
    unread: int = 0


def measure_source(paths: Sequence[Path], bench: Bench, asked: Asked, sink: Sink) -> MeasuredFolder:
    """Return how fast files below these paths are read, in the order in which a folder lists them.

    Nothing is written, not even the time of access where the system lets this user leave it.

    Raises:
        DriveMissing: the first path is not there.
    """
    first = paths[0]
    medium = bench.medium(first if first.is_dir() else first.parent)
    meter = Meter(sink, "reading the source", asked.total_bytes)
    done = _Read()
    started = time.perf_counter()
    for file in itertools.chain.from_iterable(map(_files, paths)):
        _read(file, done, asked, started, meter)
        if done.bytes >= asked.total_bytes or time.perf_counter() - started >= asked.seconds:
            break
    seconds = time.perf_counter() - started
    readback: Readback = "memory" if medium.is_in_memory else "dropped"
    how = f"{counted(done.files, 'file')}, one after the other, " + (
        "from memory: there is no medium below this file system"
        if medium.is_in_memory
        else "after the kernel was asked to drop them from the page cache"
    )
    problem = f"{counted(done.unread, 'file')} could not be read" if done.unread else ""
    return MeasuredFolder(
        path=str(first),
        file_system=medium.file_system,
        free_bytes=medium.free_bytes,
        write=None,
        read=rate_of(done.bytes, seconds, how) if done.bytes else None,
        readback=readback if done.bytes else None,
        problem=problem or ("" if done.bytes else "there is nothing to read"),
    )


def measure_store(
    path: Path, open_drive: Callable[[Path], Drive], bench: Bench, asked: Asked, sink: Sink, *, is_exact: bool
) -> MeasuredFolder:
    """Return how fast a store takes files and gives them back; what goes wrong is told in `problem`.

    Raises:
        DriveMissing: it is not there.
        DriveFull: there is no room.
    """
    found = measure_alone(look_at("store", open_drive(path), bench, asked, is_exact=is_exact), bench, asked, sink)
    return MeasuredFolder(
        path=found.path,
        file_system=found.file_system,
        free_bytes=found.free_bytes,
        write=found.write,
        read=found.read,
        readback=found.readback,
        problem=found.problem,
    )


def _read(path: str, done: _Read, asked: Asked, started: float, meter: Meter) -> None:
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
    try:
        try:
            descriptor = os.open(path, flags | os.O_NOATIME)
        except PermissionError:
            descriptor = os.open(path, flags)
    except OSError:
        done.unread += 1
        return
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        buffer = bytearray(_READ_BYTES)
        while done.bytes < asked.total_bytes and time.perf_counter() - started < asked.seconds:
            length = os.readv(descriptor, [buffer])
            if not length:
                break
            done.bytes += length
            meter.add(length)
        done.files += 1
    except OSError:
        done.unread += 1
    finally:
        os.close(descriptor)


def _files(path: Path) -> Iterator[str]:
    if not path.is_dir():
        yield str(path)
        return
    waiting = [str(path)]
    while waiting and len(waiting) < _MOST_FOLDERS:
        with contextlib.suppress(OSError), os.scandir(waiting.pop()) as members:
            for member in members:
                if member.is_dir(follow_symlinks=False):
                    waiting.append(member.path)
                elif member.is_file(follow_symlinks=False):
                    yield member.path
