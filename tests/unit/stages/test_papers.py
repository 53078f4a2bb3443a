"""`papers`: customs answers are signed first, papers are written with their signatures, gaps are named all at once."""

import shutil
from pathlib import Path

import msgspec
import pytest

from packtrain.diligence.paper_folder import PAPER_NAMES, read_papers_folder
from packtrain.documents.codec import namespace
from packtrain.documents.customs import Customs
from packtrain.documents.packing_statement import PackingStatement
from packtrain.documents.parties import allowed_signers
from packtrain.documents.shipment import Shipment
from packtrain.errors import (
    CustomsFileError,
    CustomsIncomplete,
    DocumentError,
    DossierError,
    SignatureInvalid,
    SignatureMissing,
    StageNotReady,
    UntrustedSigner,
    WrongRole,
)
from packtrain.events import discard
from packtrain.record.folder import VOYAGE_FILE
from packtrain.report.papers import render
from packtrain.stages import carry, exchange, papers
from paper_parts import closed, customs_toml, sealed, serial_of
from three_parties import three_parties
from voyage_papers import Papers, arrived, tree


def answered(root: Path, changes: dict[str, str] | None = None) -> Papers:
    voyage = sealed(root)
    answer(voyage, changes)
    return voyage


def answer(voyage: Papers, changes: dict[str, str] | None = None) -> None:
    (voyage.consignor.root / "customs.toml").write_text(customs_toml(changes))


def test_every_paper_is_written_with_a_signature_that_counts(tmp_path: Path) -> None:
    voyage = closed(tmp_path)

    made = papers.write_papers(voyage.consignor, render, discard)

    assert tuple(made.written) == PAPER_NAMES
    assert made.place == voyage.consignor.root / "papers"
    read = read_papers_folder(made.place, voyage.operator.trust())
    assert {name: paper.digest for name, paper in read.items()} == made.written
    assert all(paper.signers == {"consignor"} for paper in read.values())


def test_a_second_run_leaves_every_file_as_it_is(tmp_path: Path) -> None:
    voyage = closed(tmp_path)
    papers.write_papers(voyage.consignor, render, discard)
    before = tree(voyage.consignor.root)

    papers.write_papers(voyage.consignor, render, discard)

    assert tree(voyage.consignor.root) == before


def test_customs_answers_are_signed_and_bound_to_the_packing_statement(tmp_path: Path) -> None:
    voyage = answered(tmp_path)

    papers.write_papers(voyage.consignor, render, discard)

    customs = voyage.consignor.read_signed(Customs)
    assert customs.packing_statement == voyage.consignor.digest(PackingStatement)
    assert (customs.currency, customs.decimals, customs.goods_value) == ("EUR", 2, 2928724)
    assert customs.recorded_data is None
    assert [len(kind.drives) for kind in customs.drive_kinds] == [57, 3]
    assert customs.supersedes is None


def test_a_changed_answer_is_a_new_version_that_keeps_the_old_one(tmp_path: Path) -> None:
    voyage = answered(tmp_path)
    papers.write_papers(voyage.consignor, render, discard)
    first = voyage.consignor.digest(Customs)
    signature = voyage.consignor.signature_path(Customs).read_bytes()

    answer(voyage, {'"412.37"': '"398"'})
    papers.write_papers(voyage.consignor, render, voyage.sink)

    now = voyage.consignor.read_signed(Customs)
    assert now.supersedes == first
    assert now.drive_kinds[0].goods.value == 39800
    kept = voyage.consignor.documents / "customs-answers" / f"{first}.json"
    old = voyage.consignor.trust().open(Customs, kept.read_bytes(), signature, "kept")
    assert old.drive_kinds[0].goods.value == 41237
    assert kept.with_name(kept.name + ".sig").read_bytes() == signature
    assert "customs answers changed" in voyage.notices()


