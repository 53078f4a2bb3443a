"""custody: one entry of the custody log, a chain of signed JSON lines."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from packtrain.documents.codec import Count, Document, Instant, Label, Sha256, Text, Uuid
from packtrain.documents.parties import Role

CustodyVerb = Literal[
    "sighted",
    "formatted",
    "opened",
    "closed",
    "sealed",
    "released",
    "accepted",
    "seal-checked",
    "seal-broken",
    "lost",
    "replaced",
    "repaired",
    "loaded",
    "amended",
    "returned",
    "erased",
]


class CustodyEvent(Document, frozen=True, kw_only=True):
    """One event. A hand-over is two: `released` by one side, `accepted` by the other, which names the first by digest.

    Attributes:
        sequence: counted from 0 in this log.
        previous: SHA-256 of the line before (its bytes without the newline); 64 zeros for the first.
        by: the role whose key signs this entry.
        counterpart: the other side of a hand-over.
        answers: for `accepted`, the SHA-256 of the `released` line.
        cases, drives: what the event is about.
        note: plain words: place, person, seal numbers, what was seen. Empty on drives.
    """

    kind = "custody"

    sequence: Count
    previous: Sha256
    shipment: Uuid
    verb: CustodyVerb
    by: Role
    counterpart: Role | None
    answers: Sha256 | None
    cases: tuple[Label, ...]
    drives: Annotated[tuple[Uuid, ...], msgspec.Meta(max_length=4096)]
    seals: tuple[Text, ...]
    note: Text
    at: Instant
