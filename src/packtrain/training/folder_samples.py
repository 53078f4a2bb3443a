"""Files of a folder that is carried as it is, in the place of samples: for the search of what is about to leave.

Such a store has no index, and packtrain does not know what a sample is in it. At most 4,096 files are taken, by a hash
of their names, and of each at most its first 8 MiB.
"""

from __future__ import annotations

import heapq
import os
import stat
from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path
from typing import Final

from packtrain.errors import SourceUnreadable
from packtrain.training.store import Sample

MAX_FILES: Final = 4096
MAX_FILE_BYTES: Final = 8 << 20


class FolderSamples:
    """The beginnings of files below a folder; no link is followed.

    Attributes:
        num_files: how many there are in all.

    Raises:
        SourceUnreadable: the folder cannot be listed, or holds no file.
    """

    def __init__(self, root: Path, max_files: int = MAX_FILES) -> None:
        self.num_files = 0
        self._root = root
        self._names = [name for _, name in heapq.nsmallest(max_files, self._ranked())]
        if not self._names:
            raise SourceUnreadable("store holds no file to look for", where=str(root))

    def __len__(self) -> int:
        """Return how many files are taken."""
        return len(self._names)

    def __getitem__(self, row: int) -> Sample:
        """Return the beginning of a file; an empty one where it is gone or no regular file any more."""
        name = self._names[row]
        try:
            descriptor = os.open(self._root / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            raise SourceUnreadable(f"file cannot be read: {error.strerror}", where=ascii(name)) from error
        with os.fdopen(descriptor, "rb") as stream:
            is_file = stat.S_ISREG(os.fstat(descriptor).st_mode)
            payload = stream.read(MAX_FILE_BYTES) if is_file else b""
        return Sample(ascii(name)[1:-1], "file", payload, {})

    def sample_digests(self) -> list[str]:
        """Return none: nobody has the digests of these files without reading all of them."""
        return []

    def _ranked(self) -> Iterator[tuple[bytes, str]]:
        def fail(error: OSError) -> None:
            raise SourceUnreadable(f"folder cannot be listed: {error.strerror}", where=str(self._root)) from error

        for place, _, names in os.walk(self._root, onerror=fail):
            for name in names:
                path = Path(place, name)
                if path.is_symlink() or not path.is_file():
                    continue
                self.num_files += 1
                relative = os.fspath(path.relative_to(self._root))
                yield blake2b(os.fsencode(relative), digest_size=16).digest(), relative
