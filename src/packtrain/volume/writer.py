"""write_shipment: from a signed plan and a list of files to closed drives.

The way: list the cargo and decide what goes where; look at the drives that are here; make those of every group that is
here whole ready, write the group stripe by stripe, close its drives; after the last group sign shipment.json. Groups
whose drives are not all here wait for another call. Every step can be killed: called again with the same plan it goes
on, and called again when all is done it checks the closing records and returns the same.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from packtrain.digest import sha256_bytes
from packtrain.documents.codec import encode
from packtrain.documents.plan import Plan, PlannedGroup
from packtrain.errors import BeyondRepair, DriveMissing, SourceChanged
from packtrain.events import DriveNamed, Notice, Progress, Sink
from packtrain.ports import Drive, Signer
from packtrain.volume import layout
from packtrain.volume.cargo import CargoEntry
from packtrain.volume.closing import ExtraFiles, GroupCloser, SignedGroup, forget_signed_group, signed_group
from packtrain.volume.formatting import (
    DriveFound,
    inspect_drive,
    prepare_drive,
    refuse_duplicates,
    refuse_lost_journal,
)
from packtrain.volume.journal import Journal
from packtrain.volume.meter import ItemMeter, Meter
from packtrain.volume.packing_list import check_room, refuse_unmounted, volume_sizes, write_list
from packtrain.volume.places import places_of, whose_place
from packtrain.volume.rebuild import Rebuilder
from packtrain.volume.signing import ShipmentWritten, sign_shipment
from packtrain.volume.stripes import StripeWriter

_LISTED: Final = 20


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a group that is not closed waits for; places by their UUID in the plan.

    Attributes:
        places: drives that must be here.
        sources, num_sources: so many of these beside them, to rebuild a drive from; 0 where none is needed.
    """

    group: int
    places: tuple[str, ...]
    sources: tuple[str, ...] = ()
    num_sources: int = 0


@dataclass(frozen=True, slots=True)
class GroupsWritten:
    """How far the groups are.

    Attributes:
        closed: documents of the groups that are closed on all their drives, by number.
        closed_now: places whose drives this call closed.
        wanted: what the others wait for.
    """

    closed: Mapping[int, SignedGroup]
    closed_now: tuple[str, ...]
    wanted: tuple[Wanted, ...]


def write_shipment(
    plan: Plan,
    plan_files: tuple[bytes, bytes],
    cargo: Iterable[CargoEntry],
    drives: Mapping[str, Drive],
    signer: Signer,
    journal_folder: Path,
    extra_files: Mapping[str, ExtraFiles],
    sink: Sink,
    *,
    stage: str = "pack",
) -> ShipmentWritten:
    """Write the cargo on the drives, close them all, and sign shipment.json.

    Args and errors: see `ShipmentWriter`.

    Raises:
        DriveMissing: drives are missing; the groups whose drives are all here are written and closed.
    """
    with Journal(journal_folder) as journal:
        writer = ShipmentWriter(plan, plan_files, drives, signer, journal, extra_files, sink, stage=stage)
        written = writer.write_groups(cargo)
        if written.wanted:
            raise missing_drives(plan, [uuid for wanted in written.wanted for uuid in wanted.places])
        return writer.sign_shipment(written.closed)


def missing_drives(plan: Plan, uuids: Sequence[str]) -> DriveMissing:
    """Return the error that names drives by the UUIDs of their places."""
    labels = [planned.label for planned in plan.drives if planned.uuid in set(uuids)]
    more = f" and {len(labels) - _LISTED} more" if len(labels) > _LISTED else ""
    return DriveMissing(
        f"{len(labels)} of {len(plan.drives)} drives are not mounted",
        found="missing " + ", ".join(labels[:_LISTED]) + more,
        hint="mount them and run the same command again",
    )


