"""A folder as cargo: everything below it, streaming, in memory that does not grow with the number of files.

One folder's names are held at each level on the way down; those of a huge folder are sorted on disk. Hard-linked files
wait for their other names, beyond a bound on disk too.
"""

from __future__ import annotations

import contextlib
import heapq
import os
import stat
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from packtrain.errors import HostileArchive
from packtrain.ports import STAGING_NAME
from packtrain.volume.attributes import is_carried, is_within_bounds
from packtrain.volume.cargo import CargoEntry
from packtrain.volume.link_sets import LinkSets
from packtrain.volume.losses import LossReport
from packtrain.volume.tar import EntryKind, Xattrs
from packtrain.volume.untar import MAX_COMPONENT_BYTES, check_name, check_target

# Names of a folder sorted in memory at a time: some 20 MB.
_RUN_NAMES: Final = 200_000
_READ_BYTES: Final = 1 << 16
_RESERVED: Final = STAGING_NAME.encode("ascii")
_SPECIAL_BITS: Final = 0o7000


def scan(root: Path, prefix: bytes = b"", report: LossReport | None = None) -> Iterator[CargoEntry]:
    """Yield everything below a folder: by the names' byte order in each folder, a folder before what lies in it.

    Symbolic links are carried, never followed, but for those in the folder's own path: they are the user's, and are
    resolved now, because a source is opened through no link. The names of a hard-linked file come together, when the
    last of them was seen; of a file with names outside of the folder, at the end.

    Args:
        root: the folder; it is not an entry itself.
        prefix: put before every name, for example b"photos/".
        report: takes what cannot be carried, and what is not carried whole. Without it, what cannot be carried raises.

    Raises:
        SourceUnreadable: at the end, listing all that cannot be carried, where no report takes it. A caller that takes
            the whole list before the first byte is written has lost nothing.
    """
    found = LossReport() if report is None else report
    yield from _Scan(prefix, found).run(os.fsencode(root.resolve()))
    if report is None:
        found.refuse(str(root))