def test_another_seal_makes_other_customs_answers(tmp_path: Path) -> None:
    voyage = answered(tmp_path)
    papers.write_papers(voyage.consignor, render, discard)
    path = voyage.consignor.root / VOYAGE_FILE
    path.write_text(path.read_text().replace("NL-447102", "NL-990001"))
    carry.seal(voyage.consignor, discard)

    made = papers.write_papers(voyage.consignor, render, discard)

    assert voyage.consignor.read_signed(Customs).packing_statement == voyage.consignor.digest(PackingStatement)
    assert b"NL-990001" in (made.place / "packing-list.html").read_bytes()
    assert b"NL-447102" not in (made.place / "packing-list.html").read_bytes()


def test_open_questions_are_named_all_at_once_and_the_other_papers_are_written(tmp_path: Path) -> None:
    changes = {'tax_id = "RUT 60.000.000-0"': 'tax_id = ""', 'gross_kg = "16.900"': "", 'returns_by = "2027-05-31"': ""}
    voyage = answered(tmp_path, {**changes, 'C7 = "ZXA0C7F9"': "", 'cases = ["A", "B", "C", "D"]': 'cases = ["A"]'})

    with pytest.raises(CustomsIncomplete) as caught:
        papers.write_papers(voyage.consignor, render, voyage.sink)

    for gap in ("consignor.tax_id", "case B.gross_kg", "carriage.returns_by", "serials.C7", "drive B15", "drive D12"):
        assert gap in caught.value.what
    assert "drive D13" not in caught.value.what
    assert not voyage.consignor.has(Customs)
    written = {path.name for path in (voyage.consignor.root / "papers").glob("*.html")}
    assert written == {"seal-record.html", "chain-of-custody.html", "end-user-statement.html"}
    assert "packing-list.html is not made: customs.toml has open questions" in voyage.notices()


def test_a_paper_of_an_earlier_state_is_warned_of(tmp_path: Path) -> None:
    voyage = answered(tmp_path)
    papers.write_papers(voyage.consignor, render, discard)
    answer(voyage, {'reference = "PF-2026-0117"': 'reference = ""'})

    with pytest.raises(CustomsIncomplete):
        papers.write_papers(voyage.consignor, render, voyage.sink)

    assert "packing-list.html is of an earlier state" in voyage.notices()


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({'"412.37"': "412.37"}, "value_each"),
        ({'"412.37"': '"412.375"'}, "at most 2 decimals"),
        ({'"412.37"': '"412,37"'}, "point before the decimals"),
        ({'"412.37"': '"-1"'}, "value_each"),
        ({'"412.37"': '"0"'}, "more than nothing"),
        ({'hs_code = "8471.70"': 'hs_code = "84.71"'}, "six to ten digits"),
        ({'origin = "TH"': 'origin = "UK"'}, "GB"),
        ({'currency = "EUR"': 'currency = "euro"'}, "ISO 4217"),
        ({'returns_by = "2027-05-31"': 'returns_by = "31.5.2027"'}, "2027-03-31"),
        ({'gross_kg = "16.850"': 'gross_kg = "9"'}, "contents"),
        ({'labels = ["D13", "D14", "D15"]': 'labels = ["D13", "D14", "D16"]'}, "D16"),
        ({'cases = ["A", "B", "C", "D"]': 'cases = ["A", "B", "C", "E"]'}, "E"),
        ({'C7 = "ZXA0C7F9"': 'C7 = "ZXA0C7F9"\nA1 = "OTHER"'}, "packtrain read"),
        ({'C7 = "ZXA0C7F9"': 'C7 = "ZXA0C7F9"\nZ9 = "OTHER"'}, "label of a drive"),
        ({'C7 = "ZXA0C7F9"': f'C7 = "{serial_of("A1")}"'}, "one serial number a drive"),
        ({'case = "D"': 'case = "E"'}, "A, B, C, D"),
        ({"pieces = 1\n": "pieces = 2\n"}, "a row for each piece"),
        ({'label = "B"': 'label = "A"'}, "one [[case]] for each"),
        ({'place = "Vicuña"': 'plaice = "Vicuña"'}, "place"),
        ({'holder = "consignor"': 'holder = "somebody"'}, "carnet.holder"),
        ({'reference = "PF': 'reference = "' + "x" * 600}, "at most 512"),
        ({'labels = ["D13", "D14", "D15"]': 'labels = ["D13"]\ncases = ["A"]'}, "drive[0] and drive[1]"),
    ],
)
def test_an_answer_that_cannot_be_right_is_refused_and_nothing_is_signed(
    tmp_path: Path, changes: dict[str, str], told: str
) -> None:
    voyage = answered(tmp_path, changes)

    with pytest.raises(CustomsFileError) as caught:
        papers.write_papers(voyage.consignor, render, discard)

    assert told in f"{caught.value.message} {caught.value.hint}"
    assert not voyage.consignor.has(Customs)


