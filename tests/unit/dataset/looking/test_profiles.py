"""Profiles of tables: right numbers, and no value of a column in which the data scan found something."""

from pathlib import Path

import msgspec
import pytest

from looked_parts import HOSTILE_CELL, mixed_voyage
from packtrain.dataset.looking.look import ColumnProfile, TableProfile, Wanted
from packtrain.dataset.looking.profiles import allowed_by
from packtrain.documents.data_scan import DataScan
from packtrain.record.folder import VoyageFolder
from packtrain.stages.prepare import look


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> VoyageFolder:
    return mixed_voyage(tmp_path_factory.mktemp("profiles"))


def _people(folder: VoyageFolder, *, with_values: bool = True) -> TableProfile:
    found = look(folder, Wanted(), with_values=with_values)
    return next(table for table in found.tables if table.source == "raw/tables/people.csv")


def _lines(folder: VoyageFolder) -> list[list[str]]:
    text = (folder.root.parent / "raw" / "tables" / "people.csv").read_text()
    return [line.split(",") for line in text.splitlines()[1:]]


def test_the_numbers_are_those_of_the_table(folder: VoyageFolder) -> None:
    profile, lines = _people(folder), _lines(folder)
    assert (profile.num_rows, profile.num_read, profile.num_columns) == (200, 200, 4)
    kelvin = profile.columns[1]
    numbers = [float(line[1]) for line in lines]
    assert (kelvin.name, kelvin.is_number) == ("kelvin", True)
    assert (kelvin.num_filled, kelvin.num_distinct) == (200, len({line[1] for line in lines}))
    assert float(kelvin.least) == pytest.approx(min(numbers), rel=1e-3)
    assert float(kelvin.most) == pytest.approx(max(numbers), rel=1e-3)
    assert float(kelvin.mean) == pytest.approx(sum(numbers) / 200, rel=1e-3)
    assert sum(kelvin.bars) == 200
    place = profile.columns[3]
    counts = {value: [line[3] for line in lines].count(value) for value in {line[3] for line in lines}}
    assert dict(place.top) == {value[:40]: number for value, number in counts.items()}
    assert HOSTILE_CELL in dict(place.top)
    assert not place.is_number


def test_a_column_with_a_finding_shows_counts_and_nothing_else(folder: VoyageFolder) -> None:
    contact = _people(folder).columns[2]
    assert contact == ColumnProfile(3, "", 200, 200, findings=contact.findings)
    assert contact.findings == ("e-mail addresses",)


def test_without_values_no_cell_and_no_name_is_shown(folder: VoyageFolder) -> None:
    for column in _people(folder, with_values=False).columns:
        assert (column.name, column.top, column.least, column.most, column.mean) == ("", (), "", "", "")
    found = look(folder, Wanted(), with_values=False)
    assert "secret" not in repr(found.tables)
    assert "north" not in repr(found.tables)
    assert found.without_because == "they were not asked for"


def test_without_a_data_scan_no_value_is_shown(folder: VoyageFolder) -> None:
    scan = folder.read(DataScan)
    assert allowed_by(scan, scan.sources, wanted=True)[0].values
    for missing in (None, scan):
        allowed, because = allowed_by(missing, "0" * 64, wanted=True)
        assert not allowed.values
        assert "no data scan" in because


def test_where_the_scan_found_more_than_it_lists_no_value_is_shown(folder: VoyageFolder) -> None:
    scan = folder.read(DataScan)
    cut = msgspec.structs.replace(scan, columns=())
    assert scan.num_findings > 0
    allowed, because = allowed_by(cut, cut.sources, wanted=True)
    assert not allowed.values
    assert because == "the data scan found more than it lists by column"


def test_a_scan_whose_signature_does_not_hold_shows_no_value(tmp_path: Path) -> None:
    voyage = mixed_voyage(tmp_path)
    path = voyage.signature_path(DataScan)
    path.write_bytes(path.read_bytes().replace(b"A", b"B"))
    found = look(voyage, Wanted())
    assert not found.with_values
    assert "secret" not in repr(found.tables)


def test_empty_odd_and_mixed_columns_have_profiles(tmp_path: Path) -> None:
    (tmp_path / "raw" / "tables").mkdir(parents=True)
    rows = "".join(f",{'n/a' if i % 30 == 0 else i},same, ,{'x' * 90}{i % 2},nan\n" for i in range(60))
    (tmp_path / "raw" / "tables" / "odd.csv").write_text(f'"",a b,A B," ""q"" ",long,"c0"\n{rows}')
    found = look(mixed_voyage(tmp_path), Wanted(num_samples=1))
    (odd,) = [table for table in found.tables if table.source.endswith("odd.csv")]
    assert odd.error == ""
    empty, mixed, same, blank, long, no_number = odd.columns
    assert (empty.num_filled, empty.num_distinct, empty.bars) == (0, 0, ())
    assert (mixed.is_number, mixed.least, mixed.most, sum(mixed.bars)) == (True, "1", "59", 58)
    assert (same.num_distinct, same.top, same.bars) == (1, (("same", 60),), (60,))
    assert blank.num_filled == 0
    assert [len(value) for value, _ in long.top] == [40, 40]
    assert not no_number.is_number


def test_of_a_place_told_by_two_columns_both_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "raw" / "tables").mkdir(parents=True)
    rows = "".join(f"{i},{40 + i / 977:.6f},{9 + i / 991:.6f}\n" for i in range(50))
    (tmp_path / "raw" / "tables" / "places.csv").write_text("stop,Latitude,Longitude\n" + rows)
    found = look(mixed_voyage(tmp_path), Wanted(num_samples=1))
    (places,) = [table for table in found.tables if table.source.endswith("places.csv")]
    stop, north, east = places.columns
    assert (stop.name, stop.findings) == ("stop", ())
    assert (north.name, east.name) == ("", "")
    assert north.findings == east.findings == ("precise coordinates",)
