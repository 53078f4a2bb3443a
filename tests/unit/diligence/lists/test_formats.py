from collections.abc import Mapping
from pathlib import Path

import pytest

import list_files
from list_files import csl_csv, csl_entry, csl_json, ftm_json, ofac_csv, write
from packtrain.diligence.lists.entry import ListedAddress, ListedName, ListedParty
from packtrain.diligence.lists.formats import read, source_of
from packtrain.diligence.lists.reading import Tally
from packtrain.documents.list_record import ListFormat


def parties(
    list_format: ListFormat, path: Path, tally: Tally | None = None, columns: Mapping[str, str] | None = None
) -> list[ListedParty]:
    source = source_of(list_format, [path], columns or {})
    return list(read(list_format, source, tally or Tally("a-list")))


def names(party: ListedParty) -> list[str]:
    return [name.text for name in party.names]


def weak(party: ListedParty) -> list[str]:
    return [name.text for name in party.names if name.is_weak]


# --- US Consolidated Screening List ----------------------------------------------------------------------------------


def test_csl_json_gives_name_aliases_programmes_and_source(tmp_path: Path) -> None:
    entry = csl_entry(
        name="Quagga Shipping LLC",
        type="Entity",
        alt_names=["QSL; Quagga Lines", "Квагга"],
        programs=["SDGT"],
        ids=[{"type": "Tax ID No.", "number": "99-1", "country": "RR"}],
        nationalities=["RR"],
    )

    (party,) = parties("csl-json", csl_json(tmp_path, entry))

    assert party.entry_id == "e1"
    assert party.kind == "organisation"
    assert names(party) == ["Quagga Shipping LLC", "QSL", "Quagga Lines", "Квагга"]
    assert [name.is_alias for name in party.names] == [False, True, True, True]
    assert party.programs == ("SDGT", list_files.ENTITY_LIST)
    assert party.identifiers == ("Tax ID No. 99-1 RR",)
    assert party.countries == ("RR",)
    assert party.source_url == "https://lists.example/el/about"


@pytest.mark.parametrize("separator", ["; ", ", ", " "])
def test_csl_successors_are_no_part_of_the_name(tmp_path: Path, separator: str) -> None:
    name = f"Quagga Shipping LLC{separator}and any successor, sub-unit, or subsidiary thereof"

    (party,) = parties("csl-json", csl_json(tmp_path, csl_entry(name=name)))

    assert names(party) == ["Quagga Shipping LLC"]
    assert "and any successor, sub-unit, or subsidiary thereof" in party.remarks


def test_csl_names_within_a_name_are_names_too(tmp_path: Path) -> None:
    name = "Quagga Shipping LLC (Quagga).  Affiliated Entity:  Zenda Quagga Lines Co., Ltd., f.k.a. Tarpan & Co."

    (party,) = parties("csl-json", csl_json(tmp_path, csl_entry(name=name)))

    assert {"Quagga Shipping LLC (Quagga)", "Zenda Quagga Lines Co., Ltd.", "Tarpan & Co."} <= set(names(party))


def test_csl_several_addresses_in_one_field_are_several(tmp_path: Path) -> None:
    address = {
        "address": "1 Quay Street; and Room 7, 2 Hill Road",
        "city": "Zenda",
        "state": None,
        "postal_code": "1001",
        "country": "RR",
    }

    (party,) = parties("csl-json", csl_json(tmp_path, csl_entry(addresses=[address])))

    assert party.addresses == (
        ListedAddress("1 Quay Street, Zenda, 1001, RR", "RR"),
        ListedAddress("Room 7, 2 Hill Road, Zenda, 1001, RR", "RR"),
    )


def test_csl_an_address_that_is_only_a_country_is_a_country(tmp_path: Path) -> None:
    (party,) = parties("csl-json", csl_json(tmp_path, csl_entry(addresses=[{"address": None, "country": "RR"}])))

    assert (party.addresses, party.countries) == ((), ("RR",))


def test_csl_an_address_that_is_listed_by_itself_is_an_address(tmp_path: Path) -> None:
    entry = csl_entry(name="Address 03", addresses=[{"address": "Flat 9, 3 Hidden Lane", "city": "Zenda"}])

    (party,) = parties("csl-json", csl_json(tmp_path, entry))

    assert (party.kind, party.names) == ("address", ())
    assert party.addresses == (ListedAddress("Flat 9, 3 Hidden Lane, Zenda", None),)


