"""A prepared data set as others read it: each reader must give the very bytes and rows that went in."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest

from packtrain.stages.init import init
from source_parts import clip, csv_text, jpeg, png

VALIDATOR = Path(__file__).parents[2] / "build" / "card-validator" / "bin" / "python"
_RECIPE = "clip_frames = 4\nclip_size_pixels = 32\nshard_bytes = 16384\ntable_block_rows = 64"
_TABLES = {"people": csv_text(200, 1), "places": b"name,height\nridge,1204\nford,311\n", "more": csv_text(30, 2)}


@dataclass(frozen=True)
class Prepared:
    """A data set and what is in it, read by nothing but `index.parquet`, offsets and lengths.

    Attributes:
        rows: the index.
        payloads: key -> bytes of the media member.
    """

    folder: Path
    rows: list[dict[str, Any]]
    payloads: dict[str, bytes]

    def of_kind(self, kind: str) -> list[dict[str, Any]]:
        """Return the rows of the index of one kind."""
        return [row for row in self.rows if row["kind"] == kind]

    def shards(self, kind: str) -> list[str]:
        """Return the paths of the shards of one kind, in the order of the index."""
        return [str(self.folder / name) for name in dict.fromkeys(row["shard"] for row in self.of_kind(kind))]


def _prepared(root: Path, sources: dict[str, bytes], more: str = "") -> Prepared:
    for name, payload in sources.items():
        path = root / "sources" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(payload)
    init(root / "voyage", "a set for others", "consignor")
    (root / "voyage" / "voyage.toml").write_text(
        f'[voyage]\nname = "a set for others"\n\n[sources]\npaths = ["{root / "sources"}"]\n\n'
        f"[prepare]\n{_RECIPE}\n{more}"
    )
    command = [sys.executable, "-m", "packtrain", "prepare", str(root / "voyage"), "--workers", "1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    folder = root / "voyage" / "work" / "dataset"
    rows = pq.read_table(folder / "index.parquet").to_pylist()
    payloads: dict[str, bytes] = {}
    for row in rows:
        if row["kind"] != "table":
            whole = (folder / row["shard"]).read_bytes()
            payloads[row["key"]] = whole[row["offset"] : row["offset"] + row["length"]]
            assert _sha256(payloads[row["key"]]) == row["sha256"]
    return Prepared(folder, rows, payloads)


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    """All kinds: PNG and JPEG mixed, clips cut into runs of frames, three tables of two forms."""
    sources = {f"images/{number:02d}.jpg": jpeg(seed=number) for number in range(9)}
    sources |= {f"images/{number:02d}b.png": png(40, 40, number) for number in range(4)}
    sources |= {"images/again.jpg": sources["images/00.jpg"], "clips/moving.mp4": clip(14), "clips/other.mp4": clip(8)}
    sources |= {f"tables/{name}.csv": payload for name, payload in _TABLES.items()}
    found = _prepared(tmp_path_factory.mktemp("all kinds"), sources)
    assert len(found.shards("image")) > 1
    assert (len(found.of_kind("image")), len(found.of_kind("table"))) == (13, 6)
    assert found.of_kind("clip")
    return found


@pytest.fixture(scope="session")
def tables_alone(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    """Nothing but tables."""
    return _prepared(tmp_path_factory.mktemp("tables"), {f"{name}.csv": each for name, each in _TABLES.items()})


@pytest.fixture(scope="session")
def held_back(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    """Pictures of which a third is for validation, and one clip, which is on one side only."""
    sources = {f"images/{number:02d}.png": png(24, 24, number) for number in range(12)} | {"clips/one.mp4": clip(8)}
    more = "[prepare.splits]\nvalidation = 0.34\n"
    return _prepared(tmp_path_factory.mktemp("held back"), sources, more)


@pytest.fixture(scope="session")
def hugging_face(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModuleType]:
    """Hugging Face's `datasets`, offline and with a cache of its own."""
    patch = pytest.MonkeyPatch()
    # Read when it is imported, once for the process.
    patch.setenv("HF_HUB_OFFLINE", "1")
    patch.setenv("HF_HUB_DISABLE_TELEMETRY", "1")
    patch.setenv("HF_HOME", str(tmp_path_factory.mktemp("hugging face")))
    datasets = pytest.importorskip("datasets")
    datasets.disable_progress_bars()
    yield datasets
    patch.undo()


def _sha256(payload: bytes) -> str:
    return hashlib.sha256(payload).hexdigest()


def _csv_digest(table: Any) -> str:
    target = io.BytesIO()
    pa_csv.write_csv(table, target)
    return _sha256(target.getvalue())


def _rows_of(name: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(_TABLES[name].decode())))


def _table_files(prepared: Prepared, name: str) -> list[str]:
    return [path for path in prepared.shards("table") if f"{name}-csv" in Path(path).name]


