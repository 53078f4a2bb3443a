"""Which samples a step saw, and which steps saw a sample: the loader's order asked again, without a loader.

Steps are counted from 1, as programs print them: step 1 is the first batch. The batch is taken to have had one size
from the first step on; a run that changed it has no such answer.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from packtrain.errors import SourceUnreadable
from packtrain.training.batches import GlobalBatchSampler, Position
from packtrain.training.order import EpochOrder, OrderVersion
from packtrain.training.store import INDEX_NAME, is_by_side

_COLUMNS: Final = ("key", "kind", "source", "shard", "offset", "length", "sha256")


@dataclass(frozen=True, slots=True)
class Run:
    """What decides which samples a step sees, beside the index.

    Attributes:
        seed, order_version: of the order.
        global_batch: samples of one step, over all workers.
        steps: how many were trained.
    """

    seed: int
    global_batch: int
    steps: int
    order_version: OrderVersion = "random-1"


class IndexRows:
    """The rows of an index as the loader counts them, without the table in memory.

    Args:
        root: the folder that holds index.parquet.
        split: as `SampleStore` takes it; None for all rows.

    Attributes:
        runs: lengths of the runs of rows that lie in one shard.

    Raises:
        SourceUnreadable: there is no index, or it lacks a column.
    """

    def __init__(self, root: Path, split: str | None = "train") -> None:
        self._path = root / INDEX_NAME
        try:
            with pq.ParquetFile(self._path) as index:
                names = index.schema_arrow.names
                self._split = split if is_by_side(split, names) else None
                if missing := sorted({*_COLUMNS, *(["split"] if self._split else [])} - set(names)):
                    raise SourceUnreadable("index lacks columns", where=str(self._path), found=", ".join(missing))
            shards = (row["shard"] for row in self._rows(["shard"]))
            self.runs = tuple(sum(1 for _ in group) for _, group in itertools.groupby(shards))
        except (OSError, pa.ArrowException) as error:
            raise SourceUnreadable(f"index cannot be read: {error}", where=str(self._path)) from error

    def __len__(self) -> int:
        """Return how many rows there are."""
        return sum(self.runs)

    def pick(self, wanted: Collection[int]) -> dict[int, dict[str, Any]]:
        """Return rows by their numbers."""
        asked, last = set(wanted), max(wanted, default=-1)
        found = itertools.islice(enumerate(self._rows(list(_COLUMNS))), last + 1)
        return {number: row for number, row in found if number in asked}

    def numbers_of(self, keys: Collection[str]) -> list[int]:
        """Return the numbers of the rows with these keys, rising."""
        asked = set(keys)
        return [number for number, row in enumerate(self._rows(["key"])) if row["key"] in asked]

    def numbers_by_source(self, sources: Collection[str]) -> dict[str, list[int]]:
        """Return by source the numbers of its rows, rising; sources without any are left out."""
        found: dict[str, list[int]] = {}
        for number, row in enumerate(self._rows(["source"])):
            if row["source"] in sources:
                found.setdefault(row["source"], []).append(number)
        return found

    def _rows(self, columns: list[str]) -> Iterator[dict[str, Any]]:
        with pq.ParquetFile(self._path) as index:
            for batch in index.iter_batches(columns=[*columns, *(["split"] if self._split else [])]):
                for row in batch.to_pylist():
                    if self._split is None or row["split"] == self._split:
                        yield row


def batch_of(rows: IndexRows, run: Run, step: int, rank: int = 0, world_size: int = 1) -> list[int]:
    """Return the numbers of the rows of one step, in the order in which this worker gets them.

    Worker 0 of 1 gets the whole batch, in the order in which more workers share it out.

    Raises:
        ValueError: there are no rows, or no such worker of a batch of this size.
    """
    start = Position(run.seed, 0, 0, run.order_version, "")
    position = start.advanced((step - 1) * run.global_batch, max(len(rows), 1))
    sampler = GlobalBatchSampler(len(rows), run.global_batch, rank, world_size, position, num_batches=1, runs=rows.runs)
    return next(iter(sampler))


def steps_of(rows: IndexRows, run: Run, numbers: Iterable[int]) -> list[int]:
    """Return the steps that saw any of these rows, rising; for each row and epoch it takes some microseconds."""
    asked, total, found = list(numbers), len(rows), set[int]()
    num_places = run.steps * run.global_batch
    for epoch in range(-(-num_places // total) if total and asked else 0):
        order = EpochOrder(rows.runs, seed=run.seed, epoch=epoch, version=run.order_version)
        for number in asked:
            place = epoch * total + order.place_of(number)
            if place < num_places:
                found.add(place // run.global_batch + 1)
    return sorted(found)


def in_ranges(steps: Sequence[int]) -> str:
    """Return rising numbers in words: "3, 17-18"; "none" where there are none."""
    ranges: list[list[int]] = []
    for step in steps:
        if ranges and step == ranges[-1][1] + 1:
            ranges[-1][1] = step
        else:
            ranges.append([step, step])
    return ", ".join(f"{first}" if first == last else f"{first}-{last}" for first, last in ranges) or "none"
