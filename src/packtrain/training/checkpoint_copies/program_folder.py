"""The folder in which a program saves, looked at from outside: what lies there, of which attempt, and its digests."""

from __future__ import annotations

import errno
import json
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, cast

from packtrain import durable
from packtrain.digest import sha256_file
from packtrain.training.checkpoint_copies.cuts import (
    MAX_DEPTH,
    MAX_FILES,
    HeldEntry,
    HeldFile,
    is_attempt,
    is_entry_name,
    is_inner_path,
)
from packtrain.training.checkpoints import DCP_MARK, is_finished
from packtrain.units import MIB

_SHARD: Final = re.compile(rb"__\d{1,9}_\d{1,9}\.distcp")
_LONGEST_SHARD: Final = 64
_MAX_METADATA_BYTES: Final = 1 << 30
_MAX_STATE_BYTES: Final = 64 * MIB
_MAX_ENTRIES: Final = 10_000
_MAX_DIGESTS: Final = 4 * MAX_FILES

Signature = list[list[str | int]]
"""Path, bytes and time of change of each file: a program that saves under a name anew changes it."""


class ProgramFolder:
    """What a program has saved on this host, and in which attempt.

    Args:
        folder: where the program saves; it may not be there yet.
        state_file: a small JSON file of ours, outside `folder`, that tells attempts apart.
    """

    def __init__(self, folder: Path, state_file: Path) -> None:
        self.folder = folder
        self._state_file = state_file
        self._digests: dict[tuple[str, HeldFile], str] = {}
        self._named: dict[HeldFile, tuple[str, ...]] = {}
        self._damaged: set[tuple[int, int, int]] = set()

    def attempt(self) -> str:
        """Return the attempt that the folder was last made ready for; "" before the first."""
        return self._state()[0]

    def entries(self) -> tuple[HeldEntry, ...]:
        """Return what lies in the folder under finished names. No link is followed."""
        attempt, before = self._state()
        found: list[HeldEntry] = []
        for path in _listed(self.folder)[:_MAX_ENTRIES]:
            if path.is_symlink() or not is_entry_name(path.name):
                continue
            files = _held_files(path)
            if files is None:
                found.append(HeldEntry(path.name, attempt, (), is_readable=False))
            elif files:
                written_in, signature = before.get(path.name, ("", []))
                is_as_before = path.name in before and signature == signature_of(files)
                named = tuple(sorted(name for file in files for name in self._named_by(path, file)))
                found.append(HeldEntry(path.name, written_in if is_as_before else attempt, files, named))
        return tuple(found)

    def digest(self, entry: str, file: HeldFile) -> str:
        """Return the SHA-256 of a file, read once as long as it does not change.

        Raises:
            OSError: it is no longer as it was listed, or was found damaged.
        """
        key = (entry, file)
        if _identity(file) in self._damaged:
            raise OSError(errno.EBADMSG, "has other bytes than the program wrote", str(self.path(entry, file.path)))
        path = self.path(entry, file.path)
        _refuse_changed(path, file)
        if key not in self._digests:
            sha256 = sha256_file(path)
            _refuse_changed(path, file)
            while len(self._digests) >= _MAX_DIGESTS:
                self._digests.pop(next(iter(self._digests)))
            self._digests[key] = sha256
        return self._digests[key]

    def known_digest(self, entry: str, file: HeldFile) -> str | None:
        """Return the SHA-256 of a file where it was taken already."""
        return self._digests.get((entry, file))

    def note_digest(self, entry: str, file: HeldFile, sha256: str) -> None:
        """Take over the SHA-256 of a file that is known without reading it."""
        self._digests[entry, file] = sha256

    def note_damaged(self, file: HeldFile) -> None:
        """Never give a digest of a file again, under whatever name it lies here: its bytes are not the program's."""
        self._damaged.add(_identity(file))
        self._digests = {key: sha256 for key, sha256 in self._digests.items() if _identity(key[1]) != _identity(file)}

    def path(self, entry: str, inner: str) -> Path:
        """Return where a file lies."""
        assert is_entry_name(entry)
        assert is_inner_path(inner)
        return self.folder / entry / inner if inner else self.folder / entry

    def begin(self, attempt: str, kept: dict[str, tuple[str, Signature]]) -> None:
        """Note that what appears from now on is of this attempt, except these: the attempt and signature of each."""
        body = {"attempt": attempt, "before": kept}
        durable.write_bytes(self._state_file, json.dumps(body).encode("ascii"))

    def _state(self) -> tuple[str, dict[str, tuple[str, Signature]]]:
        payload = durable.plain_bytes(self._state_file, _MAX_STATE_BYTES)
        if payload is None:
            return "", {}
        try:
            body = cast("dict[str, Any]", json.loads(payload))
            before = {str(name): (str(attempt), list(files)) for name, (attempt, files) in body["before"].items()}
            attempt = str(body["attempt"])
        except (ValueError, KeyError, TypeError, AttributeError):
            return "", {}
        return (attempt, before) if is_attempt(attempt) else ("", {})

    def _named_by(self, entry: Path, file: HeldFile) -> Iterator[str]:
        """Yield the shards that a `.metadata` names, as paths in the checkpoint."""
        head, _, name = file.path.rpartition("/")
        if name != DCP_MARK:
            return
        if file not in self._named:
            while len(self._named) >= _MAX_ENTRIES:
                self._named.pop(next(iter(self._named)))
            self._named[file] = shards_named(entry / file.path)
        for shard in self._named[file]:
            yield f"{head}/{shard}" if head else shard


