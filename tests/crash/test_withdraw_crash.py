"""`withdraw` is killed at its durable steps; the same command then gives the data set that it would have given.

A fresh process imports everything and forks a child for each kill: the libraries have no threads yet when it forks.
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from packtrain.record.parties import sync_parties
from packtrain.stages.init import init
from packtrain.training.known_run import Asked
from packtrain.voyage import Voyage
from source_parts import csv_text, ignore, png, tree

RECIPE = "image_crop_pixels = 16\ntable_block_rows = 4\nshard_bytes = 4096\nminiature_samples = 4"
EVERY = 17
"""Every so manieth step is killed at: no multiple of the four steps of a write, so that all four are met."""
CANARY = b"canary-4711"

_KILLER = """
import json, shutil, sys
from pathlib import Path

import av, duckdb, openpyxl, PIL.Image, pyarrow.parquet, python_calamine
from packtrain.training.known_run import Asked
from packtrain.voyage import Voyage

root, every, canary = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3].encode()
sys.path.append(sys.argv[4])
from fault_parts import KILLED, run_in_child

def work():
    Voyage(root / "voyage", lambda event: None).withdraw(
        ["raw/b.png", "raw/person.csv"], "asked for", Asked(), num_workers=0
    )

def files(folder):
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}

found = {"kills": 0, "wrong": []}
step = 1
while True:
    shutil.rmtree(root / "voyage")
    shutil.copytree(root / "before", root / "voyage")
    code = run_in_child(work, step)[0]
    if code == 0:
        break
    if code != KILLED:
        found["wrong"].append(f"step {step}: ended with {code}")
    found["kills"] += 1
    if run_in_child(work, None)[0] != 0:
        found["wrong"].append(f"step {step}: cannot go on")
    elif files(root / "voyage" / "work" / "dataset") != files(root / "whole" / "dataset"):
        found["wrong"].append(f"step {step}: another data set")
    elif (left := files(root / "voyage" / "work" / "prepare")).keys() != files(root / "whole" / "prepare").keys():
        found["wrong"].append(f"step {step}: other files: {sorted(left)}")
    elif any(canary in payload for payload in files(root / "voyage" / "work").values()):
        found["wrong"].append(f"step {step}: bytes of the source are left")
    elif len(json.loads((root / "voyage" / "documents" / "withdrawals.json").read_bytes())["entries"]) != 2:
        found["wrong"].append(f"step {step}: withdrawn twice")
    step += every
print(json.dumps(found))
"""


@pytest.mark.long
def test_after_a_kill_at_any_step_the_same_command_ends_the_withdrawal(tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    raw.mkdir()
    (raw / "a.png").write_bytes(png(64, 48, 1))
    (raw / "b.png").write_bytes(png(64, 48, 2))
    (raw / "c.csv").write_bytes(csv_text(9))
    (raw / "person.csv").write_bytes(b"id,word\n" + b"".join(b"%d,%s\n" % (row, CANARY) for row in range(9)))
    root = tmp_path / "voyage"
    init(root, "test voyage", "consignor")
    (root / "voyage.toml").write_text(
        f'[voyage]\nname = "test voyage"\n\n[sources]\npaths = ["{raw}"]\n\n[prepare]\n{RECIPE}\n'
    )
    voyage = Voyage(root, ignore)
    sync_parties(voyage.folder)
    voyage.prepare(0)
    shutil.copytree(root, tmp_path / "before")
    voyage.withdraw(["raw/b.png", "raw/person.csv"], "asked for", Asked(), num_workers=0)
    assert not any(CANARY in payload for payload in tree(voyage.folder.work).values())
    shutil.copytree(voyage.folder.work, tmp_path / "whole")
    done = subprocess.run(
        [sys.executable, "-c", _KILLER, str(tmp_path), str(EVERY), CANARY.decode(), str(Path(__file__).parents[1])],
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["wrong"] == []
    assert found["kills"] >= 8, found
