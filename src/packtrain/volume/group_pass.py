"""One group, with the drives that are mounted now: every volume that they give back is staged and published.

Volumes on mounted drives are read each by a thread of its own, from its first to its last byte; their SHA-256 proves
them. Stripes in which something has to be rebuilt, and volumes that turned out damaged, are read row by row, all
columns side by side, so that every drive is read once.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import threading
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from packtrain.crypto import age
from packtrain.documents.group import Volume
from packtrain.documents.plan import Plan
from packtrain.errors import DriveFailed, DriveFull, PacktrainError, WorkerCrashed
from packtrain.ports import Drive
from packtrain.units import KIB, MIB
from packtrain.volume import layout
from packtrain.volume.blocks import ALTERED, DISTRUSTED, Column, Damage
from packtrain.volume.catalog import Catalog
from packtrain.volume.extract import MOST_REMEMBERED, Staged, extract_volume
from packtrain.volume.load_journal import DamagedLine, LoadJournal, RefusedLine, damage_lines
from packtrain.volume.publishing import OpenGroup, Publisher, Restored
from packtrain.volume.repair import StripeReader
from packtrain.volume.staging import Staging, store_faults
from packtrain.volume.unpack import ReadAlone, Source, Unpacking
from packtrain.volume.unpackers import Unpackers
from packtrain.volume.unpacking_process import NO_PIECE, Task
from packtrain.volume.untar import TarReader
from packtrain.volume.wanted import Knowledge

# What a crash may cost to read again, and what waits in staging: small volumes are flushed together.
_BATCH_BYTES: Final = 256 * MIB
_BATCH_VOLUMES: Final = 64
_TELL_SECONDS: Final = 0.2
# So many entries in a group are worth the start of other processes; volumes of smaller files than this are theirs. One
# process takes 16 KiB files at some 250 MB a second: from there on drives are slower, and more of them are to be read.
_WORTH_PROCESSES: Final = 10_000
_SMALL_FILE_BYTES: Final = 16 * KIB

Told = Callable[[int], None]
"""Takes bytes of data volumes that were read since the last call; 0 says that time passed."""


def num_readers(num_drives: int) -> int:
    """Return how many volumes are read at once: one a drive, and no more than keep the cores busy while some wait."""
    return max(1, min(num_drives, 2 * (os.cpu_count() or 1), 16))


@dataclass(slots=True)
class GroupPass:
    """Reads one group.

    Args:
        plan: the verified plan.
        opened: the group.
        drives: the mounted drives of the group by their UUID in the plan.
        identity: the shipment's age identity.
        staging, journal, publisher: where volumes wait, are noted, and go.
        readers, workers: threads for the columns of a stripe, and for what is made of them.
        unpackers: processes for volumes of small files.
        told: takes progress.
        found: takes damage for the terminal.
    """

    plan: Plan
    opened: OpenGroup
    drives: Mapping[str, Drive]
    identity: str
    staging: Staging
    journal: LoadJournal
    publisher: Publisher
    readers: Executor
    workers: Executor
    unpackers: Unpackers
    told: Told
    found: Callable[[Sequence[Damage]], None]
    _batch: list[Restored] = field(default_factory=list[Restored])
    _batch_members: int = 0
    _catalogs: list[Catalog] = field(default_factory=list[Catalog])
    _staged: dict[tuple[int, int], Staged] = field(default_factory=dict[tuple[int, int], Staged])

    def run(self, knowledge: Knowledge, leave: Collection[int] = ()) -> None:
        """Restore what can be restored.

        Args:
            knowledge: what is known before; it is not kept up to date here.
            leave: stripes that are read otherwise.

        Raises:
            DriveFull, DriveFailed: the store cannot take the files.
            HostileArchive, IntegrityError: see `Publisher.publish`.
        """
        alone: list[Volume] = []
        together: dict[int, list[int]] = {}
        for stripe in range(self.opened.group.num_stripes):
            if stripe in leave:
                continue
            here: list[Volume] = []
            others: list[Volume] = []
            for volume in knowledge.open_in(stripe):
                if volume.drive in self.drives:
                    here.append(volume)
                elif knowledge.can_be_rebuilt(volume, self.drives):
                    others.append(volume)
            if others:
                together[stripe] = sorted(volume.column for volume in (*here, *others))
            else:
                alone += here
        for volume in self._read_alone(alone):
            together.setdefault(volume.stripe, []).append(volume.column)
        self.publish()
        for stripe, wanted in sorted(together.items()):
            self._read_stripe(stripe, sorted(wanted))
        self.publish()

    # --- volumes by themselves --------------------------------------------------------------------------------------

    def _read_alone(self, volumes: Iterable[Volume]) -> list[Volume]:
        """Read volumes, one at a time from each drive; return those that are damaged."""
        # Taken from near its start: from a list that would move all the others each time.
        waiting = deque(volumes)
        damaged: list[Volume] = []
        running: dict[Future[None], ReadAlone] = {}
        stop = threading.Event()
        limit = num_readers(len(self.drives))
        try:
            while waiting or running:
                busy = {item.volume.drive for item in running.values()}
                at = 0
                # Far enough to find a drive that is idle; the order is kept as well as it goes.
                while len(running) < limit and at < min(len(waiting), 256):
                    if waiting[at].drive in busy:
                        at += 1
                        continue
                    volume = waiting[at]
                    del waiting[at]
                    busy.add(volume.drive)
                    self.make_folder(volume)
                    item = ReadAlone(volume, self.drives[volume.drive], self._name(volume), stop)
                    work = self._work_elsewhere(volume) if self._is_small(volume) else self.work(volume)
                    running[self.workers.submit(item.run, work)] = item
                ended, _ = wait(running, _TELL_SECONDS, FIRST_COMPLETED)
                self.told(0)
                for future in ended:
                    item = running.pop(future)
                    future.result()
                    if item.is_whole:
                        self.told(item.volume.bytes)
                        self.take(item.volume, item.fault, ())
                    else:
                        damaged.append(item.volume)
                        shutil.rmtree(self.folder(item.volume))
        except BaseException:
            stop.set()
            raise
        return damaged

    def _is_small(self, volume: Volume) -> bool:
        """Return whether a volume has small files, and the group so many that other processes should unpack it."""
        if len(os.sched_getaffinity(0)) < 2 or self.opened.group.num_files < _WORTH_PROCESSES:
            return False
        return volume.bytes < self.opened.catalog.num_members(volume.stripe, volume.column) * _SMALL_FILE_BYTES

    def _work_elsewhere(self, volume: Volume) -> Callable[[Source], None]:
        """Return what has a volume unpacked by another process."""
        task = Task(*self.key(volume), self._where(volume), NO_PIECE)

        def work(read: Source) -> None:
            with self.unpackers.lent() as unpacker:
                try:
                    staged = unpacker.unpack(task, read)
                except (DriveFull, DriveFailed, WorkerCrashed):
                    raise
                except PacktrainError as error:
                    fault = error
                else:
                    self._staged[volume.stripe, volume.column] = staged
                    return
            # About the bytes, and whose fault that is the SHA-256 will say: the process is in order.
            raise fault

        return work

    # --- a stripe ---------------------------------------------------------------------------------------------------

    def _read_stripe(self, stripe: int, wanted: Sequence[int]) -> None:
        n = self.opened.code.n
        volumes = self.opened.group.volumes[stripe * n : stripe * n + n]
        columns = [self.column(volume) for volume in volumes]
        reader = StripeReader(columns, self.opened.code, self.readers)
        try:
            unpackings = self._unpack(volumes, reader, wanted)
            # Blocks were all good or made good, and the volume is another one: someone made bytes that fit a list.
            doubtful = [c for c, u in unpackings.items() if not u.is_whole and not u.is_given_up]
            if doubtful and _unmask(columns, self.opened.code.k):
                unpackings.update(self._unpack(volumes, reader, doubtful))
        finally:
            for column in columns:
                column.close()
        self._judge(volumes, columns, reader, unpackings)

    def _unpack(self, volumes: Sequence[Volume], reader: StripeReader, wanted: Sequence[int]) -> dict[int, Unpacking]:
        """Read the wanted volumes side by side, each unpacked by a thread of its own; return how each ended."""
        unpackings = {column: Unpacking(volumes[column], self.work(volumes[column])) for column in wanted}
        for column in wanted:
            self.make_folder(volumes[column])
        with self.feeding(unpackings.values()):
            for row in reader.rows(wanted):
                for column, block in row.items():
                    unpacking = unpackings[column]
                    if block is None:
                        unpacking.give_up()
                    elif not unpacking.is_given_up:
                        unpacking.put(block)
                        self.told(len(block))
                if any(unpacking.has_failed for unpacking in unpackings.values()):
                    break
        return unpackings

    def close(self) -> None:
        """Release what was opened."""
        # One by one out of the list: after an interrupt threads still take theirs from it, and SQLite crashes where a
        # connection is closed under a thread that uses it.
        with contextlib.suppress(IndexError):
            while True:
                self._catalogs.pop().close()

    @contextlib.contextmanager
    def feeding(self, unpackings: Collection[Unpacking]) -> Iterator[None]:
        """Run unpackings while the context feeds them, each in a thread of its own; leave when all have ended.

        Raises:
            DriveFull, DriveFailed: the store cannot take the files.
        """
        try:
            futures = [self.workers.submit(unpacking.run) for unpacking in unpackings]
            yield
            for unpacking in unpackings:
                unpacking.end()
            for future in futures:
                future.result()
        except BaseException:
            # Ctrl-C, perhaps twice: nothing here may wait, and no thread may go on waiting for blocks.
            for unpacking in unpackings:
                unpacking.abandon()
            raise

    def _judge(
        self,
        volumes: Sequence[Volume],
        columns: Sequence[Column],
        reader: StripeReader,
        unpackings: Mapping[int, Unpacking],
    ) -> None:
        """Take what was proven, note what is known to be bad of the rest."""
        damage = {column.index: tuple(column.damage()) for column in columns if column.has_drive or not column.lost}
        failed = [column for column, unpacking in unpackings.items() if not unpacking.is_whole]
        restored = [column for column, unpacking in sorted(unpackings.items()) if unpacking.is_whole]
        # While something of the stripe is open, what is bad in it decides which drives are wanted.
        known = [column for column, found in damage.items() if found and (failed or not restored)]
        self.journal.add(
            [
                DamagedLine(*self.key(volumes[column]), damage_lines(damage[column]))
                for column in known
                if column not in restored
            ]
        )
        told = [item for column in known if column not in restored for item in damage[column]]
        for column in restored:
            found = damage.get(column, ())
            if not failed and column == restored[-1]:
                # Damage of volumes that are not noted themselves (parity) goes with the last that is.
                found += tuple(item for other in sorted(damage) if other not in unpackings for item in damage[other])
            is_rebuilt = columns[column].lost is not None
            repaired = 0 if is_rebuilt else reader.rebuilt_blocks[column]
            self.take(volumes[column], unpackings[column].fault, found, repaired, is_rebuilt=is_rebuilt)
            told += found
        for column in failed:
            shutil.rmtree(self.folder(volumes[column]))
        self.found(told)

    def column(self, volume: Volume) -> Column:
        """Return a volume on its drive, or on none."""
        return Column(volume, self.opened.code.k, self.drives.get(volume.drive), self._label(volume))

    # --- both -------------------------------------------------------------------------------------------------------

    def take(
        self,
        volume: Volume,
        fault: PacktrainError | None,
        damage: tuple[Damage, ...],
        blocks_repaired: int = 0,
        *,
        is_rebuilt: bool = False,
    ) -> None:
        """Take a volume with the right SHA-256: into the batch, or as refused."""
        if fault is not None:
            shutil.rmtree(self.folder(volume))
            self.journal.add(
                [
                    RefusedLine(
                        *self.key(volume), type(fault).__name__, fault.what, fault.where, fault.expected, fault.found
                    )
                ]
            )
            return
        staged = self._staged.pop((volume.stripe, volume.column))
        self._batch.append(
            Restored(volume.stripe, volume.column, volume.bytes, blocks_repaired, is_rebuilt, damage, staged)
        )
        self._batch_members += len(staged.members or ())
        if (
            len(self._batch) >= _BATCH_VOLUMES
            or self._batch_members >= MOST_REMEMBERED
            or sum(item.bytes for item in self._batch) >= _BATCH_BYTES
        ):
            self.publish()

    def publish(self) -> None:
        """Publish what was taken so far."""
        batch, self._batch, self._batch_members = self._batch, [], 0
        self.publisher.publish(self.opened, batch)

    def work(self, volume: Volume) -> Callable[[Source], None]:
        """Return what unpacks a volume into the staging folder."""
        where = self._where(volume)

        def work(read: Source) -> None:
            plain = age.DecryptReader(read, [self.identity], strict_single_x25519=True, where=where)
            # One at a time uses a connection, so each volume borrows one; opening costs more than a small volume.
            try:
                catalog = self._catalogs.pop()
            except IndexError:
                catalog = Catalog.open(self.staging.catalog(self.opened.group.group), by_turns=True)
            try:
                with self.publisher.turn:
                    self._staged[volume.stripe, volume.column] = extract_volume(
                        TarReader(self.publisher.turn.out_of(plain.readinto), where),
                        catalog,
                        self.staging,
                        self.publisher.metadata,
                        *self.key(volume),
                        where,
                        turn=self.publisher.turn,
                        verify_files=self.publisher.verify_files,
                    )
            finally:
                self._catalogs.append(catalog)

        return work

    def make_folder(self, volume: Volume) -> None:
        """Make the empty staging folder of a volume."""
        folder = self.folder(volume)
        with store_faults(self.staging.root):
            try:
                folder.mkdir()
            except FileExistsError:
                shutil.rmtree(folder)
                folder.mkdir()

    def folder(self, volume: Volume) -> Path:
        """Return the staging folder of a volume."""
        return self.staging.volume_folder(self.opened.group.group, volume.stripe, volume.column)

    def key(self, volume: Volume) -> tuple[int, int, int]:
        """Return what names a volume in the journal."""
        return self.opened.group.group, volume.stripe, volume.column

    def _where(self, volume: Volume) -> str:
        return f"drive {self._label(volume)}, {self._name(volume)}"

    def _name(self, volume: Volume) -> str:
        return layout.volume_name(volume.stripe, volume.column, self.opened.code.k)

    def _label(self, volume: Volume) -> str:
        return next(drive.label for drive in self.plan.drives if drive.uuid == volume.drive)


def _unmask(columns: Sequence[Column], k: int) -> bool:
    """Find out who lies in a stripe whose blocks were good and whose volumes were not; return whether anyone does.

    Volumes with the SHA-256 of the group document are beyond doubt. Where k of them are there, all others are taken as
    lost. Where fewer are, only those are whose every block is good and whose SHA-256 is not: that is no accident.
    """
    doubtful = [column for column in columns if column.lost is None and not column.verify()]
    doubtful = [column for column in doubtful if column.lost is None]
    sure = sum(column.lost is None for column in columns) - len(doubtful)
    liars = [column for column in doubtful if sure >= k or not column.bad_blocks]
    for column in liars:
        column.distrust(DISTRUSTED if column.bad_blocks else ALTERED)
    return bool(liars)
