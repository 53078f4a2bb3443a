"""The dip test: does a drive keep its rate when it is written at length, or does it crawl now and then?

Shingled disks, failing ones, and bridges that reset show themselves by extents that take many times as long as the
others. The test writes sequentially past the cache of the kernel and keeps the time of each extent. The file has no
name while it is written, so nothing is left of it, however the test ends.
"""

from __future__ import annotations

import errno
import mmap
import os
import secrets
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from packtrain.errors import DriveFailed, DriveFull
from packtrain.events import Progress, Sink
from packtrain.units import GIB, KIB, MIB, format_bytes

MOST_BYTES: Final = 8 * GIB
MOST_OF_FREE: Final = 20
"""The test takes at most one twentieth of the free space."""
MOST_SECONDS: Final = 600.0
SMALLEST_EXTENT_BYTES: Final = 128 * KIB
LARGEST_EXTENT_BYTES: Final = MIB
_DIP: Final = 3
"""An extent slower than a third of the median rate is a dip."""
_DIPS_SHARE: Final = 0.05
"""Of the time, spent in dips. A disk that turns misses a revolution now and then: that is not worth a word."""
_CRAWLS_BYTES_PER_SECOND: Final = 20_000_000
_GOOD_BYTES_PER_SECOND: Final = 100_000_000
"""Over all: below the first a drive crawls; at the second a fast one may dip as it likes, it still keeps up."""
_FEWEST_EXTENTS: Final = 32
"""Fewer say nothing about how evenly a drive writes."""
_NAME: Final = "packtrain-dip-test.part"
_STAGE: Final = "dip test"


class ExtentWriter(Protocol):
    """Writes one extent after the other onto the medium; returns when the drive has it."""

    method: str

    def write(self) -> None:
        """Write one extent."""
        ...


@dataclass(frozen=True, slots=True)
class DipReport:
    """What the test saw.

    Attributes:
        method: how the cache was gone past: "O_DIRECT", or "fdatasync" where the file system has no direct writes.
        seconds: wall time of all extents.
        median_bytes_per_second: of single extents; the slowest one percent beside it is the rate that they reach at
            most.
        num_dips: runs of extents below a third of the median; `dip_seconds` is what they took, `longest_dip_seconds`
            the longest of them.
        stopped: why it ended before its last byte, in words; "" if it did not.
    """

    extent_bytes: int
    written_bytes: int
    method: str
    seconds: float
    median_bytes_per_second: float
    slowest_percent_bytes_per_second: float
    num_dips: int
    dip_seconds: float
    longest_dip_seconds: float
    stopped: str = ""

    @property
    def verdict(self) -> str:
        """Return "steady", "dips", "crawls", or "too short to say"."""
        if self.written_bytes < _FEWEST_EXTENTS * self.extent_bytes:
            return "too short to say"
        seconds = max(self.seconds, 1e-9)
        rate = self.written_bytes / seconds
        is_far_below = rate < self.median_bytes_per_second / _DIP and rate < _GOOD_BYTES_PER_SECOND
        if rate < _CRAWLS_BYTES_PER_SECOND or is_far_below:
            return "crawls"
        return "dips" if self.dip_seconds / seconds > _DIPS_SHARE else "steady"

    def sentence(self) -> str:
        """Return what the verdict means for packing."""
        return {
            "steady": "it kept its rate over what was written; a shingled disk may still slow down after its cache",
            "dips": "it stops now and then: count with a longer pack; give the shipment more drives of this kind, not "
            "larger volumes",
            "crawls": "it writes too slowly to be packed in good time: take another drive, cable or bridge",
            "too short to say": "write more for a verdict",
        }[self.verdict]

    def to_dict(self) -> dict[str, str | int | float]:
        """Return the report as plain values."""
        return {
            "verdict": self.verdict,
            "sentence": self.sentence(),
            "method": self.method,
            "extent_bytes": self.extent_bytes,
            "written_bytes": self.written_bytes,
            "seconds": round(self.seconds, 3),
            "median_bytes_per_second": round(self.median_bytes_per_second),
            "slowest_percent_bytes_per_second": round(self.slowest_percent_bytes_per_second),
            "num_dips": self.num_dips,
            "dip_seconds": round(self.dip_seconds, 3),
            "longest_dip_seconds": round(self.longest_dip_seconds, 3),
            "stopped": self.stopped,
        }


