from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import list_files
from list_files import csl_csv, csl_entry, csl_json, ftm_json, ofac_csv, write
from packtrain.diligence.lists import csv_rows, xml_stream
from packtrain.diligence.lists.formats import read, source_of
from packtrain.diligence.lists.reading import ListSource, Tally
from packtrain.documents.list_record import ListFormat
from packtrain.errors import ListUnreadable

OWN: Mapping[str, str] = list_files.OWN_COLUMNS
XML = ("ofac-xml", "eu-xml", "un-xml")


def files(folder: Path) -> dict[ListFormat, Path]:
    """Write one good list of every format."""
    (folder / "ofac").mkdir()
    row = {"_id": "e1", "source": "S", "name": "Quagga; and any successor, sub-unit, or subsidiary thereof"}
    return {
        "csl-json": csl_json(folder, csl_entry(), csl_entry(id="e2", name="Мoa")),
        "csl-csv": csl_csv(folder, row),
        "ofac-csv": ofac_csv(folder / "ofac"),
        "ofac-xml": write(folder, "sdn_advanced.xml", list_files.OFAC_XML),
        "eu-xml": write(folder, "eu.xml", list_files.EU_XML),
        "eu-csv": write(folder, "eu.csv", list_files.EU_CSV),
        "uk-csv": write(folder, "uk.csv", list_files.UK_CSV),
        "un-xml": write(folder, "un.xml", list_files.UN_XML),
        "opensanctions-simple": write(folder, "targets.simple.csv", list_files.SIMPLE_CSV),
        "opensanctions-ftm": ftm_json(folder),
        "csv": write(folder, "own.csv", list_files.OWN_CSV),
    }


def take(list_format: ListFormat, path: Path) -> int:
    source = source_of(list_format, [path], OWN if list_format == "csv" else {})
    return sum(1 for _ in read(list_format, source, Tally("a-list")))


def refusal(list_format: ListFormat, path: Path) -> ListUnreadable:
    with pytest.raises(ListUnreadable) as caught:
        take(list_format, path)
    return caught.value


def test_there_is_a_good_list_of_every_format(tmp_path: Path) -> None:
    made = files(tmp_path)

    assert set(made) == set(get_args(ListFormat))
    assert all(take(list_format, path) for list_format, path in made.items())


@pytest.mark.parametrize("given", get_args(ListFormat))
@pytest.mark.parametrize("list_format", get_args(ListFormat))
def test_a_file_of_another_format_is_refused(tmp_path: Path, list_format: ListFormat, given: ListFormat) -> None:
    path = files(tmp_path)[given]
    if given == list_format:
        assert take(list_format, path)
    else:
        other = path / "sdn.csv" if given == "ofac-csv" and list_format != "ofac-csv" else path
        assert refusal(list_format, other).message


@pytest.mark.parametrize("list_format", [*XML, "csl-json"])
def test_a_file_that_is_cut_off_anywhere_is_refused(tmp_path: Path, list_format: ListFormat) -> None:
    path = files(tmp_path)[list_format]
    whole = path.read_bytes().rstrip()
    # Every byte of the last 400, where the ends of all nested elements lie, and every 13th before.
    for length in (*range(0, len(whole) - 400, 13), *range(max(len(whole) - 400, 0), len(whole))):
        path.write_bytes(whole[:length])
        assert refusal(list_format, path).where


