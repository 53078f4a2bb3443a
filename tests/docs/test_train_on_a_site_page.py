"""The job of "train on a Ray or Slurm site": run by a shell, stopped and run again; and by a real Slurm."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from docs_parts import DOCS
from packtrain.record.folder import VOYAGE_FILE
from site_parts import load_receipt
from slurm_node import slurm_node, why_no_slurm
from tiny_dataset import make_tiny_dataset
from update_parts import COMMAND, EXPORT, kit_at_the_site

PAGE = (DOCS / "how-to" / "train-on-a-ray-or-slurm-site.md").read_text(encoding="utf-8")
STEPS = 40
PROGRAM = """\
import json, signal, sys, time
from pathlib import Path

asked = []
signal.signal(signal.SIGTERM, lambda *_: asked.append(True))
checkpoints, steps = Path(sys.argv[4]), int(sys.argv[6])
saved = sorted(checkpoints.glob("step-????.json"))
step = json.loads(saved[-1].read_text()) if saved else 0
print("begins after step", step, flush=True)
while step < steps:
    time.sleep(0.05)
    step += 1
    (checkpoints / "new.part").write_text(json.dumps(step))
    (checkpoints / "new.part").rename(checkpoints / f"step-{step:04d}.json")
    print(json.dumps({"step": step, "loss": 1 / step, "samples": 4}), flush=True)
    if asked:
        sys.exit(75)
"""


def _site(folder: Path) -> Path:
    """Return a folder with `guest`, ready to train, `env/bin/python`, and the page's job."""
    papers = kit_at_the_site(folder, {"train.py": PROGRAM, "export.toml": EXPORT})
    guest = papers.consignee
    make_tiny_dataset(guest.root / "store", num_tables=2, num_images=2, num_clips=1)
    load_receipt(guest)
    path = guest.root / VOYAGE_FILE
    text = path.read_text().replace("steps = 8", f"steps = {STEPS}")
    assert COMMAND in text
    path.write_text(f'{text}max_restarts = 0\n\n[site]\nstore = "store"\n')
    guest.root.rename(folder / "guest")
    (folder / "env" / "bin").mkdir(parents=True)
    (folder / "bin").mkdir()
    for name, words in (("env/bin/python", ""), ("bin/packtrain", "-m packtrain")):
        script = folder / name
        script.write_text(f'#!/bin/sh\nexec "{sys.executable}" {words} "$@"\n')
        script.chmod(0o755)
    (block,) = re.findall(r"^```sh\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    subprocess.run(["bash", "-euc", block], cwd=folder, check=True)
    return folder


def _environment(folder: Path) -> Mapping[str, str]:
    tree = os.pathsep.join(path for path in sys.path if path)
    return {**os.environ, "PATH": f"{folder / 'bin'}:{os.environ['PATH']}", "PYTHONPATH": tree}


def _saved(folder: Path) -> int:
    return len(list((folder / "guest" / "work" / "checkpoints").glob("step-????.json")))


def _wait_for_steps(folder: Path, number: int) -> None:
    until = time.monotonic() + 60
    while _saved(folder) < number:
        assert time.monotonic() < until, "no step was saved"
        time.sleep(0.05)


def test_the_job_saves_when_its_time_runs_out_goes_on_and_does_nothing_once_it_is_done(tmp_path: Path) -> None:
    folder = _site(tmp_path)
    job = ["bash", "train.sbatch"]
    first = subprocess.Popen(job, cwd=folder, env=_environment(folder), stderr=subprocess.PIPE, text=True)
    _wait_for_steps(folder, 3)
    first.send_signal(signal.SIGTERM)
    _, told = first.communicate(timeout=60)
    saved = _saved(folder)
    second = subprocess.run(job, cwd=folder, env=_environment(folder), capture_output=True, text=True, check=False)
    third = subprocess.run(job, cwd=folder, env=_environment(folder), capture_output=True, text=True, check=False)

    assert first.returncode == 143, told
    assert "stopped by SIGTERM" in told
    assert 3 <= saved < STEPS
    assert second.returncode == 0, second.stderr
    logs = "".join(path.read_text() for path in (folder / "guest").rglob("attempt-*-rank-0.log"))
    assert f"begins after step {saved}\n" in logs
    assert _saved(folder) == STEPS
    assert (third.returncode, _saved(folder)) == (0, STEPS)


@pytest.mark.cluster
@pytest.mark.timeout(400)
def test_slurm_runs_the_job_tells_it_that_time_is_up_and_a_second_one_goes_on(tmp_path: Path) -> None:
    if (reason := why_no_slurm()) is not None:
        pytest.skip(reason)
    folder = _site(tmp_path)
    job = folder / "train.sbatch"
    # This node has no accelerator; the rest is the page's.
    job.write_text(job.read_text().replace("#SBATCH --gpus-per-node=8\n", ""))
    with slurm_node() as node:
        node.environment.update(_environment(folder))
        at = ("sbatch", "--parsable", f"--chdir={folder}")
        first = node.run(*at, str(job)).stdout.strip()
        second = node.run(*at, f"--dependency=afterany:{first}", str(job)).stdout.strip()
        _wait_for_steps(folder, 3)
        node.run("scancel", "--batch", "--signal=TERM", first)
        until = time.monotonic() + 120
        while node.tasks():
            assert time.monotonic() < until, "the jobs do not end"
            time.sleep(0.5)

    assert _saved(folder) == STEPS, (folder / f"train-{second}.log").read_text()
    assert "stopped by SIGTERM" in (folder / f"train-{first}.log").read_text()
