"""Why a sample that was read is not kept: the words of the column `reason` of drops.parquet."""

from __future__ import annotations

from typing import Final

FILTER: Final = "filter"
DUPLICATE: Final = "duplicate"
NEAR_DUPLICATE: Final = "near-duplicate"
WITHDRAWN: Final = "withdrawn"

GONE: Final = "its source was withdrawn"
EQUAL: Final = "same bytes as a withdrawn sample"
ALIKE: Final = "looks like a withdrawn sample"
"""In the column `rule`, of what was withdrawn and of what stays out, or goes, because of it."""
