"""What is carried: a list of entries in source order, its digest, and how a folder becomes such a list."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from packtrain.errors import HostileArchive, SourceChanged, SourceUnreadable
from packtrain.units import KIB
from packtrain.volume import layout
from packtrain.volume.tar import EntryKind
from packtrain.volume.untar import check_name, check_target

_LISTED: Final = 20


@dataclass(frozen=True, slots=True)
class CargoEntry:
    """One thing to carry.

    Attributes:
        name: its path on the shipment: relative, raw bytes.
        source: where it lies here.
        kind: file, symbolic link, or directory without children.
        size_bytes: of a file; 0 for the others.
        mode: permission bits.
        mtime_ns: as the source had it when it was listed.
        sha256: of a file's content where it is known already; it is checked while packing.
        link_target: of a symbolic link, raw.
    """

    name: bytes
    source: Path
    kind: EntryKind
    size_bytes: int
    mode: int
    mtime_ns: int
    sha256: str | None = None
    link_target: bytes | None = None


def scan(root: Path, prefix: bytes = b"") -> Iterator[CargoEntry]:
    """Yield everything below a folder in byte order of the names, depth first; links are carried, never followed.

    Args:
        root: the folder; it is not an entry itself.
        prefix: put before every name, for example b"photos/".

    Raises:
        SourceUnreadable: at the end, listing all that cannot be carried: sockets, pipes, devices, unreadable files and
            folders. A caller that takes the whole list before the first byte is written has lost nothing.
    """
    faults: list[str] = []
    yield from _walk(root, prefix, faults)
    _raise_faults(faults, str(root))


def listed(root: Path, files: Iterable[tuple[str, int, str]], prefix: bytes = b"") -> Iterator[CargoEntry]:
    """Yield files that a document lists, in its order.

    Args:
        root: the folder that the names are relative to.
        files: name, bytes and SHA-256 of each.
        prefix: put before every name.

    Raises:
        SourceUnreadable: at the end, listing all that are missing or are no regular files.
        SourceChanged: at the end, listing all whose length is another.
    """
    faults: list[str] = []
    changed: list[str] = []
    for name, size_bytes, sha256 in files:
        path = root / name
        try:
            status = path.lstat()
        except OSError as error:
            faults.append(f"{name}: {error.strerror}")
            continue
        if not stat.S_ISREG(status.st_mode) or not os.access(path, os.R_OK):
            faults.append(f"{name}: not a readable regular file")
        elif status.st_size != size_bytes:
            changed.append(f"{name}: expected {size_bytes} bytes, found {status.st_size}")
        else:
            yield CargoEntry(
                name=prefix + name.encode("utf-8"),
                source=path,
                kind="file",
                size_bytes=size_bytes,
                mode=stat.S_IMODE(status.st_mode),
                mtime_ns=status.st_mtime_ns,
                sha256=sha256,
            )
    _raise_faults(faults, str(root), "run the stage that wrote them again")
    if changed:
        raise SourceChanged(
            f"{len(changed)} files are not as they were listed: {_some(changed)}",
            where=str(root),
            hint="run the stage that wrote them again",
        )


def refuse_names_no_reader_takes(entries: Iterable[CargoEntry], target_bytes: int) -> None:
    """Check names by the rules that a reader goes by: what it would refuse must not leave.

    Args:
        entries: what is to be carried.
        target_bytes: of a volume; a larger file is cut, and its pieces have longer names.

    Raises:
        SourceUnreadable: listing all whose names are too long or not plain.
    """
    faults: list[str] = []
    for entry in entries:
        try:
            # Headers of two names of 4 KiB take less than 16 KiB: what leaves that much room is never cut.
            is_cut = entry.size_bytes + 16 * KIB > target_bytes
            check_name(layout.piece_name(entry.name, 1, 2) if is_cut else entry.name)
        except HostileArchive as error:
            faults.append(f"{entry.source}: {error.what}")
    _raise_faults(faults, "sources", "give them shorter names; of a file that is cut, its pieces' names count")


def cargo_digest(entries: Iterable[CargoEntry]) -> str:
    """Return the SHA-256 over all entries in order; the plan names it, so that a resumed run packs the same.

    Each entry adds its fields as netstrings: name, kind, bytes, mode, mtime_ns, sha256 or nothing, link or nothing.
    """
    state = hashlib.sha256()
    for entry in entries:
        state.update(digest_record(entry))
    return state.hexdigest()


def digest_record(entry: CargoEntry) -> bytes:
    """Return what one entry adds to `cargo_digest`."""
    fields = (
        entry.name,
        entry.kind.encode("ascii"),
        b"%d" % entry.size_bytes,
        b"%d" % entry.mode,
        b"%d" % entry.mtime_ns,
        (entry.sha256 or "").encode("ascii"),
        entry.link_target or b"",
    )
    return b"".join(b"%d:%b," % (len(field), field) for field in fields)


def _walk(folder: Path, prefix: bytes, faults: list[str]) -> Iterator[CargoEntry]:
    try:
        with os.scandir(os.fsencode(folder)) as found:
            members = sorted(found, key=lambda member: member.name)
    except OSError as error:
        faults.append(f"{folder}: {error.strerror}")
        return
    for member in members:
        path = Path(os.fsdecode(member.path))
        name = prefix + member.name
        try:
            status = member.stat(follow_symlinks=False)
            mode, mtime_ns = stat.S_IMODE(status.st_mode), status.st_mtime_ns
            if stat.S_ISREG(status.st_mode):
                if os.access(path, os.R_OK):
                    yield CargoEntry(name, path, "file", status.st_size, mode, mtime_ns)
                else:
                    faults.append(f"{path}: may not be read")
            elif stat.S_ISLNK(status.st_mode):
                target = os.readlink(member.path)  # noqa: PTH115 - bytes, as they are
                try:
                    check_target(name, target)
                except HostileArchive as error:
                    # The reader refuses a volume with such a link; it is told here, while it can be mended.
                    faults.append(f"{path}: {error.what}: {os.fsdecode(target)}")
                    continue
                yield CargoEntry(name, path, "symlink", 0, mode, mtime_ns, link_target=target)
            elif stat.S_ISDIR(status.st_mode):
                num_faults, is_empty = len(faults), True
                for entry in _walk(path, name + b"/", faults):
                    is_empty = False
                    yield entry
                if is_empty and len(faults) == num_faults:
                    yield CargoEntry(name, path, "directory", 0, mode, mtime_ns)
            else:
                faults.append(f"{path}: a socket, pipe or device cannot be carried")
        except OSError as error:
            faults.append(f"{path}: {error.strerror}")


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
