"""`prepare` is killed at its durable steps; the same command then gives the data set it would have given.

A fresh process imports everything and forks a child for each kill: the libraries have no threads yet when it forks.
"""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from packtrain.documents.data_scan import DataScan
from packtrain.engines.processes import ProcessMapper
from packtrain.record.folder import VoyageFolder
from packtrain.record.receipts import is_fresh
from packtrain.stages.prepare import inputs, prepare
from shard_parts import adopting_folder, write_shards
from source_parts import csv_text, ignore, png, tree, voyage_folder

RECIPE = "image_crop_pixels = 16\ntable_block_rows = 4\nshard_bytes = 4096\nminiature_samples = 4"
EVERY = 15
"""Every so manieth step is killed at: no multiple of the four steps of a write, so that all four are met."""

_KILLER = """
import json, shutil, sys
from pathlib import Path

import av, duckdb, openpyxl, PIL.Image, pyarrow.parquet, python_calamine
from packtrain.engines.processes import ProcessMapper
from packtrain.record.folder import VoyageFolder
from packtrain.stages.prepare import prepare

root, every = Path(sys.argv[1]), int(sys.argv[2])
sys.path.append(sys.argv[3])
from fault_parts import KILLED, run_in_child

def work():
    prepare(VoyageFolder(root / "voyage"), ProcessMapper(0), lambda event: None)

def files(folder):
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}

found = {"kills": 0, "wrong": []}
step = 1
while True:
    for made in ("work", "documents", "receipts"):
        shutil.rmtree(root / "voyage" / made, ignore_errors=True)
    code = run_in_child(work, step)[0]
    if code == 0:
        break
    if code != KILLED:
        found["wrong"].append(f"step {step}: ended with {code}")
    found["kills"] += 1
    if run_in_child(work, None)[0] != 0:
        found["wrong"].append(f"step {step}: cannot go on")
    elif files(root / "voyage" / "work" / "dataset") != files(root / "whole"):
        found["wrong"].append(f"step {step}: another data set")
    elif (root / "voyage" / "documents" / "data-scan.json").read_bytes() != (root / "scan.json").read_bytes():
        found["wrong"].append(f"step {step}: another data scan")
    step += every
print(json.dumps(found))
"""


def _files(root: Path, raw: Path) -> VoyageFolder:
    raw.mkdir()
    (raw / "a.png").write_bytes(png(40, 20))
    (raw / "b.csv").write_bytes(csv_text(9))
    return voyage_folder(root, raw, RECIPE)


def _shards(root: Path, raw: Path) -> VoyageFolder:
    return adopting_folder(root, write_shards(raw), "webdataset", "miniature_samples = 4")


@pytest.mark.long
@pytest.mark.parametrize("sources", [_files, _shards])
def test_after_a_kill_at_any_step_the_same_command_gives_the_same_data_set(
    sources: Callable[[Path, Path], VoyageFolder], tmp_path: Path
) -> None:
    folder = sources(tmp_path / "voyage", tmp_path / "raw")
    prepare(folder, ProcessMapper(0), ignore)
    assert is_fresh(folder, "prepare", inputs(folder))
    for name, payload in tree(folder.work / "dataset").items():
        path = tmp_path / "whole" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(payload)
    (tmp_path / "scan.json").write_bytes(folder.payload(DataScan))
    done = subprocess.run(
        [sys.executable, "-c", _KILLER, str(tmp_path), str(EVERY), str(Path(__file__).parents[1])],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["wrong"] == []
    assert found["kills"] >= 6
