"""`prepare` adopts ready shards: indexed where they lie, nothing of them written again, and what is bad left out."""

import io
import os
import random
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from packtrain.dataset.kinds.blocks import csv_of
from packtrain.digest import sha256_bytes, sha256_file
from packtrain.documents.codec import decode
from packtrain.documents.data_scan import DataScan
from packtrain.documents.dataset import Dataset
from packtrain.engines.processes import ProcessMapper
from packtrain.errors import (
    IntegrityError,
    NothingToCarry,
    SourceChanged,
    SourceUnreadable,
    StageNotReady,
    TooManyRejects,
    VoyageFileError,
)
from packtrain.events import Event, Notice
from packtrain.record.adopted import adopted_places
from packtrain.record.receipts import is_fresh
from packtrain.stages.prepare import inputs, prepare
from packtrain.training.loader import SampleStore
from shard_parts import adopting_folder, rows_of, samples, stamp, tar_of, write_shards
from source_parts import clip, csv_text, ignore, jpeg, png, tree, voyage_folder


def store_at(folder: Any, place: Path) -> SampleStore:
    """Lay a data set out as it arrives: adopted shards under their names beside the index."""
    for name, adopted in adopted_places(folder).items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(adopted.place.read_bytes())
    (place / "index.parquet").write_bytes((folder.work / "dataset" / "index.parquet").read_bytes())
    return SampleStore(place)


def test_shards_are_indexed_where_they_lie_and_nothing_of_them_is_written(tmp_path: Path) -> None:
    raw = write_shards(tmp_path / "pictures")
    before = stamp(raw)
    folder = adopting_folder(tmp_path / "voyage", raw, "webdataset")
    prepare(folder, ProcessMapper(0), ignore)
    assert stamp(raw) == before
    dataset = folder.read(Dataset)
    assert [(s.name, s.kind, s.split, s.num_samples, s.sha256) for s in dataset.shards] == [
        (f"shards/pictures/{name}", "image", split, number, sha256_file(raw / name))
        for name, split, number in (
            ("train/000000.tar", "train", 5),
            ("train/000001.tar", "train", 4),
            ("val/000000.tar", "validation", 3),
        )
    ]
    assert not (folder.work / "dataset" / "shards").exists()
    assert sum(p.stat().st_size for p in (folder.work / "prepare" / "units").rglob("*.blobs")) == 0
    places = adopted_places(folder)
    assert {name: place.place for name, place in places.items()} == {
        shard.name: raw / shard.name.removeprefix("shards/pictures/") for shard in dataset.shards
    }
    assert is_fresh(folder, "prepare", inputs(folder))
    assert [file.name for file in dataset.files if file.name.startswith("papers/")]


def test_every_row_leads_to_its_media_and_to_the_other_members(tmp_path: Path) -> None:
    folder = adopting_folder(tmp_path / "voyage", write_shards(tmp_path / "pictures"), "webdataset")
    prepare(folder, ProcessMapper(0), ignore)
    store = store_at(folder, tmp_path / "store")
    given = {"train/000000": samples(5, 1), "train/000001": samples(4, 2), "val/000000": samples(3, 3)}
    rows = rows_of(tmp_path / "store" / "index.parquet")
    assert len(rows) == len(store) == 12
    for number, row in enumerate(rows):
        detail = msgspec.json.decode(row["detail"])
        held = dict(given[row["shard"].removeprefix("shards/pictures/").removesuffix(".tar")])
        key = detail["sample_key"]
        assert store[number].payload == held[f"{key}.{detail['suffix']}"]
        assert store.member(store[number], "txt") == held[f"{key}.txt"]
        assert store.member(store[number], "cls") == held[f"{key}.cls"]
        assert (row["sha256"], row["split"]) == (
            sha256_bytes(held[f"{key}.{detail['suffix']}"]),
            "validation" if "/val/" in row["shard"] else "train",
        )
    assert len({row["key"] for row in rows}) == 12
    with pytest.raises(SourceUnreadable, match="no such member"):
        store.member(store[0], "wav")


