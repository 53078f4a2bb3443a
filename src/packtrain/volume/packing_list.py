"""What goes where: the packing list, and whether it fits.

Kept in the journal before the first byte is written, so that a run which goes on after a crash packs the same volumes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

from packtrain.crypto.age import ciphertext_bytes
from packtrain.documents.plan import Plan, PlannedGroup
from packtrain.errors import DriveFull, NothingToCarry
from packtrain.ports import Drive
from packtrain.units import MIB, format_bytes
from packtrain.volume import layout, tar
from packtrain.volume.assignment import GroupShare, assign
from packtrain.volume.block_list import LINE_BYTES, num_blocks
from packtrain.volume.cargo import CargoDigest, CargoEntry, refuse_names_no_reader_takes
from packtrain.volume.closing import ExtraFiles
from packtrain.volume.formatting import DriveFound
from packtrain.volume.journal import Journal

# Documents, manifests and the file system's own records on each drive, beside what is counted exactly.
_OVERHEAD_BYTES: Final = 2 * MIB
# An entry in the catalog without its path: ids, digest, offsets, two indexes.
_CATALOG_ROW_BYTES: Final = 400
_TOLD_ENTRIES: Final = 10_000


def write_list(
    plan: Plan,
    cargo: Iterable[CargoEntry],
    room_bytes: Mapping[str, int],
    journal: Journal,
    on_entries: Callable[[int], None] = lambda count: None,
) -> None:
    """Decide for every entry where it goes, and keep that in the journal.

    Args:
        plan: the signed plan.
        cargo: what is carried; gone through twice where there are several groups.
        room_bytes: what fits on each drive, by its UUID in the plan: groups get their part by it.
        journal: of this attempt.
        on_entries: called now and then with the number of entries by then.

    Raises:
        NothingToCarry: the cargo is empty.
    """
    digest = CargoDigest()

    def counted() -> Iterator[CargoEntry]:
        num_entries = 0
        for entry in cargo:
            num_entries += 1
            digest.add(entry)
            if num_entries % _TOLD_ENTRIES == 0:
                on_entries(num_entries)
            yield entry
        if not num_entries:
            raise NothingToCarry("there is nothing to pack", hint='run "packtrain prepare" first; look at its rejects')
        assert digest.hexdigest() == plan.cargo, "the cargo is not the one that the plan names"

    shares = [GroupShare(group.k, group.k * min(room_bytes[uuid] for uuid in group.drives)) for group in plan.groups]
    # One group takes all; for several their parts are measured first, so the cargo is gone through twice.
    assert len(shares) == 1 or iter(cargo) is not cargo, "an iterator gives its entries once"
    total_bytes = sum(entry.size_bytes for entry in cargo) if len(shares) > 1 else 0
    entries = refuse_names_no_reader_takes(counted(), plan.volume_target_bytes)
    journal.write_list(assign(entries, shares, total_bytes, plan.volume_target_bytes), {})


def check_room(
    plan: Plan,
    drives: Mapping[str, Drive],
    found: Mapping[str, DriveFound],
    extra_files: Mapping[str, ExtraFiles],
    journal: Journal,
) -> None:
    """Refuse drives (those given, by their UUID in the plan) that are too small for what the list puts on them.

    Raises:
        DriveFull: before anything is written; drives that share one file system are counted together.
    """
    wanted: dict[str, int] = {}
    for group in plan.groups:
        if not any(uuid in drives for uuid in group.drives):
            continue
        num_drives = len(group.drives)
        needed = [0] * num_drives
        for stripe in range(journal.num_stripes(group.group)):
            for column, size_bytes in volume_sizes(group, stripe, journal).items():
                needed[layout.drive_of(stripe, column, num_drives)] += size_bytes + num_blocks(size_bytes) * LINE_BYTES
        num_files, _ = journal.totals(group.group)
        for uuid, volume_bytes in zip(group.drives, needed, strict=True):
            extra_bytes = sum(
                len(source) if isinstance(source, bytes) else source.stat().st_size
                for source in extra_files.get(uuid, {}).values()
            )
            wanted[uuid] = volume_bytes + extra_bytes + num_files * _CATALOG_ROW_BYTES + _OVERHEAD_BYTES
    for members in by_medium(drives):
        wanted_bytes = sum(wanted[uuid] for uuid in members)
        held_bytes = sum(found[uuid].held_bytes for uuid in members)
        room_bytes = drives[members[0]].free_bytes() + held_bytes
        if wanted_bytes > room_bytes:
            labels = ", ".join(planned.label for planned in plan.drives if planned.uuid in members)
            raise DriveFull(
                f"drive {labels} is too small for its part of the cargo; nothing was written",
                where=drives[members[0]].location,
                expected=f"{format_bytes(wanted_bytes)} free",
                found=format_bytes(room_bytes),
                hint="give larger or more drives in voyage.toml, then plan and pack again",
            )


def refuse_unmounted(
    plan: Plan, drives: Mapping[str, Drive], found: Mapping[str, DriveFound], planned_bytes: Mapping[str, int]
) -> None:
    """Refuse drives that hold less than half of what was planned of them: a mount point with nothing mounted, mostly.

    Raises:
        DriveFull: before anything is written; drives that share one file system are counted together.
    """
    for members in by_medium({uuid: drive for uuid, drive in drives.items() if uuid in planned_bytes}):
        expected_bytes = sum(planned_bytes[uuid] for uuid in members)
        room_bytes = drives[members[0]].free_bytes() + sum(found[uuid].held_bytes for uuid in members)
        if 2 * room_bytes < expected_bytes:
            labels = ", ".join(planned.label for planned in plan.drives if planned.uuid in members)
            raise DriveFull(
                f"drive {labels} holds less than half of what was planned; nothing was written",
                where=drives[members[0]].location,
                expected=f"about {format_bytes(expected_bytes)} free",
                found=format_bytes(room_bytes),
                hint="is a drive mounted there? if so, correct the size in voyage.toml, then plan and pack again",
            )


def by_medium(drives: Mapping[str, Drive]) -> list[list[str]]:
    """Return the drives, those that lie on one file system together: folders that play drives share its space."""
    members: dict[int | str, list[str]] = {}
    for uuid, drive in drives.items():
        try:
            medium: int | str = Path(drive.location).stat().st_dev
        except OSError:
            medium = uuid
        members.setdefault(medium, []).append(uuid)
    return list(members.values())


def volume_sizes(group: PlannedGroup, stripe: int, journal: Journal) -> dict[int, int]:
    """Return the exact length of every volume of a stripe, by column."""
    sizes = {
        column: ciphertext_bytes(tar.padded_bytes(end) + len(tar.END_OF_ARCHIVE))
        for column, end in journal.tar_bytes(group.group, stripe).items()
    }
    longest = max(sizes.values())
    return sizes | dict.fromkeys(range(group.k, group.k + group.m), longest)
