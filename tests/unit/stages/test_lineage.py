"""From a sample to its file and on to the drives; from a file to all it became; and what a step saw."""

import shutil
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from packtrain.errors import DataOrderChanged, SourceUnreadable, StageNotReady
from packtrain.stages.init import init
from packtrain.training.batches import Position
from packtrain.training.known_run import Asked
from packtrain.voyage import Voyage
from source_parts import csv_text, ignore, jpeg
from withdraw_parts import make_voyage, write_raw

TRAINED = Asked(seed=3, global_batch=4, steps=9)


@pytest.fixture(scope="module")
def voyage(tmp_path_factory: pytest.TempPathFactory) -> Voyage:
    root = tmp_path_factory.mktemp("lineage")
    raw = write_raw(root / "raw")
    (raw / "LICENSE.txt").write_bytes(b"CC0\n")
    (raw / "notes.pdf").write_bytes(b"%PDF-1.4")
    (raw / "images" / "cut.jpg").write_bytes(jpeg()[:900])
    (raw / "tables" / "z-copy.csv").write_bytes(csv_text(12, 1))
    return make_voyage(root / "voyage", raw)


def _rows(voyage: Voyage, name: str) -> list[dict[str, Any]]:
    return pq.read_table(voyage.data_folder() / name).to_pylist()


def test_a_sample_names_its_file_its_place_in_it_its_licence_and_its_shard(voyage: Voyage) -> None:
    row = next(row for row in _rows(voyage, "index.parquet") if row["source"] == "raw/images/03.png")
    found = voyage.lineage(row["key"], TRAINED)
    source = next(each for each in _rows(voyage, "sources.parquet") if each["path"] == "raw/images/03.png")
    assert found.what == "sample"
    assert found.facts["source"] == "raw/images/03.png"
    assert found.facts["source sha256"] == source["sha256"]
    assert found.facts["licence files"] == source["licence"] != ""
    assert "box [" in found.facts["place in it"]
    assert found.facts["shard"] == f"{row['shard']}: byte {row['offset']}, {row['length']} bytes"
    assert found.facts["recipe"] == row["recipe"]
    assert found.facts["drives"] == "not packed"


def test_the_steps_of_a_sample_are_those_that_replay_shows_it_in(voyage: Voyage) -> None:
    replayed = voyage.replay(range(1, 10), TRAINED)
    seen: dict[str, list[int]] = {}
    for step, rows in replayed.batches.items():
        assert len(rows) == 4
        for row in rows:
            seen.setdefault(row["key"], []).append(step)
    for key, steps in list(seen.items())[:5]:
        told = voyage.lineage(key, TRAINED).facts["seen in steps"]
        numbers = [part.split("-") for part in told.split(", ")]
        assert sorted({step for each in numbers for step in range(int(each[0]), int(each[-1]) + 1)}) == sorted(
            set(steps)
        )


@pytest.mark.needs_torch
def test_replay_of_a_prepared_data_set_is_what_the_loader_hands_out(voyage: Voyage) -> None:
    from packtrain.training.loader import SampleStore, open_loader

    store = SampleStore(voyage.data_folder(), split="train")
    num_steps = len(store) // 4 + 3  # over the end of the first epoch
    for rank in range(3):
        position = Position.start(3, store.index_digest, "block")
        loader = open_loader(store, position, global_batch=4, rank=rank, world_size=3, num_batches=num_steps)
        asked = Asked(seed=3, global_batch=4, order="block")
        replayed = voyage.replay(range(1, num_steps + 1), asked, rank=rank, world_size=3)
        handed = [[sample.key for sample in batch] for batch in loader]
        assert [[row["key"] for row in batch] for batch in replayed.batches.values()] == handed


def test_a_source_names_all_that_it_became(voyage: Voyage) -> None:
    found = voyage.lineage("raw/images/03.png", Asked())
    rows = [row for row in _rows(voyage, "index.parquet") if row["source"] == "raw/images/03.png"]
    assert [row["key"] for row in found.rows["samples"]] == [row["key"] for row in rows] != []
    assert found.facts["seen in steps"] == "no training is known here"


def test_a_dropped_sample_names_the_one_that_was_kept(voyage: Voyage) -> None:
    drop = next(row for row in _rows(voyage, "drops.parquet") if row["source"] == "raw/tables/z-copy.csv")
    found = voyage.lineage(drop["key"], Asked())
    assert found.what == "dropped sample"
    assert found.facts["kept instead"] == f"{drop['kept_key']} of raw/tables/t1.csv"
    copy = voyage.lineage("raw/tables/z-copy.csv", Asked())
    assert (copy.facts["samples"], copy.facts["dropped"]) == ("0", "3")


def test_a_damaged_source_names_what_was_wrong_with_it(voyage: Voyage) -> None:
    found = voyage.lineage("raw/images/cut.jpg", Asked())
    assert [row["stage"] for row in found.rows["rejects"]] == ["decode"]


def test_a_file_of_no_type_that_is_prepared_is_known_as_set_aside(voyage: Voyage) -> None:
    found = voyage.lineage("raw/notes.pdf", Asked())
    assert ["not a type that packtrain prepares" in row["error"] for row in found.rows["rejects"]] == [True]


def test_what_nobody_knows_is_said_in_words(voyage: Voyage) -> None:
    with pytest.raises(SourceUnreadable, match="neither a sample nor a source"):
        voyage.lineage("raw/nothing", Asked())


def test_a_step_of_a_training_that_nobody_knows_asks_for_the_batch(voyage: Voyage) -> None:
    with pytest.raises(StageNotReady, match="no training is known"):
        voyage.replay(range(1, 2), Asked())
    with pytest.raises(DataOrderChanged, match="no such worker"):
        voyage.replay(range(1, 2), TRAINED, rank=2, world_size=2)
    with pytest.raises(SourceUnreadable, match="no sample on this side"):
        voyage.replay(range(1, 2), TRAINED, split="test")


def test_where_nothing_was_prepared_yet_that_is_said(tmp_path: Path) -> None:
    init(tmp_path / "home", "test voyage", "consignor")
    voyage = Voyage(tmp_path / "home", ignore)
    with pytest.raises(StageNotReady, match="no data set is here yet"):
        voyage.lineage("raw/a.png", Asked())
    with pytest.raises(StageNotReady, match="no data set is here yet"):
        voyage.replay(range(1, 2), Asked(global_batch=4))


def test_a_withdrawn_source_is_known_where_the_data_set_is_lost(tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    raw.mkdir()
    (raw / "a.csv").write_bytes(csv_text(12, 1))
    (raw / "b.csv").write_bytes(csv_text(12, 2))
    voyage = make_voyage(tmp_path / "voyage", raw, "")
    voyage.withdraw(["raw/a.csv"], "asked for", Asked(), num_workers=0)
    shutil.rmtree(voyage.folder.work)
    found = voyage.lineage("raw/a.csv", TRAINED)
    assert found.facts["decided"].endswith("asked for")
    assert found.facts["seen in steps"] == "not known: there is no index here"
