"""The drives at hand, and what is known of their shipment before one of them is looked at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from packtrain.documents.drive import Drive as DriveRecord
from packtrain.documents.group import Group
from packtrain.documents.plan import Plan, PlannedDrive
from packtrain.documents.shipment import Shipment
from packtrain.ports import Drive
from packtrain.volume.blocks import Damage


@dataclass(frozen=True, slots=True)
class Mounted:
    """One mounted drive whose closing record was verified."""

    drive: Drive
    record: DriveRecord
    record_digest: str
    tag_files: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Expected:
    """What the reader knows of the shipment before it looks at a drive.

    Attributes:
        plan, plan_digest: the signed plan, from the voyage folder.
        shipment: the signed shipment document, or None where it did not come yet.
        groups: group documents that came with the dossier, by number.
        admitted: serial by UUID of the drives that may be read, or None where that is not limited.
        admitted_by: the document that limits them, for messages.
    """

    plan: Plan
    plan_digest: str
    shipment: Shipment | None = None
    groups: Mapping[int, Group] | None = None
    admitted: Mapping[str, str] | None = None
    admitted_by: str = "the admitted packing statement"


@dataclass(frozen=True, slots=True)
class Fleet:
    """The drives at hand, and what they belong to.

    Attributes:
        shipment: None means incomplete knowledge: nobody can say from these drives that this is all.
        groups: verified group documents by number; a group of which no drive and no document is here is absent.
        mounted: in the order of the plan.
        missing: drives of the plan that are not here.
        lost: UUIDs (of the plan) of drives that were named to be left out.
        damage: files beside the volumes that are not as the signed closing record says; copies made up for them.
    """

    plan: Plan
    plan_digest: str
    shipment: Shipment | None
    groups: Mapping[int, Group]
    mounted: tuple[Mounted, ...]
    missing: tuple[PlannedDrive, ...]
    lost: frozenset[str] = frozenset()
    damage: tuple[Damage, ...] = ()
