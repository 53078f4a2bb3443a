"""export-list.json: the only things that leave the site. Signed by consignee and operator."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from packtrain.documents.codec import Count, Document, Instant, Part, Sha256, Text, Uuid


class ExportedTensor(Part, frozen=True, kw_only=True):
    """One tensor that may leave: name, dtype and shape as declared by the training program's export declaration."""

    name: Text
    dtype: Text
    shape: tuple[Count, ...]
    bytes: Count


class Packing(Part, frozen=True, kw_only=True):
    """How a file was made smaller before it was sealed.

    Attributes:
        form: of the compressed file: docs/spec/weights-1.md.
        bytes: of the compressed file.
        base: SHA-256 of the weights that it is a difference to, which the consignor must have; None where it is none.
    """

    form: Literal["packtrain-weights-1"]
    bytes: Count
    base: Sha256 | None


class ExportedFile(Part, frozen=True, kw_only=True):
    """One file that leaves: its digest in the clear, and the digest of the age file that travels.

    `packed` says how it was compressed; None where it was sealed as it is.
    """

    name: Annotated[str, msgspec.Meta(pattern=r"\A[a-z0-9][a-z0-9._-]{0,99}\Z")]
    bytes: Count
    sha256: Sha256
    sealed_bytes: Count
    sealed_sha256: Sha256
    packed: Packing | None = None


class ExportList(Document, frozen=True, kw_only=True):
    """What comes home, tied to what went out.

    Attributes:
        results: one SHA-256 over the names and digests of all files (the `results_sha256` of the demo).
        checks: what was looked for and what was found, in words.
    """

    kind = "export-list"

    shipment: Uuid
    shipment_root: Sha256
    admission: Sha256
    kit: Sha256 | None
    training: Sha256
    files: Annotated[tuple[ExportedFile, ...], msgspec.Meta(min_length=1, max_length=10_000)]
    tensors: tuple[ExportedTensor, ...]
    results: Sha256
    checks: tuple[Text, ...]
    text_budget_bytes: Count
    made_on: Instant
