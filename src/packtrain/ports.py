"""What the stages need of the world outside: drives, stores, engines, signers. Adapters implement these."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal, Protocol, TypeVar

from packtrain.events import Sink

J = TypeVar("J")
R = TypeVar("R")

STAGING_NAME: Final = ".packtrain-staging"
"""The folder at the top of a store for bytes that are not proven yet: no file of a cargo may be called so."""

ATTEMPTS_NAME: Final = "attempts.jsonl"
"""Beside the workers' output: an `AttemptRecord` a line, written by the engine as each attempt ends."""

Readback = Literal["direct", "dropped", "memory"]
"""How bytes were read back: past the page cache by O_DIRECT, after dropping the cache, or from memory (tmpfs)."""


class DriveReader(Protocol):
    """One open file of a drive."""

    size_bytes: int
    readback: Readback

    def read_into(self, buffer: memoryview, offset: int) -> int:
        """Fill `buffer` from `offset`; return the number of bytes read, less than its length only at the end.

        Raises:
            DriveFailed: the medium cannot be read there.
        """
        ...

    def close(self) -> None:
        """Release the file."""
        ...


class DriveWriter(Protocol):
    """One file being written, sequentially, under a temporary name."""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Append `data`.

        Raises:
            DriveFull: no space is left.
            DriveFailed: the medium cannot be written.
        """
        ...


class Drive(Protocol):
    """One drive: a mounted file system, or a folder that plays one. packtrain generates all file names on it.

    Attributes:
        location: mount point or folder, for messages.
        serial: the device's own serial number, or None where there is none to read (a folder). Documents then say
            "folder-" and the first eight digits of the drive's UUID.
    """

    location: str

    @property
    def serial(self) -> str | None: ...

    def free_bytes(self) -> int:
        """Return how many bytes can still be written."""
        ...

    def names(self) -> Iterator[str]:
        """Yield the names of all files, in no order; temporary ones and links included (a link can never be opened)."""
        ...

    def size_bytes(self, name: str) -> int | None:
        """Return a file's length, or None where there is no such regular file."""
        ...

    def open_reader(self, name: str, *, past_cache: bool = False) -> DriveReader:
        """Return an open file; `past_cache` reads the medium and not what the kernel remembers of it.

        Raises:
            DriveFailed: no such regular file (a link is none), or it cannot be opened.
        """
        ...

    def open_writer(self, name: str) -> AbstractContextManager[DriveWriter]:
        """Return a writer; on leaving without an error the file stands under `name`, durably."""
        ...

    def read_bytes(self, name: str, max_bytes: int) -> bytes:
        """Return a whole small file.

        Raises:
            DriveFailed: missing, unreadable, or longer than `max_bytes`.
        """
        ...

    def write_bytes(self, name: str, payload: bytes) -> None:
        """Write a whole small file, durably."""
        ...

    def remove(self, name: str) -> None:
        """Remove a file; no error if it is not there."""
        ...


class Store(Protocol):
    """Where loaded files go at the site. A file appears under its name whole or not at all."""

    location: str

    def staging_folder(self) -> Path:
        """Return a folder for bytes that are not proven yet, from where `publish` takes them.

        Raises:
            StoreUnreachable: it is the folder of a store that cannot be used.
        """
        ...

    def publish(self, staged: Path, name: bytes) -> None:
        """Move a proven staged file (or symbolic link) to `name`, making folders; never through a link.

        Raises:
            HostileArchive: the name would leave the store.
            DriveFull: no space is left.
            StoreUnreachable: the server of the store does not answer.
        """
        ...

    def publish_all(self, staged: Path, members: Sequence[tuple[str, bytes, bool]]) -> None:
        """Publish what lies in the folder `staged`: its name there, its name in the store, whether it is a folder."""
        ...

    def link(self, target: bytes, name: bytes) -> bool:
        """Make `name` another name of the stored regular file `target`; return False where there is no such file.

        A store without such names makes a copy, and remembers of what.

        What stands under `name` is replaced, unless it is that file already.
        """
        ...

    def are_linked(self, target: bytes, name: bytes) -> bool:
        """Return whether both are names of one stored regular file."""
        ...

    def finish_folder(self, name: bytes, give: Callable[[int], None]) -> None:
        """Call `give` with the folder `name`, open; it is made if it is not there."""
        ...

    def size_bytes(self, name: bytes) -> int | None:
        """Return a stored file's length, or None."""
        ...

    def holds(self, name: bytes) -> bool:
        """Return whether anything stands under `name` or in the way to it: a file, a folder, a link."""
        ...

    def flush(self) -> None:
        """Return when everything staged and published so far is on the medium: one call for many files."""
        ...

    def is_folder(self, name: bytes) -> bool:
        """Return whether a folder stands under `name`, and no link to one."""
        ...

    def is_empty(self) -> bool:
        """Return whether nothing was ever published here."""
        ...

    def link_target(self, name: bytes) -> bytes | None:
        """Return where a stored symbolic link leads; None where there is none."""
        ...

    def sha256(self, name: bytes) -> str | None:
        """Return the SHA-256 of a stored file, as it is read back; None where there is no such file."""
        ...

    def read_bytes(self, name: bytes, most_bytes: int) -> bytes | None:
        """Return a small stored file; None where there is no such file, or a longer one."""
        ...


