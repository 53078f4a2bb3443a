"""The commands of "mend the program after departure" are run as they stand, and show what the page shows.

`packtrain rehearse` takes minutes and has tests of its own: here it leaves what it leaves, and runs nothing in a box.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from packtrain.documents.kit import Kit
from packtrain.record.folder import VOYAGE_FILE, VoyageFolder
from site_parts import load_receipt
from tiny_dataset import make_tiny_dataset
from update_parts import EXPORT, kit_at_the_site

pytestmark = pytest.mark.long

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "mend-the-program.md"
PROGRAM = """\
import json, sys
from pathlib import Path

RATE = 0.5
checkpoints, steps = Path(sys.argv[4]), int(sys.argv[6])
saved = sorted(checkpoints.glob("step-????.json"))
step, value = json.loads(saved[-1].read_text()) if saved else (0, 0.0)
while step < steps:
    step, value = step + 1, value + RATE
    assert value <= 2.0 or RATE < 0.5, "the loss grew"
    (checkpoints / "new.part").write_text(json.dumps([step, value]))
    (checkpoints / "new.part").rename(checkpoints / f"step-{step:04d}.json")
    print(json.dumps({"step": step, "loss": value, "samples": 4}), flush=True)
"""
REHEARSE = """\
import sys
from pathlib import Path
from packtrain.record.folder import VoyageFolder
from update_parts import rehearse

root = Path(sys.argv[1])
program = {path.relative_to(root / "program").as_posix(): path.read_text() for path in (root / "program").rglob("*.*")}
rehearse(VoyageFolder(root), program)
"""


def test_every_command_of_mend_the_program_runs_and_shows_what_the_page_shows(tmp_path: Path) -> None:
    page = PAGE.read_text(encoding="utf-8")
    blocks = re.findall(r"^```sh\n(.*?)^```$", page, flags=re.MULTILINE | re.DOTALL)
    shown = re.search(r"^```text\n(.*?)^```$", page, flags=re.MULTILINE | re.DOTALL)
    assert shown is not None
    papers = kit_at_the_site(tmp_path, {"train.py": PROGRAM, "export.toml": EXPORT})
    consignee = papers.consignee
    make_tiny_dataset(consignee.root / "store", num_tables=2, num_images=2, num_clips=1)
    load_receipt(consignee)
    path = consignee.root / VOYAGE_FILE
    text = path.read_text().replace("steps = 8", "steps = 6")
    path.write_text(f'{text}max_restarts = 0\n\n[site]\nstore = "store"\n')
    for role, name in (("consignor", "home"), ("operator", "hall"), ("consignee", "guest")):
        (tmp_path / role).rename(tmp_path / name)
    (tmp_path / "rehearse.py").write_text(REHEARSE)
    packtrain = f"""\
packtrain() {{
  if [ "$1" = rehearse ]; then "{sys.executable}" rehearse.py "$2"; else "{sys.executable}" -m packtrain "$@"; fi
}}
if packtrain train guest; then echo "the first program has no mistake" >&2; exit 1; fi
"""
    done = subprocess.run(
        ["bash", "-c", "set -eu\n" + packtrain + "\n".join(blocks)],
        cwd=tmp_path,
        env=dict(os.environ) | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for line in shown[1].splitlines():
        assert line in done.stdout, line
    guest = VoyageFolder(tmp_path / "guest")
    assert guest.digest(Kit) == VoyageFolder(tmp_path / "home").digest(Kit)
    receipt = guest.receipt("train")
    assert receipt is not None
    assert re.fullmatch(r"steps 1-4 under \w{12}; steps 5-6 under \w{12}", receipt.facts["kits"])
    # Four steps of 0.5, two of 0.25.
    assert json.loads((guest.work / "checkpoints" / "step-0006.json").read_text()) == [6, 2.5]
