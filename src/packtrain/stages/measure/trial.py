"""Files of our own on a drive: written and read as `pack` does it, and gone at the end.

They lie at the top of the drive under names that nothing else has. A run that was killed leaves them; the next one
removes them before it writes.
"""

from __future__ import annotations

import contextlib
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from packtrain.digest import BLOCK_BYTES, block_hash
from packtrain.durable import TEMPORARY_SUFFIX
from packtrain.errors import DriveFailed
from packtrain.ports import Drive, Readback
from packtrain.volume.read_back import pages

NUM_FILES: Final = 8
"""So many parts of what is written are told apart."""
_NAMES: Final = tuple(f"packtrain-measure-{number}" for number in range(NUM_FILES))
_STAMP_BYTES: Final = 4096
_WORDS_BYTES: Final = 8


@dataclass(slots=True)
class Moved:
    """What was moved of one file.

    Attributes:
        bytes: less than planned where the time ran out.
        seconds: with those of syncing.
        hashes: of what was written, block by block.
    """

    name: str
    bytes: int = 0
    seconds: float = 0.0
    sync_seconds: float = 0.0
    hashes: list[int] = field(default_factory=list[int])


def sweep(drive: Drive) -> int:
    """Remove what a measurement that was killed has left on a drive; return how many files that were.

    Raises:
        DriveFailed: it cannot be removed.
    """
    found = [name for own in _NAMES for name in (own, own + TEMPORARY_SUFFIX) if drive.size_bytes(name) is not None]
    for name in found:
        drive.remove(name)
    return len(found)


def write_files(drive: Drive, total_bytes: int, seconds: float, on_bytes: Callable[[int], None]) -> list[Moved]:
    """Write files of our own, each synced and renamed as volumes are; return what was written.

    Args:
        drive: it keeps the files until `sweep`.
        total_bytes: of all files.
        seconds: after so many no further byte is written; what was written is still synced.
        on_bytes: called with the length of each block.

    Raises:
        DriveFull, DriveFailed: what the drive said.
    """
    file_bytes = max(total_bytes // NUM_FILES // BLOCK_BYTES, 1) * BLOCK_BYTES
    until = time.perf_counter() + seconds
    written: list[Moved] = []
    # Random once, then a number in each 4 KiB: a drive that compresses or folds equal blocks gains nothing.
    block, stamp = bytearray(secrets.token_bytes(BLOCK_BYTES)), int.from_bytes(secrets.token_bytes(4), "little") << 32
    for name in _NAMES:
        moved = Moved(name)
        started = time.perf_counter()
        with drive.open_writer(name) as writer:
            while moved.bytes < file_bytes and time.perf_counter() < until:
                for at in range(0, BLOCK_BYTES, _STAMP_BYTES):
                    block[at : at + _WORDS_BYTES] = stamp.to_bytes(_WORDS_BYTES, "little")
                    stamp += 1
                writer.write(block)
                moved.hashes.append(block_hash(block))
                moved.bytes += BLOCK_BYTES
                on_bytes(BLOCK_BYTES)
            syncing = time.perf_counter()
        moved.seconds, moved.sync_seconds = (time.perf_counter() - since for since in (started, syncing))
        written.append(moved)
        if time.perf_counter() >= until:
            break
    return written


def read_files(
    drive: Drive,
    written: Sequence[Moved],
    seconds: float,
    on_bytes: Callable[[int], None],
    *,
    most_bytes: int | None = None,
) -> tuple[list[Moved], Readback | None]:
    """Read files past the page cache; return what was read, and how.

    Args:
        drive: holds them.
        written: names; where hashes are known, what is read is held against them.
        seconds: after so many no further block is read.
        on_bytes: called with the length of each block.
        most_bytes: of one file; of all of it without.

    Raises:
        DriveFailed: a file cannot be read, or holds other bytes than were written.
    """
    until = time.perf_counter() + seconds
    found: list[Moved] = []
    readback: Readback | None = None
    with pages() as buffer:
        for one in written:
            if time.perf_counter() >= until:
                break
            moved = Moved(one.name)
            started = time.perf_counter()
            reader = drive.open_reader(one.name, past_cache=True)
            readback = reader.readback
            try:
                while time.perf_counter() < until and (most_bytes is None or moved.bytes < most_bytes):
                    length = reader.read_into(buffer, moved.bytes)
                    if one.hashes and length:
                        # Released at once: an error that holds on to it would keep the memory from being given back.
                        with buffer[:length] as block:
                            _compare(drive, one, moved.bytes, block)
                    moved.bytes += length
                    on_bytes(length)
                    if length < len(buffer):
                        break
            finally:
                reader.close()
            moved.seconds = time.perf_counter() - started
            found.append(moved)
    return found, readback


def remove_files(drive: Drive) -> None:
    """Remove our own files; where the drive is gone they are gone with it."""
    with contextlib.suppress(DriveFailed):
        sweep(drive)


def _compare(drive: Drive, one: Moved, offset: int, block: memoryview) -> None:
    number = offset // BLOCK_BYTES
    if number >= len(one.hashes) or block_hash(block) != one.hashes[number]:
        raise DriveFailed(
            f"drive returned other bytes than were written, in block {number}",
            where=f"{drive.location}: {one.name}",
            hint="do not trust this drive: replace it, and test bay and cable",
        )
