"""Tables are found whatever the folders above them are called, and no other tables are."""

from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from packtrain.dataset.parquet_sql import rows_of_files

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
