"""drive.json: the closing record of one drive. Signed, written last; a drive without it is open, not valid."""

from __future__ import annotations

from typing import Annotated

import msgspec

from packtrain.documents.codec import Count, Document, Instant, Label, Sha256, Uuid

MAX_REPLACED = 255
"""Drives that may fail one after the other in the same place."""


def unread_serial(uuid: str) -> str:
    """Return what documents say in the place of a serial number that could not be read: it proves nothing."""
    return f"folder-{uuid[:8]}"


class Drive(Document, frozen=True, kw_only=True):
    """One closed drive.

    Attributes:
        tagmanifest: SHA-256 of tagmanifest-sha256.txt, which names every other file but this one.
        group_document: SHA-256 of the group's group.json.
        replaces: UUIDs of the drives in whose place this one stands, the plan's first; they are void. Empty for a drive
            of the plan.
    """

    kind = "drive"

    shipment: Uuid
    attempt: Annotated[int, msgspec.Meta(ge=1, le=9999)]
    plan: Sha256
    uuid: Uuid
    replaces: Annotated[tuple[Uuid, ...], msgspec.Meta(max_length=MAX_REPLACED)]
    label: Label
    serial: Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
    case: Label
    group: Annotated[int, msgspec.Meta(ge=0, le=9999)]
    group_document: Sha256
    tagmanifest: Sha256
    payload_bytes: Count
    num_volumes: Count
    formatted: Instant
    closed: Instant

    @property
    def planned_uuid(self) -> str:
        """Return the UUID by which the plan and the group know this drive."""
        return self.replaces[0] if self.replaces else self.uuid
