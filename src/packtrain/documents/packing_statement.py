"""packing-statement.json: which drive lies in which case, with whom, under which seal. Signed when all are closed."""

from __future__ import annotations

from typing import Annotated

import msgspec

from packtrain.documents.codec import Document, Instant, Label, Part, Sha256, Text, Uuid


class PackedDrive(Part, frozen=True, kw_only=True):
    """One drive in a case."""

    uuid: Uuid
    label: Label
    serial: Annotated[str, msgspec.Meta(min_length=1, max_length=128)]


class PackedCase(Part, frozen=True, kw_only=True):
    """One case, its carrier and its seal."""

    label: Label
    carrier: Annotated[str, msgspec.Meta(min_length=1, max_length=256)]
    seal: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    drives: Annotated[tuple[PackedDrive, ...], msgspec.Meta(min_length=1, max_length=4096)]


class PackingStatement(Document, frozen=True, kw_only=True):
    """One statement over all cases and carriers of a shipment; there is never one a carrier.

    Attributes:
        shipment_root: SHA-256 of shipment.json.
    """

    kind = "packing-statement"

    shipment: Uuid
    attempt: Annotated[int, msgspec.Meta(ge=1, le=9999)]
    plan: Sha256
    declaration: Sha256
    shipment_root: Sha256
    cases: Annotated[tuple[PackedCase, ...], msgspec.Meta(min_length=1, max_length=255)]
    note: Text
    stated_on: Instant
