"""group.json: every volume of one group. Public, signed when the group closes; lies on each of its drives."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from packtrain.documents.codec import Count, Document, Part, Sha256, Uuid

Readback = Literal["direct", "dropped", "memory"]


class Volume(Part, frozen=True, kw_only=True):
    """One volume: where it lies and what its bytes are.

    Columns 0 .. k-1 are data (`data/SSSSSSS-CC.tar.age`), k .. n-1 parity (`data/SSSSSSS-CC.parity`). `bytes` 0 means a
    missing column of the last stripe, which has no file; `sha256` and `blocks_sha256` are then those of no bytes.
    """

    stripe: Annotated[int, msgspec.Meta(ge=0, le=9_999_999)]
    column: Annotated[int, msgspec.Meta(ge=0, le=254)]
    drive: Uuid
    bytes: Count
    sha256: Sha256
    blocks_sha256: Sha256
    readback: Readback


class Catalog(Part, frozen=True, kw_only=True):
    """The group's encrypted catalog, the same bytes on each drive of the group."""

    bytes: Count
    sha256: Sha256


class Group(Document, frozen=True, kw_only=True):
    """What one group holds, as read back from its drives. Volumes are sorted by stripe and column, and complete."""

    kind = "group"

    shipment: Uuid
    attempt: Annotated[int, msgspec.Meta(ge=1, le=9999)]
    plan: Sha256
    group: Annotated[int, msgspec.Meta(ge=0, le=9999)]
    k: Annotated[int, msgspec.Meta(ge=1, le=255)]
    m: Annotated[int, msgspec.Meta(ge=0, le=254)]
    drives: Annotated[tuple[Uuid, ...], msgspec.Meta(min_length=1, max_length=255)]
    num_stripes: Annotated[int, msgspec.Meta(ge=0, le=10_000_000)]
    volumes: Annotated[tuple[Volume, ...], msgspec.Meta(max_length=20_000_000)]
    catalog: Catalog
    num_files: Count
    plaintext_bytes: Count
