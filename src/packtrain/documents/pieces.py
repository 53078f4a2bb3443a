"""pieces.json: a released outbox, cut into pieces for a thin link. Signed by the consignee."""

from __future__ import annotations

from typing import Annotated

import msgspec

from packtrain.documents.codec import Count, Document, Part, Sha256, Uuid

MAX_PIECE_BYTES = 4 << 30


class Piece(Part, frozen=True, kw_only=True):
    """One piece; its digest is the name that it travels under."""

    sha256: Sha256
    bytes: Annotated[int, msgspec.Meta(ge=1, le=MAX_PIECE_BYTES)]


class PiecedFile(Part, frozen=True, kw_only=True):
    """One file of the outbox: its pieces, joined in this order, are it."""

    name: Annotated[str, msgspec.Meta(pattern=r"\A[a-z0-9][a-z0-9._-]{0,149}\Z")]
    bytes: Count
    sha256: Sha256
    pieces: Annotated[tuple[Piece, ...], msgspec.Meta(min_length=1)]


class Pieces(Document, frozen=True, kw_only=True):
    """All files of one outbox, in the order in which they are best sent: the list, the weights, the rest.

    Attributes:
        export_list: SHA-256 of export-list.json, which both sides of the site signed.
        piece_bytes: of every piece but the last of a file.
    """

    kind = "pieces"

    shipment: Uuid
    export_list: Sha256
    piece_bytes: Annotated[int, msgspec.Meta(ge=1, le=MAX_PIECE_BYTES)]
    files: Annotated[tuple[PiecedFile, ...], msgspec.Meta(min_length=3, max_length=20_000)]
