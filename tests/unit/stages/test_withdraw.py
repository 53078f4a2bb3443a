"""Sources are taken out: what that touches is told, the rest keeps its bytes, and nothing of them stays below work/."""

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from packtrain.documents.dataset import Dataset
from packtrain.documents.export_list import ExportList
from packtrain.documents.placement import PlacementDocument
from packtrain.documents.plan import Plan
from packtrain.documents.receipt import Receipt
from packtrain.documents.withdrawals import Withdrawals
from packtrain.errors import NothingToCarry, SignatureInvalid, SourceUnreadable, StageNotReady, VoyageFileError
from packtrain.record.receipts import is_fresh
from packtrain.stages.pack.cargo import cargo_to_pack
from packtrain.stages.prepare import inputs
from packtrain.training.known_run import Asked
from packtrain.training.replay import IndexRows, Run, steps_of
from packtrain.voyage import Voyage
from sample_documents import samples
from source_parts import csv_text, ignore, png, tree
from withdraw_parts import CANARY, RECIPE, canary_csv, canary_jpeg, make_voyage, write_raw

pytestmark = pytest.mark.slow


@pytest.fixture
def voyage(tmp_path: Path) -> Voyage:
    return make_voyage(tmp_path / "voyage", write_raw(tmp_path / "raw"))


def _withdraw(voyage: Voyage, *sources: str, **more: Any) -> Any:
    return voyage.withdraw(sources, "asked for by the person", Asked(), num_workers=0, **more)


def _rows(voyage: Voyage, name: str = "index.parquet") -> list[dict[str, Any]]:
    return pq.read_table(voyage.folder.work / "dataset" / name).to_pylist()


def _state(voyage: Voyage) -> dict[str, tuple[int, int, str]]:
    """Return inode, time and digest of every shard."""
    found = {}
    for path in sorted((voyage.folder.work / "dataset" / "shards").rglob("*.*")):
        status = path.stat()
        found[path.name] = status.st_ino, status.st_mtime_ns, hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def _places(rows: list[dict[str, Any]]) -> dict[str, tuple[str, str]]:
    return {row["key"]: (row["split"], row["shard"]) for row in rows}


def _holders(voyage: Voyage, needle: bytes) -> list[str]:
    work = voyage.folder.work
    return [name for name, payload in tree(work).items() if needle in payload]


@pytest.mark.parametrize(
    "source", ["raw/images/05.png", "raw/tables/t1.csv", "raw/clips/moving.mp4", "raw/images/00.png"]
)
def test_shards_without_any_of_it_are_not_touched_and_nothing_else_moves(voyage: Voyage, source: str) -> None:
    before, rows = _state(voyage), _rows(voyage)
    outlook = _withdraw(voyage, source)
    gone = {row["key"] for row in rows if row["source"] == source}
    assert gone == {key for each in outlook.sources for key in each.samples}
    assert {name.rpartition("/")[2] for name in outlook.shards} == {
        row["shard"].rpartition("/")[2] for row in rows if row["source"] == source
    }
    after, left = _state(voyage), _rows(voyage)
    assert _places(left) == {key: place for key, place in _places(rows).items() if key not in gone}
    touched = {name.rpartition("/")[2] for name in outlook.shards}
    untouched = {name: state for name, state in before.items() if name not in touched}
    assert {name: after[name] for name in untouched} == untouched
    assert untouched
    assert is_fresh(voyage.folder, "prepare", inputs(voyage.folder))
    assert not {row["key"] for row in _rows(voyage, "miniature/index.parquet")} & gone
    assert {row["key"] for row in _rows(voyage, "drops.parquet") if row["reason"] == "withdrawn"} >= gone
    assert source not in {row["path"] for row in _rows(voyage, "sources.parquet")}


