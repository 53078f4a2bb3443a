"""ready.json: the rehearsal's sheet. Signed only when nothing was broken and all that must be kept was seen; public."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from packtrain.documents.codec import Count, Document, Instant, Part, Sha256, Text, Uuid

Verdict = Literal["kept", "broken", "not kept", "not shown"]
"""*kept*: it was seen. *broken*: the opposite was seen, and the program must be mended. *not kept*: the opposite was
seen of something that a program need not promise. *not shown*: nothing was seen of it; the evidence says why."""


class Clause(Part, frozen=True, kw_only=True):
    """One clause of the contract, or one promise of packtrain, and what the rehearsal saw of it.

    Attributes:
        optional: the sheet is signed without it, too, unless it is broken.
    """

    clause: Text
    verdict: Verdict
    evidence: Text
    optional: bool = False


class StepLoss(Part, frozen=True, kw_only=True):
    """The loss of one step, as the program wrote it."""

    step: Count
    loss: float


class UndisturbedRun(Part, frozen=True, kw_only=True):
    """The rehearsal's run to which nothing was done: what the site runs again, and holds its own losses against.

    Attributes:
        num_workers: processes of it.
        num_steps: what {steps} was.
        losses: in the order of steps, the first ones where there are more; none where the program writes no step lines.
    """

    num_workers: Annotated[int, msgspec.Meta(ge=1, le=4096)]
    num_steps: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)]
    losses: Annotated[tuple[StepLoss, ...], msgspec.Meta(max_length=4096)]


class Ready(Document, frozen=True, kw_only=True):
    """What one rehearsal showed.

    Attributes:
        shipment: UUID of the rehearsal shipment (purpose `rehearsal`); it is never the cargo's.
        kit: SHA-256 of kit.json.
        miniature: SHA-256 over the digests of the miniature's files.
        box: how the network was taken away, or why it could not be.
        ready_to_leave: no clause is broken, and every clause that is not optional is kept.
        measurements: numbers by name, with their unit in the name.
        undisturbed: the run to which nothing was done; None where it did not come to its end.
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
    undisturbed: UndisturbedRun | None = None
