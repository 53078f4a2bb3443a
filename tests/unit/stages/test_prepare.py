import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from packtrain.documents.codec import encode
from packtrain.documents.dataset import Dataset
from packtrain.engines.processes import ProcessMapper
from packtrain.errors import NothingToCarry, SourceUnreadable, TooManyRejects, VoyageFileError
from packtrain.events import Event, Notice, Progress
from packtrain.record.folder import VoyageFolder
from packtrain.record.receipts import is_fresh
from packtrain.stages.prepare import ground, inputs, prepare
from source_parts import clip, csv_text, ignore, jpeg, png, tree, voyage_folder, write_sources

RECIPE = "image_crop_pixels = 16\nclip_frames = 4\nclip_size_pixels = 16\ntable_block_rows = 4\nshard_bytes = 20000"


def _prepared(root: Path, recipe: str = RECIPE, num_workers: int = 0, like: Path | None = None) -> VoyageFolder:
    """Prepare fresh sources below `root`, or a copy of those at `like`."""
    raw = shutil.copytree(like, root / "raw") if like else write_sources(root / "raw")
    folder = voyage_folder(root / "voyage", raw, recipe)
    prepare(folder, ProcessMapper(num_workers), ignore)
    return folder


def _dataset(folder: VoyageFolder) -> Path:
    return folder.work / "dataset"


def _rows(folder: VoyageFolder, name: str) -> list[dict[str, object]]:
    return pq.read_table(_dataset(folder) / name).to_pylist()


def test_every_kind_becomes_samples_and_the_receipt_counts_them(tmp_path: Path) -> None:
    folder = voyage_folder(tmp_path / "voyage", write_sources(tmp_path / "raw"), RECIPE)
    receipt = prepare(folder, ProcessMapper(0), ignore)
    counts = receipt.counts
    assert (counts["table_samples"], counts["image_samples"], counts["clip_samples"]) == (6, 18, 2)
    assert counts["samples_prepared"] == 26
    assert counts["source_bytes"] == sum(p.stat().st_size for p in (tmp_path / "raw").rglob("*.*")) - 4
    assert counts["frames_left_over"] == 2
    assert is_fresh(folder, "prepare", inputs(folder))


def test_what_was_set_aside_is_named_with_its_reason(tmp_path: Path) -> None:
    raw = write_sources(tmp_path / "raw")
    (raw / "short.csv").write_bytes(b"id,name\n1\n")
    (raw / "night.fits").write_bytes(b"SIMPLE  = T")
    folder = voyage_folder(tmp_path / "voyage", raw, f"{RECIPE}\nmax_reject_rate = 0.9")
    events: list[Event] = []
    prepare(folder, ProcessMapper(0), events.append)

    told = [event.text for event in events if isinstance(event, Notice) and event.is_warning]
    assert any("short.csv: table has no rows that could be kept; first, line 2: " in each for each in told)
    assert any("missing columns" in each.casefold() for each in told)
    assert any("night.fits" in each for each in told)


def test_the_document_names_every_file_of_the_data_set_and_nothing_else_is_there(tmp_path: Path) -> None:
    folder = _prepared(tmp_path)
    document = folder.read(Dataset)
    named = {
        f.name: (f.bytes, f.sha256)
        for group in (document.shards, document.files, document.miniature_shards, document.miniature_files)
        for f in group
    }
    found = tree(_dataset(folder))
    assert found.pop("dataset.json") == encode(document)
    assert {name: (len(b), hashlib.sha256(b).hexdigest()) for name, b in found.items()} == named


def test_the_loader_of_training_reads_every_sample_and_its_digest(tmp_path: Path) -> None:
    from packtrain.training.loader import SampleStore

    folder = _prepared(tmp_path)
    for root in (_dataset(folder), _dataset(folder) / "miniature"):
        store = SampleStore(root)
        payloads = [store[row].payload for row in range(len(store))]
        assert [hashlib.sha256(payload).hexdigest() for payload in payloads] == store.sample_digests()