def test_damaged_samples_and_duplicates_are_left_out_of_the_index_and_named(tmp_path: Path) -> None:
    raw = tmp_path / "set"
    raw.mkdir()
    good = [("a.png", png(8, 8, 1)), ("a.txt", b"one")]
    bad = [("b.jpg", jpeg(64, 48, 2)[:-300]), ("b.txt", b"two")]
    twin = [("c.png", png(8, 8, 1)), ("c.txt", b"the same picture")]
    text = [("d.txt", b"no picture"), ("d.npy", b"\x93NUMPY")]
    twice = [("e.png", png(8, 8, 5)), ("e.png", png(8, 8, 6))]
    (raw / "0.tar").write_bytes(tar_of([*good, *bad, *twin, *text, *twice, *samples(40, 9)]))
    before = stamp(raw)
    events: list[Event] = []
    folder = adopting_folder(tmp_path / "voyage", raw, "webdataset")
    prepare(folder, ProcessMapper(0), events.append)
    assert stamp(raw) == before
    rejects = {row["place"]: row["error"] for row in rows_of(folder.work / "dataset" / "rejects.parquet")}
    assert set(rejects) == {'sample "b"', 'sample "d"', 'sample "e"'}
    assert "not a readable image" in rejects['sample "b"']
    assert ".txt, .npy" in rejects['sample "d"']
    assert "two members .png" in rejects['sample "e"']
    [drop] = rows_of(folder.work / "dataset" / "drops.parquet")
    index = {
        msgspec.json.decode(row["detail"])["sample_key"]: row
        for row in rows_of(folder.work / "dataset" / "index.parquet")
    }
    assert drop["kept_key"] == index["a"]["key"]
    assert drop["reason"] == "duplicate"
    assert set(index) == {"a", *(f"{n:06d}" for n in range(40))}
    notices = " ".join(event.text for event in events if isinstance(event, Notice))
    assert "its bytes stay in the adopted shards" in notices


def test_too_much_damage_stops_the_job(tmp_path: Path) -> None:
    raw = tmp_path / "set"
    raw.mkdir()
    (raw / "0.tar").write_bytes(tar_of(samples(20))[:-9000])
    for number in range(1, 4):
        (raw / f"{number}.tar").write_bytes(tar_of(samples(3, number)))
    folder = adopting_folder(tmp_path / "voyage", raw, "webdataset")
    with pytest.raises(TooManyRejects, match="tar is cut"):
        prepare(folder, ProcessMapper(0), ignore)
    folder = adopting_folder(tmp_path / "voyage", raw, "webdataset", "max_reject_rate = 0.3")
    prepare(folder, ProcessMapper(0), ignore)
    assert [shard.name for shard in folder.read(Dataset).shards] == [f"shards/set/{n}.tar" for n in (1, 2, 3)]
    [reject] = rows_of(folder.work / "dataset" / "rejects.parquet")
    assert (reject["path"], reject["place"]) == ("set/0.tar", "")


def test_digests_alone_are_taken_where_the_recipe_says_so(tmp_path: Path) -> None:
    raw = tmp_path / "set"
    raw.mkdir()
    (raw / "0.tar").write_bytes(tar_of([("b.jpg", jpeg(64, 48, 2)[:-300])]))
    folder = adopting_folder(tmp_path / "voyage", raw, "webdataset", 'adopt_check = "digest"')
    prepare(folder, ProcessMapper(0), ignore)
    [row] = rows_of(folder.work / "dataset" / "index.parquet")
    assert row["sha256"] == sha256_bytes(jpeg(64, 48, 2)[:-300])
    (folder.root / "voyage.toml").write_text((folder.root / "voyage.toml").read_text().replace('"digest"', '"decode"'))
    with pytest.raises(TooManyRejects):
        prepare(folder, ProcessMapper(0), ignore)


