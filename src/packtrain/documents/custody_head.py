"""custody-head: how long a custody log is and what its last line is, signed by its maker and by a counterpart."""

from __future__ import annotations

from typing import Annotated

import msgspec

from packtrain.documents.codec import Document, Instant, Sha256, Uuid
from packtrain.documents.parties import Role


class CustodyHead(Document, frozen=True, kw_only=True):
    """The head of a log at one moment. Each line names the one before it, so a head stands for the whole log below it.

    A counterpart that holds the same log signs the same bytes, in a second file NAME.ROLE.sig. From then on neither
    can show another log of this length, or a shorter one, without the other being able to show that it did.

    Attributes:
        shipment: UUID of the shipment.
        by: the role that made it.
        num_entries: how many lines the log has.
        last_line: SHA-256 of the last of them.
        last_at: the time that this line states.
        made_on: when the head was made, by its maker's clock; never before `last_at`.
    """

    kind = "custody-head"

    shipment: Uuid
    by: Role
    num_entries: Annotated[int, msgspec.Meta(ge=1, le=2**53 - 1)]
    last_line: Sha256
    last_at: Instant
    made_on: Instant
