"""The dip test with a clock of its own: how long a real drive takes is asserted nowhere."""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from packtrain.devices.dip import DipReport, bytes_to_write, dip_test, open_extents
from packtrain.errors import DriveFailed, DriveFull
from packtrain.events import Event, Progress, discard
from packtrain.units import GIB, KIB, MIB


class Played:
    """A writer whose extents take the seconds that it is given."""

    method = "played"

    def __init__(self, seconds: Sequence[float]) -> None:
        self._seconds = list(seconds)
        self._now = 0.0
        self.count = 0

    def write(self) -> None:
        self._now += self._seconds[self.count]
        self.count += 1

    def clock(self) -> float:
        return self._now


def play(seconds: Sequence[float], **named: float) -> DipReport:
    writer = Played(seconds)
    return dip_test(writer, len(seconds) * MIB, MIB, discard, clock=writer.clock, **named)


def test_an_even_drive_is_steady() -> None:
    report = play([0.01] * 200)
    assert (report.verdict, report.num_dips) == ("steady", 0)
    assert report.median_bytes_per_second == pytest.approx(100 * MIB)
    assert report.slowest_percent_bytes_per_second == pytest.approx(100 * MIB)


def test_neighbouring_slow_extents_are_one_dip() -> None:
    report = play([0.01] * 100 + [0.2, 0.3] + [0.01] * 100 + [0.1] + [0.01] * 100)
    assert report.num_dips == 2
    assert report.longest_dip_seconds == pytest.approx(0.5)
    assert report.dip_seconds == pytest.approx(0.6)
    assert report.verdict == "dips"


def test_a_third_of_the_median_is_no_dip_yet() -> None:
    assert play([0.01] * 100 + [0.03] * 3).num_dips == 0


def test_a_drive_that_writes_a_megabyte_a_second_crawls_however_evenly() -> None:
    assert play([1.0] * 100).verdict == "crawls"


def test_a_drive_that_spends_most_of_its_time_in_dips_crawls() -> None:
    assert play([0.005] * 300 + [1.0] * 6).verdict == "crawls"


def test_a_fast_drive_that_still_keeps_up_does_not_crawl() -> None:
    assert play([0.0005] * 90 + [0.008] * 10).verdict == "dips"


def test_a_few_extents_give_no_verdict() -> None:
    assert play([0.01] * 31).verdict == "too short to say"


def test_the_test_ends_when_its_time_is_over() -> None:
    report = play([10.0] * 100, most_seconds=95.0)
    assert report.written_bytes == 10 * MIB
    assert report.stopped.startswith("after 95 s")


def test_the_slowest_percent_is_the_rate_that_one_extent_in_a_hundred_does_not_reach() -> None:
    report = play([0.01] * 297 + [0.5, 0.4, 0.2])
    assert report.slowest_percent_bytes_per_second == pytest.approx(MIB / 0.2)


def test_progress_is_told_in_bytes() -> None:
    events: list[Event] = []
    writer = Played([0.01] * 4)
    dip_test(writer, 4 * MIB, MIB, events.append, clock=writer.clock)
    last = events[-1]
    assert isinstance(last, Progress)
    assert (last.done_bytes, last.total_bytes) == (4 * MIB, 4 * MIB)


@pytest.mark.parametrize(
    ("free", "asked", "expected"),
    [(4000 * GIB, None, 8 * GIB), (20 * GIB, None, GIB), (4000 * GIB, 100 * MIB, 100 * MIB), (20 * MIB, 9 * GIB, MIB)],
)
def test_at_most_a_twentieth_of_the_free_space_is_written(free: int, asked: int | None, expected: int) -> None:
    assert bytes_to_write(free, MIB, asked) == expected


def test_a_full_drive_is_not_tested() -> None:
    with pytest.raises(DriveFull):
        bytes_to_write(19 * MIB, MIB)


@pytest.mark.parametrize("extent_bytes", [128 * KIB, MIB])
def test_extents_reach_the_medium_and_leave_nothing(tmp_path: Path, extent_bytes: int) -> None:
    with open_extents(tmp_path, extent_bytes) as writer:
        report = dip_test(writer, 8 * extent_bytes, extent_bytes, discard)
        assert list(tmp_path.iterdir()) == []
    assert report.written_bytes == 8 * extent_bytes
    assert report.method in ("O_DIRECT", "fdatasync")


def test_a_file_system_without_direct_writes_syncs_each_extent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real_open = os.open

    def refuse_direct(path: str | Path, flags: int, *rest: int) -> int:
        if flags & os.O_DIRECT:
            raise OSError(22, "no direct writes here")
        return real_open(path, flags, *rest)

    monkeypatch.setattr(os, "open", refuse_direct)
    with open_extents(tmp_path, MIB) as writer:
        assert dip_test(writer, 2 * MIB, MIB, discard).method == "fdatasync"


def test_a_file_that_another_test_left_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "packtrain-dip-test.part").write_bytes(b"mine")
    with pytest.raises(DriveFailed), open_extents(tmp_path, MIB):
        pass
    assert (tmp_path / "packtrain-dip-test.part").read_bytes() == b"mine"


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGKILL])
def test_nothing_is_left_when_the_test_is_killed(tmp_path: Path, end: signal.Signals) -> None:
    program = (
        # A run in the background of a shell inherits that Ctrl-C is ignored.
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "import sys, time; from pathlib import Path; from packtrain.devices.dip import open_extents\n"
        "with open_extents(Path(sys.argv[1]), 131072) as writer:\n"
        "    writer.write(); print('written', flush=True); time.sleep(60)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"written\n"
    process.send_signal(end)
    process.wait(30)
    process.stdout.close()
    assert list(tmp_path.iterdir()) == []
