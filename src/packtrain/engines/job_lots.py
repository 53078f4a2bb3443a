"""Lots of jobs as files: what an array's task shall do, and what it tells of each job as it goes.

Both are pickles, as they are between the processes of a pool: they lie in the voyage's work folder, which is its
owner's alone, and nobody else's are ever read. A record is its length in 8 bytes and then so many bytes; the last of a
writer that died is cut off and left aside.
"""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any, Final, TypeVar

from packtrain import durable
from packtrain.engines.processes import NO_TELEMETRY
from packtrain.engines.shared_folders import SharedFolders, require_fit
from packtrain.errors import PacktrainError

J = TypeVar("J")
R = TypeVar("R")

_LENGTH_BYTES: Final = 8
_ENDING: Final = ".lot"
_TOLD_ENDING: Final = ".told"


@dataclass(frozen=True, slots=True)
class Told:
    """What a task tells: a job has begun (no more fields), has ended with a result, or with an error.

    Attributes:
        place: which job of the lot; -1 for an error before the first.
    """

    place: int
    has_ended: bool = False
    result: Any = None
    error: BaseException | None = None


def lot_path(folder: Path, number: int) -> Path:
    """Return the file of a lot."""
    return folder / f"{number:06d}{_ENDING}"


def write_records(path: Path, values: Iterable[object]) -> int:
    """Write values one by one, so that they need not be held together; return how many there were."""
    count = 0
    with durable.atomic_writer(path, 0o600) as stream:
        for value in values:
            stream.write(_record(value))
            count += 1
    return count


def read_records(path: Path) -> Iterator[Any]:
    """Yield the values of a file that is whole."""
    with path.open("rb") as stream:
        while head := stream.read(_LENGTH_BYTES):
            yield pickle.loads(stream.read(int.from_bytes(head, "big")))  # noqa: S301 - our own, in the owner's folder


def write_lot(folder: Path, number: int, run: Callable[[J], R], jobs: Iterable[J], shared: SharedFolders) -> int:
    """Write a lot, return how many jobs it has; what an earlier one of this number told is forgotten."""
    path = lot_path(folder, number)
    num_jobs = write_records(path, chain([(run, shared)], jobs)) - 1
    path.with_suffix(_TOLD_ENDING).unlink(missing_ok=True)
    return num_jobs


def jobs_of_lot(folder: Path, number: int) -> Iterator[Any]:
    """Yield the jobs of a lot, in their order."""
    return islice(read_records(lot_path(folder, number)), 1, None)


def run_lot(path: Path, host: str) -> None:
    """Do the jobs of a lot, on a host, and tell of each; stop at the first error, which is told too."""
    os.environ.update(NO_TELEMETRY)
    records = read_records(path)
    run, shared = next(records)
    with path.with_suffix(_TOLD_ENDING).open("xb", buffering=0) as stream:
        place = -1
        try:
            require_fit(shared, host)
            for place, job in enumerate(records):
                _tell(stream.fileno(), Told(place))
                _tell(stream.fileno(), Told(place, has_ended=True, result=run(job)))
        except (PacktrainError, OSError) as error:
            _tell(stream.fileno(), Told(place, has_ended=True, error=error))


def _record(value: object) -> bytes:
    payload = pickle.dumps(value)
    return len(payload).to_bytes(_LENGTH_BYTES, "big") + payload


def _tell(descriptor: int, told: Told) -> None:
    rest = memoryview(_record(told))
    while rest:
        rest = rest[os.write(descriptor, rest) :]
    # Another host reads it: a network file system sends it off at the latest now.
    os.fsync(descriptor)


class Listener:
    """Reads what the task of a lot has told since it was last asked."""

    def __init__(self, folder: Path, number: int) -> None:
        self._path = lot_path(folder, number).with_suffix(_TOLD_ENDING)
        self._offset = 0

    def news(self) -> Iterator[Told]:
        """Yield what is new, in the order in which it was told; a record that is not whole yet is left for later."""
        try:
            stream = self._path.open("rb")
        except FileNotFoundError:
            return
        with stream:
            size_bytes = os.fstat(stream.fileno()).st_size
            while self._offset + _LENGTH_BYTES <= size_bytes:
                stream.seek(self._offset)
                length = int.from_bytes(stream.read(_LENGTH_BYTES), "big")
                if self._offset + _LENGTH_BYTES + length > size_bytes:
                    return
                payload = stream.read(length)
                self._offset += _LENGTH_BYTES + length
                yield pickle.loads(payload)  # noqa: S301 - our own, in the owner's folder
