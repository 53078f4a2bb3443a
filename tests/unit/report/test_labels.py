"""Labels say what a person with a case in hand needs, and nothing that helps a thief to choose."""

import re
from html import unescape
from pathlib import Path

import pytest
import zxingcpp
from msgspec import structs

from packtrain.documents.plan import Plan
from packtrain.documents.shipment import Shipment
from packtrain.errors import StageNotReady
from packtrain.report.labels import Label, labels_page, qr_svg, shipment_labels, write_labels
from voyage_papers import Papers, declared, packed


@pytest.fixture
def papers(tmp_path: Path) -> Papers:
    return packed(tmp_path)


def read_qr(svg: str) -> str:
    """Return what an independent reader makes of a QR code drawn as SVG: lines one module wide, black."""
    (side,) = {int(number) for number in re.findall(r'viewBox="0 0 (\d+)', svg)}
    modules = [bytearray(b"\xff" * side) for _ in range(side)]
    x, y = 0.0, 0.0
    for kind, first, second in re.findall(r"([Mmh])(-?[\d.]+)(?:[ ,](-?[\d.]+))?", re.findall(r'd="([^"]*)"', svg)[-1]):
        if kind == "h":
            modules[int(y)][int(x) : int(x + float(first))] = bytes(int(float(first)))
            x += float(first)
        else:
            is_step = kind == "m"
            x, y = x * is_step + float(first), y * is_step + float(second)
    scale = 4
    rows = [b"".join(bytes([shade]) * scale for shade in row) for row in modules for _ in range(scale)]
    image = memoryview(b"".join(rows)).cast("B", shape=[side * scale, side * scale])
    (code,) = zxingcpp.read_barcodes(image)
    return code.text


def test_there_is_one_label_for_each_case_and_each_drive_case_by_case(papers: Papers) -> None:
    labels = shipment_labels(papers.consignor)
    assert [(label.kind, label.title) for label in labels] == [
        ("case", "A"),
        ("drive", "A1"),
        ("drive", "A2"),
        ("case", "B"),
        ("drive", "B1"),
        ("drive", "B2"),
    ]


def test_a_drives_label_has_its_serial_its_uuid_and_the_shipments_root(papers: Papers) -> None:
    shipment = papers.consignor.read(Shipment)
    label = shipment_labels(papers.consignor)[1]
    assert label.place == "case A, drive 1 of 2"
    assert label.rows == (
        ("shipment", shipment.shipment[:8]),
        ("root", papers.consignor.digest(Shipment)[:8]),
        ("serial", shipment.drives[0].serial),
        ("drive", shipment.drives[0].uuid),
    )


def test_the_qr_code_of_each_label_reads_as_its_text(papers: Papers) -> None:
    for label in shipment_labels(papers.consignor):
        assert read_qr(qr_svg(label.qr_text)) == label.qr_text
        assert all(value in label.qr_text for _, value in label.rows)


def test_no_name_and_no_contact_is_printed_unless_asked(papers: Papers) -> None:
    silent = labels_page(shipment_labels(papers.consignor))
    assert "test voyage" not in silent
    assert "the test" not in silent
    asked = labels_page(shipment_labels(papers.consignor, with_name=True, with_contact=True))
    assert "test voyage" in asked
    assert "the test" in asked


def test_before_the_shipment_is_closed_the_root_is_told_to_be_open(papers: Papers) -> None:
    papers.consignor.document_path(Shipment).unlink()
    label = shipment_labels(papers.consignor)[1]
    assert dict(label.rows)["root"] == "not closed"


def test_a_shipment_document_of_an_earlier_attempt_gives_no_root(papers: Papers) -> None:
    plan = papers.consignor.read(Plan)
    papers.consignor.write_signed(structs.replace(plan, attempt=2), papers.consignor.signer())
    assert dict(shipment_labels(papers.consignor)[1].rows)["root"] == "not closed"


def test_a_drive_that_was_not_seen_yet_has_a_label_without_a_serial(papers: Papers) -> None:
    papers.consignor.document_path(Shipment).unlink()
    plan = papers.consignor.read(Plan)
    drives = (structs.replace(plan.drives[0], serial=None), *plan.drives[1:])
    papers.consignor.write_signed(structs.replace(plan, drives=drives), papers.consignor.signer())
    assert dict(shipment_labels(papers.consignor)[1].rows)["serial"] == "not seen yet"


def test_without_a_plan_there_is_nothing_to_print(tmp_path: Path) -> None:
    with pytest.raises(StageNotReady, match="before they are packed"):
        shipment_labels(declared(tmp_path).consignor)


def test_hostile_words_stay_words() -> None:
    hostile = '</dd><script>alert(1)</script>&"'
    page = labels_page([Label("drive", hostile, hostile, ((hostile, hostile),), "x")])
    assert "<script>" not in page
    assert hostile in unescape(page)


def test_the_page_is_written_and_asks_for_nothing_from_elsewhere(papers: Papers, tmp_path: Path) -> None:
    path, labels = write_labels(papers.consignor, tmp_path / "labels.html")
    page = path.read_text()
    assert page.count('<section class="label') == len(labels) == 6
    assert re.findall(r"(?:src|href)=|@import|url\(", page) == []
    assert "size: 100mm 62mm" in page
