"""kit-update.json: one change of the kit after departure. Signed by the consignor, countersigned by the operator."""

from __future__ import annotations

from typing import Annotated, Final

import msgspec

from packtrain.documents.codec import Document, Instant, Sha256, Uuid
from packtrain.documents.kit import KitFile, KitName

MAX_UPDATES: Final = 256
"""How often the kit of one shipment can be changed."""


class KitUpdate(Document, frozen=True, kw_only=True):
    """From which kit to which; each update names the one before it, so that none is left out or taken twice.

    Attributes:
        number: 1 for the first after departure.
        supersedes: SHA-256 of the kit-update.json before it; None for the first.
        from_kit, to_kit: SHA-256 of kit.json before and after.
        ready: SHA-256 of the sheet of the new kit's own rehearsal.
        files: what is new or changed in the kit: only these travel, all others are taken from the kit that is there.
        removed: names of files that the new kit has no more.
        export_rules_changed: the new program declares another export than the one before: the operator is shown how.
        command_changed: it is started by another command.
        reason: why, in the words of the person who makes it.
    """

    kind = "kit-update"

    shipment: Uuid
    shipment_root: Sha256
    number: Annotated[int, msgspec.Meta(ge=1, le=MAX_UPDATES)]
    supersedes: Sha256 | None
    from_kit: Sha256
    to_kit: Sha256
    ready: Sha256
    files: Annotated[tuple[KitFile, ...], msgspec.Meta(max_length=100_000)]
    removed: Annotated[tuple[KitName, ...], msgspec.Meta(max_length=100_000)]
    export_rules_changed: bool
    command_changed: bool
    reason: Annotated[str, msgspec.Meta(min_length=1, max_length=4096)]
    created: Instant