def test_a_clip_counts_before_its_thumbnail_and_kinds_choose(tmp_path: Path) -> None:
    raw = tmp_path / "set"
    raw.mkdir()
    members = [("0.jpg", jpeg(64, 48, 1)), ("0.mp4", clip(6)), ("1.seg.png", png(8, 8, 2)), ("1.png", png(9, 9, 3))]
    (raw / "0.tar").write_bytes(tar_of(members))
    folder = adopting_folder(tmp_path / "voyage", raw, "webdataset")
    prepare(folder, ProcessMapper(0), ignore)
    found = {row["kind"]: msgspec.json.decode(row["detail"]) for row in rows_of(folder.work / "dataset/index.parquet")}
    assert (found["clip"]["suffix"], list(found["clip"]["members"])) == ("mp4", ["jpg"])
    assert found["clip"]["num_frames"] == 6
    assert (found["image"]["suffix"], list(found["image"]["members"])) == ("png", ["seg.png"])
    folder = adopting_folder(tmp_path / "other", raw, "webdataset", 'kinds = ["image"]')
    prepare(folder, ProcessMapper(0), ignore)
    rows = rows_of(folder.work / "dataset/index.parquet")
    assert [msgspec.json.decode(row["detail"])["suffix"] for row in rows] == ["jpg", "png"]


def test_row_groups_are_samples_as_they_are(tmp_path: Path) -> None:
    raw = tmp_path / "tables"
    raw.mkdir()
    draw = random.Random(1)
    table = pa.table({"mail": [f"p{n}@example.org" for n in range(1000)], "x": [draw.random() for _ in range(1000)]})
    pq.write_table(table, raw / "a.parquet", row_group_size=7, write_page_checksum=True)
    pq.write_table(table.slice(0, 950).rename_columns(["m", "y"]), raw / "b.parquet", row_group_size=10**6)
    before = stamp(raw)
    folder = adopting_folder(tmp_path / "voyage", raw, "parquet")
    prepare(folder, ProcessMapper(0), ignore)
    assert stamp(raw) == before
    rows = rows_of(folder.work / "dataset" / "index.parquet")
    assert [row["length"] for row in rows] == [*[7] * 142, 6, 950]
    assert rows[3]["offset"] == 21
    assert rows[3]["sha256"] == sha256_bytes(csv_of(table.slice(21, 7)))
    store = store_at(folder, tmp_path / "store")
    assert store[3].payload == csv_of(table.slice(21, 7))
    assert sha256_bytes(store[143].payload) == rows[143]["sha256"]
    scan = decode(DataScan, folder.payload(DataScan), "data-scan.json")
    assert scan.num_tables == 2
    assert {each.looks_for for each in scan.detectors if each.num_findings}


def test_a_parquet_file_with_damage_is_set_aside_whole(tmp_path: Path) -> None:
    raw = tmp_path / "tables"
    raw.mkdir()
    table = pa.table({"x": list(range(5000)), "s": [str(n) for n in range(5000)]})
    for name in ("good", "flipped", "cut", "nested"):
        pq.write_table(table, raw / f"{name}.parquet", write_page_checksum=True, compression="none")
    flipped = bytearray((raw / "flipped.parquet").read_bytes())
    flipped[3000] ^= 1
    (raw / "flipped.parquet").write_bytes(flipped)
    (raw / "cut.parquet").write_bytes((raw / "cut.parquet").read_bytes()[:-100])
    pq.write_table(pa.table({"x": [[1, 2]]}), raw / "nested.parquet")
    folder = adopting_folder(tmp_path / "voyage", raw, "parquet", "max_reject_rate = 0.8")
    prepare(folder, ProcessMapper(0), ignore)
    assert [shard.name for shard in folder.read(Dataset).shards] == ["shards/tables/good.parquet"]
    rejects = {row["path"]: row["error"] for row in rows_of(folder.work / "dataset" / "rejects.parquet")}
    assert "CRC" in rejects["tables/flipped.parquet"]
    assert "cut" in rejects["tables/cut.parquet"]
    assert "no form in text" in rejects["tables/nested.parquet"]


def test_the_miniature_is_a_small_set_of_the_same_samples_with_all_members(tmp_path: Path) -> None:
    folder = adopting_folder(
        tmp_path / "voyage", write_shards(tmp_path / "pictures"), "webdataset", "miniature_samples = 5"
    )
    prepare(folder, ProcessMapper(0), ignore)
    small = folder.work / "dataset" / "miniature"
    whole = {row["key"]: row for row in rows_of(folder.work / "dataset" / "index.parquet")}
    store, rows = SampleStore(small), rows_of(small / "index.parquet")
    assert len(rows) == 5
    for number, row in enumerate(rows):
        assert {**row, "offset": 0, "detail": ""} == {**whole[row["key"]], "offset": 0, "detail": ""}
        assert sha256_bytes(store[number].payload) == row["sha256"]
        assert store.member(store[number], "txt").startswith(b"caption ")
    assert {"miniature/" + row["shard"] for row in rows} == {s.name for s in folder.read(Dataset).miniature_shards}


