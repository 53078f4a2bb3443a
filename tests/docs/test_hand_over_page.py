"""The commands of "hand over cases" are run as they stand, on a sealed voyage."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from packtrain.record.folder import VOYAGE_FILE
from voyage_papers import packed

pytestmark = pytest.mark.long

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "hand-over-cases.md"


def test_every_command_of_hand_over_cases_runs_and_says_what_the_page_says(tmp_path: Path) -> None:
    pytest.importorskip("zxingcpp")
    papers = packed(tmp_path)
    papers.consignor.root.rename(tmp_path / "home")
    papers.operator.root.rename(tmp_path / "hall")
    blocks = re.findall(r"^```sh\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    # Where no console script of this tree is on the path the module is the same program.
    command = f'packtrain() {{ "{sys.executable}" -m packtrain "$@"; }}\n'
    done = subprocess.run(
        ["bash", "-c", "set -eu\n" + command + "\n".join(blocks)],
        cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=200, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "is signed by consignor and operator" in done.stdout
    assert "not provable" in done.stdout
    assert "Case A (seal PT-1001) is held by the consignor." in done.stdout
    assert "the laptop was taken from the car" not in done.stderr
    assert len(list((tmp_path / "hall" / "documents" / "revocations").glob("*.json"))) == 1
    assert (tmp_path / "home" / VOYAGE_FILE).is_file()