@pytest.mark.parametrize("recipe", [RECIPE, "shard_bytes = 8192\ntable_block_rows = 4"])
def test_no_byte_of_it_is_left_below_work_with_all_copies(tmp_path: Path, recipe: str) -> None:
    voyage, image = make_voyage(tmp_path / "voyage", write_raw(tmp_path / "raw"), recipe), canary_jpeg()
    assert _holders(voyage, CANARY)
    outlook = _withdraw(voyage, "raw/images/person.jpg", "raw/tables/person.csv")
    assert {source.name: source.because for source in outlook.sources} == {
        "raw/images/person.jpg": "asked for",
        "raw/images/person-again.jpg": "same bytes as raw/images/person.jpg",
        "raw/tables/person.csv": "asked for",
    }
    assert [row for row in _rows(voyage) if "person" in row["source"]] == []
    assert _holders(voyage, CANARY) == []
    assert _holders(voyage, image[100:140]) == []
    # Parquet is compressed: what is in it is looked at as well.
    for path in voyage.folder.work.rglob("*.parquet"):
        assert CANARY.decode() not in json.dumps(pq.read_table(path).to_pylist(), default=str), path


def test_no_byte_of_it_travels_in_the_miniature(tmp_path: Path) -> None:
    # So large that every sample is in it.
    voyage = make_voyage(tmp_path / "voyage", write_raw(tmp_path / "raw"), RECIPE.replace("= 8\n", "= 4096\n"))

    def rehearsed() -> dict[str, bytes]:
        cargo = cargo_to_pack(voyage.folder, samples()[PlacementDocument], ignore, accept_losses=False)
        root = voyage.folder.work / "dataset"
        by_digest = {hashlib.sha256(payload).hexdigest(): payload for payload in tree(root / "miniature").values()}
        names = [entry.name.decode() for entry in cargo.listed.entries]
        return {name: by_digest[name.removeprefix("rehearsed/")] for name in names if name.startswith("rehearsed/")}

    before = rehearsed()
    assert [name for name, payload in before.items() if CANARY in payload]
    _withdraw(voyage, "raw/images/person.jpg", "raw/tables/person.csv")
    after = rehearsed()
    assert after
    assert [name for name, payload in after.items() if CANARY in payload] == []
    # Parquet is compressed: what is in it is looked at as well.
    rows = _rows(voyage, "miniature/index.parquet")
    assert rows and [row for row in rows if "person" in row["source"]] == []
    assert {payload[:4] for payload in after.values()} & {b"PAR1"}


def test_what_a_killed_look_or_prepare_left_is_cleared(voyage: Voyage) -> None:
    work = voyage.folder.work
    for name in ("prepare/spill/pairs/rows", "prepare/spill/duckdb_temp_storage-0.tmp", "look.html", "look.html.part"):
        (work / name).parent.mkdir(parents=True, exist_ok=True)
        (work / name).write_bytes(CANARY)
    _withdraw(voyage, "raw/tables/person.csv", "raw/images/person.jpg")
    assert _holders(voyage, CANARY) == []


def test_equal_rows_of_another_table_leave_the_data_set_and_hold_their_place(tmp_path: Path) -> None:
    raw = write_raw(tmp_path / "raw")
    (raw / "tables" / "a-part.csv").write_bytes(canary_csv(4) + b"99,elsewhere\n")
    voyage = make_voyage(tmp_path / "voyage", raw)
    rows, before = _rows(voyage), _state(voyage)
    equal = next(row for row in rows if row["source"] == "raw/tables/a-part.csv" and row["length"] == 4)
    outlook = _withdraw(voyage, "raw/tables/person.csv")
    assert outlook.equals == [(equal["key"], "raw/tables/a-part.csv")]
    gone = {equal["key"]} | {row["key"] for row in rows if row["source"] == "raw/tables/person.csv"}
    assert _places(_rows(voyage)) == {key: place for key, place in _places(rows).items() if key not in gone}
    touched = {row["shard"].rpartition("/")[2] for row in rows if row["key"] in gone}
    assert {name: state for name, state in before.items() if name not in touched}.items() <= _state(voyage).items()
    told = {row["key"]: row["rule"] for row in _rows(voyage, "drops.parquet")}
    assert told[equal["key"]] == "same bytes as a withdrawn sample"


