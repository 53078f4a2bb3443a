"""Which column becomes a finding: by its cells, by its name, and by neither."""

import random
from collections.abc import Mapping
from itertools import pairwise

import pyarrow as pa
import pytest

from packtrain.dataset.kinds.piece import Piece
from packtrain.dataset.scan.chance import odds_of_chance
from packtrain.dataset.scan.column_names import meaning_of
from packtrain.dataset.scan.counts import ColumnCount, SourceScan
from packtrain.dataset.scan.sampling import RowSampler
from packtrain.dataset.scan.table import TableScan

SHA256 = "5" * 64


def _scan(columns: Mapping[str, object], block_rows: int = 64, sha256: str = SHA256) -> SourceScan:
    table = pa.table(columns)
    scan = TableScan("raw/a.csv", sha256)
    for first in range(0, max(table.num_rows, 1), block_rows):
        block = table.slice(first, block_rows)
        scan.take(Piece(None, "parquet", {"sheet": ""}, group="s01", num_rows=block.num_rows, block=block))
    return scan.finish()


def _findings(columns: Mapping[str, object], block_rows: int = 64) -> list[tuple[int, str]]:
    return [(each.column, each.word or each.detector) for each in _scan(columns, block_rows).columns if each.is_finding]


def _bsn(draw: random.Random) -> str:
    while True:
        digits = [draw.randrange(10) for _ in range(8)]
        last = sum(digit * weight for digit, weight in zip(digits, range(9, 1, -1), strict=True)) % 11
        if last < 10:
            return "".join(map(str, [*digits, last]))


def _digits(length: int, draw: random.Random) -> str:
    return "".join(draw.choices("0123456789", k=length))


@pytest.mark.parametrize("length", [8, 9, 10, 11, 12, 13, 14, 15, 16, 18, 19])
def test_random_digits_of_any_length_are_no_finding(length: int) -> None:
    for seed in range(12):
        draw = random.Random(seed)
        assert _findings({"value": [_digits(length, draw) for _ in range(300)]}) == []


def test_numbers_that_count_up_are_no_finding() -> None:
    for first in (100_000_000, 4_000_000_000_000_000, 30_000_000_000, 900_101_000_000):
        assert _findings({"value": list(range(first, first + 600))}) == []


def test_a_day_and_time_in_twelve_digits_is_no_finding() -> None:
    draw = random.Random(3)
    times = [
        f"{draw.randrange(20, 27):02d}{draw.randrange(1, 13):02d}{draw.randrange(1, 29):02d}"
        f"{draw.randrange(24):02d}{draw.randrange(60):02d}{draw.randrange(60):02d}"
        for _ in range(400)
    ]
    assert _findings({"value": times}) == []


def test_citizen_numbers_are_a_finding_also_where_they_are_numbers_or_half_of_the_column() -> None:
    draw = random.Random(4)
    numbers = [_bsn(draw) for _ in range(300)]
    assert _findings({"value": numbers}) == [(1, "nl-bsn")]
    assert _findings({"value": [number if i % 2 else "none" for i, number in enumerate(numbers)]}) == [(1, "nl-bsn")]
    as_integers = [int(number) for number in numbers if number[0] != "0"]
    assert _findings({"value": as_integers}) == [(1, "nl-bsn")]
    assert _findings({"value": [*map(float, as_integers), None]}) == [(1, "nl-bsn")]


def test_one_number_again_and_again_proves_nothing() -> None:
    scan = _scan({"value": ["123456782"] * 300})
    (count,) = scan.columns
    assert (count.num_hits, count.num_distinct, count.is_finding) == (count.num_sampled, 1, False)


def test_a_few_rows_with_e_mail_addresses_are_enough() -> None:
    assert _findings({"value": ["a@example.org", "b@example.org"]}) == [(1, "e-mail")]
    mostly_none = [f"u{i}@example.org" if i % 20 == 0 else "nothing" for i in range(200)]
    assert _findings({"value": mostly_none}) == [(1, "e-mail")]
    once = ["nothing"] * 250 + ["a@example.org"]
    assert _findings({"value": once}) == []


def test_counts_are_those_of_the_sample() -> None:
    (count,) = _scan({"value": ["a@example.org"] * 50 + [""] * 6 + ["no"] * 4}).columns
    assert count == ColumnCount(
        sheet=0,
        column=1,
        detector="e-mail",
        word="",
        num_sampled=60,
        num_filled=54,
        num_formed=50,
        num_hits=50,
        num_distinct=1,
        num_distinct_hits=1,
        is_finding=True,
    )


def test_two_columns_named_as_places_are_precise_coordinates_only_with_decimals() -> None:
    fine = {"lat": [52.51704, 48.13743, -33.8568], "Longitude": [13.38886, 11.57549, 151.2153]}
    assert _findings(fine) == [(1, "coordinates")]
    assert _findings({name: [str(each) for each in cells] for name, cells in fine.items()}) == [(1, "coordinates")]
    assert _findings({"lat": [52.5, 48.1, -33.9], "lon": [13.4, 11.6, 151.2]}) == []
    assert _findings({"x": fine["lat"], "y": fine["Longitude"]}) == []


