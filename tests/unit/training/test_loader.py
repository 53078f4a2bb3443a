"""The loader on a small data set: every kind of sample, damage, and positions that come back."""

import io
import os
import pickle
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest

from packtrain.errors import DataOrderChanged, IntegrityError, SourceUnreadable
from packtrain.training.batches import Position
from packtrain.training.loader import SampleStore, open_loader
from tiny_dataset import make_tiny_dataset


@pytest.fixture
def root(tmp_path: Path) -> Path:
    make_tiny_dataset(tmp_path / "data", num_tables=6, num_images=5, num_clips=2)
    return tmp_path / "data"


def rewrite_index(root: Path, row: int, **changes: object) -> None:
    rows = pq.read_table(root / "index.parquet").to_pylist()
    rows[row] |= changes
    pq.write_table(pa.Table.from_pylist(rows), root / "index.parquet")


def test_a_store_is_opened_by_the_text_that_a_program_has_for_it(root: Path) -> None:
    assert SampleStore(str(root))[0] == SampleStore(root)[0]


def test_a_table_sample_is_its_rows_as_csv_with_a_header(root: Path) -> None:
    sample = SampleStore(root)[2]
    assert (sample.key, sample.kind, sample.detail) == ("t0002", "table", {"number": 2})
    rows = pa_csv.read_csv(io.BytesIO(sample.payload))
    assert rows.equals(pq.read_table(root / "shards/table-000000.parquet").slice(24, 12).combine_chunks())


@pytest.mark.parametrize(("row", "kind", "head"), [(6, "image", b"\x89PNG"), (11, "clip", b"RIFF")])
def test_a_media_sample_is_the_member_of_the_tar(root: Path, row: int, kind: str, head: bytes) -> None:
    sample = SampleStore(root)[row]
    assert sample.kind == kind
    assert sample.payload.startswith(head)


def test_a_changed_byte_of_a_sample_is_found(root: Path) -> None:
    shard = root / "shards/image-000000.tar"
    content = bytearray(shard.read_bytes())
    content[512 + 30] ^= 1
    shard.write_bytes(content)
    with pytest.raises(IntegrityError):
        SampleStore(root)[6]


def test_a_changed_byte_of_a_table_shard_is_found_by_its_page_checksum(root: Path) -> None:
    shard = root / "shards/table-000000.parquet"
    content = bytearray(shard.read_bytes())
    content[60] ^= 1
    shard.write_bytes(content)
    with pytest.raises(IntegrityError):
        SampleStore(root)[0]


def test_a_cut_shard_is_found(root: Path) -> None:
    shard = root / "shards/clip-000000.tar"
    shard.write_bytes(shard.read_bytes()[:600])
    with pytest.raises(IntegrityError, match="shorter"):
        SampleStore(root)[11]


def test_a_missing_shard_is_named(root: Path) -> None:
    (root / "shards/clip-000000.tar").unlink()
    with pytest.raises(IntegrityError, match="clip-000000"):
        SampleStore(root)[11]


@pytest.mark.parametrize("shard", ["../outside.tar", "/etc/passwd", "shards/../../x.tar", ""])
def test_an_index_cannot_name_a_shard_outside_the_data_set(root: Path, shard: str) -> None:
    rewrite_index(root, 6, shard=shard)
    with pytest.raises(IntegrityError):
        SampleStore(root)[6]


@pytest.mark.timeout(30)
@pytest.mark.parametrize(("row", "shard"), [(2, "table-000000.parquet"), (6, "image-000000.tar")])
def test_a_pipe_in_place_of_a_shard_is_not_waited_for(root: Path, row: int, shard: str) -> None:
    (root / "shards" / shard).unlink()
    os.mkfifo(root / "shards" / shard)
    with pytest.raises(IntegrityError, match="no regular file"):
        SampleStore(root)[row]


def test_a_shard_that_is_a_link_is_not_followed(root: Path, tmp_path: Path) -> None:
    shard = root / "shards/image-000000.tar"
    shard.rename(tmp_path / "elsewhere.tar")
    shard.symlink_to(tmp_path / "elsewhere.tar")
    with pytest.raises(IntegrityError):
        SampleStore(root)[6]


@pytest.mark.parametrize("changes", [{"length": 2**60}, {"offset": 2**60}, {"offset": -1}, {"length": -5}])
def test_lengths_and_offsets_of_the_index_are_not_believed(root: Path, changes: dict[str, int]) -> None:
    rewrite_index(root, 6, **changes)
    with pytest.raises(IntegrityError):
        SampleStore(root)[6]


