"""What hosts and the driver say to each other about checkpoints: plain values that can be pickled, and their bounds."""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol, cast

from packtrain.training.checkpoints import DCP_MARK, TRAINER_MARK, is_finished, step_in
from packtrain.units import MIB

CHUNK_BYTES: Final = 4 * MIB
"""No message between hosts holds more of a file."""

MAX_FILES: Final = 100_000
"""Of one checkpoint, and checkpoints of more are not copied; 300 hosts of 8 workers with 8 files each are 19 200."""

MAX_CUTS: Final = 1_000
MAX_DEPTH: Final = 8
MAX_CUT_BYTES: Final = 64 * MIB
_MAX_FILE_BYTES: Final = 1 << 50
_MARKS: Final = frozenset({DCP_MARK, TRAINER_MARK})
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_ATTEMPT: Final = re.compile(r"(?:(\d{6})-(\d{1,6})-[0-9a-f]{8})?")

ReadChunk = Callable[[str, int, int], bytes]
"""Returns bytes of a file that a peer holds: (its SHA-256, the offset, at most how many)."""


@dataclass(frozen=True, slots=True)
class HeldFile:
    """A file as it lies in a program's folder: its path in the checkpoint, "" where the checkpoint is a file itself."""

    path: str
    size_bytes: int
    changed_ns: int
    inode: int


@dataclass(frozen=True, slots=True)
class HeldEntry:
    """What one host's program folder holds under one name: a whole checkpoint, or this host's part of one.

    Attributes:
        attempt: in which attempt it was written; "" where that was before the first.
        named: paths of the shards that the `.metadata` of torch.distributed.checkpoint names.
        is_readable: False where it holds more or deeper files than are looked at, or a name that is not UTF-8.
    """

    name: str
    attempt: str
    files: tuple[HeldFile, ...]
    named: tuple[str, ...] = ()
    is_readable: bool = True

    @property
    def is_marked(self) -> bool:
        """Return whether one of its files is a mark that a program writes last."""
        return any(file.path.rpartition("/")[2] in _MARKS for file in self.files)


@dataclass(frozen=True, slots=True)
class CutFile:
    """One file of a cut, known by its content."""

    path: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Cut:
    """A whole checkpoint: the union of what all hosts of an attempt wrote under one name.

    Attributes:
        entry: the name in the program's folder.
        attempt: in which attempt it was written: what two attempts wrote under one name is never mixed.
        changed_ns: when its last file was written, by the clock of its host; in one attempt it orders names that say
            no step.
        files: by path.
    """

    entry: str
    attempt: str
    changed_ns: int
    files: tuple[CutFile, ...]

    @property
    def digest(self) -> str:
        """Return the SHA-256 by which hosts name the cut."""
        return hashlib.sha256(to_json(self)).hexdigest()

    @property
    def age(self) -> tuple[tuple[int, int], str, int]:
        """Return what orders cuts, the newest last: by step; of equal steps, and where names say none, by attempt.

        Times come last: those of two attempts may be of two hosts, whose clocks differ.
        """
        return step_in(Path(self.entry)), self.attempt, self.changed_ns

    @property
    def contents(self) -> dict[str, int]:
        """Return the sizes of its files by SHA-256."""
        return {file.sha256: file.size_bytes for file in self.files}


@dataclass(frozen=True, slots=True)
class Inventory:
    """All that a host holds.

    Attributes:
        attempt: the attempt that it was last prepared for; "" before the first.
        entries: what the program's folder holds under finished names.
        cuts: those that the host knows to be whole, whether or not it holds their files.
        contents: SHA-256 of every file that it holds and can give away.
    """

    attempt: str
    entries: tuple[HeldEntry, ...]
    cuts: tuple[Cut, ...]
    contents: frozenset[str]