def test_the_same_sources_give_the_same_bytes_whatever_the_folder_workers_and_slices(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = tree(_dataset(_prepared(tmp_path / "one")))
    monkeypatch.setattr("packtrain.dataset.work_units._SMALLEST_SLICE_BYTES", 1)
    other = _prepared(tmp_path / "other", num_workers=2, like=tmp_path / "one" / "raw")
    assert len(list((other.work / "prepare" / "units").rglob("*.receipt.json"))) == 6
    assert tree(_dataset(other)) == one


def test_without_crops_and_runs_the_samples_are_the_sources_byte_for_byte(tmp_path: Path) -> None:
    folder = _prepared(tmp_path, "")
    row = next(row for row in _rows(folder, "index.parquet") if row["source"] == "raw/images/deep/c.png")
    whole = (_dataset(folder) / str(row["shard"])).read_bytes()
    offset, length = int(str(row["offset"])), int(str(row["length"]))
    assert whole[offset : offset + length] == (tmp_path / "raw" / "images" / "deep" / "c.png").read_bytes()
    assert row["sha256"] == row["source_sha256"]


def test_exact_duplicates_are_dropped_and_say_what_was_kept(tmp_path: Path) -> None:
    raw = write_sources(tmp_path / "raw")
    shutil.copyfile(raw / "images" / "a.png", raw / "images" / "z-copy.png")
    shutil.copyfile(raw / "tables" / "people.csv", raw / "tables" / "same-rows.csv")
    folder = voyage_folder(tmp_path / "voyage", raw, RECIPE)
    receipt = prepare(folder, ProcessMapper(0), ignore)
    assert (receipt.counts["image_duplicates"], receipt.counts["table_duplicates"]) == (4, 5)
    assert receipt.counts["samples_prepared"] == 26
    dropped = [row for row in _rows(folder, "drops.parquet") if row["kind"] == "image"]
    assert {(row["source"], row["kept_source"]) for row in dropped} == {("raw/images/z-copy.png", "raw/images/a.png")}
    kept = {row["key"] for row in _rows(folder, "index.parquet")}
    assert {row["kept_key"] for row in dropped} <= kept
    assert not {row["key"] for row in dropped} & kept


def test_damaged_inputs_are_set_aside_with_a_reason_and_the_rest_is_carried(tmp_path: Path) -> None:
    raw = write_sources(tmp_path / "raw")
    (raw / "images" / "cut.jpg").write_bytes(jpeg()[:2000])
    (raw / "images" / "empty.png").write_bytes(b"")
    (raw / "tables" / "torn.xlsx").write_bytes(b"PK\x03\x04 torn")
    (raw / "tables" / "some.csv").write_bytes(b"a,b\n1,2\n3\n")
    (raw / "clips" / "cut.mp4").write_bytes(clip(20)[:1200])
    (raw / "notes.md").write_bytes(b"# notes\n")
    (raw / "images" / "link.png").symlink_to("a.png")
    folder = voyage_folder(tmp_path / "voyage", raw, RECIPE + "\nmax_reject_rate = 0.5")
    events: list[Event] = []
    receipt = prepare(folder, ProcessMapper(0), events.append)
    rejects = {str(row["path"]): row for row in _rows(folder, "rejects.parquet")}
    assert {(path, row["kind"], row["stage"], row["place"]) for path, row in rejects.items()} == {
        ("raw/images/cut.jpg", "image", "decode", ""),
        ("raw/images/empty.png", "image", "decode", ""),
        ("raw/tables/torn.xlsx", "table", "decode", ""),
        ("raw/tables/some.csv", "table", "row", "line 3"),
        ("raw/clips/cut.mp4", "clip", "decode", ""),
        ("raw/notes.md", "", "walk", ""),
        ("raw/images/link.png", "", "walk", ""),
    }
    assert all(row["error"] for row in rejects.values())
    assert rejects["raw/images/cut.jpg"]["sha256"] == hashlib.sha256(jpeg()[:2000]).hexdigest()
    assert rejects["raw/images/cut.jpg"]["bytes"] == 2000
    assert (receipt.counts["rejects"], receipt.counts["unread_files"]) == (5, 2)
    assert receipt.counts["samples_prepared"] == 27
    assert any(isinstance(event, Notice) and event.is_warning for event in events)


def test_more_rejects_than_allowed_stop_the_job_and_are_listed(tmp_path: Path) -> None:
    raw = write_sources(tmp_path / "raw")
    (raw / "images" / "cut.jpg").write_bytes(jpeg()[:2000])
    folder = voyage_folder(tmp_path / "voyage", raw, RECIPE)
    with pytest.raises(TooManyRejects, match=r"raw/images/cut\.jpg: not a readable image") as caught:
        prepare(folder, ProcessMapper(0), ignore)
    listed = pq.read_table(str(caught.value.where)).to_pylist()
    assert [row["path"] for row in listed] == ["raw/images/cut.jpg"]
    assert folder.receipt("prepare") is None


def test_files_of_other_types_do_not_stop_the_job(tmp_path: Path) -> None:
    raw = write_sources(tmp_path / "raw")
    for number in range(30):
        (raw / f"{number}.bin").write_bytes(b"x")
    receipt = prepare(voyage_folder(tmp_path / "voyage", raw, RECIPE), ProcessMapper(0), ignore)
    assert receipt.counts["unread_files"] == 30


def test_a_second_run_reads_nothing_again_and_a_new_source_only_its_own_slice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("packtrain.dataset.work_units._SMALLEST_SLICE_BYTES", 1)
    folder = _prepared(tmp_path)
    again = prepare(folder, ProcessMapper(0), ignore)
    assert (again.counts["units"], again.counts["units_reused"]) == (6, 6)
    (tmp_path / "raw" / "images" / "new.png").write_bytes(png(20, 20, 9))
    assert not is_fresh(folder, "prepare", inputs(folder))
    third = prepare(folder, ProcessMapper(0), ignore)
    assert (third.counts["units"], third.counts["units_reused"]) == (7, 6)


def test_a_data_set_that_lost_a_shard_is_made_again(tmp_path: Path) -> None:
    folder = _prepared(tmp_path)
    shard = next((_dataset(folder) / "shards").rglob("*.tar"))
    before = shard.read_bytes()
    shard.unlink()
    assert not is_fresh(folder, "prepare", inputs(folder))
    prepare(folder, ProcessMapper(0), ignore)
    assert shard.read_bytes() == before
    assert is_fresh(folder, "prepare", inputs(folder))


def test_a_changed_crop_size_reads_images_again_and_nothing_else(tmp_path: Path) -> None:
    _prepared(tmp_path)
    folder = voyage_folder(
        tmp_path / "voyage", tmp_path / "raw", RECIPE.replace("pixels = 16\nclip", "pixels = 8\nclip")
    )
    receipt = prepare(folder, ProcessMapper(0), ignore)
    assert (receipt.counts["units"], receipt.counts["units_reused"]) == (3, 2)
    assert receipt.counts["image_samples"] > 18


def test_what_an_earlier_recipe_left_is_removed(tmp_path: Path) -> None:
    folder = _prepared(tmp_path, RECIPE.replace("shard_bytes = 20000", "shard_bytes = 4096"))
    many = len(list(_dataset(folder).rglob("*.tar")))
    (_dataset(folder) / "shards" / "images-000000.tar.part").write_bytes(b"half")
    folder = voyage_folder(tmp_path / "voyage", tmp_path / "raw", RECIPE)
    prepare(folder, ProcessMapper(0), ignore)
    assert len(list(_dataset(folder).rglob("*.tar"))) < many
    assert tree(_dataset(folder)) == tree(_dataset(_prepared(tmp_path / "fresh", like=tmp_path / "raw")))


def test_the_miniature_is_a_true_subset_in_the_same_form(tmp_path: Path) -> None:
    folder = _prepared(tmp_path, RECIPE + "\nminiature_samples = 12")
    whole = {row["key"]: row for row in _rows(folder, "index.parquet")}
    small = _rows(folder, "miniature/index.parquet")
    assert len(small) == 12
    assert {row["kind"] for row in small} == {"table", "image", "clip"}
    for row in small:
        same = ("kind", "length", "sha256", "source", "source_sha256", "detail", "recipe")
        assert {name: row[name] for name in same} == {name: whole[row["key"]][name] for name in same}
    document = folder.read(Dataset)
    assert sum(shard.num_samples for shard in document.miniature_shards) == 12
    assert all(f.name.startswith("miniature/") for f in (*document.miniature_shards, *document.miniature_files))


def test_shards_stay_below_their_size_and_rows_of_a_table_are_row_groups(tmp_path: Path) -> None:
    folder = _prepared(tmp_path)
    document = folder.read(Dataset)
    assert all(shard.bytes <= 20000 + 1024 for shard in document.shards if shard.name.endswith(".tar"))
    (people,) = [shard for shard in document.shards if "people" in shard.name]
    metadata = pq.ParquetFile(_dataset(folder) / people.name).metadata
    assert [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)] == [4] * 5


