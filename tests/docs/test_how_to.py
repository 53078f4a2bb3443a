"""The commands of the how-to pages are run as they stand."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from packtrain.dataset.sources import KIND_OF_SUFFIX

DOCS = Path(__file__).parents[2] / "docs"


def shell_blocks(page: str) -> list[str]:
    """Return the sh blocks of a page, in order."""
    return re.findall(r"^```sh\n(.*?)^```$", (DOCS / page).read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)


def test_the_table_of_endings_is_the_codes() -> None:
    page = (DOCS / "how-to/your-own-data.md").read_text(encoding="utf-8")
    told: dict[str, str] = {}
    for kind, cell in re.findall(r"^\| (table|image|clip) \| (.*) \|$", page, flags=re.MULTILINE):
        zipped, _, plain = cell.rpartition(" (each also with .gz), ")
        for ending in zipped.split(", ") if zipped else ():
            told |= {ending: kind, f"{ending}.gz": kind}
        told |= dict.fromkeys(plain.split(", "), kind)
    assert told == KIND_OF_SUFFIX


def test_every_command_of_your_own_data_runs_and_the_data_comes_back(tmp_path: Path) -> None:
    script = "set -eu\n" + "\n".join(shell_blocks("how-to/your-own-data.md"))
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=280, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for name in ("index.parquet", "README.md", "shards/images-000000.tar"):
        assert (tmp_path / "guest/store" / name).read_bytes() == (tmp_path / "home/work/dataset" / name).read_bytes()
