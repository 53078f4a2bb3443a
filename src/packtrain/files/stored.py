"""The files of a shipment that is loaded: those of the store. No link out of it is followed.

`load` proved them when it put them there. What was signed of their content, as far as the data set's document says it,
is told with them, so that whoever wants can hold them against it once more.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import Final

from packtrain.documents.codec import MAX_DOCUMENT_BYTES, decode
from packtrain.documents.dataset import Dataset
from packtrain.errors import DocumentError
from packtrain.files.entries import Entry, Source
from packtrain.ports import STAGING_NAME
from packtrain.record.dataset_folder import DATASET_NAME
from packtrain.training.miniature_travels import carried_miniature

_FLAGS: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK


class StoredFiles:
    """See `ShipmentFiles`.

    Args:
        root: the store.
    """

    def __init__(self, root: Path) -> None:
        self._root = Path(os.path.realpath(root))
        self._sha256 = _digests(self._root)

    def entry(self, name: str) -> Entry | None:
        """Return what is at a path; None where nothing is."""
        try:
            os.fsencode(name)
        except UnicodeEncodeError:
            return None
        parts = name.split("/") if name else []
        if any(part in ("", ".", "..") for part in parts) or "\0" in name or parts[:1] == [STAGING_NAME]:
            return None
        return self._entry(name)

    def children(self, name: str) -> list[Entry]:
        """Return what lies directly in a folder."""
        with os.scandir(self._root / name) as found:
            names = sorted(member.name for member in found if name or member.name != STAGING_NAME)
        paths = (f"{name}/{member}" if name else member for member in names)
        return [entry for path in paths if (entry := self._entry(path)) is not None]

    def open(self, entry: Entry) -> Source:
        """Return the content of a file."""
        return _StoredSource(str(entry.place))

    def unknown(self) -> str:
        """Return nothing: a store is all there is."""
        return ""

    def close(self) -> None:
        """Do nothing: each file is closed by itself."""

    def _entry(self, name: str) -> Entry | None:
        path = self._root / name
        # Where the whole way leads, links in it included: what it leads to must lie in the store.
        place = Path(os.path.realpath(path))
        try:
            status = path.lstat()
            link = str(path.readlink()) if stat.S_ISLNK(status.st_mode) else None
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            if error.errno in (errno.ENAMETOOLONG, errno.ELOOP):
                return None  # no file of any file system is called so
            raise
        nothing = Entry(name, "other", 0, None, None, None, link, "")
        if not place.is_relative_to(self._root) or STAGING_NAME in place.relative_to(self._root).parts[:1]:
            # A link out of the store is shown; what lies behind it is not there.
            return nothing if link is not None else None
        try:
            status = place.lstat()
        except OSError:
            return nothing
        if stat.S_ISDIR(status.st_mode):
            return Entry(name, "directory", 0, None, status.st_mtime_ns, stat.S_IMODE(status.st_mode), link, str(place))
        if not stat.S_ISREG(status.st_mode):
            return nothing
        sha256 = self._sha256.get(place.relative_to(self._root).as_posix())
        mode = stat.S_IMODE(status.st_mode)
        return Entry(name, "file", status.st_size, sha256, status.st_mtime_ns, mode, link, str(place))


class _StoredSource:
    def __init__(self, path: str) -> None:
        self._descriptor = os.open(path, _FLAGS)

    def read_into(self, offset: int, target: memoryview) -> int:
        filled = 0
        while filled < len(target) and (count := os.preadv(self._descriptor, [target[filled:]], offset + filled)):
            filled += count
        return filled

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def _digests(root: Path) -> dict[str, str]:
    """Return the SHA-256 of every file that the data set's document names; nothing where the cargo has none."""
    try:
        with (root / DATASET_NAME).open("rb") as stream:
            dataset = decode(Dataset, stream.read(MAX_DOCUMENT_BYTES + 1), str(root / DATASET_NAME))
    except (OSError, DocumentError):
        return {}
    carried = {name: part.sha256 for name, part in carried_miniature(dataset).items()}
    return carried | {file.name: file.sha256 for file in (*dataset.shards, *dataset.files)}
