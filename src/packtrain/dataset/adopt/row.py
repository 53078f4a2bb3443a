"""A sample of an adopted shard on its way: what reading it gives, and its row in the unit's table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from packtrain.dataset.rejects import Reject, RejectStage
from packtrain.dataset.sample_row import sample_row
from packtrain.dataset.scan.counts import SourceScan
from packtrain.dataset.sources import key_prefix
from packtrain.documents.dataset import Kind

MAX_SAMPLES: Final = 1 << 18
"""Of one shard; its rows are held until the whole of it was read, since a shard that is cut is set aside whole."""
MAX_NAMED: Final = 10_000  # rejects of one shard that are named one by one


@dataclass(frozen=True, slots=True)
class ShardToAdopt:
    """A shard among the sources, and what somebody said of it.

    Attributes:
        name, size_bytes, mtime_ns: as the walk saw it.
        sha256: what a croissant or dataset.json says its digest is; "" where nothing is said.
        split: the side that a data set's own document puts it on; "" where its name decides.
        kind: of all its samples, by such a document; "" where each sample's media member decides.
    """

    name: str
    size_bytes: int
    mtime_ns: int
    sha256: str = ""
    split: str = ""
    kind: str = ""


@dataclass(slots=True)
class AdoptedShard:
    """What reading one shard gave; a shard that is set aside as a whole has no rows.

    Attributes:
        rows: of the unit's table; they hold the shard's digest in `source_sha256` once it is known.
        num_samples: seen, with those that were set aside.
        num_lost: of these, set aside.
        key_prefix: what the keys of its samples begin with.
    """

    shard: ShardToAdopt
    sha256: str = ""
    rows: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    rejects: list[Reject] = field(default_factory=list[Reject])
    num_samples: int = 0
    num_lost: int = 0
    scan: SourceScan | None = None
    key_prefix: str = ""

    def __post_init__(self) -> None:
        self.key_prefix = key_prefix(self.shard.name)

    @property
    def lost(self) -> float:
        """Return the share of the shard that was set aside, 0 to 1; of one that the recipe leaves out nothing was."""
        return self.num_lost / self.num_samples if self.num_samples else float(bool(self.rejects))

    @property
    def kind(self) -> str:
        """Return the kind of most of its samples, "" for none."""
        counts: dict[str, int] = {}
        for row in self.rows:
            counts[row["kind"]] = counts.get(row["kind"], 0) + 1
        return max(sorted(counts), key=lambda kind: counts[kind], default="")

    def add(
        self,
        *,
        kind: Kind,
        sha256: str,
        suffix: str,
        offset: int,
        length: int,
        unit: str,
        detail: Mapping[str, object],
        num_rows: int = 0,
        measures: Mapping[str, float] | None = None,
        fingerprint: bytes = b"",
    ) -> None:
        """Take one sound sample: `length` bytes at `offset`, or of a table `num_rows` rows from row `offset`."""
        self.rows.append(
            sample_row(
                key=f"{self.key_prefix}-{self.num_samples - 1:08d}",
                kind=kind,
                source=self.shard.name,
                source_sha256="",
                sha256=sha256,
                suffix=suffix,
                unit=unit,
                blob_offset=offset,
                blob_bytes=length,
                num_rows=num_rows,
                detail=detail,
                measures=measures or {},
                fingerprint=fingerprint,
            )
        )

    def set_aside(self, place: str, error: str, kind: str, num_bytes: int, stage: RejectStage = "decode") -> None:
        """Name one sample that is left out of the index; it stays in the shard."""
        self.num_lost += 1
        if len(self.rejects) < MAX_NAMED:
            self.rejects.append(self._reject(stage, place, error, kind, num_bytes))

    def set_aside_whole(self, error: str, kind: str, stage: RejectStage = "decode") -> None:
        """Void what was read: the shard is left where it lies and is no part of the data set."""
        self.rows.clear()
        self.rejects.clear()
        self.num_samples = self.num_lost = 0
        self.scan = None
        self.rejects.append(self._reject(stage, "", error, kind, self.shard.size_bytes))

    def finish(self, kind: str) -> None:
        """Write the digest, known only now, into what was taken."""
        for row in self.rows:
            row["source_sha256"] = self.sha256
        if self.num_lost > len(self.rejects) and self.rejects:
            more = f"and {self.num_lost - len(self.rejects)} more samples of this shard"
            self.rejects.append(self._reject("decode", "", more, kind, 0))
        self.rejects = [msgspec.structs.replace(each, sha256=self.sha256) for each in self.rejects]

    def _reject(self, stage: RejectStage, place: str, error: str, kind: str, num_bytes: int) -> Reject:
        return Reject(
            path=self.shard.name, sha256="", kind=kind, stage=stage, place=place, error=error, bytes=num_bytes
        )
