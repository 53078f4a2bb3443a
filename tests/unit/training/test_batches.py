"""Orders and positions: frozen vectors, and what is refused."""

import numpy as np
import pytest

from packtrain.errors import DataOrderChanged
from packtrain.training.batches import GlobalBatchSampler, Position
from packtrain.training.order import EpochOrder, Permutation

DIGEST = "ab" * 32
FROZEN_RANDOM = [802, 98, 698, 119, 127, 828, 535, 69]
FROZEN_BLOCK = [8506, 10013, 8780, 8155, 1039, 7314]
FIELDS = Position.start(7, DIGEST).to_dict()


def test_four_workers_then_three_then_two_see_each_sample_once() -> None:
    num_samples, batch = 100, 12
    position, seen = Position.start(3, DIGEST), list[int]()
    for world_size in (4, 3, 2):
        for rank in range(world_size):
            sampler = GlobalBatchSampler(num_samples, batch, rank, world_size, position, num_batches=2)
            seen += [row for rows in sampler for row in rows]
        position = position.advanced(2 * batch, num_samples)
    assert len(seen) == len(set(seen)) == 72


def test_the_random_order_of_version_1_is_frozen() -> None:
    # A checkpoint of any release must go on in the same order: if this fails, the rule needs a new name.
    order = EpochOrder((1000,), seed=7, epoch=0, version="random-1")
    assert [order[place] for place in range(8)] == FROZEN_RANDOM


def test_the_block_order_of_version_1_is_frozen() -> None:
    order = EpochOrder((5000, 3000, 4000, 1, 2), seed=7, epoch=2, version="block-1")
    assert [order[place] for place in (0, 1, 2, 3, 4096, 12002)] == FROZEN_BLOCK


def test_another_seed_and_another_epoch_are_other_orders() -> None:
    orders = [
        tuple(EpochOrder((500,), seed=seed, epoch=epoch, version="random-1")[place] for place in range(500))
        for seed, epoch in ((0, 0), (1, 0), (0, 1))
    ]
    assert len(set(orders)) == 3


def test_the_block_order_stays_within_few_shards_at_a_time() -> None:
    runs = [1000] * 50
    order = EpochOrder(runs, seed=1, epoch=0, version="block-1")
    windows = [range(start, min(start + 4096, 50_000)) for start in range(0, 50_000, 4096)]
    assert max(len({order[place] // 1000 for place in window}) for window in windows) <= 6


def test_a_permutation_of_100_million_needs_no_memory() -> None:
    permutation = Permutation(100_000_000, "key")
    assert len({permutation[place] for place in range(0, 100_000_000, 1_000_000)}) == 100


def test_a_permutation_too_large_for_tables_gives_the_same_elements() -> None:
    permutation = Permutation((1 << 32) + 7, "key")
    places = [0, 5, 1 << 32]
    assert permutation.take(np.array(places)).tolist() == [permutation[place] for place in places]


def test_the_sequential_order_is_that_of_the_index_in_every_epoch() -> None:
    sampler = GlobalBatchSampler(5, 4, 0, 1, Position.start(9, DIGEST, "sequential"), num_batches=3)
    assert list(sampler) == [[0, 1, 2, 3], [4, 0, 1, 2], [3, 4, 0, 1]]


def test_steps_drawn_together_are_those_drawn_one_by_one_from_each_position() -> None:
    position = Position.start(2, DIGEST)
    together = list(GlobalBatchSampler(1000, 48, 1, 3, position, num_batches=50))
    for step, rows in enumerate(together):
        alone = GlobalBatchSampler(1000, 48, 1, 3, position.advanced(48 * step, 1000), num_batches=1)
        assert list(alone) == [rows]


def test_an_epoch_ends_inside_a_batch_without_a_seam() -> None:
    rows = next(iter(GlobalBatchSampler(5, 8, 0, 1, Position.start(1, DIGEST), num_batches=1)))
    assert sorted(rows[:5]) == [0, 1, 2, 3, 4]
    assert Position.start(1, DIGEST).advanced(8, 5).to_dict() == {
        **Position.start(1, DIGEST).to_dict(),
        "epoch": 1,
        "samples_consumed": 3,
    }


@pytest.mark.parametrize(
    "change",
    [
        {"order_version": "random-2"},
        {"seed": "7"},
        {"seed": True},
        {"epoch": -1},
        {"samples_consumed": 1.0},
        {"more": 1},
    ],
)
def test_a_position_that_is_not_of_this_release_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(DataOrderChanged):
        Position.from_dict({**FIELDS, **change}, "position.json")


def test_a_position_without_a_field_is_refused() -> None:
    with pytest.raises(DataOrderChanged):
        Position.from_dict({name: value for name, value in FIELDS.items() if name != "epoch"}, "position.json")


def test_a_position_behind_the_end_of_the_data_is_refused() -> None:
    with pytest.raises(DataOrderChanged):
        GlobalBatchSampler(10, 2, 0, 1, Position(0, 0, 10, "random-1", DIGEST))


def test_a_batch_smaller_than_the_number_of_workers_is_refused() -> None:
    with pytest.raises(ValueError, match="global batch"):
        GlobalBatchSampler(10, 2, 0, 3, Position.start(0, DIGEST))
