"""Shards that other programs wrote are adopted: webdataset's own writers, DuckDB's, a card of mlcroissant."""

import io
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import pytest

from packtrain.digest import sha256_file
from packtrain.documents.dataset import Dataset
from packtrain.engines.processes import ProcessMapper
from packtrain.record.adopted import adopted_places
from packtrain.stages.prepare import prepare
from packtrain.training.loader import SampleStore
from shard_parts import adopting_folder, rows_of, stamp
from source_parts import ignore, jpeg

wds = pytest.importorskip("webdataset")
VALIDATOR = Path(__file__).parents[2] / "build" / "card-validator" / "bin" / "python"


def write_with_webdataset(root: Path) -> Path:
    """Write 30 samples by ShardWriter, 8 a shard, and 4 by a TarWriter."""
    root.mkdir()
    with wds.ShardWriter(str(root / "train-%06d.tar"), maxcount=8, verbose=0) as sink:
        for number in range(30):
            sink.write(
                {
                    "__key__": f"group.{number % 3}/sample{number:05d}",
                    "jpg": jpeg(64, 48, number),
                    "json": {"number": number},
                    "cls": number % 7,
                    "left.txt": f"caption {number}",
                }
            )
    with wds.TarWriter(str(root / "val-000000.tar")) as sink:
        for number in range(4):
            sink.write({"__key__": f"{number:05d}", "jpg": jpeg(64, 48, 100 + number), "txt": "é"})
    return root


def by_webdataset(paths: list[Path]) -> list[dict[str, Any]]:
    return [dict(sample) for path in paths for sample in wds.WebDataset(str(path), shardshuffle=False)]


def test_the_index_leads_to_the_samples_that_webdataset_reads(tmp_path: Path) -> None:
    root = write_with_webdataset(tmp_path / "set")
    before = stamp(root)
    folder = adopting_folder(tmp_path / "voyage", root, "webdataset")
    prepare(folder, ProcessMapper(0), ignore)
    assert stamp(root) == before
    places = adopted_places(folder)
    read = {
        (name, sample["__key__"]): sample for name, place in places.items() for sample in by_webdataset([place.place])
    }
    assert len(read) == 34
    for name, adopted in places.items():
        (tmp_path / "store" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "store" / name).write_bytes(adopted.place.read_bytes())
    (tmp_path / "store" / "index.parquet").write_bytes((folder.work / "dataset" / "index.parquet").read_bytes())
    store, rows = SampleStore(tmp_path / "store"), rows_of(tmp_path / "store" / "index.parquet")
    assert len(rows) == 34
    for number, row in enumerate(rows):
        detail = msgspec.json.decode(row["detail"])
        sample = read[row["shard"], detail["sample_key"]]
        suffixes = {suffix for suffix in sample if not suffix.startswith("__")}
        assert {detail["suffix"], *detail["members"]} == suffixes
        assert store[number].payload == sample["jpg"]
        assert all(store.member(store[number], suffix) == sample[suffix] for suffix in suffixes - {"jpg"})
    assert {row["split"] for row in rows} == {"train", "validation"}


def test_webdataset_reads_the_miniature(tmp_path: Path) -> None:
    root = write_with_webdataset(tmp_path / "set")
    folder = adopting_folder(tmp_path / "voyage", root, "webdataset", "miniature_samples = 6")
    prepare(folder, ProcessMapper(0), ignore)
    small = folder.work / "dataset" / "miniature"
    found = by_webdataset(sorted((small / "shards").rglob("*.tar")))
    assert {sample["__key__"] for sample in found} == {row["key"] for row in rows_of(small / "index.parquet")}
    assert len(found) == 6
    assert all(json.loads(sample["json"])["number"] < 30 for sample in found if "json" in sample)


def test_row_groups_of_duckdb_are_samples(tmp_path: Path) -> None:
    root = tmp_path / "tables"
    root.mkdir()
    duckdb.sql(
        "COPY (SELECT i, 'row ' || i AS name, i / 7.0 AS part, DATE '2026-01-01' + i::INTEGER AS day"
        " FROM range(5000) t(i))"
        f" TO '{root / 'a.parquet'}' (FORMAT parquet, ROW_GROUP_SIZE 2048)"
    )
    before = stamp(root)
    folder = adopting_folder(tmp_path / "voyage", root, "parquet")
    prepare(folder, ProcessMapper(0), ignore)
    assert stamp(root) == before
    rows = rows_of(folder.work / "dataset" / "index.parquet")
    assert sum(row["length"] for row in rows) == 5000
    assert len(rows) == 3
    miniature = SampleStore(folder.work / "dataset" / "miniature")
    assert io.BytesIO(miniature[0].payload).readline() == b'"i","name","part","day"\n'


# A card is written by mlcroissant, in its own environment; then ours is read by it.
_WRITE = """
import json, mlcroissant as mlc, os, sys
kind = ["application/x-tar"]
shard = mlc.FileObject(
    id="val", name="val", content_url="val-000000.tar", encoding_formats=kind, sha256=sys.argv[2]
)
rest = mlc.FileSet(id="train", name="train", encoding_formats=kind, includes=["train-*.tar"])
card = mlc.Metadata(name="set", url="https://example.org", license=["CC0"], distribution=[shard, rest])
with open(sys.argv[1], "w") as target:
    json.dump(card.to_json(), target, default=str)
os._exit(0)
"""
_READ = """
import mlcroissant as mlc, os, sys
errors = list(mlc.Dataset(jsonld=sys.argv[1]).metadata.issues.errors)
print(errors, flush=True)
os._exit(1 if errors else 0)
"""


@pytest.mark.skipif(not VALIDATOR.exists(), reason="the validator has an environment of its own: `make card-validator`")
def test_a_card_of_mlcroissant_is_followed_and_ours_is_valid(tmp_path: Path) -> None:
    root = write_with_webdataset(tmp_path / "set")
    _by_mlcroissant(_WRITE, root / "croissant.json", sha256_file(root / "val-000000.tar"))
    assert json.loads((root / "croissant.json").read_text())["name"] == "set"
    folder = adopting_folder(tmp_path / "voyage", root, "croissant")
    prepare(folder, ProcessMapper(0), ignore)
    assert folder.read(Dataset).num_samples == 34
    _by_mlcroissant(_READ, folder.work / "dataset" / "croissant.json")


def _by_mlcroissant(script: str, *arguments: Path | str) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [VALIDATOR, "-c", script, *arguments], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
