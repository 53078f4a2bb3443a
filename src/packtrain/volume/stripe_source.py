"""Ciphertext of one group's volumes that a drive does not give as it should: from k other columns of the stripe.

A whole block is good by its block list, or rebuilt from blocks that are. A stretch of one is rebuilt from the same
stretch of the others with no list to tell whether those are good; whoever asks has another proof of the result.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from packtrain.digest import BLOCK_BYTES
from packtrain.documents.group import Group, Volume
from packtrain.erasure.code import Code
from packtrain.errors import BeyondRepair, DriveFailed, MoreDrivesWanted, PacktrainError
from packtrain.ports import Drive, DriveReader
from packtrain.volume import layout
from packtrain.volume.blocks import ALTERED, Column
from packtrain.volume.lending import Lending
from packtrain.volume.repair import StripeReader

# Open files keep a descriptor; open stripes a block and a block list a column.
_MOST_FILES: Final = 128
_MOST_COLUMNS: Final = 32
# Blocks that were asked for, for the chunks that lie side by side in one: 16 MiB.
_MOST_BLOCKS: Final = 16
_MOST_THREADS: Final = 16


class StripeSource:
    """Gives blocks and stretches of the volumes of one group. Any number of threads may use it.

    Args:
        group: the verified group document.
        labels: of the drives by their UUID in the plan, for messages.
        drives: the mounted drives of the group by their UUID in the plan.

    Attributes:
        lock: hold it around `block` and `distrust`.
        num_rebuilt: how many blocks and stretches were rebuilt so far.
    """

    def __init__(self, group: Group, labels: Mapping[str, str], drives: Mapping[str, Drive]) -> None:
        self._group = group
        self._labels = labels
        self._drives = drives
        self._code = Code(group.k, group.m)
        self._pool = ThreadPoolExecutor(min(group.k, _MOST_THREADS), thread_name_prefix=f"group-{group.group}")
        self._stripes: OrderedDict[int, tuple[list[Column], StripeReader]] = OrderedDict()
        self._blocks: OrderedDict[tuple[int, int, int], bytes] = OrderedDict()
        self._files = Lending(self._open, _close, _MOST_FILES)
        self.lock = threading.RLock()
        self.num_rebuilt = 0

    def block(self, volume: Volume, row: int) -> bytes:
        """Return one block of a volume, good by its list or rebuilt.

        Raises:
            MoreDrivesWanted: the drives at hand do not give it; drives that are not here would.
            BeyondRepair: no drive gives it any more.
        """
        key = (volume.stripe, volume.column, row)
        found = self._blocks.get(key)
        if found is None:
            columns, reader = self._stripe(volume.stripe)
            before = reader.rebuilt_blocks[volume.column]
            found = reader.block(volume.column, row)
            self.num_rebuilt += reader.rebuilt_blocks[volume.column] - before
            if found is None:
                raise self._lost(volume, row, columns, reader.num_good(row))
            self._blocks[key] = found
            while len(self._blocks) > _MOST_BLOCKS:
                self._blocks.popitem(last=False)
        self._blocks.move_to_end(key)
        return found

    def distrust(self, volume: Volume) -> None:
        """Take a volume as lost from now on: its blocks fit their list, and were made to fit."""
        columns, _ = self._stripe(volume.stripe)
        columns[volume.column].distrust(ALTERED)
        for key in [key for key in self._blocks if key[:2] == (volume.stripe, volume.column)]:
            del self._blocks[key]

    def stretch(self, volume: Volume, begin: int, length: int) -> memoryview | None:
        """Return a stretch of a volume, rebuilt from the same one of k others as they are; None if these are not there.

        None too where the blocks it lies in were asked for before, and need no rebuilding.
        """
        rows = {begin // BLOCK_BYTES, (begin + length - 1) // BLOCK_BYTES}
        if all((volume.stripe, volume.column, row) in self._blocks for row in rows):
            return None
        n = self._code.n
        sources: dict[int, memoryview] = {}
        for other in self._group.volumes[volume.stripe * n : volume.stripe * n + n]:
            if other.column == volume.column or len(sources) == self._code.k:
                continue
            # Behind its end a column reads as zero.
            found = memoryview(bytearray(length))
            if self._read(other, begin, found[: max(min(length, other.bytes - begin), 0)]):
                sources[other.column] = found
        if len(sources) < self._code.k:
            return None
        rebuilt = memoryview(bytearray(length))
        self._code.reconstruct(sources, [volume.column], [rebuilt])
        with self.lock:
            self.num_rebuilt += 1
        return rebuilt

    def where(self, volume: Volume) -> str:
        """Return what names a volume in messages."""
        name = layout.volume_name(volume.stripe, volume.column, self._group.k)
        return f"drive {self._labels[volume.drive]}, {name}"

    def close(self) -> None:
        """Release what is open; no thread may be reading."""
        self._pool.shutdown(wait=False)
        for columns, _ in self._stripes.values():
            for column in columns:
                column.close()
        self._stripes.clear()
        self._blocks.clear()
        self._files.close()

    def _read(self, volume: Volume, begin: int, target: memoryview) -> bool:
        """Fill `target` from a volume as it is; return False where it does not give that."""
        if not target:
            return True
        if volume.drive not in self._drives:
            return False
        try:
            with self._files.lent((volume.stripe, volume.column)) as reader:
                return reader.read_into(target, begin) == len(target)
        except DriveFailed:
            return False

    def _stripe(self, stripe: int) -> tuple[list[Column], StripeReader]:
        if stripe not in self._stripes:
            n = self._code.n
            volumes = self._group.volumes[stripe * n : stripe * n + n]
            columns = [
                Column(volume, self._group.k, self._drives.get(volume.drive), self._labels[volume.drive])
                for volume in volumes
            ]
            self._stripes[stripe] = columns, StripeReader(columns, self._code, self._pool)
            while len(self._stripes) > max(1, _MOST_COLUMNS // n):
                _, (old, _) = self._stripes.popitem(last=False)
                for column in old:
                    column.close()
        self._stripes.move_to_end(stripe)
        return self._stripes[stripe]

    def _open(self, key: tuple[int, int]) -> DriveReader:
        stripe, column = key
        volume = self._group.volumes[stripe * self._code.n + column]
        return self._drives[volume.drive].open_reader(layout.volume_name(stripe, column, self._group.k))

    def _lost(self, volume: Volume, row: int, columns: list[Column], num_good: int) -> PacktrainError:
        k = self._group.k
        absent = [column.label for column in columns if not column.has_drive and column.block_bytes(row)]
        where = f"{self.where(volume)}, block {row}"
        expected, found = f"{k} columns of its stripe", f"{num_good} that can be read"
        if len(absent) >= k - num_good:
            return MoreDrivesWanted(
                "cannot be read with the drives at hand",
                where=where,
                expected=expected,
                found=found,
                hint=f"mount {k - num_good} of these as well: {', '.join(absent)}",
                wanted={"group": self._group.group, "any": k - num_good, "of": absent},
            )
        return BeyondRepair(
            "cannot be read any more: more of its stripe is lost than the code survives",
            where=where,
            expected=expected,
            found=found,
            hint='what else is on the drives can be read; "packtrain load" restores it and lists the rest by name',
        )


def _close(reader: DriveReader) -> None:
    reader.close()
