"""Tables are found whatever the folders above them are called, and no other tables are."""

from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from packtrain.dataset.database import open_database, rows_of_files
from packtrain.units import GIB, MIB

NAMES = ("plain", "pla*", "plai?", "[a]b", "ab", "{ab}", "o'clock", "kind=x", "split=train", "year=2026", "a\\b", "été")


@pytest.mark.parametrize("name", NAMES)
def test_rows_are_those_of_the_named_file_alone_with_its_own_columns(tmp_path: Path, name: str) -> None:
    for each in NAMES:
        path = tmp_path / each / "rows.parquet"
        path.parent.mkdir()
        pq.write_table(pa.table({"kind": [each]}), path)
    asked = duckdb.sql(f"SELECT * FROM {rows_of_files([tmp_path / name / 'rows.parquet'])}")
    assert (asked.columns, asked.fetchall()) == (["kind"], [(name,)])


def test_options_stand_beside_what_keeps_folders_out(tmp_path: Path) -> None:
    path = tmp_path / "kind=x" / "rows.parquet"
    path.parent.mkdir()
    pq.write_table(pa.table({"kind": ["image"]}), path)
    asked = duckdb.sql(f"SELECT * FROM {rows_of_files([path], 'filename = true')}")
    assert asked.fetchall() == [("image", str(path))]


@pytest.mark.parametrize(
    ("num_cpus", "memory_bytes", "threads"), [(2, 2 * GIB, 2), (96, 2 * GIB, 16), (96, 512 * MIB, 4), (96, MIB, 1)]
)
def test_there_are_no_more_threads_than_the_memory_is_enough_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, num_cpus: int, memory_bytes: int, threads: int
) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: num_cpus)
    with open_database(memory_bytes, tmp_path) as database:
        assert database.execute("SELECT current_setting('threads')").fetchone() == (threads,)
    with open_database(2 * GIB, None, num_threads=1) as database:
        assert database.execute("SELECT current_setting('threads')").fetchone() == (1,)
