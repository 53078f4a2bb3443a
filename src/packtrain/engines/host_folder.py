"""A host's own folder, as the driver and other hosts reach it: its checkpoints, and the results of the program.

`HostFolder` acts on the host, beside the agent and never in its thread: reading a checkpoint takes as long as it takes,
and a heartbeat must not wait for it.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, cast

from packtrain import durable
from packtrain.errors import DriveFull, VoyageLocked
from packtrain.ports import HostPlaces
from packtrain.training.checkpoint_copies.cuts import (
    CHUNK_BYTES,
    MAX_FILES,
    Cut,
    CutFile,
    HeldEntry,
    Inventory,
    ReadChunk,
)
from packtrain.training.checkpoint_copies.keeper import Keeper

_MOST_DEPTH: Final = 32
_LOCK_SECONDS: Final = 15.0  # for what ran here for an earlier driver to end
_LOCK_TURN_SECONDS: Final = 0.2
_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_OF_THE_KEEPER: Final = frozenset(
    {"inventory", "digests", "adopt", "install", "retain", "prove", "received_bytes", "receive"}
)


@dataclass(frozen=True, slots=True)
class ResultFiles:
    """The results on a host.

    Attributes:
        files: path below the folder, and size in bytes.
        num_left_out: links, devices, names that are not UTF-8, and what lies deeper or is more than is brought home.
    """

    files: tuple[tuple[str, int], ...]
    num_left_out: int


class HostFolder:
    """Keeps the checkpoints of this host, and gives away its results. Calls may come from several threads at once.

    Args:
        places: of the run, on this host.
    """

    def __init__(self, places: HostPlaces) -> None:
        self._places = places
        self._lock = threading.Lock()
        self._held = contextlib.ExitStack()
        self._keeper: Keeper | None = None

    def call(self, name: str, *arguments: object) -> object:
        """Do what a link asks.

        Raises:
            OSError: the disk refuses, or another process keeps this folder.
            ValueError: what was asked is none of a keeper's business.
        """
        owner = self._opened() if name in _OF_THE_KEEPER else self
        try:
            return getattr(owner, name)(*arguments)
        except DriveFull as error:
            raise OSError(errno.ENOSPC, "no space is left", str(self._places.folder)) from error

    def fetch(self, file: CutFile, read: ReadChunk) -> None:
        """Fetch a file from a peer: see `Keeper.fetch`."""
        self._opened().fetch(file, read)

    def read_chunk(self, sha256: str, offset: int, most_bytes: int) -> bytes:
        """Return bytes of a file of a checkpoint: see `Keeper.read_chunk`."""
        return self._opened().read_chunk(sha256, offset, most_bytes)

    def results(self) -> ResultFiles:
        """Return which plain files the program has written below its results; no link is followed."""
        found: list[tuple[str, int]] = []
        num_left_out = 0
        root = self._places.results_there
        if not root.is_dir():
            return ResultFiles((), 0)
        for folder, folders, names, descriptor in os.fwalk(root, follow_symlinks=False):
            place = os.path.relpath(folder, root)
            if place.count("/") >= _MOST_DEPTH:
                num_left_out += len(folders)
                folders.clear()
            for name in sorted((*names, *folders)):
                path = name if place == "." else f"{place}/{name}"
                with contextlib.suppress(FileNotFoundError):
                    status = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
                    if stat.S_ISREG(status.st_mode) and is_result_path(path) and len(found) < MAX_FILES:
                        found.append((path, status.st_size))
                    elif not stat.S_ISDIR(status.st_mode):
                        num_left_out += 1
        return ResultFiles(tuple(found), num_left_out)

    def read_result(self, path: str, offset: int, most_bytes: int) -> bytes:
        """Return bytes of a plain file of the results, at most `CHUNK_BYTES`; b"" at its end.

        Raises:
            OSError: there is none, or a link in the way to it.
        """
        with _plain_below(self._places.results_there, path) as descriptor:
            return os.pread(descriptor, max(0, min(most_bytes, CHUNK_BYTES)), max(0, offset))

    def close(self) -> None:
        """Let another process keep this folder."""
        with self._lock:
            self._held.close()
            self._keeper = None

    def _opened(self) -> Keeper:
        with self._lock:
            if self._keeper is None:
                deadline = time.monotonic() + _LOCK_SECONDS
                while True:
                    try:
                        self._held.enter_context(durable.lock_folder(self._places.copies))
                        break
                    except VoyageLocked as error:
                        if time.monotonic() > deadline:
                            text = "another process keeps checkpoints here; each host needs a folder of its own"
                            raise OSError(errno.EBUSY, text, str(self._places.folder)) from error
                        time.sleep(_LOCK_TURN_SECONDS)
                self._keeper = Keeper(self._places.checkpoints, self._places.copies)
            return self._keeper


class HostFolderLink:
    """A `HostFolder` as the driver reaches it; its methods are those of `HostFiles`.

    Args:
        call: calls a method there by name; "pull" takes the peer's address. It raises ConnectionError where the host
            does not answer, and what the method raises.
    """

    def __init__(self, call: Callable[..., object]) -> None:
        self._call = call

    def inventory(self) -> Inventory:
        """See `HostFiles`."""
        return cast("Inventory", self._call("inventory"))

    def digests(self, entry: HeldEntry) -> tuple[str, ...]:
        """See `HostFiles`."""
        return cast("tuple[str, ...]", self._call("digests", entry))

    def adopt(self, cut: Cut) -> None:
        """See `HostFiles`."""
        self._call("adopt", cut)

    def pull(self, file: CutFile, peer: str) -> None:
        """See `HostFiles`."""
        self._call("pull", file, peer)

    def prove(self, digests: frozenset[str], *, is_anew: bool = False) -> frozenset[str]:
        """See `HostFiles`."""
        return cast("frozenset[str]", self._call("prove", digests, is_anew))

    def push(self, file: CutFile, read: ReadChunk) -> None:
        """See `HostFiles`; it goes on with what came of an earlier try."""
        offset = cast("int", self._call("received_bytes", file))
        while True:
            piece = read(file.sha256, offset, min(CHUNK_BYTES, file.size_bytes - offset))
            if not piece and offset < file.size_bytes:
                raise OSError(errno.ESTALE, "became shorter while it was read", file.path)
            self._call("receive", file, offset, piece)
            offset += len(piece)
            if offset >= file.size_bytes:
                return

    def read_chunk(self, sha256: str, offset: int, most_bytes: int) -> bytes:
        """See `HostFiles`."""
        return cast("bytes", self._call("read_chunk", sha256, offset, most_bytes))

    def install(self, cut: Cut | None, attempt: str) -> None:
        """See `HostFiles`."""
        self._call("install", cut, attempt)

    def retain(self, digests: frozenset[str]) -> None:
        """See `HostFiles`."""
        self._call("retain", digests)

    def bring_results(self, into: Path) -> int:
        """Write the results of this host below a folder here, each file whole or not at all.

        Returns:
            How many were left out: see `ResultFiles`, and those whose place here leads over a link.

        Raises:
            OSError: the host does not answer, or a file changes while it is read.
            DriveFull: they have no room here: nothing is brought then; or the space ends meanwhile.
        """
        there = cast("ResultFiles", self._call("results"))
        num_left_out = there.num_left_out
        into.mkdir(parents=True, exist_ok=True)
        durable.require_room(into, _new_bytes(there, into))
        for path, size_bytes in there.files[:MAX_FILES]:
            target = into / path
            if not is_result_path(path) or _leads_over_a_link(into, path):
                num_left_out += 1
                continue
            with durable.atomic_writer(target) as stream:
                offset = 0
                while offset < size_bytes:
                    piece = cast("bytes", self._call("read_result", path, offset, CHUNK_BYTES))
                    if not 0 < len(piece) <= min(CHUNK_BYTES, size_bytes - offset):
                        raise OSError(errno.ESTALE, "changed while it was read", path)
                    stream.write(piece)
                    offset += len(piece)
        return num_left_out


def is_result_path(path: str) -> bool:
    """Return whether a path of a host's results stays below the folder that it is put into."""
    parts = path.split("/")
    try:
        path.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return len(parts) <= _MOST_DEPTH + 1 and all(
        part not in ("", ".", "..") and "\0" not in part and len(os.fsencode(part)) < 256 for part in parts
    )


