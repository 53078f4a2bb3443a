import errno
import io
from dataclasses import replace
from pathlib import Path

import msgspec
import pyarrow.parquet as pq
import pytest

from packtrain.dataset import unit_reader, work_units
from packtrain.dataset.recipe import recipe_digest, told_on_the_card
from packtrain.dataset.sources import SourceFile, Sources
from packtrain.dataset.unit_reader import read_unit
from packtrain.dataset.work_units import ReadJob, Unit, UnitFolder, slice_sources, slice_target_bytes
from packtrain.documents.recipe import RecipeSection
from packtrain.errors import HostUnfit
from packtrain.units import GIB, MIB
from source_parts import csv_text, png, write_sources

RECIPE = RecipeSection(image_crop_pixels=16, table_block_rows=4)


def _files(count: int, size_bytes: int = 200_000) -> list[SourceFile]:
    return [SourceFile(f"raw/{i:04d}.png", size_bytes, 1) for i in range(count)]


def _units(files: list[SourceFile], target_bytes: int = MIB, recipe: RecipeSection = RECIPE) -> list[Unit]:
    return list(slice_sources((("image", file) for file in files), recipe, target_bytes))


def _job(tmp_path: Path, *names: str) -> ReadJob:
    (tmp_path / "voyage").mkdir(exist_ok=True)
    sources = Sources([tmp_path / "raw"], tmp_path / "voyage")
    files = [entry for entry in sources.walk() if isinstance(entry, SourceFile)]
    kind = "table" if names[0].endswith("csv") else "image"
    chosen = [("raw/" + name) for name in names]
    (unit,) = slice_sources(((kind, f) for f in files if f.name in chosen), RECIPE, GIB)
    return ReadJob(unit, sources, RECIPE, UnitFolder(tmp_path / "units"))


def test_slices_hold_every_file_once_and_in_order() -> None:
    files = _files(300)
    assert [file for unit in _units(files) for file in unit.files] == files


def test_slices_are_near_their_target_and_never_far_above() -> None:
    units = _units(_files(2000))
    assert 200 < len(units) < 1000
    assert max(unit.name.source_bytes for unit in units) <= 4 * MIB + 200_000


def test_a_new_file_changes_one_slice_and_leaves_the_others() -> None:
    files = _files(300)
    before = {unit.unit_id for unit in _units(files)}
    added = [*files[:150], SourceFile("raw/0149b.png", 1000, 1), *files[150:]]
    after = {unit.unit_id for unit in _units(added)}
    assert len(before - after) == 1


def test_a_unit_is_known_by_size_and_time_of_its_sources_and_by_the_recipe_of_its_kind() -> None:
    one = _units(_files(1))[0].unit_id
    assert _units([SourceFile("raw/0000.png", 200_000, 2)])[0].unit_id != one
    assert _units([SourceFile("raw/0000.png", 200_001, 1)])[0].unit_id != one
    assert _units(_files(1), recipe=RecipeSection(image_crop_pixels=32))[0].unit_id != one
    other_kinds = RecipeSection(image_crop_pixels=16, table_block_rows=9, clip_frames=3, max_reject_rate=0.9)
    assert _units(_files(1), recipe=other_kinds)[0].unit_id == one


@pytest.mark.parametrize(
    ("total", "num_files", "target"),
    [
        (0, 0, 8 * MIB),
        (5 * MIB, 30, 8 * MIB),
        (130 * MIB, 3000, 8 * MIB),
        (2600 * MIB, 3000, 16 * MIB),
        (40 * GIB, 1000, 256 * MIB),
        (80 * 10**12, 10**8, GIB),
    ],
)
def test_the_target_of_slices_follows_the_total_in_powers_of_two(total: int, num_files: int, target: int) -> None:
    assert slice_target_bytes(total, num_files) == target


def test_a_read_unit_leaves_samples_blobs_and_a_receipt(tmp_path: Path) -> None:
    write_sources(tmp_path / "raw")
    job = _job(tmp_path, "images/a.png", "images/b.jpg")
    receipt = read_unit(job)
    rows = pq.read_table(job.folder.samples(job.unit.unit_id)).to_pylist()
    blobs = job.folder.blobs(job.unit.unit_id).read_bytes()
    assert [record.num_samples for record in receipt.sources] == [4, 12]
    assert len(rows) == receipt.num_samples == 16
    assert sum(row["blob_bytes"] for row in rows) == len(blobs)
    assert work_units.finished(job.folder, job.unit.unit_id) == receipt
    assert not job.folder.reading(job.unit.unit_id).exists()


def test_a_unit_whose_blobs_were_cut_is_not_finished(tmp_path: Path) -> None:
    write_sources(tmp_path / "raw")
    job = _job(tmp_path, "images/a.png")
    read_unit(job)
    blobs = job.folder.blobs(job.unit.unit_id)
    blobs.write_bytes(blobs.read_bytes()[:-1])
    assert work_units.finished(job.folder, job.unit.unit_id) is None


@pytest.mark.parametrize("payload", [b"", b"{}", b"not json"])
def test_a_receipt_that_cannot_be_read_is_none(tmp_path: Path, payload: bytes) -> None:
    write_sources(tmp_path / "raw")
    job = _job(tmp_path, "images/a.png")
    read_unit(job)
    job.folder.receipt(job.unit.unit_id).write_bytes(payload)
    assert work_units.finished(job.folder, job.unit.unit_id) is None


