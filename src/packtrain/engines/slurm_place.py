"""The folder by which a training job of Slurm, its tasks and the command that follows it speak with each other.

It lies in the voyage's work folder, which all hosts see and only its owner may enter. Nobody locks anything, for not
every network file system knows locks. A host may be told for a minute that a file is not there which another has
made; so what must be seen within seconds is written into files that were there before their readers were started,
and read by opening them anew.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias, TypeVar

import msgspec

from packtrain import durable
from packtrain.engines.crew import CrewNews
from packtrain.engines.shared_folders import SharedFolders
from packtrain.engines.streak import Streak
from packtrain.errors import ClusterUnreachable, HostUnfit, PacktrainError, TrainingFailed, WorkerStalled
from packtrain.ports import TrainingJob

T = TypeVar("T")
Word: TypeAlias = Literal["wait", "go", "stop", "end"]

_MOST_LINE_BYTES: Final = 1 << 20
_MOST_READ_BYTES: Final = 4 << 20
_MOST_FILE_BYTES: Final = 16 << 20
_SIGN_BYTES: Final = 1024
_PARTS: Final = ("where", "expected", "found", "hint")
_ERRORS: Final = {error.__name__: error for error in (ClusterUnreachable, HostUnfit, TrainingFailed, WorkerStalled)}


@dataclass(frozen=True, slots=True)
class JobOrder:
    """What a job of Slurm does, in all its attempts.

    Attributes:
        token: of this submission; part of the job's name, by which it is found again.
        job: what to run.
        program: SHA-256 of the program's folder: no attempt runs another.
        shared: what every host is held against.
        submitted: seconds since 1970.
        run_inputs: digests of what the stage is a function of.
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

    def is_same_as(self, job: TrainingJob, run_inputs: Mapping[str, str]) -> bool:
        """Return whether a job that does this is the one that is asked for."""
        return self.run_inputs == run_inputs and decode(encode(job), TrainingJob) == self.job


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a run is, over all attempts of one job.

    Attributes:
        attempt: number of the one that was begun last.
        begun: when it was, in seconds since 1970.
        hosts: on which hosts.
        has_ended: whether its end was written down.
        num_attempts: how many were begun under this job.
        streak: how many failed in a row.
    """

    attempt: int = 0
    begun: float = 0.0
    hosts: tuple[str, ...] = ()
    has_ended: bool = True
    num_attempts: int = 0
    streak: Streak = field(default_factory=Streak)


@dataclass(frozen=True, slots=True)
class Sign:
    """A sign of life, and from the batch process to the tasks what they shall do.

    Attributes:
        count: grows.
        attempt: whose sign it is.
        word: "wait" for all to be there, "go", "stop" (ask the workers to save and end), "end" (kill what runs).
        master_address, master_port: where rank 0 opens its store; from "go" on.
        num_hosts: of the attempt.
    """

    count: int
    attempt: int
    word: Word = "wait"
    master_address: str = ""
    master_port: int = 0
    num_hosts: int = 1


@dataclass(frozen=True, slots=True)
class Told:
    """A line of a task. The first has no news: the task is there.

    Attributes:
        host: the node's name.
        launch_address: at which the first host reached it from; an address of that host.
        news: of its workers.
        is_asked: Slurm asked all that runs here to end.
        has_ended: nothing runs here any more, and nothing follows.
        error: why it can take no work, as `PacktrainError.to_dict`.
    """

    host: str
    launch_address: str = ""
    news: CrewNews | None = None
    is_asked: bool = False
    has_ended: bool = False
    error: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a job ended for good.

    Attributes:
        outcome: "done", "failed", or "stopped" where somebody asked it to.
        elapsed_seconds: since it was submitted.
        error: of one that failed, as `PacktrainError.to_dict`.
    """

    outcome: Literal["done", "failed", "stopped"]
    elapsed_seconds: float
    error: Mapping[str, Any] = field(default_factory=dict[str, Any])


