"""Units of adopted shards: slices, what a dead decoder leaves, members too large for memory."""

import io
import os
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from packtrain.dataset.adopt import webdataset
from packtrain.dataset.adopt.row import ShardToAdopt
from packtrain.dataset.adopt.survey import AdoptedForm, ShardSurvey, survey_shards
from packtrain.dataset.adopt.unit import AdoptJob, adopt_unit, slice_shards, without_the_sample_it_died_of
from packtrain.dataset.kinds import pieces
from packtrain.dataset.kinds.piece import OpenSource
from packtrain.dataset.sources import Sources
from packtrain.dataset.window import Window
from packtrain.dataset.work_units import UnitFolder, finished
from packtrain.documents.dataset import Kind
from packtrain.documents.recipe import RecipeSection
from packtrain.errors import SourceChanged
from packtrain.units import GIB
from shard_parts import rows_of, samples, tar_of
from source_parts import clip, png

RECIPE = RecipeSection()


def job_of(tmp_path: Path, recipe: RecipeSection = RECIPE, form: AdoptedForm = "webdataset") -> AdoptJob:
    (tmp_path / "voyage").mkdir(exist_ok=True)
    sources = Sources([tmp_path / "set"], tmp_path / "voyage")
    found = survey_shards(sources, form, ShardSurvey(tmp_path / "work"))
    (job,) = slice_shards(found.shards(), sources, recipe, UnitFolder(tmp_path / "units"), GIB)
    return job


def write(tmp_path: Path, name: str, members: list[tuple[str, bytes]]) -> Path:
    path = tmp_path / "set" / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(tar_of(members))
    return path


def test_a_sample_whose_decoder_crashed_is_set_aside_alone(tmp_path: Path) -> None:
    write(tmp_path, "0.tar", samples(3))
    job = job_of(tmp_path)
    receipt = adopt_unit(job)
    assert finished(job.folder, job.unit.unit_id) == receipt
    rows = rows_of(job.folder.samples(job.unit.unit_id))
    job.folder.reading(job.unit.unit_id).write_text(f"set/0.tar\0{rows[1]['blob_offset']}")
    changed = without_the_sample_it_died_of(job)
    assert isinstance(changed, AdoptJob)
    assert without_the_sample_it_died_of(changed) is None
    job.folder.receipt(job.unit.unit_id).unlink()
    receipt = adopt_unit(changed)
    assert [(r.place, r.error) for r in receipt.rejects] == [
        ('sample "000001"', ".png: its decoder crashed and took the process with it")
    ]
    assert [record.num_samples for record in receipt.sources] == [2]


def test_a_process_that_dies_in_a_decoder_leaves_the_name_of_what_it_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, "0.tar", samples(3))
    job = job_of(tmp_path)
    decoded: list[str] = []

    def die_at_the_second(kind: Kind, source: OpenSource, recipe: RecipeSection) -> Iterator[object]:
        decoded.append(source.name)
        return os._exit(9) if len(decoded) == 2 else pieces(kind, source, recipe)

    monkeypatch.setattr(webdataset, "pieces", die_at_the_second)
    if (child := os.fork()) == 0:
        adopt_unit(job)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    monkeypatch.undo()
    changed = without_the_sample_it_died_of(job)
    assert isinstance(changed, AdoptJob)
    receipt = adopt_unit(changed)
    assert [reject.place for reject in receipt.rejects] == ['sample "000001"']
    assert not job.folder.reading(job.unit.unit_id).exists()


def test_a_note_of_another_unit_changes_nothing(tmp_path: Path) -> None:
    write(tmp_path, "0.tar", samples(1))
    job = job_of(tmp_path)
    assert without_the_sample_it_died_of(job) is None
    job.folder.reading(job.unit.unit_id).parent.mkdir(parents=True)
    job.folder.reading(job.unit.unit_id).write_text("set/other.tar\0512")
    assert without_the_sample_it_died_of(job) is None


def test_members_too_large_for_memory_are_decoded_from_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, "0.tar", [("0.mp4", clip(7)), ("1.png", png(9, 7)), ("2.mp4", clip(7)[:-900])])
    held = adopt_unit(job_of(tmp_path))
    first = rows_of(tmp_path / "units" / held.unit[:2] / f"{held.unit}.samples.parquet")
    monkeypatch.setattr(webdataset, "_HELD_BYTES", 0)
    UnitFolder(tmp_path / "units").receipt(held.unit).unlink()
    read_twice = adopt_unit(job_of(tmp_path))
    assert read_twice == held
    assert rows_of(tmp_path / "units" / held.unit[:2] / f"{held.unit}.samples.parquet") == first
    assert [msgspec.json.decode(row["detail"])["width"] for row in first] == [64, 9]
    assert [reject.place for reject in held.rejects] == ['sample "2"']


