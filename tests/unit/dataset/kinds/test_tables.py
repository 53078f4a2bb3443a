import datetime
import gzip
import hashlib
import io
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest

from packtrain.dataset.kinds.piece import Damaged, Piece, Setback, Setbacks, Tally
from packtrain.dataset.kinds.sheet import column_names
from packtrain.dataset.kinds.workbooks import cell_text
from packtrain.documents.recipe import RecipeSection
from source_parts import csv_text, read, xlsx

BLOCKS_OF_4 = RecipeSection(table_block_rows=4)


def _file(tmp_path: Path, name: str, payload: bytes) -> Path:
    path = tmp_path / name
    path.write_bytes(payload)
    return path


def _rows(path: Path) -> list[dict[str, object]]:
    pieces = [found for found in read(path) if isinstance(found, Piece)]
    return [row for piece in pieces for row in piece.block.to_pylist()]


def _setbacks(path: Path) -> list[Setback]:
    return [found for found in read(path) if isinstance(found, Setback)]


def test_blocks_have_the_asked_number_of_rows_and_the_last_has_the_rest(tmp_path: Path) -> None:
    found = [p for p in read(_file(tmp_path, "a.csv", csv_text(10)), BLOCKS_OF_4) if isinstance(p, Piece)]
    assert [(p.num_rows, p.detail["first_row"]) for p in found] == [(4, 0), (4, 4), (2, 8)]


def test_the_digest_of_a_block_is_that_of_its_csv(tmp_path: Path) -> None:
    piece = next(p for p in read(_file(tmp_path, "a.csv", csv_text(3))) if isinstance(p, Piece))
    target = io.BytesIO()
    pa_csv.write_csv(piece.block, target)
    assert hashlib.sha256(target.getvalue()).hexdigest() == piece.sha256


def test_cells_stay_the_text_they_are(tmp_path: Path) -> None:
    path = _file(tmp_path, "a.csv", b'code,note\n00123,"a ""b"", c"\n1.50,\n')
    assert _rows(path) == [{"code": "00123", "note": 'a "b", c'}, {"code": "1.50", "note": None}]


def test_bad_lines_are_set_aside_one_by_one_and_the_others_kept(tmp_path: Path) -> None:
    path = _file(tmp_path, "a.csv", b"a,b\n1,2\n3\n4,5,6\n\xff,1\n7,\xc3\xb6\n")
    assert _rows(path) == [{"a": "1", "b": "2"}, {"a": "7", "b": "ö"}]
    setbacks = _setbacks(path)
    assert [found.place for found in setbacks] == ["line 3", "line 4", "line 5"]
    assert [found.error.split(":")[0] for found in setbacks] == [
        "MISSING COLUMNS",
        "TOO MANY COLUMNS",
        "INVALID ENCODING",
    ]
    assert read(path)[-1] == Tally(num_parts=5, num_lost=3)


@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
def test_the_delimiter_is_what_the_first_line_has_most_of(tmp_path: Path, mark: str) -> None:
    path = _file(tmp_path, "a.csv", f'"x, y; z"{mark}b{mark}c\n1{mark}2{mark}3\n'.encode())
    assert _rows(path) == [{"x, y; z": "1", "b": "2", "c": "3"}]


def test_a_name_with_pattern_signs_reads_that_file_alone(tmp_path: Path) -> None:
    _file(tmp_path, "ab.csv", b"x\n1\n")
    assert _rows(_file(tmp_path, "a[b]*.csv", b"x\n2\n")) == [{"x": "2"}]


def test_gzip_utf16_and_a_byte_order_mark_are_read(tmp_path: Path) -> None:
    text = "stadt,n\nKöln,1\n"
    expected = [{"stadt": "Köln", "n": "1"}]
    assert _rows(_file(tmp_path, "a.csv.gz", gzip.compress(text.encode()))) == expected
    assert _rows(_file(tmp_path, "b.csv", text.encode("utf-16"))) == expected
    assert _rows(_file(tmp_path, "c.csv", text.encode("utf-8-sig"))) == expected


