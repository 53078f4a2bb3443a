"""The train stage with real processes and a program of the standard library."""

import itertools
import json
import os
import signal
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

import msgspec
import pytest

from packtrain.digest import sha256_tree
from packtrain.documents.admission import Admission
from packtrain.documents.kit import Kit, KitFile
from packtrain.engines.local import LocalEngine
from packtrain.engines.shared_folders import mark_folder
from packtrain.engines.slurm_place import JobOrder, Place, write
from packtrain.errors import (
    AdmissionHeld,
    AdmissionRefused,
    KitError,
    PacktrainError,
    StageNotReady,
    TrainingFailed,
    VoyageFileError,
)
from packtrain.events import Event, Notice, Progress, Sink, discard
from packtrain.ports import HostPlaces, TrainingJob, TrainingRun
from packtrain.record.folder import VoyageFolder
from packtrain.record.receipts import is_fresh
from packtrain.stages import train as stage
from packtrain.voyage import Voyage
from site_parts import COMMAND, load_receipt, site_after_load, write_program, write_training

PYTHON = Path(sys.executable)
# Counts to --steps and keeps its count in a file; saves every second step; in `--die N` it dies once at step N.
COUNTER = """
import argparse, json, os, pathlib, signal, sys, time
parser = argparse.ArgumentParser()
for name in ("data", "ckpt", "out", "die", "slow"):
    parser.add_argument(f"--{name}")
parser.add_argument("--steps", type=int)
given = parser.parse_args()
saved = pathlib.Path(given.ckpt) / "count"
step = int(saved.read_text()) if saved.exists() else 0
assert pathlib.Path(given.data, "index.parquet").exists()
while step < given.steps:
    step += 1
    print(json.dumps({"step": step, "loss": 10 / step, "samples": 3}), flush=True)
    if step % 2 == 0:
        saved.with_suffix(".new").write_text(str(step)); saved.with_suffix(".new").rename(saved)
    mark = pathlib.Path(given.out) / "died"
    if given.die == str(step) and not mark.exists():
        mark.touch(); os.kill(os.getpid(), signal.SIGKILL)
    if given.slow:
        time.sleep(0.2)
"""


@pytest.fixture
def folder(tmp_path: Path) -> VoyageFolder:
    folder = site_after_load(tmp_path)["consignee"]
    write_program(folder, COUNTER)
    write_training(folder)
    return folder


def train(folder: VoyageFolder, sink=discard):
    return stage.train(folder, LocalEngine(), PYTHON, sink)


def metrics(folder: VoyageFolder) -> list[int]:
    return [json.loads(line)["step"] for line in (folder.logs / "metrics.jsonl").read_text().splitlines()]


def test_training_ends_with_a_receipt_that_is_fresh(folder: VoyageFolder) -> None:
    receipt = train(folder)
    assert receipt.counts == {
        **{"steps": 4, "samples": 12, "workers": 1, "restarts": 0},
        **{"attempts": 1, "hosts": 1, "hosts_lost": 0},
    }
    assert (receipt.facts["loss_first"], receipt.facts["loss_last"]) == ("10.000000", "2.500000")
    assert is_fresh(folder, "train", stage.inputs(folder))


def test_steps_done_twice_are_counted_once(folder: VoyageFolder) -> None:
    write_training(folder, steps=6, command=f"{COMMAND} --die 3")
    receipt = train(folder)
    assert receipt.counts["restarts"] == 1
    assert metrics(folder) == [1, 2, 3, 4, 5, 6]


def test_progress_is_told_in_steps(folder: VoyageFolder) -> None:
    events: list[Event] = []
    train(folder, events.append)
    assert [event.done_items for event in events if isinstance(event, Progress)] == [1, 2, 3, 4]


def test_step_lines_say_when_they_came(folder: VoyageFolder) -> None:
    write_training(folder, command=f"{COMMAND} --slow yes")
    train(folder)
    lines = (folder.logs / "train" / "steps.jsonl").read_text().splitlines()
    seconds = [json.loads(line)[4] for line in lines]
    # The program waits 0.2 s after each step.
    assert seconds[0] > 0
    assert all(later - earlier > 0.1 for earlier, later in itertools.pairwise(seconds))


def test_nothing_is_trained_before_data_is_loaded(folder: VoyageFolder) -> None:
    folder.receipt_path("load").unlink()
    with pytest.raises(StageNotReady):
        train(folder)


@pytest.mark.parametrize(("verdict", "refused"), [("hold", AdmissionHeld), ("refuse", AdmissionRefused)])
def test_nothing_is_trained_once_the_admission_was_taken_back(
    folder: VoyageFolder, tmp_path: Path, verdict: str, refused: type[PacktrainError]
) -> None:
    later = msgspec.structs.replace(folder.read_signed(Admission), verdict=verdict)
    folder.write_signed(later, VoyageFolder(tmp_path / "operator").signer())
    with pytest.raises(refused):
        train(folder)
    assert not list(folder.logs.glob("train/attempt-*"))


def test_a_job_that_is_out_when_the_admission_is_taken_back_is_named(
    folder: VoyageFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    later = msgspec.structs.replace(folder.read_signed(Admission), verdict="hold")
    folder.write_signed(later, VoyageFolder(tmp_path / "operator").signer())
    place = Place(folder.work / "train-slurm")
    job = TrainingJob(PYTHON, (), tmp_path, {}, tmp_path, tmp_path, 1)
    write(place.order, JobOrder("ab", job, "0" * 64, mark_folder(place.root / "hosts", [], []), 0.0))
    place.job_id.write_text("17")
    squeue = tmp_path / "bin" / "squeue"
    squeue.parent.mkdir()
    monkeypatch.setenv("PATH", f"{squeue.parent}:{os.environ['PATH']}")
    for says, is_out in (("echo 17 RUNNING", True), ("exit 1", True), ("echo 17 CANCELLED", False), ("true", False)):
        squeue.write_text(f"#!/bin/sh\n{says}\n")
        squeue.chmod(0o755)
        events: list[Event] = []
        with pytest.raises(AdmissionHeld):
            Voyage(folder.root, events.append).train()
        told = [event.text for event in events if isinstance(event, Notice) and event.is_warning]
        assert ['"scancel 17" ends it' in text for text in told if "job 17" in text] == [True] * is_out


def test_a_voyage_without_training_is_said_in_words(folder: VoyageFolder) -> None:
    path = folder.root / "voyage.toml"
    path.write_text(path.read_text().split("\n[training]", 1)[0])
    with pytest.raises(VoyageFileError):
        train(folder)


def test_a_program_that_is_not_the_kits_is_refused(folder: VoyageFolder, tmp_path: Path) -> None:
    kit = Kit(
        target_python="3.11", target_platform="linux_x86_64", program="0" * 64, command="x", files=(), provided=()
    )
    folder.write_signed(kit, VoyageFolder(tmp_path / "consignor").signer())
    with pytest.raises(KitError):
        train(folder)


def test_an_engine_is_told_which_program_was_checked_and_what_no_worker_has(folder: VoyageFolder) -> None:
    class Noting(LocalEngine):
        def run(self, job: TrainingJob, sink: Sink) -> TrainingRun:
            jobs.append(job)
            return super().run(job, sink)

    jobs: list[TrainingJob] = []
    path = folder.root / "voyage.toml"
    path.write_text(path.read_text() + '\n[keys]\npassphrase_env = "OF_THE_KEY"\n')
    stage.train(folder, Noting(), PYTHON, discard)
    assert [(job.program, job.withheld) for job in jobs] == [(sha256_tree(folder.resolve("program")), ("OF_THE_KEY",))]


def test_packages_that_are_not_the_kits_are_named_where_packtrains_own_python_trains(
    folder: VoyageFolder, tmp_path: Path
) -> None:
    program = sha256_tree(folder.resolve("program"))
    names = (f"wheels/click-{version('click')}-py3-none-any.whl", "wheels/msgspec-0.0.1-cp311-cp311-any.whl")
    files = tuple(KitFile(name=name, bytes=0, sha256="0" * 64) for name in names)
    kit = Kit(
        target_python="3.11", target_platform="linux_x86_64", program=program, command=COMMAND, files=files, provided=()
    )
    folder.write_signed(kit, VoyageFolder(tmp_path / "consignor").signer())
    events: list[Event] = []
    train(folder, events.append)
    warned = [event.text for event in events if isinstance(event, Notice) and event.is_warning]
    assert [text.partition("; install")[0] for text in warned] == [
        "workers run under packtrain's own Python, with other packages than the kit's: "
        f"msgspec 0.0.1: found {version('msgspec')}"
    ]
    # Without [training] the site is told what home has.
    path = folder.root / "voyage.toml"
    path.write_text(path.read_text().split("\n[training]", 1)[0])
    with pytest.raises(VoyageFileError) as caught:
        train(folder)
    assert f"command = '{COMMAND}'" in str(caught.value.hint)


def test_more_steps_go_on_from_the_checkpoint(folder: VoyageFolder) -> None:
    train(folder)
    write_training(folder, steps=6)
    assert not is_fresh(folder, "train", stage.inputs(folder))
    receipt = train(folder)
    assert receipt.counts["steps"] == 6
    assert metrics(folder) == [1, 2, 3, 4, 5, 6]
    attempts = (folder.logs / "train" / "steps.jsonl").read_text().splitlines()
    assert len(attempts) == 6


@pytest.mark.parametrize("change", ["program", "data"])
def test_checkpoints_of_another_run_are_put_aside_and_not_gone_on_from(folder: VoyageFolder, change: str) -> None:
    train(folder)
    if change == "program":
        write_program(folder, COUNTER + "\n# changed\n")
    else:
        load_receipt(folder, root="b")
    events: list[Event] = []
    train(folder, events.append)
    assert metrics(folder) == [1, 2, 3, 4]
    assert len((folder.logs / "train" / "steps.jsonl").read_text().splitlines()) == 4
    assert [path for path in folder.work.iterdir() if path.name.startswith("checkpoints.")]
    assert any(isinstance(event, Notice) and "kept as" in event.text for event in events)


class Noting(LocalEngine):
    """The engine of this machine, which notes where hosts would have had the run."""

    def __init__(self) -> None:
        super().__init__()
        self.places: list[HostPlaces | None] = []

    def run(self, job: TrainingJob, sink: Sink) -> TrainingRun:
        self.places.append(job.host_places)
        return super().run(job, sink)


def test_a_run_has_a_folder_of_its_own_on_hosts_that_another_run_never_has(folder: VoyageFolder) -> None:
    engine = Noting()

    def trained(steps: int, own: str = "/fast/packtrain") -> HostPlaces:
        write_training(folder, steps=steps)
        with (folder.root / "voyage.toml").open("a") as stream:
            stream.write(f'[site.hosts]\nfolder = "{own}"\n')
        stage.train(folder, engine, PYTHON, discard)
        places = engine.places[-1]
        assert places is not None
        return places

    first = trained(4)
    assert first.folder.parent == Path("/fast/packtrain")
    words = ["train.py", "--data", str(folder.store_location()), "--ckpt", str(first.folder / "checkpoints")]
    assert list(first.command) == [*words, "--out", str(first.folder / "results"), "--steps", "4"]
    assert first.results == folder.work / "results"
    # More steps go on with the same run; another program is another, and so is the first one begun anew.
    assert trained(6).folder == first.folder
    write_program(folder, COUNTER + "\n# changed\n")
    second = trained(6)
    write_program(folder, COUNTER)
    assert len({first.folder, second.folder, trained(6).folder}) == 3
    with pytest.raises(VoyageFileError, match="not absolute") as caught:
        trained(8, "fast/packtrain")
    assert caught.value.hint


def test_a_program_that_fails_leaves_no_receipt(folder: VoyageFolder) -> None:
    write_program(folder, "raise SystemExit(4)")
    write_training(folder, more="max_restarts = 0\n")
    with pytest.raises(TrainingFailed):
        train(folder)
    assert folder.receipt("train") is None


def test_training_goes_on_after_packtrain_itself_was_killed(folder: VoyageFolder) -> None:
    write_training(folder, steps=8, command=f"{COMMAND} --slow yes")
    script = f"""
import sys
from pathlib import Path
from packtrain.engines.local import LocalEngine
from packtrain.events import discard
from packtrain.record.folder import VoyageFolder
from packtrain.stages.train import train
train(VoyageFolder(Path({str(folder.root)!r})), LocalEngine(), Path(sys.executable), discard)
"""
    process = subprocess.Popen([sys.executable, "-c", script])
    lines = folder.logs / "train" / "steps.jsonl"
    deadline = time.monotonic() + 20
    while (not lines.exists() or lines.read_bytes().count(b"\n") < 3) and time.monotonic() < deadline:
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait(10)
    receipt = train(folder)
    assert receipt.counts["steps"] == 8
    assert metrics(folder) == list(range(1, 9))
    resumed = [json.loads(line) for line in lines.read_text().splitlines()]
    assert next(record[1] for record in resumed if record[0] == 2) == 3
