"""A training in bounded memory: nothing that a person looks for is lost, and what a restart took back is told."""

import itertools
import json
import math
import tracemalloc
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packtrain.report.training_curve import CAPACITY, Columns, TrainingCurve, by_column, read_metrics, read_steps
from packtrain.report.training_facts import training_summary
from packtrain.report.training_svg import loss_drawing, position_drawing, rate_drawing
from packtrain.report.training_text import chart_lines
from packtrain.training.goodput import tally

BATCH = 32


def trained(*attempts: tuple[int, int, int], seconds_a_step: float = 0.5) -> TrainingCurve:
    """Return attempts (number, first step, last step), a step line each half second."""
    curve, elapsed = TrainingCurve(), 0.0
    for attempt, first, last in attempts:
        elapsed += 3
        for step in range(first, last + 1):
            elapsed += seconds_a_step
            curve.add(attempt, step, 5 - step / 1000, BATCH, elapsed)
    return curve


# --- columns ----------------------------------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.integers(0, 10**9), st.floats(-1e6, 1e6)), min_size=1, max_size=300))
def test_columns_keep_the_least_and_the_greatest_of_all_and_never_more_than_their_number(
    values: list[tuple[int, float]],
) -> None:
    columns = Columns(capacity=16)
    for place, value in sorted(values):
        columns.at(place).put(value)
    found = columns.in_order()
    assert len(found) <= 16
    assert min(column.low for column in found) == min(value for _, value in values)
    assert max(column.high for column in found) == max(value for _, value in values)
    assert [column.at for column in found] == sorted(column.at for column in found)
    assert found[-1].at == max(place for place, _ in values)


def test_a_long_training_takes_no_more_memory_than_a_short_one_and_a_spike_is_still_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Of 24 bytes each a million are kept, for goodput: with fewer it shows here that older ones are let go.
    monkeypatch.setattr(tally, "MOST_OPEN_STEPS", 1000)
    curve = TrainingCurve()
    tracemalloc.start()
    try:
        for step in range(40_000):
            curve.add(1, step, 99.0 if step == 20_001 else 2.0, BATCH, step * 0.01)
        most_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert most_bytes < 1 << 20
    columns = curve.kept.in_order()
    assert len(columns) <= CAPACITY
    assert max(column.high for column in columns) == 99.0
    assert len(curve.position.in_order()) <= CAPACITY
    assert curve.num_samples == 40_000 * BATCH
    assert "99.00" in loss_drawing(curve)


# --- restarts ---------------------------------------------------------------------------------------------------------


def test_what_a_restart_took_back_is_kept_apart_and_not_counted_twice() -> None:
    curve = trained((1, 1, 100), (2, 81, 200))
    assert curve.num_samples == 200 * BATCH
    assert curve.num_undone == 20
    assert [(mark.attempt, mark.step, mark.num_undone) for mark in curve.marks] == [(1, 1, 0), (2, 81, 20)]
    assert [column.at for column in curve.undone.in_order()] == list(range(81, 101))
    assert [column.at for column in curve.kept.in_order()] == list(range(1, 201))


@given(st.integers(1, 5000), st.data())
def test_samples_after_a_restart_are_those_of_the_steps_that_count(last: int, data: st.DataObject) -> None:
    first = data.draw(st.integers(1, last))
    curve = TrainingCurve()
    for step in range(1, last + 1):
        curve.add(1, step, None, BATCH, None)
    curve.add(2, first, None, BATCH, None)
    # A batch of one size is told exactly also where steps share a column.
    assert abs(curve.num_samples - first * BATCH) <= (0 if last <= CAPACITY else BATCH)


def test_another_run_of_packtrain_counts_from_its_own_start() -> None:
    curve = TrainingCurve()
    curve.add(1, 1, 2.0, 1, 100.0)
    curve.add(1, 2, 2.0, 1, 101.0)
    curve.add(2, 3, 2.0, 1, 5.0)
    curve.add(2, 4, 2.0, 1, 6.0)
    assert curve.seconds == 107.0
    steps, _ = curve.rate()
    assert steps == 1.0  # the pause between two attempts is no slow step


def test_rates_are_of_lines_whose_time_is_known() -> None:
    steps, samples = trained((1, 1, 50)).rate()
    assert (steps, samples) == (pytest.approx(2.0), pytest.approx(2.0 * BATCH))
    assert TrainingCurve().rate() == (0.0, 0.0)


