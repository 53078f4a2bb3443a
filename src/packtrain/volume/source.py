"""Reading one source file into a tar: its bytes, its digest, and whether it held still."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable

from packtrain.errors import SourceUnreadable
from packtrain.units import MIB
from packtrain.volume import tar
from packtrain.volume.cargo import CargoEntry

Write = Callable[[memoryview | bytes], object]


def copy_content(
    entry: CargoEntry, offset: int, size_bytes: int, write: Write, buffer: memoryview, *, hashed: bool = True
) -> tuple[str, str | None]:
    """Write `size_bytes` of a source from `offset`, then the tar's padding; zeros where the source has shrunk.

    Args:
        entry: the source as it was listed.
        offset, size_bytes: the part of it.
        write: takes the bytes; the memory is used again afterwards.
        buffer: memory to read into.
        hashed: False leaves the digest out (that of no bytes comes back): pieces of a cut file have none of their own.

    Returns:
        The SHA-256 of what was written (without padding), and how the source differs from the list, or None.

    Raises:
        SourceUnreadable: it is gone or cannot be read.
    """
    state = hashlib.sha256()
    update: Write = state.update if hashed else len
    left = size_bytes
    try:
        descriptor = os.open(entry.source, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            position = offset
            while left:
                count = os.preadv(descriptor, [buffer[: min(left, len(buffer))]], position)
                if count == 0:
                    break
                update(buffer[:count])
                write(buffer[:count])
                position += count
                left -= count
            # Looked at after reading: what was written to it meanwhile has moved its time or its length.
            changed = _difference(entry, os.fstat(descriptor))
        finally:
            os.close(descriptor)
    except OSError as error:
        raise SourceUnreadable(
            f"source cannot be read: {error.strerror}",
            where=str(entry.source),
            hint="mend it and run the same command again: it goes on where it stopped",
        ) from error
    zeros = bytes(min(left, MIB))
    while left:
        piece = zeros[: min(left, len(zeros))]
        update(piece)
        write(piece)
        left -= len(piece)
    write(tar.padding(size_bytes))
    return state.hexdigest(), changed


def check_digest(entry: CargoEntry, sha256: str, changed: str | None) -> str | None:
    """Return how the source differs from the list once its digest is known too, or None."""
    if changed is None and entry.sha256 is not None and entry.sha256 != sha256:
        return f"SHA-256 {sha256[:12]} instead of {entry.sha256[:12]}"
    return changed


def _difference(entry: CargoEntry, status: os.stat_result) -> str | None:
    if not stat.S_ISREG(status.st_mode):
        return "no longer a regular file"
    if status.st_size != entry.size_bytes:
        return f"{status.st_size} bytes instead of {entry.size_bytes}"
    if status.st_mtime_ns != entry.mtime_ns:
        return "written to since it was listed"
    return None
