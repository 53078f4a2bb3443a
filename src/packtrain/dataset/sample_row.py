"""A sample's row in the table of its unit, as it is before anything is settled about it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import rfc8785

from packtrain.dataset.part import NO_PART
from packtrain.documents.dataset import Kind


def sample_row(
    *,
    key: str,
    kind: Kind,
    source: str,
    source_sha256: str,
    sha256: str,
    suffix: str,
    unit: str,
    blob_offset: int,
    blob_bytes: int,
    detail: Mapping[str, object],
    measures: Mapping[str, float],
    fingerprint: bytes,
    table: str = "",
    num_rows: int = 0,
) -> dict[str, Any]:
    """Return a row of `index.SAMPLE_SCHEMA`, which says what its columns are: in no part, and not withdrawn."""
    return {
        "key": key,
        "kind": kind,
        "source": source,
        "source_sha256": source_sha256,
        "sha256": sha256,
        "suffix": suffix,
        "table": table,
        "num_rows": num_rows,
        "unit": unit,
        "blob_offset": blob_offset,
        "blob_bytes": blob_bytes,
        "part_bytes": NO_PART.num_bytes,
        "part_sha256": NO_PART.sha256,
        "part_blocks": NO_PART.num_blocks,
        "row_group": 0,
        "detail": rfc8785.dumps(dict(detail)).decode("utf-8"),  # pyright: ignore[reportArgumentType]
        "measures": sorted(measures.items()),
        "fingerprint": fingerprint,
        "withdrawn": False,
    }
