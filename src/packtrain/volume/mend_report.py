"""What a repair did and what it left: a small unsigned report, for people, for JSON and for the custody log."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from packtrain.documents.drive import Drive as DriveRecord
from packtrain.errors import DriveFailed, DriveFull
from packtrain.ports import Drive

_ROOM: Final = "a repair in place needs room for one volume; else onto a spare with more: --repair --onto LABEL=PATH"


@dataclass(frozen=True, slots=True)
class Mended:
    """One file that is as it was packed again.

    Attributes:
        drive: label of the drive.
        name: the file.
        how: "rebuilt", "copied", "made anew" or "removed", in a sentence "data/... rebuilt".
        num_blocks: blocks of a volume that came from other volumes.
    """

    drive: str
    name: str
    how: str
    num_blocks: int = 0

    def __str__(self) -> str:
        """Return the line that people read."""
        blocks = f", {self.num_blocks} of its blocks from other volumes" if self.num_blocks else ""
        return f"drive {self.drive}: {self.name} {self.how}{blocks}"


@dataclass(frozen=True, slots=True)
class Left:
    """Something that is not as it was packed, and why; `name` is "" where it is the drive as a whole."""

    drive: str
    name: str
    why: str

    def __str__(self) -> str:
        """Return the line that people read."""
        return f"drive {self.drive}: {f'{self.name}: ' if self.name else ''}{self.why}"


@dataclass(frozen=True, slots=True)
class MendedCase:
    """One case of which drives were written, or are stood for by a spare: what its holder signs for.

    Attributes:
        case: its label.
        drives: UUIDs of these drives.
        num_mended, num_left: what was done and what was left on the drives of this case.
    """

    case: str
    drives: tuple[str, ...]
    num_mended: int
    num_left: int


@dataclass(frozen=True, slots=True)
class MendReport:
    """What a repair did.

    Attributes:
        has_signatures_checked: False where no parties.json was given: the documents were taken at their word.
        target: the spare's location, or None for a repair in place.
        drives: UUIDs of the drives that were written, or that a spare now stands for.
        mended, left: file by file.
        num_lost_stripes: stripes with more damage than these drives can make good.
        cases: the same by case, in the order of their labels.
        spare_serial: the spare's own serial number, where it is not the one that the documents state for the drive.
    """

    has_signatures_checked: bool
    target: str | None
    drives: tuple[str, ...]
    mended: tuple[Mended, ...]
    left: tuple[Left, ...]
    num_lost_stripes: int
    cases: tuple[MendedCase, ...] = ()
    spare_serial: str | None = None


@dataclass(slots=True)
class MendLog:
    """Collects what is done and left, and keeps off a drive once it could not be written."""

    mended: list[Mended] = field(default_factory=list[Mended])
    left: list[Left] = field(default_factory=list[Left])
    uuids: set[str] = field(default_factory=set[str])
    stopped: set[str] = field(default_factory=set[str])

    def leave(self, drive: str, name: str, why: str) -> None:
        """Note what stays as it is."""
        self.left.append(Left(drive, name, why))

    def cases(self, records: Iterable[DriveRecord]) -> tuple[MendedCase, ...]:
        """Return what was done by case, from the closing records of all drives that were given."""
        labels: dict[str, set[str]] = {}
        uuids: dict[str, set[str]] = {}
        for record in records:
            labels.setdefault(record.case, set()).add(record.label)
            if record.uuid in self.uuids:
                uuids.setdefault(record.case, set()).add(record.uuid)
        return tuple(
            MendedCase(
                case,
                tuple(sorted(uuids[case])),
                sum(item.drive in labels[case] for item in self.mended),
                sum(item.drive in labels[case] for item in self.left),
            )
            for case in sorted(uuids)
        )

    @contextlib.contextmanager
    def writing(self, drive: Drive, label: str) -> Iterator[None]:
        """Hold writes to one drive: the first that fails is noted, once, and the drive is left alone from then on."""
        try:
            yield
        except (DriveFailed, DriveFull) as error:
            if drive.location not in self.stopped:
                self.stopped.add(drive.location)
                # What is rebuilt stands beside what it replaces until it is proven, and no plan is drawn up again here.
                hint = _ROOM if isinstance(error, DriveFull) else error.hint
                self.leave(label, "", f"{error.message}{f' ({hint})' if hint else ''}")
