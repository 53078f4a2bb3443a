"""A receipt: what a stage did, from which inputs, into which outputs. A stage is done when its receipt is valid."""

from __future__ import annotations

from typing import Annotated

import msgspec

from packtrain.documents.codec import Count, Document, Instant, Sha256, Text


class Receipt(Document, frozen=True, kw_only=True):
    """One run of one stage.

    Attributes:
        inputs: name of each input that invalidates the stage -> its SHA-256.
        outputs: name of each document it wrote -> its SHA-256.
        counts: what was counted (samples, volumes, steps, bytes), by name; names of bytes end in `_bytes`.
        facts: short texts that belong to the record (digests, verdicts, "not shown: ...").
        seconds: elapsed wall time.
        versions: software versions that mattered.
    """

    kind = "receipt"

    stage: Annotated[str, msgspec.Meta(pattern=r"\A[a-z][a-z0-9-]{0,31}\Z")]
    inputs: dict[str, Sha256]
    outputs: dict[str, Sha256]
    counts: dict[str, Count]
    facts: dict[str, Text]
    seconds: Annotated[float, msgspec.Meta(ge=0)]
    finished: Instant
    versions: dict[str, Text]
