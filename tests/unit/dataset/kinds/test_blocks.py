from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from packtrain.dataset.kinds.blocks import MEASURES, BlockMeasures, stored_schema
from packtrain.dataset.kinds.piece import Piece
from source_parts import csv_text, read


def test_measures_of_a_block() -> None:
    block = pa.table({"a": ["x", "", None, "x"], "b": pa.array([1, None, 3, 1], pa.int64())})
    assert dict(BlockMeasures(block)) == {
        "rows": 4.0,
        "columns": 2.0,
        "null_fraction": 3 / 8,
        "text_bytes": 2.0,
        "distinct_row_fraction": 0.75,
    }


def test_a_measure_that_is_none_has_no_value() -> None:
    with pytest.raises(KeyError):
        BlockMeasures(pa.table({"a": ["x"]}))["sharpness"]


@given(
    st.lists(st.tuples(st.sampled_from([None, "", "a", "ö"]), st.sampled_from([None, 1, 2])), min_size=1, max_size=30)
)
def test_measures_are_those_counted_by_hand(rows: list[tuple[str | None, int | None]]) -> None:
    block = pa.table(
        {"a": pa.array([a for a, _ in rows], pa.string()), "b": pa.array([b for _, b in rows], pa.int64())}
    )
    found = BlockMeasures(block)
    assert found["null_fraction"] == sum(cell in (None, "") for row in rows for cell in row) / (2 * len(rows))
    assert found["text_bytes"] == sum(len((a or "").encode()) for a, _ in rows)
    assert found["distinct_row_fraction"] == len(set(rows)) / len(rows)


def test_every_block_of_a_table_has_its_measures(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(csv_text(100))
    pieces = [found for found in read(tmp_path / "a.csv") if isinstance(found, Piece)]
    assert [piece.measures["rows"] for piece in pieces] == [64.0, 36.0]
    assert all(tuple(piece.measures) == MEASURES for piece in pieces)


def test_stored_types_are_stored_as_themselves() -> None:
    schema = pa.schema([("a", pa.timestamp("s")), ("b", pa.large_string()), ("c", pa.duration("ms"))])
    once = stored_schema(schema)
    assert once != schema
    assert stored_schema(once) == once