def test_samples_of_other_sources_that_stay_out_are_named(tmp_path: Path) -> None:
    raw = write_raw(tmp_path / "raw")
    (raw / "tables" / "z-longer.csv").write_bytes(csv_text(4, 2) + b'00099,"elsewhere",1\n')
    voyage = make_voyage(tmp_path / "voyage", raw)
    drops = [row for row in _rows(voyage, "drops.parquet") if row["source"] == "raw/tables/z-longer.csv"]
    assert [row["kept_source"] for row in drops] == ["raw/tables/t2.csv"]
    outlook = _withdraw(voyage, "raw/tables/t2.csv", is_dry=True)
    assert [(key, source) for key, source, _ in outlook.stay_out] == [(drops[0]["key"], "raw/tables/z-longer.csv")]
    rows = _rows(voyage)
    _withdraw(voyage, "raw/tables/t2.csv")
    assert _places(_rows(voyage)).items() <= _places(rows).items()
    assert drops[0]["key"] not in _places(_rows(voyage))
    told = {row["key"]: (row["reason"], row["rule"]) for row in _rows(voyage, "drops.parquet")}
    assert told[drops[0]["key"]] == ("withdrawn", "same bytes as a withdrawn sample")


def test_a_dry_run_changes_nothing(voyage: Voyage) -> None:
    before = tree(voyage.folder.root)
    outlook = _withdraw(voyage, "raw/images", is_dry=True)
    assert len(outlook.sources) == 14
    assert tree(voyage.folder.root) == before


def test_a_folder_a_pattern_and_a_path_on_disk_name_sources(voyage: Voyage, tmp_path: Path) -> None:
    def names(*asked: str) -> set[str]:
        return {source.name for source in _withdraw(voyage, *asked, is_dry=True).sources}

    assert names("raw/clips/") == {"raw/clips/moving.mp4"} == names(str(tmp_path / "raw" / "clips"))
    assert names("raw/images/0[12].png") == {"raw/images/01.png", "raw/images/02.png"}
    assert names(str(tmp_path / "raw" / "tables" / "t0.csv")) == {"raw/tables/t0.csv"}
    with pytest.raises(SourceUnreadable, match="no source of this name"):
        names("raw/nowhere.png")


@pytest.mark.parametrize("by_place", [False, True])
def test_a_name_with_the_signs_of_a_pattern_means_that_file_alone(tmp_path: Path, by_place: bool) -> None:
    raw = tmp_path / "raw"
    raw.mkdir()
    for number, name in enumerate(("a[1].csv", "a1.csv", "*.csv", "b.csv")):
        (raw / name).write_bytes(csv_text(8, number))
    voyage = make_voyage(tmp_path / "voyage", raw)

    def asked(name: str) -> list[str]:  # by its name, or by its place on this machine
        text = str(raw / name) if by_place else f"raw/{name}"
        outlook = voyage.withdraw([text], "", Asked(), is_dry=True)
        return [source.name for source in outlook.sources]

    assert asked("a[1].csv") == ["raw/a[1].csv"]
    assert asked("*.csv") == ["raw/*.csv"]
    assert asked("?.csv") == ["raw/*.csv", "raw/b.csv"]


def test_the_steps_that_saw_it_are_those_of_the_order_that_was_trained(voyage: Voyage) -> None:
    rows = IndexRows(voyage.folder.work / "dataset")
    source = next(row["source"] for row in _rows(voyage) if row["split"] == "train" and row["kind"] == "image")
    keys = [row["key"] for row in _rows(voyage) if row["source"] == source]
    expected = steps_of(rows, Run(3, 4, 9), rows.numbers_of(keys))
    outlook = voyage.withdraw([source], "", Asked(seed=3, global_batch=4, steps=9), num_workers=0)
    (touched,) = outlook.sources
    assert touched.steps == outlook.steps != "none"
    numbers = [part.split("-") for part in outlook.steps.split(", ")]
    assert [step for each in numbers for step in range(int(each[0]), int(each[-1]) + 1)] == expected
    # Kept in the record: the index that they were counted in is gone now.
    (entry,) = voyage.folder.read_signed(Withdrawals).entries
    assert (entry.steps, entry.num_samples) == (outlook.steps, len(keys))


