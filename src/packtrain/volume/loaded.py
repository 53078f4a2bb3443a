"""What a load did, what it knows of each group, and the error that says what it could not do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import msgspec

from packtrain.documents.plan import PlannedDrive
from packtrain.errors import BeyondRepair, MoreDrivesWanted
from packtrain.volume.blocks import Damage

NAMED: Final = 20
"""How many files or volumes a message names before it only counts."""
PROGRESS_NAME: Final = "progress.json"
"""Beside the journal: what `status` shows of a load that is not complete."""


@dataclass(frozen=True, slots=True)
class GroupState:
    """What is known of one group. Nothing here follows from the absence of errors.

    Attributes:
        k, drives: columns that are enough, and all of them.
        drives_seen: drives of which every data volume was tried.
        drives_damaged: of these, the ones with damage.
        drives_lost: drives that are said not to come.
        more_drives: how many more undamaged drives make the group provable: k less the undamaged ones seen; 0 once all
            is proven.
        stripes_proven: stripes of which every data volume is in the store, its SHA-256 that of the signed document.
        stripes_provable: these, and stripes of which k columns lie on drives seen without known damage: mounted
            together they would give back the rest. Parity is believed here, it is read only when it is needed.
        volumes_open: data volumes that are still to be restored.
    """

    group: int
    k: int
    drives: int
    drives_seen: int
    drives_damaged: int
    drives_lost: int
    more_drives: int
    stripes: int
    stripes_proven: int
    stripes_provable: int
    volumes_open: int

    def sentence(self) -> str:
        """Return the state as a person reads it."""
        if self.stripes_proven == self.stripes:
            return f"group {self.group}: all {self.stripes} stripes are proven"
        more = f", {self.more_drives} more good drives make it provable" if self.more_drives else ""
        return (
            f"group {self.group}: {self.stripes_proven} of {self.stripes} stripes are proven, "
            f"{self.stripes_provable} provable; {self.drives_seen} of {self.drives} drives seen{more}"
        )


class _Progress(msgspec.Struct, frozen=True):
    """Of progress.json, what `read_progress` shows."""

    groups: tuple[GroupState, ...]
    drives: tuple[str, ...]


def read_progress(payload: bytes) -> list[str]:
    """Return what progress.json says as a person reads it; nothing where it cannot be read."""
    try:
        progress = msgspec.json.decode(payload, type=_Progress)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return []
    told = [state.sentence() for state in progress.groups]
    if progress.drives:
        more = f" and {len(progress.drives) - NAMED} more" if len(progress.drives) > NAMED else ""
        told.append(f"wanted next: {', '.join(progress.drives[:NAMED])}{more}")
    return told


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which drives are to be mounted next.

    Attributes:
        number: 1: each of these drives once, in any order. 2: the drives of a group together.
        drives: in the order of the plan.
        is_smallest: of pass 2: it is proven that no smaller set does.
    """

    number: int
    drives: tuple[PlannedDrive, ...]
    is_smallest: bool = True

    def names(self) -> str:
        """Return labels and cases, as a message names them."""
        named = ", ".join(f"{drive.label} (case {drive.case})" for drive in self.drives[:NAMED])
        return named + (f" and {len(self.drives) - NAMED} more" if len(self.drives) > NAMED else "")


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a load did, earlier interrupted runs and waves included.

    Attributes:
        files, bytes: entries in the store, and bytes of files.
        blocks_repaired: damaged blocks of data volumes, rebuilt.
        volumes_rebuilt: data volumes that were lost as a whole, rebuilt.
        damage: what was found on the drives.
        drives_lost: labels of drives that were never there.
        unreadable: the first names of files that could not be restored, as a person reads them.
        num_unreadable: how many; more than the names where a catalog is lost too.
        files_salvaged: files that were restored from volumes beyond repair, each proven by its SHA-256 in the catalog.
        not_set: attributes and owners that the store's file system refused.
        groups: what is known of each group whose document is here.
        wanted: which drives are to be mounted next, one item a group in pass 2; empty where none could help.
    """

    files: int
    bytes: int
    blocks_repaired: int
    volumes_rebuilt: int
    damage: tuple[Damage, ...]
    drives_lost: tuple[str, ...]
    unreadable: tuple[str, ...]
    num_unreadable: int
    files_salvaged: int = 0
    not_set: tuple[str, ...] = ()
    groups: tuple[GroupState, ...] = ()
    wanted: tuple[Wanted, ...] = ()

    def progress(self) -> dict[str, Any]:
        """Return what `status` and `--json` show."""
        return {
            "groups": [asdict(state) for state in self.groups],
            "pass": self.wanted[0].number if self.wanted else None,
            "drives": [drive.label for item in self.wanted for drive in item.drives],
            "is_smallest": all(item.is_smallest for item in self.wanted),
            "entries_loaded": self.files,
            "bytes_loaded": self.bytes,
        }

    def raise_if_incomplete(self, listing: Path, scratch: Path | None = None) -> None:
        """Raise if something is not restored.

        Raises:
            MoreDrivesWanted: drives could help; they are named.
            BeyondRepair: no drive can, with the counts, the first names, and where all of them are listed.
        """
        if self.wanted:
            self._raise_wanted(self.wanted, scratch)
        if self.num_unreadable:
            first = ", ".join(self.unreadable[:NAMED]) or "names unknown: the catalog is lost too"
            more = f" and {self.num_unreadable - NAMED} more" if self.num_unreadable > NAMED else ""
            raise BeyondRepair(
                f"{self.num_unreadable} files are lost: {first}{more}",
                where=str(listing),
                expected=f"{self.files + self.num_unreadable} files",
                found=f"{self.files} files, restored",
                hint="mount a missing drive and run the same command again, or ask the consignor for these files",
            )

    def _raise_wanted(self, wanted: Sequence[Wanted], scratch: Path | None) -> None:
        states = "; ".join(state.sentence() for state in self.groups if state.stripes_proven < state.stripes)
        lost = 'name a drive that will not come with "--without LABEL", or say "--no-more" if none will'
        if wanted[0].number == 1:
            count = sum(len(item.drives) for item in wanted)
            raise MoreDrivesWanted(
                f"pass 1: {count} {'drive was' if count == 1 else 'drives were'} not read yet: "
                f"{', '.join(item.names() for item in wanted)}",
                found=states or None,
                hint=f"mount any of them, in any order, and run the same command with their mount points; {lost}",
                wanted=self.progress(),
            )
        sets = "; ".join(item.names() for item in wanted)
        kind = "a smallest set" if all(item.is_smallest for item in wanted) else "a small set, perhaps not the smallest"
        bays = "" if scratch else ', or with fewer bays give "--scratch DIR" and mount the drives one after the other'
        raise MoreDrivesWanted(
            f"pass 2: mount these drives together once more: {sets}",
            expected=kind,
            found=states or None,
            hint=f"each group by itself is enough; run the same command with their mount points{bays}; {lost}",
            wanted=self.progress(),
        )