@dataclass(frozen=True, slots=True)
class Medium:
    """What lies below a folder, and what it shares with other folders.

    Attributes:
        file_system: its type, "" where the kernel does not tell.
        size_bytes, free_bytes: of the file system; `free_bytes` is what an ordinary user can still write.
        is_read_only: it is mounted so.
        is_in_memory: no disk lies below it.
        way: from the file system over the disk to the controller, an identity and words for each ("usb 2-1", "one USB
            hub or bridge (2-1)"): what two folders both have in it, they share.
    """

    file_system: str
    size_bytes: int
    free_bytes: int
    is_read_only: bool
    is_in_memory: bool
    way: tuple[tuple[str, str], ...]


class Bench(Protocol):
    """What measuring asks of this machine beside its drives."""

    def medium(self, folder: Path) -> Medium:
        """Return what lies below a folder.

        Raises:
            DriveMissing: there is no such folder.
        """
        ...

    def begins_at(self, path: Path) -> int | None:
        """Return the byte of its device at which a file begins; None where nobody can say."""
        ...

    def hold(self, folder: Path) -> AbstractContextManager[None]:
        """Keep other measurements away from a folder for the length of a context.

        Raises:
            DriveInUse: one is running there.
        """
        ...

    def processor(self) -> str:
        """Return the name of the processor, "" where the kernel does not tell."""
        ...

    def memory_bytes(self) -> tuple[int, int]:
        """Return the machine's memory and what of it is available; zeros where the kernel does not tell."""
        ...


class Signer(Protocol):
    """A private key that signs documents."""

    public_line: str
    fingerprint: str

    def sign(self, namespace: str, payload: bytes) -> str:
        """Return an armoured SSHSIG over `payload`."""
        ...


class AskPassphrase(Protocol):
    """Asks the person at hand for a passphrase."""

    def __call__(self, prompt: str, *, twice: bool) -> str:
        """Return what was typed; `twice` for a new one, until both are equal.

        Raises:
            KeyMissing: nobody is there to ask.
        """
        ...


@dataclass(frozen=True, slots=True)
class HostsWanted:
    """On how many hosts a program runs, and what holds between them.

    Attributes:
        least: an attempt is formed with no fewer.
        most: and with no more; None takes every host that is there.
        wait_seconds: for so long an attempt waits for `least` hosts before the run ends with a verdict.
        silent_seconds: a host that has not answered for so long is lost.
        host_folder: absolute path, the same on every host, of a folder of the host's own, for checkpoints, results and
            logs; None where the folders of the job are seen by all hosts, which then need no copies.
        checkpoint_copies: on how many other hosts a checkpoint lies before it counts, where hosts have their own
            folders; 0 trusts each host to live.
    """

    least: int = 1
    most: int | None = None
    wait_seconds: float = 300.0
    silent_seconds: float = 10.0
    host_folder: Path | None = None
    checkpoint_copies: int = 1


@dataclass(frozen=True, slots=True)
class HostPlaces:
    """Where a run lies on hosts that have folders of their own: the same paths on every host, and other files.

    Attributes:
        folder: of this run alone, so that no other run's checkpoints are ever gone on from.
        command: script and arguments, with the places below `folder` filled in.
        results: on the driver's machine; the results of the host of rank 0 are brought here at the end.
    """

    folder: Path
    command: tuple[str, ...]
    results: Path

    @property
    def checkpoints(self) -> Path:
        """Return where the program saves on its host."""
        return self.folder / "checkpoints"

    @property
    def results_there(self) -> Path:
        """Return where the program writes its results on its host."""
        return self.folder / "results"

    @property
    def logs(self) -> Path:
        """Return where the workers' output lies on their host."""
        return self.folder / "logs"

    @property
    def copies(self) -> Path:
        """Return where a host keeps what it holds of checkpoints, its own and those of others."""
        return self.folder / "copies"