def test_a_json_member_says_where_the_sample_comes_from(tmp_path: Path) -> None:
    folder = _prepared(tmp_path)
    with tarfile.open(_dataset(folder) / "shards" / "clips-000000.tar") as archive:
        stream = archive.extractfile(next(name for name in archive.getnames() if name.endswith(".json")))
        assert stream is not None
        about = json.load(stream)
    assert about["source"] == "raw/clips/moving.mp4"
    assert about["times_seconds"] == [0, 0.1, 0.2, 0.3]


def test_licences_of_the_sources_travel_along_and_stand_in_the_card(tmp_path: Path) -> None:
    folder = _prepared(tmp_path)
    (paper,) = (_dataset(folder) / "papers").iterdir()
    assert paper.read_bytes() == b"CC0\n"
    assert f"papers/{paper.name}" in (_dataset(folder) / "README.md").read_text()


def test_the_croissant_card_names_the_index_by_digest_and_a_set_of_files_a_kind(tmp_path: Path) -> None:
    folder = _prepared(tmp_path)
    card = json.loads((_dataset(folder) / "croissant.json").read_bytes())
    by_id = {item["@id"]: item for item in card["distribution"]}
    assert set(by_id) == {"index", "tables", "images", "clips"}
    index = (_dataset(folder) / "index.parquet").read_bytes()
    assert by_id["index"]["sha256"] == hashlib.sha256(index).hexdigest()


