"""One volume of a stripe as this machine can read it: block by block, each held against the signed block list.

A block that cannot be read, is short, or has another XXH3-64 than its line in the list is an erasure. If the list
itself is damaged or missing, no good block can be told from a bad one; the volume is then read once as a whole, and
either its SHA-256 is the one of group.json (the list is computed anew from the same bytes) or the volume is taken as
lost. Parity can make up for that; trusting unlisted blocks could not be mended.
"""

from __future__ import annotations

import hashlib
import mmap
import re
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Final

from packtrain.digest import BLOCK_BYTES, sha256_bytes, xxh3_block
from packtrain.documents.group import Volume
from packtrain.errors import DriveFailed, IntegrityError
from packtrain.ports import Drive, DriveReader
from packtrain.volume import layout
from packtrain.volume.block_list import LINE_BYTES, num_blocks
from packtrain.volume.ranges import Ranges

_LINES: Final = re.compile(rb"(?:[0-9a-f]{16}\n)*\Z")
# A dying disk answers each read after many seconds. After so many failures on end the rest of a volume counts as lost.
_MAX_FAILURES_ON_END: Final = 16

NOT_READABLE: Final = "cannot be read"
DIFFERS: Final = "differs from the block list"
SHORT: Final = "is cut off"
ALTERED: Final = "every block fits the block list, and the SHA-256 differs: it was altered on purpose"
DISTRUSTED: Final = "its SHA-256 differs, in a stripe with a volume that was altered on purpose"


@dataclass(frozen=True, slots=True)
class Damage:
    """Damage of one kind in one volume.

    Attributes:
        drive: its label.
        volume: file name on the drive.
        first_block, last_block: the range, both included; None and None for the whole volume.
        what: the kind, in words that follow "block 17 ...".
    """

    drive: str
    volume: str
    first_block: int | None
    last_block: int | None
    what: str

    def __str__(self) -> str:
        """Return the line that people read."""
        if self.first_block is None:
            blocks = "the volume"
        elif self.first_block == self.last_block:
            blocks = f"block {self.first_block}"
        else:
            blocks = f"blocks {self.first_block} to {self.last_block}"
        return f"drive {self.drive}, {self.volume}, {blocks}: {self.what}"


def parse_block_list(payload: bytes, volume: Volume, where: str) -> bytes:
    """Return a block list that was checked against group.json: 17 bytes a block, 16 hex digits and a newline.

    Raises:
        IntegrityError: another length or digest than group.json says, or not a block list.
    """
    expected = num_blocks(volume.bytes) * LINE_BYTES
    if len(payload) != expected:
        raise IntegrityError(
            "block list has another length", where=where, expected=f"{expected} bytes", found=str(len(payload))
        )
    if (found := sha256_bytes(payload)) != volume.blocks_sha256:
        raise IntegrityError(
            "block list differs from group.json", where=where, expected=volume.blocks_sha256[:12], found=found[:12]
        )
    if _LINES.match(payload) is None:
        raise IntegrityError("block list is not made of 16 hex digits a line", where=where)
    return payload


def block_buffer(most_bytes: int = BLOCK_BYTES) -> memoryview:
    """Return memory for a block, or for `most_bytes` if that is less: whole pages, for direct reads without a copy."""
    return memoryview(mmap.mmap(-1, min(BLOCK_BYTES, most_bytes)))


