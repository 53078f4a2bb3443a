"""Samples from the store, in an order that survives restarts.

It hands out bytes, or what a function of the program makes of them. torch is not needed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from packtrain.errors import DataOrderChanged
from packtrain.training.batches import GlobalBatchSampler, Position
from packtrain.training.reading import MakeBatch, read_in_processes
from packtrain.training.store import INDEX_NAME, Sample, SampleStore, is_by_side

__all__ = ["INDEX_NAME", "Position", "PositionedLoader", "Sample", "SampleStore", "is_by_side", "open_loader"]


class PositionedLoader:
    """Yields the samples of each step, and knows where in the data it stands.

    Iterate it once: a second time would begin where the first did, and count on. `position` counts what was handed out
    and not what was read ahead: kept in a checkpoint after the step, it is where the next run has to begin.

    Attributes:
        position: after the batch that was handed out last.
    """

    def __init__(
        self,
        store: SampleStore,
        sampler: GlobalBatchSampler,
        position: Position,
        make_batch: MakeBatch | None,
        num_processes: int,
    ) -> None:
        self._store = store
        self._sampler = sampler
        self._make_batch = make_batch
        self._num_processes = num_processes
        self.position = position
        self._is_begun = False

    def __iter__(self) -> Iterator[Any]:
        """Yield this worker's samples of one step, or what the program makes of them.

        Raises:
            RuntimeError: it was iterated before.
        """
        if self._is_begun:
            raise RuntimeError("a loader is iterated once; open another one at its position")
        self._is_begun = True
        for batch in self._batches():
            self.position = self.position.advanced(self._sampler.global_batch, len(self._store))
            yield batch

    def _batches(self) -> Iterator[Any]:
        if self._num_processes:
            yield from read_in_processes(self._store, self._sampler, self._num_processes, self._make_batch)
            return
        for rows in self._sampler:
            samples = self._store.__getitems__(rows)
            yield samples if self._make_batch is None else self._make_batch(samples)


def open_loader(
    store: SampleStore,
    position: Position,
    *,
    global_batch: int,
    rank: int,
    world_size: int,
    num_batches: int | None = None,
    num_processes: int = 0,
    make_batch: MakeBatch | None = None,
) -> PositionedLoader:
    """Return a loader that begins at `position`, for this rank of `world_size`.

    Args:
        store: the samples.
        position: `Position.start(...)`, or what the checkpoint holds.
        global_batch: samples of one step over all ranks; it may change between runs.
        rank, world_size: as the launcher says; they may change between runs.
        num_batches: steps to go; None for ever.
        num_processes: processes that read ahead, three batches each; 0 reads in this one.
        make_batch: what to hand out instead of samples: it is called with those of a step, in the process that reads
            them, so that decoding is spread over the processes. They know nothing of what changes from step to step,
            and their random numbers are alike: draw from seed and key where chance is wanted.

    Raises:
        DataOrderChanged: the position was counted in another data set's index.

    With processes, up to three batches of each are in memory: 192 MiB a process, or more where one batch is larger than
    64 MiB.
    """
    if position.index_digest != store.index_digest:
        raise DataOrderChanged(
            "checkpoint belongs to another data set",
            where=str(store.root / INDEX_NAME),
            expected=f"index {position.index_digest[:12]}",
            found=f"index {store.index_digest[:12]}",
            hint="load the data set it was made with, or start with an empty checkpoint folder",
        )
    sampler = GlobalBatchSampler(
        len(store),
        global_batch,
        rank,
        world_size,
        position,
        num_batches=num_batches,
        runs=store.runs() if position.order_version == "block-1" else None,
    )
    return PositionedLoader(store, sampler, position, make_batch, num_processes)
