"""withdrawals.json: which sources were taken out of the data set, and which came back. No entry is ever removed."""

from __future__ import annotations

from typing import Annotated, Final, Literal

import msgspec

from packtrain.documents.codec import Count, Document, Instant, Part, Sha256, Text

MAX_WITHDRAWALS: Final = 200_000
"""A source withdrawn is one entry; a collection larger than this is left out of [sources] paths instead."""


class Withdrawal(Part, frozen=True, kw_only=True):
    """One decision about one source. The last one about it holds.

    Attributes:
        source: its name, as in sources.parquet.
        sha256: of the whole file as it was read; None where it never was. No file with these bytes comes in under
            another name.
        decision: "withdrawn", or "restored" where a withdrawal was undone.
        reason: in the words of who decided.
        decided_on: when.
        num_samples: how many samples of it were in the data set then.
        steps: which training steps had seen them ("3, 17-18"), as far as that was known here; "" where no training was.
    """

    source: Annotated[str, msgspec.Meta(min_length=1, max_length=65_536)]
    sha256: Sha256 | None
    decision: Literal["withdrawn", "restored"]
    reason: Text
    decided_on: Instant
    num_samples: Count
    steps: Text


class Withdrawals(Document, frozen=True, kw_only=True):
    """All decisions, in the order in which they were made."""

    kind = "withdrawals"

    voyage: Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
    entries: Annotated[tuple[Withdrawal, ...], msgspec.Meta(max_length=MAX_WITHDRAWALS)]

    def in_force(self) -> dict[str, Withdrawal]:
        """Return by source the withdrawals that were not undone."""
        last = {entry.source: entry for entry in self.entries}
        return {source: entry for source, entry in last.items() if entry.decision == "withdrawn"}
