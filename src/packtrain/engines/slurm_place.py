"""The folder by which a training job of Slurm, its tasks and the command that follows it speak with each other.

It lies in the voyage's work folder, which all hosts see and only its owner may enter. Files are written whole, under a
temporary name, or grow by lines; nobody locks anything, for not every network file system knows locks.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec

from packtrain import durable
from packtrain.engines.shared_folders import SharedFolders
from packtrain.ports import TrainingJob

T = TypeVar("T")

_MOST_LINE_BYTES: Final = 1 << 20
_MOST_READ_BYTES: Final = 4 << 20
_MOST_FILE_BYTES: Final = 16 << 20


@dataclass(frozen=True, slots=True)
class JobOrder:
    """What a job of Slurm does, in all its attempts.

    Attributes:
        token: of this submission; part of the job's name, by which it is found again.
        job: what to run.
        program: SHA-256 of the program's folder: no attempt runs another.
        shared: what every host is held against.
        submitted: seconds since 1970.
        run_inputs: digests of what the stage is a function of; another job is submitted where they have changed.
    """

    token: str
    job: TrainingJob
    program: str
    shared: SharedFolders
    submitted: float
    run_inputs: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def name(self) -> str:
        """Return the job's name in Slurm."""
        return f"packtrain-train-{self.token}"


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a run is, over all attempts of one job.

    Attributes:
        attempt: number of the one that was begun last.
        begun: when it was, in seconds since 1970.
        hosts: on which hosts.
        has_ended: whether it was also written down.
        num_attempts: how many were begun under this job.
        num_failed: how many failed in a row without getting further.
        furthest: the last step that any reached, -1 before the first.
    """

    attempt: int = 0
    begun: float = 0.0
    hosts: tuple[str, ...] = ()
    has_ended: bool = True
    num_attempts: int = 0
    num_failed: int = 0
    furthest: int = -1


@dataclass(frozen=True, slots=True)
class Hello:
    """What a task says before it starts workers.

    Attributes:
        host: the node's name.
        launch_address: at which it was reached by the host that launched it: an address of the first host.
        error: why it can take no work, as `PacktrainError.to_dict`; empty if it can.
    """

    host: str
    launch_address: str
    error: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True)
class Go:
    """What a task needs to start its workers."""

    master_address: str
    master_port: int
    num_hosts: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a job ended for good.

    Attributes:
        outcome: "done", "failed", or "stopped" where somebody asked it to.
        error: of one that failed, as `PacktrainError.to_dict`.
        elapsed_seconds: since it was submitted.
    """

    outcome: str
    elapsed_seconds: float
    error: Mapping[str, Any] = field(default_factory=dict[str, Any])


class Place:
    """The files of a training job. See the module.

    Args:
        root: absolute path of the folder.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.order = root / "order.json"
        self.script = root / "job.sh"
        self.job_id = root / "job-id"
        self.standing = root / "standing.json"
        self.events = root / "events.jsonl"
        self.followed = root / "followed"
        self.verdict = root / "verdict.json"
        self.batch_beat = root / "batch.beat"

    def attempt(self, number: int) -> AttemptPlace:
        """Return the files of one attempt."""
        return AttemptPlace(self.root / f"attempt-{number}")


class AttemptPlace:
    """The files of one attempt."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.go = root / "go.json"
        self.stop = root / "stop"
        self.end = root / "end"

    def hello(self, host: int) -> Path:
        """Return the file of a `Hello`; hosts are counted from 0."""
        return self.root / f"hello-{host}.json"

    def told(self, host: int) -> Path:
        """Return the file of a host's news, a line each."""
        return self.root / f"told-{host}.jsonl"

    def beat(self, host: int) -> Path:
        """Return the file that changes while a host's task lives."""
        return self.root / f"host-{host}.beat"


def encode(value: object) -> bytes:
    """Return a dataclass as JSON; a loss that is no number stays one, as Python spells it."""
    return json.dumps(msgspec.to_builtins(value, enc_hook=str)).encode("ascii")


def decode(payload: bytes, kind: type[T]) -> T:
    """Return the dataclass that `encode` wrote.

    Raises:
        ValueError: it is none.
    """
    return msgspec.convert(json.loads(payload), kind, dec_hook=lambda asked, value: asked(value))


def write(path: Path, value: object) -> None:
    """Write a dataclass as a file of its own, whole or not at all."""
    durable.write_bytes(path, encode(value), 0o600, shared=True)


def read(path: Path, kind: type[T]) -> T | None:
    """Return what `write` wrote; None where it is not there (yet).

    Raises:
        ValueError: something else is.
    """
    payload = durable.plain_bytes(path, _MOST_FILE_BYTES)
    return None if payload is None else decode(payload, kind)


class Tail:
    """Reads the lines of a file that another host adds to, as they come.

    Args:
        path: the file; it need not be there yet.
        offset: of the first line that is asked for.
    """

    def __init__(self, path: Path, offset: int = 0) -> None:
        self._path = path
        self.offset = offset

    def lines(self) -> Iterator[bytes]:
        """Yield the whole lines that came since the last call, some megabytes at most; `offset` is behind each.

        Raises:
            ValueError: a line is longer than any that is written.
        """
        # Opened anew each time: a network file system then asks for what it has not seen yet.
        with contextlib.suppress(FileNotFoundError), self._path.open("rb") as stream:
            stream.seek(self.offset)
            piece = stream.read(_MOST_READ_BYTES)
            *whole, rest = piece.split(b"\n")
            if len(rest) > _MOST_LINE_BYTES:
                raise ValueError(f"{self._path}: a line of more than {_MOST_LINE_BYTES} bytes")
            for line in whole:
                self.offset += len(line) + 1
                yield line


class Lines:
    """Writes lines that another host reads as they come. To be opened once, by one writer."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._stream = path.open("a+b", buffering=0)
        # A writer that died may have left a torn line: end it, so that it does not swallow the next one.
        self._stream.seek(-1 if self._stream.seek(0, os.SEEK_END) else 0, os.SEEK_END)
        if self._stream.read(1) not in (b"", b"\n"):
            self._stream.write(b"\n")

    def write(self, value: object) -> None:
        """Add one."""
        self._stream.write((value if isinstance(value, bytes) else encode(value)) + b"\n")
        os.fsync(self._stream.fileno())

    def close(self) -> None:
        """Write no more."""
        self._stream.close()


class Beat:
    """Changes a file as a sign of life."""

    def __init__(self, path: Path, every_seconds: float) -> None:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._path = path
        self._every_seconds = every_seconds
        self._count = 0
        self._last = float("-inf")

    def beat(self) -> None:
        """Change it, if it is time."""
        if time.monotonic() < self._last + self._every_seconds:
            return
        self._last = time.monotonic()
        self._count += 1
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            os.pwrite(descriptor, f"{os.getpid()} {self._count:020d}".encode(), 0)
            os.fsync(descriptor)  # another host reads it: a network file system sends it off at the latest now
        finally:
            os.close(descriptor)


class Listener:
    """Watches for signs of life; silence is measured by this host's clock alone."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: bytes | None = None
        self._changed = time.monotonic()
        self._looked = float("-inf")

    def silent_seconds(self, every_seconds: float) -> float:
        """Return for how long the file has not changed; it is looked at once in `every_seconds`."""
        now = time.monotonic()
        if now >= self._looked + every_seconds:
            self._looked = now
            with contextlib.suppress(OSError):
                found = self._path.read_bytes()[:64]
                if found != self._seen:
                    self._seen, self._changed = found, now
        return now - self._changed
