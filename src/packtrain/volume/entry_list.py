"""What a group brought into the store, entry by entry, kept beside the journal: a later look finds what is gone.

Catalogs go when all is loaded; this stays, for as long as the voyage folder does. It is names in the clear, as the
store is, and it is read by nobody but the one who wrote it. Ten million entries are some hundred megabytes, compressed.
"""

from __future__ import annotations

import gzip
import itertools
import os
import stat
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from packtrain import durable
from packtrain.documents.codec import digest
from packtrain.documents.group import Group
from packtrain.ports import Store
from packtrain.units import KIB
from packtrain.volume.catalog import MAX_PATH_BYTES, Catalog
from packtrain.volume.loaded import NAMED
from packtrain.volume.losses import printable

_FOLDER: Final = "entries"
_READ_BYTES: Final = 256 * KIB
_BATCH_BYTES: Final = 64 * KIB
# The fastest that zlib has: names in order shrink to a fifth even so.
_LEVEL: Final = 1
# By the first letter of a record. A hard link is another name of a regular file.
_KINDS: Final = {b"f": stat.S_IFREG, b"h": stat.S_IFREG, b"s": stat.S_IFLNK, b"d": stat.S_IFDIR}


class ListedEntry(NamedTuple):
    """One entry: its path in the store, raw; what it is (`stat.S_IFMT`); its length if it is a file of its own."""

    path: bytes
    kind: int
    bytes: int | None


def path_of_list(folder: Path, group_digest: str) -> Path:
    """Return where the list of a group lies, by the SHA-256 of its document; `folder` is that of the journal."""
    return folder / _FOLDER / f"{group_digest}.gz"


def keep_entry_list(folder: Path, group: Group, catalog: Catalog) -> None:
    """Write the list of a group, unless it is there: a catalog never changes.

    Raises:
        DriveFull: no space is left beside the journal.
    """
    path = path_of_list(folder, digest(group))
    if path.is_file():
        return
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    batch = bytearray()
    with (
        durable.atomic_writer(path, 0o600) as stream,
        gzip.GzipFile("", "wb", _LEVEL, stream, mtime=0) as packed,
    ):
        for entry in catalog.files():
            batch += b"%b%d %b\0" % (entry.kind[:1].encode("ascii"), entry.bytes, entry.path)
            if len(batch) >= _BATCH_BYTES:
                packed.write(batch)
                batch.clear()
        packed.write(batch)


def gone(
    folder: Path, group_digests: Iterable[str], is_there: Callable[[ListedEntry], bool], most: int | None = None
) -> Iterator[bytes]:
    """Yield the paths of entries that are not in a store any more, as what they were and with their length.

    Args:
        folder: that of the journal.
        group_digests: SHA-256 of the documents of the groups; one without a list is passed over.
        is_there: `in_folder` or `in_store`.
        most: look at so many entries of each group, not at all.
    """
    for group_digest in group_digests:
        for entry in itertools.islice(_entries(path_of_list(folder, group_digest)), most):
            if not is_there(entry):
                yield entry.path


def in_folder(store: Path) -> Callable[[ListedEntry], bool]:
    """Return what looks into a folder; no file is opened.

    What lies in a folder that may not be entered counts as there: nobody can tell.
    """
    root = os.fsencode(store) + b"/"

    def is_there(entry: ListedEntry) -> bool:
        try:
            status = os.lstat(root + entry.path)
        except PermissionError:
            return True
        except OSError:
            return False
        return stat.S_IFMT(status.st_mode) == entry.kind and entry.bytes in (None, status.st_size)

    return is_there


def in_store(store: Store) -> Callable[[ListedEntry], bool]:
    """Return what looks through the port."""

    def is_there(entry: ListedEntry) -> bool:
        if entry.kind == stat.S_IFREG:
            size_bytes = store.size_bytes(entry.path)
            return size_bytes is not None and entry.bytes in (None, size_bytes)
        if entry.kind == stat.S_IFLNK:
            return store.link_target(entry.path) is not None
        return store.is_folder(entry.path)

    return is_there


def sentence(paths: Iterator[bytes]) -> str:
    """Return what a person is told of entries that are gone: how many, and the first names; "" if there are none."""
    first = [printable(path) for path in itertools.islice(paths, NAMED)]
    rest = sum(1 for _ in paths)
    more = f" and {rest} more" if rest else ""
    text = f"{len(first) + rest} entries are gone from the store since they were loaded: {', '.join(first)}{more}"
    return text if first else ""


def _entries(path: Path) -> Iterator[ListedEntry]:
    """Yield the entries of a list; it ends early where the file is damaged or is not there."""
    rest = b""
    try:
        with gzip.open(path) as stream:
            while piece := stream.read(_READ_BYTES):
                *records, rest = (rest + piece).split(b"\0")
                for record in records:
                    head, _, name = record.partition(b" ")
                    kind = _KINDS[head[:1]]
                    yield ListedEntry(name, kind, int(head[1:]) if head[:1] == b"f" else None)
                if len(rest) > 2 * MAX_PATH_BYTES:
                    return
    except (OSError, EOFError, zlib.error, KeyError, ValueError):
        return
