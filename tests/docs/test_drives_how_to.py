"""The commands of the how-to pages about drives are run as they stand, after those that pack and hand over."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.long

DOCS = Path(__file__).parents[2] / "docs" / "how-to"


def shell_blocks(page: str) -> list[str]:
    return re.findall(r"^```sh\n(.*?)^```$", (DOCS / page).read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)


def run(blocks: list[str], folder: Path) -> str:
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "-c", "set -eu\n" + "\n".join(blocks)],
        cwd=folder, env=environment, capture_output=True, text=True, timeout=280, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def handed_over(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder as "carry your own data" leaves it after step 5."""
    blocks = shell_blocks("your-own-data.md")
    until = next(i for i, block in enumerate(blocks) if block.startswith("rm -r drives/b1"))
    folder = tmp_path_factory.mktemp("handed-over")
    run(blocks[:until], folder)
    return folder


@pytest.fixture
def folder(handed_over: Path) -> Path:
    """Return that folder for one test. Plans hold absolute paths: it is used where it is, and put back."""
    kept = handed_over.with_name("kept")
    if kept.exists():
        shutil.rmtree(handed_over)
        shutil.copytree(kept, handed_over, symlinks=True)
    else:
        shutil.copytree(handed_over, kept, symlinks=True)
    return handed_over


def test_every_command_of_mend_a_damaged_drive_runs(folder: Path) -> None:
    told = run(shell_blocks("mend-a-damaged-drive.md"), folder)
    assert "ended with 40" in told
    assert "A1" in told
    assert " rebuilt" in told
    assert told.count("undamaged: ") == 3
    assert "repaired" in told
    assert "every signature is good" in told
    assert (folder / "repair.json").is_file()


@pytest.mark.needs_age
@pytest.mark.needs_ssh_keygen
def test_every_command_of_restore_without_packtrain_runs_and_the_data_comes_back(folder: Path) -> None:
    told = run(shell_blocks("restore-without-packtrain.md"), folder)
    assert "2 of 4 drives here; 1 of 1 stripes can be proven" in told
    assert "all that was damaged is rebuilt" in told
    assert "Good" in told
    assert "restored/index.parquet" in told
    assert not any(
        "packtrain " in block.replace("packtrain-", "") for block in shell_blocks("restore-without-packtrain.md")
    )


def test_the_commands_that_only_look_at_drives_run(tmp_path: Path) -> None:
    listing = shell_blocks("real-drives.md")[0]
    assert "--smart" in listing
    assert "DEVICE" in run([listing], tmp_path) or not list(Path("/sys/block").iterdir())