def test_a_yen_has_no_hundredths(tmp_path: Path) -> None:
    whole = {'"EUR"': '"JPY"', '"412.37"': '"412"', '"1830.05"': '"1830"', '"6.5"': '"6"', '"640.00"': '"640"'}
    voyage = answered(tmp_path / "whole", {**whole, '"185.5"': '"185.0"'})

    papers.write_papers(voyage.consignor, render, discard)

    assert voyage.consignor.read_signed(Customs).decimals == 0
    with pytest.raises(CustomsFileError, match="cannot be right"):
        papers.write_papers(answered(tmp_path / "parts", {'"EUR"': '"JPY"'}).consignor, render, discard)


def test_the_form_asks_what_its_reader_reads(tmp_path: Path) -> None:
    voyage = sealed(tmp_path)

    path = papers.write_form(voyage.consignor, discard)

    with pytest.raises(CustomsIncomplete) as caught:
        papers.write_papers(voyage.consignor, render, discard)
    for gap in ("reference", "consignee.eori", "drive[0].value_each", "case D.gross_kg", "serials.C7"):
        assert gap in caught.value.what
    assert "names drive" not in caught.value.what  # the form names every case already
    with pytest.raises(StageNotReady, match="not written over"):
        papers.write_form(voyage.consignor, discard)
    assert path.read_text().count("[[case]]") == 4


def test_a_form_filled_in_line_by_line_is_whole(tmp_path: Path) -> None:
    voyage = sealed(tmp_path)
    path = papers.write_form(voyage.consignor, discard)
    answers = {"country": "NL", "dispatch": "CL", "destination": "NL", "origin": "TH", "returns_by": "2027-03-31"}
    answers |= {"currency": "EUR", "hs_code": "847170", "value_each": "100.01", "net_kg_each": "0.5", "gross_kg": "20"}
    answers |= dict.fromkeys(("length_cm", "width_cm", "height_cm"), "50")
    lines = []
    for line in path.read_text().splitlines():
        name, equals, rest = line.partition(" = ")
        empty = equals and rest.startswith('""') and not line.startswith("#")
        lines.append(f'{name} = "{answers.get(name, "said")}"{rest[2:]}' if empty else line)
    path.write_text("\n".join(lines))

    made = papers.write_papers(voyage.consignor, render, discard)

    assert set(made.not_yet) == {"sanitisation-certificate.html"}
    assert voyage.consignor.read_signed(Customs).goods_value == 60 * 10001


def test_before_sealing_only_the_end_user_statement_is_made(tmp_path: Path) -> None:
    voyage = Papers(tmp_path, three_parties(tmp_path))
    voyage.declare()
    answer(voyage)

    made = papers.write_papers(voyage.consignor, render, discard)

    assert set(made.written) == {"end-user-statement.html"}
    assert "carry seal" in made.not_yet["packing-list.html"]


