"""Where the parts of a prepared data set lie."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from packtrain.dataset.sources import Sources
from packtrain.dataset.work_units import UnitFolder


@dataclass(frozen=True, slots=True)
class Where:
    """The places that are looked into.

    Attributes:
        dataset: the folder with index.parquet and the shards.
        units: what the units read: the bytes of samples that are not the source file itself.
        sources: None where a source path is not there any more.
        spill: for what does not fit into memory.
        adopted: of a data set that adopted its shards, where each lies by its name; else empty.
    """

    dataset: Path
    units: UnitFolder
    sources: Sources | None
    spill: Path
    adopted: Mapping[str, Path] = field(default_factory=dict[str, Path])

    def shard(self, name: str) -> Path:
        """Return where a shard of the index lies."""
        return self.adopted.get(name, self.dataset / name)
