"""From verified drives to files in a store: in as many runs as it takes, with whatever drives are mounted.

A data volume is the unit that is proven: its files wait in the staging folder, and move into the store when the SHA-256
of the whole volume was the one of the signed group document; only then it is noted in the journal. Where k drives of a
group are mounted together, what is damaged or lost is rebuilt on the way. Where they are not, the rest is left open,
and the journal knows which drives to ask for.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
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
from packtrain.errors import IntegrityError, WrongKey
from packtrain.events import DriveNamed, Notice, Progress, Sink
from packtrain.ports import Drive, Store
from packtrain.volume.blocks import Damage
from packtrain.volume.catalog import Catalog
from packtrain.volume.catalog_source import CatalogKeeper
from packtrain.volume.discover import Mounted
from packtrain.volume.entry_list import keep_entry_list
from packtrain.volume.extract import as_the_consignor_signed_it
from packtrain.volume.group_copies import remember_groups
from packtrain.volume.group_pass import GroupPass, num_readers
from packtrain.volume.load_journal import FinishedLine, LoadJournal
from packtrain.volume.loaded import NAMED, PROGRESS_NAME, GroupState, Loaded, Wanted
from packtrain.volume.metadata import Metadata
from packtrain.volume.next_wave import group_state, next_drives, planned_drives
from packtrain.volume.publishing import OpenGroup, Publisher
from packtrain.volume.ranges import Ranges
from packtrain.volume.refused import raise_refused
from packtrain.volume.resume import Look, refuse_strangers
from packtrain.volume.salvaging import Salvaging
from packtrain.volume.scratch_pass import ScratchPass
from packtrain.volume.staging import GivenOutStaging, SharedStaging, Staging, store_faults
from packtrain.volume.syndromes import Scratch
from packtrain.volume.unpackers import Unpackers
from packtrain.volume.unpacking_process import Setup
from packtrain.volume.unplaced import finish_unplaced
from packtrain.volume.unreadable import UnreadableNames
from packtrain.volume.wanted import Knowledge

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
    lost: Collection[str] = (),
    no_more: bool = False,
    keep_owner: bool = False,
    verify_files: bool = False,
    scratch: Path | None = None,
    damage: Sequence[Damage] = (),
) -> Loaded:
    """Restore a shipment, or what the drives at hand give of it, into a store; return what was done.

    Args:
        plan: the verified plan.
        groups: verified group documents by number (see `discover.check_group`).
        shipment: the verified shipment document, or None: then completeness is not claimed, only what was found.
        mounted: verified drives of this plan, in any order.
        identity: the shipment's age identity.
        store: where files go.
        journal_path: progress, a file of the voyage folder; a rerun, and the next wave, go on from it.
        sink: takes progress and notices.
        stage: the verb that events name.
        lost: drives (UUIDs of the plan) that will not come; remembered until they are mounted after all.
        no_more: no drive will come that is neither mounted nor was read before.
        keep_owner: owner, set-id and sticky bits and capabilities are kept too; only root may.
        verify_files: hold every file against its SHA-256 in the catalog, not one in 16 (ADR 0013).
        scratch: a folder that keeps syndromes between waves, so that no drives have to be mounted together: m/k of the
            bytes of what is open.
        damage: what was found on the drives while they were verified.

    Raises:
        WrongKey: the identity is not the plan's recipient; nothing was written.
        DriveFull: the store is full; make room and call again.
        StoreInUse: the store holds other files under names of the cargo, or another process loads into it; nothing was
            touched.
        MoreDrivesWanted: at the end: what these drives give is restored, others are named that are wanted now.
        BeyondRepair: at the end: all that can be read was restored, the rest is listed by name beside the journal.
        HostileArchive, AgeFormatError, IntegrityError: at the end: a volume with a valid digest breaks the format or
            contradicts the catalog; the others are restored. Or documents contradict each other.
    """
    if age.recipient_of(identity) != plan.recipient:
        raise WrongKey(
            "key does not open this shipment", expected=plan.recipient, found=age.recipient_of(identity),
            hint="the envelope holds the key of another shipment or attempt",
        )  # fmt: skip
    metadata = Metadata(keep_owner=keep_owner)
    loading = Loading(
        plan, groups, mounted, identity, store, journal_path, sink, stage, metadata, list(damage), verify_files, scratch
    )
    with as_the_consignor_signed_it(), loading.opened():
        loading.note_drives(lost, no_more=no_more)
        loading.read([planned.group for planned in plan.groups])
        loaded = loading.finish()
    return loading.concluded(loaded, shipment)


@dataclass(slots=True)
class Loading:
    """One load of a shipment, or one host's share of it, or the end of one that hosts shared.

    Within `opened` it is read, finished, or both. See `load_shipment` for what it is of.

    Args:
        kept: folder of the group documents of earlier waves, where that is not the journal's.
    """

    plan: Plan
    groups: Mapping[int, Group]
    mounted: Sequence[Mounted]
    identity: str
    store: Store
    journal_path: Path
    sink: Sink
    stage: str
    metadata: Metadata
    damage: list[Damage]
    verify_files: bool
    scratch: Path | None
    kept: Path | None = None
    journal: LoadJournal = field(init=False)
    staging: Staging = field(init=False)
    publisher: Publisher = field(init=False)
    catalogs: CatalogKeeper = field(init=False)
    readers: Executor = field(init=False)
    workers: Executor = field(init=False)
    unpackers: Unpackers = field(init=False)
    unreadable: UnreadableNames = field(init=False)
    goes_on: bool = False  # from what earlier runs noted
    num_unnamed: int = 0
    done_bytes: int = 0
    total_bytes: int = 0
    told_at: float = 0.0
    num_told: int = 0

    @contextlib.contextmanager
    def opened(self, groups: Sequence[int] | None = None, *, gives_out: bool = False) -> Iterator[None]:
        """Hold the staging folder, read the journal, for the time of the context.

        Args:
            groups: of a share of the load that one host of several has; the process that gave it out holds the folder.
            gives_out: this is that process, and reads nothing itself.
        """
        plan_digest = digest(self.plan)
        with store_faults(Path(self.store.location)):
            root = self.store.staging_folder() / f"load-{plan_digest[:16]}"
            if groups is None:
                self.staging = GivenOutStaging(root) if gives_out else Staging(root)
            else:
                self.staging = SharedStaging(root, groups=tuple(groups))
        with self.staging.held() as held:
            setup = Setup(self.identity, self.staging, self.metadata.keep_owner, self.verify_files)
            self.unpackers = Unpackers(setup, self.metadata, held)
            self.unreadable = UnreadableNames(self.journal_path.with_name("unreadable.txt"))
            self.journal = LoadJournal(self.journal_path, plan_digest, self.store.location)
            self.goes_on = bool(self.journal.volumes)
            self.groups = remember_groups(self.kept or self.journal_path.parent, self.groups, self.journal)
            self.publisher = Publisher(self.staging, self.store, self.journal, self.metadata, self.verify_files)
            self.catalogs = CatalogKeeper(self.staging, self.journal, self.mounted, self.identity)
            self.staging.clear(with_catalogs=False)
            try:
                yield
            except BaseException:
                # A load that was refused leaves nothing of the cargo in the clear but what the next run goes on from.
                with contextlib.suppress(OSError):
                    self.staging.clear()
                    if not any(self.staging.root.iterdir()):
                        self.staging.remove()
                raise

    def read(self, numbers: Sequence[int]) -> None:
        """Restore what the mounted drives give of these groups."""
        self.tell_damage(self.damage)
        for item in self.mounted:
            self._name(item)
        groups = [self.groups[number] for number in numbers if number in self.groups]
        self.total_bytes = sum(v.bytes for g in groups for v in g.volumes if v.column < g.k)
        widest = max((group.k for group in groups), default=1)
        # The readers of a stripe wait for all its columns at once; there must be a thread for each.
        with (
            contextlib.closing(self.unpackers),
            ThreadPoolExecutor(widest) as self.readers,
            ThreadPoolExecutor(max(widest, num_readers(len(self.mounted)))) as self.workers,
        ):
            for number in numbers:
                self._load_group(number)
        self.sink(self._progress())

    def finish(self) -> Loaded:
        """Bring up to date what lies over all groups; return what was done, by this run and those before."""
        wanted: list[Wanted] = []
        states: list[GroupState] = []
        pending = self._finish_unplaced()
        for planned in self.plan.groups:
            state, wants = self._judge_group(planned.group)
            states += [state] if state is not None else []
            wanted += [wants] if wants is not None else []
        unproven = [state.group for state in states if state.stripes_proven < state.stripes]
        if not wanted and (unproven or pending or self.num_unnamed):
            with self.unreadable.writing():
                self._list_unreadable(unproven)
                for name in pending:
                    self.unreadable.add(name)
        if self.scratch is not None and not wanted:
            shutil.rmtree(self.scratch / f"packtrain-{digest(self.plan)[:16]}", ignore_errors=True)
        if not wanted:
            self.staging.clear()
            if not self.unreadable.count and not self.num_unnamed:
                self.staging.remove()
        return self._loaded(states, wanted)

    def concluded(self, loaded: Loaded, shipment: Shipment | None) -> Loaded:
        """Keep what `status` shows of a load; return it if it is whole.

        Raises:
            MoreDrivesWanted, BeyondRepair, HostileArchive, AgeFormatError, IntegrityError: see `load_shipment`.
        """
        payload = json.dumps(loaded.progress(), indent=1).encode("utf-8")
        durable.write_bytes(self.journal_path.with_name(PROGRESS_NAME), payload)
        is_whole = not loaded.num_unreadable and not loaded.wanted
        if shipment is not None and is_whole and loaded.files != shipment.num_files:
            if self.goes_on:
                # Two loads at once without locks, or a host that noted what it did not do, would leave such a journal.
                self.journal.forget(
                    [*self.journal.volumes, *self.journal.salvaged], {drive.uuid for drive in self.plan.drives}
                )
            raise IntegrityError(
                "shipment document counts other files than the catalogs",
                expected=str(shipment.num_files),
                found=str(loaded.files),
                hint="the notes of the runs before do not fit together and were dropped: run the same command again, "
                "and every volume is read once more"
                if self.goes_on
                else "no accident: the consignor signed documents that contradict each other; ask them",
            )
        listing = self.unreadable.path
        if loaded.wanted or not loaded.num_unreadable:
            listing.unlink(missing_ok=True)
        if self.journal.refused and not loaded.wanted:
            raise_refused(self.journal.refused.values(), loaded, listing)
        loaded.raise_if_incomplete(listing, self.scratch)
        return loaded

    def note_drives(self, lost: Collection[str], *, no_more: bool) -> None:
        """Note which drives are here, and which will not come."""
        here = {item.record.planned_uuid for item in self.mounted}
        awaited = [drive.uuid for drive in self.plan.drives if drive.uuid not in here]
        self.journal.mark(here, "awaited")
        if no_more:
            self.journal.mark((uuid for uuid in awaited if uuid not in self.journal.seen), "lost")
        self.journal.mark((uuid for uuid in awaited if uuid in lost), "lost")
        missing = [drive.label for drive in self.plan.drives if drive.uuid in awaited]
        if missing:
            self._notice(f"{len(missing)} of {len(self.plan.drives)} drives are not here: {', '.join(missing)}")

    def _loaded(self, states: Sequence[GroupState], wanted: Sequence[Wanted]) -> Loaded:
        lines = self.journal.volumes.values()
        salvaged = self.journal.salvaged.values()
        found = [damage for line in (*lines, *self.journal.damaged.values()) for damage in line.damages()]
        here = {item.record.planned_uuid for item in self.mounted} | self.journal.seen
        # Pass 1 comes first, for all groups: what it finds changes what pass 2 asks for.
        now = min((item.number for item in wanted), default=1)
        return Loaded(
            files=sum(line.files for line in lines)
            + sum(len(line.numbers()) for line in salvaged)
            + sum(self.journal.finished.values()),
            bytes=sum(line.bytes for line in (*lines, *salvaged)),
            blocks_repaired=sum(line.blocks_repaired for line in lines),
            volumes_rebuilt=sum(line.rebuilt for line in lines),
            damage=tuple(dict.fromkeys((*found, *self.damage))),
            drives_lost=tuple(drive.label for drive in self.plan.drives if drive.uuid not in here),
            unreadable=tuple(self.unreadable.first),
            num_unreadable=self.unreadable.count + self.num_unnamed,
            files_salvaged=sum(len(line.numbers()) for line in salvaged),
            not_set=self.metadata.refused(),
            groups=tuple(states),
            wanted=tuple(item for item in wanted if item.number == now),
        )

    # --- a group ------------------------------------------------------------------------------------------------

    def _load_group(self, number: int) -> None:
        group = self.groups.get(number)
        drives = {item.record.planned_uuid: item.drive for item in self.mounted if item.record.group == number}
        if group is None or not drives:
            return
        damage = self.catalogs.get(group)
        self.damage += damage
        self.tell_damage(damage)
        if not self.catalogs.has(group):
            return
        with Catalog.open(self.staging.catalog(number)) as catalog:
            if catalog.num_files() != group.num_files:
                raise IntegrityError(
                    f"catalog of group {number} holds another number of files than its document",
                    expected=str(group.num_files),
                    found=str(catalog.num_files()),
                )
            opened = OpenGroup(group, Code(group.k, group.m), catalog)
            if all(key[0] != number for key in self.journal.volumes):
                refuse_strangers(catalog, self.store)
            earlier = [key for key in self.journal.volumes if key[0] == number]
            # Where no drive is wanted that could be mounted, this is the last run, or one after it.
            is_last = self._wants_nothing(group, mounted=())
            look = Look(self.journal, group, catalog, self.staging, self.store)
            look.forget_what_is_gone(earlier, every_entry=is_last)
            open_bytes = sum(volume.bytes for volume in self._knowledge(group).open())
            self.done_bytes += sum(v.bytes for v in group.volumes if v.column < group.k) - open_bytes
            self._read_group(opened, drives)
            if not is_last and self._wants_nothing(group, mounted=drives):
                earlier = [key for key in earlier if key in self.journal.volumes]
                if look.forget_what_is_gone(earlier, every_entry=True):
                    self._read_group(opened, drives)

    def _read_group(self, opened: OpenGroup, drives: Mapping[str, Drive]) -> None:
        """Restore what the mounted drives of a group give."""
        group = opened.group
        knowledge = self._knowledge(group)
        reading = GroupPass(
            self.plan, opened, drives, self.identity, self.staging, self.journal, self.publisher,
            self.readers, self.workers, self.unpackers, self._tell, self.tell_damage,
        )  # fmt: skip
        with contextlib.closing(reading):
            scratch = self._scratch(group)
            scratch_pass = ScratchPass(reading, scratch) if scratch is not None else None
            reading.run(knowledge, scratch_pass.left_to_scratch(knowledge) if scratch_pass is not None else ())
            if scratch_pass is not None:
                scratch_pass.run(self._knowledge(group))
        salvaging = Salvaging(self.plan, opened, drives, self.identity, self.publisher, self.readers)
        with self.staging.one_at_a_time():
            salvaging.run(self._knowledge(group))
        self.journal.mark(drives, "seen")

    def _wants_nothing(self, group: Group, mounted: Collection[str]) -> bool:
        return next_drives(self._knowledge(group), self.plan, mounted, self._scratch(group)) is None

    def _finish_unplaced(self) -> tuple[bytes, ...]:
        """Bring up to date what the catalogs alone carry; return the links whose file is not there."""
        with contextlib.ExitStack() as held:
            here: dict[int, Catalog] = {}
            for number, group in sorted(self.groups.items()):
                if self.catalogs.has(group):
                    here[number] = held.enter_context(Catalog.open(self.staging.catalog(number)))
            if not here:
                return ()
            for number, catalog in here.items():
                group = self.groups[number]
                if self._knowledge(group).num_proven() == group.num_stripes:
                    keep_entry_list(self.journal_path.parent, group, catalog)
            finished = finish_unplaced(list(here.values()), self.store, self.metadata)
            self.store.flush()
            self.journal.add([FinishedLine(number, files) for number, files in zip(here, finished.files, strict=True)])
            return finished.pending

    # --- what is known, and what is wanted ----------------------------------------------------------------------

    def _knowledge(self, group: Group) -> Knowledge:
        number = group.group
        return Knowledge(
            group,
            done={key[1:] for key in self.journal.volumes if key[0] == number},
            refused={key[1:] for key in self.journal.refused if key[0] == number},
            salvaged={key[1:] for key in self.journal.salvaged if key[0] == number},
            bad={key[1:]: line.bad_blocks() for key, line in self.journal.damaged.items() if key[0] == number},
            seen=self.journal.seen,
            lost=self.journal.lost,
        )

    def _judge_group(self, number: int) -> tuple[GroupState | None, Wanted | None]:
        """Return what is known of a group now, and which drives would help; count what is lost with its names."""
        group = self.groups.get(number)
        planned = next(item for item in self.plan.groups if item.group == number)
        if group is None or not self._has_or_needs_no_catalog(group):
            left = [uuid for uuid in planned.drives if uuid not in self.journal.lost | self.journal.without_catalog]
            left = [uuid for uuid in left if uuid not in {item.record.planned_uuid for item in self.mounted}]
            if left:
                return None, Wanted(1, planned_drives(self.plan, left))
            if group is None:
                # Not even its document is here: nobody can say how many files, but it is not nothing.
                self.num_unnamed += 1
                self._notice(f"group {number} is lost: none of its drives is here, nor its document")
            else:
                self.num_unnamed += group.num_files
                self._notice(f"group {number} is lost with {group.num_files} files: no drive holds its catalog whole")
            return None, None
        knowledge = self._knowledge(group)
        mounted = {item.record.planned_uuid for item in self.mounted}
        return group_state(knowledge), next_drives(knowledge, self.plan, mounted, self._scratch(group))

    def _has_or_needs_no_catalog(self, group: Group) -> bool:
        return self.catalogs.has(group) or (group.group in self.journal.finished and not self._knowledge(group).open())

    def _scratch(self, group: Group) -> Scratch | None:
        if self.scratch is None:
            return None
        folder = self.scratch / f"packtrain-{digest(self.plan)[:16]}"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return Scratch(folder, group)

    def _list_unreadable(self, groups: Sequence[int]) -> None:
        """Name the files of volumes that no drive gives back any more."""
        num_volumes = 0
        for number in groups:
            group = self.groups[number]
            knowledge = self._knowledge(group)
            # A cut file is lost with each of its volumes, and listed once.
            cut: set[int] = set()
            with Catalog.open(self.staging.catalog(number)) as catalog:
                refused = [knowledge.stripe(stripe)[column] for stripe, column in sorted(knowledge.refused)]
                for volume in (*knowledge.open(), *refused):
                    line = self.journal.salvaged.get((number, volume.stripe, volume.column))
                    got = line.numbers() if line is not None else Ranges()
                    num_lost = 0
                    for piece, entry in catalog.members_in(volume.stripe, volume.column):
                        if entry.id in got:
                            continue
                        num_lost += 1
                        if entry.id not in cut:
                            self.unreadable.add(entry.path)
                        if piece.count > 1:
                            cut.add(entry.id)
                    num_volumes += 1
                    # One lost case would print a line for each of its volumes; unreadable.txt has all names.
                    if num_volumes <= NAMED:
                        self._notice(
                            f"stripe {volume.stripe}, column {volume.column} of group {number} is beyond repair; "
                            f"{num_lost} of its files are lost"
                        )
        if num_volumes > NAMED:
            self._notice(f"{num_volumes - NAMED} more volumes are beyond repair; unreadable.txt lists all their files")

    def _name(self, item: Mounted) -> None:
        """Say which drive it is, and which of its data volumes earlier runs have proven."""
        record, group = item.record, self.groups.get(item.record.group)
        mine = [v for v in group.volumes if v.drive == record.planned_uuid and v.column < group.k] if group else []
        done_bytes = sum(v.bytes for v in mine if (record.group, v.stripe, v.column) in self.journal.volumes)
        self.sink(DriveNamed(item.drive.location, record.label, sum(v.bytes for v in mine), done_bytes))

    # --- what is told -------------------------------------------------------------------------------------------

    def _tell(self, more_bytes: int) -> None:
        self.done_bytes += more_bytes
        now = time.monotonic()
        if now - self.told_at >= _PROGRESS_SECONDS:
            self.told_at = now
            self.sink(self._progress())

    def _progress(self) -> Progress:
        return Progress(self.stage, "reading volumes", min(self.done_bytes, self.total_bytes), self.total_bytes)

    def tell_damage(self, found: Sequence[Damage]) -> None:
        """Tell of damage, up to a bound."""
        for item in found:
            self.num_told += 1
            if self.num_told <= _TOLD:
                self._notice(str(item))
            elif self.num_told == _TOLD + 1:
                self._notice("more damage was found; the receipt has the count")

    def _notice(self, text: str) -> None:
        self.sink(Notice(self.stage, text, is_warning=True))