class HostFiles(Protocol):
    """One host's checkpoints, as the driver reaches them: a `Keeper` there, and a transport between.

    Every method raises OSError: ConnectionError where the host does not answer, others where its disk refuses.
    Methods other than `inventory` may take as long as reading or copying a checkpoint takes. They are called from
    threads of the driver, at most one at a time a host; `read_chunk` at any time, also from other hosts.
    """

    def inventory(self) -> Inventory:
        """Return what the host holds; no file is read for it but small ones."""
        ...

    def digests(self, entry: HeldEntry) -> tuple[str, ...]:
        """Return the SHA-256 of each file of an entry of the inventory.

        Raises:
            OSError: a file is no longer as the inventory said.
        """
        ...

    def adopt(self, cut: Cut) -> None:
        """Note a cut as whole, and keep what the program's folder holds of it until `retain` lets it go."""
        ...

    def pull(self, file: CutFile, peer: str) -> None:
        """Fetch a file from another host, which is named as the driver names it, in chunks of `CHUNK_BYTES`."""
        ...

    def prove(self, digests: frozenset[str], *, is_anew: bool = False) -> frozenset[str]:
        """Read those of these files that the host holds, drop what is not as its digest says, and return that.

        Each is read once in the life of what keeps them there: a host may come back with a damaged disk.

        Args:
            digests: SHA-256 of the files.
            is_anew: read them whether or not that was done before.
        """
        ...

    def push(self, file: CutFile, read: ReadChunk) -> None:
        """Give the host a file, in chunks of `CHUNK_BYTES`; it is proven there."""
        ...

    def read_chunk(self, sha256: str, offset: int, most_bytes: int) -> bytes:
        """Return bytes of a file that the host holds, at most `CHUNK_BYTES`; b"" at its end."""
        ...

    def install(self, cut: Cut | None, attempt: str) -> None:
        """Make the program's folder ready for an attempt: its newest checkpoint is this one, None for no checkpoint.

        Raises:
            OSError: the host does not hold a file of it.
        """
        ...

    def retain(self, digests: frozenset[str]) -> None:
        """Forget all other cuts, and remove the files that none of these has."""
        ...


def is_entry_name(name: str) -> bool:
    """Return whether a name is one that a checkpoint in a program's folder may have."""
    return _is_part(name) and is_finished(Path(name))


def is_inner_path(path: str) -> bool:
    """Return whether a path stays in its checkpoint; "" is the checkpoint itself."""
    parts = path.split("/")
    return path == "" or (len(parts) <= MAX_DEPTH and all(_is_part(part) for part in parts))


def is_sha256(text: str) -> bool:
    """Return whether a text is a SHA-256 in lower-case hexadecimal, and so safe as a name."""
    return _SHA256.fullmatch(text) is not None


def is_attempt(text: str) -> bool:
    """Return whether a text names an attempt."""
    return _ATTEMPT.fullmatch(text) is not None


def attempt_name(number: int, num_hosts: int) -> str:
    """Return a new name for an attempt: later ones are greater, and no two are equal."""
    return f"{number:06d}-{num_hosts}-{secrets.token_hex(4)}"


def attempt_number(attempt: str) -> int:
    """Return which attempt it is, from 1; 0 for what was before the first."""
    parts = _ATTEMPT.fullmatch(attempt)
    return int(parts[1] or 0) if parts else 0


def hosts_of_attempt(attempt: str) -> int:
    """Return on how many hosts an attempt ran; 0 for what was before the first."""
    parts = _ATTEMPT.fullmatch(attempt)
    return int(parts[2] or 0) if parts else 0


def checked(cut: Cut) -> Cut:
    """Return a cut that another host told.

    Raises:
        ValueError: a name in it leads elsewhere, two paths collide, or it has more than `MAX_FILES`.
    """
    paths = [file.path for file in cut.files]
    folders = {path[:end] for path in paths for end, letter in enumerate(path) if letter == "/"}
    if (
        not is_entry_name(cut.entry)
        or not is_attempt(cut.attempt)
        or not 0 < len(paths) <= MAX_FILES
        or not all(is_inner_path(path) for path in paths)
        or paths != sorted(set(paths))
        or folders & set(paths)
        or ("" in paths and len(paths) > 1)
        or not all(is_sha256(file.sha256) and 0 <= file.size_bytes <= _MAX_FILE_BYTES for file in cut.files)
    ):
        raise ValueError(f"checkpoint {cut.entry[:100]!r} has names that no checkpoint has")
    return cut


def to_json(cut: Cut) -> bytes:
    """Return the bytes of a cut's document."""
    files = [[file.path, file.size_bytes, file.sha256] for file in cut.files]
    body = {"entry": cut.entry, "attempt": cut.attempt, "changed_ns": cut.changed_ns, "files": files}
    return json.dumps(body, sort_keys=True).encode("ascii")


def from_json(payload: bytes) -> Cut:
    """Return the cut of a document.

    Raises:
        ValueError: it is none.
    """
    try:
        body = cast("dict[str, Any]", json.loads(payload))
        files = tuple(CutFile(str(path), int(size), str(sha256)) for path, size, sha256 in body["files"])
        cut = Cut(str(body["entry"]), str(body["attempt"]), int(body["changed_ns"]), files)
    except (KeyError, TypeError, RecursionError) as error:
        raise ValueError("no document of a checkpoint") from error
    return checked(cut)


def _is_part(name: str) -> bool:
    return name not in ("", ".", "..") and "/" not in name and "\0" not in name and len(os.fsencode(name)) < 256