class Column:
    """One volume of a stripe on its drive, if the drive is there. One thread at a time.

    Args:
        volume: what group.json says of it.
        k: data columns of the group.
        drive: its drive, or None where that is lost.
        label: the drive's label, for messages.
        past_cache: read the medium and not what the kernel remembers of it.

    Attributes:
        bad_blocks: what was found so far; memory grows with the ranges in it, and not with the blocks.
    """

    def __init__(self, volume: Volume, k: int, drive: Drive | None, label: str, *, past_cache: bool = False) -> None:
        self.volume = volume
        self.index = volume.column
        self.name = layout.volume_name(volume.stripe, volume.column, k)
        self.label = label
        self.num_blocks = num_blocks(volume.bytes)
        self.lost: str | None = None
        self.bad_blocks = Ranges()
        self._kinds: dict[str, Ranges] = {}
        self._drive = drive
        self._past_cache = past_cache
        self._reader: DriveReader | None = None
        self._list: bytes | None = None
        self._failures_on_end = 0
        self._opened = False
        self.has_drive = drive is not None
        if drive is None and volume.bytes:
            self.lost = "its drive is not there"

    def block_bytes(self, block: int) -> int:
        """Return the length of a block by group.json: 1 MiB, less at the end, 0 beyond it."""
        return min(max(self.volume.bytes - block * BLOCK_BYTES, 0), BLOCK_BYTES)

    def read_block(self, block: int, buffer: memoryview) -> bool:
        """Fill the start of `buffer` with a block; return False if it is an erasure, after noting why.

        Args:
            block: its number, below `num_blocks`.
            buffer: at least `block_bytes(block)` long; its content is undefined after False.
        """
        length = self.block_bytes(block)
        assert length, block
        if not self._open():
            return False
        if self._list is None and not self._prove():
            return False
        assert self._list is not None
        view = buffer[:length]
        fault = self._read(block, view)
        if (
            fault is None
            and xxh3_block(view).encode("ascii") != self._list[block * LINE_BYTES : block * LINE_BYTES + 16]
        ):
            fault = DIFFERS
        if fault is None:
            return True
        self._note(block, fault)
        return False

    def verify(
        self,
        told: Callable[[int], None] | None = None,
        ahead: Executor | None = None,
        buffers: tuple[memoryview, memoryview] | None = None,
    ) -> bool:
        """Read the whole volume, note every bad block; return whether its SHA-256 is that of group.json.

        False without a fault means: every block fits its line of the list and the volume is another one all the same.
        XXH3 is made to find accidents; whoever alters bytes on purpose can make them fit it.

        Args:
            told: takes the number of bytes done, a block at a time.
            ahead: where the next block is read while this one is hashed, if the kernel does not read ahead by itself.
            buffers: two of `block_buffer`, for whoever verifies many volumes: the kernel's new pages cost as much as
                copying.
        """
        if self.volume.bytes == 0:
            return True
        if not self._open():
            return False
        assert self._reader is not None
        if self._reader.readback != "direct":
            ahead = None
        if self._list is None:
            return self._prove(told)
        state = hashlib.sha256()
        here, there = buffers or (block_buffer(self.volume.bytes), block_buffer(self.volume.bytes if ahead else 1))
        coming = None
        for block in range(self.num_blocks):
            if coming is None:
                self.read_block(block, here)
            else:
                coming.result()
                here, there = there, here
            if ahead is not None and block + 1 < self.num_blocks:
                coming = ahead.submit(self.read_block, block + 1, there)
            # With a fault the SHA-256 says nothing more; finding the others needs XXH3 alone.
            if not self.bad_blocks:
                state.update(here[: self.block_bytes(block)])
            if told is not None:
                told(self.block_bytes(block))
        return not self.bad_blocks and state.hexdigest() == self.volume.sha256

    def relist(self) -> bytes | None:
        """Return the block list made anew from the volume; None unless the volume has its SHA-256."""
        if not self._open():
            return None
        digest, lines = self._whole(None)
        self.close()
        return lines if digest == self.volume.sha256 else None

    def distrust(self, reason: str) -> None:
        """Take the volume as lost from now on."""
        self.lost = reason
        self.close()

    def damage(self) -> list[Damage]:
        """Return what was found so far: the volume as lost, or its bad blocks in ranges."""
        if self.lost is not None:
            return [Damage(self.label, self.name, None, None, self.lost)]
        found = sorted((first, last, what) for what, bad in self._kinds.items() for first, last in bad.pairs())
        return [Damage(self.label, self.name, first, last, what) for first, last, what in found]

    def close(self) -> None:
        """Release the file."""
        if self._reader is not None:
            self._reader.close()
            self._reader = None
        # 70 KB a volume of 4 GiB: whoever keeps the columns of many volumes keeps their faults, not their lists.
        self._list = None

    def _note(self, block: int, fault: str) -> None:
        # Read a second time a block may fail in another way; the first is what is told.
        if block not in self.bad_blocks:
            self.bad_blocks.add(block)
            self._kinds.setdefault(fault, Ranges()).add(block)

    def _open(self) -> bool:
        if self.lost is None and not self._opened:
            self._opened = True
            assert self._drive is not None
            try:
                self._reader = self._drive.open_reader(self.name, past_cache=self._past_cache)
            except DriveFailed:
                self.lost = self._why_not_open(self._drive)
                return False
            self._list = self._read_list(self._drive)
        return self.lost is None

    def _why_not_open(self, drive: Drive) -> str:
        try:
            return "the file is missing" if drive.size_bytes(self.name) is None else "the file cannot be opened"
        except DriveFailed:
            return "its drive cannot be read"

    def _read_list(self, drive: Drive) -> bytes | None:
        name = layout.blocks_name(self.volume.stripe, self.index)
        try:
            payload = drive.read_bytes(name, self.num_blocks * LINE_BYTES)
            return parse_block_list(payload, self.volume, name)
        except (DriveFailed, IntegrityError):
            return None

    def _prove(self, told: Callable[[int], None] | None = None) -> bool:
        """Return whether the volume without a usable block list is whole; if so the list is known from now on."""
        digest, lines = self._whole(told)
        if digest != self.volume.sha256:
            self.lost = "its block list is damaged and its SHA-256 differs"
            return False
        self._list = lines
        return True

    def _whole(self, told: Callable[[int], None] | None) -> tuple[str, bytes]:
        """Return SHA-256 and block list of the volume as it is; blocks that cannot be read are left out."""
        state = hashlib.sha256()
        lines = bytearray()
        buffer = memoryview(bytearray(min(BLOCK_BYTES, max(self.volume.bytes, 1))))
        for block in range(self.num_blocks):
            view = buffer[: self.block_bytes(block)]
            if self._read(block, view) is not None:
                break
            state.update(view)
            lines += xxh3_block(view).encode("ascii") + b"\n"
            if told is not None:
                told(len(view))
        return state.hexdigest(), bytes(lines)

    def _read(self, block: int, view: memoryview) -> str | None:
        """Fill `view` from the drive; return None, or the fault."""
        if self._failures_on_end >= _MAX_FAILURES_ON_END:
            return NOT_READABLE
        assert self._reader is not None
        try:
            count = self._reader.read_into(view, block * BLOCK_BYTES)
        except DriveFailed:
            self._failures_on_end += 1
            return NOT_READABLE
        self._failures_on_end = 0
        return None if count == len(view) else SHORT
