"""Which drive in which place: drives with a path of their own, and those that take their turn in a bay.

A drive that was begun or closed is known by the plan and the custody log on it, in whatever bay it is. An empty one
gets the next label of the first group that can be made whole; nothing is written before its group is.
"""

from __future__ import annotations

import shlex
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from packtrain.documents.plan import Plan, PlannedGroup
from packtrain.errors import DuplicateDrive, ForeignDrive
from packtrain.ports import Drive, Signer
from packtrain.volume.closing import signed_group
from packtrain.volume.formatting import DriveFound, inspect_drive, refuse_duplicates
from packtrain.volume.journal import Journal
from packtrain.volume.places import Place, is_made_ready, known_uuid, places_of, where, whose_place


@dataclass(frozen=True, slots=True)
class Seating:
    """The drives that are here.

    Attributes:
        drives: by the UUID of their place in the plan.
        spare: empty drives in bays for which no label is free now.
        ignored: drives at the path of a place in which another stands by now.
    """

    drives: Mapping[str, Drive]
    spare: tuple[Drive, ...]
    ignored: tuple[Drive, ...]


def seat(
    plan: Plan,
    plan_payload: bytes,
    named: Mapping[str, Drive],
    bays: Sequence[Drive],
    substitutes: Mapping[str, Drive],
    with_path: Collection[str],
    signer: Signer,
    journal: Journal,
) -> Seating:
    """Return who is here.

    Args:
        plan, plan_payload: the signed plan and its bytes.
        named: drives at the path of their place, by its UUID in the plan; those that are not mounted are absent.
        bays: what is in the bays, in their order.
        substitutes: drives that came for failed ones, where they were mounted then, by the UUID of the place.
        with_path: places whose drives have a path of their own, mounted or not: no empty drive in a bay is one.
        signer: an earlier attempt counts as ours only under this key.
        journal: of this attempt.

    Raises:
        DuplicateDrive: a folder is given twice, or two drives carry the same UUID.
        ForeignDrive: a drive in a bay holds other files, another shipment, or does not say which of this it is.
        SupersededDrive: a drive in a bay failed before and was replaced.
    """
    in_bays = {where(drive) for drive in bays}
    refuse_duplicates({where(drive): drive for drive in (*named.values(), *bays)})
    places = places_of(plan, journal)
    table = _Table(plan, plan_payload, signer, places, journal)
    for place_uuid, drive in named.items():
        # Where a drive was replaced, the path may still show the failed one; only its successor counts.
        if places[place_uuid].replaces and table.uuid_on(drive) != places[place_uuid].uuid:
            table.ignored.append(drive)
        else:
            table.take(place_uuid, drive)
    for place_uuid, drive in substitutes.items():
        if where(drive) not in in_bays and place_uuid not in table.drives and table.is_substitute(place_uuid, drive):
            table.take(place_uuid, drive)
    empty: list[Drive] = []
    for drive in bays:
        found = table.look_at(drive)
        place = whose_place(drive, table.uuid_of(found), places)
        if place is not None:
            table.take(place.planned.uuid, drive)
        elif found.state == "same attempt":
            raise ForeignDrive(
                "drive carries this shipment's plan and does not say which of its drives it is",
                where=drive.location,
                hint="its custody log is gone: empty the drive yourself to use it again",
            )
        elif (substitute := table.awaited(drive)) is not None:
            table.take(substitute, drive)
        else:
            empty.append(drive)
    spare = table.deal(empty, with_path)
    return Seating(table.drives, tuple(spare), tuple(table.ignored))


class _Table:
    """The places while they are being filled."""

    def __init__(
        self, plan: Plan, plan_payload: bytes, signer: Signer, places: Mapping[str, Place], journal: Journal
    ) -> None:
        self._plan = plan
        self._plan_payload = plan_payload
        self._signer = signer
        self._places = places
        self._journal = journal
        self.drives: dict[str, Drive] = {}
        self.ignored: list[Drive] = []

    def look_at(self, drive: Drive) -> DriveFound:
        return inspect_drive(drive, self._plan, self._plan_payload, self._signer)

    def uuid_of(self, found: DriveFound) -> str | None:
        return known_uuid(found.uuid, found.begun, self._places, self._journal)

    def uuid_on(self, drive: Drive) -> str | None:
        try:
            return self.uuid_of(self.look_at(drive))
        except ForeignDrive:
            return None

    def take(self, place_uuid: str, drive: Drive) -> None:
        other = self.drives.get(place_uuid)
        if other is not None and where(other) != where(drive):
            raise DuplicateDrive(
                f"two drives carry the UUID of drive {self._places[place_uuid].label}",
                where=drive.location,
                found=f"also at {other.location}",
                hint="one is a copy, or was taken out when packing was killed; if both are yours, the one with less on "
                f'it may go: "packtrain drives clear {shlex.quote(_emptier(drive, other).location)}"',
            )
        self.drives[place_uuid] = drive

    def is_substitute(self, place_uuid: str, drive: Drive) -> bool:
        """Return whether a drive is the one that came for a failed one: by its UUID, or empty before it has it."""
        place = self._places[place_uuid]
        found = self.uuid_on(drive)
        return found == place.uuid or (found is None and not is_made_ready(place.uuid, self._journal))

    def awaited(self, drive: Drive) -> str | None:
        """Return the place for which an empty drive was named as a replacement that has not been begun."""
        for place_uuid, place in self._places.items():
            if place.replaces and place.location == where(drive) and place_uuid not in self.drives:
                return None if is_made_ready(place.uuid, self._journal) else place_uuid
        return None

    def deal(self, empty: Sequence[Drive], with_path: Collection[str]) -> list[Drive]:
        """Give empty drives the labels of groups that they make whole, in order; return those that are left."""
        left = list(empty)
        for group in self._plan.groups:
            missing = self._missing(group)
            fresh = [uuid for uuid in missing if self._is_fresh(uuid, with_path)]
            if signed_group(self._journal, group.group) is not None:
                missing = [uuid for uuid in fresh if self._places[uuid].replaces]
            elif len(fresh) < len(missing):
                continue  # it waits for drives that carry its labels already
            if len(left) < len(missing):
                break
            for place_uuid, drive in zip(missing, left, strict=False):
                self.take(place_uuid, drive)
            del left[: len(missing)]
        return left

    def _is_fresh(self, place_uuid: str, with_path: Collection[str]) -> bool:
        """Return whether any empty drive will do: no drive carries the UUID yet, and none is to come by a path."""
        place = self._places[place_uuid]
        has_path = place_uuid in with_path and not place.replaces
        return not has_path and not is_made_ready(place.uuid, self._journal)

    def _missing(self, group: PlannedGroup) -> list[str]:
        members = set(group.drives)
        return [p.uuid for p in self._plan.drives if p.uuid in members and p.uuid not in self.drives]


def _emptier(first: Drive, second: Drive) -> Drive:
    return min((first, second), key=lambda drive: sum(drive.size_bytes(name) or 0 for name in drive.names()))
