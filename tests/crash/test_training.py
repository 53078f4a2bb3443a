"""The reference program under the engine: killed, asked to stop, and gone on with, to the same bits."""

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from packtrain.digest import sha256_file
from packtrain.documents.receipt import Receipt
from packtrain.engines.local import LocalEngine
from packtrain.events import Event, TrainingStep, WorkersStarted, discard
from packtrain.stages import homecoming
from packtrain.stages.train import train
from packtrain.training.checkpoints import weights_of
from reference_runs import PROGRAM, PYTHON, Workers, losses, steps
from site_parts import COMMAND, site_after_load, write_training
from tiny_dataset import make_tiny_dataset

pytestmark = [pytest.mark.needs_torch, pytest.mark.long]

STEPS = 16


class KillOnce:
    """Kills the last worker at one step of the first attempt, without warning."""

    def __init__(self, step: int) -> None:
        self.step = step
        self.pids: tuple[int, ...] = ()

    def __call__(self, event: Event) -> None:
        if isinstance(event, WorkersStarted) and not self.pids:
            self.pids = event.pids
        if isinstance(event, TrainingStep) and (event.attempt, event.step) == (1, self.step):
            os.kill(self.pids[-1], signal.SIGKILL)


def voyage(root: Path, sink: Callable[[Event], None]) -> tuple[Receipt, Receipt, Path]:
    """Train and bring home; return both receipts and the folder of results."""
    folders = site_after_load(root)
    for role in ("consignor", "consignee"):
        shutil.copytree(PROGRAM, folders[role].root / "program", ignore=shutil.ignore_patterns("__pycache__"))
        write_training(folders[role], steps=STEPS, workers=2, command=f"{COMMAND} --batch 8 --checkpoint-every 5")
    trained = train(folders["consignee"], LocalEngine(), PYTHON, sink)
    homecoming.export(folders["consignee"], discard)
    outbox = folders["consignee"].root / "outbox"
    homecoming.release(folders["operator"], outbox, discard)
    returned = homecoming.accept(folders["consignor"], outbox, discard)
    return trained, returned, folders["consignor"].root / "results"


def test_a_run_with_a_killed_worker_brings_home_the_same_bits_as_one_without(tmp_path: Path) -> None:
    trained, returned, results = voyage(tmp_path / "whole", discard)
    trained_again, returned_again, results_again = voyage(tmp_path / "killed", KillOnce(step=8))
    assert (trained.counts["restarts"], trained_again.counts["restarts"]) == (0, 1)
    assert trained.facts["loss_last"] == trained_again.facts["loss_last"]
    assert float(trained.facts["loss_last"]) < 0.8 * float(trained.facts["loss_first"])
    assert trained.counts["steps"] == trained_again.counts["steps"] == STEPS
    for name in ("weights.safetensors", "metrics.jsonl", "evaluation.json"):
        assert sha256_file(results / name) == sha256_file(results_again / name)
    assert returned.facts["results"] == returned_again.facts["results"]


def run_alone(data: Path, checkpoints: Path, steps: int) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [PYTHON, PROGRAM / "train.py", "--data", data, "--ckpt", checkpoints, "--steps", str(steps), "--batch", "4"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )


def test_the_reference_program_saves_and_exits_75_when_asked_to_stop_and_goes_on_from_there(tmp_path: Path) -> None:
    make_tiny_dataset(tmp_path / "data", num_tables=4, num_images=4, num_clips=2)
    process = run_alone(tmp_path / "data", tmp_path / "ck", 100_000)
    assert process.stdout is not None
    for _ in range(3):
        process.stdout.readline()
    process.terminate()
    rest, _ = process.communicate(timeout=60)
    assert process.returncode == 75
    last = json.loads(rest.splitlines()[-1])["step"] if rest else 3
    assert [path.name for path in (tmp_path / "ck").iterdir() if path.name == f"step-{last:08d}"]
    state = json.loads((tmp_path / "ck" / f"step-{last:08d}" / "position.json").read_text())
    epoch, consumed = divmod(4 * last, 10)
    assert (state["position"]["epoch"], state["position"]["samples_consumed"]) == (epoch, consumed)

    output, _ = run_alone(tmp_path / "data", tmp_path / "ck", last + 2).communicate(timeout=60)
    assert [json.loads(line)["step"] for line in output.splitlines()] == [last + 1, last + 2]


