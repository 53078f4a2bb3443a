"""shipment-key: the payload of a key envelope. Names the shipment and the plan, so an envelope cannot be swapped."""

from __future__ import annotations

from typing import Annotated

import msgspec

from packtrain.documents.codec import Document, Sha256, Uuid


class ShipmentKey(Document, frozen=True, kw_only=True):
    """The age identity of one shipment. Signed by the consignor, then wrapped; it never lies unwrapped on a medium."""

    kind = "shipment-key"

    shipment: Uuid
    plan: Sha256
    identity: Annotated[str, msgspec.Meta(pattern=r"\AAGE-SECRET-KEY-1[02-9AC-HJ-NP-Z]{58}\Z")]
