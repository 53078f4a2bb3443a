"""Small files are read back too: what a drive took and what it holds are not always the same."""

from __future__ import annotations

import contextlib
import hashlib
import mmap
from collections.abc import Callable, Iterator

import xxhash

from packtrain.digest import BLOCK_BYTES, sha256_bytes
from packtrain.errors import DriveFailed
from packtrain.ports import Drive


@contextlib.contextmanager
def pages() -> Iterator[memoryview]:
    """Yield memory for reading back, for as many files as one likes, one at a time."""
    # Anonymous maps begin on a page: direct reads need aligned memory.
    with mmap.mmap(-1, BLOCK_BYTES) as mapped, memoryview(mapped) as buffer:
        yield buffer


def check_file(drive: Drive, name: str, expected_sha256: str, buffer: memoryview) -> None:
    """Read a file past the page cache and hold it against the SHA-256 that was taken while it was written.

    Args:
        drive, name: the file.
        expected_sha256: of its bytes.
        buffer: see `pages`; a map of its own for each small file costs more than the file.

    Raises:
        DriveFailed: it cannot be read, or holds other bytes.
    """
    state = hashlib.sha256()
    _read(drive, name, state.update, buffer)
    if state.hexdigest() != expected_sha256:
        raise _other_bytes(drive, name, f"SHA-256 {expected_sha256[:12]}", f"SHA-256 {state.hexdigest()[:12]}")


def check_copy(drive: Drive, name: str, expected_xxh3: int, buffer: memoryview) -> None:
    """Read a large file past the page cache and hold it against the XXH3-64 of what it is a copy of.

    As for the blocks of volumes: what is looked for is a drive's fault, and a catalog lies on all drives of a group.

    Raises:
        DriveFailed: it cannot be read, or holds other bytes.
    """
    state = xxhash.xxh3_64()
    _read(drive, name, state.update, buffer)
    if state.intdigest() != expected_xxh3:
        raise _other_bytes(drive, name, f"XXH3 {expected_xxh3:016x}", f"XXH3 {state.intdigest():016x}")


def write_checked(drive: Drive, name: str, payload: bytes) -> None:
    """Write a small file and read it back; one that came out wrong does not stay, for the next run to trip over.

    Raises:
        DriveFailed: it cannot be written or read, or holds other bytes.
        DriveFull: no space is left.
    """
    drive.write_bytes(name, payload)
    try:
        with pages() as buffer:
            check_file(drive, name, sha256_bytes(payload), buffer)
    except DriveFailed:
        with contextlib.suppress(DriveFailed):
            drive.remove(name)
        raise


def _read(drive: Drive, name: str, update: Callable[[memoryview], object], buffer: memoryview) -> None:
    reader = drive.open_reader(name, past_cache=True)
    try:
        offset = 0
        # Less than was asked for is the end: nothing is asked for behind it, where a direct read is not aligned.
        while (length := reader.read_into(buffer, offset)) == len(buffer):
            update(buffer)
            offset += length
        update(buffer[:length])
    finally:
        reader.close()


def _other_bytes(drive: Drive, name: str, expected: str, found: str) -> DriveFailed:
    return DriveFailed(
        "drive returned other bytes than were written",
        where=f"{drive.location}: {name}",
        expected=expected,
        found=found,
        hint="run the same command again; if it happens twice replace the drive, and test bay and cable",
    )