@dataclass(frozen=True, slots=True)
class TrainingJob:
    """One run of a training program under the contract (DESIGN: torchrun's environment, own resume, exit 0).

    Attributes:
        python: the interpreter to start workers with.
        command: script and arguments, placeholders already filled in.
        program_folder: working directory of the workers.
        environment: variables added to the workers' environment.
        checkpoints: where the program saves; the engine only watches it.
        log_folder: where the engine writes worker output and attempts.jsonl (`ATTEMPTS_NAME`).
        num_workers: processes on each host.
        max_restarts: how many times a failed attempt is followed by another.
        stall_seconds: no step line for so long ends an attempt.
        grace_seconds: what a worker gets between SIGTERM and SIGKILL, and after its done-mark to exit.
        hosts: on how many hosts, and what holds between them. An engine of one machine ignores it.
        host_places: where hosts have folders of their own: what takes the place of `command`, `checkpoints` and
            `log_folder` there. The newest checkpoint comes to `checkpoints` at the end. An engine of one machine
            ignores it.
        program: SHA-256 of the program's folder as it was held against the kit: hosts are held against this, so that
            what changes afterwards is seen; "" where nobody held it against anything, and what lies there is meant.
        withheld: names of variables that no worker has, and no job of a scheduler.
    """

    python: Path
    command: tuple[str, ...]
    program_folder: Path
    environment: Mapping[str, str]
    checkpoints: Path
    log_folder: Path
    num_workers: int
    max_restarts: int = 3
    stall_seconds: float = 600.0
    grace_seconds: float = 20.0
    hosts: HostsWanted = field(default_factory=HostsWanted)
    host_places: HostPlaces | None = None
    program: str = ""
    withheld: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StepRecord:
    """One step line, as read. `elapsed_seconds` counts from the run's start, as those of attempts do."""

    attempt: int
    step: int
    loss: float | None
    num_samples: int | None
    elapsed_seconds: float


@dataclass(frozen=True, slots=True)
class AttemptRecord:
    """One attempt: when it started and ended (seconds from the run's start), and why it ended.

    Attributes:
        lost_rank: the worker at fault, if one was.
        hosts: names in rank order, each with `num_workers` ranks; () where an engine of one machine ran it.
        lost_host: the host at fault: it no longer answered, or the worker at fault was on it.
        resumed_from: the checkpoint that it began from, as the engine knows it; "" where it does not know.
    """

    attempt: int
    started_seconds: float
    ended_seconds: float
    reason: str
    lost_rank: int | None
    hosts: tuple[str, ...] = ()
    lost_host: str | None = None
    resumed_from: str = ""


@dataclass(frozen=True, slots=True)
class TrainingRun:
    """What an engine reports of a finished run. `steps` holds every step line of every attempt, in order read."""

    attempts: tuple[AttemptRecord, ...]
    steps: tuple[StepRecord, ...]
    elapsed_seconds: float

    @property
    def num_restarts(self) -> int:
        """Return how many attempts followed the first."""
        return len(self.attempts) - 1


@dataclass(frozen=True, slots=True)
class LostHost:
    """What comes of a job that is bound to a host that went away, or was not there: nobody else can do it."""

    host: str
    why: str


class JobMapper(Protocol):
    """Runs a function over many jobs, somewhere. It only maps: what was done is known from receipts, never from here.

    Jobs are idempotent: one may be run twice, or by two hosts at once, where the first was taken for dead.

    Attributes:
        name: as `prepare --engine` spells it.
    """

    name: str

    def map(
        self, run: Callable[[J], R], jobs: Iterable[J], after_crash: Callable[[J], J | None] = ...
    ) -> Generator[tuple[J, R]]:
        """Yield each job with its result, as they end, in no order.

        Args:
            run: a function of a module: workers import it.
            jobs: taken as workers become free, never all at once.
            after_crash: called with a job that ended its process while it alone can be to blame; returns the job to try
                next, or None to try it as it is. The job that is yielded is the one that was done.

        Raises:
            WorkerCrashed: a job ended its process again and again.
            PacktrainError: what `run` raises comes through as it is; jobs that are running then are ended.
        """
        ...

    def hosts(self) -> tuple[str, ...]:
        """Return the names of the hosts that take jobs now, in order; `map_bound` takes these."""
        ...

    def map_bound(self, run: Callable[[J], R], jobs: Iterable[tuple[str, J]]) -> Generator[tuple[str, J, R | LostHost]]:
        """Yield each job with its host and its result, as they end, in no order. No job is moved to another host.

        A job whose process dies is tried once more there.

        Args:
            run: a function of a module: workers import it.
            jobs: host and job.

        Raises:
            ClusterUnreachable: no work comes back from any host.
            PacktrainError: what `run` raises comes through as it is; jobs that are running then are ended.
        """
        ...


class Engine(Protocol):
    """Starts workers, watches them, restarts them."""

    name: str

    def run(self, job: TrainingJob, sink: Sink) -> TrainingRun:
        """Run the program to its end.

        Raises:
            TrainingFailed: more attempts failed than `max_restarts` allows; the message names the log.
        """
        ...