def test_the_same_shards_give_the_same_data_set_with_any_number_of_processes(tmp_path: Path) -> None:
    raw = write_shards(tmp_path / "pictures")
    one = adopting_folder(tmp_path / "one", raw, "webdataset", "miniature_samples = 4")
    two = adopting_folder(tmp_path / "two", raw, "webdataset", "miniature_samples = 4")
    prepare(one, ProcessMapper(0), ignore)
    prepare(two, ProcessMapper(2), ignore)
    assert tree(one.work / "dataset") == tree(two.work / "dataset")


def test_a_new_shard_leaves_the_receipts_of_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("packtrain.dataset.work_units._SMALLEST_SLICE_BYTES", 1 << 20)
    raw = tmp_path / "set"
    raw.mkdir()
    for number in range(6):
        # A shard larger than a slice's target is a slice alone.
        (raw / f"{number}.tar").write_bytes(tar_of([("0.bin", bytes(1 << 20)), *samples(3, number)]))
    folder = adopting_folder(tmp_path / "voyage", raw, "webdataset", "max_reject_rate = 0.5")
    prepare(folder, ProcessMapper(0), ignore)
    (raw / "6.tar").write_bytes(tar_of(samples(3, 7)))
    receipt = prepare(folder, ProcessMapper(0), ignore)
    assert receipt.counts["units_reused"] == 6
    os.utime(raw / "3.tar", ns=(1, 1))
    receipt = prepare(folder, ProcessMapper(0), ignore)
    assert receipt.counts["units_reused"] == receipt.counts["units"] - 1


def test_what_cannot_be_meant_of_adopted_shards_is_refused(tmp_path: Path) -> None:
    raw = write_shards(tmp_path / "pictures")
    for recipe, more in (
        ("image_crop_pixels = 16", ""),
        ("clip_frames = 4", ""),
        ("", "[prepare.splits]\nvalidation = 0.1"),
        ("", '[prepare.near_duplicates]\ntable = "minhash"'),
        ("", '[[prepare.filter]]\nkind = "table"\nmeasure = "distinct_row_fraction"\nmin = 0.5'),
        ('adopt_check = "digest"', "[prepare.near_duplicates]\ndrop = true"),
    ):
        folder = adopting_folder(tmp_path / "voyage", raw, "webdataset", recipe, more)
        with pytest.raises(VoyageFileError):
            prepare(folder, ProcessMapper(0), ignore)


def test_compressed_shards_are_refused_by_name(tmp_path: Path) -> None:
    raw = write_shards(tmp_path / "pictures")
    (raw / "train" / "000002.tar.gz").write_bytes(b"\x1f\x8b")
    folder = adopting_folder(tmp_path / "voyage", raw, "webdataset")
    with pytest.raises(SourceUnreadable, match=r"compressed as a whole") as caught:
        prepare(folder, ProcessMapper(0), ignore)
    assert "train/000002.tar.gz" in str(caught.value)


def test_a_folder_without_a_shard_is_nothing_to_carry(tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "a.csv").write_bytes(csv_text())
    with pytest.raises(NothingToCarry):
        prepare(adopting_folder(tmp_path / "voyage", tmp_path / "raw", "webdataset"), ProcessMapper(0), ignore)


def test_a_shard_that_changes_between_the_passes_is_noticed(tmp_path: Path) -> None:
    raw = write_shards(tmp_path / "pictures")
    folder = adopting_folder(tmp_path / "voyage", raw, "webdataset")

    def change(event: Event) -> None:
        if getattr(event, "activity", "") == "writing the index":
            for path in raw.rglob("*.tar"):
                path.write_bytes(path.read_bytes())

    with pytest.raises((SourceChanged, IntegrityError)):
        prepare(folder, ProcessMapper(0), change)


