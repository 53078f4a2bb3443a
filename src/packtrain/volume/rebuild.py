"""Volumes of a drive written anew from the others of its group: for a drive that was replaced, or lost some files.

The bytes are those that were there before, by the SHA-256 that the journal (and, once it is signed, group.json) has: no
key is made, and no signed document changes.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from packtrain.digest import BLOCK_BYTES, block_hash, sha256_bytes
from packtrain.documents.plan import PlannedGroup
from packtrain.erasure.code import Code
from packtrain.errors import BeyondRepair, DriveFailed
from packtrain.events import Progress, Sink
from packtrain.ports import Drive
from packtrain.volume import layout
from packtrain.volume.block_list import LINE_BYTES, BlockHasher, encode_block_list, num_blocks
from packtrain.volume.blocks import Column
from packtrain.volume.closing import listed_volume
from packtrain.volume.journal import Journal, WrittenVolume
from packtrain.volume.places import Place
from packtrain.volume.repair import StripeReader

_MAX_THREADS: Final = 64


class Rebuilder:
    """Rebuilds volumes of one group. Use it as a context: it holds threads.

    Args:
        group: the group in the plan.
        drives: those of its drives that are here, by the UUID of their place.
        places: who stands in each place.
        journal: knows every volume that was finished.
        sink, stage: for the progress.
    """

    def __init__(
        self,
        group: PlannedGroup,
        drives: Mapping[str, Drive],
        places: Mapping[str, Place],
        journal: Journal,
        sink: Sink,
        stage: str,
    ) -> None:
        self._group = group
        self._drives = {uuid: drives[uuid] for uuid in group.drives if uuid in drives}
        self._places = places
        self._sink = sink
        self._stage = stage
        self._code = Code(group.k, group.m)
        stripes: dict[int, list[WrittenVolume]] = {}
        for volume in journal.written(group.group):
            stripes.setdefault(volume.stripe, []).append(volume)
        self._stripes = {stripe: found for stripe, found in stripes.items() if len(found) == self._code.n}
        self._pool = ThreadPoolExecutor(min(self._code.n, _MAX_THREADS), thread_name_prefix="rebuild")

    def __enter__(self) -> Rebuilder:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)

    def lacking(self, place_uuid: str) -> list[WrittenVolume]:
        """Return the finished volumes that do not stand on a drive at their length, with their block list."""
        drive = self._drives[place_uuid]
        return [volume for volume in self._volumes_of(place_uuid) if not _stands(drive, volume, self._group.k)]

    def rebuild(self, place_uuid: str, volumes: Sequence[WrittenVolume]) -> None:
        """Write these volumes on the drive of a place, and read them back.

        Raises:
            BeyondRepair: too few of the other drives of the group are here, or can be read.
            DriveFailed, DriveFull: the drive cannot be written, or returned other bytes than were written.
        """
        total_bytes = sum(volume.bytes for volume in volumes)
        done_bytes = 0
        label = self._places[place_uuid].label
        for number, volume in enumerate(volumes):
            progress = Progress(
                self._stage, f"rebuilding drive {label}", done_bytes, total_bytes, number, len(volumes), "volumes"
            )
            self._sink(progress)
            self._rebuild(place_uuid, volume)
            done_bytes += volume.bytes

    def _volumes_of(self, place_uuid: str) -> Iterator[WrittenVolume]:
        position = self._group.drives.index(place_uuid)
        for stripe, volumes in self._stripes.items():
            for volume in volumes:
                if volume.bytes and layout.drive_of(stripe, volume.column, self._code.n) == position:
                    yield volume

    def _rebuild(self, place_uuid: str, volume: WrittenVolume) -> None:
        drive, k = self._drives[place_uuid], self._group.k
        name = layout.volume_name(volume.stripe, volume.column, k)
        columns: list[Column] = []
        for other in self._stripes[volume.stripe]:
            listed = listed_volume(self._group, other)
            source = None if other.column == volume.column else self._drives.get(listed.drive)
            columns.append(Column(listed, k, source, self._places[listed.drive].label))
        hasher = BlockHasher()
        try:
            with drive.open_writer(name) as writer:
                for row in StripeReader(columns, self._code, self._pool).rows([volume.column]):
                    block = row[volume.column]
                    if block is None:
                        raise self._beyond(place_uuid, name, columns)
                    hasher.update(block)
                    writer.write(block)
                sha256, hashes = hasher.finish()
                block_list = encode_block_list(hashes)
                if (sha256, sha256_bytes(block_list)) != (volume.sha256, volume.blocks_sha256):
                    raise self._beyond(place_uuid, name, columns)
        finally:
            for column in columns:
                column.close()
        drive.write_bytes(layout.blocks_name(volume.stripe, volume.column), block_list)
        _read_back(drive, name, list(hashes), volume.bytes)

    def _beyond(self, place_uuid: str, name: str, columns: Sequence[Column]) -> BeyondRepair:
        faults = [str(damage) for column in columns for damage in column.damage() if column.has_drive]
        label = self._places[place_uuid].label
        return BeyondRepair(
            f"drive {label}: a volume cannot be rebuilt from the other drives of its group",
            where=name,
            expected=f"any {self._group.k} of the other volumes of its stripe, undamaged",
            found="; ".join(faults[:5]) or "too few of them are here",
            hint="mount more drives of this group and run the same command again",
        )


def _stands(drive: Drive, volume: WrittenVolume, k: int) -> bool:
    blocks_name = layout.blocks_name(volume.stripe, volume.column)
    return (
        drive.size_bytes(layout.volume_name(volume.stripe, volume.column, k)) == volume.bytes
        and drive.size_bytes(blocks_name) == num_blocks(volume.bytes) * LINE_BYTES
    )


def _read_back(drive: Drive, name: str, hashes: Sequence[int], total_bytes: int) -> None:
    reader = drive.open_reader(name, past_cache=True)
    try:
        with mmap.mmap(-1, BLOCK_BYTES) as pages, memoryview(pages) as buffer:
            for block, expected in enumerate(hashes):
                length = min(BLOCK_BYTES, total_bytes - block * BLOCK_BYTES)
                count = reader.read_into(buffer, block * BLOCK_BYTES)
                if count != length or block_hash(buffer[:count]) != expected:
                    raise DriveFailed(
                        f"drive returned other bytes than were written, in block {block}",
                        where=f"{drive.location}: {name}",
                        hint="do not trust this drive: replace it, and test bay and cable",
                    )
    finally:
        reader.close()