@pytest.mark.parametrize("list_format", ["csl-csv", "eu-csv", "uk-csv", "opensanctions-simple"])
def test_a_row_that_is_cut_off_is_refused_with_its_line(tmp_path: Path, list_format: ListFormat) -> None:
    path = files(tmp_path)[list_format]
    lines = path.read_text(encoding="utf-8").rstrip().splitlines()
    path.write_text("\n".join([*lines[:-1], lines[-1][: len(lines[-1]) // 2]]), encoding="utf-8")

    assert f"line {len(lines)}" in str(refusal(list_format, path).where)


@pytest.mark.parametrize("list_format", XML)
@pytest.mark.parametrize(
    "declaration",
    [
        '<!DOCTYPE x [<!ENTITY a "b">]>',
        '<!DOCTYPE x SYSTEM "file:///etc/hostname">',
        '<!DOCTYPE x [<!ENTITY a "aaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>',
    ],
)
def test_a_document_type_is_refused(tmp_path: Path, list_format: ListFormat, declaration: str) -> None:
    path = files(tmp_path)[list_format]
    head, end, rest = path.read_text(encoding="utf-8").partition("?>")
    path.write_text(head + end + declaration + rest, encoding="utf-8")

    assert "document type" in refusal(list_format, path).what


def test_elements_within_elements_are_bounded(tmp_path: Path) -> None:
    path = write(tmp_path, "deep.xml", "<export>" + "<a>" * 10_000 + "</a>" * 10_000 + "</export>")

    assert "too deep" in refusal("eu-xml", path).what


def test_an_entry_in_xml_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xml_stream, "MAX_ENTRY_BYTES", 10_000)
    body = "<remark>" + "x" * 200 + "</remark>"
    path = write(tmp_path, "long.xml", "<export><sanctionEntity>" + body * 100 + "</sanctionEntity></export>")

    assert "entry is too long" in refusal("eu-xml", path).what


def test_a_tag_in_xml_is_bounded(tmp_path: Path) -> None:
    path = write(tmp_path, "tag.xml", '<export x="' + "y" * (3 << 20) + '"></export>')

    assert "tag is too long" in refusal("eu-xml", path).what


def test_elements_of_an_entry_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xml_stream, "_MAX_NODES", 50)
    path = write(tmp_path, "many.xml", "<export><sanctionEntity>" + "<a/>" * 60 + "</sanctionEntity></export>")

    assert "too many elements" in refusal("eu-xml", path).what


def test_a_quote_that_never_ends_is_no_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_rows, "MAX_ENTRY_BYTES", 20_000)
    path = write(tmp_path, "own.csv", "Company\n" + '"' + "x\n" * 50_000)

    with pytest.raises(ListUnreadable, match="too long"):
        list(read("csv", source_of("csv", [path], {"name": "Company"}), Tally("a-list")))


def test_a_line_that_is_not_utf8_is_named(tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    path.write_bytes("Company\nMoa\nCafé\n".encode("latin-1"))

    with pytest.raises(ListUnreadable, match=r"own\.csv, line 3: line is not UTF-8"):
        list(read("csv", source_of("csv", [path], {"name": "Company"}), Tally("a-list")))


def test_an_ofac_line_that_is_not_utf8_is_windows_1252(tmp_path: Path) -> None:
    folder = ofac_csv(tmp_path)
    path = folder / "alt.csv"
    path.write_bytes('36,1,"aka","CAFÉ QUAGGA",-0- \r\n'.encode("cp1252"))

    first = next(read("ofac-csv", source_of("ofac-csv", [folder], {}), Tally("a-list")))

    assert "CAFÉ QUAGGA" in [name.text for name in first.names]


def test_one_entry_with_rows_without_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("packtrain.diligence.lists.scratch.MAX_PARTS", 3)

    assert "too many rows" in refusal("eu-csv", write(tmp_path, "eu.csv", list_files.EU_CSV)).what


def test_a_heading_that_is_missing_is_named(tmp_path: Path) -> None:
    path = write(tmp_path, "uk.csv", list_files.UK_CSV.replace("Unique ID", "Group ID"))

    assert "unique id" in str(refusal("uk-csv", path).hint)


def test_json_that_goes_on_after_its_end_is_refused(tmp_path: Path) -> None:
    path = csl_json(tmp_path, csl_entry())
    path.write_text(path.read_text() + "{}")

    assert "after the end" in refusal("csl-json", path).what


@pytest.mark.parametrize(
    "text", ["[" * 100_000, '{"results":' + "[" * 100_000, '{"results":[{"id":' + "9" * 5000 + "}]}"]
)
def test_json_that_is_made_to_hurt_is_refused(tmp_path: Path, text: str) -> None:
    refusal("csl-json", csl_json(tmp_path, text=text))


def test_results_are_found_wherever_they_stand(tmp_path: Path) -> None:
    path = csl_json(tmp_path, text='{"a":{"results":[1]},"results":[{"id":"1","name":"Moa"}],"b":[]}')

    assert take("csl-json", path) == 1


def test_half_a_list_of_ofacs_is_refused(tmp_path: Path) -> None:
    folder = ofac_csv(tmp_path)
    (folder / "alt.csv").unlink()

    assert "aliases" in refusal("ofac-csv", folder).what


def test_two_lists_of_ofacs_in_one_folder_are_refused(tmp_path: Path) -> None:
    folder = ofac_csv(tmp_path)
    (folder / "cons_add.csv").write_bytes(b"")

    assert "two files" in refusal("ofac-csv", folder).what


@pytest.mark.parametrize("columns", [{}, {"name": "Company", "nose": "Seat"}, {"country": "Country"}])
def test_columns_that_say_too_little_or_too_much_are_refused(tmp_path: Path, columns: Mapping[str, str]) -> None:
    path = write(tmp_path, "own.csv", list_files.OWN_CSV)

    with pytest.raises(ListUnreadable):
        source_of("csv", [path], columns)


def test_columns_belong_to_lists_of_ones_own(tmp_path: Path) -> None:
    with pytest.raises(ListUnreadable, match="own columns"):
        source_of("eu-csv", [write(tmp_path, "eu.csv", list_files.EU_CSV)], {"name": "x"})


@pytest.mark.parametrize("name", ["missing.xml", "folder"])
def test_what_is_no_file_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()

    assert refusal("un-xml", tmp_path / name).where == str(tmp_path / name)


def spoilt(whole: bytes) -> st.SearchStrategy[bytes]:
    """Return strategies that cut, flip and insert bytes of a good file."""
    places = st.integers(0, len(whole))
    return st.one_of(
        st.tuples(places, st.binary(max_size=8), st.integers(0, 8)).map(
            lambda change: whole[: change[0]] + change[1] + whole[change[0] + change[2] :]
        ),
        st.tuples(places, places).map(lambda cut: whole[: cut[0]] + whole[cut[1] :]),
        st.binary(max_size=200),
    )


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[ListFormat, Path]]:
    yield files(tmp_path_factory.mktemp("good"))


@pytest.mark.parametrize("list_format", get_args(ListFormat))
def test_spoilt_files_end_in_a_refusal_or_in_entries(
    list_format: ListFormat, good: dict[ListFormat, Path], tmp_path: Path
) -> None:
    given_path = good[list_format]
    parts = {path.name: path.read_bytes() for path in given_path.iterdir()} if given_path.is_dir() else {}
    spoilt_name = "alt.csv" if parts else given_path.name
    for name, payload in parts.items():
        (tmp_path / name).write_bytes(payload)
    target = tmp_path / spoilt_name
    whole = parts.get(spoilt_name) or given_path.read_bytes()

    @settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
    @given(spoilt(whole))
    def check(payload: bytes) -> None:
        target.write_bytes(payload)
        source = source_of(list_format, [tmp_path if parts else target], OWN if list_format == "csv" else {})
        try:
            found = list(read(list_format, ListSource(source.paths, source.columns), Tally("a-list")))
        except ListUnreadable as error:
            assert error.what
            return
        assert all(party.entry_id and (party.names or party.addresses) for party in found)
        assert all(name.text == " ".join(name.text.split()) for party in found for name in party.names)

    check()
