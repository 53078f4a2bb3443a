"""drive.json: the closing record of one drive. Signed, written last; a drive without it is open, not valid."""

from __future__ import annotations

from typing import Annotated

import msgspec

from packtrain.documents.codec import Count, Document, Instant, Label, Sha256, Uuid


class Drive(Document, frozen=True, kw_only=True):
    """One closed drive.

    Attributes:
        tagmanifest: SHA-256 of tagmanifest-sha256.txt, which names every other file but this one.
        group_document: SHA-256 of the group's group.json.
    """

    kind = "drive"

    shipment: Uuid
    attempt: Annotated[int, msgspec.Meta(ge=1, le=9999)]
    plan: Sha256
    uuid: Uuid
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