class _Scan:
    def __init__(self, prefix: bytes, report: LossReport) -> None:
        self._prefix = prefix
        self._report = report
        self._sets = LinkSets()

    def run(self, root: bytes) -> Iterator[CargoEntry]:
        with contextlib.closing(self._sets):
            yield from self._below(root)
            for entries in self._sets.rest():
                first = next(entries)
                self._report.lessen("hard links to names outside of the folder", first.name)
                yield first
                yield from entries

    def _below(self, root: bytes) -> Iterator[CargoEntry]:
        names = self._names(root, self._prefix or b".")
        # A stack and no recursion: a path can have two thousand folders.
        stack = [(root + b"/", self._prefix, names)] if names is not None else []
        while stack:
            folder, prefix, names = stack[-1]
            short = next(names, None)
            if short is None:
                stack.pop()
                continue
            path, name = folder + short, prefix + short
            try:
                status = os.lstat(path)
                kind = stat.S_IFMT(status.st_mode)
                if kind == stat.S_IFREG:
                    if status.st_nlink > 1:
                        yield from self._linked_file(path, name, status)
                    elif self._is_carried(path, name):
                        yield self._entry(path, name, "file", status)
                elif kind == stat.S_IFDIR:
                    if self._is_name_taken(name):
                        below = self._names(path, name)
                        first = next(below, None) if below is not None else None
                        entry = self._entry(path, name, "directory", status)
                        yield entry._replace(in_catalog_only=True) if first is not None else entry
                        if below is not None and first is not None:
                            stack.append((path + b"/", name + b"/", _with_first(first, below)))
                elif kind == stat.S_IFLNK:
                    yield from self._link(path, name, status)
                else:
                    self._report.leave_out("sockets, pipes and devices", name)
            except OSError as error:
                self._report.leave_out("cannot be read", name, error.strerror or str(error))

    def _names(self, folder: bytes, name: bytes) -> Iterator[bytes] | None:
        """Return the names in a folder in byte order, or None where it cannot be read."""
        try:
            return _sorted_names(folder)
        except OSError as error:
            self._report.leave_out("cannot be read", name, error.strerror or str(error))
            return None

    def _is_carried(self, path: bytes, name: bytes) -> bool:
        if not self._is_name_taken(name):
            return False
        if os.access(path, os.R_OK):
            return True
        self._report.leave_out("cannot be read", name, "may not be read")
        return False

    def _linked_file(self, path: bytes, name: bytes, status: os.stat_result) -> Iterator[CargoEntry]:
        if not self._is_carried(path, name):
            return
        key = (status.st_dev, status.st_ino)
        if self._sets.has(key):
            yield from self._sets.add(key, path, name)
        else:
            self._sets.begin(key, self._entry(path, name, "file", status), status.st_nlink - 1)

    def _link(self, path: bytes, name: bytes, status: os.stat_result) -> Iterator[CargoEntry]:
        if not self._is_name_taken(name):
            return
        target = os.readlink(path)  # noqa: PTH115 - bytes, as they are
        try:
            check_target(name, target)
        except HostileArchive as error:
            # The reader refuses a volume with such a link; it is told here, while it can be mended.
            shown = target.decode("utf-8", "backslashreplace")
            self._report.leave_out("symbolic links that leave the folder", name, f"{error.what}: {shown}")
            return
        if status.st_nlink > 1:
            self._report.lessen("hard links of symbolic links (carried as links of their own)", name)
        yield self._entry(path, name, "symlink", status, target)

    def _is_name_taken(self, name: bytes) -> bool:
        # The kernel gives no empty name, no "." and no "..": only the length is left, and one name that is ours.
        if len(name) <= MAX_COMPONENT_BYTES and not name.startswith(_RESERVED):
            return True
        try:
            check_name(name)
        except HostileArchive as error:
            self._report.leave_out("names that no reader takes", name, error.what)
            return False
        if name.startswith(_RESERVED) and name[len(_RESERVED) : len(_RESERVED) + 1] in (b"", b"/"):
            self._report.leave_out("names that no reader takes", name, "stores keep their own files there")
            return False
        return True

    def _entry(
        self, path: bytes, name: bytes, kind: EntryKind, status: os.stat_result, target: bytes | None = None
    ) -> CargoEntry:
        mode = stat.S_IMODE(status.st_mode)
        self._report.owner(name, status.st_uid, status.st_gid)
        if mode & _SPECIAL_BITS:
            self._report.lessen("set-id and sticky bits (set by load --keep-owner alone)", name, f"{mode:o}")
        size_bytes = status.st_size if kind == "file" else 0
        stored_bytes = status.st_blocks * 512
        is_sparse = stored_bytes < size_bytes
        if is_sparse:
            self._report.lessen("holes carried as zeros", name, total_bytes=size_bytes - stored_bytes)
        return CargoEntry(
            name,
            path,
            kind,
            size_bytes,
            mode,
            status.st_mtime_ns,
            None,
            target,
            status.st_uid,
            status.st_gid,
            is_sparse,
            self._xattrs(path, name, kind),
        )

    def _xattrs(self, path: bytes, name: bytes, kind: EntryKind) -> Xattrs:
        """Return the extended attributes that are carried; count the others."""
        try:
            keys = os.listxattr(path, follow_symlinks=False)
        except OSError:
            return ()  # a file system without any
        if not keys:
            return ()
        found: list[tuple[bytes, bytes]] = []
        for key in sorted(os.fsencode(text) for text in keys):
            if kind == "symlink" or not is_carried(key):
                self._report.lessen("extended attributes that are not carried", name, os.fsdecode(key))
            else:
                found.append((key, os.getxattr(path, key, follow_symlinks=False)))
        xattrs = tuple(found)
        if not is_within_bounds(xattrs):
            self._report.leave_out("extended attributes of more than 64 KiB (without them)", name)
            return ()
        return xattrs


def _sorted_names(folder: bytes) -> Iterator[bytes]:
    """Return the names in a folder in byte order; of a huge folder, from sorted runs in a temporary file."""
    runs: list[Iterator[bytes]] = []
    names: list[bytes] = []
    with os.scandir(folder) as found:
        for member in found:
            names.append(member.name)
            if len(names) == _RUN_NAMES:
                runs.append(_spilled(sorted(names)))
                names.clear()
    names.sort()
    return heapq.merge(*runs, names) if runs else iter(names)


def _spilled(names: Iterable[bytes]) -> Iterator[bytes]:
    """Write names to a temporary file at once; return an iterator that reads them back."""
    # The iterator closes it: it is read long after this returns.
    stream = tempfile.TemporaryFile()  # noqa: SIM115
    for name in names:
        stream.write(name + b"/")  # no name holds a slash
    stream.seek(0)

    def read() -> Iterator[bytes]:
        with stream:
            rest = b""
            while piece := stream.read(_READ_BYTES):
                *whole, rest = (rest + piece).split(b"/")
                yield from whole

    return read()


def _with_first(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest
