"""The commands of "bring results home" are run as they stand, after a training."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from packtrain.documents.parties import Role
from trained_parts import site_with_large_weights

pytestmark = [
    pytest.mark.long,
    pytest.mark.needs_torch,
    pytest.mark.filterwarnings("ignore:torch.distributed is disabled"),
]

NAMES: dict[Role, str] = {"consignor": "home", "operator": "hall", "consignee": "guest"}
PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "bring-results-home.md"


@pytest.fixture
def trained(tmp_path: Path) -> Path:
    """Return a folder with home, hall and guest as `train` leaves them."""
    folders = site_with_large_weights(tmp_path)
    for role, folder in folders.items():
        folder.root.rename(tmp_path / NAMES[role])
    return tmp_path


def test_every_command_of_bring_results_home_runs_and_the_weights_come_home(trained: Path) -> None:
    if shutil.which("rsync") is None:
        pytest.skip("no rsync command (Debian package: rsync)")
    blocks = re.findall(r"^```sh\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    command = f'packtrain() {{ "{sys.executable}" -m packtrain "$@"; }}\n'
    done = subprocess.run(
        ["bash", "-c", "set -eu\n" + command + "\n".join(blocks)],
        cwd=trained, env=dict(os.environ), capture_output=True, text=True, timeout=250, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "ended with 92" in done.stdout
    assert re.search(r"1 cut \([0-9a-f]{12}, 1000 of 1048576 bytes\)", done.stderr)
    assert "weights.safetensors" in done.stdout.split()
    made = trained / "guest" / "work" / "export" / "weights.safetensors"
    assert (trained / "home" / "results" / "weights.safetensors").read_bytes() == made.read_bytes()
    assert (trained / "home" / "inbox" / "weights.safetensors.ptw.age").stat().st_size < 0.85 * made.stat().st_size