def shards_named(metadata: Path) -> tuple[str, ...]:
    """Return the names of shards that stand in a `.metadata`, found as bytes: it is a pickle, and never opened here."""
    found: set[bytes] = set()
    try:
        with durable.plain_file(metadata) as stream:
            if os.fstat(stream.fileno()).st_size > _MAX_METADATA_BYTES:
                return ()
            kept = b""
            while piece := stream.read(4 * MIB):
                found.update(_SHARD.findall(kept + piece))
                kept = piece[-_LONGEST_SHARD:]
                if len(found) > MAX_FILES:
                    return ()
    except OSError:
        return ()
    return tuple(sorted(name.decode("ascii") for name in found))


def signature_of(files: tuple[HeldFile, ...]) -> Signature:
    """Return what tells whether an entry was written anew."""
    return [[file.path, file.size_bytes, file.changed_ns] for file in files]


def held_file(path: Path, inner: str) -> HeldFile | None:
    """Return what a path says of itself without being opened; None where it is no plain file, or gone."""
    try:
        status = path.lstat()
    except OSError:
        return None
    if not stat.S_ISREG(status.st_mode):
        return None
    return HeldFile(inner, status.st_size, status.st_mtime_ns, status.st_ino)


def _identity(file: HeldFile) -> tuple[int, int, int]:
    return file.inode, file.size_bytes, file.changed_ns


def _held_files(entry: Path) -> tuple[HeldFile, ...] | None:
    """Return the plain files of an entry, by path; None where there are too many, or they lie too deep."""
    if not entry.is_dir():
        file = held_file(entry, "")
        return (file,) if file is not None else ()
    found: list[HeldFile] = []
    waiting = [(entry, "")]
    while waiting:
        folder, inner = waiting.pop()
        for path in _listed(folder):
            name = f"{inner}/{path.name}" if inner else path.name
            if path.is_symlink() or (path.name != DCP_MARK and not is_finished(path)):
                continue
            if path.is_dir():
                if name.count("/") + 2 > MAX_DEPTH:
                    return None
                waiting.append((path, name))
            elif (file := held_file(path, name)) is not None:
                found.append(file)
            if len(found) + len(waiting) > MAX_FILES:
                return None
    return tuple(sorted(found, key=lambda file: file.path))


def _refuse_changed(path: Path, file: HeldFile) -> None:
    if held_file(path, file.path) != file:
        raise OSError(errno.ESTALE, "was changed or removed since it was listed", str(path))


def _listed(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []
