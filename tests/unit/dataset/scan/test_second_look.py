"""What the second engine is shown of a table, and which of its counts become findings; the engine is played here."""

from collections.abc import Mapping

import pyarrow as pa
import pytest

from packtrain.dataset.kinds.piece import Piece
from packtrain.dataset.scan.counts import SourceScan
from packtrain.dataset.scan.detector import MAX_TEXT
from packtrain.dataset.scan.presidio import SHORTEST
from packtrain.dataset.scan.second_look import LEAST_ROWS, MOST_ROWS, SecondLook
from packtrain.dataset.scan.table import TableScan


class _Played:
    """An engine that keeps what it is shown and calls every text by what stands before its first colon."""

    def __init__(self) -> None:
        self.shown: list[str] = []

    def __call__(self, text: str) -> list[str]:
        self.shown.append(text)
        name = text.partition(":")[0]
        return [name] if name in ("UK_NHS", "EMAIL_ADDRESS") else []


def _scan(columns: Mapping[str, object], engine: _Played | None) -> SourceScan:
    table = pa.table(columns)
    scan = TableScan("raw/a.csv", "5" * 64, engine)
    for first in range(0, table.num_rows, 512):
        block = table.slice(first, 512)
        scan.take(Piece(None, "parquet", {"sheet": ""}, group="s01", num_rows=block.num_rows, block=block))
    return scan.finish()


def test_it_is_shown_different_cells_with_a_digit_or_an_at_sign_and_the_beginning_of_long_ones() -> None:
    engine = _Played()
    cells = ["some words", "1234567", "1234567", "a@b.example", "123456", None, "", "7 " + "x" * 9000]
    _scan({"value": cells, "part": [0.5] * len(cells)}, engine)
    assert sorted(engine.shown) == ["1234567", "7 " + "x" * (MAX_TEXT - 2), "a@b.example"]
    assert min(map(len, engine.shown)) == SHORTEST


def test_its_counts_stand_beside_those_of_the_own_detectors() -> None:
    engine = _Played()
    cells = [f"EMAIL_ADDRESS: {i} a{i}@example.org" for i in range(40)] + ["", "words"] * 5
    own = _scan({"value": cells}, None)
    both = _scan({"value": cells}, engine)
    (count,) = [each for each in both.columns if each.detector.startswith("presidio")]
    assert [each for each in both.columns if each is not count] == list(own.columns)
    assert (count.detector, count.is_finding) == ("presidio:EMAIL_ADDRESS", True)
    assert (count.num_sampled, count.num_filled, count.num_formed, count.num_hits) == (50, 45, 40, 40)
    assert (count.num_distinct, count.num_distinct_hits) == (40, 40)


@pytest.mark.parametrize(("num_hits", "is_finding"), [(1, False), (12, False), (24, False), (25, True), (100, True)])
def test_a_checksum_makes_a_finding_by_its_share(num_hits: int, is_finding: bool) -> None:
    cells = [f"{'UK_NHS' if i < num_hits else 'none'}:{i:07d}" for i in range(100)]
    assert [each.is_finding for each in _scan({"value": cells}, _Played()).columns] == [is_finding]


def test_a_checksum_of_few_cells_or_of_one_number_again_and_again_is_no_finding() -> None:
    few = _scan({"value": ["UK_NHS:1234567", "UK_NHS:1234568", "none:123456789"]}, _Played())
    again = _scan({"value": ["UK_NHS:1234567"] * 300}, _Played())
    assert [each.is_finding for each in (*few.columns, *again.columns)] == [False, False]


@pytest.mark.parametrize(
    ("num_columns", "num_rows"), [(1, MOST_ROWS), (128, MOST_ROWS), (256, MOST_ROWS // 2), (9000, LEAST_ROWS)]
)
def test_of_a_table_it_is_shown_a_bounded_number_of_rows(num_columns: int, num_rows: int) -> None:
    engine = _Played()
    look = SecondLook(engine, num_columns)
    for first in range(0, 2048, 512):
        same = pa.array([f"EMAIL_ADDRESS:{i}" for i in range(first, first + 512)])
        look.take([same, *[pa.nulls(512)] * (num_columns - 1)])
    assert (look.num_rows, len(engine.shown)) == (num_rows, num_rows)
    (count,) = look.counts(0)
    assert (count.num_sampled, count.num_filled, count.num_hits) == (num_rows, num_rows, num_rows)


def test_a_table_without_columns_or_with_text_that_is_no_utf_8_is_taken() -> None:
    raw = pa.array([b"EMAIL_ADDRESS:1", b"\xff\xfe12345678"], pa.binary())
    look = SecondLook(_Played(), 1)
    look.take([pa.Array.from_buffers(pa.string(), 2, raw.buffers())])
    assert [each.num_hits for each in look.counts(0)] == [1]
    SecondLook(_Played(), 0).take([])