def test_csl_without_a_type_is_of_unknown_kind(tmp_path: Path) -> None:
    (party,) = parties("csl-json", csl_json(tmp_path, csl_entry(type=None)))

    assert party.kind == "unknown"


def test_csl_csv_says_what_the_json_says(tmp_path: Path) -> None:
    path = csl_csv(
        tmp_path,
        {
            "_id": "e1",
            "source": list_files.ENTITY_LIST,
            "name": "Quagga Shipping LLC, and any successor, sub-unit, or subsidiary thereof",
            "addresses": "1 Quay Street, Zenda, RR; 2 Hill Road, Streslau, RR",
            "alt_names": "QSL; Quagga Lines; and Tarpan & Co.",
        },
        {"_id": "e2", "source": "S", "name": "Address 01", "addresses": "3 Hidden Lane, Zenda"},
        tail="\x1a\n",
    )

    first, second = parties("csl-csv", path)

    assert names(first) == ["Quagga Shipping LLC", "QSL", "Quagga Lines", "Tarpan & Co."]
    assert first.addresses == (
        ListedAddress("1 Quay Street, Zenda, RR", "RR"),
        ListedAddress("2 Hill Road, Streslau, RR", "RR"),
    )
    assert (second.kind, second.addresses) == ("address", (ListedAddress("3 Hidden Lane, Zenda", None),))


def test_csl_csv_of_before_it_had_keys_is_read(tmp_path: Path) -> None:
    path = csl_csv(tmp_path, {"source": "S", "name": "Quagga", "entity_number": "36"}, {"source": "S", "name": "Moa"})
    path.write_text(path.read_text().replace("_id,", "", 1).replace("\n,", "\n"))

    assert [party.entry_id for party in parties("csl-csv", path)] == ["36", "S / Moa"]


# --- OFAC ------------------------------------------------------------------------------------------------------------


def test_ofac_csv_joins_its_three_files(tmp_path: Path) -> None:
    quagga, dodo, moa = parties("ofac-csv", ofac_csv(tmp_path))

    assert names(quagga) == ["QUAGGA SHIPPING LLC", "QUAGGA LINES", "QUAGGA & SONS", "QSL"]
    assert quagga.addresses == (
        ListedAddress("1 Quay Street, Zenda 1001, Ruritania", "Ruritania"),
        ListedAddress("Streslau, Ruritania", "Ruritania"),
    )
    assert quagga.programs == ("SDGT", "IFSR")
    assert (quagga.kind, dodo.kind, moa.kind) == ("organisation", "person", "vessel")


def test_ofac_csv_weak_aliases_stand_in_the_remarks(tmp_path: Path) -> None:
    remark = "\"DOB 1970; a.k.a. 'ABU-'UMAR'; a.k.a. 'THE, OTHER'; f.k.a. 'EX'.\""
    path = ofac_csv(tmp_path, parties=('36,"DODO, Ana","individual",' + "-0- ," * 8 + remark,), addresses=())

    (party,) = parties("ofac-csv", path)

    assert weak(party) == ["ABU-'UMAR", "THE, OTHER", "EX"]


def test_ofac_csv_identifiers_and_nationality_stand_in_the_remarks(tmp_path: Path) -> None:
    quagga, dodo, moa = parties("ofac-csv", ofac_csv(tmp_path))

    assert quagga.identifiers == ("Tax ID No. 99-0001 (Erewhon)",)
    assert (dodo.identifiers, dodo.countries) == (("Passport R0001 (Ruritania)",), ("Ruritania",))
    assert moa.identifiers == ("Call sign 3EXX9", "Vessel Registration Identification IMO 0000001")


def test_ofac_csv_remarks_go_on_in_the_comments(tmp_path: Path) -> None:
    ofac_csv(tmp_path)
    write(tmp_path, "sdn_comments.csv", "173,\" Second Passport R0002 (Ruritania); a.k.a. 'ANNIE'.\"\r\n")

    dodo = parties("ofac-csv", tmp_path)[1]

    assert weak(dodo) == ["ANNIE"]
    assert any("R0002" in text for text in dodo.identifiers)


def test_ofac_csv_says_how_much_belongs_to_no_entry(tmp_path: Path) -> None:
    tally = Tally("a-list")

    parties("ofac-csv", ofac_csv(tmp_path, aliases=('99,1,"aka","NOBODY",-0- ',)), tally)

    assert tally.left_out == {"aliases of an entry that is not there": 1}


