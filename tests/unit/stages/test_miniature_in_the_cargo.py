"""The miniature travels under its digests: it is counted, compared and proven as every other file of the data set."""

import shutil
from pathlib import Path

import pytest

from dataset_parts import write_dataset
from loading_parts import Arrived, arrive, copy_arrived
from packtrain.digest import sha256_bytes
from packtrain.errors import IntegrityError
from packtrain.files.file_system import ShipmentFileSystem
from packtrain.record.folder import VoyageFolder
from packtrain.stages.forecast import foretell
from packtrain.stages.load.cargo import _check_dataset
from shipment_parts import content

FILES = {"shards/image-000000.tar": content(60_000, 1), "index.parquet": content(700, 2)}
# Two of them are equal, and one file of the cargo.
MINIATURE = {"shards/a.tar": content(9_000, 3), "shards/b.tar": content(9_000, 3), "index.parquet": content(300, 4)}
CARRIED = {f"rehearsed/{sha256_bytes(payload)}": payload for payload in MINIATURE.values()}


def make(folder: VoyageFolder) -> None:
    write_dataset(folder, FILES, miniature=MINIATURE)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Arrived:
    return arrive(tmp_path_factory.mktemp("voyage"), make_dataset=make)


@pytest.fixture
def arrived(template: Arrived, tmp_path: Path) -> Arrived:
    return copy_arrived(template, tmp_path)


def test_it_is_loaded_and_told_with_its_sha256(arrived: Arrived) -> None:
    arrived.load()
    fs = ShipmentFileSystem(folder=arrived.consignee.root, verify=True, skip_instance_cache=True)
    for name, payload in CARRIED.items():
        assert fs.info(f"voyage/{name}")["sha256"] == name.partition("/")[2]
        assert fs.cat_file(f"voyage/{name}") == payload
    name = min(CARRIED)
    (arrived.consignee.root / "store" / name).write_bytes(CARRIED[name][:-1] + b"x")
    fs = ShipmentFileSystem(folder=arrived.consignee.root, verify=True, skip_instance_cache=True)
    with pytest.raises(IntegrityError, match="differs from what was signed"):
        fs.cat_file(f"voyage/{name}")


def test_the_forecast_counts_it(template: Arrived) -> None:
    told = foretell(template.folders["consignor"], None)
    assert told is not None
    assert told.question.total_bytes == sum(map(len, FILES.values())) + sum(map(len, CARRIED.values()))


@pytest.mark.parametrize("left", ["one", "all"])
def test_a_cargo_that_lacks_one_is_not_the_data_set_and_one_of_before_is(arrived: Arrived, left: str) -> None:
    assert arrived.load().facts["index.parquet"] == sha256_bytes(FILES["index.parquet"])
    place = arrived.consignee.root / "store" / "rehearsed"
    if left == "all":
        # As a packtrain packed that left the miniature at home.
        shutil.rmtree(place)
        dataset = _check_dataset(arrived.store, arrived.events.append)
        assert dataset is not None and dataset.num_samples == 1
        return
    (place / min(CARRIED).partition("/")[2]).unlink()
    with pytest.raises(IntegrityError, match=r"1 files of the data set are not in the store: rehearsed/"):
        _check_dataset(arrived.store, arrived.events.append)
