"""The files of a record, read as a stranger's: no link followed, every length bounded, every oddity a fault."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from packtrain.digest import sha256_bytes
from packtrain.diligence.audit.faults import Fault, shown
from packtrain.diligence.bag import MAX_BAG_BYTES, MAX_FILES
from packtrain.units import format_bytes

_MAX_DEPTH: Final = 6


class Files:
    """The plain files below one folder.

    Args:
        root: the folder; a link to one is the caller's own word and is followed.

    Attributes:
        names: of all plain files below it, sorted, with "/" between folders.
        faults: links, devices, what could not be read or was too large; grows while files are read.
        digests: SHA-256 of each file that was read.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.faults: list[Fault] = []
        self.digests: dict[str, str] = {}
        self.num_bytes: dict[str, int] = {}
        self._left_bytes = MAX_BAG_BYTES
        self._num_entries = 0
        names: list[str] = []
        self._walk("", 0, names)
        self.names: Sequence[str] = sorted(names)

    def read(self, name: str, most_bytes: int) -> bytes | None:
        """Return the bytes of a file, or None and a fault where it cannot be read or is too large."""
        try:
            # O_NOFOLLOW and O_NONBLOCK: what was a plain file when listed may be a link or a pipe by now.
            flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
            with os.fdopen(os.open(self.root / name, flags), "rb") as stream:
                if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
                    self.faults.append(Fault("link", shown(name), "not a plain file"))
                    return None
                payload = stream.read(min(most_bytes, self._left_bytes) + 1)
        except OSError as error:
            self.faults.append(Fault("missing", shown(name), f"cannot be read: {error.strerror}"))
            return None
        if len(payload) > min(most_bytes, self._left_bytes):
            most = format_bytes(most_bytes)
            what = f"larger than {most}" if len(payload) > most_bytes else "not read: the record is too large"
            self.faults.append(Fault("too large", shown(name), what))
            return None
        self._left_bytes -= len(payload)
        self.digests[name], self.num_bytes[name] = sha256_bytes(payload), len(payload)
        return payload

    def _walk(self, folder: str, depth: int, names: list[str]) -> None:
        try:
            with os.scandir(self.root / folder) as found:
                entries = sorted(found, key=lambda entry: entry.name)
        except OSError as error:
            self.faults.append(Fault("missing", shown(folder or "."), f"cannot be listed: {error.strerror}"))
            return
        for entry in entries:
            name = f"{folder}/{entry.name}" if folder else entry.name
            self._num_entries += 1
            if self._num_entries > MAX_FILES:
                self._too_many()
                return
            if entry.is_symlink():
                self.faults.append(
                    Fault("link", shown(name), "a link: it is not followed, what it leads to is no part")
                )
            elif entry.is_dir(follow_symlinks=False):
                if depth < _MAX_DEPTH:
                    self._walk(name, depth + 1, names)
                else:
                    self.faults.append(Fault("unknown file", shown(name), "a folder deeper than any record has"))
            elif entry.is_file(follow_symlinks=False):
                names.append(name)
            else:
                self.faults.append(Fault("link", shown(name), "a pipe, socket or device"))

    def _too_many(self) -> None:
        fault = Fault("too large", ".", f"more than {MAX_FILES} entries: the rest was not looked at")
        if fault not in self.faults:
            self.faults.append(fault)
