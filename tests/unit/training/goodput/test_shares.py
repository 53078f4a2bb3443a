"""Goodput by hand, and of anything at all: parts that add up, whatever the logs hold."""

import json
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packtrain.ports import StepRecord
from packtrain.training.goodput import tally as tally_module
from packtrain.training.goodput.attempts import EndedAttempt, read_attempts
from packtrain.training.goodput.shares import PARTS, Goodput, goodput_of, seconds_since
from packtrain.training.goodput.tally import StepTally
from packtrain.training.goodput.timeline import Moment, read_timeline
from packtrain.training.metrics import steps_that_count

Line = tuple[int, int, float | None]
NIGHT = "2026-11-28T02:00:00Z"


def tally_of(lines: list[Line]) -> StepTally:
    tally = StepTally()
    for attempt, step, elapsed in lines:
        tally.add(attempt, step, elapsed)
    return tally


def ended(attempt: int, started: float, ended: float) -> EndedAttempt:
    return EndedAttempt(attempt=attempt, started_seconds=started, ended_seconds=ended, reason="rank 1 ended")


def found_of(lines: list[Line], *arguments: object, **named: object) -> Goodput:
    found = goodput_of(tally_of(lines).stints, *arguments, **named)  # pyright: ignore[reportArgumentType]
    assert found is not None
    return found


def test_without_a_log_nothing_is_said() -> None:
    assert goodput_of((), (), ()) is None


def test_one_attempt_that_goes_well() -> None:
    # 10 s until the first step, ten steps of 2 s behind it, 5 s to the end.
    lines: list[Line] = [(1, step, 10.0 + 2 * step) for step in range(11)]
    found = found_of(lines, [ended(1, 0.0, 35.0)], [])

    assert found.seconds == {"steps": 20.0, "redone": 0.0, "waiting": 0.0, "starting": 10.0, "ending": 5.0}
    assert (found.total_seconds, found.num_commands, found.away_seconds) == (35.0, 1, 0.0)
    assert found.ratio == pytest.approx(20 / 35)


def test_steps_that_a_restart_took_back_are_redone_and_their_second_time_counts() -> None:
    # Steps 0 to 9, a second each; lost at 15 s, noticed at 18 s; begins anew at step 6, at 30 s.
    lines: list[Line] = [(1, step, 5.0 + step) for step in range(10)]
    lines += [(2, step, 30.0 + step - 6) for step in range(6, 13)]
    found = found_of(lines, [ended(1, 0.0, 18.0), ended(2, 19.0, 37.0)], [])

    # Of attempt 1 the steps 1 to 5 count; those that led to 6, 7, 8 and 9 do not.
    assert found.seconds == {"steps": 5.0 + 6.0, "redone": 4.0, "waiting": 0.0, "starting": 5.0 + 12.0, "ending": 5.0}
    assert found.total_seconds == 37.0


def test_hosts_that_are_not_there_are_waited_for_and_those_that_start_are_not() -> None:
    timeline = [
        Moment(at=0.0, told="began", words=NIGHT),
        Moment(at=1.0, told="absent", attempt=1, words="2 more hosts"),
        Moment(at=41.0, told="awaits", attempt=1, words="their workers to start"),
        Moment(at=50.0, told="workers", attempt=1, hosts=("h1", "h2"), ranks=4),
        Moment(at=100.0, told="ended", words="done"),
    ]
    found = found_of([(1, 1, 60.0), (1, 2, 90.0)], [ended(1, 0.0, 99.0)], timeline)

    assert found.seconds == {"steps": 30.0, "redone": 0.0, "waiting": 40.0, "starting": 20.0, "ending": 10.0}


def test_a_wait_between_two_steps_takes_no_time_from_them() -> None:
    timeline = [
        Moment(at=0.0, told="began", words=NIGHT),
        Moment(at=5.0, told="workers", attempt=1, ranks=1),
        Moment(at=12.0, told="absent", attempt=1, words="one more host"),
        Moment(at=25.0, told="settled", attempt=1),
    ]
    found = found_of([(1, 1, 10.0), (1, 2, 20.0)], [ended(1, 0.0, 30.0)], timeline)

    assert found.seconds == {"steps": 10.0, "redone": 0.0, "waiting": 5.0, "starting": 10.0, "ending": 5.0}