def test_a_copy_under_another_name_does_not_come_in_with_or_without_the_table_of_what_is_left(
    voyage: Voyage, tmp_path: Path
) -> None:
    _withdraw(voyage, "raw/images/07.png")
    before = _places(_rows(voyage))
    (tmp_path / "raw" / "images" / "07.png").rename(tmp_path / "raw" / "images" / "renamed.png")
    voyage.prepare(0)
    assert _places(_rows(voyage)) == before
    assert [(row["path"], row["error"].partition(":")[0]) for row in _rows(voyage, "rejects.parquet")] == [
        ("raw/images/renamed.png", "withdrawn")
    ]
    shutil.rmtree(voyage.folder.work)
    voyage.prepare(0)
    assert "raw/images/renamed.png" not in {row["source"] for row in _rows(voyage)}


def test_a_file_of_that_name_stays_out_whatever_is_in_it_now(voyage: Voyage, tmp_path: Path) -> None:
    _withdraw(voyage, "raw/images/07.png")
    before = _places(_rows(voyage))
    (tmp_path / "raw" / "images" / "07.png").write_bytes(png(64, 48, 1234))
    voyage.prepare(0)
    assert _places(_rows(voyage)) == before


def test_undo_brings_back_the_very_data_set_and_leaves_both_entries(voyage: Voyage) -> None:
    before = tree(voyage.folder.work / "dataset")
    _withdraw(voyage, "raw/images/person.jpg", "raw/tables/t0.csv")
    assert tree(voyage.folder.work / "dataset") != before
    outlook = _withdraw(voyage, "raw/images/person.jpg", decision="restored")
    assert {source.name for source in outlook.sources} == {"raw/images/person.jpg", "raw/images/person-again.jpg"}
    _withdraw(voyage, "raw/tables", decision="restored")
    assert tree(voyage.folder.work / "dataset") == before
    entries = voyage.folder.read_signed(Withdrawals).entries
    assert [entry.decision for entry in entries] == ["withdrawn"] * 3 + ["restored"] * 3
    assert not (voyage.folder.work / "prepare" / "withdrawn.parquet").exists()


def test_asked_again_nothing_new_is_signed(voyage: Voyage) -> None:
    _withdraw(voyage, "raw/images/07.png")
    signed, state = voyage.folder.payload(Withdrawals), _state(voyage)
    outlook = _withdraw(voyage, "raw/images/07.png")
    assert outlook.changed == []
    assert (voyage.folder.payload(Withdrawals), _state(voyage)) == (signed, state)


def test_two_withdrawals_one_after_the_other_are_one_of_both(voyage: Voyage, tmp_path: Path) -> None:
    shutil.copytree(voyage.folder.root, tmp_path / "other" / "voyage")
    other = Voyage(tmp_path / "other" / "voyage", ignore)
    _withdraw(voyage, "raw/images/03.png", "raw/tables/t1.csv")
    _withdraw(other, "raw/images/03.png")
    _withdraw(other, "raw/tables/t1.csv")
    assert tree(other.folder.work / "dataset") == tree(voyage.folder.work / "dataset")


def test_what_is_withdrawn_before_it_was_prepared_never_comes_in(tmp_path: Path) -> None:
    raw = write_raw(tmp_path / "raw")
    voyage = make_voyage(tmp_path / "voyage", raw)
    (raw / "images" / "new.png").write_bytes(png(64, 48, 77))
    before = tree(voyage.folder.work / "dataset" / "shards")
    outlook = _withdraw(voyage, "raw/images/new.png")
    assert outlook.sources[0].sha256 == hashlib.sha256((raw / "images" / "new.png").read_bytes()).hexdigest()
    assert tree(voyage.folder.work / "dataset" / "shards") == before