def test_progress_tells_bytes_read_and_samples_written_to_the_end(tmp_path: Path) -> None:
    folder = voyage_folder(tmp_path / "voyage", write_sources(tmp_path / "raw"), RECIPE)
    events: list[Event] = []
    prepare(folder, ProcessMapper(0), events.append)
    last = {event.activity: event for event in events if isinstance(event, Progress)}
    assert last["reading sources"].done_bytes == last["reading sources"].total_bytes > 0
    assert last["writing shards"].done_items == last["writing shards"].total_items == 26


def test_a_voyage_without_sources_says_so(tmp_path: Path) -> None:
    (tmp_path / "voyage.toml").write_text('[voyage]\nname = "x"\n')
    with pytest.raises(VoyageFileError, match="no \\[sources\\] paths"):
        inputs(VoyageFolder(tmp_path))


def test_a_missing_source_is_told_before_anything_is_done(tmp_path: Path) -> None:
    folder = voyage_folder(tmp_path / "voyage", tmp_path / "nowhere")
    with pytest.raises(SourceUnreadable):
        prepare(folder, ProcessMapper(0), ignore)
    assert not folder.work.exists()


def test_sources_without_any_table_image_or_clip_are_nothing_to_carry(tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "a.bin").write_bytes(b"x")
    with pytest.raises(NothingToCarry, match="1 files of other types"):
        prepare(voyage_folder(tmp_path / "voyage", tmp_path / "raw"), ProcessMapper(0), ignore)


def test_kinds_that_the_recipe_leaves_out_are_neither_samples_nor_rejects(tmp_path: Path) -> None:
    folder = _prepared(tmp_path, RECIPE + '\nkinds = ["image"]')
    assert {row["kind"] for row in _rows(folder, "index.parquet")} == {"image"}
    assert _rows(folder, "rejects.parquet") == []