def test_a_damaged_source_leaves_no_blob_behind(tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    raw.mkdir()
    bad = csv_text(4000)
    # Good rows first, then a gzip that ends early: blocks were written before the damage was met.
    import gzip

    (raw / "a.csv.gz").write_bytes(gzip.compress(bad)[:-2000])
    (raw / "b.csv").write_bytes(csv_text(8))
    (tmp_path / "voyage").mkdir()
    sources = Sources([raw], tmp_path / "voyage")
    files = [entry for entry in sources.walk() if isinstance(entry, SourceFile)]
    (unit,) = slice_sources((("table", file) for file in files), RECIPE, GIB)
    job = ReadJob(unit, sources, RECIPE, UnitFolder(tmp_path / "units"))
    receipt = read_unit(job)
    assert [(record.num_samples, record.lost) for record in receipt.sources] == [(0, 1.0), (2, 0.0)]
    rows = pq.read_table(job.folder.samples(unit.unit_id)).to_pylist()
    assert rows[0]["blob_offset"] == 0
    assert {row["part_bytes"] for row in rows} == {receipt.blobs_bytes}


def test_a_full_disk_is_an_error_and_not_a_list_of_rejects(tmp_path: Path) -> None:
    write_sources(tmp_path / "raw")
    job = _job(tmp_path, "images/a.png")

    class Full(io.BytesIO):
        def write(self, data: object) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    reader = unit_reader._SourceReader(job, job.unit.files[0], Full())
    with pytest.raises(unit_reader._OutputFailedError):
        reader.read()


def test_a_source_whose_decoder_crashed_is_set_aside_unread(tmp_path: Path) -> None:
    raw = write_sources(tmp_path / "raw")
    job = _job(tmp_path, "images/a.png", "images/b.jpg")
    job.folder.reading(job.unit.unit_id).parent.mkdir(parents=True)
    job.folder.reading(job.unit.unit_id).write_text("raw/images/a.png")
    changed = work_units.without_the_source_it_died_of(job)
    assert changed is not None
    assert work_units.without_the_source_it_died_of(changed) is None
    receipt = read_unit(changed)
    assert [(r.path, r.error) for r in receipt.rejects] == [
        ("raw/images/a.png", "its decoder crashed and took the process with it")
    ]
    assert receipt.sources[1].num_samples == 12
    assert raw.exists()


def test_a_receipt_survives_its_own_encoding(tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "a.png").write_bytes(png()[:100])
    receipt = read_unit(_job(tmp_path, "a.png"))
    assert receipt.rejects[0].stage == "decode"
    assert msgspec.json.decode(msgspec.json.encode(receipt), type=work_units.UnitReceipt) == receipt


def test_where_units_are_run_is_no_part_of_the_recipe() -> None:
    elsewhere = msgspec.structs.replace(
        RECIPE, engine="slurm", ray_address="10.0.0.1:6379", slurm_arguments=("--partition=cpu",)
    )
    assert recipe_digest(elsewhere) == recipe_digest(RECIPE)
    assert told_on_the_card(elsewhere) == told_on_the_card(RECIPE)
    assert _units(_files(9), recipe=elsewhere) == _units(_files(9))


def test_a_unit_that_another_host_has_finished_is_not_done_again(tmp_path: Path) -> None:
    write_sources(tmp_path / "raw")
    job = _job(tmp_path, "images/a.png", "images/b.jpg")
    receipt = read_unit(job)
    before = {path: path.stat().st_ino for path in job.folder.root.rglob("*.*")}
    assert read_unit(replace(job, unit=replace(job.unit, given_up=frozenset({"raw/images/a.png"})))) == receipt
    assert {path: path.stat().st_ino for path in job.folder.root.rglob("*.*")} == before


def test_a_unit_whose_files_do_not_arrive_here_is_an_error_and_not_left_out(tmp_path: Path) -> None:
    write_sources(tmp_path / "raw")
    job = _job(tmp_path, "images/a.png")
    read_unit(job)
    work_units.await_outputs(job.folder, job.unit.unit_id, 0)
    job.folder.blobs(job.unit.unit_id).unlink()
    with pytest.raises(HostUnfit, match="not seen here"):
        work_units.await_outputs(job.folder, job.unit.unit_id, 0)


@pytest.mark.parametrize("name", ["a\rb.csv", "a\r\nb.csv", "a\nb.csv", "plain.csv"])
def test_a_source_of_any_name_is_known_again_when_its_reader_died_of_it(tmp_path: Path, name: str) -> None:
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / name).write_bytes(csv_text(5))
    job = _job(tmp_path, name)
    note = job.folder.reading(job.unit.unit_id)
    note.parent.mkdir(parents=True)
    note.write_bytes(f"raw/{name}".encode())
    again = work_units.without_the_source_it_died_of(job)
    assert again is not None
    assert again.unit.given_up == {f"raw/{name}"}
    note.write_bytes("raw/é".encode()[:-1])
    assert work_units.without_the_source_it_died_of(job) is None