def _new_bytes(there: ResultFiles, into: Path) -> int:
    """Return what results take at most here, where some may lie already: each is replaced when it is whole."""
    sizes = {path: size_bytes for path, size_bytes in there.files[:MAX_FILES] if is_result_path(path)}
    here = 0
    for path, size_bytes in sizes.items():
        with contextlib.suppress(OSError):
            here += min(size_bytes, (into / path).lstat().st_size)
    return sum(sizes.values()) - here + (max(sizes.values(), default=0) if here else 0)


def _leads_over_a_link(folder: Path, path: str) -> bool:
    *parents, name = path.split("/")
    place = folder
    for part in parents:
        place /= part
        if place.is_symlink() or (place.exists() and not place.is_dir()):
            return True
    return (place / name).is_dir()


@contextlib.contextmanager
def _plain_below(root: Path, path: str) -> Iterator[int]:
    """Yield the descriptor of a plain file below a folder, reached without a link."""
    if not is_result_path(path):
        raise OSError(errno.EINVAL, "is no path of a result", path[:200])
    *parents, name = path.split("/")
    with contextlib.ExitStack() as opened:
        place = os.open(root, _FOLDER)
        opened.callback(os.close, place)
        for part in parents:
            place = os.open(part, _FOLDER, dir_fd=place)
            opened.callback(os.close, place)
        descriptor = os.open(name, _FILE, dir_fd=place)
        opened.callback(os.close, descriptor)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "is no plain file", path)
        yield descriptor
