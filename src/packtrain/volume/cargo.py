"""What is carried: a list of entries in source order, and its digest."""

from __future__ import annotations

import functools
import hashlib
import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from packtrain.errors import HostileArchive, SourceChanged, SourceUnreadable
from packtrain.units import KIB
from packtrain.volume import layout
from packtrain.volume.tar import EntryKind, Xattrs, xattr_records
from packtrain.volume.untar import check_name

_LISTED: Final = 20
_NOTHING: Final = b"0:,"
_RECORDS_HASHED_TOGETHER: Final = 256


class CargoEntry(NamedTuple):
    """One thing to carry.

    Attributes:
        name: its path on the shipment: relative, raw bytes.
        source: the path where it lies here, raw.
        kind: file, hard link to a file listed before it, symbolic link, or directory.
        size_bytes: of a file; 0 for the others.
        mode: permission bits.
        mtime_ns: as the source had it when it was listed.
        sha256: of a file's content where it is known already; it is checked while packing.
        link_target: of a symbolic link, raw; of a hard link, the name of its file.
        uid, gid: the owner's numbers.
        is_sparse: the file has holes; they are carried as zeros and left open again at the site.
        xattrs: extended attributes, in byte order of their names.
        in_catalog_only: a directory with something in it: it needs no place in a volume.
    """

    name: bytes
    source: bytes
    kind: EntryKind
    size_bytes: int
    mode: int
    mtime_ns: int
    sha256: str | None = None
    link_target: bytes | None = None
    uid: int = 0
    gid: int = 0
    is_sparse: bool = False
    xattrs: Xattrs = ()
    in_catalog_only: bool = False


def listed(root: Path, files: Iterable[tuple[str, int, str]], prefix: bytes = b"") -> Iterator[CargoEntry]:
    """Yield files that a document lists, in its order.

    Args:
        root: the folder that the names are relative to; links in its own path are resolved now, below it none may be.
        files: name, bytes and SHA-256 of each.
        prefix: put before every name.

    Raises:
        SourceUnreadable: at the end, listing all that are missing or are no regular files.
        SourceChanged: at the end, listing all whose length is another.
    """
    faults: list[str] = []
    changed: list[str] = []
    root = root.resolve()
    for name, size_bytes, sha256 in files:
        path = root / name
        status = _look_at(path, name, size_bytes, faults, changed)
        if status is not None:
            yield _file_entry(prefix + name.encode("utf-8"), path, status, sha256)
    _raise_faults(faults, str(root), "run the stage that wrote them again")
    if changed:
        raise SourceChanged(
            f"{len(changed)} files are not as they were listed: {_some(changed)}",
            where=str(root),
            hint="run the stage that wrote them again",
        )


def listed_where_they_lie(files: Iterable[tuple[str, Path, int, int, str]]) -> Iterator[CargoEntry]:
    """Yield files that a document lists and that lie anywhere on this machine, in its order.

    Args:
        files: name on the shipment, absolute path without links, bytes, time of change in nanoseconds, and SHA-256.

    Raises:
        SourceUnreadable: at the end, listing all that are missing or are no regular files.
        SourceChanged: at the end, listing all that were written to since they were read.
    """
    faults: list[str] = []
    changed: list[str] = []
    for name, path, size_bytes, mtime_ns, sha256 in files:
        status = _look_at(path, str(path), size_bytes, faults, changed)
        if status is None:
            continue
        if status.st_mtime_ns != mtime_ns:
            changed.append(f"{path}: written to since it was adopted")
        else:
            yield _file_entry(name.encode("utf-8"), path, status, sha256)
    _raise_faults(faults, "adopted shards", "mount the disk they lie on, or bring them back")
    if changed:
        raise SourceChanged(
            f"{len(changed)} adopted shards are not as they were read: {_some(changed)}",
            where="adopted shards",
            hint='let whoever writes to them finish, then run "packtrain prepare" again: it reads anew what changed',
        )


def _look_at(path: Path, shown: str, size_bytes: int, faults: list[str], changed: list[str]) -> os.stat_result | None:
    """Return what a listed file is; where it is not as listed, say so under the name `shown` and return None."""
    try:
        status = path.lstat()
    except OSError as error:
        faults.append(f"{shown}: {error.strerror}")
        return None
    if not stat.S_ISREG(status.st_mode) or not os.access(path, os.R_OK):
        faults.append(f"{shown}: not a readable regular file")
    elif status.st_size != size_bytes:
        changed.append(f"{shown}: expected {size_bytes} bytes, found {status.st_size}")
    else:
        return status
    return None