def test_ofac_csv_takes_the_names_of_the_consolidated_list(tmp_path: Path) -> None:
    ofac_csv(tmp_path)
    for name, other in (("sdn", "CONS_PRIM"), ("add", "CONS_ADD"), ("alt", "CONS_ALT")):
        (tmp_path / f"{name}.csv").rename(tmp_path / f"{other}.CSV")

    assert len(parties("ofac-csv", tmp_path)) == 3


def test_ofac_xml_resolves_what_a_party_refers_to(tmp_path: Path) -> None:
    tally = Tally("a-list")

    quagga, dodo = parties("ofac-xml", write(tmp_path, "sdn_advanced.xml", list_files.OFAC_XML), tally)

    assert quagga.names == (
        ListedName("QUAGGA SHIPPING LLC"),
        ListedName("КВАГГА", is_alias=True),
        ListedName("QSL", is_alias=True, is_weak=True),
    )
    assert quagga.addresses == (
        ListedAddress("1 Quay Street, Zenda, 1001, Ruritania", "Ruritania"),
        ListedAddress("1 Quay Street, Зенда, 1001, Ruritania", "Ruritania"),
    )
    assert (quagga.kind, quagga.programs, quagga.identifiers) == (
        "organisation",
        ("SDGT", "SDN List"),
        ("SWIFT/BIC QUAGRRZZ",),
    )
    assert names(dodo) == ["Ana Maria DODO"]
    assert (dodo.kind, dodo.countries, dodo.identifiers) == ("person", ("Ruritania",), ("Passport R0001 Ruritania",))
    assert tally.date_in_file == "2026-09-02"


# --- EU, UK, UN ------------------------------------------------------------------------------------------------------


def test_eu_xml_reads_attributes_and_weak_names(tmp_path: Path) -> None:
    tally = Tally("a-list")

    quagga, dodo = parties("eu-xml", write(tmp_path, "eu.xml", list_files.EU_XML), tally)

    assert names(quagga) == ["Quagga Shipping LLC", "ООО Квагга", "QSL", "Quag"]
    assert weak(quagga) == ["QSL", "Quag"]
    assert quagga.addresses == (ListedAddress("Quay Street 1, Zenda, 1001, RURITANIA", "RURITANIA"),)
    assert (quagga.entry_id, quagga.source_url) == ("EU.1.1", "https://law.example/2026/1")
    assert (dodo.entry_id, dodo.kind, names(dodo)) == ("14", "person", ["Ana Maria Dodo"])
    assert dodo.countries == ("RURITANIA",)
    assert tally.date_in_file == "2026-09-02"


def test_eu_csv_gathers_the_rows_of_an_entity_wherever_they_lie(tmp_path: Path) -> None:
    tally = Tally("a-list")

    quagga, dodo = parties("eu-csv", write(tmp_path, "eu.csv", list_files.EU_CSV), tally)

    assert quagga.names == (
        ListedName("Quagga Shipping LLC"),
        ListedName("QSL; the line", is_alias=True, is_weak=True),
    )
    assert quagga.addresses == (ListedAddress("Quay Street 1, Zenda, 1001, RURITANIA", "RURITANIA"),)
    assert quagga.identifiers == ("Registration Number 1001",)
    assert (quagga.kind, dodo.kind) == ("organisation", "person")
    assert (tally.num_rows, tally.date_in_file) == (5, "2026-09-02")


def test_uk_csv_gathers_names_scripts_and_kinds(tmp_path: Path) -> None:
    tally = Tally("a-list")

    quagga, dodo, moa = parties("uk-csv", write(tmp_path, "uk.csv", list_files.UK_CSV), tally)

    assert (names(quagga), weak(quagga)) == (["QUAGGA SHIPPING LLC", "QSL"], ["QSL"])
    assert quagga.addresses == (ListedAddress("1 Quay Street, Zenda, 1001, Ruritania", "Ruritania"),)
    assert names(dodo) == ["Ana Maria DODO", "Ана Додо"]
    assert (quagga.kind, dodo.kind, moa.kind) == ("organisation", "person", "vessel")
    assert (moa.identifiers, moa.countries) == (("imo number 0000001",), ("Ruritania",))
    assert tally.date_in_file == "2026-09-02"


def test_uk_csv_takes_the_heading_it_had_before(tmp_path: Path) -> None:
    text = list_files.UK_CSV.replace("Designation Type", '"Individual, Entity, Ship"')

    assert [party.kind for party in parties("uk-csv", write(tmp_path, "uk.csv", text))] == [
        "organisation",
        "person",
        "vessel",
    ]


