"""What a scrub says: one drive after the other, then the whole. Made from what was seen, nothing is read here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from packtrain.documents.group import Group
from packtrain.documents.plan import Plan, PlannedDrive
from packtrain.documents.shipment import Shipment
from packtrain.errors import PacktrainError
from packtrain.ports import Drive
from packtrain.volume.block_list import num_blocks
from packtrain.volume.blocks import Column, Damage
from packtrain.volume.discover import Mounted
from packtrain.volume.outlook import Erased, GroupOutlook, damaged_stripes, outlook

Verdict = Literal["whole", "open", "repairable", "beyond repair"]


@dataclass(frozen=True, slots=True)
class DriveScrub:
    """What was seen of one drive.

    Attributes:
        label: from its closing record; None where that cannot be used.
        uuid: its own, of the same record.
        is_usable: `load` would read it.
        is_open: it was opened for packing and never closed.
        findings: all that is wrong beside its volumes, in sentences.
    """

    location: str
    label: str | None
    uuid: str | None
    is_usable: bool
    is_open: bool
    num_volumes: int
    volume_bytes: int
    findings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ScrubReport:
    """What was seen of all drives.

    Attributes:
        has_signatures_checked: False where no parties.json was given.
        has_shipment: a shipment document was there; without one nobody can say that this is all.
        missing: labels of drives of the plan that were not given; for the verdict they are taken as whole.
        damage: in volumes, by drive, volume and blocks.
        num_damaged_blocks: how many single blocks; volumes that are lost as a whole are not in it.
        num_damaged_stripes, num_lost_stripes: stripes with damage, and those of them that the code cannot rebuild.
        groups: for each group with a drive here what can be proven and what may still be lost; here missing drives
            count as lost.
        verdict: whole; open, where packing was not finished; damaged but every stripe can be rebuilt; or not, also
            where no drive given can be used.
    """

    has_signatures_checked: bool
    has_shipment: bool
    drives: tuple[DriveScrub, ...]
    missing: tuple[str, ...]
    damage: tuple[Damage, ...]
    num_stripes: int
    num_damaged_blocks: int
    num_damaged_stripes: int
    num_lost_stripes: int
    groups: tuple[GroupOutlook, ...]
    verdict: Verdict


@dataclass(slots=True)
class SeenDrive:
    """One drive on its way through a scrub.

    Attributes:
        hurt: its volumes that are not as they were packed, by file name.
        overlong: names of volumes with bytes after their end.
        volume_names: all volumes that group.json puts on it.
        bad_files: tag files that differ from the tag manifest, are missing or cannot be read.
    """

    drive: Drive
    mounted: Mounted | None = None
    is_usable: bool = False
    is_open: bool = False
    findings: list[str] = field(default_factory=list[str])
    volume_names: set[str] = field(default_factory=set[str])
    volume_bytes: int = 0
    hurt: dict[str, Column] = field(default_factory=dict[str, Column])
    overlong: set[str] = field(default_factory=set[str])
    bad_files: set[str] = field(default_factory=set[str])

    def note(self, error: PacktrainError) -> None:
        """Keep an error as a finding."""
        self.findings.append(error.message)


def summarize(
    seen: Sequence[SeenDrive],
    plan: Plan | None,
    groups: Mapping[int, Group],
    shipment: Shipment | None,
    has_signatures_checked: bool,
) -> ScrubReport:
    """Return the report of what was seen of all drives."""
    missing = _missing(seen, plan)
    # A drive that cannot even be identified is one of the missing; which one is known where no more are missing. An
    # open one is not lost: packing goes on with it.
    unusable = {item.mounted.record.planned_uuid for item in seen if item.mounted is not None and not item.is_usable}
    nameless = sum(item.mounted is None and not item.is_open for item in seen)
    lost = unusable | ({drive.uuid for drive in missing} if nameless >= len(missing) else set[str]())
    absent = unusable | {drive.uuid for drive in missing}
    label_of = {drive.uuid: drive.label for drive in plan.drives} if plan is not None else {}
    num_damaged = num_lost = 0
    outlooks: list[GroupOutlook] = []
    for number, group in sorted(groups.items()):
        found = list(_erased(seen, number))
        damaged, beyond = damaged_stripes(group.m, [*found, *_erased_by_absence(group, lost, label_of)])
        num_damaged += damaged
        num_lost += beyond
        assert plan is not None
        not_here = absent.intersection(group.drives)
        everything = [*found, *_erased_by_absence(group, not_here, label_of)]
        outlooks.append(outlook(group, plan, everything, {label_of[uuid] for uuid in not_here}))
    damage = tuple(fault for item in seen for column in item.hurt.values() for fault in column.damage())
    is_whole = not damage and all(item.is_usable and not item.findings for item in seen)
    is_open = any(item.is_open for item in seen)
    is_lost = num_lost > 0 or not any(item.is_usable or item.is_open for item in seen)
    return ScrubReport(
        has_signatures_checked=has_signatures_checked,
        has_shipment=shipment is not None,
        drives=tuple(_summary(item) for item in seen),
        missing=tuple(drive.label for drive in missing),
        damage=damage,
        num_stripes=sum(group.num_stripes for group in groups.values()),
        num_damaged_blocks=sum(
            len(column.bad_blocks) for item in seen for column in item.hurt.values() if column.lost is None
        ),
        num_damaged_stripes=num_damaged,
        num_lost_stripes=num_lost,
        groups=tuple(outlooks),
        verdict="beyond repair" if is_lost else "open" if is_open else "whole" if is_whole else "repairable",
    )


def _erased(seen: Sequence[SeenDrive], group: int) -> Iterator[Erased]:
    """Yield what cannot be used of the volumes that were read."""
    for item in seen:
        if item.mounted is None or item.mounted.record.group != group:
            continue
        for column in item.hurt.values():
            ranges = tuple(
                (fault.first_block, fault.last_block)
                for fault in column.damage()
                if fault.first_block is not None and fault.last_block is not None
            )
            if column.lost is not None or ranges:
                yield Erased(
                    column.volume.stripe,
                    item.mounted.record.label,
                    None if column.lost is not None else ranges,
                    column.num_blocks,
                )


def _erased_by_absence(group: Group, absent: set[str], label_of: Mapping[str, str]) -> Iterator[Erased]:
    for volume in group.volumes:
        if volume.drive in absent:
            yield Erased(volume.stripe, label_of[volume.drive], None, num_blocks(volume.bytes))


def _missing(seen: Sequence[SeenDrive], plan: Plan | None) -> list[PlannedDrive]:
    here = {item.mounted.record.planned_uuid for item in seen if item.mounted is not None}
    return [drive for drive in plan.drives if drive.uuid not in here] if plan is not None else []


def _summary(item: SeenDrive) -> DriveScrub:
    return DriveScrub(
        location=item.drive.location,
        label=item.mounted.record.label if item.mounted else None,
        uuid=item.mounted.record.uuid if item.mounted else None,
        is_usable=item.is_usable,
        is_open=item.is_open,
        num_volumes=len(item.volume_names),
        volume_bytes=item.volume_bytes,
        findings=tuple(item.findings),
    )