def test_names_of_columns_say_what_is_in_them() -> None:
    for name, word in (
        ("surname", "a surname"),
        ("LastName", "a surname"),
        ("patient_last_name", "a surname"),
        ("Date of Birth", "a day of birth"),
        ("geburtsdatum", "a day of birth"),
        ("Geburtsdatum des Kindes", "a day of birth"),
        ("fecha_de_nacimiento", "a day of birth"),
        ("prénom", "a given name"),
        ("客户姓名", "a person's name"),
        ("患者の氏名", "a patient"),
        ("주민등록번호", "an identity number"),
        ("E-Mail", "an e-mail address"),
        ("ＥＭＡＩＬ", "an e-mail address"),
        ("diagnosis_1", "a diagnosis"),
        ("Name", "a name"),
    ):
        meaning = meaning_of(name)
        assert meaning is not None and meaning.word == word, name


@pytest.mark.parametrize(
    "name", ["", "value", "temperature", "filename", "named", "nir", "column_3", "\ud800", "x" * 9999]
)
def test_other_names_of_columns_say_nothing(name: str) -> None:
    assert meaning_of(name) is None


def test_a_weak_name_counts_only_in_company() -> None:
    assert _findings({"name": ["bolt", "nut"], "weight": [1.5, 2.5]}) == []
    assert _findings({"postcode": ["01067"], "place": ["x"], "value": ["1"]}) == []
    assert _findings({"name": ["x"], "city": ["y"], "age": [3]}) == [
        (1, "a name"),
        (2, "a town or postcode"),
        (3, "an age"),
    ]
    assert (1, "a name") in _findings({"name": ["x"], "contact": ["a@example.org"]})


def test_an_empty_column_is_no_finding_whatever_its_name() -> None:
    assert _findings({"surname": ["", None, ""], "value": ["1", "2", "3"]}) == []
    assert _findings({"surname": pa.nulls(3, pa.float64())}) == []


def test_texts_are_judged_however_arrow_keeps_them() -> None:
    cells = ["a@example.org", None, "b@example.org"]
    for kind in (pa.string(), pa.large_string(), pa.string_view()):
        assert _findings({"value": pa.array(cells, kind)}) == [(1, "e-mail")]


def test_text_that_is_no_utf_8_is_judged_as_far_as_it_is_text() -> None:
    raw = pa.array([b"a@example.org", b"\xff\xfe", b"b@example.org"], pa.binary())
    broken = pa.Array.from_buffers(pa.string(), 3, raw.buffers())
    assert _findings({"value": broken}) == [(1, "e-mail")]


@pytest.mark.parametrize(
    "values",
    [
        pa.array([None, 1.5, float("nan"), float("inf")]),
        pa.array([float("nan")] * 3),
        pa.array([], pa.float64()),
        pa.array([True, None]),
        pa.nulls(3),
        pa.array([2**63, 2**64 - 1], pa.uint64()),
        pa.array([1, 2], pa.timestamp("us")),
        pa.array(["x"], pa.large_string()),
        pa.array(["x"], pa.string_view()),
        pa.array([1e300, -1e300]),
        pa.array([1.0, 2.0], pa.float16()),
    ],
)
def test_columns_of_every_type_are_taken(values: object) -> None:
    assert _findings({"value": values}) == []


def test_the_same_source_gives_the_same_counts_and_another_digest_other_rows() -> None:
    draw = random.Random(6)
    cells = [f"u{i}@example.org" if draw.random() < 0.5 else "no" for i in range(20_000)]
    one = _scan({"value": cells})
    assert one == _scan({"value": cells})
    assert one.num_rows_sampled < 2000
    assert one != _scan({"value": cells}, sha256="6" * 64)


@pytest.mark.parametrize("block_rows", [1, 64, 1000, 100_000])
def test_rows_are_drawn_from_all_parts_and_their_number_grows_as_the_logarithm(block_rows: int) -> None:
    sampler = RowSampler("a seed")
    num_rows = 200_000
    taken: list[int] = []
    for first in range(0, num_rows, block_rows):
        rows = sampler.draw(min(block_rows, num_rows - first))
        assert rows == sorted(set(rows)) and all(0 <= row < block_rows for row in rows)
        taken += [first + row for row in rows]
    assert taken[:64] == list(range(64))
    # 64 * (1 + ln(200000 / 64)) = 579; less where a block is longer than what came before it.
    assert 100 < len(taken) < 650
    assert max(taken) > num_rows * 0.8
    assert max(late - early for early, late in pairwise(taken)) < num_rows * 0.2


def test_a_source_of_many_columns_keeps_its_receipt_small() -> None:
    wide = {f"surname_{i}": ["x"] for i in range(3000)}
    scan = _scan(wide)
    assert len(scan.columns) == 200
    assert scan.left_out == (("column-name", True, 2800),)


def test_of_a_huge_cell_only_the_beginning_is_looked_at_and_that_is_counted() -> None:
    hidden = "x " * 1_000_000 + "a@example.org"
    scan = _scan({"value": [hidden, "a@example.org " + hidden, '{"a":"b@example.org"' + " " * 600 + "}", "x" * 512]})
    assert [(each.detector, each.num_hits) for each in scan.columns] == [("e-mail", 2)]
    assert scan.num_long_cells == 2


def test_the_odds_are_those_of_the_binomial_distribution() -> None:
    assert odds_of_chance(0, 10, 0.5) == 1.0
    assert odds_of_chance(10, 10, 0.5) == pytest.approx(0.5**10)
    assert odds_of_chance(9, 10, 0.5) == pytest.approx(11 * 0.5**10)
    assert odds_of_chance(1, 3, 0.0) == 0.0
