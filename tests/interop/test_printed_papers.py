"""The papers to print against other programs: ssh-keygen by the command on a page, and a reader of its code."""

import re
import subprocess
from html import unescape
from pathlib import Path

import pytest

from chromium_parts import CHROMIUM
from packtrain.documents.customs import Customs
from packtrain.documents.shipment import Shipment
from packtrain.events import discard
from packtrain.report.papers import render
from packtrain.stages import papers
from paper_parts import closed

SWITCHES = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
PICTURE = ["--hide-scrollbars", "--window-size=900,900", "--force-device-scale-factor=2"]


@pytest.mark.needs_ssh_keygen
def test_ssh_keygen_verifies_each_paper_by_the_command_printed_on_it(tmp_path: Path) -> None:
    voyage = closed(tmp_path)
    made = papers.write_papers(voyage.consignor, render, discard, into=tmp_path / "out")
    (made.place / "allowed_signers").write_bytes((voyage.operator.documents / "allowed_signers").read_bytes())
    assert len(made.written) == 7
    for name in made.written:
        page = (made.place / name).read_text()
        command = unescape(re.findall(r'<span class="mono">(ssh-keygen [^<]*)</span>', page)[0])
        done = subprocess.run(["sh", "-c", command], cwd=made.place, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr
        (made.place / name).write_text(page.replace("legal advice", "illegal advice"))
        assert subprocess.run(["sh", "-c", command], cwd=made.place, capture_output=True, check=False).returncode != 0


@pytest.mark.needs_chromium
def test_the_code_of_a_paper_is_read_from_a_picture_of_it(tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    zxingcpp = pytest.importorskip("zxingcpp")
    folder = closed(tmp_path).consignor
    page = papers.write_papers(folder, render, discard).place / "pro-forma-invoice.html"
    picture = tmp_path / "invoice.png"
    arguments = [
        *SWITCHES,
        *PICTURE,
        f"--user-data-dir={tmp_path / 'browser'}",
        f"--screenshot={picture}",
        page.as_uri(),
    ]
    subprocess.run([str(CHROMIUM), *arguments], capture_output=True, check=True, timeout=120)
    (code,) = zxingcpp.read_barcodes(image.open(picture).convert("L"))
    root, customs = folder.digest(Shipment), folder.digest(Customs)
    expected = ["packtrain paper: Pro-forma invoice", "voyage sky survey 7", f"root {root}", f"customs {customs}"]
    assert code.text.splitlines() == expected
