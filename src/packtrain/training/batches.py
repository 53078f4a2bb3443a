"""Which samples a step sees: a pure function of seed and position, whatever the number of workers and the batch size.

An order is a keyed permutation that is *computed*, place by place, and never stored: any place of an epoch of 100
million samples costs the same 9 microseconds and no memory, and no library's random numbers can change it under a
checkpoint. Epochs follow each other without a seam, so a batch may hold the end of one epoch and the start of the next:
nothing is dropped at the end of an epoch, and nothing is padded.
"""

from __future__ import annotations

import bisect
import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from hashlib import blake2b
from typing import Final, Literal

from packtrain.errors import DataOrderChanged

OrderVersion = Literal["random-1", "block-1"]
"""The rule by which places become samples. A changed rule gets a new name: old checkpoints must not go on under it."""

ORDER_VERSIONS: Final[tuple[OrderVersion, ...]] = ("random-1", "block-1")
BLOCK_WINDOW_SAMPLES: Final = 4096
"""`block-1` mixes inside windows of so many samples: reads stay within a shard or two, which hard disks need."""
_ROUNDS: Final = 6
_MAX_SAMPLES: Final = 1 << 48


class Permutation:
    """A keyed bijection of range(size), computed element by element.

    A Feistel network over Z_a x Z_b with a * b just above `size`; a result outside the range is put through again
    (cycle walking), which happens with a probability below 3 / sqrt(size).

    Args:
        size: how many elements, at least 1.
        key: any text; another key is another permutation.

    Source:
        Black and Rogaway, "Ciphers with Arbitrary Finite Domains" (2002), the generalised Feistel construction.
    """

    def __init__(self, size: int, key: str) -> None:
        assert 1 <= size <= _MAX_SAMPLES, size
        self._size = size
        self._left = math.isqrt(size - 1) + 1
        self._right = -(-size // self._left)
        self._keys = [blake2b(f"{key}/{number}".encode(), digest_size=16).digest() for number in range(_ROUNDS)]

    def __getitem__(self, place: int) -> int:
        """Return the element at `place`."""
        assert 0 <= place < self._size, place
        while True:
            left, right = divmod(place, self._right)
            for number, key in enumerate(self._keys):
                if number % 2:
                    right = (right + _hash(key, left)) % self._right
                else:
                    left = (left + _hash(key, right)) % self._left
            place = left * self._right + right
            if place < self._size:
                return place

    def place_of(self, element: int) -> int:
        """Return the place at which `element` stands: the rounds backwards, and the same walk."""
        assert 0 <= element < self._size, element
        while True:
            left, right = divmod(element, self._right)
            for number, key in reversed(list(enumerate(self._keys))):
                if number % 2:
                    right = (right - _hash(key, left)) % self._right
                else:
                    left = (left - _hash(key, right)) % self._left
            element = left * self._right + right
            if element < self._size:
                return element


class EpochOrder:
    """The order of one epoch: place -> row of the index.

    Args:
        runs: lengths of the runs of rows that lie in one shard, in index order; their sum is the number of samples.
        seed, epoch: what the order is a function of, together with `version` and the number of samples.
        version: the rule.
    """

    def __init__(self, runs: Sequence[int], *, seed: int, epoch: int, version: OrderVersion) -> None:
        self._num_samples = sum(runs)
        self._key = f"packtrain/{version}/{seed}/{epoch}"
        self._whole = Permutation(self._num_samples, self._key) if version == "random-1" else None
        if self._whole is None:
            shuffled = Permutation(len(runs), f"{self._key}/shards")
            self._starts = list(itertools.accumulate(runs, initial=0))
            order = [shuffled[place] for place in range(len(runs))]
            self._shuffled = shuffled
            self._first_rows = [self._starts[run] for run in order]
            self._first_places = list(itertools.accumulate((runs[run] for run in order), initial=0))
            self._window_number = -1
            self._window = Permutation(1, "")

    def __getitem__(self, place: int) -> int:
        """Return the row of the index at `place` of this epoch."""
        if self._whole is not None:
            return self._whole[place]
        number, inside = divmod(place, BLOCK_WINDOW_SAMPLES)
        mixed = number * BLOCK_WINDOW_SAMPLES + self._mixing(number)[inside]
        run = bisect.bisect_right(self._first_places, mixed) - 1
        return self._first_rows[run] + mixed - self._first_places[run]

    def place_of(self, row: int) -> int:
        """Return the place of this epoch at which a row of the index stands: what `__getitem__` undoes."""
        if self._whole is not None:
            return self._whole.place_of(row)
        run = bisect.bisect_right(self._starts, row) - 1
        mixed = self._first_places[self._shuffled.place_of(run)] + row - self._starts[run]
        number, inside = divmod(mixed, BLOCK_WINDOW_SAMPLES)
        return number * BLOCK_WINDOW_SAMPLES + self._mixing(number).place_of(inside)

    def _mixing(self, number: int) -> Permutation:
        """Return how a window is mixed; the one that was asked for last is kept."""
        if number != self._window_number:
            length = min(BLOCK_WINDOW_SAMPLES, self._num_samples - number * BLOCK_WINDOW_SAMPLES)
            self._window, self._window_number = Permutation(length, f"{self._key}/window/{number}"), number
        return self._window


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
    def start(cls, seed: int, index_digest: str, order: Literal["random", "block"] = "random") -> Position:
        """Return the position before the first sample."""
        return cls(seed, 0, 0, "random-1" if order == "random" else "block-1", index_digest)

    @classmethod
    def from_dict(cls, fields: Mapping[str, object], where: str) -> Position:
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
        self._global_batch = global_batch
        self._rank = rank
        self._world_size = world_size
        self._position = position
        self._num_batches = num_batches

    def __iter__(self) -> Iterator[list[int]]:
        """Yield one list of rows a step."""
        epoch, first = self._position.epoch, self._position.samples_consumed
        orders = {epoch: self._order(epoch)}
        for _ in itertools.count() if self._num_batches is None else range(self._num_batches):
            rows: list[int] = []
            for place in range(first + self._rank, first + self._global_batch, self._world_size):
                further, inside = divmod(place, self._num_samples)
                if epoch + further not in orders:
                    orders[epoch + further] = self._order(epoch + further)
                rows.append(orders[epoch + further][inside])
            yield rows
            further, first = divmod(first + self._global_batch, self._num_samples)
            epoch += further
            orders = {number: order for number, order in orders.items() if number >= epoch} or {
                epoch: self._order(epoch)
            }

    def _order(self, epoch: int) -> EpochOrder:
        return EpochOrder(self._runs, seed=self._position.seed, epoch=epoch, version=self._position.order_version)


def _hash(key: bytes, value: int) -> int:
    return int.from_bytes(blake2b(value.to_bytes(8, "big"), digest_size=8, key=key).digest(), "big")
