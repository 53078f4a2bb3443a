"""The places of a plan, and which drive stands in each: the plan's own, or one that came for a drive that failed.

plan.json and group.json name places by the UUID of the plan's drive; see `replaces` in docs/spec/cargo-1.md, section 3.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from packtrain.documents.drive import MAX_REPLACED
from packtrain.documents.plan import Plan, PlannedDrive
from packtrain.errors import DriveFailed, DriveInUse, DriveMissing, ForeignDrive, SupersededDrive
from packtrain.ports import Drive
from packtrain.volume.journal import Journal

# What the journal keeps of a place, under its UUID in the plan: who stands in it, and where a replacement is mounted.
_STANDS: Final = "stands"
_LOCATION: Final = "location"
# ... and under the UUID of a drive: that the custody log is on it, which names it, and the plan is or is to come.
_MADE_READY: Final = "made ready"
# ... and that the plan is.
_PLANNED: Final = "planned"


@dataclass(frozen=True, slots=True)
class Place:
    """One place.

    Attributes:
        planned: what the plan says of it; its UUID names the place.
        uuid: of the drive that stands in it now.
        replaces: drives that stood in it and failed, the plan's first.
        location: where the drive that came as a replacement was mounted; empty for the plan's own.
    """

    planned: PlannedDrive
    uuid: str
    replaces: tuple[str, ...] = ()
    location: str = ""

    @property
    def label(self) -> str:
        """Return what is printed on the drive."""
        return self.planned.label


def places_of(plan: Plan, journal: Journal) -> dict[str, Place]:
    """Return the places by their UUID in the plan, in its order."""
    places: dict[str, Place] = {}
    for planned in plan.drives:
        stored = journal.drive_fact(planned.uuid, _STANDS)
        if stored is None:
            places[planned.uuid] = Place(planned, planned.uuid)
            continue
        current, *replaced = stored.decode("ascii").split("\n")
        location = (journal.drive_fact(planned.uuid, _LOCATION) or b"").decode("utf-8", "surrogateescape")
        places[planned.uuid] = Place(planned, current, tuple(replaced), location)
    return places


def place_named(places: Mapping[str, Place], label: str) -> Place:
    """Return the place with this label.

    Raises:
        DriveMissing: there is none.
    """
    place = next((place for place in places.values() if place.label == label), None)
    if place is None:
        raise DriveMissing(
            "no drive of this shipment has this label",
            where=label,
            expected="one of " + ", ".join(place.label for place in list(places.values())[:20]),
            hint="write the label as it is on the drive",
        )
    return place


def is_made_ready(uuid: str, journal: Journal) -> bool:
    """Return whether a drive carries this UUID: its custody log was written, and the plan was or is to be."""
    return journal.drive_fact(uuid, _MADE_READY) is not None


def note_made_ready(uuid: str, journal: Journal) -> None:
    """Note that the custody log is on the drive, durably, and that the plan is the next to come."""
    if not is_made_ready(uuid, journal):
        journal.set_drive_facts(uuid, {_MADE_READY: b"1"})


def note_planned(uuid: str, journal: Journal) -> None:
    """Note that the plan is on the drive too, durably."""
    if journal.drive_fact(uuid, _PLANNED) is None:
        journal.set_drive_facts(uuid, {_PLANNED: b"1"})


def known_uuid(uuid: str | None, begun: str | None, places: Mapping[str, Place], journal: Journal) -> str | None:
    """Return which drive of this attempt a drive is, if it is one.

    It says so itself if it has the plan. Without, it is the one that it was to become, if no other became that since.

    Args:
        uuid, begun: see `formatting.DriveFound`.
        places: see `places_of`.
        journal: of this attempt.
    """
    if uuid is not None or begun is None or all(place.uuid != begun for place in places.values()):
        return uuid
    is_awaited = is_made_ready(begun, journal) and journal.drive_fact(begun, _PLANNED) is None
    return begun if is_awaited else None


def whose_place(
    drive: Drive, uuid: str | None, places: Mapping[str, Place], *, expected: Place | None = None
) -> Place | None:
    """Return the place of a drive that carries this attempt's plan, by the UUID on it; None if none is on it.

    Args:
        drive: the drive.
        uuid: what its custody log says.
        places: see `places_of`.
        expected: the place whose path it is mounted at, if it has a path.

    Raises:
        SupersededDrive: the drive failed and was replaced.
        ForeignDrive: it is the drive of another place than expected, or of none.
    """
    if uuid is None:
        return None
    for place in places.values():
        if uuid in place.replaces:
            raise SupersededDrive(
                f"drive {place.label} is superseded: it failed and was replaced by another",
                where=drive.location,
                expected=f"drive {place.label} with the UUID {place.uuid}",
                found=uuid,
                hint="take it out; mount the drive that came in its place",
            )
    found = next((place for place in places.values() if place.uuid == uuid), None)
    if found is None:
        raise ForeignDrive(
            "drive carries this shipment's plan and the UUID of none of its drives",
            where=drive.location,
            found=uuid,
            hint="take another drive, or empty this one yourself",
        )
    if expected is not None and found.uuid != expected.uuid:
        raise ForeignDrive(
            "two drives of this shipment are mounted in each other's place",
            where=drive.location,
            expected=f"drive {expected.label}",
            found=f"drive {found.label}",
            hint="mount them as voyage.toml says, and run the same command again",
        )
    return found


def replace_drive(place: Place, drive: Drive, uuid_found: str | None, journal: Journal) -> Place:
    """Put another drive in a place and void the one that stood there, durably; return the place as it is now.

    Called again for the same drive, after a crash, it changes nothing more.

    Args:
        place: where the drive failed.
        drive: the new one, empty or cleared when it is made ready.
        uuid_found: the UUID on it, if it carries this attempt's plan.
        journal: of this attempt.

    Raises:
        DriveInUse: the drive given is one of this shipment already.
        DriveFailed: too many drives failed in this place.
    """
    if uuid_found is not None and not (uuid_found == place.uuid and place.replaces):
        raise DriveInUse(
            f"the drive that is to replace {place.label} is one of this shipment already",
            where=drive.location,
            expected="an empty drive",
            found=uuid_found,
            hint="name the path of the new drive; the failed one is named by its label alone",
        )
    replaces, current = place.replaces, place.uuid
    is_resumed = bool(replaces) and (uuid_found == current or not is_made_ready(current, journal))
    if not is_resumed:
        if len(replaces) >= MAX_REPLACED:
            raise DriveFailed(f"{MAX_REPLACED} drives failed as {place.label}", hint="look for the fault elsewhere")
        replaces, current = (*replaces, current), str(uuid.uuid4())
    facts = {_STANDS: "\n".join((current, *replaces)).encode("ascii")}
    facts[_LOCATION] = where(drive).encode("utf-8", "surrogateescape")
    journal.set_drive_facts(place.planned.uuid, facts)
    return Place(place.planned, current, replaces, where(drive))


def where(drive: Drive) -> str:
    """Return where a drive is mounted, spelt in one way: a bay may be named by several."""
    return str(Path(drive.location).resolve())
