"""Rebuilding volumes onto drives: good blocks copied, bad ones computed, nothing named before its SHA-256 was right."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import AbstractContextManager
from dataclasses import dataclass

from packtrain.documents.codec import digest
from packtrain.documents.drive import Drive as DriveRecord
from packtrain.documents.group import Group, Volume
from packtrain.erasure.code import Code
from packtrain.errors import DriveFailed, DriveFull
from packtrain.events import Progress, Sink
from packtrain.ports import Drive, DriveWriter
from packtrain.volume import layout
from packtrain.volume.blocks import Column
from packtrain.volume.mend_report import Mended, MendLog
from packtrain.volume.repair import StripeReader


@dataclass(frozen=True, slots=True)
class Target:
    """Where a volume is written to: a drive, and the label and UUID that it is known by."""

    drive: Drive
    label: str
    uuid: str
    is_copy: bool = False

    def how(self, num_blocks: int) -> str:
        """Return the word for what was done."""
        return "copied" if self.is_copy and not num_blocks else "rebuilt"


class StripeColumns:
    """Makes the columns of a stripe from drives.

    A drive whose tag files are damaged is a source as well: what counts is that its closing record names the group.

    Args:
        drives: with their verified closing records.
        lost: why a volume is not to be used, by location of its drive and file name.
    """

    def __init__(
        self, drives: Iterable[tuple[Drive, DriveRecord]], lost: Mapping[tuple[str, str], str] | None = None
    ) -> None:
        self._drives = {(record.group_document, record.planned_uuid): (drive, record) for drive, record in drives}
        self._lost = lost or {}

    def of(self, group: Group, stripe: int) -> list[Column]:
        """Return all columns of a stripe, in order; none is open."""
        n, document = group.k + group.m, digest(group)
        found: list[Column] = []
        for volume in group.volumes[stripe * n : stripe * n + n]:
            drive, record = self._drives.get((document, volume.drive), (None, None))
            column = Column(volume, group.k, drive, record.label if record else volume.drive)
            if drive is not None and (why := self._lost.get((drive.location, column.name))) is not None:
                column.distrust(why)
            found.append(column)
        return found


class Rebuild:
    """Rebuilds volumes of one stripe after the other.

    Args:
        columns: where stripes are read from.
        pool: where the blocks of a row are read.
        log: takes what was done and left.
        sink, stage, total_bytes: for the progress.
    """

    def __init__(
        self, columns: StripeColumns, pool: Executor, log: MendLog, sink: Sink, stage: str, total_bytes: int
    ) -> None:
        self._columns, self._pool, self._log = columns, pool, log
        self._sink, self._stage, self._total_bytes = sink, stage, total_bytes
        self._done_bytes = 0
        self._codes: dict[tuple[int, int], Code] = {}

    def stripe(self, group: Group, stripe: int, targets: Mapping[int, Target]) -> None:
        """Write the volumes of these columns to their drives: good blocks copied, others rebuilt."""
        code = self._codes.setdefault((group.k, group.m), Code(group.k, group.m))
        wanted = {index: target for index, target in targets.items() if target.drive.location not in self._log.stopped}
        # Blocks that an attacker fitted to XXH3 look good beside damaged ones; then the volume's own are not used.
        for has_own_blocks in (True, False):
            columns = self._columns.of(group, stripe)
            for index in wanted if not has_own_blocks else ():
                columns[index].distrust("its blocks do not give its SHA-256")
            try:
                wanted = self._attempt(StripeReader(columns, code, self._pool), columns, code.k, wanted)
            finally:
                for column in columns:
                    column.close()
            if not wanted:
                return
        for index, target in wanted.items():
            name = layout.volume_name(stripe, index, group.k)
            self._log.leave(target.label, name, "the others give another SHA-256 than was signed: one was altered")

    def _attempt(
        self, reader: StripeReader, columns: Sequence[Column], k: int, targets: Mapping[int, Target]
    ) -> dict[int, Target]:
        """Return the targets whose bytes came out with another SHA-256."""
        files: dict[int, _NewVolume] = {}
        differ: dict[int, Target] = {}
        try:
            for index, target in targets.items():
                with self._log.writing(target.drive, target.label):
                    files[index] = _NewVolume(target.drive, columns[index].name, columns[index].volume)
            rows = reader.rows(list(files)) if files else iter(())
            for row, blocks in enumerate(rows):
                for index in [index for index in files if row < columns[index].num_blocks]:
                    if not self._write(files[index], targets[index], columns[index], row, blocks.get(index)):
                        files.pop(index).abandon()
                if not files:
                    break
            for index in list(files):
                target, file = targets[index], files.pop(index)
                with self._log.writing(target.drive, target.label):
                    if not file.finish():
                        differ[index] = target
                    elif not _reads_back(columns[index].volume, k, target):
                        why = "written, and the drive gives other bytes back: do not trust it, repair onto a spare"
                        self._log.leave(target.label, file.name, why)
                    else:
                        self._log.uuids.add(target.uuid)
                        num_blocks = reader.rebuilt_blocks[index]
                        self._log.mended.append(Mended(target.label, file.name, target.how(num_blocks), num_blocks))
        finally:
            for file in files.values():
                file.abandon()
        return differ

    def _write(self, file: _NewVolume, target: Target, column: Column, row: int, block: bytes | None) -> bool:
        """Write one block; return False where there is none, or the drive failed, after noting it."""
        if block is None:
            why = f"block {row} cannot be rebuilt: fewer than k volumes of its stripe are readable there"
            self._log.leave(target.label, column.name, why)
            return False
        with self._log.writing(target.drive, target.label):
            file.write(block)
            self._done_bytes += len(block)
            total_bytes = max(self._total_bytes, self._done_bytes)
            self._sink(Progress(self._stage, "rebuilding volumes", self._done_bytes, total_bytes))
            return True
        return False


class _NewVolume:
    """A volume on its way to a drive: it takes its name only with the right SHA-256.

    Raises:
        DriveFailed, DriveFull: on making it, on writing and on finishing.
    """

    def __init__(self, drive: Drive, name: str, volume: Volume) -> None:
        self.name = name
        self._volume = volume
        self._state = hashlib.sha256()
        self._context: AbstractContextManager[DriveWriter] | None = drive.open_writer(name)
        self._writer = self._context.__enter__()

    def write(self, block: bytes) -> None:
        self._state.update(block)
        self._writer.write(block)

    def finish(self) -> bool:
        """Give the file its name; False, and no file, if its SHA-256 is not the signed one."""
        if self._state.hexdigest() != self._volume.sha256:
            self.abandon()
            return False
        context, self._context = self._context, None
        assert context is not None
        context.__exit__(None, None, None)
        return True

    def abandon(self) -> None:
        """Leave the drive as it was."""
        context, self._context = self._context, None
        if context is not None:
            stop = _Abandoned()
            with contextlib.suppress(_Abandoned, DriveFailed, DriveFull):
                context.__exit__(_Abandoned, stop, None)


class _Abandoned(Exception):
    """Ends a writer without a file."""


def _reads_back(volume: Volume, k: int, target: Target) -> bool:
    column = Column(volume, k, target.drive, target.label, past_cache=True)
    try:
        return column.relist() is not None
    finally:
        column.close()


def write_pieces(drive: Drive, name: str, pieces: Iterable[bytes]) -> None:
    """Write a file of a drive, whole or not at all.

    Raises:
        DriveFailed, DriveFull: it cannot be written.
    """
    with drive.open_writer(name) as writer:
        for piece in pieces:
            writer.write(piece)
