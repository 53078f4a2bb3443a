"""The block list of a volume: one XXH3-64 a block, to find where damage is. The writing side."""

from __future__ import annotations

import hashlib
from array import array
from typing import TYPE_CHECKING, Final

import xxhash

from packtrain.digest import BLOCK_BYTES

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

LINE_BYTES: Final = 17


def num_blocks(size_bytes: int) -> int:
    """Return how many blocks a volume of this length has; the last may be short."""
    return -(-size_bytes // BLOCK_BYTES)


class BlockHasher:
    """Hashes a volume in one pass: SHA-256 over all of it, XXH3-64 over each block.

    Attributes:
        total_bytes: what was fed so far.
    """

    def __init__(self) -> None:
        self._whole = hashlib.sha256()
        self._block = xxhash.xxh3_64()
        self._hashes = array("Q")
        self.total_bytes = 0

    def update(self, data: ReadableBuffer) -> None:
        """Feed bytes in any portions."""
        view = memoryview(data)
        self._whole.update(view)
        while view:
            room = BLOCK_BYTES - self.total_bytes % BLOCK_BYTES
            self._block.update(view[:room])
            self.total_bytes += min(room, len(view))
            view = view[room:]
            if self.total_bytes % BLOCK_BYTES == 0:
                self._end_block()

    def finish(self) -> tuple[str, array[int]]:
        """Return the SHA-256 in hex and the hashes of all blocks; call it once, at the end."""
        if self.total_bytes % BLOCK_BYTES:
            self._end_block()
        return self._whole.hexdigest(), self._hashes

    def _end_block(self) -> None:
        self._hashes.append(self._block.intdigest())
        self._block = xxhash.xxh3_64()


def encode_block_list(hashes: array[int]) -> bytes:
    """Return the block list file: 16 hex digits and a newline for each block."""
    return b"".join(b"%016x\n" % value for value in hashes)
