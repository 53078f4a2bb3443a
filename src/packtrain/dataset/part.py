"""Where the blocks of a table lie between the passes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

MAX_SAMPLES: Final = 65_536
"""Of one shard, and of one part: the layout is held in memory and handed to a process."""


@dataclass(frozen=True, slots=True)
class Part:
    """A Parquet file in the blobs of a unit.

    Attributes:
        offset, num_bytes: where.
        sha256: of these bytes.
        num_blocks: row groups in it; each is one sample.
    """

    offset: int
    num_bytes: int
    sha256: str
    num_blocks: int


NO_PART: Final = Part(0, 0, "", 0)
