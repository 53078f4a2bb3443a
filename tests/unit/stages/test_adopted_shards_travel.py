"""Adopted shards go from where they lie onto the drives, and arrive equal; one that changed meanwhile is refused."""

import os
import shutil
from pathlib import Path

import msgspec
import pytest

from loading_parts import arrive
from packtrain.documents.dataset import Dataset
from packtrain.engines.processes import ProcessMapper
from packtrain.errors import SourceChanged, SourceUnreadable
from packtrain.record.adopted import adopted_places
from packtrain.record.dataset_folder import holds_dataset
from packtrain.record.folder import VOYAGE_FILE, VoyageFolder
from packtrain.stages.prepare import prepare
from packtrain.training.loader import SampleStore
from shard_parts import rows_of, samples, stamp, write_shards
from source_parts import ignore


def adopt(folder: VoyageFolder, raw: Path) -> None:
    path = folder.root / VOYAGE_FILE
    path.write_text(path.read_text() + f'\n[sources]\npaths = ["{raw}"]\nform = "webdataset"\n')
    prepare(folder, ProcessMapper(0), ignore)


def test_what_arrives_are_the_shards_that_were_adopted(tmp_path: Path) -> None:
    raw = write_shards(tmp_path / "odd names" / "my pictures")
    before = stamp(raw)
    arrived = arrive(tmp_path / "voyage", make_dataset=lambda folder: adopt(folder, raw))
    assert stamp(raw) == before
    arrived.load()
    assert stamp(raw) == before
    store = arrived.consignee.root / "store"
    assert holds_dataset(store)
    dataset = arrived.folders["consignor"].read(Dataset)
    places = adopted_places(arrived.folders["consignor"])
    assert len(dataset.shards) == len(places) == 3
    for shard in dataset.shards:
        assert shard.name.startswith("shards/renamed/my-pictures-")
        assert (store / shard.name).read_bytes() == places[shard.name].place.read_bytes()
    opened, rows = SampleStore(store), rows_of(store / "index.parquet")
    captions = {name: payload for seed, num in ((1, 5), (2, 4), (3, 3)) for name, payload in samples(num, seed)}
    assert len(opened) == 12
    for number, row in enumerate(rows):
        assert opened[number].payload
        assert opened.member(opened[number], "txt").startswith(b"caption ")
        assert f"{msgspec.json.decode(row['detail'])['sample_key']}.txt" in captions


def test_a_shard_written_to_after_it_was_adopted_is_refused(tmp_path: Path) -> None:
    raw = write_shards(tmp_path / "pictures")

    def touched(folder: VoyageFolder) -> None:
        adopt(folder, raw)
        os.utime(raw / "train" / "000001.tar", ns=(5, 5))

    with pytest.raises(SourceChanged, match=r"000001\.tar: written to since it was adopted"):
        arrive(tmp_path / "one", make_dataset=touched)

    def longer(folder: VoyageFolder) -> None:
        adopt(folder, raw)
        with (raw / "val" / "000000.tar").open("ab") as stream:
            stream.write(bytes(10240))

    with pytest.raises(SourceChanged, match=r"val/000000\.tar: expected"):
        arrive(tmp_path / "two", make_dataset=longer)

    def gone(folder: VoyageFolder) -> None:
        adopt(folder, raw)
        shutil.rmtree(raw / "val")

    with pytest.raises(SourceUnreadable, match="cannot be carried"):
        arrive(tmp_path / "three", make_dataset=gone)


def test_other_bytes_under_the_same_length_and_time_are_found_by_their_digest(tmp_path: Path) -> None:
    raw = write_shards(tmp_path / "pictures")

    def rewritten(folder: VoyageFolder) -> None:
        adopt(folder, raw)
        path = raw / "train" / "000001.tar"
        status, payload = path.stat(), bytearray(path.read_bytes())
        payload[700] ^= 1
        path.write_bytes(payload)
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))

    with pytest.raises(SourceChanged, match="SHA-256"):
        arrive(tmp_path / "voyage", make_dataset=rewritten)
