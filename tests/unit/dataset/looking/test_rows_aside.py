"""Rejects and drops row by row: pages of them, in order, with no more in memory than a row group."""

from pathlib import Path

import pytest

from looked_parts import mixed_voyage
from packtrain.dataset.index import REJECT_SCHEMA
from packtrain.dataset.looking.set_tables import table_rows
from packtrain.dataset.rows import row_writer
from packtrain.engines.processes import ProcessMapper
from packtrain.errors import IntegrityError, StageNotReady, TooManyRejects
from packtrain.stages.prepare import drops, inputs, prepare, rejects
from source_parts import ignore, voyage_folder


def _table(path: Path, num_rows: int) -> None:
    with row_writer(path, REJECT_SCHEMA) as writer:
        for i in range(num_rows):
            row = {name: "" for name in ("sha256", "kind", "stage", "place", "error")}
            writer.add({**row, "path": f"{i}", "bytes": i})


@pytest.mark.parametrize(("first", "limit"), [(0, 5), (16_380, 10), (16_384, 3), (39_990, 100), (50_000, 2), (0, 0)])
def test_a_page_is_the_rows_from_the_first_on(tmp_path: Path, first: int, limit: int) -> None:
    _table(tmp_path / "t.parquet", 40_000)  # three row groups
    number, rows = table_rows(tmp_path / "t.parquet", first, limit)
    assert number == 40_000
    assert [row["bytes"] for row in rows] == list(range(first, min(first + limit, 40_000)))


def test_both_lists_are_the_tables_of_the_data_set(tmp_path: Path) -> None:
    folder = mixed_voyage(tmp_path)
    found = rejects(folder, 1, 2)
    rows = list(found.rows)
    assert (found.num_rows, len(rows), found.is_early) == (5, 2, False)
    assert {row["reason"] for row in drops(folder, 0, 100).rows} == {"duplicate"}
    (folder.work / "dataset" / "drops.parquet").write_bytes(b"no table")
    with pytest.raises(IntegrityError):
        drops(folder, 0, 1)


def test_a_run_that_stopped_has_left_its_own_table(tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    raw.mkdir()
    (raw / "a.png").write_bytes(b"no picture")
    folder = voyage_folder(tmp_path / "voyage", raw, "max_reject_rate = 0.1")
    with pytest.raises(StageNotReady):
        rejects(folder, 0, 10)
    with pytest.raises(TooManyRejects):
        prepare(folder, ProcessMapper(0), ignore)
    found = rejects(folder, 0, 10)
    assert (found.is_early, found.num_rows) == (True, 1)
    assert [row["path"] for row in found.rows] == ["raw/a.png"]
    assert inputs(folder)
    with pytest.raises(StageNotReady):
        drops(folder, 0, 10)