def bytes_to_write(free_bytes: int, extent_bytes: int, asked_bytes: int | None = None) -> int:
    """Return how many bytes a test writes: what was asked, else 8 GiB; never more than 5 % of what is free.

    Raises:
        DriveFull: not even one extent fits into that.
    """
    total = min(asked_bytes or MOST_BYTES, free_bytes // MOST_OF_FREE) // extent_bytes * extent_bytes
    if total < extent_bytes:
        raise DriveFull(
            "no room for a dip test",
            expected=f"{format_bytes(extent_bytes * MOST_OF_FREE)} free: the test takes at most one twentieth",
            found=format_bytes(free_bytes),
        )
    return total


def dip_test(
    writer: ExtentWriter,
    total_bytes: int,
    extent_bytes: int,
    sink: Sink,
    *,
    clock: Callable[[], float] = time.perf_counter,
    most_seconds: float = MOST_SECONDS,
) -> DipReport:
    """Write `total_bytes` in extents and return how evenly they went; it stops early after `most_seconds`."""
    times: list[float] = []
    started = before = clock()
    stopped = ""
    for number in range(total_bytes // extent_bytes):
        writer.write()
        now = clock()
        times.append(now - before)
        before = now
        done = (number + 1) * extent_bytes
        sink(Progress(_STAGE, "writing past the cache", done_bytes=done, total_bytes=total_bytes))
        if now - started > most_seconds and done < total_bytes:
            stopped = f"after {most_seconds:.0f} s, the longest it may take"
            break
    return _report(times, extent_bytes, writer.method, stopped)


@contextmanager
def open_extents(folder: Path, extent_bytes: int) -> Iterator[ExtentWriter]:
    """Yield a writer of extents into a file without a name below `folder`.

    Raises:
        DriveFailed, DriveFull: what the kernel said.
    """
    path = folder / _NAME
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        # At once: also after kill -9 or a power cut the space comes back.
        path.unlink()
    except FileExistsError as error:
        raise DriveFailed(
            "another dip test runs here, or left its file",
            where=str(path),
            hint="wait for it, or remove the file",
        ) from error
    except OSError as error:
        raise _fault(error, folder) from error
    buffer = mmap.mmap(-1, extent_bytes)
    try:
        yield _Extents(descriptor, buffer, folder)
    finally:
        os.close(descriptor)
        buffer.close()


class _Extents:
    def __init__(self, descriptor: int, buffer: mmap.mmap, folder: Path) -> None:
        self._descriptor = descriptor
        self._buffer = buffer
        self._folder = folder
        self._number = 0
        self.method = "O_DIRECT"
        # Random once, then a number in each 4 KiB: a drive that compresses or folds equal blocks gains nothing.
        buffer[:] = secrets.token_bytes(len(buffer))

    def write(self) -> None:
        for at in range(0, len(self._buffer), 4096):
            self._buffer[at : at + 8] = self._number.to_bytes(8, "little")
        self._number += 1
        try:
            if self._number == 1:
                self._start()
            else:
                self._put()
        except OSError as error:
            raise _fault(error, self._folder) from error

    def _start(self) -> None:
        flags = os.O_WRONLY | os.O_DIRECT
        try:
            direct = os.open(f"/proc/self/fd/{self._descriptor}", flags)
        except OSError:
            direct = -1
        if direct >= 0:
            try:
                os.pwrite(direct, self._buffer, 0)
            except OSError as error:
                os.close(direct)
                if error.errno != errno.EINVAL:  # the file system says only now that it has no direct writes
                    raise
            else:
                os.dup2(direct, self._descriptor)
                os.close(direct)
                os.lseek(self._descriptor, len(self._buffer), os.SEEK_SET)
                return
        self.method = "fdatasync"
        self._put()

    def _put(self) -> None:
        with memoryview(self._buffer) as rest:
            done = 0
            while done < len(rest):
                done += os.write(self._descriptor, rest[done:])
        if self.method == "fdatasync":
            os.fdatasync(self._descriptor)


def _report(times: Sequence[float], extent_bytes: int, method: str, stopped: str) -> DipReport:
    seconds = sum(times)
    median = statistics.median(times) if times else 0.0
    slowest = sorted(times, reverse=True)
    at_one_percent = slowest[max(0, len(slowest) // 100 - 1)] if slowest else 0.0
    runs = _runs(times, _DIP * median)
    return DipReport(
        extent_bytes=extent_bytes,
        written_bytes=len(times) * extent_bytes,
        method=method,
        seconds=seconds,
        median_bytes_per_second=extent_bytes / median if median else 0.0,
        slowest_percent_bytes_per_second=extent_bytes / at_one_percent if at_one_percent else 0.0,
        num_dips=len(runs),
        dip_seconds=sum(runs),
        longest_dip_seconds=max(runs, default=0.0),
        stopped=stopped,
    )


def _runs(times: Sequence[float], limit_seconds: float) -> list[float]:
    """Return what each run of neighbouring slow extents took."""
    runs: list[float] = []
    in_run = False
    for taken in times:
        is_slow = taken > limit_seconds > 0
        if is_slow and in_run:
            runs[-1] += taken
        elif is_slow:
            runs.append(taken)
        in_run = is_slow
    return runs


def _fault(error: OSError, folder: Path) -> DriveFailed | DriveFull:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DriveFull("no space left for the dip test", where=str(folder), hint="write fewer bytes")
    return DriveFailed(
        f"drive cannot be written: {error.strerror or error}",
        where=str(folder),
        hint="check the mount, the cable and the kernel log",
    )
