"""What was settled about adopted shards as index rows and a list of shards: no byte of them is read here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from packtrain.dataset.adopt.names import name_on_drives, split_of
from packtrain.documents.dataset import Kind, Shard, Split
from packtrain.errors import IntegrityError


@dataclass(slots=True)
class LaidShard:
    """A shard among the sources and in the data set.

    Attributes:
        source: its name among the sources.
        name: its name in the data set.
        num_of_kind: samples of it that are in the index, by kind.
    """

    source: str
    name: str
    split: Split
    bytes: int
    sha256: str
    mtime_ns: int
    num_of_kind: dict[str, int]

    def document(self) -> Shard:
        """Return its document form."""
        kind = max(sorted(self.num_of_kind), key=lambda each: self.num_of_kind[each])
        return Shard(
            name=self.name,
            kind=msgspec.convert(kind, Kind),
            split=self.split,
            bytes=self.bytes,
            sha256=self.sha256,
            num_samples=sum(self.num_of_kind.values()),
        )


class AdoptedLayout:
    """The shards by their names among the sources. Add them all, then send the settled rows through `index_rows`."""

    def __init__(self) -> None:
        self._shards: dict[str, LaidShard] = {}
        self._names: dict[str, str] = {}

    def add(self, source: str, size_bytes: int, sha256: str, mtime_ns: int, split: str = "") -> None:
        """Take a shard that was read; `split` where a document says it.

        Raises:
            IntegrityError: two shards would have one name in the data set.
        """
        name = name_on_drives(source)
        if name in self._names:
            raise IntegrityError(
                "two shards would have one name on the drives",
                where=source,
                found=self._names[name],
                hint="give one of them another name",
            )
        self._names[name] = source
        side = msgspec.convert(split, Split) if split else split_of(source)
        self._shards[source] = LaidShard(source, name, side, size_bytes, sha256, mtime_ns, {})

    def index_rows(self, rows: Iterable[Mapping[str, Any]], recipe: str) -> Iterator[dict[str, Any]]:
        """Yield the index row of each sample that is kept, and count it with its shard.

        Args:
            rows: kept samples in their order. Withdrawn ones are left out: their bytes stay in the shard.
            recipe: digest for the index.
        """
        for row in rows:
            if row["withdrawn"]:
                continue
            shard = self._shards[row["source"]]
            kind = row["kind"]
            shard.num_of_kind[kind] = shard.num_of_kind.get(kind, 0) + 1
            length = row["num_rows"] if kind == "table" else row["blob_bytes"]
            yield index_row(row, shard, row["blob_offset"], length, row["detail"], recipe)

    def of(self, source: str) -> LaidShard:
        """Return the shard of this name among the sources."""
        return self._shards[source]

    def num_of_side(self) -> dict[tuple[str, str], int]:
        """Return how many samples are in the index, by kind and side."""
        found: dict[tuple[str, str], int] = {}
        for shard in self._shards.values():
            for kind, number in shard.num_of_kind.items():
                found[kind, shard.split] = found.get((kind, shard.split), 0) + number
        return found

    def used(self) -> list[LaidShard]:
        """Return the shards with a sample in the index, by their names in the data set: the others stay at home."""
        return sorted((shard for shard in self._shards.values() if shard.num_of_kind), key=lambda shard: shard.name)


def index_row(
    row: Mapping[str, Any], shard: LaidShard, offset: int, length: int, detail: str, recipe: str
) -> dict[str, Any]:
    """Return the index row of a sample that has its place in a shard."""
    return {
        "key": row["key"],
        "kind": row["kind"],
        "split": shard.split,
        "shard": shard.name,
        "offset": offset,
        "length": length,
        "sha256": row["sha256"],
        "source": row["source"],
        "source_sha256": row["source_sha256"],
        "detail": detail,
        "recipe": recipe,
    }