def test_the_time_between_two_commands_is_away_and_in_no_share() -> None:
    timeline = [
        Moment(at=0.0, told="began", words="2026-11-28T02:00:00Z"),
        Moment(at=1.0, told="workers", attempt=1, ranks=1),
        Moment(at=60.0, told="ended", words="stopped"),
        Moment(at=0.0, told="began", words="2026-11-28T05:00:00Z"),
        Moment(at=2.0, told="workers", attempt=2, ranks=1),
        Moment(at=40.0, told="ended", words="done"),
    ]
    lines: list[Line] = [(1, 1, 10.0), (1, 2, 50.0), (2, 3, 10.0), (2, 4, 40.0)]
    found = found_of(lines, [ended(1, 0.0, 60.0), ended(2, 0.0, 40.0)], timeline)

    assert found.seconds == {"steps": 70.0, "redone": 0.0, "waiting": 0.0, "starting": 20.0, "ending": 10.0}
    assert (found.away_seconds, found.num_commands) == (3 * 3600 - 60.0, 2)


def test_commands_without_a_timeline_are_told_apart_by_clocks_that_begin_anew() -> None:
    lines: list[Line] = [(1, 1, 10.0), (1, 2, 50.0), (2, 3, 10.0), (2, 4, 40.0), (3, 5, 70.0)]
    found = found_of(lines, [ended(1, 0.0, 60.0), ended(2, 0.0, 45.0), ended(3, 45.0, 80.0)], [])

    assert (found.num_commands, found.away_seconds) == (2, None)
    assert found.seconds == {"steps": 70.0, "redone": 0.0, "waiting": 0.0, "starting": 45.0, "ending": 25.0}


def test_a_command_that_was_killed_lasts_until_the_last_that_it_told() -> None:
    timeline = [
        Moment(at=0.0, told="began", words=NIGHT),
        Moment(at=3.0, told="workers", attempt=1, ranks=1),
        Moment(at=0.0, told="began", words="2026-11-28T03:00:00Z"),
        Moment(at=3.0, told="workers", attempt=2, ranks=1),
    ]
    lines: list[Line] = [(1, 1, 10.0), (1, 2, 20.0), (2, 3, 10.0), (2, 4, 30.0)]
    found = found_of(lines, [], timeline)

    assert found.seconds == {"steps": 30.0, "redone": 0.0, "waiting": 0.0, "starting": 20.0, "ending": 0.0}
    assert found.away_seconds == 3600 - 20.0


def test_what_runs_counts_until_now_and_a_wait_that_is_not_over_too() -> None:
    timeline = [
        Moment(at=0.0, told="began", words=NIGHT),
        Moment(at=3.0, told="workers", attempt=1, ranks=1),
        Moment(at=22.0, told="absent", attempt=2, words="one more host"),
    ]
    found = found_of([(1, 1, 10.0), (1, 2, 20.0)], [ended(1, 0.0, 21.0)], timeline, now_seconds=52.0)

    assert found.seconds == {"steps": 10.0, "redone": 0.0, "waiting": 30.0, "starting": 11.0, "ending": 1.0}
    assert seconds_since(timeline, "2026-11-28T02:00:52Z") == 52.0
    assert seconds_since([*timeline, Moment(at=60.0, told="ended", words="done")], NIGHT) is None


def test_a_program_without_step_lines_has_no_steps_that_count() -> None:
    found = goodput_of((), [ended(1, 0.0, 30.0)], ())

    assert found is not None
    assert (found.seconds["starting"], found.ratio) == (30.0, 0.0)


def test_of_more_steps_than_are_kept_one_by_one_the_oldest_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tally_module, "MOST_OPEN_STEPS", 8)
    tally = tally_of([(1, step, float(step)) for step in range(100)])
    tally.add(2, 0, 200.0)

    assert tally.stints[0].num_redone + tally.stints[0].num_steps == 100
    assert 4 <= tally.stints[0].num_redone <= 8
    assert tally.stints[0].kept_seconds == 99.0 - tally.stints[0].redone_seconds


numbers = st.integers(0, 30)
seconds = st.one_of(st.none(), st.floats(0, 1e9), st.floats(0, 300), st.just(float("nan")), st.just(-1.0))
line_lists = st.lists(st.tuples(st.integers(0, 5), numbers, seconds), max_size=40)
times = st.one_of(st.none(), st.floats(0, 1e9), st.floats(0, 300))
ended_lists = st.lists(
    st.builds(EndedAttempt, attempt=st.integers(0, 6), started_seconds=times, ended_seconds=times), max_size=8
)
moments = st.builds(
    Moment,
    at=st.one_of(st.floats(0, 300), st.floats(0, 1e9)),
    told=st.sampled_from(["began", "workers", "absent", "awaits", "settled", "host lost", "ended"]),
    attempt=st.integers(0, 6),
    words=st.sampled_from(["", "done", NIGHT, "2026-11-28T09:00:00Z", "1900-01-01T00:00:00Z"]),
)