def _as_text(rows: list[dict[str, Any]]) -> list[dict[str, str]]:
    """Return rows with every cell as CSV spells it: what type a column got is not what is compared here."""
    return [{name: "" if cell is None else str(cell) for name, cell in row.items()} for row in rows]


# --- WebDataset


@pytest.mark.parametrize("kind", ["image", "clip"])
def test_webdataset_gives_every_sample_in_order_with_its_bytes_and_its_detail(prepared: Prepared, kind: str) -> None:
    webdataset = pytest.importorskip("webdataset")
    found = list(webdataset.WebDataset(prepared.shards(kind), shardshuffle=False))
    assert [sample["__key__"] for sample in found] == [row["key"] for row in prepared.of_kind(kind)]
    for sample, row in zip(found, prepared.of_kind(kind), strict=True):
        (suffix,) = {name for name in sample if not name.startswith("__")} - {"json"}
        assert sample[suffix] == prepared.payloads[row["key"]]
        told = json.loads(sample["json"])
        assert {name: told[name] for name in ("source", "source_sha256", "sha256")} == {
            name: row[name] for name in ("source", "source_sha256", "sha256")
        }
        assert json.loads(row["detail"]).items() <= told.items()


def test_webdataset_decodes_the_pictures_in_the_size_that_the_detail_says(prepared: Prepared) -> None:
    webdataset = pytest.importorskip("webdataset")
    for sample in webdataset.WebDataset(prepared.shards("image"), shardshuffle=False).decode("pil"):
        picture = sample["jpg"] if "jpg" in sample else sample["png"]
        assert picture.size == (sample["json"]["width"], sample["json"]["height"])


# --- Hugging Face datasets


@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize("kind", ["image", "clip"])
def test_load_dataset_reads_the_folder_by_the_cards_configurations(
    prepared: Prepared, hugging_face: ModuleType, tmp_path: Path, kind: str, streaming: bool
) -> None:
    whole = hugging_face.load_dataset(
        str(prepared.folder), f"{kind}s", split="train", cache_dir=str(tmp_path), streaming=streaming
    )
    pictures = [name for name, feature in whole.features.items() if isinstance(feature, hugging_face.Image)]
    assert pictures
    for name in pictures:
        whole = whole.cast_column(name, hugging_face.Image(decode=False))
    found = list(whole)
    assert [sample["__key__"] for sample in found] == [row["key"] for row in prepared.of_kind(kind)]
    for sample, row in zip(found, prepared.of_kind(kind), strict=True):
        (media,) = [sample[name] for name in pictures if sample[name] is not None]
        assert media["bytes"] == prepared.payloads[row["key"]]
        assert sample["json"]["source_sha256"] == row["source_sha256"]


def test_load_dataset_reads_each_split_by_its_name(
    held_back: Prepared, hugging_face: ModuleType, tmp_path: Path
) -> None:
    for kind in ("image", "clip"):
        found = hugging_face.load_dataset(str(held_back.folder), f"{kind}s", cache_dir=str(tmp_path))
        expected: dict[str, list[str]] = {}
        for row in held_back.of_kind(kind):
            expected.setdefault(row["split"], []).append(row["key"])
        assert {split: samples["__key__"] for split, samples in found.items()} == expected
        assert len(expected) == (2 if kind == "image" else 1)


def test_load_dataset_decodes_the_pictures(prepared: Prepared, hugging_face: ModuleType, tmp_path: Path) -> None:
    found = hugging_face.load_dataset(str(prepared.folder), "images", split="train", cache_dir=str(tmp_path))
    for sample in found:
        picture = sample["jpg"] or sample["png"]
        assert picture.size == (sample["json"]["width"], sample["json"]["height"])


def test_load_dataset_reads_one_table_by_its_files(
    prepared: Prepared, hugging_face: ModuleType, tmp_path: Path
) -> None:
    for name in _TABLES:
        files = _table_files(prepared, name)
        found = hugging_face.load_dataset("parquet", data_files=files, split="train", cache_dir=str(tmp_path))
        assert _as_text(found.to_list()) == _rows_of(name)


def test_load_dataset_reads_a_set_of_tables_alone_by_the_cards_configurations(
    tables_alone: Prepared, hugging_face: ModuleType, tmp_path: Path
) -> None:
    names = hugging_face.get_dataset_config_names(str(tables_alone.folder))
    assert len(names) == len(_TABLES)
    found = [
        hugging_face.load_dataset(str(tables_alone.folder), name, split="train", cache_dir=str(tmp_path))
        for name in names
    ]
    by_columns = sorted((_as_text(each.to_list()) for each in found), key=json.dumps)
    assert by_columns == sorted((_rows_of(name) for name in _TABLES), key=json.dumps)


# --- DuckDB, pandas, polars: the index, and the shards of tables


