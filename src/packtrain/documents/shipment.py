"""shipment.json: all of it. Signed after the last drive; its SHA-256 is the shipment root."""

from __future__ import annotations

from typing import Annotated

import msgspec

from packtrain.documents.codec import Count, Document, Instant, Label, Part, Sha256, Uuid
from packtrain.documents.drive import MAX_REPLACED
from packtrain.documents.plan import Purpose


class ShippedDrive(Part, frozen=True, kw_only=True):
    """One drive of the shipment and the digest of its closing record.

    `replaces` is that of the closing record: drives that failed and were replaced by this one. A drive of one of these
    UUIDs is superseded.
    """

    uuid: Uuid
    replaces: Annotated[tuple[Uuid, ...], msgspec.Meta(max_length=MAX_REPLACED)]
    label: Label
    serial: Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
    case: Label
    group: Annotated[int, msgspec.Meta(ge=0, le=9999)]
    record: Sha256

    @property
    def planned_uuid(self) -> str:
        """Return the UUID by which the plan and the group know this drive."""
        return self.replaces[0] if self.replaces else self.uuid


class ShippedGroup(Part, frozen=True, kw_only=True):
    """One group and the digest of its group.json."""

    group: Annotated[int, msgspec.Meta(ge=0, le=9999)]
    record: Sha256


class Shipment(Document, frozen=True, kw_only=True):
    """Every group and drive of a shipment, by digest. Without it a reader knows incompletely, and says so."""

    kind = "shipment"

    shipment: Uuid
    attempt: Annotated[int, msgspec.Meta(ge=1, le=9999)]
    purpose: Purpose
    plan: Sha256
    groups: Annotated[tuple[ShippedGroup, ...], msgspec.Meta(min_length=1, max_length=4096)]
    drives: Annotated[tuple[ShippedDrive, ...], msgspec.Meta(min_length=1, max_length=4096)]
    num_files: Count
    plaintext_bytes: Count
    stored_bytes: Count
    closed: Instant

    @property
    def voided(self) -> dict[str, str]:
        """Return UUID -> label of the drives that failed and were replaced."""
        return {uuid: drive.label for drive in self.drives for uuid in drive.replaces}
