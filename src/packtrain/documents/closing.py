"""closing.json: one party's closing record: keys destroyed, drives sanitised or not, what is kept."""

from __future__ import annotations

from typing import Annotated

import msgspec

from packtrain.documents.codec import Count, Document, Instant, Part, Sha256, Text, Uuid
from packtrain.documents.parties import Role
from packtrain.documents.sanitisation import Result


class ClosedDrive(Part, frozen=True, kw_only=True):
    """What became of one drive. `not sanitised` is the truth wherever nothing ran, or what ran is not known here.

    `record` is the SHA-256 of the sanitisation that says it: the newest of this drive; None where there is none.
    """

    uuid: Uuid
    label: Text
    sanitisation: Result
    record: Sha256 | None
    detail: Text


class Closing(Document, frozen=True, kw_only=True):
    """The record that ends one party's voyage.

    Attributes:
        keys_destroyed: names of the key files that were overwritten and removed: below keys/ by their name, elsewhere
            in the voyage folder by their path.
        not_reached: copies and bytes that this record says nothing of.
        kept: documents that stay: dossier, custody, admission, export list, signing keys.
    """

    kind = "closing"

    shipment: Uuid
    by: Role
    export_list: Sha256 | None
    keys_destroyed: tuple[Text, ...]
    not_reached: Annotated[tuple[Text, ...], msgspec.Meta(max_length=32)]
    drives: Annotated[tuple[ClosedDrive, ...], msgspec.Meta(max_length=4096)]
    kept: tuple[Text, ...]
    retention_years: Count
    closed_on: Instant
