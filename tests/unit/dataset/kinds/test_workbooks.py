import datetime
import io
import random
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openpyxl.utils.datetime import CALENDAR_MAC_1904

from packtrain.dataset.kinds.header import Header, Merged, header_of
from packtrain.dataset.kinds.ods_merged import merged_cells
from packtrain.dataset.kinds.piece import Damaged, Piece, Setback, Tally
from packtrain.documents.recipe import RecipeSection
from source_parts import read, xlsx

VECTORS = Path(__file__).parents[3] / "vectors" / "tables"


def _pieces(path: Path) -> list[Piece]:
    return [found for found in read(path) if isinstance(found, Piece)]


def _rows(path: Path) -> list[dict[str, object]]:
    return [row for piece in _pieces(path) for row in piece.block.to_pylist()]


def _saved(path: Path, book: Any) -> Path:
    book.save(path)
    return path


def _sheet() -> tuple[Any, Any]:
    book = openpyxl.Workbook()
    return book, book.worksheets[0]


@pytest.mark.parametrize("suffix", ["xlsx", "xlsm", "xls", "ods"])
def test_a_workbook_from_an_office_gives_the_same_rows_in_every_form(suffix: str) -> None:
    main, hidden = _pieces(VECTORS / f"weather.{suffix}")
    assert main.detail["title_rows"] == 1
    assert main.detail["header_rows"] == 2
    # LibreOffice writes a truth value of a formula into .ods as 1; calamine gives a long duration in .ods as its text.
    is_ods = suffix == "ods"
    names = ("station", "January / min", "January / max", "taken / day", "taken / time", "checked", "remark")
    assert [tuple(row.values()) for row in main.block.to_pylist()] == [
        ("00123", "-3.5", "6.5", "2026-03-01", "06:05:04", "1" if is_ods else "true", None),
        (
            "Köln",
            "2",
            "-1.5",
            "1999-12-31 23:59:58",
            "PT30H05M00S" if is_ods else "108300 s",
            "0" if is_ods else "false",
            " two words ",
        ),
        (None,) * 7,
        ("last", "1234567890123", "0.125", "1900-03-01", "00:00:00", None, "ab"),
    ]
    assert tuple(main.block.schema.names) == names
    assert hidden.detail["hidden"] is True
    assert hidden.block.to_pylist() == [{"id": "1", "value": "x"}]
    assert read(VECTORS / f"weather.{suffix}")[-1] == Tally(num_parts=2, num_lost=0)


def test_a_sheet_cut_off_the_top_left_corner_is_read_from_where_it_begins(tmp_path: Path) -> None:
    book, sheet = _sheet()
    for cell, value in {"C4": "station", "D4": "Jan", "D5": "min", "E5": "max", "C6": "A", "D6": 1, "E6": 2}.items():
        sheet[cell] = value
    sheet.merge_cells("C4:C5")
    sheet.merge_cells("D4:E4")
    assert _rows(_saved(tmp_path / "a.xlsx", book)) == [{"station": "A", "Jan / min": "1", "Jan / max": "2"}]


def test_a_formula_that_nothing_calculated_and_an_error_are_empty(tmp_path: Path) -> None:
    book, sheet = _sheet()
    sheet.append(["a", "b", "c"])
    sheet.append([1, "=A2+1", "#DIV/0!"])
    sheet["C2"].data_type = "e"
    assert _rows(_saved(tmp_path / "a.xlsx", book)) == [{"a": "1", "b": None, "c": None}]


@pytest.mark.parametrize(
    ("serial", "epoch_1904", "day"),
    [
        (1, False, "1900-01-01"),
        (59, False, "1900-02-28"),
        (60, False, "1900-02-28"),  # 29 February 1900, which Lotus 1-2-3 invented
        (61, False, "1900-03-01"),
        (46082, False, "2026-03-01"),
        (1, True, "1904-01-02"),
        (44620, True, "2026-03-01"),
    ],
)
def test_days_are_counted_from_the_epoch_of_the_workbook(
    tmp_path: Path, serial: int, epoch_1904: bool, day: str
) -> None:
    book, sheet = _sheet()
    if epoch_1904:
        book.epoch = CALENDAR_MAC_1904
    sheet.append(["day"])
    sheet.append([serial])
    sheet["A2"].number_format = "yyyy-mm-dd"
    assert _rows(_saved(tmp_path / "a.xlsx", book)) == [{"day": day}]


def test_moments_and_spans_of_time_have_one_form(tmp_path: Path) -> None:
    book, sheet = _sheet()
    sheet.append(["x"])
    for value in (
        datetime.datetime(2020, 1, 2, 3, 4, 5),
        datetime.datetime(2020, 1, 2, 3, 4, 5, 250_000),
        datetime.time(23, 59, 58),
        datetime.timedelta(hours=30, minutes=5),
    ):
        sheet.append([value])
    assert [row["x"] for row in _rows(_saved(tmp_path / "a.xlsx", book))] == [
        "2020-01-02 03:04:05",
        "2020-01-02 03:04:05.250000",
        "23:59:58",
        "108300 s",
    ]


