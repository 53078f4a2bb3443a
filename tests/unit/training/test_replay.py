"""What `replay` says is what the loader hands out, and back: which steps saw a row."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from packtrain.errors import SourceUnreadable
from packtrain.training.batches import Position
from packtrain.training.order import EpochOrder, Permutation
from packtrain.training.replay import IndexRows, Run, batch_of, in_ranges, steps_of
from tiny_dataset import make_tiny_dataset


@given(st.integers(1, 5000), st.text(max_size=8), st.data())
def test_a_permutation_is_undone(size: int, key: str, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, size - 1))
    permutation = Permutation(size, key)
    assert permutation.place_of(permutation[place]) == place


@pytest.mark.parametrize("version", ["random-1", "block-1"])
def test_every_place_of_an_epoch_is_found_again(version) -> None:
    order = EpochOrder((5000, 1, 3000, 700), seed=3, epoch=2, version=version)
    assert all(order.place_of(order[place]) == place for place in range(0, 8701, 7))


def _with_sides(root: Path) -> Path:
    make_tiny_dataset(root, num_tables=6, num_images=5, num_clips=2)
    rows = pq.read_table(root / "index.parquet").to_pylist()
    for number, row in enumerate(rows):
        row |= {"split": "validation" if number % 4 == 1 else "train", "source": f"raw/{number // 3}"}
    pq.write_table(pa.Table.from_pylist(rows), root / "index.parquet", row_group_size=4)
    return root


@pytest.mark.needs_torch
@pytest.mark.parametrize("order", ["random", "block"])
@pytest.mark.parametrize("world_size", [1, 2, 3])
@pytest.mark.parametrize("split", ["train", "validation", None])
def test_the_keys_are_those_that_the_loader_hands_out_across_the_end_of_an_epoch(
    tmp_path: Path, order, world_size: int, split: str | None
) -> None:
    from packtrain.training.loader import SampleStore, open_loader

    root = _with_sides(tmp_path / "data")
    store, rows = SampleStore(root, split=split), IndexRows(root, split)
    run = Run(seed=5, global_batch=4, steps=7, order_version="random-1" if order == "random" else "block-1")
    assert len(store) == len(rows) == {"train": 10, "validation": 3, None: 13}[split]
    seen: dict[str, set[int]] = {}
    for rank in range(world_size):
        position = Position.start(5, store.index_digest, order)
        loader = open_loader(store, position, global_batch=4, rank=rank, world_size=world_size, num_batches=7)
        for step, samples in enumerate(loader, 1):
            numbers = batch_of(rows, run, step, rank, world_size)
            found = rows.pick(numbers)
            assert [found[number]["key"] for number in numbers] == [sample.key for sample in samples]
            for sample in samples:
                seen.setdefault(sample.key, set()).add(step)
    for key, steps in seen.items():
        assert steps_of(rows, run, rows.numbers_of([key])) == sorted(steps)


def test_an_index_without_sides_is_all_for_training(tmp_path: Path) -> None:
    make_tiny_dataset(tmp_path / "data", num_tables=6, num_images=5, num_clips=2)
    rows = pq.read_table(tmp_path / "data" / "index.parquet").to_pylist()
    pq.write_table(pa.Table.from_pylist([row | {"source": "raw/a"} for row in rows]), tmp_path / "index.parquet")
    assert len(IndexRows(tmp_path)) == 13


def test_an_index_without_sides_has_no_other_side(tmp_path: Path) -> None:
    make_tiny_dataset(tmp_path, num_tables=3, num_images=2, num_clips=1)
    with pytest.raises(SourceUnreadable, match="index lacks columns"):
        IndexRows(tmp_path, "validation")


def test_a_folder_without_an_index_is_said_in_words(tmp_path: Path) -> None:
    with pytest.raises(SourceUnreadable):
        IndexRows(tmp_path)


def test_steps_are_told_as_ranges() -> None:
    assert in_ranges([1, 2, 3, 7, 9, 10]) == "1-3, 7, 9-10"
    assert in_ranges([]) == "none"
