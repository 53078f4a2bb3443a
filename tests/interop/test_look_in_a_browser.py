"""The page to look at data in a real browser: on a telephone's width, by keyboard, with every picture decoded."""

import json
import re
import subprocess
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from chromium_parts import CHROMIUM
from looked_parts import mixed_voyage
from packtrain.dataset.looking.look import Wanted
from packtrain.report.look_page import write_look_page
from packtrain.stages.prepare import look

SWITCHES = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
# The page itself runs no script: another one asks it from outside.
ASKS = """<!doctype html>
<iframe id="page" src="look.html" style="width:WIDTHpx;height:9000px;border:0"></iframe>
<script>
document.getElementById("page").onload = (event) => {
  const inner = event.target.contentDocument, view = event.target.contentWindow;
  const opacity = (tile) => view.getComputedStyle(tile.querySelector(".told")).opacity;
  const tile = inner.querySelector(".tile"), before = opacity(tile);
  view.focus(); tile.focus();
  document.body.textContent = "FO" + "UND" + JSON.stringify({
    width: inner.documentElement.scrollWidth, images: inner.images.length,
    decoded: [...inner.images].filter((image) => image.naturalWidth > 0).length,
    scripts: inner.scripts.length, hacked: Boolean(view.hacked), before, after: opacity(tile),
    focused: inner.activeElement === tile, ink: view.getComputedStyle(inner.body).color,
  }) + "END";
};
</script>"""


def _asked(folder: Path, width: int, *, dark: bool) -> dict[str, Any]:
    (folder / "asks.html").write_text(ASKS.replace("WIDTH", str(width)))
    scheme = ["--blink-settings=preferredColorScheme=0"] if dark else ["--blink-settings=preferredColorScheme=1"]
    done = subprocess.run(
        [
            str(CHROMIUM),
            *SWITCHES,
            *scheme,
            "--allow-file-access-from-files",
            "--window-size=1200,9000",
            "--virtual-time-budget=20000",
            f"--user-data-dir={folder / f'browser-{width}'}",
            "--dump-dom",
            (folder / "asks.html").as_uri(),
        ],
        capture_output=True,
        text=True,
        check=True,
        timeout=150,
    )
    found = re.search(r"FOUND(.*)END", done.stdout, re.DOTALL)
    assert found is not None, done.stdout[-2000:]
    return json.loads(unescape(found[1]))


@pytest.mark.needs_chromium
def test_a_browser_shows_every_picture_on_any_width_and_by_keyboard(tmp_path: Path) -> None:
    voyage = mixed_voyage(tmp_path / "v", "image_crop_pixels = 16\nclip_frames = 4\nclip_size_pixels = 16")
    write_look_page(look(voyage, Wanted()), tmp_path / "look.html")
    inks: set[str] = set()
    for width, dark in ((1100, False), (400, True)):
        found = _asked(tmp_path, width, dark=dark)
        assert found["width"] <= width
        assert found["decoded"] == found["images"] > 60
        assert (found["scripts"], found["hacked"]) == (0, False)
        assert (found["before"], found["after"], found["focused"]) == ("0", "1", True)
        inks.add(found["ink"])
    assert len(inks) == 2  # dark by the browser's wish
