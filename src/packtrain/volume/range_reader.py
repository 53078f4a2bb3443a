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
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from packtrain.crypto.age_chunks import SEALED_BYTES, ChunkOpener
from packtrain.digest import BLOCK_BYTES
from packtrain.documents.group import Group, Volume
from packtrain.documents.plan import Plan
from packtrain.errors import DriveFailed, HostileArchive, IntegrityError, PacktrainError
from packtrain.ports import Drive, DriveReader
from packtrain.units import KIB
from packtrain.volume import layout
from packtrain.volume.lending import Lending
from packtrain.volume.stripe_source import StripeSource

CHUNK_BYTES: Final = 64 * KIB
# 16 chunks a read of the drive: a disk is asked once for a megabyte, and no more than that is held.
_CHUNKS_AT_ONCE: Final = 16
_FEW_CHUNKS: Final = 2
# Known volumes keep a cipher, a kilobyte; open ones a descriptor.
_MOST_CIPHERS: Final = 8192
_MOST_VOLUMES: Final = 128
# More than any header with one stanza.
_HEAD_BYTES: Final = 4 * KIB
# A dying disk answers each read after many seconds: after so many, the rest of a volume comes by way of its stripe.
_MOST_FAILURES: Final = 4


@dataclass(slots=True)
class _OpenVolume:
    volume: Volume
    opener: ChunkOpener
    reader: DriveReader | None
    num_failures: int = 0


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
        self._drives = drives
        self._identity = identity
        self._source = StripeSource(group, {drive.uuid: drive.label for drive in plan.drives}, drives)
        self._ciphers: OrderedDict[tuple[int, int], ChunkOpener] = OrderedDict()
        self._volumes = Lending(self._open, _close, _MOST_VOLUMES)
        self._buffers: list[bytearray] = []

    @property
    def num_rebuilt(self) -> int:
        """Return how many blocks and stretches were rebuilt from others so far."""
        return self._source.num_rebuilt

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
        with self._volumes.lent((stripe, column)) as opened:
            end = offset + len(target)
            if end > opened.opener.plain_bytes:
                raise HostileArchive(
                    "catalog places a file beyond the end of its volume",
                    where=self._source.where(opened.volume),
                    expected=f"at most {opened.opener.plain_bytes} bytes",
                    found=f"{end}",
                )
            # The kernel's new pages cost as much as copying: a buffer is used again, by one thread at a time.
            try:
                buffer = self._buffers.pop()
            except IndexError:
                buffer = bytearray(_CHUNKS_AT_ONCE * SEALED_BYTES)
            for first in range(offset // CHUNK_BYTES, -(-end // CHUNK_BYTES), _CHUNKS_AT_ONCE):
                stop = min(first + _CHUNKS_AT_ONCE, -(-end // CHUNK_BYTES))
                self._read_chunks(opened, first, stop, offset, target, memoryview(buffer))
            self._buffers.append(buffer)

    def close(self) -> None:
        """Release what is open; no thread may be reading."""
        self._volumes.close()
        self._ciphers.clear()
        self._source.close()

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
            is_open = is_here and opened.opener.open_into(number, piece, plain)
            if not is_open and not (is_alone and self._mend_alone(opened, number, plain)):
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
        """Put the plaintext of a chunk into `plain`, from its stretch of the others; return whether its tag fits."""
        begin = opened.opener.payload_offset + number * SEALED_BYTES
        found = self._source.stretch(opened.volume, begin, opened.opener.sealed_bytes(number))
        return found is not None and opened.opener.open_into(number, found, plain)

    def _mend(self, opened: _OpenVolume, number: int, plain: memoryview) -> None:
        """Put the plaintext of a chunk into `plain`, from blocks that fit their lists or were rebuilt."""
        volume, opener = opened.volume, opened.opener
        begin = opener.payload_offset + number * SEALED_BYTES
        end = begin + opener.sealed_bytes(number)
        with self._source.lock:
            for is_trusted in (True, False):
                if not is_trusted:
                    # Blocks that fit their list and open under no key: someone made them fit. The others may tell.
                    self._source.distrust(volume)
                rows = range(begin // BLOCK_BYTES, (end - 1) // BLOCK_BYTES + 1)
                found = b"".join(self._source.block(volume, row) for row in rows)
                at = begin - rows[0] * BLOCK_BYTES
                if opener.open_into(number, memoryview(found)[at : at + end - begin], plain):
                    return
        raise IntegrityError(
            f"chunk {number} opens under no key, though the blocks it lies in are good or rebuilt",
            where=self._source.where(volume),
            hint='volumes of its stripe were altered on purpose: "packtrain check" finds out which',
        )

    def _open(self, key: tuple[int, int]) -> _OpenVolume:
        stripe, column = key
        volume = self._group.volumes[stripe * (self._group.k + self._group.m) + column]
        drive, reader = self._drives.get(volume.drive), None
        if drive is not None:
            with contextlib.suppress(DriveFailed):
                reader = drive.open_reader(layout.volume_name(volume.stripe, volume.column, self._group.k))
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
        fault: PacktrainError | None = None
        with self._source.lock:
            for is_trusted in (True, False):
                if not is_trusted:
                    self._source.distrust(volume)
                head = self._source.block(volume, 0)
                try:
                    return ChunkOpener(head, volume.bytes, [self._identity])
                except PacktrainError as error:
                    fault = error
        assert fault is not None
        raise IntegrityError(
            f"volume does not open: {fault.what}", where=self._source.where(volume), hint=fault.hint
        ) from fault


def _close(opened: _OpenVolume) -> None:
    if opened.reader is not None:
        opened.reader.close()
