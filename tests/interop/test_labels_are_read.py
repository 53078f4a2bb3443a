"""Printed labels: a browser draws the page, and a reader that nobody here wrote reads every QR code in the picture."""

import subprocess
from pathlib import Path

import pytest

from chromium_parts import CHROMIUM
from packtrain.report.labels import shipment_labels, write_labels
from voyage_papers import packed

SWITCHES = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--window-size=840,900",
    "--force-device-scale-factor=2",
]


@pytest.mark.needs_chromium
def test_every_label_of_the_page_is_read_from_a_picture_of_it(tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    zxingcpp = pytest.importorskip("zxingcpp")
    folder = packed(tmp_path / "voyage").consignor
    page, _ = write_labels(folder, tmp_path / "labels.html")
    picture = tmp_path / "labels.png"
    arguments = [*SWITCHES, f"--user-data-dir={tmp_path / 'browser'}", f"--screenshot={picture}", page.as_uri()]
    subprocess.run([str(CHROMIUM), *arguments], capture_output=True, check=True, timeout=120)
    read = {code.text for code in zxingcpp.read_barcodes(image.open(picture).convert("L"))}
    assert read == {label.qr_text for label in shipment_labels(folder)}
