"""Which step ran under which kit: attempt by attempt, and told as ranges."""

import json
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from packtrain.ports import StepRecord
from packtrain.training.kit_steps import attempts_of, kits_of_attempts, note_attempt, spelled, steps_by_update


def record(attempt: int, step: int) -> StepRecord:
    return StepRecord(attempt, step, 1.0, 8, 0.0)


def read(text: str) -> list[int]:
    found: list[int] = []
    for part in filter(None, text.split(", ")):
        first, _, last = part.partition("-")
        found += range(int(first), int(last or first) + 1)
    return found


@given(st.lists(st.integers(0, 300)))
def test_ranges_say_every_step_once_in_order(steps: list[int]) -> None:
    assert read(spelled(steps)) == sorted(set(steps))


def test_too_many_ranges_are_cut_and_counted() -> None:
    text = spelled(range(0, 20_000, 2))
    assert len(text) <= 4096
    assert text.endswith(" … (10000 steps)")


def test_attempts_are_noted_with_kit_and_update_and_a_torn_line_is_left_out(tmp_path: Path) -> None:
    note_attempt(tmp_path, 1, "a" * 64, 0)
    note_attempt(tmp_path, 2, "b" * 64, 1)
    note_attempt(tmp_path, 3, "a" * 64, 2)
    with (tmp_path / "kits.jsonl").open("ab") as stream:
        stream.write(b'"something"\nnot json\n[4, "c"')
    kits = kits_of_attempts(tmp_path)
    assert kits == {1: ("a" * 64, 0), 2: ("b" * 64, 1), 3: ("a" * 64, 2)}
    records = [record(1, 1), record(2, 2), record(3, 3), record(3, 4)]
    assert steps_by_update(records, kits) == {0: [1], 1: [2], 2: [3, 4]}


def test_attempts_before_there_were_updates_are_of_the_kit_that_left(tmp_path: Path) -> None:
    assert kits_of_attempts(tmp_path) == {}
    assert steps_by_update([record(1, 1), record(2, 2)], {2: ("b" * 64, 1)}) == {0: [1], 1: [2]}


def test_attempts_that_ended_are_read_with_their_reasons(tmp_path: Path) -> None:
    note_attempt(tmp_path, 2, "b" * 64, 1)
    lost, stolen = "rank 1 was killed by SIGKILL", "name,street,city\nAda,Long Lane,York"
    ended = [
        {"attempt": 1, "started_seconds": 0.0, "ended_seconds": 2.5, "reason": lost, "lost_rank": 1},
        {"attempt": 2, "started_seconds": 3, "ended_seconds": 9.25, "reason": "every worker ended", "lost_rank": None},
        # The log lies where the program can write, and provenance goes home in the clear.
        {"attempt": 9, "started_seconds": 3, "ended_seconds": 4, "reason": stolen, "lost_rank": None},
        {"attempt": "3"},
    ]
    (tmp_path / "attempts.jsonl").write_text("".join(f"{json.dumps(each)}\n" for each in ended))
    found = [(each.attempt, each.kit, each.seconds, each.reason) for each in attempts_of(tmp_path)]
    other = "noted in other words than an engine's, which stay here"
    assert found == [(1, None, 2.5, lost), (2, "b" * 64, 6.25, "every worker ended"), (9, None, 1.0, other)]