@pytest.mark.parametrize(
    ("name", "payload"),
    [
        ("a.csv", b""),
        ("a.csv", b"only,a,header\n"),
        ("a.csv", b"a\0b,c\n1,2\n"),
        ("a.csv.gz", b"no gzip"),
        ("a.csv.gz", gzip.compress(csv_text(5000))[:-300]),
        ("a.xlsx", b""),
        ("a.xlsx", b"PK\x03\x04 torn"),
        ("a.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600)),
        ("a.ods", b"no zip"),
        ("a.jsonl", b"\n\n"),
        ("a.jsonl.gz", b"no gzip"),
        ("a.parquet", b"PAR1 torn PAR1"),
    ],
)
def test_a_table_that_cannot_be_read_is_damaged(tmp_path: Path, name: str, payload: bytes) -> None:
    with pytest.raises(Damaged):
        read(_file(tmp_path, name, payload))


def test_a_workbook_cut_anywhere_is_damaged(tmp_path: Path) -> None:
    whole = xlsx({"one": [["a"], *[[f"row {i}"] for i in range(50)]]})
    for cut in range(0, len(whole), 500):
        with pytest.raises(Damaged):
            read(_file(tmp_path, "a.xlsx", whole[:cut]))


def test_every_sheet_with_rows_is_a_table_of_its_own(tmp_path: Path) -> None:
    sheets: dict[str, list[list[object]]] = {
        "one": [["a", "b"], [1, "x"]],
        "empty": [],
        "header only": [["a"]],
        "two": [["c"], [True], [2.5]],
    }
    found = [p for p in read(_file(tmp_path, "a.xlsx", xlsx(sheets))) if isinstance(p, Piece)]
    assert [(p.group, p.detail["sheet"], p.num_rows) for p in found] == [("s01", "one", 1), ("s04", "two", 2)]


def test_a_sheet_that_no_reader_takes_is_set_aside_alone(tmp_path: Path) -> None:
    import zipfile

    whole = io.BytesIO(xlsx({"good": [["a"], [1]], "bad": [["a"], [2]]}))
    target = io.BytesIO()
    with zipfile.ZipFile(whole) as old, zipfile.ZipFile(target, "w") as new:
        for item in old.infolist():
            body = old.read(item)
            new.writestr(item, body[: len(body) // 2] if item.filename.endswith("sheet2.xml") else body)
    path = _file(tmp_path, "a.xlsx", target.getvalue())
    assert _rows(path) == [{"a": "1"}]
    assert [found.place for found in _setbacks(path)] == ["sheet bad"]
    assert read(path)[-1] == Tally(num_parts=2, num_lost=1)


def test_a_sheet_that_calamine_refuses_is_read_by_openpyxl(tmp_path: Path) -> None:
    import zipfile

    whole = io.BytesIO(xlsx({"quakes": [["depth"], [41]]}))
    target = io.BytesIO()
    with zipfile.ZipFile(whole) as old, zipfile.ZipFile(target, "w") as new:
        for item in old.infolist():
            new.writestr(item, old.read(item).replace(b"<v>41</v>", b"<v> 41</v>"))
    assert _rows(_file(tmp_path, "a.xlsx", target.getvalue())) == [{"depth": "41"}]


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        (None, None),
        ("", None),
        (True, "true"),
        (41.0, "41"),
        (-0.5, "-0.5"),
        (1e300, "1e+300"),
        (7, "7"),
        (" x ", " x "),
        (datetime.date(1971, 1, 1), "1971-01-01"),
        (datetime.datetime(1971, 1, 1, 4, 14), "1971-01-01 04:14:00"),
        (datetime.timedelta(minutes=90), "5400 s"),
    ],
)
def test_a_cell_becomes_what_a_person_would_have_typed(cell: object, text: str | None) -> None:
    assert cell_text(cell) == text


def test_lines_that_end_in_two_ways_are_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(Damaged, match="seem to end in two ways, LF and CR LF") as caught:
        list(read(_file(tmp_path, "a.csv", b"a,b\r\n1,2\r\n3,4\n")))
    assert "strict_mode" not in str(caught.value) and "/proc/" not in str(caught.value)


def test_json_lines_have_all_names_as_columns_and_bad_lines_are_set_aside(tmp_path: Path) -> None:
    path = _file(tmp_path, "a.jsonl", b'{"a": "x", "n": 1}\n[1]\n\n{"b": {"c": [true, null]}}\n{torn\n')
    assert _rows(path) == [
        {"a": "x", "n": "1", "b": None},
        {"a": None, "n": None, "b": '{"c":[true,null]}'},
    ]
    assert [(found.place, found.num_bytes) for found in _setbacks(path)] == [("line 2", 4), ("line 5", 6)]


def test_parquet_keeps_its_types_and_nested_columns_become_json(tmp_path: Path) -> None:
    table = pa.table({"n": pa.array([1, 2], pa.int16()), "l": [[1], [2, 3]]})
    pq.write_table(table, tmp_path / "a.parquet")
    piece = next(p for p in read(tmp_path / "a.parquet") if isinstance(p, Piece))
    block = piece.block
    assert block.schema.field("n").type == pa.int16()
    assert block.to_pylist() == [{"n": 1, "l": "[1]"}, {"n": 2, "l": "[2,3]"}]


def test_parquet_with_a_column_of_bytes_is_refused_in_words(tmp_path: Path) -> None:
    pq.write_table(pa.table({"picture": [b"\x89PNG"]}), tmp_path / "a.parquet")
    with pytest.raises(Damaged, match="column picture holds bytes"):
        read(tmp_path / "a.parquet")


def test_columns_without_a_name_or_with_a_name_twice_get_one() -> None:
    assert column_names(["a", "", "a", None, "a_2", " b "]) == ["a", "column_2", "a_2", "column_4", "a_2_2", "b"]


def test_more_setbacks_than_the_limit_are_counted_and_not_listed() -> None:
    found = Setbacks(limit=2)
    for number in range(5):
        found.add(f"line {number}", "bad")
    assert [setback.error for setback in found.all()] == ["bad", "bad", "and 3 more like these"]
