"""From verified drives to files in a store: read once, repaired on the way, resumable at any point.

A stripe is the unit: its data volumes are read side by side, so that what one of them lacks can be rebuilt from the
others while they pass. Files wait in the staging folder; they move into the store when the SHA-256 of their whole
volume was the one of the signed group document, and only then is the volume noted in the journal.
"""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Callable, Container, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from packtrain import durable
from packtrain.crypto import age
from packtrain.documents.codec import digest
from packtrain.documents.group import Group
from packtrain.documents.plan import Plan
from packtrain.documents.shipment import Shipment
from packtrain.erasure.code import Code
from packtrain.errors import IntegrityError, StoreInUse, WrongKey
from packtrain.events import Notice, Progress, Sink
from packtrain.ports import Store
from packtrain.volume import layout
from packtrain.volume.blocks import ALTERED, DISTRUSTED, Column, Damage
from packtrain.volume.catalog import Catalog
from packtrain.volume.catalog_source import decrypt_catalog
from packtrain.volume.discover import Mounted
from packtrain.volume.extract import (
    Staging,
    as_the_consignor_signed_it,
    extract_volume,
    finish_whole_file,
    shown,
    staged_name,
    store_faults,
)
from packtrain.volume.load_journal import LoadJournal, VolumeKey, VolumeLine, damage_lines
from packtrain.volume.loaded import NAMED, Loaded
from packtrain.volume.repair import StripeReader
from packtrain.volume.resume import check_tiling, is_complete, strangers_in_store, volumes_to_read_again
from packtrain.volume.unpack import Unpacking
from packtrain.volume.untar import TarReader

_PROGRESS_SECONDS: Final = 0.2
_TOLD: Final = 50


def load_shipment(
    plan: Plan,
    groups: Mapping[int, Group],
    shipment: Shipment | None,
    mounted: Sequence[Mounted],
    identity: str,
    store: Store,
    journal_path: Path,
    sink: Sink,
    *,
    stage: str = "load",
) -> Loaded:
    """Restore a shipment into a store; return what was done.

    Args:
        plan: the verified plan.
        groups: verified group documents by number (see `discover.check_group`).
        shipment: the verified shipment document, or None: then completeness is not claimed, only what was found.
        mounted: verified drives of this plan, in any order.
        identity: the shipment's age identity.
        store: where files go.
        journal_path: progress, a file of the voyage folder; a rerun goes on from it.
        sink: takes progress and notices.
        stage: the verb that events name.

    Raises:
        WrongKey: the identity is not the plan's recipient; nothing was written.
        DriveFull: the store is full; make room and call again.
        StoreInUse: the store holds other files under names of the cargo; none of them was touched.
        BeyondRepair: at the end: all that can be read was restored, the rest is listed by name beside the journal.
        HostileArchive: a volume with a valid digest breaks the format or contradicts the catalog.
        IntegrityError: documents contradict each other, or a file in a proven volume is not the catalog's.
    """
    if age.recipient_of(identity) != plan.recipient:
        raise WrongKey(
            "key does not open this shipment", expected=plan.recipient, found=age.recipient_of(identity),
            hint="the envelope holds the key of another shipment or attempt",
        )  # fmt: skip
    loading = _Loading(plan, groups, mounted, identity, store, journal_path, sink, stage)
    with as_the_consignor_signed_it():
        loaded = loading.run()
    if shipment is not None and not loaded.num_unreadable and loaded.files != shipment.num_files:
        raise IntegrityError(
            "shipment document counts other files than the catalogs",
            expected=str(shipment.num_files),
            found=str(loaded.files),
        )
    listing = journal_path.with_name("unreadable.txt")
    if loaded.num_unreadable:
        durable.write_bytes(listing, "".join(f"{name}\n" for name in loaded.unreadable).encode("utf-8"))
    else:
        listing.unlink(missing_ok=True)
    loaded.raise_if_incomplete(listing)
    return loaded


@dataclass(slots=True)
class _Open:
    """A group while it is read."""

    group: Group
    code: Code
    catalog: Catalog
    catalog_path: Path