def _file_entry(name: bytes, path: Path, status: os.stat_result, sha256: str) -> CargoEntry:
    return CargoEntry(
        name=name,
        source=os.fsencode(path),
        kind="file",
        size_bytes=status.st_size,
        mode=stat.S_IMODE(status.st_mode),
        mtime_ns=status.st_mtime_ns,
        sha256=sha256,
    )


def refuse_names_no_reader_takes(entries: Iterable[CargoEntry], target_bytes: int) -> Iterator[CargoEntry]:
    """Yield entries, and hold their names against the rules that a reader goes by: what it would refuse must not leave.

    Args:
        entries: what is to be carried.
        target_bytes: of a volume; a larger file is cut, and its pieces have longer names.

    Raises:
        SourceUnreadable: at the end, listing all whose names are too long or not plain.
    """
    faults: list[str] = []
    # Headers of two names of 4 KiB take less than 16 KiB: what leaves that much room is never cut.
    never_cut_bytes = target_bytes - 16 * KIB
    for entry in entries:
        try:
            is_cut = (
                entry.kind == "file"
                and entry.size_bytes + (len(xattr_records(entry.xattrs)) if entry.xattrs else 0) > never_cut_bytes
            )
            check_name(layout.piece_name(entry.name, 1, 2) if is_cut else entry.name)
        except HostileArchive as error:
            faults.append(f"{os.fsdecode(entry.source)}: {error.what}")
        yield entry
    _raise_faults(faults, "sources", "give them shorter names; of a file that is cut, its pieces' names count")


class CargoDigest:
    """The SHA-256 over all entries in order; the plan names it, so that a resumed run packs the same.

    Each entry adds its fields as netstrings: name, kind, bytes, mode, mtime_ns, sha256 or nothing, link or nothing,
    uid, gid, 1 if it has holes or 0, and its extended attributes: one netstring of those of names and values in turn.
    """

    def __init__(self) -> None:
        self._state = hashlib.sha256()
        self._records: list[bytes] = []

    def add(self, entry: CargoEntry) -> None:
        """Take the next entry."""
        self._records.append(_digest_record(entry))
        # Hashed together: a call costs as much as a short record.
        if len(self._records) == _RECORDS_HASHED_TOGETHER:
            self._hash()

    def hexdigest(self) -> str:
        """Return the digest over all entries so far."""
        self._hash()
        return self._state.hexdigest()

    def _hash(self) -> None:
        self._state.update(b"".join(self._records))
        self._records.clear()


def cargo_digest(entries: Iterable[CargoEntry]) -> str:
    """Return the digest over all entries in order, see `CargoDigest`."""
    digest = CargoDigest()
    for entry in entries:
        digest.add(entry)
    return digest.hexdigest()


def _digest_record(entry: CargoEntry) -> bytes:
    """Return what one entry adds to `cargo_digest`."""
    name, _, kind, size_bytes, mode, mtime_ns, sha256, link, uid, gid, is_sparse, xattrs, _ = entry
    size, mtime = b"%d" % size_bytes, b"%d" % mtime_ns
    # Netstrings written out, and those kept that come again: this is done twice for each of ten million files.
    return b"%d:%b,%b%d:%b,%b%d:%b,%b%b%b%b" % (
        len(name),
        name,
        _text(kind),
        len(size),
        size,
        _number(mode),
        len(mtime),
        mtime,
        _NOTHING if sha256 is None else _text(sha256),
        _NOTHING if link is None else _netstrings((link,)),
        _owner(uid, gid, is_sparse),
        _netstrings((_netstrings(field for pair in xattrs for field in pair),)) if xattrs else _NOTHING,
    )


@functools.lru_cache(maxsize=256)
def _text(value: str) -> bytes:
    return _netstrings((value.encode("ascii"),))


@functools.lru_cache(maxsize=256)
def _number(value: int) -> bytes:
    return _netstrings((b"%d" % value,))


@functools.lru_cache(maxsize=256)
def _owner(uid: int, gid: int, is_sparse: bool) -> bytes:
    return _netstrings((b"%d" % uid, b"%d" % gid, b"%d" % is_sparse))


def _netstrings(fields: Iterable[bytes]) -> bytes:
    return b"".join(b"%d:%b," % (len(field), field) for field in fields)


def _raise_faults(
    faults: list[str], where: str, hint: str = "remove them from the sources, or make them readable"
) -> None:
    if faults:
        raise SourceUnreadable(
            f"{len(faults)} sources cannot be carried: {_some(faults)}",
            where=where,
            hint=hint,
        )


def _some(faults: list[str]) -> str:
    rest = len(faults) - _LISTED
    return "; ".join(faults[:_LISTED]) + (f"; and {rest} more" if rest > 0 else "")