def test_neither_an_incomplete_checkpoint_nor_that_of_another_data_set_is_gone_on_from(tmp_path: Path) -> None:
    make_tiny_dataset(tmp_path / "data", num_tables=4, num_images=4, num_clips=2)
    make_tiny_dataset(tmp_path / "other", num_tables=4, num_images=4, num_clips=2, seed=6)
    run_alone(tmp_path / "data", tmp_path / "ck", 2).communicate(timeout=60)
    for name in ("step-00000009", ".step-00000004.part"):
        shutil.copytree(tmp_path / "ck" / "step-00000002", tmp_path / "ck" / name)
        (tmp_path / "ck" / name / ".metadata").unlink()
    stranger = run_alone(tmp_path / "other", tmp_path / "ck", 4)
    assert (stranger.communicate(timeout=60)[0], stranger.returncode) == (b"", 1)
    output, _ = run_alone(tmp_path / "data", tmp_path / "ck", 4).communicate(timeout=60)
    assert [json.loads(line)["step"] for line in output.splitlines()] == [3, 4]


def test_a_run_under_fsdp_that_goes_on_has_the_bits_of_one_that_was_not_interrupted(tmp_path: Path) -> None:
    make_tiny_dataset(tmp_path / "data", num_tables=4, num_images=4, num_clips=2)
    options = ("--parallel", "fsdp", "--checkpoint-every", "3")
    whole = Workers(2, tmp_path / "data", tmp_path / "whole", 6, *options)
    assert whole.wait() == [0, 0], whole.words()
    shutil.copytree(tmp_path / "whole" / "step-00000003", tmp_path / "rest" / "step-00000003")
    rest = Workers(2, tmp_path / "data", tmp_path / "rest", 6, *options)
    assert rest.wait() == [0, 0], rest.words()
    assert steps(rest.output) == [4, 5, 6]
    assert weights_of(tmp_path / "whole" / "step-00000006") == weights_of(tmp_path / "rest" / "step-00000006")


def test_a_run_goes_on_under_another_way_of_spreading_and_another_number_of_workers(tmp_path: Path) -> None:
    """Three workers under FSDP2, stopped in the middle of an epoch; two under DDP, stopped; one under FSDP2 to its end.

    Of the epoch no sample is lost or repeated, and every step has the loss of a run by one worker without a stop.
    """
    num_samples = make_tiny_dataset(tmp_path / "data", num_tables=60, num_images=60, num_clips=20)
    batch = ("--batch", "4", "--log-samples", tmp_path / "seen")
    num_steps = num_samples // 4
    last_step, found, seen_by = 0, dict[int, float](), list[int]()
    for num_workers, parallel in ((3, "fsdp"), (2, "ddp"), (1, "fsdp")):
        workers = Workers(num_workers, tmp_path / "data", tmp_path / "ck", num_steps, "--parallel", parallel, *batch)
        first = workers.next_step()
        assert first == last_step + 1
        if num_workers > 1:
            workers.next_step()
            workers.processes[-1].terminate()  # one is asked, all of them save
        assert workers.wait() == [75 if num_workers > 1 else 0] * num_workers, workers.words()
        last_step = max(steps(workers.output))
        found |= losses(workers.output)
        seen_by.append(last_step)
    assert seen_by[0] < seen_by[1] < seen_by[2] == num_steps

    lines = [json.loads(line) for path in (tmp_path / "seen").iterdir() for line in path.read_text().splitlines()]
    assert {line["workers"] for line in lines} == {3, 2, 1}
    handed_out = [key for line in lines for key in line["keys"]]
    assert len(handed_out) == len(set(handed_out)) == num_samples

    alone = Workers(1, tmp_path / "data", tmp_path / "alone", num_steps, "--batch", "4")
    assert alone.wait() == [0]
    assert found == pytest.approx(losses(alone.output), rel=1e-3)