def test_a_missing_extra_is_named_with_the_command_that_brings_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from packtrain.errors import MissingDependency

    monkeypatch.setattr(ground, "_MODULES", ("av_of_another_world",))
    folder = voyage_folder(tmp_path / "voyage", write_sources(tmp_path / "raw"))
    with pytest.raises(MissingDependency, match="av_of_another_world") as caught:
        prepare(folder, ProcessMapper(0), ignore)
    assert caught.value.hint == "pip install 'packtrain[prepare]'"


@pytest.mark.namespaces
def test_prepare_works_where_there_is_no_network(tmp_path: Path) -> None:
    folder = voyage_folder(tmp_path / "voyage", write_sources(tmp_path / "raw"), RECIPE)
    program = (
        "import sys\nfrom pathlib import Path\n"
        "from packtrain.engines.processes import ProcessMapper\n"
        "from packtrain.record.folder import VoyageFolder\nfrom packtrain.stages.prepare import prepare\n"
        "if __name__ == '__main__':\n"
        "    folder = VoyageFolder(Path(sys.argv[1]))\n"
        "    print(prepare(folder, ProcessMapper(2), lambda event: None).counts['samples_prepared'])\n"
    )
    script = tmp_path / "boxed.py"
    script.write_text(program)
    done = subprocess.run(
        ["unshare", "--map-root-user", "--net", sys.executable, str(script), str(folder.root)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, "HOME": str(tmp_path / "home")},
    )
    assert (done.returncode, done.stdout) == (0, "26\n"), done.stderr
    assert not (tmp_path / "home").exists()


def test_two_copies_of_one_source_with_other_names_are_told_apart_by_lineage(tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    raw.mkdir()
    for name in ("x.csv", "y.csv"):
        (raw / name).write_bytes(csv_text(3))
    folder = voyage_folder(tmp_path / "voyage", raw)
    prepare(folder, ProcessMapper(0), ignore)
    assert [row["source"] for row in _rows(folder, "index.parquet")] == ["raw/x.csv"]
    assert [(row["path"], row["samples"]) for row in _rows(folder, "sources.parquet")] == [
        ("raw/x.csv", 1),
        ("raw/y.csv", 1),
    ]


def test_folders_named_like_columns_or_patterns_bring_in_no_other_voyages_samples(tmp_path: Path) -> None:
    plain = _prepared(tmp_path / "plain")
    other = tmp_path / "kind=x" / "split=y" / "runs"
    _prepared(other, like=tmp_path / "plain" / "raw")
    odd = other.parent / "run*"
    shutil.copytree(tmp_path / "plain" / "raw", odd / "raw")
    (odd / "raw" / "images" / "a.png").write_bytes(png(40, 40, 77))
    folder = voyage_folder(odd / "voyage", odd / "raw", RECIPE)
    receipt = prepare(folder, ProcessMapper(0), ignore)
    assert receipt.counts["samples_prepared"] == 26
    assert {row["split"] for row in _rows(folder, "index.parquet")} == {"train"}
    assert tree(_dataset(VoyageFolder(other / "voyage"))) == tree(_dataset(plain))
    (odd / "raw" / "images" / "a.png").write_bytes((tmp_path / "plain" / "raw" / "images" / "a.png").read_bytes())
    prepare(folder, ProcessMapper(0), ignore)
    assert tree(_dataset(folder)) == tree(_dataset(plain))


def test_a_column_of_another_type_with_the_same_text_makes_its_shard_anew(tmp_path: Path) -> None:
    def write(root: Path, width: pa.DataType) -> VoyageFolder:
        (root / "raw").mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.table({"n": pa.array([1, 2, 3], width)}), root / "raw" / "t.parquet")
        folder = voyage_folder(root / "voyage", root / "raw")
        prepare(folder, ProcessMapper(0), ignore)
        return folder

    write(tmp_path / "changed", pa.int32())
    changed = write(tmp_path / "changed", pa.int64())
    shards = {name: content for name, content in tree(_dataset(changed)).items() if name.startswith("shards/")}
    fresh = tree(_dataset(write(tmp_path / "fresh", pa.int64())))
    assert len(shards) == 1
    assert shards == {name: content for name, content in fresh.items() if name.startswith("shards/")}
