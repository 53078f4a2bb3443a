"""closing.json: one party's closing record: keys destroyed, drives sanitised or not, what is kept."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from packtrain.documents.codec import Count, Document, Instant, Part, Sha256, Text, Uuid
from packtrain.documents.parties import Role


class ClosedDrive(Part, frozen=True, kw_only=True):
    """What became of one drive. `not sanitised` is the truth wherever no device command ran."""

    uuid: Uuid
    label: Text
    sanitisation: Literal["Clear", "Purge", "not sanitised"]
    detail: Text


class Closing(Document, frozen=True, kw_only=True):
    """The record that ends one party's voyage.

    Attributes:
        keys_destroyed: names of the key files that were overwritten and removed.
        kept: documents that stay: dossier, custody, admission, export list, signing keys.
    """

    kind = "closing"

    shipment: Uuid
    by: Role
    export_list: Sha256 | None
    keys_destroyed: tuple[Text, ...]
    drives: Annotated[tuple[ClosedDrive, ...], msgspec.Meta(max_length=4096)]
    kept: tuple[Text, ...]
    retention_years: Count
    closed_on: Instant
