"""Which step lines count, and what is written of them."""

import json
from pathlib import Path

from packtrain.ports import StepRecord
from packtrain.training.metrics import StepLog, encode_metrics, steps_that_count


def record(attempt: int, step: int, loss: float | None = 1.0) -> StepRecord:
    return StepRecord(attempt, step, loss, 8, 0.0)


def test_a_later_attempt_undoes_what_an_earlier_one_did_after_its_checkpoint() -> None:
    records = [record(1, 1), record(1, 2), record(1, 3), record(2, 2), record(2, 3), record(3, 3), record(3, 4)]
    assert [(found.attempt, found.step) for found in steps_that_count(records)] == [(1, 1), (2, 2), (3, 3), (3, 4)]


def test_a_step_that_a_program_tells_twice_counts_once_and_an_old_number_undoes_nothing() -> None:
    records = [record(1, 1), record(1, 2, 5.0), record(1, 2, 4.0), record(1, 0), record(1, 3)]
    assert [(found.step, found.loss) for found in steps_that_count(records)] == [(1, 1.0), (2, 4.0), (0, 1.0), (3, 1.0)]


def test_a_run_that_was_interrupted_has_the_metrics_of_one_that_was_not() -> None:
    whole = [record(1, step) for step in (1, 2, 3)]
    broken = [record(1, 1), record(1, 2), record(2, 2), record(2, 3)]
    assert encode_metrics(steps_that_count(broken)) == encode_metrics(steps_that_count(whole))


def test_a_loss_that_is_no_number_is_null() -> None:
    lines = encode_metrics([record(1, 1, float("nan")), record(1, 2, float("inf")), record(1, 3, None)])
    assert [json.loads(line)["loss"] for line in lines.splitlines()] == [None, None, None]


def test_step_lines_come_back(tmp_path: Path) -> None:
    log = StepLog(tmp_path / "logs" / "steps.jsonl")
    log.append(record(1, 1, 0.1 + 0.2))
    log.append(record(1, 2, None))
    assert log.read() == [record(1, 1, 0.1 + 0.2), record(1, 2, None)]


def test_a_torn_line_is_left_out_and_swallows_none(tmp_path: Path) -> None:
    path = tmp_path / "steps.jsonl"
    StepLog(path).append(record(1, 1))
    with path.open("ab") as stream:
        stream.write(b"[1, 2, 0.")
    log = StepLog(path)
    log.append(record(2, 2))
    assert log.read() == [record(1, 1), record(2, 2)]
