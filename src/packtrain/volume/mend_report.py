"""What a repair did and what it left: a small unsigned report, for people, for JSON and for the custody log."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from packtrain.errors import DriveFailed, DriveFull
from packtrain.ports import Drive


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
class MendReport:
    """What a repair did.

    Attributes:
        has_signatures_checked: False where no parties.json was given: the documents were taken at their word.
        target: the spare's location, or None for a repair in place.
        drives: UUIDs of the drives that were written, or that a spare now stands for.
        mended, left: file by file.
        num_lost_stripes: stripes with more damage than these drives can make good.
    """

    has_signatures_checked: bool
    target: str | None
    drives: tuple[str, ...]
    mended: tuple[Mended, ...]
    left: tuple[Left, ...]
    num_lost_stripes: int


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

    @contextlib.contextmanager
    def writing(self, drive: Drive, label: str) -> Iterator[None]:
        """Hold writes to one drive: the first that fails is noted, once, and the drive is left alone from then on."""
        try:
            yield
        except (DriveFailed, DriveFull) as error:
            if drive.location not in self.stopped:
                self.stopped.add(drive.location)
                self.leave(label, "", f"{error.message}{f' ({error.hint})' if error.hint else ''}")
