import datetime
import decimal
import io
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from packtrain.dataset.kinds.piece import Damaged, Piece, Setback, Tally
from packtrain.documents.recipe import RecipeSection
from source_parts import read


def _rows(path: Path, payload: bytes) -> list[dict[str, object]]:
    path.write_bytes(payload)
    return [row for found in read(path) if isinstance(found, Piece) for row in found.block.to_pylist()]


def test_json_numbers_keep_the_digits_somebody_wrote(tmp_path: Path) -> None:
    line = b'{"a":1.50,"b":123456789012345678901234567890,"c":-0.0e10,"d":[1.0, 2],"e":false,"f":"1.50"}\n'
    assert _rows(tmp_path / "a.jsonl", line) == [
        {"a": "1.50", "b": "123456789012345678901234567890", "c": "-0.0e10", "d": "[1.0,2]", "e": "false", "f": "1.50"}
    ]


def test_json_lines_of_mixed_types_and_missing_keys(tmp_path: Path) -> None:
    payload = '\ufeff{"a":"tö"}\r\n{"b":null}\n{"a":{"x":["ö"]},"b":2}\n{"a":1,"a":2}'.encode()
    assert _rows(tmp_path / "a.jsonl", payload) == [
        {"a": "tö", "b": None},
        {"a": None, "b": None},
        {"a": '{"x":["ö"]}', "b": "2"},
        {"a": "2", "b": None},
    ]


@pytest.mark.parametrize(
    "line",
    [
        b"{",
        b"[1]",
        b'"x"',
        b"NaN",
        b'{"a":NaN}',
        b'{"a":01}',
        b'{"a":"\xff"}',
        b'{"a":{"b":"\xff"}}',
        b'{"a":"\\ud800"}',
    ],
)
def test_a_line_that_is_no_object_is_set_aside_alone(tmp_path: Path, line: bytes) -> None:
    assert _rows(tmp_path / "a.jsonl", b'{"a":1}\n' + line + b'\n{"a":2}\n') == [{"a": "1"}, {"a": "2"}]
    found = read(tmp_path / "a.jsonl")
    assert [f.place for f in found if isinstance(f, Setback)] == ["line 2"]
    assert found[-1] == Tally(num_parts=3, num_lost=1)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@given(st.lists(st.dictionaries(st.sampled_from(["a", "b"]), _JSON), min_size=1, max_size=5).filter(any))
def test_any_json_comes_back_from_its_cells(
    tmp_path_factory: pytest.TempPathFactory, records: list[dict[str, Any]]
) -> None:
    import json

    payload = "".join(json.dumps(record) + "\n" for record in records).encode()
    rows = _rows(tmp_path_factory.mktemp("json") / "a.jsonl", payload)
    for row, record in zip(rows, records, strict=True):
        for name, cell in row.items():
            value = record.get(name)
            assert cell == value if isinstance(value, str) or value is None else json.loads(str(cell)) == value


def _parquet(table: Any, **options: Any) -> bytes:
    target = io.BytesIO()
    pq.write_table(table, target, **options)
    return target.getvalue()


def test_parquet_types_are_those_that_the_shard_can_hold(tmp_path: Path) -> None:
    day = datetime.datetime(2020, 1, 2, 3, 4, 5)
    table = pa.table(
        {
            "second": pa.array([day, None], pa.timestamp("s")),
            "zone": pa.array([day, None], pa.timestamp("us", "Europe/Berlin")),
            "money": pa.array([decimal.Decimal("1.50"), None], pa.decimal128(9, 2)),
            "word": pa.array(["a", None]).dictionary_encode(),
            "list": [[{"a": 1.5}], None],
            "map": pa.array([[("k", 1)], None], pa.map_(pa.string(), pa.int32())),
            "span": pa.array([1, None], pa.duration("s")),
            "small": pa.array([1, None], pa.uint8()),
            "half": pa.array([1.5, None], pa.float16()),
            "large": pa.array(["x", None], pa.large_string()),
            "clock": pa.array([1, None], pa.time32("s")),
        }
    )
    path = tmp_path / "a.parquet"
    path.write_bytes(_parquet(table))
    (block,) = [found.block for found in read(path) if isinstance(found, Piece)]
    assert {field.name: str(field.type) for field in block.schema} == {
        "second": "timestamp[ms]",
        "zone": "timestamp[us, tz=UTC]",
        "money": "decimal128(9, 2)",
        "word": "string",
        "list": "string",
        "map": "string",
        "span": "int64",
        "small": "uint8",
        "half": "halffloat",
        "large": "string",
        "clock": "time32[ms]",
    }
    assert [column[1].as_py() for column in block.columns] == [None] * 11
    assert block.to_pylist()[0]["list"] == '[{"a":1.5}]'


@pytest.mark.parametrize(
    "column",
    [
        pa.array([b"x"]),
        pa.array([b"x"], pa.binary(1)),
        pa.array([b"x"], pa.large_binary()),
        pa.array([[b"x"]]),
        pa.array([{"deep": [b"x"]}]),
        pa.array([b"x"]).dictionary_encode(),
    ],
)
def test_bytes_anywhere_in_parquet_are_refused(tmp_path: Path, column: Any) -> None:
    with pytest.raises(Damaged, match="holds bytes"):
        _rows(tmp_path / "a.parquet", _parquet(pa.table({"a": column})))


@pytest.mark.parametrize("place", [b"PARE", b"junk"])
def test_a_parquet_file_with_another_footer_is_refused(tmp_path: Path, place: bytes) -> None:
    # PARE ends a file whose footer is encrypted.
    payload = _parquet(pa.table({"a": [1]}))[:-4] + place
    with pytest.raises(Damaged, match="not a readable Parquet file"):
        _rows(tmp_path / "a.parquet", payload)


def test_a_damaged_row_group_is_set_aside_alone(tmp_path: Path) -> None:
    table = pa.table({"a": [f"{i * 7919 % 10_007}" for i in range(300)]})
    payload = bytearray(_parquet(table, row_group_size=100, write_page_checksum=True, use_dictionary=False))
    column = pq.read_metadata(io.BytesIO(bytes(payload))).row_group(1).column(0)
    payload[column.data_page_offset + column.total_compressed_size // 2] ^= 255
    path = tmp_path / "a.parquet"
    path.write_bytes(payload)
    found = read(path, RecipeSection(table_block_rows=100))
    kept = [row["a"] for f in found if isinstance(f, Piece) for row in f.block.to_pylist()]
    assert kept == table.column("a").to_pylist()[:100] + table.column("a").to_pylist()[200:]
    assert [f.place for f in found if isinstance(f, Setback)] == ["row group 1, rows 100 to 199"]
    assert found[-1] == Tally(num_parts=3, num_lost=1)