@dataclass(slots=True)
class _Loading:
    plan: Plan
    groups: Mapping[int, Group]
    mounted: Sequence[Mounted]
    identity: str
    store: Store
    journal_path: Path
    sink: Sink
    stage: str
    journal: LoadJournal = field(init=False)
    staging: Staging = field(init=False)
    readers: Executor = field(init=False)
    workers: Executor = field(init=False)
    lost_damage: list[Damage] = field(default_factory=list[Damage])
    unreadable: dict[str, None] = field(default_factory=dict[str, None])
    num_beyond: int = 0
    num_unnamed: int = 0
    done_bytes: int = 0
    total_bytes: int = 0
    told_at: float = 0.0
    num_told: int = 0

    def run(self) -> Loaded:
        plan_digest = digest(self.plan)
        with store_faults(Path(self.store.location)):
            self.staging = Staging(self.store.staging_folder() / f"load-{plan_digest[:16]}")
            self.staging.root.mkdir(mode=0o700, exist_ok=True)
        self.journal = LoadJournal(self.journal_path, plan_digest, self.store.location)
        self.staging.clear()
        lost = [drive.label for drive in self.plan.drives if drive.uuid not in {m.record.uuid for m in self.mounted}]
        if lost:
            self._notice(f"{len(lost)} of {len(self.plan.drives)} drives are not here: {', '.join(lost)}")
        self.total_bytes = sum(v.bytes for g in self.groups.values() for v in g.volumes if v.column < g.k)
        widest = max((group.k for group in self.groups.values()), default=1)
        try:
            with ThreadPoolExecutor(widest) as self.readers, ThreadPoolExecutor(widest) as self.workers:
                for planned in self.plan.groups:
                    self._load_group(planned.group)
        except BaseException:
            # A load that was refused leaves nothing of the cargo in the clear but what the next run goes on from.
            with contextlib.suppress(OSError):
                self.staging.clear()
                if not any(self.staging.root.iterdir()):
                    self.staging.remove()
            raise
        self.sink(self._progress())
        if not self.unreadable and not self.num_unnamed:
            self.staging.remove()
        lines = self.journal.volumes.values()
        return Loaded(
            files=sum(line.files for line in lines),
            bytes=sum(line.bytes for line in lines),
            blocks_repaired=sum(line.blocks_repaired for line in lines),
            volumes_rebuilt=sum(line.rebuilt for line in lines),
            damage=(*(damage for line in lines for damage in line.damages()), *self.lost_damage),
            drives_lost=tuple(lost),
            unreadable=tuple(self.unreadable),
            num_unreadable=len(self.unreadable) + self.num_unnamed,
        )

    # --- a group ------------------------------------------------------------------------------------------------

    def _load_group(self, number: int) -> None:
        group = self.groups.get(number)
        if group is None:
            # Not even its document is here: nobody can say how many files, but it is not nothing.
            self.num_unnamed += 1
            self._notice(f"group {number} is lost: none of its drives is here, nor its document")
            return
        path = self.staging.catalog(number)
        is_whole, damage = decrypt_catalog(group, self.mounted, self.identity, path)
        self.lost_damage += damage
        if not is_whole:
            self.num_unnamed += group.num_files
            self._notice(f"group {number} is lost with {group.num_files} files: no drive holds its catalog whole")
            return
        with Catalog.open(path) as catalog:
            if catalog.num_files() != group.num_files:
                raise IntegrityError(
                    f"catalog of group {number} holds another number of files than its document",
                    expected=str(group.num_files),
                    found=str(catalog.num_files()),
                )
            opened = _Open(group, Code(group.k, group.m), catalog, path)
            if all(key[0] != number for key in self.journal.volumes):
                self._refuse_strangers(opened)
            self.journal.forget(volumes_to_read_again(self.journal.volumes, catalog, number, self.staging, self.store))
            n = group.k + group.m
            for stripe in range(group.num_stripes):
                volumes = group.volumes[stripe * n : stripe * n + n]
                wanted: list[int] = []
                for volume in volumes[: group.k]:
                    if (number, stripe, volume.column) in self.journal.volumes:
                        self.done_bytes += volume.bytes
                    elif volume.bytes:
                        wanted.append(volume.column)
                if wanted:
                    self._load_stripe(opened, stripe, wanted)
        path.unlink()

    def _refuse_strangers(self, opened: _Open) -> None:
        """Look, before the first file of a group comes into the store, whether it would take another's place."""
        strangers = [shown(entry.path) for entry in strangers_in_store(opened.catalog, self.store)]
        if not strangers:
            return
        more = f" and {len(strangers) - NAMED} more" if len(strangers) > NAMED else ""
        raise StoreInUse(
            f"the store holds other files under {len(strangers)} names of the cargo",
            where=self.store.location,
            expected="nothing under these names",
            found=", ".join(strangers[:NAMED]) + more,
            hint="move them away, or name another folder in [site] store; packtrain overwrites nothing that it did "
            "not load",
        )

    # --- a stripe -----------------------------------------------------------------------------------------------

    def _load_stripe(self, opened: _Open, stripe: int, wanted: Sequence[int]) -> None:
        group = opened.group
        n = group.k + group.m
        by_uuid = {item.record.uuid: item for item in self.mounted}
        labels = {drive.uuid: drive.label for drive in self.plan.drives}
        columns: list[Column] = []
        for volume in group.volumes[stripe * n : stripe * n + n]:
            item = by_uuid.get(volume.drive)
            columns.append(Column(volume, group.k, item.drive if item else None, labels[volume.drive]))
        reader = StripeReader(columns, opened.code, self.readers)
        try:
            unpackings = self._unpack(opened, stripe, reader, wanted)
            # Blocks were all good or made good, and the volume is another one: someone made bytes that fit a list.
            doubtful = [c for c, u in unpackings.items() if not u.is_whole and not u.is_given_up]
            if doubtful and _unmask(columns, opened.code.k):
                unpackings.update(self._unpack(opened, stripe, reader, doubtful))
            self._commit(opened, stripe, columns, reader, unpackings)
        finally:
            for column in columns:
                column.close()

    def _unpack(self, opened: _Open, stripe: int, reader: StripeReader, wanted: Sequence[int]) -> dict[int, Unpacking]:
        """Read the wanted volumes side by side, each unpacked by a thread of its own; return how each ended."""
        n = opened.group.k + opened.group.m
        unpackings = {
            column: Unpacking(opened.group.volumes[stripe * n + column], self._work(opened, stripe, column))
            for column in wanted
        }
        with store_faults(self.staging.root):
            for column in wanted:
                folder = self.staging.volume_folder(opened.group.group, stripe, column)
                shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir()
        try:
            futures = [self.workers.submit(unpacking.run) for unpacking in unpackings.values()]
            for row in reader.rows(wanted):
                for column, block in row.items():
                    if block is None:
                        unpackings[column].give_up()
                    else:
                        unpackings[column].put(block)
                        self.done_bytes += len(block)
                self._tell()
                if any(unpacking.has_failed for unpacking in unpackings.values()):
                    break
            for unpacking in unpackings.values():
                unpacking.end()
            for future in futures:
                future.result()
        except BaseException:
            # Ctrl-C, perhaps twice: nothing here may wait, and no thread may go on waiting for blocks.
            for unpacking in unpackings.values():
                unpacking.abandon()
            raise
        return unpackings

    def _work(self, opened: _Open, stripe: int, column: int) -> Callable[[Callable[[int], bytes]], None]:
        volume = opened.group.volumes[stripe * (opened.group.k + opened.group.m) + column]
        label = next(drive.label for drive in self.plan.drives if drive.uuid == volume.drive)
        where = f"drive {label}, {layout.volume_name(stripe, column, opened.group.k)}"

        def work(read: Callable[[int], bytes]) -> None:
            plain = age.DecryptReader(read, [self.identity], strict_single_x25519=True, where=where)
            # SQLite connections belong to one thread; opening the file again costs less than sharing one.
            with Catalog.open(opened.catalog_path) as catalog:
                tar = TarReader(plain.readinto, where)
                extract_volume(tar, catalog, self.staging, opened.group.group, stripe, column, where)

        return work

    def _commit(
        self,
        opened: _Open,
        stripe: int,
        columns: Sequence[Column],
        reader: StripeReader,
        unpackings: Mapping[int, Unpacking],
    ) -> None:
        """Move the files of proven volumes into the store and note them; list the files of the others."""
        number = opened.group.group
        proven = [c for c, u in sorted(unpackings.items()) if u.is_whole and u.fault is None]
        damage = {c.index: c.damage() for c in columns if c.lost is None or c.has_drive}
        if proven:
            durable.step("volumes staged")
            self.store.flush()
            done = {*self.journal.volumes, *((number, stripe, column) for column in proven)}
            published = [(column, *self._publish(opened, stripe, column, done)) for column in proven]
            self.store.flush()
            lines: list[VolumeLine] = []
            for column, files, total_bytes in published:
                is_rebuilt = columns[column].lost is not None
                found = damage.pop(column, [])
                if column == proven[-1]:
                    # Damage of volumes that are not noted themselves (parity) goes with the last that is.
                    found += [d for other, items in damage.items() if other not in unpackings for d in items]
                repaired = 0 if is_rebuilt else reader.rebuilt_blocks[column]
                lines.append(
                    VolumeLine(
                        group=number,
                        stripe=stripe,
                        column=column,
                        files=files,
                        bytes=total_bytes,
                        blocks_repaired=repaired,
                        rebuilt=is_rebuilt,
                        damage=damage_lines(found),
                    )
                )
                self._tell_damage(found)
            self.journal.add(lines)
        for column, unpacking in unpackings.items():
            shutil.rmtree(self.staging.volume_folder(number, stripe, column))
            if unpacking.is_whole and unpacking.fault is not None:
                raise unpacking.fault
            if not unpacking.is_whole:
                self._list_unreadable(opened, stripe, columns[column])

    def _publish(self, opened: _Open, stripe: int, column: int, done: Container[VolumeKey]) -> tuple[int, int]:
        """Move the staged files of one volume into the store; return how many entries and bytes became complete."""
        number = opened.group.group
        folder = self.staging.volume_folder(number, stripe, column)
        files = total_bytes = 0
        for index, (piece, entry) in enumerate(opened.catalog.members_in(stripe, column)):
            staged = folder / staged_name(index)
            if piece.count > 1:
                staged = self.staging.whole_file(number, entry.id)
                # Of several volumes that become proven together, the first publishes; the others find it done.
                if not staged.exists() or not is_complete(opened.catalog, number, entry.id, done):
                    continue
                check_tiling(opened.catalog, entry)
                finish_whole_file(staged, entry)
            self.store.publish(staged, entry.path)
            files += 1
            total_bytes += entry.bytes
        return files, total_bytes

    def _list_unreadable(self, opened: _Open, stripe: int, column: Column) -> None:
        names = [shown(entry.path) for _, entry in opened.catalog.members_in(stripe, column.index)]
        self.unreadable.update(dict.fromkeys(names))
        self.lost_damage += column.damage()
        self.num_beyond += 1
        # One lost case of a large shipment would print a line for each of its volumes; unreadable.txt has all names.
        if self.num_beyond <= NAMED:
            self._notice(
                f"{column.name} of drive {column.label} is beyond repair; it holds (parts of) {len(names)} files"
            )
        elif self.num_beyond == NAMED + 1:
            self._notice("more volumes are beyond repair; unreadable.txt will list all their files")

    # --- what is told -------------------------------------------------------------------------------------------

    def _tell(self) -> None:
        now = time.monotonic()
        if now - self.told_at >= _PROGRESS_SECONDS:
            self.told_at = now
            self.sink(self._progress())

    def _progress(self) -> Progress:
        return Progress(self.stage, "reading volumes", min(self.done_bytes, self.total_bytes), self.total_bytes)

    def _tell_damage(self, found: Sequence[Damage]) -> None:
        for item in found:
            self.num_told += 1
            if self.num_told <= _TOLD:
                self._notice(str(item))
            elif self.num_told == _TOLD + 1:
                self._notice("more damage was found; the receipt has the count")

    def _notice(self, text: str) -> None:
        self.sink(Notice(self.stage, text, is_warning=True))


def _unmask(columns: Sequence[Column], k: int) -> bool:
    """Find out who lies in a stripe whose blocks were good and whose volumes were not; return whether anyone does.

    Volumes with the SHA-256 of the group document are beyond doubt. Where k of them are there, all others are taken as
    lost. Where fewer are, only those are whose every block is good and whose SHA-256 is not: that is no accident.
    """
    doubtful = [column for column in columns if column.lost is None and not column.verify()]
    doubtful = [column for column in doubtful if column.lost is None]
    sure = sum(column.lost is None for column in columns) - len(doubtful)
    liars = [column for column in doubtful if sure >= k or not column.faults]
    for column in liars:
        column.distrust(DISTRUSTED if column.faults else ALTERED)
    return bool(liars)
