"""A stage that is done does nothing; a changed input makes what follows run again, and nothing else."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.long

DOCS = Path(__file__).parents[2] / "docs"
PACKTRAIN = Path(sys.executable).parent / "packtrain"
VERBS = ("plan", "prepare", "declare", "pack")


def run(verb: str, folder: Path, *more: str) -> tuple[str, dict[str, str]]:
    done = subprocess.run(
        [str(PACKTRAIN), verb, str(folder), *more], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    states = {row["stage"]: row["state"] for row in json.loads(done.stdout)["stages"]} if verb == "status" else {}
    return done.stderr, states


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a place with a consignor's folder packed as docs/how-to/your-own-data.md says, up to and with `pack`."""
    page = (DOCS / "how-to" / "your-own-data.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```sh\n(.*?)^```$", page, flags=re.MULTILINE | re.DOTALL)
    until = next(i for i, block in enumerate(blocks) if block.startswith("packtrain pack"))
    environment = {**os.environ, "PATH": f"{PACKTRAIN.parent}:{os.environ['PATH']}"}
    script = "set -eu\n" + "\n".join(blocks[: until + 1])
    place = tmp_path_factory.mktemp("packed")
    subprocess.run(["bash", "-c", script], cwd=place, env=environment, capture_output=True, timeout=200, check=True)
    return place


@pytest.fixture
def home(packed: Path, tmp_path: Path) -> Path:
    """Return the consignor's folder in a copy of that place."""
    return shutil.copytree(packed, tmp_path / "copy", symlinks=True) / "home"


def test_a_changed_source_runs_prepare_and_pack_again_and_leaves_the_rest(home: Path) -> None:
    for verb in VERBS:
        assert f"{verb}: up to date, nothing to do" in run(verb, home)[0]
    (home.parent / "data" / "tables" / "more.csv").write_text("a,b\n1,2\n")
    states = run("status", home, "--json")[1]
    assert (states["prepare"], states["declare"]) == ("changed", "done")
    assert "up to date" not in run("prepare", home)[0]
    assert run("status", home, "--json")[1]["pack"] == "changed"
    assert "attempt 2" in run("pack", home)[0]
    assert "up to date" in run("pack", home)[0]
    assert "up to date" in run("declare", home)[0]


def test_an_answered_question_does_not_touch_the_drives(home: Path) -> None:
    declaration = home / "declaration.toml"
    declaration.write_text(declaration.read_text().replace("forecasting temperature", "forecasting rain"))
    assert run("status", home, "--json")[1]["declare"] == "changed"
    run("declare", home, "--amend")
    assert run("status", home, "--json")[1]["pack"] == "done"