def test_going_back_to_files_forgets_where_shards_lay(tmp_path: Path) -> None:
    raw = write_shards(tmp_path / "pictures")
    (raw / "a.png").write_bytes(png())
    folder = adopting_folder(tmp_path / "voyage", raw, "webdataset")
    prepare(folder, ProcessMapper(0), ignore)
    assert adopted_places(folder)
    folder = voyage_folder(tmp_path / "voyage", raw)
    assert not is_fresh(folder, "prepare", inputs(folder))
    prepare(folder, ProcessMapper(0), ignore)
    assert not adopted_places(folder)
    assert io.BytesIO((folder.work / "dataset/shards/images-000000.tar").read_bytes()).getbuffer().nbytes


def test_a_lost_or_damaged_list_of_places_makes_the_stage_run_again(tmp_path: Path) -> None:
    folder = adopting_folder(tmp_path / "voyage", write_shards(tmp_path / "pictures"), "webdataset")
    prepare(folder, ProcessMapper(0), ignore)
    path = folder.work / "adopted.json"
    written = path.read_bytes()
    for payload in (b"{", b'{"version": 2, "shards": []}', written.replace(b'"shards/', b'"../')):
        path.write_bytes(payload)
        with pytest.raises(StageNotReady, match="cannot be read"):
            adopted_places(folder)
        assert not is_fresh(folder, "prepare", inputs(folder))
    path.unlink()
    assert not is_fresh(folder, "prepare", inputs(folder))
    prepare(folder, ProcessMapper(0), ignore)
    assert path.read_bytes() == written


def test_a_filter_leaves_row_groups_out_of_the_index_and_says_so(tmp_path: Path) -> None:
    raw = tmp_path / "tables"
    raw.mkdir()
    table = pa.table({"a": [*[None] * 30, *["x"] * 70], "b": list(range(100))})
    pq.write_table(table, raw / "a.parquet", row_group_size=30)
    folder = adopting_folder(
        tmp_path / "voyage",
        raw,
        "parquet",
        more='[[prepare.filter]]\nkind = "table"\nmeasure = "null_fraction"\nmax = 0.2\n'
        '[[prepare.filter]]\nkind = "table"\nmeasure = "rows"\nmin = 20',
    )
    prepare(folder, ProcessMapper(0), ignore)
    assert [row["offset"] for row in rows_of(folder.work / "dataset" / "index.parquet")] == [30, 60]
    drops = rows_of(folder.work / "dataset" / "drops.parquet")
    assert [(row["rule"], row["value"]) for row in drops] == [
        ("null_fraction at most 0.2", 0.5),
        ("rows at least 20", 10.0),
    ]


@pytest.mark.parametrize(
    "field",
    ["image_crop_pixels = 8", "image_resize_pixels = 16", 'image_encode = "webp"', "clip_frames = 4"],
)
def test_a_recipe_that_would_make_adopted_samples_anew_is_refused_before_anything_is_read(
    tmp_path: Path, field: str
) -> None:
    folder = adopting_folder(tmp_path / "voyage", write_shards(tmp_path / "pictures"), "webdataset", field)
    with pytest.raises(VoyageFileError, match=field.partition(" ")[0]):
        prepare(folder, ProcessMapper(0), ignore)
    assert not (folder.work / "prepare" / "units").exists()


@pytest.mark.parametrize("seed", range(4))
def test_the_miniature_of_adopted_shards_has_samples_of_every_side(tmp_path: Path, seed: int) -> None:
    raw = tmp_path / "pictures"
    for name, number in {"train": 60, "val": 1, "test": 1}.items():
        (raw / name).mkdir(parents=True)
        (raw / name / "0.tar").write_bytes(tar_of(samples(number, len(name), prefix=name)))
    folder = adopting_folder(tmp_path / "voyage", raw, "webdataset", f"miniature_samples = 6\nseed = {seed}")
    prepare(folder, ProcessMapper(0), ignore)
    sides = [row["split"] for row in rows_of(folder.work / "dataset" / "miniature" / "index.parquet")]
    assert set(sides) == {"train", "validation", "test"}
    assert sides.count("train") >= 4
