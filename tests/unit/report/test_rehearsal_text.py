"""The sheet for people: numbers carry their units, and two ends of a range stand in one row."""

from packtrain.report.rehearsal_text import number_rows
from packtrain.units import format_seconds


def test_a_range_is_one_row_and_a_number_has_its_unit():
    rows = number_rows(
        {
            "restart_seconds_high": 90.0,
            "restart_seconds_low": 2.0,
            "checkpoint_bytes": 1.5e9,
            "lost_fraction_low": 0.01,
            "lost_fraction_high": 0.01,
            "read_needed_bytes_per_second": 2e6,
            "training_days_here_low": 3.0,
            "training_days_here_high": 3.5,
            "epoch_days_here": 3e-7,
            "failures_expected": 3e-6,
        }
    )
    assert rows == [
        ("a checkpoint holds", "1.5 GB"),
        ("failures to expect in the whole training", "under 0.01"),
        ("from killed worker to next step", f"{format_seconds(2.0)} to {format_seconds(90.0)}"),
        ("one pass over the data, on this machine", "26 ms"),
        ("read rate that the training needs", "2 MB/s"),
        ("the whole training, on this machine", "3 d 0 h to 3 d 12 h"),
        ("time that failures cost", "1 %"),
    ]


def test_an_end_of_a_range_without_the_other_is_shown_by_itself():
    assert number_rows({"epoch_days_here_high": 2000.4}) == [
        ("one pass over the data, on this machine, high", "2000 d 9 h")
    ]
