import csv
import gzip
import io
from collections.abc import Generator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packtrain.dataset.kinds import pieces
from packtrain.dataset.kinds.piece import Damaged, OpenSource, Piece, Setback, Tally
from packtrain.documents.recipe import RecipeSection
from source_parts import read


def _pieces(path: Path, payload: bytes, block_rows: int = 64) -> list[Piece]:
    path.write_bytes(payload)
    return [found for found in read(path, RecipeSection(table_block_rows=block_rows)) if isinstance(found, Piece)]


def _rows(path: Path, payload: bytes) -> list[list[str | None]]:
    return [list(row.values()) for piece in _pieces(path, payload) for row in piece.block.to_pylist()]


@pytest.mark.parametrize(
    ("payload", "encoding"),
    [
        ("stadt,n\nKöln €,1\n".encode(), None),
        ("stadt,n\nKöln €,1\n".encode("utf-8-sig"), None),
        ("stadt,n\nKöln €,1\n".encode("utf-16"), "utf-16-le"),
        ("\ufeffstadt,n\nKöln €,1\n".encode("utf-16-be"), "utf-16-be"),
        ("stadt,n\nKöln €,1\n".encode("cp1252"), "windows-1252"),
    ],
)
def test_each_encoding_gives_the_same_cells_and_is_named(tmp_path: Path, payload: bytes, encoding: str | None) -> None:
    for name, raw in (("a.csv", payload), ("a.csv.gz", gzip.compress(payload))):
        (piece,) = _pieces(tmp_path / name, raw)
        assert piece.block.to_pylist() == [{"stadt": "Köln €", "n": "1"}]
        assert piece.detail.get("encoding") == encoding
    digests = {piece.sha256 for piece in _pieces(tmp_path / "b.csv", payload)}
    assert digests == {piece.sha256 for piece in _pieces(tmp_path / "c.csv", "stadt,n\nKöln €,1\n".encode())}


def test_a_half_of_a_character_in_utf_16_costs_its_line(tmp_path: Path) -> None:
    payload = "\ufeffa,b\nx,1\n\ud800,2\ny,3\n".encode("utf-16-be", "surrogatepass")
    (tmp_path / "a.csv").write_bytes(payload)
    found = read(tmp_path / "a.csv")
    assert [f.place for f in found if isinstance(f, Setback)] == ["line 3"]
    assert found[-1] == Tally(num_parts=3, num_lost=1)


