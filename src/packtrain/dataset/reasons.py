"""Why a sample that was read is not kept: the words of the column `reason` of drops.parquet."""

from __future__ import annotations

from typing import Final

FILTER: Final = "filter"
DUPLICATE: Final = "duplicate"
NEAR_DUPLICATE: Final = "near-duplicate"
WITHDRAWN: Final = "withdrawn"
