"""The picture of progress and its line of words, at all sizes of a window."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packtrain.cli.progress_lines import how_far, in_words, picture, summary
from packtrain.events import Progress
from packtrain.record.pace import DrivePace, Pace

MB = 10**6
CODES = re.compile(r"\x1b\[[0-9;]*m")


def pace_of(num_drives: int, note: str = "") -> Pace:
    drives = tuple(
        DrivePace(f"A{n}", "writing", n * MB, 100 * MB, 41 * MB if n == 3 else 180 * MB, is_slow=n == 3)
        for n in range(1, num_drives + 1)
    )
    slow = ("A3 is slow: 41 MB/s, the others 180 MB/s",) if num_drives > 2 else ()
    told = Progress("pack", "writing and reading back", 42 * MB, 100 * MB, 3, 12, "stripes", note, wave=2, num_waves=8)
    return Pace(told, 10 * MB, 5.8, 0.0, drives, slow)


def shown(pace: Pace, columns: int, rows: int, *, with_unicode: bool = True) -> list[str]:
    return [CODES.sub("", line) for line, _ in picture(pace, columns, rows, with_unicode=with_unicode)]


def test_all_that_is_known_stands_there() -> None:
    assert shown(pace_of(4), 100, 30) == [
        "pack  writing and reading back  wave 2 of 8",
        f"  {'━' * 12}{'─' * 18}  42 %  42 MB of 100 MB  10 MB/s  about 5.8 s left  3/12 stripes",
        f"  A1  {'─' * 20}   1 %   180 MB/s  writing",
        f"  A2  {'─' * 20}   2 %   180 MB/s  writing",
        f"  A3  {'─' * 20}   3 %    41 MB/s  writing  slow",
        f"  A4  {'─' * 20}   4 %   180 MB/s  writing",
        "A3 is slow: 41 MB/s, the others 180 MB/s",
    ]


def test_sixty_drives_do_not_fit_and_the_slowest_are_shown_and_the_others_counted() -> None:
    lines = shown(pace_of(60), 80, 12)
    assert len(lines) == 10
    assert any("A3" in line and "slow" in line for line in lines)
    assert "more drives" in lines[-2]
    assert lines[-1] == "A3 is slow: 41 MB/s, the others 180 MB/s"
    num_shown = sum(bool(re.match(r"  A\d+ ", line)) for line in lines)
    assert f"{60 - num_shown} more drives" in lines[-2]


def test_in_the_smallest_window_it_is_one_line() -> None:
    assert shown(pace_of(60), 60, 3) == [in_words(pace_of(60))[:59]]


def test_without_unicode_it_is_ascii() -> None:
    assert all(line.isascii() for line in shown(pace_of(4), 100, 30, with_unicode=False))


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_colours_are_left_out_where_they_are_not_wanted(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    assert any(re.search(r"\x1b\[[0-9;]*3[36]", line) for line, _ in picture(pace_of(4), 100, 30, with_unicode=True))
    monkeypatch.setenv(name, value)
    text = "".join(line for line, _ in picture(pace_of(4), 100, 30, with_unicode=True))
    assert not re.search(r"\x1b\[[0-9;]*3[36]", text)


@given(st.integers(0, 70), st.integers(1, 200), st.integers(1, 60), st.text(max_size=30), st.booleans())
def test_no_picture_is_larger_than_its_window(
    num_drives: int, columns: int, rows: int, note: str, with_unicode: bool
) -> None:
    lines = picture(pace_of(num_drives, note), columns, rows, with_unicode=with_unicode)
    assert 1 <= len(lines) <= max(1, rows - 2)
    assert all(width <= max(columns - 1, 1) for _, width in lines)
    assert not any("\n" in line or "\r" in line for line, _ in lines)


def test_off_a_terminal_the_same_is_said_in_words() -> None:
    assert in_words(pace_of(4)) == (
        "pack  writing and reading back  wave 2 of 8  3/12 stripes  42 MB of 100 MB  10 MB/s  about 5.8 s left  "
        "A3 is slow: 41 MB/s, the others 180 MB/s"
    )
    assert in_words(pace_of(2)).endswith("about 5.8 s left  slowest drive A1 180 MB/s")
    stalled = Pace(Progress("load", "reading", 1, 10), 0.0, None, 45.0)
    assert in_words(stalled) == "load  reading  1 B of 10 B  no news for 45 s"


def test_an_end_says_how_much_in_which_time() -> None:
    assert summary(pace_of(1), 84.0, 42 * MB) == (
        "pack  writing and reading back: 42 MB in 1 min 24 s, 500 kB/s on average"
    )
    items = Pace(Progress("prepare", "writing shards", done_items=7, total_items=9, unit="samples"))
    assert summary(items, 60.0, 0) == "prepare  writing shards: 7 samples in 1 min 0 s"
    assert how_far(items) == "writing shards, at 77 %"
    assert how_far(Pace(Progress("kit", "building"))) == "building"
