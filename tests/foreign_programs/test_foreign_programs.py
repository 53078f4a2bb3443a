"""Two training programs that nobody here wrote, from their wheels, through the whole rehearsal: `make test-programs`.

What each of them keeps, and what it does not, stands in docs/explanation/programs-we-tried.md; here it is seen again.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from kit_parts import make_packtrain_wheel
from packtrain.documents.ready import Ready
from packtrain.record.folder import VoyageFolder
from packtrain.training import checks
from rehearsal_parts import COMMAND, describe_miniature, make_voyage
from tiny_dataset import make_tiny_dataset

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "explanation" / "programs-we-tried.md"
WORKERS = {"litgpt-pretrain": 1, "trl-sft": 2}

pytestmark = [pytest.mark.programs, pytest.mark.needs_torch, pytest.mark.namespaces, pytest.mark.timeout(900)]


@pytest.mark.parametrize("name", list(WORKERS))
def test_a_program_keeps_what_the_page_says(tmp_path: Path, name: str):
    fetched = Path(os.environ.get("PACKTRAIN_PROGRAMS", ROOT / "build" / "programs")) / name
    if not fetched.is_dir():
        pytest.skip("its wheels are not here (make test-programs)")
    folder = _voyage(tmp_path, name, fetched)
    done = subprocess.run(
        [sys.executable, "-m", "packtrain", "rehearse", str(folder.root)],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "PYTHONPATH": str(ROOT / "src")},
    )
    sheet = folder.read(Ready)
    print(json.dumps({part.clause: [part.verdict, part.evidence] for part in sheet.clauses}, indent=1))
    print(json.dumps(sheet.measurements))
    assert {part.clause: part.verdict for part in sheet.clauses} == _said_of(name)
    assert done.returncode == (0 if "broken" not in _said_of(name).values() else 81), done.stderr
    assert folder.signature_path(Ready).is_file() == sheet.ready_to_leave


def _said_of(name: str) -> dict[str, str]:
    rows = [
        [cell.strip().strip("*") for cell in line.strip().strip("|").split("|")]
        for line in PAGE.read_text(encoding="utf-8").splitlines()
        if line.startswith("|")
    ]
    column = rows[0].index(name)
    return {row[0]: row[column] for row in rows if row[0] in checks.CLAUSES}


def _voyage(tmp_path: Path, name: str, fetched: Path) -> VoyageFolder:
    wheels = tmp_path / "wheels"
    make_packtrain_wheel(wheels)
    for path in fetched.glob("*.whl"):
        shutil.copyfile(path, wheels / path.name)
    folder = make_voyage(tmp_path / "voyage", variant="good", wheels=wheels, provided=(), hang=True)
    shutil.rmtree(folder.root / "program")
    shutil.copytree(ROOT / "examples" / name / "program", folder.root / "program")
    torch = version("torch").partition("+")[0]
    text = (folder.root / "voyage.toml").read_text().replace(COMMAND, "train.py {data} {checkpoints} {steps}")
    text = re.sub(r"provided = .*", f'provided = ["torch=={torch}"]', text)
    text = text.replace("workers = 2", f"workers = {WORKERS[name]}")
    (folder.root / "voyage.toml").write_text(text)
    miniature = folder.work / "dataset" / "miniature"
    shutil.rmtree(miniature)
    make_tiny_dataset(miniature)
    folder.write(describe_miniature(miniature))
    return folder