class ShipmentWriter:
    """Writes the groups of a shipment as their drives come, and signs it after the last.

    Args:
        plan: the signed plan.
        plan_files: plan.json's bytes and its signature.
        drives: those drives that are here, by the UUID of their place in the plan.
        signer: the consignor's.
        journal: of this attempt alone, on this machine; holds names in the clear.
        extra_files: for each place, further files by name ("packtrain/ready.json", "packtrain/kit/...").
        sink: gets the progress.
        stage: the verb that events name.
        capacity_bytes: for each place, what fits on a drive that is not here.
        on_prepared, on_closed: called with the number of a group when all its drives are formatted (or found so), and
            when all are closed.

    Raises:
        DuplicateDrive, ForeignDrive, SupersededDrive: before anything is written.
        DriveInUse: the same, where a drive is closed and this journal does not know it.
    """

    def __init__(
        self,
        plan: Plan,
        plan_files: tuple[bytes, bytes],
        drives: Mapping[str, Drive],
        signer: Signer,
        journal: Journal,
        extra_files: Mapping[str, ExtraFiles],
        sink: Sink,
        *,
        stage: str = "pack",
        capacity_bytes: Mapping[str, int] | None = None,
        on_prepared: Callable[[int], None] | None = None,
        on_closed: Callable[[int], None] | None = None,
    ) -> None:
        assert encode(plan) == plan_files[0], "the plan and its bytes differ"
        plan_digest = sha256_bytes(plan_files[0])
        assert journal.keep_fact("plan", plan_digest) == plan_digest, "the journal is another attempt's"
        self._plan = plan
        self._plan_files = plan_files
        self._signer = signer
        self._journal = journal
        self._extra_files = extra_files
        self._sink = sink
        self._stage = stage
        self._capacity_bytes = capacity_bytes or {}
        self._on_prepared = on_prepared
        self._on_closed = on_closed
        self._places = places_of(plan, journal)
        self._drives: dict[str, Drive] = {}
        self._found: dict[str, DriveFound] = {}
        self._closed_now: list[str] = []
        self._drive_bytes: dict[int, list[int]] = {}
        self._signed_groups: dict[int, SignedGroup | None] = {}
        refuse_duplicates(drives)
        for place_uuid in self._places:
            if place_uuid in drives:
                self._look_at(place_uuid, drives[place_uuid])

    def _look_at(self, place_uuid: str, drive: Drive) -> None:
        place = self._places[place_uuid]
        found = inspect_drive(drive, self._plan, self._plan_files[0], self._signer)
        whose_place(drive, found.uuid, self._places, expected=place)
        refuse_lost_journal(drive, found, place.uuid, self._journal)
        if found.state != "same attempt" and self._journal.drive_fact(place.uuid, "record") is not None:
            # Its place is a mount point without its drive, or another drive: nothing is to be written there.
            text = (
                f"{drive.location}: empty; drive {place.label} was closed and taken out. If it failed: "
                f"packtrain pack --replace {place.label}=PATH"
            )
            self._sink(Notice(self._stage, text, is_warning=True))
            return
        self._drives[place_uuid] = drive
        self._found[place_uuid] = found

    # --- the groups ---------------------------------------------------------------------------------------------

    def write_groups(self, cargo: Iterable[CargoEntry]) -> GroupsWritten:
        """Write and close every group that can be, and return how far all of them are.

        Args:
            cargo: what is carried, the same list in the same order as the plan's digest was made of. Read once at most.

        Raises:
            NothingToCarry: the cargo is empty.
            DriveMissing: the cargo is not listed yet, and the capacity of a missing drive is not known.
            DriveFull: before anything is written where it can be known, else when a drive is full.
            DriveFailed: a drive cannot be read or written, or returned other bytes than were written.
            SourceUnreadable: a source cannot be listed or read.
            SourceChanged: sources changed since they were listed; their group is written and not closed.
        """
        if not self._journal.has_list():
            write_list(self._plan, cargo, self._room(), self._journal, self._tell_listed)
        whole = [group for group in self._plan.groups if self._is_open(group) and self._is_here(group)]
        replaced = [group for group in self._plan.groups if not self._is_open(group) and self._has_open_here(group)]
        self._check_room(whole, replaced)
        for group in (*whole, *replaced):
            self._prepare(group)
        meter = self._meter(whole)
        for group in self._plan.groups:
            if group in whole:
                self._write(group, meter)
                self._close(group)
            elif not self._is_open(group):
                self._finish(group)
        wanted = tuple(found for group in self._plan.groups if (found := self._wanted(group)) is not None)
        waiting = {item.group for item in wanted}
        closed = {
            group.group: signed
            for group in self._plan.groups
            if group.group not in waiting and (signed := self._signed(group)) is not None
        }
        return GroupsWritten(closed, tuple(self._closed_now), wanted)

    def _tell_listed(self, num_entries: int) -> None:
        self._sink(Progress(self._stage, "listing what is carried", done_items=num_entries, unit="entries"))

    def sign_shipment(self, groups: Mapping[int, SignedGroup]) -> ShipmentWritten:
        """Sign shipment.json, once all groups are closed, and write it on all drives that are here."""
        plan_payload = self._plan_files[0]
        here = self._drives.values()
        return sign_shipment(self._plan, plan_payload, groups, self._places, here, self._signer, self._journal)

    def labels_away(self) -> list[str]:
        """Return the labels of drives that are not here: what was written last is not on them."""
        return [place.label for uuid, place in self._places.items() if uuid not in self._drives]

    def _signed(self, group: PlannedGroup) -> SignedGroup | None:
        # Of 80 TB, a group document is some megabytes; it is asked for often.
        if group.group not in self._signed_groups:
            self._signed_groups[group.group] = signed_group(self._journal, group.group)
        return self._signed_groups[group.group]

    def _is_open(self, group: PlannedGroup) -> bool:
        return self._signed(group) is None

    def _is_here(self, group: PlannedGroup) -> bool:
        return all(uuid in self._drives for uuid in group.drives)

    def _has_open_here(self, group: PlannedGroup) -> bool:
        return any(uuid in self._drives for uuid in self._open_drives(group))

    def _open_drives(self, group: PlannedGroup) -> list[str]:
        signed = self._signed(group)
        return list(group.drives) if signed is None else self._closer(group).open_drives(signed)

    def _closer(self, group: PlannedGroup, on_volume: Callable[[], None] | None = None) -> GroupCloser:
        here = {uuid: self._drives[uuid] for uuid in group.drives if uuid in self._drives}
        return GroupCloser(
            self._plan,
            self._plan_files,
            group,
            here,
            self._places,
            self._signer,
            self._journal,
            self._extra_files,
            on_volume or (lambda: None),
        )

    def _room(self) -> dict[str, int]:
        """Return what fits on each drive: free space of those that are here, and what was planned for the others.

        A drive that takes its turn counts for no more than was planned, or the first wave would get more than its part.
        """
        room_bytes = {uuid: drive.free_bytes() + self._found[uuid].held_bytes for uuid, drive in self._drives.items()}
        unknown = [uuid for uuid in self._places if uuid not in room_bytes and uuid not in self._capacity_bytes]
        if unknown:
            raise missing_drives(self._plan, unknown)
        for uuid in room_bytes:
            if self._places[uuid].planned.serial is None and uuid in self._capacity_bytes:
                room_bytes[uuid] = min(room_bytes[uuid], self._capacity_bytes[uuid])
        return {**self._capacity_bytes, **room_bytes}

    def _check_room(self, whole: Sequence[PlannedGroup], replaced: Sequence[PlannedGroup]) -> None:
        """Hold the drives that are to be written against the packing list, once for each group and new drive."""
        fresh = [group for group in whole if self._journal.fact(f"room checked {group.group}") is None]
        asked = {uuid for group in fresh for uuid in group.drives}
        asked |= {
            uuid
            for group in (*whole, *replaced)
            for uuid in group.drives
            if uuid in self._drives and self._places[uuid].replaces and self._found[uuid].state != "same attempt"
        }
        drives = {uuid: drive for uuid, drive in self._drives.items() if uuid in asked}
        unseen = {uuid for uuid, place in self._places.items() if place.planned.serial is None}
        planned_bytes = {uuid: size for uuid, size in self._capacity_bytes.items() if uuid in unseen}
        refuse_unmounted(self._plan, drives, self._found, planned_bytes)
        check_room(self._plan, drives, self._found, self._extra_files, self._journal)
        for group in fresh:
            self._journal.keep_fact(f"room checked {group.group}", "1")

    def _prepare(self, group: PlannedGroup) -> None:
        for place_uuid in self._open_drives(group):
            drive = self._drives.get(place_uuid)
            if drive is None:
                continue
            found, place = self._found[place_uuid], self._places[place_uuid]
            if found.state == "earlier attempt":
                text = (
                    f"{drive.location}: superseded, of attempt {found.attempt} of this shipment; cleared, and now "
                    f"drive {place.label}"
                )
                self._sink(Notice(self._stage, text))
            prepare_drive(drive, found, self._plan, self._plan_files, place.uuid, self._signer, self._journal)
        if self._on_prepared is not None:
            self._on_prepared(group.group)

    def _write(self, group: PlannedGroup, meter: Meter) -> None:
        """Write the stripes that are not finished; what a replaced drive lacks of the others is rebuilt."""
        replaced = [uuid for uuid in group.drives if self._places[uuid].replaces]
        if replaced:
            # Where that fails, the stripes are not finished, and are written again from the sources.
            with contextlib.suppress(BeyondRepair):
                self._rebuild(group, replaced)
        members = [self._drives[uuid] for uuid in group.drives]
        recipient = self._plan.recipient
        with StripeWriter(
            group.group, group.k, group.m, members, recipient, self._journal, meter.add_bytes, meter.add_read_back
        ) as writer:
            before = [0] * len(members)
            for stripe in range(self._journal.num_stripes(group.group)):
                if writer.is_finished(stripe):
                    self._count(group, stripe, before)
                else:
                    if any(before):
                        self._name(group, before)
                        before = [0] * len(members)
                    self._journal.forget_stripe(group.group, stripe)
                    writer.write(stripe)
                meter.end_stripe(sum(volume_sizes(group, stripe, self._journal).values()))
        _refuse_changed(self._journal)

    def _finish(self, group: PlannedGroup) -> None:
        """Make good what drives of a signed group lack (a replaced one lacks all), and close those that are not."""
        here = [uuid for uuid in group.drives if uuid in self._drives]
        if not here:
            return
        try:
            is_whole = self._rebuild(group, here)
        except BeyondRepair:
            if not self._is_here(group):
                raise
            # All its drives are here, and too little is on them: as on the first day.
            forget_signed_group(self._journal, group.group)
            self._signed_groups.clear()
            self._prepare(group)
            self._write(group, self._meter([group]))
            is_whole = True
        if is_whole:
            self._close(group)

    def _rebuild(self, group: PlannedGroup, place_uuids: Sequence[str]) -> bool:
        """Rebuild what these drives lack; return False, with nothing done, where too few others are here for that."""
        with Rebuilder(group, self._drives, self._places, self._journal, self._sink, self._stage) as rebuilder:
            for place_uuid in place_uuids:
                lacking = rebuilder.lacking(place_uuid)
                if lacking and self._num_others(group, place_uuid) < group.k:
                    return False
                if lacking:
                    rebuilder.rebuild(place_uuid, lacking)
        return True

    def _num_others(self, group: PlannedGroup, place_uuid: str) -> int:
        return sum(uuid in self._drives for uuid in group.drives if uuid != place_uuid)

    def _close(self, group: PlannedGroup) -> None:
        before = self._open_drives(group)
        closed = ItemMeter(self._sink, self._stage, "closing drives", self._num_volumes_here(group), "volumes")
        self._signed_groups[group.group] = signed = self._closer(group, closed.add).close()
        left = self._closer(group).open_drives(signed)
        self._closed_now += [uuid for uuid in before if uuid not in left]
        if not left and self._on_closed is not None:
            self._on_closed(group.group)

    def _num_volumes_here(self, group: PlannedGroup) -> int:
        here = [uuid in self._drives for uuid in group.drives]
        return sum(
            here[layout.drive_of(stripe, column, group.k + group.m)]
            for stripe in range(self._journal.num_stripes(group.group))
            for column in volume_sizes(group, stripe, self._journal)
        )

    def _wanted(self, group: PlannedGroup) -> Wanted | None:
        """Return what a group waits for, or None where all its drives are closed."""
        missing = [uuid for uuid in self._open_drives(group) if uuid not in self._drives]
        if self._is_open(group):
            return Wanted(group.group, tuple(missing))
        unfinished = [uuid for uuid in self._open_drives(group) if uuid in self._drives]
        if not missing and not unfinished:
            return None
        # A drive that is here and not closed lacks volumes, and one that is to come after it may too.
        is_to_rebuild = any(self._places[uuid].replaces for uuid in (*missing, *unfinished))
        sources = tuple(uuid for uuid in group.drives if uuid not in {*self._drives, *missing})
        lacking = group.k - sum(uuid in self._drives for uuid in group.drives if uuid not in unfinished)
        return Wanted(group.group, tuple(missing), sources, max(0, lacking) if is_to_rebuild else 0)

    def _count(self, group: PlannedGroup, stripe: int, of_drives: list[int]) -> None:
        """Add the volumes of a stripe to the bytes of the drives that hold them."""
        for column, size in volume_sizes(group, stripe, self._journal).items():
            of_drives[layout.drive_of(stripe, column, len(of_drives))] += size

    def _name(self, group: PlannedGroup, done_bytes: Sequence[int]) -> None:
        """Tell which drives these are, what goes on each, and what of it earlier runs wrote."""
        for uuid, total, done in zip(group.drives, self._drive_bytes[group.group], done_bytes, strict=True):
            label = self._places[uuid].label
            self._sink(DriveNamed(self._drives[uuid].location, label, total, done, num_passes=2))

    def _meter(self, groups: Sequence[PlannedGroup]) -> Meter:
        total_bytes = num_stripes = 0
        for group in groups:
            of_drives = [0] * (group.k + group.m)
            for stripe in range(self._journal.num_stripes(group.group)):
                num_stripes += 1
                self._count(group, stripe, of_drives)
            total_bytes += sum(of_drives)
            self._drive_bytes[group.group] = of_drives
            self._name(group, [0] * len(of_drives))
        return Meter(self._sink, self._stage, total_bytes, num_stripes)


def _refuse_changed(journal: Journal) -> None:
    total, first = journal.changed_files(_LISTED)
    if total:
        named = "; ".join(f"{path.decode('utf-8', 'backslashreplace')}: {how}" for path, how in first)
        raise SourceChanged(
            f"{total} sources changed while they were packed: {named}" + ("; ..." if total > len(first) else ""),
            hint="let them rest, or pack a snapshot; what a stage wrote and is damaged now, remove, and run that stage "
            "again; the next run packs anew, as another attempt",
        )