def test_a_cut_shard_leaves_no_row_and_the_next_all_of_its_own(tmp_path: Path) -> None:
    path = write(tmp_path, "0.tar", samples(4))
    path.write_bytes(path.read_bytes()[:3000])
    write(tmp_path, "1.tar", samples(2, 5))
    receipt = adopt_unit(job_of(tmp_path))
    assert [(record.num_samples, record.lost) for record in receipt.sources] == [(0, 1.0), (2, 0.0)]
    [reject] = receipt.rejects
    assert (reject.path, reject.place, reject.bytes) == ("set/0.tar", "", 3000)


def test_a_shard_that_is_written_to_while_it_is_read_is_no_damaged_shard(tmp_path: Path) -> None:
    path = write(tmp_path, "0.tar", samples(1))
    job = job_of(tmp_path)
    os.utime(path, ns=(1, 1))
    with pytest.raises(SourceChanged):
        adopt_unit(job)


def test_what_touches_the_reading_is_in_the_unit_and_what_is_settled_later_is_not(tmp_path: Path) -> None:
    write(tmp_path, "0.tar", samples(1))
    unit = job_of(tmp_path).unit.unit_id
    assert job_of(tmp_path, RecipeSection(seed=7, shard_bytes=8192)).unit.unit_id == unit
    for recipe in (RecipeSection(adopt_check="digest"), RecipeSection(kinds=("image",))):
        assert job_of(tmp_path, recipe).unit.unit_id != unit


def test_tables_that_the_recipe_leaves_out_are_no_damage(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    pq.write_table(pa.table({"x": [1, 2]}), tmp_path / "set" / "0.parquet")
    pq.write_table(pa.table({"x": pa.array([], pa.int64())}), tmp_path / "set" / "1.parquet")
    left_out = adopt_unit(job_of(tmp_path, RecipeSection(kinds=("image",)), "parquet"))
    assert [(record.num_samples, record.lost) for record in left_out.sources] == [(0, 0.0), (0, 0.0)]
    assert left_out.rejects == ()
    wanted = adopt_unit(job_of(tmp_path, form="parquet"))
    assert [(record.num_samples, record.lost) for record in wanted.sources] == [(1, 0.0), (0, 1.0)]
    assert [reject.error for reject in wanted.rejects] == ["there is no sample in it"]


def test_slices_keep_a_shard_whole_and_one_form_each(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    sources = Sources([tmp_path / "set"], tmp_path / "voyage")
    shards = [ShardToAdopt(f"set/{n}.{'tar' if n % 2 else 'parquet'}", 1000 + n, n) for n in range(100)]
    jobs = list(slice_shards(shards, sources, RECIPE, UnitFolder(tmp_path / "units"), 5000))
    assert sorted(shard.name for job in jobs for shard in job.shards) == sorted(shard.name for shard in shards)
    assert all(len({shard.name.rpartition(".")[2] for shard in job.shards}) == 1 for job in jobs)
    assert len({job.unit.unit_id for job in jobs}) == len(jobs) > 10
    more = [*shards[:40], ShardToAdopt("set/39b.tar", 500, 1), *shards[40:]]
    again = list(slice_shards(more, sources, RECIPE, UnitFolder(tmp_path / "units"), 5000))
    assert len({job.unit.unit_id for job in again} - {job.unit.unit_id for job in jobs}) <= 2


def test_a_window_is_the_bytes_between_and_no_more(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(bytes(range(200)))
    with (tmp_path / "x").open("rb") as stream:
        window = io.BufferedReader(Window(stream.fileno(), 50, 20))
        assert window.read() == bytes(range(50, 70))
        assert window.seek(-5, io.SEEK_END) == 15
        assert window.read(100) == bytes(range(65, 70))
        assert window.seek(100) == 100
        assert window.read() == b""
        assert stream.tell() == 0
        with pytest.raises(OSError, match="before the beginning"):
            Window(stream.fileno(), 50, 20).seek(-1)
