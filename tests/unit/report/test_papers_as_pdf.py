"""PDF copies of papers: of the HTML that was signed, and nothing is fetched for them."""

import socket
from pathlib import Path

import pytest

from packtrain.errors import MissingDependency, SignatureInvalid
from packtrain.events import discard
from packtrain.report.papers import render
from packtrain.report.papers.pdf import pdf_of
from packtrain.stages import papers
from packtrain.voyage import Voyage
from paper_parts import closed

pytestmark = pytest.mark.slow

try:
    pdf_of(b"<p>page</p>", "page.html")
except MissingDependency as missing:
    pytest.skip(f"WeasyPrint or Pango is not here: {missing}", allow_module_level=True)


@pytest.mark.long
def test_every_paper_becomes_a_pdf_with_pages_and_the_text_of_the_page(tmp_path: Path) -> None:
    voyage = closed(tmp_path)
    made = papers.write_papers(voyage.consignor, render, discard)
    written = Voyage(voyage.consignor.root, discard).papers_as_pdf(made.place, tmp_path / "pdf")
    assert len(written) == 7
    assert all(path.read_bytes().startswith(b"%PDF-") for path in written)


def test_a_paper_that_was_altered_is_not_printed(tmp_path: Path) -> None:
    voyage = closed(tmp_path)
    made = papers.write_papers(voyage.consignor, render, discard)
    page = made.place / "packing-list.html"
    page.write_bytes(page.read_bytes().replace(b"4 cases", b"3 cases"))
    with pytest.raises(SignatureInvalid):
        Voyage(voyage.consignor.root, discard).papers_as_pdf(made.place, tmp_path / "pdf")


def test_nothing_is_fetched(tmp_path: Path) -> None:
    (tmp_path / "secret.svg").write_text('<svg xmlns="http://www.w3.org/2000/svg"><text>secret</text></svg>')
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        port = server.getsockname()[1]
        page = f'<p>page <img src="http://127.0.0.1:{port}/x.png"><img src="file://{tmp_path}/secret.svg">'
        assert pdf_of(page.encode(), "page.html").startswith(b"%PDF-")
        with pytest.raises(TimeoutError):
            server.accept()


def test_damaged_images_are_no_less_damaged_afterwards() -> None:
    from PIL import ImageFile

    pdf_of(b"<p>page</p>", "page.html")
    assert not ImageFile.LOAD_TRUNCATED_IMAGES


def test_without_the_library_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "weasyprint", None)
    with pytest.raises(MissingDependency, match="WeasyPrint"):
        pdf_of(b"<p>page</p>", "page.html")
