"""Mode, owner, times and extended attributes: what a loaded entry gets of what the catalog says."""

from __future__ import annotations

import os
import threading
from typing import Final

from packtrain.volume.attributes import ACCESS_LIST, CAPABILITY, DEFAULT_ACCESS_LIST, mode_without_access_list
from packtrain.volume.catalog import CatalogFile

# Set-user-id, set-group-id and sticky bits are not taken over: a drive must not plant a program that runs as its owner.
_PLAIN_BITS: Final = 0o777
_LISTS: Final = frozenset((ACCESS_LIST, DEFAULT_ACCESS_LIST))
_NAMED: Final = 256
Refused = dict[tuple[str, str], tuple[int, str]]
"""What could not be set and why, how often, and where first."""


class Metadata:
    """Gives entries what the catalog says of them; remembers what the store's file system refused. Safe over threads.

    Args:
        keep_owner: owner, access lists, set-id and sticky bits and capabilities too; only root may.
    """

    def __init__(self, *, keep_owner: bool = False) -> None:
        self.keep_owner = keep_owner
        self._lock = threading.Lock()
        self._refused: Refused = {}

    def give(self, descriptor: int, entry: CatalogFile) -> None:
        """Give an open file or folder everything but its content; its time last, so that nothing moves it again."""
        if self.keep_owner:
            try:
                os.fchown(descriptor, entry.uid, entry.gid)
            except OSError as error:
                self._note("owner", entry, error)
        capability: bytes | None = None
        mode = entry.mode if self.keep_owner else entry.mode & _PLAIN_BITS
        for name, value in entry.xattrs:
            if name == CAPABILITY:
                capability = value
            elif name in _LISTS and not self.keep_owner:
                # The numbers are those of users at home: here they are other people.
                self._note("access list", entry, "names users and groups of home by number; --keep-owner sets it")
                if name == ACCESS_LIST:
                    mode = mode_without_access_list(mode, value)
            else:
                self._set(descriptor, entry, name, value)
        # After the owner, which takes set-id bits away; after attributes, which need write permission.
        os.fchmod(descriptor, mode)
        if capability is not None and self.keep_owner:
            self._set(descriptor, entry, CAPABILITY, capability)
        os.utime(descriptor, ns=(entry.mtime_ns, entry.mtime_ns))

    def give_link(self, name: str, folder: int, entry: CatalogFile) -> None:
        """Give a symbolic link in an open folder its time and owner; never what it points to."""
        if self.keep_owner:
            try:
                os.chown(name, entry.uid, entry.gid, dir_fd=folder, follow_symlinks=False)
            except OSError as error:
                self._note("owner", entry, error)
        os.utime(name, ns=(entry.mtime_ns, entry.mtime_ns), dir_fd=folder, follow_symlinks=False)

    def refused(self) -> tuple[str, ...]:
        """Return what could not be set, a line each: what, why, how often, and where first."""
        with self._lock:
            return tuple(
                f"{what}: {why} ({count} times, first {first})"
                for (what, why), (count, first) in sorted(self._refused.items())
            )

    def notes(self) -> Refused:
        """Return what was refused so far, as `add` of another one takes it."""
        with self._lock:
            return dict(self._refused)

    def add(self, notes: Refused) -> None:
        """Add what another one was refused."""
        for (what, why), (count, first) in notes.items():
            self._count(what, why, first, count)

    def _set(self, descriptor: int, entry: CatalogFile, name: bytes, value: bytes) -> None:
        try:
            os.setxattr(descriptor, name, value)
        except OSError as error:
            self._note(f"attribute {name.decode('utf-8', 'backslashreplace')}", entry, error)

    def _note(self, what: str, entry: CatalogFile, error: OSError | str) -> None:
        why = error if isinstance(error, str) else error.strerror or str(error)
        self._count(what, why, entry.path[:256].decode("utf-8", "backslashreplace"), 1)

    def _count(self, what: str, why: str, first: str, times: int) -> None:
        with self._lock:
            key = (what, why)
            if key not in self._refused and len(self._refused) >= _NAMED:
                # Attributes can have any number of names; the report is bounded.
                key = ("other attributes", why)
            count, first = self._refused.get(key, (0, first))
            self._refused[key] = (count + times, first)
