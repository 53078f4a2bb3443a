"""Where the numbers of a training are found: what is said, receipt, metrics, command; else they are assumed."""

import json
from pathlib import Path

import pytest

from packtrain.documents.receipt import Receipt
from packtrain.record.folder import VoyageFolder
from packtrain.training.batches import VERSION_OF_ORDER
from packtrain.training.known_run import Asked, known_run
from packtrain.training.order import OrderVersion
from packtrain.training.replay import Run


@pytest.fixture
def folder(tmp_path: Path) -> VoyageFolder:
    (tmp_path / "voyage.toml").write_text('[voyage]\nname = "a voyage"\n')
    return VoyageFolder(tmp_path)


def _command(folder: VoyageFolder, command: str) -> None:
    with (folder.root / "voyage.toml").open("a") as stream:
        stream.write(f'[training]\nprogram = "program"\ncommand = "{command}"\n')


def _trained(folder: VoyageFolder, steps: int, samples: int) -> None:
    folder.write_receipt(
        Receipt(
            stage="train",
            inputs={},
            outputs={},
            counts={"steps": steps, "samples": samples},
            facts={},
            seconds=1.0,
            finished="2026-11-21T08:09:10Z",
            versions={},
        )
    )


def test_nothing_is_known_of_a_folder_without_a_training(folder: VoyageFolder) -> None:
    assert known_run(folder, Asked()).run is None


def test_the_receipt_says_steps_and_batch_and_the_command_seed_and_order(folder: VoyageFolder) -> None:
    _trained(folder, 50, 800)
    _command(folder, "train.py --data {data} --seed 7 --order=block --steps {steps}")
    found = known_run(folder, Asked())
    assert found.run == Run(7, 16, 50, "block-1")
    assert found.origins == {
        "steps": "receipts/train.json",
        "global_batch": "receipts/train.json",
        "seed": "[training] command",
        "order": "[training] command",
    }


@pytest.mark.parametrize(("order", "version"), VERSION_OF_ORDER.items())
def test_every_order_of_the_loader_is_known_from_the_command(
    folder: VoyageFolder, order: str, version: OrderVersion
) -> None:
    _trained(folder, 50, 800)
    _command(folder, f"train.py --data {{data}} --order {order}")
    assert known_run(folder, Asked()).run == Run(0, 16, 50, version)


def test_what_is_said_goes_before_what_is_found(folder: VoyageFolder) -> None:
    _trained(folder, 50, 800)
    found = known_run(folder, Asked(1, 3, 9, "random"))
    assert found.run == Run(1, 3, 9)
    assert set(found.origins.values()) == {"given"}


def test_metrics_that_came_home_say_what_the_receipt_would(folder: VoyageFolder) -> None:
    (folder.root / "results").mkdir()
    lines = [json.dumps({"step": step, "samples": 8}) for step in (1, 2, 3)]
    (folder.root / "results" / "metrics.jsonl").write_text("\n".join([*lines, "no line", "[1]", '{"step": "x"}']))
    assert known_run(folder, Asked()).run == Run(0, 8, 3)


def test_a_batch_that_changed_on_the_way_is_not_made_up(folder: VoyageFolder) -> None:
    _trained(folder, 3, 25)
    assert known_run(folder, Asked()).run is None
    assert known_run(folder, Asked(global_batch=8)).run == Run(0, 8, 3)


def test_the_command_says_the_batch_where_no_record_does(folder: VoyageFolder) -> None:
    _command(folder, "python train.py --batch 32")
    assert known_run(folder, Asked(steps=4)).run == Run(0, 32, 4)