def test_reasons_come_from_the_record_of_attempts(tmp_path: Path) -> None:
    (tmp_path / "steps.jsonl").write_text("[1, 1, 4.0, 8, 1.0]\n[2, 1, 4.0, 8, 3.0]\n")
    row = {"attempt": 1, "reason": "rank 0 was killed by SIGKILL"}
    (tmp_path / "attempts.jsonl").write_text(f"{json.dumps(row)}\nnot json\n[]\n")
    curve = read_steps(tmp_path / "steps.jsonl")
    assert curve is not None
    assert curve.marks[1].reason == "rank 0 was killed by SIGKILL"


def test_a_reason_moves_no_cursor(tmp_path: Path) -> None:
    (tmp_path / "steps.jsonl").write_text("[1, 1, 4.0, 8, 1.0]\n[2, 1, 4.0, 8, 3.0]\n")
    (tmp_path / "attempts.jsonl").write_text(json.dumps({"attempt": 1, "reason": "\x1b[2Jall\nis well"}) + "\n")
    curve = read_steps(tmp_path / "steps.jsonl")
    assert curve is not None
    assert curve.marks[1].reason == " [2Jall is well"
    assert all(line.isprintable() for line in chart_lines(curve, 100))


def test_metrics_at_home_have_no_times_and_the_page_draws_no_rate(tmp_path: Path) -> None:
    rows = [{"step": step, "loss": 3.0 / step, "samples": 8} for step in range(1, 10)]
    (tmp_path / "metrics.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    curve = read_metrics(tmp_path / "metrics.jsonl")
    assert curve is not None
    assert (curve.num_samples, curve.has_times) == (72, False)
    assert loss_drawing(curve)
    assert rate_drawing(curve) == position_drawing(curve, 100) == ""


def test_no_file_is_no_training(tmp_path: Path) -> None:
    assert read_steps(tmp_path / "steps.jsonl") is None
    assert read_metrics(tmp_path / "metrics.jsonl") is None


# --- drawn ------------------------------------------------------------------------------------------------------------


def test_the_drawing_says_in_words_what_it_shows_and_marks_the_restart_with_its_reason() -> None:
    curve = trained((1, 1, 100), (2, 81, 200))
    curve.explain({1: "rank <1> was killed"})
    drawing = ElementTree.fromstring(loss_drawing(curve))
    label = drawing.get("aria-label") or ""
    assert label == "Training loss from 4.999 at step 1 to 4.800 at step 200, least 4.800; 1 restart"
    assert [line.get("class") for line in drawing.iter("line")].count("restart") == 1
    assert "attempt 2: rank <1> was killed" in [element.text for element in drawing.iter("title")]
    assert {"undone", "run0"} <= {line.get("class") for line in drawing.iter("polyline")}


def test_a_training_that_went_astray_is_not_shown_as_its_last_good_loss(tmp_path: Path) -> None:
    losses = [2.0, 1.5, math.nan, 1.4, math.inf, math.nan]
    lines = "".join(f"{json.dumps([1, step, loss, 8, step / 2])}\n" for step, loss in enumerate(losses, 1))
    (tmp_path / "steps.jsonl").write_text(lines)
    curve = read_steps(tmp_path / "steps.jsonl")
    assert curve is not None
    assert (curve.num_not_finite, curve.not_finite_since) == (3, 5)
    head = chart_lines(curve, 100)[0]
    assert "NO FINITE NUMBER since step 5" in head and "1.4" not in head
    label = ElementTree.fromstring(loss_drawing(curve)).get("aria-label") or ""
    assert "3 losses are no finite numbers, all from step 5 on" in label
    told = training_summary(curve)
    assert (told["loss_last"], told["losses_not_finite"]) == (None, 3)
    curve.add(1, 7, 1.3, 8, 4.0)
    assert "loss 1.3" in chart_lines(curve, 100)[0]
    assert training_summary(curve)["loss_last"] == 1.3


def test_the_first_loss_is_told_with_its_own_step_however_wide_the_columns_are() -> None:
    label = ElementTree.fromstring(loss_drawing(trained((1, 1, 20_000)))).get("aria-label") or ""
    assert label.startswith("Training loss from 4.999 at step 1 to ")


def test_lines_run_from_left_to_right_and_fall_with_the_loss() -> None:
    line = next(ElementTree.fromstring(loss_drawing(trained((1, 1, 300)))).iter("polyline"))
    points = [tuple(map(float, point.split(","))) for point in (line.get("points") or "").split()]
    assert points == sorted(points)
    assert [y for _, y in points] == sorted(y for _, y in points)


def test_the_place_in_the_data_falls_back_at_a_restart_and_epochs_are_lines() -> None:
    curve = trained((1, 1, 100), (2, 51, 200))
    svg = position_drawing(curve, 1000)
    assert "epoch 6" in svg and "epoch 7" not in svg
    assert "6.40 passes over 1,000 samples" in svg
    values = [column.last for column in curve.position.in_order()]
    assert min(after - before for before, after in itertools.pairwise(values)) == (51 - 100) * BATCH


@pytest.mark.parametrize("losses", [[2.0], [2.0, 2.0], [math.nan, 2.0], [math.nan], [None], [1e300, -1e300]])
def test_a_single_step_a_level_loss_and_none_are_drawn(losses: list[float | None]) -> None:
    curve = TrainingCurve()
    for step, loss in enumerate(losses):
        curve.add(1, step, loss, None, step * 1.0)
    for svg in (loss_drawing(curve), rate_drawing(curve), position_drawing(curve, 0)):
        assert "nan" not in svg and "inf" not in svg
        assert not svg or ElementTree.fromstring(svg) is not None
    assert chart_lines(curve, 80)


def test_a_thousand_restarts_are_a_drawing_of_bounded_size() -> None:
    curve = TrainingCurve()
    for attempt in range(5000):
        curve.add(attempt, attempt, 2.0, 1, attempt * 1.0)
    assert curve.num_attempts == 5000
    assert len(loss_drawing(curve)) < 100_000
    assert "4,999 restarts" in loss_drawing(curve)


# --- in a terminal ----------------------------------------------------------------------------------------------------


@given(st.integers(1, 400), st.integers(30, 300), st.booleans(), st.integers(0, 10_000))
def test_no_line_is_wider_than_the_terminal(num_steps: int, width: int, unicode: bool, total: int) -> None:
    lines = chart_lines(trained((1, 1, num_steps)), width, total_steps=total, epoch_samples=1000, with_unicode=unicode)
    assert lines
    assert all(len(line) <= width for line in lines)
    assert unicode or all(line.isascii() for line in lines)


def test_a_falling_loss_falls_from_the_upper_left_to_the_lower_right() -> None:
    lines = chart_lines(trained((1, 1, 400)), 60, with_unicode=False)[1:7]
    columns = [line.find("*") for line in lines]
    assert columns == sorted(columns) and columns[0] < columns[-1]


def test_the_chart_names_step_rate_place_and_restarts() -> None:
    curve = trained((1, 1, 100), (2, 81, 200))
    curve.explain({1: "rank 1 was killed"})
    text = "\n".join(chart_lines(curve, 120, total_steps=1000, epoch_samples=1000))
    for words in (
        "step 200 of 1,000",
        "loss 4.8000",
        "2 steps/s, 64 samples/s",
        "about 6 min 40 s left",
        "epoch 6.40",
        "1 restart, 20 steps made again",
        "rank 1 was killed",
        "▲",
    ):
        assert words in text


def test_a_terminal_that_is_too_narrow_gets_no_chart() -> None:
    assert chart_lines(trained((1, 1, 10)), 20) == []
    assert chart_lines(TrainingCurve(), 80) == []


def test_a_spike_is_in_its_own_cell() -> None:
    curve = TrainingCurve()
    for step in range(100):
        curve.add(1, step, 50.0 if step == 70 else 1.0, None, None)
    cells = by_column(curve.kept.in_order(), 0, 99, 50)
    assert [number for number, cell in enumerate(cells) if cell is not None and cell[1] == 50.0] == [35]


def test_a_reason_has_a_line_of_its_own_so_that_a_narrow_terminal_shows_it() -> None:
    curve = trained((1, 1, 50), (2, 40, 80))
    curve.explain({1: "rank 1 was killed by SIGKILL"})
    lines = chart_lines(curve, 80, total_steps=100, epoch_samples=1000)
    assert lines[-1] == "     1 restart, 11 steps made again  last: rank 1 was killed by SIGKILL"