@pytest.mark.parametrize("changes", [{"length": 2**60}, {"offset": 2**63 - 2}, {"offset": -1}, {"length": -5}])
def test_a_batch_is_its_rows_one_by_one_and_believes_no_more(root: Path, changes: dict[str, int]) -> None:
    store = SampleStore(root)
    rows = [6, 0, len(store) - 1, 6]
    assert store.__getitems__(rows) == [store[row] for row in rows]
    rewrite_index(root, 6, **changes)
    with pytest.raises(IntegrityError):
        SampleStore(root).__getitems__(rows)


@pytest.mark.parametrize("detail", ["{", "[" * 100_000])
def test_detail_is_read_when_it_is_asked_for_and_not_believed(root: Path, detail: str) -> None:
    rewrite_index(root, 6, detail=detail)
    sample = SampleStore(root)[6]
    assert sample.payload.startswith(b"\x89PNG")
    with pytest.raises(IntegrityError, match="JSON"):
        _ = sample.detail


def test_what_does_not_fit_a_slot_is_said_and_what_fits_is_read_side_by_side(root: Path) -> None:
    store = SampleStore(root)
    payloads = [store[row].payload for row in (6, 0, 11)]
    target = memoryview(bytearray(sum(map(len, payloads))))
    assert store.read_into([6, 0, 11], target) == [len(b"".join(payloads[:end])) for end in (1, 2, 3)]
    assert target == b"".join(payloads)
    assert store.read_into([6, 0, 11], target[:-1]) is None
    assert store.read_into([6, 11, 0], target[:-1]) is None


def test_rows_that_are_no_row_group_are_refused(root: Path) -> None:
    rewrite_index(root, 1, offset=13)
    with pytest.raises(IntegrityError, match="row group"):
        SampleStore(root)[1]


def test_a_side_of_an_index_that_has_none_is_said_in_words(root: Path) -> None:
    assert len(SampleStore(root, split="train")) == len(SampleStore(root))
    with pytest.raises(SourceUnreadable, match="has no sides"):
        SampleStore(root, split="test")


def test_an_index_that_lacks_a_column_is_said_with_its_name(root: Path) -> None:
    index = root / "index.parquet"
    pq.write_table(pq.read_table(index).drop_columns(["sha256"]), index)
    with pytest.raises(SourceUnreadable, match="index lacks columns") as caught:
        SampleStore(root)
    assert caught.value.found == "no sha256"


def test_a_folder_without_an_index_is_said_in_words(tmp_path: Path) -> None:
    with pytest.raises(SourceUnreadable):
        SampleStore(tmp_path)


def test_a_store_can_be_sent_to_another_process(root: Path) -> None:
    store = SampleStore(root)
    expected = store[0], store[6]
    again: SampleStore = pickle.loads(pickle.dumps(store))
    assert (again[0], again[6]) == expected


@pytest.mark.parametrize("order", ["random", "block"])
def test_positions_carried_from_4_to_3_to_2_workers_lose_and_repeat_nothing(root: Path, order) -> None:
    store = SampleStore(root)
    position, seen = Position.start(5, store.index_digest, order), list[str]()
    for world_size in (4, 3, 2):
        loaders = [
            open_loader(store, position, global_batch=4, rank=rank, world_size=world_size, num_batches=1)
            for rank in range(world_size)
        ]
        seen += [sample.key for loader in loaders for samples in loader for sample in samples]
        assert len({loader.position for loader in loaders}) == 1
        position = loaders[0].position
    assert position.samples_consumed == 12
    assert len(seen) == len(set(seen)) == 12


def test_the_position_counts_what_was_handed_out_and_not_what_was_read_ahead(root: Path) -> None:
    store = SampleStore(root)
    position = Position.start(5, store.index_digest)
    loader = open_loader(store, position, global_batch=2, rank=0, world_size=1, num_batches=6, num_processes=2)
    batches = iter(loader)
    first = [sample.key for sample in next(batches)]
    assert loader.position.samples_consumed == 2
    again = open_loader(store, position, global_batch=2, rank=0, world_size=1, num_batches=1)
    assert [sample.key for samples in again for sample in samples] == first


def test_a_position_of_another_data_set_is_refused(root: Path) -> None:
    with pytest.raises(DataOrderChanged):
        open_loader(SampleStore(root), Position.start(0, "0" * 64), global_batch=2, rank=0, world_size=1)
