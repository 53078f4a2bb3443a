"""Which samples a step sees: a pure function of seed and position, whatever the number of workers and the batch size.

Epochs follow each other without a seam, so a batch may hold the end of one epoch and the start of the next:
nothing is dropped at the end of an epoch, and nothing is padded.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Final, Literal

import numpy as np

from packtrain.errors import DataOrderChanged
from packtrain.training.order import ORDER_VERSIONS, EpochOrder, OrderVersion, Whole

Order = Literal["random", "block", "sequential"]
VERSION_OF_ORDER: Final[Mapping[str, OrderVersion]] = {
    "random": "random-1",
    "block": "block-1",
    "sequential": "sequential-1",
}
"""The rule that a training of this release begins under."""
_DRAWN_AHEAD: Final = 4096  # places of one worker that are looked up together: one by one they took 9 microseconds each


@dataclass(frozen=True, slots=True)
class Position:
    """Where training stands in its data: the loader's whole state, to be kept in the checkpoint.

    Attributes:
        seed: of the order.
        epoch: counted from 0.
        samples_consumed: within this epoch, by all workers together.
        order_version: the rule of the order.
        index_digest: SHA-256 of the index.parquet that rows are counted in.
    """

    seed: int
    epoch: int
    samples_consumed: int
    order_version: OrderVersion
    index_digest: str

    @classmethod
    def start(cls, seed: int, index_digest: str, order: Order = "random") -> Position:
        """Return the position before the first sample.

        Args:
            order: "random" mixes the whole data set; "block" permutes shards, and samples inside windows of 4096;
                "sequential" is the order of the index, as an evaluation wants it.
        """
        return cls(seed, 0, 0, VERSION_OF_ORDER[order], index_digest)

    @classmethod
    def from_dict(cls, fields: Mapping[str, object], where: str = "the checkpoint") -> Position:
        """Return the position that a checkpoint holds.

        Raises:
            DataOrderChanged: a field is missing, unknown or of another type, or the order is one that this release
                does not know.
        """
        kinds: dict[str, type] = {
            "seed": int,
            "epoch": int,
            "samples_consumed": int,
            "order_version": str,
            "index_digest": str,
        }
        if set(fields) != set(kinds) or any(type(fields[name]) is not kind for name, kind in kinds.items()):
            raise DataOrderChanged("checkpoint holds no data position of this release", where=where)
        if fields["order_version"] not in ORDER_VERSIONS:
            raise DataOrderChanged(
                "checkpoint was made under another order of the data",
                where=where,
                expected=" or ".join(ORDER_VERSIONS),
                found=str(fields["order_version"])[:64],
                hint="go on with the release of packtrain that made the checkpoint",
            )
        position = cls(**fields)  # pyright: ignore[reportArgumentType] - types were compared above
        if min(position.epoch, position.samples_consumed) < 0:
            raise DataOrderChanged("checkpoint holds a negative data position", where=where)
        return position

    def to_dict(self) -> dict[str, int | str]:
        """Return the fields, as plain JSON values."""
        return asdict(self)

    def advanced(self, num_consumed: int, num_samples: int) -> Position:
        """Return the position after `num_consumed` more samples of a data set of `num_samples`."""
        epochs, consumed = divmod(self.samples_consumed + num_consumed, num_samples)
        return replace(self, epoch=self.epoch + epochs, samples_consumed=consumed)


class GlobalBatchSampler:
    """Yields this worker's rows of each global batch: a torch `batch_sampler` without state of its own.

    The r-th of w workers takes every w-th sample of a batch, from the r-th on; together they take each sample once,
    for any w up to the batch size. Where the batch is no multiple of w, shares differ by one sample: weigh losses by
    the global batch.

    Args:
        num_samples: rows of the index.
        global_batch: samples of one step, over all workers.
        rank, world_size: this worker, and how many there are.
        position: where to begin.
        num_batches: how many to yield; None goes on for ever.
        runs: see `EpochOrder`; needed by `block-1` alone.
    """

    def __init__(
        self,
        num_samples: int,
        global_batch: int,
        rank: int,
        world_size: int,
        position: Position,
        *,
        num_batches: int | None = None,
        runs: Sequence[int] | None = None,
    ) -> None:
        if num_samples < 1:
            raise ValueError("a data set without samples has no batches")
        if not 0 <= rank < world_size <= global_batch:
            raise ValueError(f"rank {rank} of {world_size} workers needs a global batch of at least {world_size}")
        if position.samples_consumed >= num_samples:
            raise DataOrderChanged(
                "data position lies behind the end of the data set",
                where="checkpoint",
                expected=f"less than {num_samples} samples of an epoch",
                found=str(position.samples_consumed),
            )
        self._runs = tuple(runs) if runs is not None else (num_samples,)
        assert sum(self._runs) == num_samples
        self._num_samples = num_samples
        self.global_batch = global_batch
        self._rank = rank
        self._world_size = world_size
        self._position = position
        self._num_batches = num_batches

    def __iter__(self) -> Iterator[list[int]]:
        """Yield one list of rows a step."""
        epoch, first, left = self._position.epoch, self._position.samples_consumed, self._num_batches
        orders: dict[int, EpochOrder] = {}
        share = np.arange(self._rank, self.global_batch, self._world_size)
        # Of a small data set no more than an epoch or two, each of which has an order of its own.
        most = max(1, min(_DRAWN_AHEAD // len(share), self._num_samples // self.global_batch))
        while left is None or left > 0:
            num_batches = most if left is None else min(most, left)
            places = (first + np.arange(num_batches)[:, None] * self.global_batch + share[None, :]).reshape(-1)
            yield from self._rows(places, epoch, orders).reshape(num_batches, -1).tolist()
            further, first = divmod(first + num_batches * self.global_batch, self._num_samples)
            epoch += further
            left = None if left is None else left - num_batches
            for number in [number for number in orders if number < epoch]:
                del orders[number]

    def _rows(self, places: Whole, epoch: int, orders: dict[int, EpochOrder]) -> Whole:
        """Return the rows at places that are counted from the start of `epoch`, and go on into later ones."""
        further, inside = np.divmod(places, self._num_samples)
        rows = np.empty_like(places)
        for number in np.unique(further).tolist():
            if epoch + number not in orders:
                orders[epoch + number] = self._order(epoch + number)
            here = further == number
            rows[here] = orders[epoch + number].take(inside[here])
        return rows

    def _order(self, epoch: int) -> EpochOrder:
        return EpochOrder(self._runs, seed=self._position.seed, epoch=epoch, version=self._position.order_version)
