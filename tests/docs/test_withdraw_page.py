"""The commands of "withdraw a source" are run as they stand, and show what the page shows."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

pytestmark = pytest.mark.long

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "withdraw-a-source.md"


def test_every_command_of_withdraw_a_source_runs_and_shows_what_the_page_shows(tmp_path: Path) -> None:
    page = PAGE.read_text(encoding="utf-8")
    blocks = re.findall(r"^```sh\n(.*?)^```$", page, flags=re.MULTILINE | re.DOTALL)
    shown = re.search(r"^```text\n(.*?)^```$", page, flags=re.MULTILINE | re.DOTALL)
    assert shown is not None
    command = f'packtrain() {{ "{sys.executable}" -m packtrain "$@"; }}\n'
    done = subprocess.run(
        ["bash", "-c", "set -eu\n" + command + "\n".join(blocks)],
        cwd=tmp_path, env=dict(os.environ), capture_output=True, text=True, timeout=250, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    for line in shown[1].splitlines():
        assert line in done.stdout, line
    sources = {row["source"] for row in pq.read_table(tmp_path / "home/work/dataset/index.parquet").to_pylist()}
    assert sources == {"data/weather.csv", "data/people/bo.csv", "data/people/cy.csv"}
    replayed = json.loads((tmp_path / "replay.json").read_text(encoding="utf-8"))
    assert [len(each["samples"]) for each in replayed["steps"]] == [2, 2, 2]
