"""Reading the data volumes of one stripe side by side, damaged blocks and lost volumes made good from the others.

Row by row: block i of every wanted volume is read; only where one of them is an erasure are more columns of that row
read, until k are at hand. So a drive is read once, and parity not at all where nothing is damaged. At most one block a
column is held.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import Executor
from typing import Final

from packtrain.digest import BLOCK_BYTES
from packtrain.erasure.code import Code
from packtrain.volume.blocks import Column

_ZEROS: Final = bytes(BLOCK_BYTES)


class StripeReader:
    """Reads one stripe.

    Args:
        columns: all n columns, in order of their index.
        code: the group's code.
        pool: where the blocks of a row are read, one task a drive.
    """

    def __init__(self, columns: Sequence[Column], code: Code, pool: Executor) -> None:
        assert [column.index for column in columns] == list(range(code.n))
        self._columns = columns
        self._code = code
        self._pool = pool
        longest = max(column.volume.bytes for column in columns)
        self._buffers = [memoryview(bytearray(min(longest, BLOCK_BYTES))) for _ in columns]
        self.rebuilt_blocks: dict[int, int] = {column.index: 0 for column in columns}

    def rows(self, wanted: Collection[int], *, to_the_end: bool = False) -> Iterator[dict[int, bytes | None]]:
        """Yield for each row the blocks of the wanted columns that reach so far; None for one that is beyond repair.

        A column that was beyond repair in one row is read on, so that all that is bad in it becomes known; but what is
        bad is not rebuilt any more, and a column without a drive is dropped; unless `to_the_end`, for what can be had
        of a volume whose whole cannot.
        """
        given_up: set[int] = set()
        self.rebuilt_blocks.update(dict.fromkeys(wanted, 0))
        for row in range(max((self._columns[index].num_blocks for index in wanted), default=0)):
            present: set[int] = set()
            asked = [
                index
                for index in wanted
                if row < self._columns[index].num_blocks
                and (to_the_end or index not in given_up or self._columns[index].lost is None)
            ]
            self._read(asked, row, present)
            missing = [index for index in asked if index not in present and (to_the_end or index not in given_up)]
            rebuilt = self._rebuild(row, missing, present) if missing else {}
            given_up.update(index for index in missing if index not in rebuilt)
            yield {
                index: (rebuilt.get(index) or self._block(index, row)) if index in present or index in rebuilt else None
                for index in asked
            }

    def block(self, index: int, row: int) -> bytes | None:
        """Return one block of one column, rebuilt from the others if need be; None if it is beyond repair."""
        present: set[int] = set()
        self._read([index], row, present)
        return self._block(index, row) if index in present else self._rebuild(row, [index], present).get(index)

    def num_good(self, row: int) -> int:
        """Return how many columns of a row are good, after `block` tried all of them in vain."""
        return sum(
            row >= column.num_blocks or (column.lost is None and row not in column.bad_blocks)
            for column in self._columns
        )

    def _read(self, indices: Sequence[int], row: int, present: set[int]) -> None:
        """Read a block of each of these columns; those that are good are added to `present`."""

        def read(index: int) -> bool:
            return self._columns[index].read_block(row, self._buffers[index])

        good = [read(index) for index in indices] if len(indices) < 2 else self._pool.map(read, indices)
        present.update(index for index, is_good in zip(indices, good, strict=True) if is_good)

    def _rebuild(self, row: int, missing: Sequence[int], present: set[int]) -> dict[int, bytes]:
        """Return the missing blocks of a row, or nothing where fewer than k columns can be read."""
        k = self._code.k
        # A volume that ended before this row reads as zero: it counts as read, and costs nothing.
        ended = {column.index for column in self._columns if row >= column.num_blocks}
        spare = [index for index in range(self._code.n) if index not in present | ended | set(missing)]
        while spare and len(present) + len(ended) < k:
            lacking = k - len(present) - len(ended)
            self._read(spare[:lacking], row, present)
            del spare[:lacking]
        if len(present) + len(ended) < k:
            return {}
        length = max(self._columns[index].block_bytes(row) for index in missing)
        sources: dict[int, memoryview | bytes] = {}
        for index in sorted(present | ended)[:k]:
            own = self._columns[index].block_bytes(row)
            buffer = self._buffers[index]
            if own == 0:
                sources[index] = memoryview(_ZEROS)[:length]
            else:
                if own < length:
                    buffer[own:length] = _ZEROS[: length - own]
                sources[index] = buffer[:length]
        self._code.reconstruct(sources, missing, [self._buffers[index][:length] for index in missing])
        for index in missing:
            self.rebuilt_blocks[index] += 1
        return {index: self._block(index, row) for index in missing}

    def _block(self, index: int, row: int) -> bytes:
        return bytes(self._buffers[index][: self._columns[index].block_bytes(row)])
