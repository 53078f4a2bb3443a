"""Canaries go out with a data set and come to no program's eyes; the consignor keeps what it planted."""

import shutil
from pathlib import Path

import pyarrow.dataset
import pytest

from loading_parts import NUM_CANARIES, Arrived, arrive
from packtrain.documents.dataset import Dataset
from packtrain.stages import pack
from packtrain.stages.pack.planting import planted
from packtrain.training.canaries import (
    CANARY_NAME,
    KEPT_FOLDER,
    MAX_CANARIES,
    canary_names,
    new_canary,
    read_tokens,
)
from packtrain.training.loader import SampleStore
from tiny_dataset import make_tiny_dataset


@pytest.fixture(scope="module")
def arrived(tmp_path_factory: pytest.TempPathFactory) -> Arrived:
    found = arrive(tmp_path_factory.mktemp("canaries"))
    found.load()
    return found


def test_the_store_holds_the_canaries_that_the_consignor_kept(arrived: Arrived) -> None:
    consignor = arrived.folders["consignor"]
    names = canary_names(shard.name for shard in consignor.read(Dataset).shards)
    assert names == (CANARY_NAME, f"shards/{CANARY_NAME}")
    at_home = read_tokens(consignor.work / KEPT_FOLDER, names)
    assert len(set(at_home)) == NUM_CANARIES
    assert read_tokens(arrived.consignee.root / "store", names) == at_home


def test_no_number_of_a_canary_is_on_a_drive_in_the_clear(arrived: Arrived) -> None:
    consignor = arrived.folders["consignor"]
    (token, _) = read_tokens(consignor.work / KEPT_FOLDER, (CANARY_NAME, f"shards/{CANARY_NAME}"))
    files = [path for path in (arrived.root / "drives").rglob("*") if path.is_file()]
    assert len(files) > NUM_CANARIES
    for needle in (token, token.hex().encode()):
        assert not any(needle in path.read_bytes() for path in files)


def test_a_packing_that_begins_again_plants_the_same(arrived: Arrived) -> None:
    consignor = arrived.folders["consignor"]
    before = planted(consignor, consignor.read(Dataset))
    assert planted(consignor, consignor.read(Dataset)) == before
    assert len(before) == NUM_CANARIES


def test_looking_at_what_would_be_packed_plants_nothing(arrived: Arrived, tmp_path: Path) -> None:
    shutil.copytree(arrived.folders["consignor"].root, tmp_path / "home")
    folder = type(arrived.folders["consignor"])(tmp_path / "home")
    shutil.rmtree(folder.work / KEPT_FOLDER)
    pack.preview(folder)
    assert not (folder.work / KEPT_FOLDER).exists()


def test_readers_of_samples_and_of_folders_pass_over_it(tmp_path: Path) -> None:
    num_samples = make_tiny_dataset(tmp_path / "store")
    shutil.copytree(tmp_path / "store" / "shards", tmp_path / "tables", ignore=shutil.ignore_patterns("*.tar"))
    rows = pyarrow.dataset.dataset(tmp_path / "tables", format="parquet").count_rows()
    for folder in (tmp_path / "store", tmp_path / "store" / "shards", tmp_path / "tables"):
        (folder / CANARY_NAME).write_bytes(new_canary())
    store = SampleStore(tmp_path / "store")
    assert len([store[row] for row in range(len(store))]) == num_samples
    assert pyarrow.dataset.dataset(tmp_path / "tables", format="parquet").count_rows() == rows


def test_there_is_one_a_folder_and_never_more_than_some() -> None:
    assert canary_names([]) == (CANARY_NAME,)
    assert canary_names(["a/b/1.tar", "a/b/2.tar", "3.tar"]) == (CANARY_NAME, f"a/b/{CANARY_NAME}")
    assert len(canary_names(f"{number}/1.tar" for number in range(1000))) == MAX_CANARIES


def test_what_is_no_canary_gives_no_number(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(new_canary())
    (tmp_path / "link").symlink_to(tmp_path / "secret")
    (tmp_path / "other").write_text("hex    12")
    (tmp_path / "folder").mkdir()
    assert read_tokens(tmp_path, ("link", "other", "folder", "missing")) == ()
    assert len(read_tokens(tmp_path, ("secret", "other"))) == 1
    assert len({new_canary() for _ in range(20)}) == 20
    assert len({len(new_canary()) for _ in range(20)}) == 1