def test_un_xml_reads_persons_and_entities(tmp_path: Path) -> None:
    tally = Tally("a-list")

    dodo, quagga = parties("un-xml", write(tmp_path, "un.xml", list_files.UN_XML), tally)

    assert names(dodo) == ["ANA MARIA DODO", "Ана Мария Додо", "Anna Dodo", "A. M. Dodo", "Dodo"]
    assert weak(dodo) == ["Dodo"]
    assert (dodo.countries, dodo.addresses) == (("Grand Fenwick", "Ruritania"), ())
    assert dodo.identifiers == ("Passport R0001 Ruritania",)
    assert names(quagga) == ["QUAGGA SHIPPING LLC", "Quagga & Sons"]
    assert quagga.addresses == (ListedAddress("1 Quay Street, Zenda, 1001, Ruritania", "Ruritania"),)
    assert tally.date_in_file == "2026-09-02"


# --- OpenSanctions, and lists of one's own ---------------------------------------------------------------------------


def test_opensanctions_simple_reads_rows_within_cells(tmp_path: Path) -> None:
    quagga, dodo, lane = parties("opensanctions-simple", write(tmp_path, "t.csv", list_files.SIMPLE_CSV))

    assert names(quagga) == ["Quagga Shipping LLC", "QSL", "Quagga; Tarpan & Co", "Квагга"]
    assert quagga.countries == ("rr", "gf")
    assert (quagga.kind, dodo.kind, lane.kind) == ("organisation", "person", "address")
    assert (lane.names, lane.addresses) == ((), (ListedAddress("2 Hidden Lane, Streslau", None),))


def test_opensanctions_ftm_joins_addresses_and_sanctions(tmp_path: Path) -> None:
    tally = Tally("a-list")

    (quagga,) = parties("opensanctions-ftm", ftm_json(tmp_path), tally)

    assert quagga.names == (
        ListedName("Quagga Shipping LLC"),
        ListedName("Квагга", is_alias=True),
        ListedName("Quagga Lines", is_alias=True),
        ListedName("QSL", is_alias=True, is_weak=True),
    )
    assert quagga.addresses == (ListedAddress("1 Quay Street, Zenda", "rr"),)
    assert quagga.programs == ("RUR", "sanction")
    assert tally.left_out == {"not a party": 2, "neither a target nor with a topic": 2}


def test_opensanctions_ftm_takes_who_has_a_topic_and_is_no_target(tmp_path: Path) -> None:
    line = '{"id":"x","schema":"Company","properties":{"name":["Tarpan"],"topics":["sanction.linked"]},"target":false}'

    (party,) = parties("opensanctions-ftm", write(tmp_path, "e.json", line))

    assert names(party) == ["Tarpan"]


def test_a_list_of_ones_own_is_read_by_its_headings(tmp_path: Path) -> None:
    path = write(tmp_path, "own.csv", list_files.OWN_CSV)

    quagga, lane = parties("csv", path, columns=list_files.OWN_COLUMNS)

    assert (quagga.entry_id, names(quagga)) == ("W-1", ["Quagga Shipping LLC", "QSL"])
    assert quagga.addresses == (ListedAddress("1 Quay Street, Zenda", "Ruritania"),)
    assert (lane.entry_id, lane.kind, lane.names) == ("W-2", "address", ())


def test_a_list_of_ones_own_without_numbers_is_named_by_lines(tmp_path: Path) -> None:
    path = write(tmp_path, "own.csv", 'Name\tKind\n"Ana\nDodo"\tperson\n\nMoa\tvessel\n')

    found = parties("csv", path, columns={"name": "NAME", "kind": "kind"})

    assert [(each.entry_id, each.kind, names(each)) for each in found] == [
        ("line 3", "person", ["Ana Dodo"]),
        ("line 5", "vessel", ["Moa"]),
    ]


@pytest.mark.parametrize("text", ["Ana\u202e Dodo", "Ana\x00 Dodo", " Ana\u00a0\t Dodo\u200b ", "\ufeffAna\r\nDodo"])
def test_a_name_is_one_line_without_marks_that_nobody_sees(tmp_path: Path, text: str) -> None:
    (party,) = parties("csl-json", csl_json(tmp_path, csl_entry(name=text)))

    assert names(party) == ["Ana Dodo"]


def test_an_entry_without_a_name_is_counted_and_left_out(tmp_path: Path) -> None:
    tally = Tally("a-list")

    assert parties("csl-json", csl_json(tmp_path, csl_entry(name=None)), tally) == []
    assert tally.left_out == {"entry without a name": 1}