@given(line_lists, ended_lists, st.lists(moments, max_size=20), times)
def test_parts_are_never_negative_and_add_up_whatever_the_logs_say(
    lines: list[Line], attempts: list[EndedAttempt], timeline: list[Moment], now: float | None
) -> None:
    found = goodput_of(tally_of(lines).stints, attempts, timeline, now)

    assert (found is None) == (not lines and not attempts and not timeline)
    if found is not None:
        assert tuple(found.seconds) == PARTS
        assert all(0 <= one < float("inf") for one in found.seconds.values())
        assert sum(found.shares.values()) == pytest.approx(1.0 if found.total_seconds > 0 else 0.0)
        assert found.ratio is None or 0 <= found.ratio <= 1 + 1e-9
        assert found.away_seconds is None or found.away_seconds >= 0


@given(line_lists)
def test_the_steps_that_count_are_those_of_the_metrics(lines: list[Line]) -> None:
    counted = steps_that_count(
        StepRecord(attempt, step, None, None, elapsed or 0.0) for attempt, step, elapsed in lines
    )
    tally = tally_of(lines)

    assert tally.num_steps == len(counted)
    twice = sum(a[:2] == b[:2] for a, b in pairwise(lines))
    assert tally.num_steps + tally.num_redone + twice >= len(lines)


@given(st.lists(st.tuples(st.integers(1, 9), st.floats(0.5, 5), st.integers(0, 5)), min_size=1, max_size=6))
def test_a_training_that_is_made_up_has_the_goodput_that_it_was_made_with(
    attempts: list[tuple[int, float, int]],
) -> None:
    """Attempts of n steps of so many seconds; each falls back by some; with ten seconds before and three behind."""
    clock, step = 0.0, 0
    lines: list[Line] = []
    ends: list[EndedAttempt] = []
    lasting: dict[int, float] = {}
    redone = 0.0
    for number, (num_steps, step_seconds, back) in enumerate(attempts, start=1):
        started, clock, step = clock, clock + 10.0, max(0, step - back)
        for done in [one for one in lasting if one >= step]:
            redone += lasting.pop(done)
        for one in range(num_steps + 1):
            lasting[step] = step_seconds if one else 0.0
            lines.append((number, step, clock))
            clock += step_seconds if one < num_steps else 3.0
            step += 1
        ends.append(ended(number, started, clock))
    found = found_of(lines, ends, [])

    assert found.num_commands == 1
    assert found.seconds["starting"] == pytest.approx(10.0 * len(attempts))
    assert found.seconds["ending"] == pytest.approx(3.0 * len(attempts))
    assert found.seconds["redone"] == pytest.approx(redone)
    assert found.seconds["steps"] == pytest.approx(sum(lasting.values()))


HOSTILE = [
    b"",
    b"{",
    b"[1, 2]",
    b'{"attempt": -1}',
    b'{"attempt": 1e400}',
    b'{"at": -1, "told": "began"}',
    b'{"at": 1e300, "told": "began"}',
    b'{"at": NaN, "told": "began"}',
    b'{"at": 1, "told": "something else"}',
    b'{"attempt": 2, "started_seconds": 1e300}',
    b"\xff\xfe",
    b"[" * 100_000,
    b'{"attempt": 3, "reason": "' + b"x" * (2 << 20) + b'"}',
]


def test_lines_that_are_none_are_passed_over_and_a_torn_one_too(tmp_path: Path) -> None:
    good = json.dumps(
        {"attempt": 7, "reason": "a\x1b[2Jb\nc" + "d" * 999, "hosts": ["h\u202e1"] * 9, "more": 1}
    ).encode()
    log = tmp_path / "attempts.jsonl"
    log.write_bytes(b"\n".join([*HOSTILE, good, *HOSTILE, good]))
    (found,) = read_attempts(log)

    assert (found.attempt, found.hosts) == (7, ("h 1",) * 9)
    assert found.reason.startswith("a [2Jb cddd") and len(found.reason) == 200

    timeline = tmp_path / "timeline.jsonl"
    timeline.write_bytes(b"\n".join([*HOSTILE, b'{"at": 1.5, "told": "began", "words": "a\\u001bb"}', b'{"at": 1']))
    assert read_timeline(timeline) == (Moment(at=1.5, told="began", words="a b"),)
    assert (read_attempts(tmp_path / "none"), read_timeline(tmp_path / "none")) == ((), ())


@given(st.binary(max_size=400))
def test_any_bytes_are_read(tmp_path_factory: pytest.TempPathFactory, payload: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any.jsonl"
    path.write_bytes(payload)
    assert len(read_attempts(path)) <= payload.count(b"\n")
    assert len(read_timeline(path)) <= payload.count(b"\n")
