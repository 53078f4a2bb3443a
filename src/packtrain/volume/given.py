"""The drives as they were given: no folder twice, and not those that are to be left out. Nothing is verified."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Final

from packtrain.documents.codec import decode
from packtrain.documents.drive import Drive as DriveRecord
from packtrain.documents.plan import Plan
from packtrain.errors import DriveMissing, DuplicateDrive, PacktrainError
from packtrain.ports import Drive
from packtrain.volume import layout

MAX_RECORD_BYTES: Final = 64 * 1024
"""More than any closing record has."""


def check_distinct(drives: Sequence[Drive]) -> None:
    """Refuse the same folder given twice.

    Raises:
        DuplicateDrive: it was.
    """
    seen: dict[Path, Drive] = {}
    for drive in drives:
        place = Path(drive.location).resolve()
        if place in seen:
            raise DuplicateDrive(
                "the same drive was given twice",
                where=drive.location,
                found=f"the same folder as {seen[place].location}",
                hint="name each drive once",
            )
        seen[place] = drive


def leave_out(drives: Sequence[Drive], without: Collection[str], plan: Plan) -> tuple[list[Drive], frozenset[str]]:
    """Return the drives but those that `without` names, and the UUIDs (of the plan) of all that it names.

    A name is a label, the location of a mounted drive, or the label of a case; a drive need not be mounted to be left
    out by label or case: it will not come.

    Raises:
        DriveMissing: a name is no drive's: a slip of the pen must not read a drive that was to be left out.
    """
    named = {str(Path(name)) for name in without}
    if not named:
        return list(drives), frozenset()
    labels = {drive.location: label_of(drive) for drive in drives}
    planned = {drive.label for drive in plan.drives}
    cases = {drive.case for drive in plan.drives}
    if unknown := sorted(named - {*labels, *labels.values(), *planned, *cases}):
        raise DriveMissing(
            "no drive has this name",
            where=", ".join(unknown)[:400],
            found=", ".join(label or f"{location} (its label cannot be read)" for location, label in labels.items()),
            hint="name a drive by its label, or by its path as it was given; or a case",
        )
    # A case named like a drive is meant only where no drive is.
    out = {drive.label for drive in plan.drives if drive.label in named or drive.case in named - planned}
    out |= {label for location, label in labels.items() if location in named and label is not None}
    kept = [drive for drive in drives if drive.location not in named and labels[drive.location] not in out | named]
    return kept, frozenset(drive.uuid for drive in plan.drives if drive.label in out)


def label_of(drive: Drive) -> str | None:
    """Return the label in a drive's closing record without checking it: good enough to leave the drive out, no more."""
    try:
        return decode(DriveRecord, drive.read_bytes(layout.DRIVE, MAX_RECORD_BYTES), layout.DRIVE).label
    except PacktrainError:
        return None