def test_the_operator_makes_the_papers_that_a_dossier_allows_and_signs_them(tmp_path: Path) -> None:
    voyage = arrived(tmp_path)
    exchange.import_dossier(voyage.operator, voyage.dossier(), discard)

    made = papers.write_papers(voyage.operator, render, discard)

    assert set(made.written) == {"seal-record.html", "chain-of-custody.html", "end-user-statement.html"}
    assert "consignor's dossier" in made.not_yet["packing-list.html"]
    assert "packtrain close" in made.not_yet["sanitisation-certificate.html"]
    read = read_papers_folder(made.place, voyage.consignee.trust())
    assert all(paper.signers == {"operator"} for paper in read.values())
    page = (made.place / "chain-of-custody.html").read_text()
    assert "-I operator" in page and "folder-" in page  # serial numbers as stated: nobody copied them by hand


def test_where_no_paper_can_be_made_the_error_says_what_is_missing(tmp_path: Path) -> None:
    voyage = Papers(tmp_path, three_parties(tmp_path))

    with pytest.raises(StageNotReady) as caught:
        papers.write_papers(voyage.consignor, render, discard)

    assert "packtrain declare" in caught.value.message
    assert not (voyage.consignor.root / "papers").exists()


def test_an_altered_document_stops_every_paper(tmp_path: Path) -> None:
    voyage = closed(tmp_path)
    papers.write_papers(voyage.consignor, render, discard)
    path = voyage.consignor.document_path(Customs)
    path.write_bytes(path.read_bytes().replace(b"41237", b"41137"))
    (voyage.consignor.root / "customs.toml").unlink()

    with pytest.raises(SignatureInvalid):
        papers.write_papers(voyage.consignor, render, discard)


def test_a_shipment_packed_again_is_sealed_again_before_anything_is_signed(tmp_path: Path) -> None:
    voyage = answered(tmp_path)
    shipment = voyage.consignor.read_signed(Shipment)
    voyage.consignor.write_signed(msgspec.structs.replace(shipment, attempt=2), voyage.consignor.signer())

    with pytest.raises(DossierError, match="another shipment"):
        papers.write_papers(voyage.consignor, render, discard)

    assert not voyage.consignor.has(Customs)


def test_customs_answers_are_the_consignors_alone(tmp_path: Path) -> None:
    voyage = sealed(tmp_path)
    (voyage.operator.root / "customs.toml").write_text(customs_toml())

    with pytest.raises(WrongRole):
        papers.write_papers(voyage.operator, render, discard)
    with pytest.raises(WrongRole):
        papers.write_form(voyage.operator, discard)


def test_papers_are_not_written_onto_a_drive(tmp_path: Path) -> None:
    voyage = closed(tmp_path)
    drive = tmp_path / "drive"
    (drive / "packtrain").mkdir(parents=True)
    (drive / "packtrain" / "drive.json").write_text("{}")

    with pytest.raises(DossierError, match="drive"):
        papers.write_papers(voyage.consignor, render, discard, into=drive / "papers")

    assert not (drive / "papers").exists()


def test_a_folder_elsewhere_is_not_let_to_write_by_itself(tmp_path: Path) -> None:
    voyage, place = closed(tmp_path), tmp_path / "stick"
    place.mkdir()
    (place / ".together").write_bytes(b"9 5\n../victimhello")

    papers.write_papers(voyage.consignor, render, discard, into=place)

    assert not (tmp_path / "victim").exists()


def written(tmp_path: Path) -> tuple[Papers, Path]:
    voyage = closed(tmp_path)
    return voyage, papers.write_papers(voyage.consignor, render, discard, into=tmp_path / "out").place


def test_a_changed_page_is_not_read_back(tmp_path: Path) -> None:
    voyage, place = written(tmp_path)
    path = place / "packing-list.html"
    path.write_bytes(path.read_bytes().replace(b"ZXA", b"ZXB", 1))

    with pytest.raises(SignatureInvalid):
        read_papers_folder(place, voyage.consignor.trust())


def test_a_page_without_its_signature_is_not_read_back(tmp_path: Path) -> None:
    voyage, place = written(tmp_path)
    (place / "packing-list.html.sig").unlink()

    with pytest.raises(SignatureMissing):
        read_papers_folder(place, voyage.consignor.trust())


