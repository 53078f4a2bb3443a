"""placement.json: which drives form groups, with which code, and what that survives. Written by `plan`."""

from __future__ import annotations

from typing import Annotated

import msgspec

from packtrain.documents.codec import Count, Document, Label, Part, Text
from packtrain.documents.plan import Survive


class PlacedDrive(Part, frozen=True, kw_only=True):
    """One drive as the plan sees it: where it is mounted here, and what fits on it.

    Attributes:
        path: as voyage.toml spells it, relative ones from the voyage folder: a copy of it has its own drives. None for
            a drive that takes its turn in a bay.
        serial: None for such a drive, which nobody has seen yet.
    """

    label: Label
    case: Label
    path: Text | None
    serial: Annotated[str, msgspec.Meta(min_length=1, max_length=128)] | None
    capacity_bytes: Count


class PlacedGroup(Part, frozen=True, kw_only=True):
    """k data and m parity columns over these drives (labels, in column order)."""

    k: Annotated[int, msgspec.Meta(ge=1, le=255)]
    m: Annotated[int, msgspec.Meta(ge=0, le=254)]
    drives: Annotated[tuple[Label, ...], msgspec.Meta(min_length=1, max_length=255)]


class PlacementDocument(Document, frozen=True, kw_only=True):
    """Drives, groups, and the statement of what they survive."""

    kind = "placement"

    drives: Annotated[tuple[PlacedDrive, ...], msgspec.Meta(min_length=1, max_length=4096)]
    groups: Annotated[tuple[PlacedGroup, ...], msgspec.Meta(min_length=1, max_length=4096)]
    survive: Survive
    statement: Text
    source_bytes: Count
    capacity_bytes: Count
