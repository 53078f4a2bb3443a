"""The commands of "Measure before you plan" are run as they stand."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from packtrain.documents.codec import decode
from packtrain.documents.measurement import Measurement
from packtrain.stages.measure.together import HINDERED
from packtrain.stages.measure.trial import NUM_FILES

PAGE = (Path(__file__).parents[2] / "docs/how-to/measure-before-you-plan.md").read_text(encoding="utf-8")


@pytest.mark.long
def test_its_commands_run_and_leave_what_it_says(tmp_path: Path) -> None:
    script = "\n".join(["set -eu", *re.findall(r"^```sh\n(.*?)^```$", PAGE, flags=re.MULTILINE | re.DOTALL)])
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}

    done = subprocess.run(
        ["bash", "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=280, check=False
    )

    assert done.returncode == 0, done.stdout + done.stderr

    found = decode(Measurement, (tmp_path / "first-look.json").read_bytes(), "first-look.json")
    assert [one.name for one in found.drives] == ["drives/a1", "drives/a2"]
    assert "side by side" in done.stdout
    assert not (tmp_path / "home/documents/measurement.json").exists()
    assert [path for path in (tmp_path / "drives").rglob("*") if path.is_file()] == []


def test_its_numbers_are_those_of_the_code() -> None:
    assert f"less than {HINDERED:.0%} of the sum".replace("%", " %") in PAGE
    assert f"`packtrain-measure-0` to `-{NUM_FILES - 1}`" in PAGE
