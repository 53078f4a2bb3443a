"""provenance.json: how the results came to be. Signed by the consignee when it exports, by the operator on release."""

from __future__ import annotations

from typing import Annotated, Final

import msgspec

from packtrain.documents.codec import Count, Document, Instant, Part, Sha256, Text, Uuid

MAX_KITS: Final = 257
"""The kit that left, and one for each update."""
MAX_ATTEMPTS: Final = 10_000
"""Attempts that are told one by one; a document has room for no more."""


class Result(Part, frozen=True, kw_only=True):
    """One file of the results, in the clear."""

    name: Annotated[str, msgspec.Meta(pattern=r"\A[a-z0-9][a-z0-9._-]{0,99}\Z")]
    bytes: Count
    sha256: Sha256


class TrainedKit(Part, frozen=True, kw_only=True):
    """One kit that was in force at the site, in their order, and what was trained under it.

    Attributes:
        kit: SHA-256 of kit.json.
        ready: SHA-256 of its rehearsal's sheet; None where no signed one came along.
        update: SHA-256 of the kit-update.json that brought it; None for the kit that came on the drives.
        steps: the steps under it that led to the weights, "1-400", or "3, 17-18"; "" where there was none.
    """

    kit: Sha256
    ready: Sha256 | None
    update: Sha256 | None
    steps: Text


class TrainedAttempt(Part, frozen=True, kw_only=True):
    """One attempt at the training, as the engine noted it.

    Attributes:
        kit: SHA-256 of the kit.json it ran under; None where that was not noted.
        seconds: how long it ran.
        reason: why it ended, in the engine's words.
    """

    attempt: Annotated[int, msgspec.Meta(ge=1, le=2**53 - 1)]
    kit: Sha256 | None
    seconds: Annotated[float, msgspec.Meta(ge=0)]
    reason: Text


class Provenance(Document, frozen=True, kw_only=True):
    """What went out, what it was trained with, and what came of it, each by its SHA-256.

    The digests can be held against the signed papers that they are of. Steps, attempts, hosts and position are the
    consignee's word: nobody else was there.

    Attributes:
        cargo: SHA-256 over what was packed, as the plan has it; None where no plan is at the site.
        kits: none where no kit came along; the program is then known by `program` alone.
        program: SHA-256 over the program folder that trained last.
        training: SHA-256 of the receipt of the training.
        num_steps, num_samples: that led to the weights.
        position: where in the data the exported checkpoint stands, or why that is not known.
        hosts, workers, engine, versions: on what it ran.
        export_list: SHA-256 of the list of what left.
        results: the digest over all files that the list has.
    """

    kind = "provenance"

    shipment: Uuid
    shipment_root: Sha256
    plan: Sha256
    cargo: Sha256 | None
    admission: Sha256
    kits: Annotated[tuple[TrainedKit, ...], msgspec.Meta(max_length=MAX_KITS)]
    program: Sha256
    training: Sha256
    num_steps: Count
    num_samples: Count
    attempts: Annotated[tuple[TrainedAttempt, ...], msgspec.Meta(max_length=MAX_ATTEMPTS)]
    position: Text
    hosts: Annotated[tuple[Text, ...], msgspec.Meta(max_length=4096)]
    workers: Count
    engine: Text
    versions: dict[str, Text]
    export_list: Sha256
    results: Sha256
    files: Annotated[tuple[Result, ...], msgspec.Meta(min_length=1, max_length=10_000)]
    trained_on: Instant
    made_on: Instant
