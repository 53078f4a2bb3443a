"""Any stretch of the plaintext of a group's data volumes, from whatever drives are mounted: what reads in place.

An age file is a chain of chunks, each with its own tag, so a stretch costs the chunks it lies in: 64 KiB at the least.
Where a chunk does not open, or its drive is not there, it is rebuilt from the same stretch of k other columns; where
that does not give it, or many lie side by side, from whole blocks that fit their lists: one row, not the volume. What
is held is bounded by blocks.

What a tag and a block list prove is that nothing happened by accident. Whoever rewrites a whole volume, to a recipient
that is public, can make both fit: a file is proven by its SHA-256 alone, and that is its reader's to check.
"""

from __future__ import annotations

import contextlib
import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from packtrain.crypto.age_chunks import SEALED_BYTES, ChunkOpener
from packtrain.digest import BLOCK_BYTES
from packtrain.documents.group import Group, Volume
from packtrain.documents.plan import Plan
from packtrain.erasure.code import Code
from packtrain.errors import BeyondRepair, DriveFailed, HostileArchive, IntegrityError, MoreDrivesWanted, PacktrainError
from packtrain.ports import Drive, DriveReader
from packtrain.units import KIB
from packtrain.volume import layout
from packtrain.volume.blocks import ALTERED, Column
from packtrain.volume.repair import StripeReader

CHUNK_BYTES: Final = 64 * KIB
# 16 chunks a read of the drive: a disk is asked once for a megabyte, and no more than that is held.
_CHUNKS_AT_ONCE: Final = 16
_FEW_CHUNKS: Final = 2
# Known volumes keep a cipher, a kilobyte; open ones a descriptor; open stripes a block and a block list a column.
_MOST_CIPHERS: Final = 8192
_MOST_VOLUMES: Final = 128
_MOST_COLUMNS: Final = 32
# More than any header with one stanza.
_HEAD_BYTES: Final = 4 * KIB
# Rebuilt rows, for the chunks that lie side by side in one: 16 MiB.
_MOST_BLOCKS: Final = 16
_MOST_THREADS: Final = 16
# A dying disk answers each read after many seconds: after so many, the rest of a volume comes by way of its stripe.
_MOST_FAILURES: Final = 4


@dataclass(slots=True)
class _OpenVolume:
    volume: Volume
    opener: ChunkOpener
    reader: DriveReader | None
    num_users: int = 0
    num_failures: int = 0


@dataclass(slots=True)
class _OtherVolume:
    reader: DriveReader
    num_users: int = 0