@pytest.mark.parametrize("name", ["note.txt", "packing-list.htm", "Packing-list.html"])
def test_a_folder_of_papers_holds_nothing_else(tmp_path: Path, name: str) -> None:
    voyage, place = written(tmp_path)
    (place / name).write_text("x")

    with pytest.raises(DossierError):
        read_papers_folder(place, voyage.consignor.trust())


def test_a_link_or_a_signature_alone_is_no_paper(tmp_path: Path) -> None:
    voyage, place = written(tmp_path)
    (place / "packing-list.html").rename(tmp_path / "elsewhere.html")
    with pytest.raises(DossierError, match="without its paper"):
        read_papers_folder(place, voyage.consignor.trust())

    (place / "packing-list.html").symlink_to(tmp_path / "elsewhere.html")
    with pytest.raises(DossierError, match="no folder of papers"):
        read_papers_folder(place, voyage.consignor.trust())


def test_a_page_of_endless_length_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    voyage, place = written(tmp_path)
    monkeypatch.setattr("packtrain.diligence.paper_folder.MAX_PAPER_BYTES", 1000)

    with pytest.raises(DocumentError):
        read_papers_folder(place, voyage.consignor.trust())


def test_a_strangers_signature_does_not_count(tmp_path: Path) -> None:
    voyage, place = written(tmp_path / "one")
    stranger = Papers(tmp_path / "two", three_parties(tmp_path / "two"))
    payload = (place / "packing-list.html").read_bytes()
    signature = stranger.consignor.signer().sign("packtrain-paper@v1", payload)
    (place / "packing-list.html.sig").write_text(signature)

    with pytest.raises(UntrustedSigner):
        read_papers_folder(place, voyage.consignor.trust())


def test_a_signature_over_a_document_is_none_over_a_paper(tmp_path: Path) -> None:
    voyage, place = written(tmp_path)
    payload = (place / "packing-list.html").read_bytes()
    signature = voyage.consignor.signer().sign(namespace(Customs), payload)
    (place / "packing-list.html.sig").write_text(signature)

    with pytest.raises(SignatureInvalid):
        read_papers_folder(place, voyage.consignor.trust())


def test_no_folder_is_no_papers(tmp_path: Path) -> None:
    assert read_papers_folder(tmp_path / "none", sealed(tmp_path).consignor.trust()) == {}


def test_allowed_signers_lets_every_party_sign_papers_and_the_consignor_customs(tmp_path: Path) -> None:
    lines = allowed_signers(sealed(tmp_path).consignor.parties()).splitlines()

    assert all("packtrain-paper@v1" in line for line in lines)
    assert ["packtrain-customs@v1" in line for line in lines] == [True, False, False]


def test_an_older_dossier_does_not_bring_back_the_papers_of_another_seal(tmp_path: Path) -> None:
    voyage = sealed(tmp_path)
    papers.write_papers(voyage.consignor, render, discard)
    older = voyage.dossier("older")
    path = voyage.consignor.root / VOYAGE_FILE
    path.write_text(path.read_text().replace("NL-447102", "NL-990001"))
    carry.seal(voyage.consignor, discard)
    papers.write_papers(voyage.consignor, render, discard)
    newer = voyage.dossier("newer")
    place = voyage.operator.documents / "papers" / "consignor"

    exchange.import_dossier(voyage.operator, newer, discard)
    kept = tree(place)
    exchange.import_dossier(voyage.operator, older, discard)
    assert tree(place) == kept
    assert b"NL-990001" in (place / "seal-record.html").read_bytes()

    # The other way round the papers of the seal that no longer holds go, whatever else the newer dossier leaves out.
    shutil.rmtree(place)
    shutil.rmtree(voyage.consignor.root / "papers")
    shutil.copytree(older / "data" / "papers", place)
    exchange.import_dossier(voyage.operator, voyage.dossier("none"), discard)
    assert list(place.iterdir()) == []