def test_duckdb_counts_the_index_and_reads_the_tables(prepared: Prepared) -> None:
    index = str(prepared.folder / "index.parquet")
    with duckdb.connect(config={"autoinstall_known_extensions": "false"}) as connection:
        counts = connection.execute(
            "SELECT kind, count(*), sum(length) FROM read_parquet(?) GROUP BY kind ORDER BY kind", [index]
        ).fetchall()
        assert counts == [
            (kind, len(prepared.of_kind(kind)), sum(row["length"] for row in prepared.of_kind(kind)))
            for kind in ("clip", "image", "table")
        ]
        for name in _TABLES:
            table = connection.sql("SELECT * FROM read_parquet(?)", params=[_table_files(prepared, name)])
            assert _as_text(table.to_arrow_table().to_pylist()) == _rows_of(name)


def test_pandas_reads_the_index_and_the_tables(prepared: Prepared) -> None:
    pandas = pytest.importorskip("pandas")
    index = pandas.read_parquet(prepared.folder / "index.parquet")
    assert index.to_dict("records") == prepared.rows
    for name in _TABLES:
        files = [pandas.read_parquet(path) for path in _table_files(prepared, name)]
        assert _as_text(pandas.concat(files).to_dict("records")) == _rows_of(name)


def test_polars_reads_the_index_and_the_tables(prepared: Prepared) -> None:
    polars = pytest.importorskip("polars")
    assert polars.read_parquet(prepared.folder / "index.parquet").to_dicts() == prepared.rows
    for name in _TABLES:
        found = polars.scan_parquet(_table_files(prepared, name)).collect()
        assert _as_text(found.to_dicts()) == _rows_of(name)


def test_each_row_group_of_a_table_is_the_sample_that_the_index_says(prepared: Prepared) -> None:
    for path in prepared.shards("table"):
        reader = pq.ParquetFile(path)
        first = 0
        for number in range(reader.num_row_groups):
            group: pa.Table = reader.read_row_group(number)
            (row,) = [
                row
                for row in prepared.of_kind("table")
                if str(prepared.folder / row["shard"]) == path and row["offset"] == first
            ]
            assert (row["length"], row["sha256"]) == (group.num_rows, _csv_digest(group))
            first += group.num_rows


# --- Croissant


@pytest.mark.skipif(not VALIDATOR.exists(), reason="the validator has an environment of its own: `make card-validator`")
def test_mlcroissant_validates_the_description_and_gives_every_row_of_the_index(prepared: Prepared) -> None:
    described = str(prepared.folder / "croissant.json")
    # Nothing that it could ask of the network is there.
    environment = {**os.environ, "HTTPS_PROXY": "http://127.0.0.1:9", "HTTP_PROXY": "http://127.0.0.1:9"}
    environment.pop("PYTHONPATH", None)
    command = [VALIDATOR.with_name("mlcroissant"), "validate", "--jsonld", described]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "error(s)" not in done.stderr, done.stderr
    assert "@context` is not standard" not in done.stderr
    # It ends without the interpreter's end: now and then a thread of mlcroissant's aborts that.
    script = (
        "import json, os, sys, mlcroissant\n"
        "sys.path.append(sys.argv[2])\n"  # for pyarrow, behind its own packages
        "described = mlcroissant.Dataset(jsonld=sys.argv[1])\n"
        "issues = sorted(map(str, described.metadata.ctx.issues.errors))\n"
        "rows = [{name: value.decode() if isinstance(value, bytes) else value for name, value in row.items()}\n"
        "        for row in described.records('samples')]\n"
        "json.dump([issues, rows], sys.stdout)\n"
        "sys.stdout.flush()\n"
        "os._exit(0)\n"
    )
    own_packages = str(Path(pa.__file__).parents[1])
    done = subprocess.run(
        [VALIDATOR, "-c", script, described, own_packages], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    issues, rows = json.loads(done.stdout)
    assert issues == []
    assert rows == [{f"samples/{name}": value for name, value in row.items()} for row in prepared.rows]


# --- Energon


def test_energon_prepares_the_shards_and_finds_each_image_where_the_index_says(
    prepared: Prepared, tmp_path: Path
) -> None:
    pytest.importorskip("megatron.energon", reason="megatron-energon is not among the packages for development")
    folder = tmp_path / "dataset"
    shutil.copytree(prepared.folder, folder)
    options = ["--non-interactive", "--num-workers", "1", "--exclude", "^miniature/|clips-"]
    options += ["--split-parts", "train:shards/images-.*", "--sample-type", "CrudeWebdataset"]
    command = [sys.executable, "-c", "from megatron.energon.cli.main import main; main()", "prepare"]
    done = subprocess.run([*command, *options, str(folder)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    with sqlite3.connect(folder / ".nv-meta" / "index.sqlite") as index:
        places = index.execute(
            "SELECT s.sample_key, p.content_byte_offset, p.content_byte_size FROM samples s JOIN sample_parts p"
            " USING (tar_file_id, sample_index) WHERE p.part_name <> 'json' ORDER BY s.tar_file_id, s.sample_index"
        ).fetchall()
    assert places == [(row["key"], row["offset"], row["length"]) for row in prepared.of_kind("image")]