def test_where_everything_is_withdrawn_nothing_is_left(voyage: Voyage) -> None:
    with pytest.raises(NothingToCarry, match="no table, image or clip") as caught:
        _withdraw(voyage, "raw")
    assert "--undo" in str(caught.value.hint)
    assert _holders(voyage, CANARY) == []
    assert not (voyage.folder.work / "dataset").exists()


def test_an_altered_record_of_withdrawals_is_refused(voyage: Voyage) -> None:
    _withdraw(voyage, "raw/images/07.png")
    path = voyage.folder.document_path(Withdrawals)
    path.write_bytes(path.read_bytes().replace(b"07.png", b"06.png"))
    with pytest.raises(SignatureInvalid):
        voyage.prepare(0)


def test_a_data_set_from_before_a_withdrawal_is_not_packed(voyage: Voyage, tmp_path: Path) -> None:
    from packtrain.stages import withdraw

    outlook = withdraw.look(voyage.folder, ["raw/images/07.png"], "withdrawn", Asked())
    withdraw.record(voyage.folder, outlook, "")
    with pytest.raises(StageNotReady, match="before the last withdrawal"):
        voyage.pack()


def _pack(voyage: Voyage) -> None:
    """Leave what a packing of this data set leaves: its plan, and its receipt."""
    folder = voyage.folder
    folder.write_signed(samples()[Plan], folder.signer())
    folder.write_receipt(
        Receipt(
            stage="pack",
            inputs={"dataset": folder.digest(Dataset)},
            outputs={},
            counts={},
            facts={},
            seconds=1.0,
            finished="2026-11-21T08:09:10Z",
            versions={},
        )
    )


def test_drives_that_hold_it_and_steps_that_came_home_are_named(voyage: Voyage) -> None:
    _pack(voyage)
    voyage.folder.write(samples()[ExportList])
    (voyage.folder.root / "results").mkdir()
    lines = [json.dumps({"step": step, "loss": 1.0, "samples": 4}) for step in range(1, 31)]
    (voyage.folder.root / "results" / "metrics.jsonl").write_text("\n".join(lines))
    source = next(row["source"] for row in _rows(voyage) if row["split"] == "train" and row["kind"] == "image")
    outlook = _withdraw(voyage, source)
    assert outlook.run_from == {
        "steps": "results/metrics.jsonl",
        "global_batch": "results/metrics.jsonl",
        "seed": "assumed",
        "order": "assumed",
    }
    assert outlook.notes == [
        "drives of attempt 1 hold it: pack again",
        f"results came home that were trained on it, in steps {outlook.steps}",
    ]
    # The index is another one now: of what was trained on it says nothing.
    later = _withdraw(voyage, "raw/tables/t3.csv")
    assert later.steps == ""
    assert "prepared anew since it was packed" in later.notes[0]
    assert "attempt 1 were packed from another data set" in later.notes[1]


@pytest.mark.parametrize("form", ["webdataset", "parquet", "folder"])
def test_after_a_withdrawal_nothing_is_carried_as_it_is(voyage: Voyage, form: str) -> None:
    _withdraw(voyage, "raw/tables/person.csv")
    before = tree(voyage.folder.work)
    path = voyage.folder.root / "voyage.toml"
    text = path.read_text().replace("[sources]", f'[sources]\nform = "{form}"')
    path.write_text(
        "".join(line for line in text.splitlines(True) if not line.startswith(("image_", "clip_", "valid")))
    )
    with pytest.raises(VoyageFileError, match=f"sources were withdrawn.*{form}"):
        voyage.prepare()
    assert tree(voyage.folder.work) == before
