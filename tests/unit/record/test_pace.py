"""Rates by a clock that the test turns: over the last seconds, by drive, and what is slow."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from packtrain.events import DriveProgress, Progress
from packtrain.record.pace import WINDOW_SECONDS, Pace, PaceKeeper

MB = 10**6


def pace_of(told: list[tuple[float, Progress]], now: float) -> Pace:
    keeper = PaceKeeper()
    for at, progress in told:
        keeper.take(progress, at)
    pace = keeper.pace(now)
    assert pace is not None
    return pace


def written(done: int, total: int = 1000 * MB) -> Progress:
    return Progress("pack", "writing", done, total)


def test_nothing_is_said_before_anything_was_told() -> None:
    assert PaceKeeper().pace(5.0) is None


def test_the_rate_is_that_of_the_last_seconds_and_not_since_the_start() -> None:
    fast = [(float(second), written(second * 10 * MB)) for second in range(31)]
    slow = [(30.0 + second, written((300 + second) * MB)) for second in range(1, 41)]
    pace = pace_of(fast + slow, 70.0)
    assert pace.rate is not None
    assert abs(pace.rate - MB) < 0.05 * MB
    assert pace.left_seconds is not None
    assert abs(pace.left_seconds - 660) < 40


def test_what_an_earlier_run_did_counts_for_no_rate() -> None:
    pace = pace_of([(0.0, written(900 * MB)), (2.0, written(902 * MB))], 2.0)
    assert pace.rate == MB


def test_a_stall_is_said_with_its_length_and_no_time_left() -> None:
    told = [(float(second), written(second * 10 * MB)) for second in range(31)]
    assert pace_of(told, 35.0).stalled_seconds == 0.0
    pace = pace_of(told, 75.0)
    assert pace.stalled_seconds == 45.0
    assert pace.left_seconds is None


def test_what_is_heard_and_not_counted_is_no_stall() -> None:
    keeper = PaceKeeper()
    keeper.take(written(0), 0.0)
    keeper.heard(70.0)
    quiet, silent = keeper.pace(75.0), keeper.pace(90.0)
    assert quiet is not None and silent is not None
    assert (quiet.stalled_seconds, silent.stalled_seconds) == (0.0, 20.0)


def test_work_of_large_steps_is_no_stall_and_has_a_rate_in_between() -> None:
    told = [(minute * 60.0, Progress("prepare", "reading", minute * 100, 1000)) for minute in range(6)]
    pace = pace_of(told, 340.0)
    assert pace.stalled_seconds == 0.0
    assert pace.rate is not None
    assert 1.2 < pace.rate < 1.8


def test_another_activity_begins_anew() -> None:
    pace = pace_of([(0.0, written(500 * MB)), (5.0, written(900 * MB)), (6.0, Progress("pack", "closing"))], 8.0)
    assert pace.progress.activity == "closing"
    assert pace.rate == 0.0


def drives(second: int, **busy: float) -> Progress:
    """Drives that keep step: all move 10 MB a second, and each is waited for another part of it."""
    rows = tuple(
        DriveProgress(label, "writing", second * 10 * MB, 0, second * share, second * 10 * MB)
        for label, share in busy.items()
    )
    return Progress("pack", "writing", second * MB, 1000 * MB, drives=rows)


def test_of_drives_that_keep_step_the_one_that_is_waited_for_is_named() -> None:
    told = [(float(second), drives(second, A1=0.05, A2=0.06, B3=0.9)) for second in range(10)]
    pace = pace_of(told, 9.0)
    assert pace.slow == ("B3 is slow: 11.1 MB/s, the others 183 MB/s",)
    assert [drive.label for drive in pace.drives if drive.is_slow] == ["B3"]
    two = pace_of([(float(second), drives(second, A1=0.05, B3=0.9)) for second in range(10)], 9.0)
    assert two.slow == ("B3 is slow: 11.1 MB/s, the other 200 MB/s",)


def test_a_drive_that_holds_nobody_up_is_not_called_slow() -> None:
    told = [(float(second), drives(second, A1=0.03, A2=0.03, B3=0.2)) for second in range(10)]
    assert pace_of(told, 9.0).slow == ()
    alike = [(float(second), drives(second, A1=0.9, A2=0.8, B3=0.95)) for second in range(10)]
    assert pace_of(alike, 9.0).slow == ()
    alone = [(float(second), drives(second, B3=0.9)) for second in range(10)]
    assert pace_of(alone, 9.0).slow == ()


steps = st.lists(st.tuples(st.floats(0, 100), st.integers(0, 2**50), st.integers(0, 2**50)), min_size=1, max_size=40)


@given(steps, st.floats(0, 1000))
def test_whatever_is_told_in_whatever_order_the_pace_is_sane(told: list[tuple[float, int, int]], later: float) -> None:
    keeper, now = PaceKeeper(), 0.0
    for elapsed, done, moved in told:
        now += elapsed
        keeper.take(Progress("load", "reading", done, 2**50, drives=(DriveProgress("A1", "", 0, 0, now, moved),)), now)
    pace = keeper.pace(now + later)
    assert pace is not None
    assert pace.rate is None or pace.rate >= 0
    assert pace.left_seconds is None or pace.left_seconds >= 0
    assert 0 <= pace.stalled_seconds <= now + later
    assert not pace.slow


def test_however_often_it_is_told_few_samples_are_kept() -> None:
    keeper = PaceKeeper()
    for hundredth in range(10_000):
        keeper.take(written(hundredth * MB, 10_000 * MB), hundredth / 100)
    # About two a second of the window: each takes the place of one that is younger than half a second.
    assert len(keeper._window.samples) < 3 * WINDOW_SECONDS
