"""No sample is lost or repeated, whatever happens to the number of workers and to the batch on the way."""

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from packtrain.training.batches import GlobalBatchSampler, Position
from packtrain.training.order import EpochOrder, OrderVersion, Permutation

DIGEST = "0" * 64
orders = st.sampled_from(["random-1", "block-1", "sequential-1"])
seeds = st.integers(0, 2**31)


@given(size=st.integers(1, 3000), key=st.text(max_size=10))
def test_a_permutation_holds_each_element_once(size: int, key: str) -> None:
    permutation = Permutation(size, key)
    assert sorted(permutation[place] for place in range(size)) == list(range(size))


@given(size=st.integers(1, 3000), key=st.text(max_size=10), places=st.lists(st.integers(0, 2999), max_size=50))
def test_many_places_at_once_are_the_same_places_one_by_one(size: int, key: str, places: list[int]) -> None:
    permutation = Permutation(size, key)
    inside = [place % size for place in places]
    assert permutation.take(np.array(inside, dtype=np.int64)).tolist() == [permutation[place] for place in inside]


@given(
    runs=st.lists(st.integers(1, 6000), min_size=1, max_size=6),
    seed=seeds,
    version=orders,
    places=st.lists(st.integers(0, 35_999), max_size=50),
)
def test_many_rows_of_an_epoch_at_once_are_the_same_rows_one_by_one(
    runs: list[int], seed: int, version: OrderVersion, places: list[int]
) -> None:
    order = EpochOrder(runs, seed=seed, epoch=1, version=version)
    inside = [place % sum(runs) for place in places]
    assert order.take(np.array(inside, dtype=np.int64)).tolist() == [order[place] for place in inside]
    assert [order.place_of(order[place]) for place in inside] == inside


@given(runs=st.lists(st.integers(1, 6000), min_size=1, max_size=6), seed=seeds, version=orders)
def test_an_epoch_holds_each_row_once(runs: list[int], seed: int, version: OrderVersion) -> None:
    order = EpochOrder(runs, seed=seed, epoch=1, version=version)
    assert sorted(order[place] for place in range(sum(runs))) == list(range(sum(runs)))


@st.composite
def plans(draw: st.DrawFn) -> list[tuple[int, int, int]]:
    """Legs of a training: how many workers, which global batch, how many steps."""
    return draw(
        st.lists(
            st.integers(1, 6).flatmap(
                lambda world: st.tuples(st.just(world), st.integers(world, 24), st.integers(0, 12))
            ),
            min_size=1,
            max_size=5,
        )
    )


@given(num_samples=st.integers(1, 200), seed=seeds, version=orders, legs=plans())
def test_any_change_of_workers_and_batch_gives_the_same_samples_in_the_same_order(
    num_samples: int, seed: int, version: OrderVersion, legs: list[tuple[int, int, int]]
) -> None:
    position = Position(seed, 0, 0, version, DIGEST)
    seen: list[int] = []
    for world_size, batch, num_batches in legs:
        workers = [
            list(GlobalBatchSampler(num_samples, batch, rank, world_size, position, num_batches=num_batches))
            for rank in range(world_size)
        ]
        for shares in zip(*workers, strict=True):
            # The r-th worker has every w-th sample: put together as they were dealt.
            dealt = itertools.chain.from_iterable(itertools.zip_longest(*shares))
            seen += [row for row in dealt if row is not None]
        position = position.advanced(batch * num_batches, num_samples)
    alone = GlobalBatchSampler(num_samples, 1, 0, 1, Position(seed, 0, 0, version, DIGEST), num_batches=len(seen))
    assert seen == [row for rows in alone for row in rows]
    whole_epochs = len(seen) // num_samples
    for epoch in range(whole_epochs):
        assert sorted(seen[epoch * num_samples : (epoch + 1) * num_samples]) == list(range(num_samples))


@given(seed=seeds, epoch=st.integers(0, 2**31), consumed=st.integers(0, 2**40), version=orders)
def test_a_position_survives_its_checkpoint(seed: int, epoch: int, consumed: int, version: OrderVersion) -> None:
    position = Position(seed, epoch, consumed, version, DIGEST)
    assert Position.from_dict(position.to_dict(), "position.json") == position