class Place:
    """The files of a training job, below `root`, an absolute path."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.order = root / "order.json"
        self.script = root / "job.sh"
        self.job_id = root / "job-id"
        self.standing = root / "standing.json"
        self.events = root / "events.jsonl"
        self.followed = root / "followed"

    def known_id(self) -> str:
        """Return the id of the job that was submitted last, as Slurm said it; "" where it said none."""
        payload = durable.plain_bytes(self.job_id, 64)
        return payload.decode("ascii", "replace").strip() if payload else ""

    def batch_sign(self, attempt: int) -> Path:
        """Return the file of the batch process's `Sign`."""
        return self.root / f"attempt-{attempt}" / "batch"

    def sign(self, attempt: int, host: int) -> Path:
        """Return the file of the `Sign` of a task; hosts are counted from 0."""
        return self.root / f"attempt-{attempt}" / f"host-{host}"

    def told(self, attempt: int, host: int) -> Path:
        """Return the file of what a task has `Told`, a line each."""
        return self.root / f"attempt-{attempt}" / f"told-{host}.jsonl"

    def make_attempt(self, attempt: int, num_hosts: int) -> None:
        """Make the files of an attempt, empty, before those who read them are started."""
        self.batch_sign(attempt).parent.mkdir(mode=0o700)
        for host in range(num_hosts):
            self.sign(attempt, host).touch(0o600)
            self.told(attempt, host).touch(0o600)
        self.batch_sign(attempt).touch(0o600)
        durable.sync_folder(self.batch_sign(attempt).parent)


def encode(value: object) -> bytes:
    """Return a dataclass as JSON; a loss that is no number stays one, as Python spells it."""
    return json.dumps(msgspec.to_builtins(value, enc_hook=str)).encode("ascii")


def decode(payload: bytes, kind: type[T]) -> T:
    """Return the dataclass that `encode` wrote.

    Raises:
        ValueError: it is none.
    """
    try:
        body = json.loads(payload)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    return msgspec.convert(body, kind, dec_hook=lambda asked, value: asked(value))


def write(path: Path, value: object) -> None:
    """Write a dataclass as a file of its own, whole or not at all."""
    durable.write_bytes(path, encode(value), 0o600, shared=True)


def read(path: Path, kind: type[T]) -> T | None:
    """Return what `write` wrote; None where it is not there, or something else is."""
    payload = durable.plain_bytes(path, _MOST_FILE_BYTES)
    if payload is None:
        return None
    with contextlib.suppress(ValueError):
        return decode(payload, kind)
    return None


def error_of(told: Mapping[str, Any]) -> PacktrainError:
    """Return the error that `PacktrainError.to_dict` wrote elsewhere."""
    texts = {name: str(told[name])[:4096] for name in _PARTS if told.get(name) is not None}
    return _ERRORS.get(str(told.get("error")), TrainingFailed)(str(told.get("what"))[:4096], **texts)


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

        A line that is longer than any that is written is passed over.
        """
        # Opened anew each time: a network file system then asks for what it has not seen yet.
        try:
            stream = self._path.open("rb")
        except FileNotFoundError:
            return
        with stream:
            stream.seek(self.offset)
            piece = stream.read(_MOST_READ_BYTES)
        *whole, rest = piece.split(b"\n")
        for line in whole:
            self.offset += len(line) + 1
            yield line
        if not whole and len(rest) > _MOST_LINE_BYTES:
            self.offset += len(rest)


class Lines:
    """Writes lines that another host reads as they come."""

    def __init__(self, path: Path) -> None:
        self._stream = path.open("a+b", buffering=0)
        # A writer that died may have left a torn line: end it, so that it does not swallow the next one.
        self._stream.seek(-1 if self._stream.seek(0, os.SEEK_END) else 0, os.SEEK_END)
        if self._stream.read(1) not in (b"", b"\n"):
            self._stream.write(b"\n")

    def write(self, line: bytes) -> None:
        """Add one; it is on its way to other hosts when this returns."""
        self._stream.write(line + b"\n")
        os.fsync(self._stream.fileno())

    def close(self) -> None:
        """Write no more."""
        self._stream.close()


class SignWriter:
    """Gives signs of life."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def write(self, sign: Sign) -> None:
        """Give one. It has always the same length: it is written over the last."""
        descriptor = os.open(self._path, os.O_WRONLY)
        try:
            os.pwrite(descriptor, encode(sign).ljust(_SIGN_BYTES), 0)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


class SignReader:
    """Looks for signs of life; silence is measured by this host's clock alone.

    Attributes:
        sign: the last that was seen.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._changed = time.monotonic()
        self.sign: Sign | None = None

    def look(self) -> float:
        """Look, and return for how many seconds nothing has changed."""
        # One that is just being written over may be torn: the next look sees it whole.
        with contextlib.suppress(OSError, ValueError):
            found = decode(self._path.read_bytes()[:_SIGN_BYTES], Sign)
            if found != self.sign:
                self.sign, self._changed = found, time.monotonic()
        return time.monotonic() - self._changed
