"""Reading one source file: its bytes, its digest, and whether it held still since it was listed.

Who packs may read more than who owns the folder. So no link is followed on the way to a file: what was listed as a
folder, and is a link by now, leads nowhere.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import stat
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Final, Self

from packtrain.errors import SourceUnreadable
from packtrain.units import MIB

# Not through a link that took the file's place, and not waiting for a pipe that did.
_FLAGS: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
# A folder that may be entered and not listed is walked through too.
_FOLDER_FLAGS: Final = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# Of a deeper path the way is walked once more from there; a path can have two thousand folders.
_MOST_HELD: Final = 16
ZEROS: Final = memoryview(bytes(MIB))


class SourceFolders:
    """Opens source files, from folder to folder, through no link. Use it as a context, and from one thread at a time.

    The way to the last folder stays open, because files come folder by folder. Paths are absolute, without ".." and
    without links: what a user named was resolved when it was listed.
    """

    def __init__(self) -> None:
        self._folder: bytes | None = None
        self._descriptor = -1
        # Of the way there the first folders: their names, and their descriptors behind that of "/".
        self._names: list[bytes] = []
        self._held: list[int] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close all folders; the next file opens its way anew."""
        self._leave(0)

    def open(self, source: bytes) -> int:
        """Return a descriptor of a source file.

        Raises:
            SourceUnreadable: a folder on the way is none any more.
            OSError: the file, or a folder on the way, cannot be opened.
        """
        folder, _, name = source.rpartition(b"/")
        if folder != self._folder:
            self._enter(folder)
        return os.open(name, _FLAGS, dir_fd=self._descriptor)

    def _enter(self, folder: bytes) -> None:
        names = [name for name in folder.split(b"/") if name]
        common = 0
        while common < min(len(names), len(self._names)) and names[common] == self._names[common]:
            common += 1
        self._leave(common + 1)
        if not self._held:
            self._held.append(os.open(b"/", _FOLDER_FLAGS))
        descriptor = self._held[-1]
        for depth, name in enumerate(names[common:], common):
            try:
                below = os.open(name, _FOLDER_FLAGS, dir_fd=descriptor)
            except NotADirectoryError as error:
                raise SourceUnreadable(
                    "source cannot be read: what was a folder is a link or a file now",
                    where=os.fsdecode(b"/" + b"/".join(names[: depth + 1])),
                    hint="put the folder back, then run the same command again; no link is followed while packing",
                ) from error
            finally:
                if depth > _MOST_HELD:
                    os.close(descriptor)
            descriptor = below
            if depth < _MOST_HELD:
                self._names.append(name)
                self._held.append(below)
        self._folder, self._descriptor = folder, descriptor

    def _leave(self, num_held: int) -> None:
        """Forget the last folder, and close all of the way to it but the first `num_held` descriptors."""
        if self._descriptor >= 0 and self._descriptor not in self._held:
            os.close(self._descriptor)
        self._folder, self._descriptor = None, -1
        while len(self._held) > num_held:
            os.close(self._held.pop())
        del self._names[max(0, num_held - 1) :]


def read_whole(
    folders: SourceFolders, source: bytes, size_bytes: int, mtime_ns: int, target: memoryview
) -> tuple[str, str | None]:
    """Fill `target`, `size_bytes` long, with a file's content; zeros where the file has shrunk.

    Args:
        folders: opens it.
        source: its path.
        size_bytes, mtime_ns: as it was listed.
        target: where the bytes go.

    Returns:
        The SHA-256 of `target`, and how the file differs from the list, or None.

    Raises:
        SourceUnreadable: it is gone or cannot be read.
    """
    # Written out and not built of the functions below: for small files each call counts.
    try:
        descriptor = folders.open(source)
        try:
            filled = os.preadv(descriptor, (target,), 0) if size_bytes else 0
            if filled < size_bytes:
                filled += read_at(source, descriptor, target[filled:], filled)
            # Looked at after reading: what was written to it meanwhile has moved its time or its length.
            status = os.fstat(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise _unreadable(source, error) from error
    if filled < size_bytes:
        target[filled:] = bytes(size_bytes - filled)
    sha256 = hashlib.sha256(target).hexdigest()
    if status.st_mtime_ns == mtime_ns and status.st_size == size_bytes and stat.S_ISREG(status.st_mode):
        return sha256, None
    return sha256, difference(status, size_bytes, mtime_ns)


def hash_whole(
    folders: SourceFolders,
    source: bytes,
    size_bytes: int,
    mtime_ns: int,
    buffer: memoryview,
    go_on: Callable[[], object],
) -> tuple[str, str | None]:
    """Return the SHA-256 of a file's `size_bytes`, zeros for what it has less, and how it differs from the list.

    `go_on` is called for each buffer read; what it raises ends the reading.

    Raises:
        SourceUnreadable: it is gone or cannot be read.
    """
    state = hashlib.sha256()
    position = 0
    with opened(folders, source) as descriptor:
        while position < size_bytes:
            count = read_at(source, descriptor, buffer[: size_bytes - position], position)
            if not count:
                break
            go_on()
            state.update(buffer[:count])
            position += count
        changed = difference(os.fstat(descriptor), size_bytes, mtime_ns)
    while position < size_bytes:
        count = min(len(ZEROS), size_bytes - position)
        state.update(ZEROS[:count])
        position += count
    return state.hexdigest(), changed


@contextlib.contextmanager
def opened(folders: SourceFolders, source: bytes) -> Iterator[int]:
    """Yield a descriptor of a source file.

    Raises:
        SourceUnreadable: it cannot be opened.
    """
    try:
        descriptor = folders.open(source)
    except OSError as error:
        raise _unreadable(source, error) from error
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def read_at(source: bytes, descriptor: int, target: memoryview, offset: int) -> int:
    """Fill `target` from `offset`; return the bytes read, less than its length only at the end of the file.

    Raises:
        SourceUnreadable: naming `source`.
    """
    filled = 0
    try:
        while filled < len(target):
            count = os.preadv(descriptor, (target[filled:],), offset + filled)
            if not count:
                break
            filled += count
    except OSError as error:
        raise _unreadable(source, error) from error
    return filled


def difference(status: os.stat_result, size_bytes: int, mtime_ns: int) -> str | None:
    """Return how a file differs from what was listed of it, or None."""
    if not stat.S_ISREG(status.st_mode):
        return "no longer a regular file"
    if status.st_size != size_bytes:
        return f"{status.st_size} bytes instead of {size_bytes}"
    if status.st_mtime_ns != mtime_ns:
        return "written to since it was listed"
    return None


def check_digest(known_sha256: str | None, sha256: str, changed: str | None) -> str | None:
    """Return how a file differs from the list once its digest is known too, or None."""
    if changed is None and known_sha256 is not None and known_sha256 != sha256:
        return f"SHA-256 {sha256[:12]} instead of {known_sha256[:12]}"
    return changed


def _unreadable(source: bytes, error: OSError) -> SourceUnreadable:
    mend = "mend it"
    if error.errno in (errno.EMFILE, errno.ENFILE):
        # Nothing is wrong with the source: this process may hold no more files open.
        mend = 'allow more open files ("ulimit -n"; "packtrain doctor" says how many)'
    return SourceUnreadable(
        f"source cannot be read: {error.strerror}",
        where=os.fsdecode(source),
        hint=f"{mend} and run the same command again: it goes on where it stopped",
    )