class RangeReader:
    """Reads one group in place. Any number of threads may use it; those that have something rebuilt take turns.

    Args:
        group: the verified group document.
        plan: names the drives, for messages.
        drives: the mounted drives of the group by their UUID in the plan, each verified.
        identity: the shipment's age identity.
    """

    def __init__(self, group: Group, plan: Plan, drives: Mapping[str, Drive], identity: str) -> None:
        self._group = group
        self._labels = {drive.uuid: drive.label for drive in plan.drives}
        self._drives = drives
        self._identity = identity
        self._code = Code(group.k, group.m)
        self._pool = ThreadPoolExecutor(min(group.k, _MOST_THREADS), thread_name_prefix=f"group-{group.group}")
        self._ciphers: OrderedDict[tuple[int, int], ChunkOpener] = OrderedDict()
        self._volumes: OrderedDict[tuple[int, int], _OpenVolume] = OrderedDict()
        self._others: OrderedDict[tuple[int, int], _OtherVolume] = OrderedDict()
        self._buffers: list[bytearray] = []
        self._volumes_lock = threading.Lock()
        self._stripes: OrderedDict[int, tuple[list[Column], StripeReader]] = OrderedDict()
        self._blocks: OrderedDict[tuple[int, int, int], bytes] = OrderedDict()
        self._stripes_lock = threading.RLock()
        self.num_rebuilt = 0

    def read_into(self, stripe: int, column: int, offset: int, target: memoryview) -> None:
        """Fill `target` with the plaintext of a data volume from `offset` on.

        Raises:
            MoreDrivesWanted: the drives at hand do not give it; drives that are not here would.
            BeyondRepair: no drive gives it any more.
            IntegrityError: what the drives give opens under no key, though it is as its block list says.
            HostileArchive: the volume ends before the stretch does, or there is no such volume.
        """
        if not target:
            return
        if stripe >= self._group.num_stripes or column >= self._group.k:
            raise HostileArchive("catalog names a volume that its group has not", found=f"{stripe}, column {column}")
        with self._lent(stripe, column) as opened:
            end = offset + len(target)
            if end > opened.opener.plain_bytes:
                raise HostileArchive(
                    "catalog places a file beyond the end of its volume",
                    where=self._where(opened.volume),
                    expected=f"at most {opened.opener.plain_bytes} bytes",
                    found=f"{end}",
                )
            # The kernel's new pages cost as much as copying: a buffer is used again, by one thread at a time.
            buffer = self._buffers.pop() if self._buffers else bytearray(_CHUNKS_AT_ONCE * SEALED_BYTES)
            for first in range(offset // CHUNK_BYTES, -(-end // CHUNK_BYTES), _CHUNKS_AT_ONCE):
                stop = min(first + _CHUNKS_AT_ONCE, -(-end // CHUNK_BYTES))
                self._read_chunks(opened, first, stop, offset, target, memoryview(buffer))
            self._buffers.append(buffer)

    def close(self) -> None:
        """Release what is open; no thread may be reading."""
        self._pool.shutdown(wait=False)
        for opened in self._volumes.values():
            if opened.reader is not None:
                opened.reader.close()
        self._volumes.clear()
        for other in self._others.values():
            other.reader.close()
        self._others.clear()
        self._ciphers.clear()
        for columns, _ in self._stripes.values():
            for column in columns:
                column.close()
        self._stripes.clear()
        self._blocks.clear()

    # --- a volume ---------------------------------------------------------------------------------------------------

    def _read_chunks(
        self, opened: _OpenVolume, first: int, stop: int, offset: int, target: memoryview, buffer: memoryview
    ) -> None:
        """Put what lies in the chunks from `first` to `stop` into its place in `target`, which begins at `offset`."""
        sealed = self._sealed(opened, first, stop, buffer)
        # Chunks on end are in one row, which is rebuilt once for all of them; a single one need not have its whole row.
        is_alone = stop - first <= _FEW_CHUNKS
        for number in range(first, stop):
            at = (number - first) * SEALED_BYTES
            piece = sealed[at : at + opened.opener.sealed_bytes(number)]
            begin = number * CHUNK_BYTES
            length = opened.opener.sealed_bytes(number) - (SEALED_BYTES - CHUNK_BYTES)
            low, high = max(offset, begin), min(offset + len(target), begin + length)
            # A whole chunk is decrypted to where it is wanted.
            is_whole = high - low == length
            plain = target[low - offset : high - offset] if is_whole else memoryview(bytearray(length))
            is_here = len(piece) == opened.opener.sealed_bytes(number)
            if not (is_here and opened.opener.open_into(number, piece, plain)) and not (
                is_alone and self._mend_alone(opened, number, plain)
            ):
                self._mend(opened, number, plain)
            if not is_whole:
                target[low - offset : high - offset] = plain[low - begin : high - begin]

    def _sealed(self, opened: _OpenVolume, first: int, stop: int, buffer: memoryview) -> memoryview:
        """Return the ciphertext of chunks as the drive gives it, checked by nothing; less where it does not."""
        if opened.reader is None or opened.num_failures >= _MOST_FAILURES:
            return buffer[:0]
        opener = opened.opener
        length = (stop - 1 - first) * SEALED_BYTES + opener.sealed_bytes(stop - 1)
        try:
            return buffer[: opened.reader.read_into(buffer[:length], opener.payload_offset + first * SEALED_BYTES)]
        except DriveFailed:
            opened.num_failures += 1
            return buffer[:0]

    def _mend_alone(self, opened: _OpenVolume, number: int, plain: memoryview) -> bool:
        """Put the plaintext of a chunk into `plain`, rebuilt from the same stretch of k other columns.

        No block list can tell whether those are good: the tag of the chunk does. Return False where it does not fit, or
        the columns cannot be read there; `plain` is then not to be used.
        """
        volume, opener = opened.volume, opened.opener
        begin, length = opener.payload_offset + number * SEALED_BYTES, opener.sealed_bytes(number)
        rows = {begin // BLOCK_BYTES, (begin + length - 1) // BLOCK_BYTES}
        if all((volume.stripe, volume.column, row) in self._blocks for row in rows):
            return False  # they are here already
        n = self._code.n
        sources: dict[int, memoryview] = {}
        with contextlib.ExitStack() as lent:
            for other in self._group.volumes[volume.stripe * n : volume.stripe * n + n]:
                if other.column == volume.column or len(sources) == self._code.k:
                    continue
                # Behind its end a column reads as zero.
                stretch = memoryview(bytearray(length))
                wanted = max(min(length, other.bytes - begin), 0)
                if wanted:
                    reader = lent.enter_context(self._other(other))
                    if reader is None:
                        continue
                    try:
                        if reader.read_into(stretch[:wanted], begin) != wanted:
                            continue
                    except DriveFailed:
                        continue
                sources[other.column] = stretch
        if len(sources) < self._code.k:
            return False
        found = memoryview(bytearray(length))
        self._code.reconstruct(sources, [volume.column], [found])
        if not opener.open_into(number, found, plain):
            return False
        with self._stripes_lock:
            self.num_rebuilt += 1
        return True

    @contextlib.contextmanager
    def _other(self, volume: Volume) -> Iterator[DriveReader | None]:
        """Lend the open file of a volume that is read as ciphertext alone; None where it cannot be opened."""
        key = (volume.stripe, volume.column)
        with self._volumes_lock:
            opened = self._others.get(key)
            if opened is None:
                drive = self._drives.get(volume.drive)
                if drive is not None:
                    with contextlib.suppress(DriveFailed):
                        reader = drive.open_reader(layout.volume_name(volume.stripe, volume.column, self._group.k))
                        opened = self._others[key] = _OtherVolume(reader)
            if opened is not None:
                self._others.move_to_end(key)
                opened.num_users += 1
                idle = [each for each, item in self._others.items() if not item.num_users]
                for each in idle[: max(len(self._others) - _MOST_VOLUMES, 0)]:
                    self._others.pop(each).reader.close()
        try:
            yield None if opened is None else opened.reader
        finally:
            if opened is not None:
                with self._volumes_lock:
                    opened.num_users -= 1

    def _mend(self, opened: _OpenVolume, number: int, plain: memoryview) -> None:
        """Put the plaintext of a chunk into `plain`, from blocks that fit their lists or were rebuilt."""
        volume, opener = opened.volume, opened.opener
        begin = opener.payload_offset + number * SEALED_BYTES
        end = begin + opener.sealed_bytes(number)
        with self._stripes_lock:
            for is_trusted in (True, False):
                if not is_trusted:
                    # Blocks that fit their list and open under no key: someone made them fit. The others may tell.
                    self._distrust(volume)
                rows = range(begin // BLOCK_BYTES, (end - 1) // BLOCK_BYTES + 1)
                found = b"".join(self._block(volume, row) for row in rows)
                at = begin - rows[0] * BLOCK_BYTES
                if opener.open_into(number, memoryview(found)[at : at + end - begin], plain):
                    return
        raise IntegrityError(
            f"chunk {number} opens under no key, though the blocks it lies in are good or rebuilt",
            where=self._where(volume),
            hint='volumes of its stripe were altered on purpose: "packtrain check" finds out which',
        )

    @contextlib.contextmanager
    def _lent(self, stripe: int, column: int) -> Iterator[_OpenVolume]:
        key = (stripe, column)
        with self._volumes_lock:
            opened = self._volumes.get(key)
            if opened is None:
                opened = self._volumes[key] = self._open(self._volume(stripe, column))
            self._volumes.move_to_end(key)
            opened.num_users += 1
            idle = [each for each, item in self._volumes.items() if not item.num_users]
            for each in idle[: max(len(self._volumes) - _MOST_VOLUMES, 0)]:
                item = self._volumes.pop(each)
                if item.reader is not None:
                    item.reader.close()
        try:
            yield opened
        finally:
            with self._volumes_lock:
                opened.num_users -= 1

    def _open(self, volume: Volume) -> _OpenVolume:
        drive, reader = self._drives.get(volume.drive), None
        if drive is not None:
            with contextlib.suppress(DriveFailed):
                reader = drive.open_reader(layout.volume_name(volume.stripe, volume.column, self._group.k))
        key = (volume.stripe, volume.column)
        opener = self._ciphers.get(key)
        if opener is None:
            try:
                opener = self._by_head(volume, reader) or self._by_block(volume)
            except BaseException:
                if reader is not None:
                    reader.close()
                raise
            self._ciphers[key] = opener
            while len(self._ciphers) > _MOST_CIPHERS:
                self._ciphers.popitem(last=False)
        self._ciphers.move_to_end(key)
        return _OpenVolume(volume, opener, reader)

    def _by_head(self, volume: Volume, reader: DriveReader | None) -> ChunkOpener | None:
        """Return what opens a volume, from its first bytes as they are; None unless its first chunk opens by it."""
        if reader is None:
            return None
        head = memoryview(bytearray(min(_HEAD_BYTES + SEALED_BYTES, volume.bytes)))
        try:
            head = head[: reader.read_into(head, 0)]
            opener = ChunkOpener(bytes(head), volume.bytes, [self._identity])
        except PacktrainError:
            return None
        first = head[opener.payload_offset : opener.payload_offset + opener.sealed_bytes(0)]
        return opener if opener.open(0, first) is not None else None

    def _by_block(self, volume: Volume) -> ChunkOpener:
        """Return what opens a volume, from its first block as its block list has it, or as the others give it."""
        with self._stripes_lock:
            try:
                return ChunkOpener(self._block(volume, 0), volume.bytes, [self._identity])
            except (MoreDrivesWanted, BeyondRepair):
                raise
            except PacktrainError:
                self._distrust(volume)
                return self._altered(volume)

    def _altered(self, volume: Volume) -> ChunkOpener:
        try:
            return ChunkOpener(self._block(volume, 0), volume.bytes, [self._identity])
        except (MoreDrivesWanted, BeyondRepair):
            raise
        except PacktrainError as error:
            raise IntegrityError(
                f"volume does not open: {error.what}", where=self._where(volume), hint=error.hint
            ) from error

    # --- its stripe -------------------------------------------------------------------------------------------------

    def _block(self, volume: Volume, row: int) -> bytes:
        """Return one block of the ciphertext, good by its list or rebuilt; the caller holds the lock of the stripes."""
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

    def _distrust(self, volume: Volume) -> None:
        columns, _ = self._stripe(volume.stripe)
        columns[volume.column].distrust(ALTERED)
        for key in [key for key in self._blocks if key[:2] == (volume.stripe, volume.column)]:
            del self._blocks[key]

    def _lost(self, volume: Volume, row: int, columns: list[Column], num_good: int) -> PacktrainError:
        k = self._group.k
        absent = [column.label for column in columns if not column.has_drive and column.block_bytes(row)]
        where = f"{self._where(volume)}, block {row}"
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

    def _volume(self, stripe: int, column: int) -> Volume:
        return self._group.volumes[stripe * self._code.n + column]

    def _where(self, volume: Volume) -> str:
        name = layout.volume_name(volume.stripe, volume.column, self._group.k)
        return f"drive {self._labels[volume.drive]}, {name}"