def test_empty_rows_within_stay_and_those_at_the_end_do_not(tmp_path: Path) -> None:
    book, sheet = _sheet()
    for row in (["a", "b"], ["x", "y"], [], ["z", None], [None, None], ["", ""]):
        sheet.append(row)
    sheet["A9"].number_format = "0.00"
    assert [tuple(row.values()) for row in _rows(_saved(tmp_path / "a.xlsx", book))] == [
        ("x", "y"),
        (None, None),
        ("z", None),
    ]


def test_a_chart_is_no_sheet(tmp_path: Path) -> None:
    book, sheet = _sheet()
    sheet.append(["a"])
    sheet.append([1])
    book.create_chartsheet("picture")
    assert read(_saved(tmp_path / "a.xlsx", book))[-1] == Tally(num_parts=1, num_lost=0)


def test_a_workbook_without_a_header_has_numbered_columns(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    path.write_bytes(xlsx({"one": [[1, 2.5], [3, 4]]}))
    (piece,) = _pieces(path)
    assert piece.detail["header"] == "none"
    assert piece.block.to_pylist() == [{"column_1": "1", "column_2": "2.5"}, {"column_1": "3", "column_2": "4"}]


def test_a_file_that_is_no_workbook_within_is_set_aside_whole(tmp_path: Path) -> None:
    # Locked workbooks too are OLE files, whatever they are called.
    path = tmp_path / "a.xlsx"
    path.write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + random.Random(1).randbytes(4096))
    with pytest.raises(Damaged, match="not a readable workbook"):
        read(path)


def test_a_block_of_a_sheet_is_as_long_as_asked(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    path.write_bytes(xlsx({"one": [["n"], *[[i] for i in range(9)]]}))
    found = [f.num_rows for f in read(path, RecipeSection(table_block_rows=4)) if isinstance(f, Piece)]
    assert found == [4, 4, 1]
    assert not [f for f in read(path) if isinstance(f, Setback)]


@pytest.mark.parametrize(
    ("rows", "merged", "names", "first_row"),
    [
        ([["a", "b"], ["1", "x"]], [], ["a", "b"], 1),
        ([["title", None], ["a", "b"], ["1", "2"]], [], ["a", "b"], 2),
        ([["a", None], ["1", "x"]], [], ["a", "column_2"], 1),
        ([["t", None, None], ["a", "b", None], ["1", "2", "3"]], [], ["a", "b", "column_3"], 2),
        ([["a", None, "b"], ["x", "y", None]], [Merged(0, 0, 0, 1)], ["a / x", "a / y", "b"], 2),
        ([["a", "b"], [None, "c"], ["1", "2"]], [Merged(0, 0, 1, 0)], ["a", "b / c"], 2),
        ([["a", None, "c"], ["a", "b", None], ["1", "2", "3"]], [Merged(0, 0, 0, 1)], ["a", "a / b", "c"], 2),
        ([["t", None], ["a", "b"], ["1", "2"]], [Merged(0, 0, 0, 1)], ["a", "b"], 2),
        ([["a", "b"], ["1", None], ["2", "3"]], [Merged(1, 0, 1, 1)], ["a", "b"], 1),
        (
            [["y", None, "z"], ["q", None, None], ["m", "n", None], ["1", "2", "3"]],
            [Merged(0, 0, 0, 1), Merged(1, 0, 1, 1)],
            ["y / q / m", "y / q / n", "z"],
            3,
        ),
    ],
)  # fmt: skip
def test_where_a_table_begins(
    rows: list[list[str | None]], merged: list[Merged], names: list[str], first_row: int
) -> None:
    are_texts = [not any(cell and cell.isdigit() for cell in row) for row in rows]
    found = header_of(rows, are_texts, len(rows[0]), merged)
    assert found is not None
    assert (found.names, found.first_row) == (names, first_row)


def test_nothing_has_no_header() -> None:
    assert header_of([[None, None], []], [True, True], 2, []) is None


_SMALL = st.integers(-3, 40)


@given(
    st.lists(st.lists(st.sampled_from([None, "", "a", "b", "1"]), max_size=5), max_size=8),
    st.lists(st.builds(Merged, _SMALL, _SMALL, _SMALL, _SMALL), max_size=5),
)
def test_any_merged_cells_give_names_for_all_columns(rows: list[list[str | None]], merged: list[Merged]) -> None:
    width = max((len(row) for row in rows), default=0)
    found = header_of(rows, [True] * len(rows), width, merged)
    assert found is None or isinstance(found, Header)
    if found is not None:
        assert len(found.names) == len(set(found.names)) == width
        assert 0 <= found.first_row <= len(rows)


@given(st.binary(max_size=400))
def test_merged_cells_of_no_spreadsheet_are_none(payload: bytes) -> None:
    assert merged_cells(io.BytesIO(payload)) == {}