def test_who_stops_in_the_middle_of_a_file_is_not_kept_waiting(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes("a,b\n".encode("utf-16") + "x,1\n".encode("utf-16-le") * 2_000_000)
    with path.open("rb") as stream:
        found = pieces("table", OpenSource("a.csv", "csv", stream, path.stat().st_size), RecipeSection())
        assert isinstance(next(found), Piece)
        assert isinstance(found, Generator)
        found.close()


def test_a_first_line_of_numbers_is_a_row(tmp_path: Path) -> None:
    (piece,) = _pieces(tmp_path / "a.csv", b"1,2.5,,-3e5\n3,4,5,6\n")
    assert piece.detail["header"] == "none"
    assert piece.block.to_pylist()[0] == {"column_1": "1", "column_2": "2.5", "column_3": None, "column_4": "-3e5"}
    (piece,) = _pieces(tmp_path / "b.csv", b"land,2019,2020\nPeru,4,5\n")
    assert piece.block.schema.names == ["land", "2019", "2020"]


def test_titles_above_a_table_are_passed_over_and_counted(tmp_path: Path) -> None:
    (piece,) = _pieces(tmp_path / "a.csv", b"Report of 2020\n\nid;name;x\n1;a;2\n2;b;4\n")
    assert piece.detail["title_rows"] == 1
    assert piece.block.to_pylist() == [{"id": "1", "name": "a", "x": "2"}, {"id": "2", "name": "b", "x": "4"}]


def test_lines_of_a_title_are_counted_by_their_ends_alone(tmp_path: Path) -> None:
    payload = "One \u2028 title \x0b of\x85 one line\na,b,c\n1,2,3\n4,5,6\n".encode()
    assert _rows(tmp_path / "a.csv", payload) == [["1", "2", "3"], ["4", "5", "6"]]


def test_empty_lines_above_a_table_are_nothing(tmp_path: Path) -> None:
    assert _rows(tmp_path / "a.csv", b"\n\na,b\n1,2\n") == [["1", "2"]]
    assert _rows(tmp_path / "b.csv", b"\n\na,b,c\n1,2,3\n4,5,6\n") == [["1", "2", "3"], ["4", "5", "6"]]


def test_what_might_be_a_column_of_names_is_no_title(tmp_path: Path) -> None:
    with pytest.raises(Damaged, match="TOO MANY COLUMNS"):
        _pieces(tmp_path / "a.csv", b"name\nSmith, John\nDoe, Jane\nRoe, Ann\n")


def test_cells_with_line_ends_quotes_and_delimiters_stay_whole(tmp_path: Path) -> None:
    payload = b'a,b\n"x\ny",2\n"p\r\nq","""z"", w"\n'
    assert _rows(tmp_path / "a.csv", payload) == [["x\ny", "2"], ["p\r\nq", '"z", w']]


def test_a_line_longer_than_two_mib_is_set_aside_alone(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"a,b\n1,2\n" + b"x" * 3_000_000 + b",4\n5,6\n")
    found = read(tmp_path / "a.csv")
    assert [f.place for f in found if isinstance(f, Setback)] == ["line 3"]
    assert found[-1] == Tally(num_parts=3, num_lost=1)


def test_ten_thousand_columns_are_columns(tmp_path: Path) -> None:
    header = ",".join(f"c{i}" for i in range(10_000))
    (piece,) = _pieces(tmp_path / "a.csv", f"{header}\n{',' * 9_999}\n{'7,' * 9_999}8\n".encode())
    assert piece.block.num_columns == 10_000
    assert piece.block.to_pylist()[1]["c9999"] == "8"
    with pytest.raises(Damaged, match="more than 16384"):
        _pieces(tmp_path / "b.csv", ",".join("c" * 16_385).encode() + b"\n")


def test_a_nul_in_a_cell_stays_and_one_at_the_beginning_is_no_table(tmp_path: Path) -> None:
    assert _rows(tmp_path / "a.csv", b"a,b\n" + b"1,2\n" * 2000 + b"3\0,4\n")[-1] == ["3\0", "4"]
    with pytest.raises(Damaged, match="NUL"):
        _pieces(tmp_path / "b.csv", b"a,b\n\0,2\n")


def test_lines_end_in_cr_lf_or_both(tmp_path: Path) -> None:
    for end in ("\n", "\r\n", "\r"):
        assert _rows(tmp_path / "a.csv", end.join(("a,b", "1,2", "3,4")).encode()) == [["1", "2"], ["3", "4"]]


_CELL = st.text(st.sampled_from('ab,;"\n\r x0é\u20ac|\t'), max_size=6)


@given(
    st.lists(st.tuples(_CELL, _CELL, _CELL), min_size=1, max_size=12),
    st.sampled_from(",;\t|"),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    st.integers(1, 5),
)
def test_whatever_is_written_as_csv_is_read_as_it_was(
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[tuple[str, str, str]],
    delimiter: str,
    encoding: str,
    block_rows: int,
) -> None:
    target = io.StringIO()
    writer = csv.writer(target, delimiter=delimiter, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerow(("first", "second", "third"))
    writer.writerows(rows)
    path = tmp_path_factory.mktemp("csv") / "a.csv"
    pieces = _pieces(path, target.getvalue().encode(encoding), block_rows)
    assert [piece.num_rows for piece in pieces[:-1]] == [block_rows] * (len(pieces) - 1)
    found = [tuple(row.values()) for piece in pieces for row in piece.block.to_pylist()]
    assert found == [tuple(cell or None for cell in row) for row in rows]


def test_a_file_of_bad_lines_without_end_is_set_aside_as_a_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("packtrain.dataset.kinds.delimited._MOST_SETBACKS", 5)
    path = tmp_path / "a.csv"
    path.write_text("a,b\n1,2\n" + "1,2,3\n" * 4)
    assert sum(isinstance(found, Setback) for found in read(path)) == 4
    path.write_text("a,b\n1,2\n" + "1,2,3\n" * 50)
    with pytest.raises(Damaged, match="5 lines or more do not fit the header"):
        read(path)
