"""ready.json: the rehearsal's sheet. Signed only when every clause was shown; public."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from packtrain.documents.codec import Count, Document, Instant, Part, Sha256, Text, Uuid

Verdict = Literal["kept", "broken", "not shown"]


class Clause(Part, frozen=True, kw_only=True):
    """One clause of the contract, or one promise of packtrain, and what the rehearsal saw of it."""

    clause: Text
    verdict: Verdict
    evidence: Text


class Ready(Document, frozen=True, kw_only=True):
    """What one rehearsal showed.

    Attributes:
        shipment: UUID of the rehearsal shipment (purpose `rehearsal`); it is never the cargo's.
        kit: SHA-256 of kit.json.
        miniature: SHA-256 over the digests of the miniature's files.
        box: how the network was taken away, or why it could not be.
        ready_to_leave: every clause is kept.
        measurements: numbers by name, with their unit in the name.
    """

    kind = "ready"

    shipment: Uuid
    kit: Sha256
    miniature: Sha256
    box: Text
    clauses: Annotated[tuple[Clause, ...], msgspec.Meta(min_length=1, max_length=64)]
    ready_to_leave: bool
    num_steps: Count
    weights: Sha256 | None
    measurements: dict[str, float]
    finished: Instant
