"""What is mounted now: drives at paths of their own, and what is in the bays."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from packtrain.documents.placement import PlacementDocument
from packtrain.documents.plan import Plan
from packtrain.errors import DriveMissing
from packtrain.ports import Drive
from packtrain.record.folder import VoyageFolder
from packtrain.volume.places import Place


@dataclass(frozen=True, slots=True)
class AtHand:
    """The drives that are mounted.

    Attributes:
        named: those with a path, by label.
        bays: what is in the bays, in their order.
    """

    named: Mapping[str, Drive]
    bays: tuple[Drive, ...]


def open_at_hand(
    folder: VoyageFolder, placement: PlacementDocument, open_drive: Callable[[Path], Drive], without: str | None
) -> AtHand:
    """Return what is mounted; drives that are not are simply absent.

    Args:
        folder: the voyage folder.
        placement: which drives have a path.
        open_drive: opens a mount point or folder.
        without: label of a drive that failed: its path is not looked at, reading it may take minutes.
    """
    named: dict[str, Drive] = {}
    for placed in placement.drives:
        if placed.path is not None and placed.label != without:
            drive = _opened(folder.resolve(placed.path), open_drive)
            if drive is not None:
                named[placed.label] = drive
    paths = [folder.resolve(text) for text in folder.voyage_file().drives.bays]
    # Mount points stand empty between two drives: where one bay is a mount point, a plain folder is a bay without one.
    are_mounts = any(path.is_mount() for path in paths)
    bays = [_opened(path, open_drive) for path in paths if path.is_mount() or not are_mounts]
    return AtHand(named, tuple(drive for drive in bays if drive is not None))


def substitutes(places: Mapping[str, Place], open_drive: Callable[[Path], Drive]) -> dict[str, Drive]:
    """Return the drives that came for failed ones, where they were mounted when they came, by the UUID of the place."""
    found: dict[str, Drive] = {}
    for place_uuid, place in places.items():
        drive = _opened(Path(place.location), open_drive) if place.replaces else None
        if drive is not None:
            found[place_uuid] = drive
    return found


def num_bays(folder: VoyageFolder, plan: Plan) -> int | None:
    """Return how many drives are mounted at once; None where each has a path of its own and no bound is given."""
    drives = folder.voyage_file().drives
    bays = drives.pack_bays or len(drives.bays) or None
    # A group is mounted as a whole, whatever voyage.toml says by now.
    return None if bays is None else max(bays, *(len(group.drives) for group in plan.groups))


def _opened(path: Path, open_drive: Callable[[Path], Drive]) -> Drive | None:
    try:
        return open_drive(path)
    except DriveMissing:
        return None
