from __future__ import annotations

import threading
from pathlib import Path

import pytest

from contract.drive_suite import DriveContract
from packtrain.devices.directory import DirectoryDrive
from packtrain.devices.faulty import FaultyDrive, Orders
from packtrain.devices.watched import DriveMeter, DriveWatch, WatchedDrive
from packtrain.errors import DriveFailed
from packtrain.events import DriveNamed, DriveProgress, Event, Progress
from packtrain.ports import Drive

NAME = "data/0000000-00.tar.age"


class TestWatchedDrive(DriveContract):
    def make(self, tmp_path: Path) -> Drive:
        return WatchedDrive(DirectoryDrive(tmp_path), DriveMeter("A1"))


class Heard:
    """A watch and what came out of it."""

    def __init__(self, folder: Path) -> None:
        self.events: list[Event] = []
        self.watch = DriveWatch(self.events.append)
        self.drive = self.watch.watched(DirectoryDrive(folder))

    def rows(self) -> tuple[DriveProgress, ...]:
        self.watch(Progress("pack", "writing"))
        last = self.events[-1]
        assert isinstance(last, Progress)
        return last.drives


@pytest.fixture
def heard(tmp_path: Path) -> Heard:
    return Heard(tmp_path)


def test_a_drive_that_nothing_passed_is_not_shown(heard: Heard) -> None:
    assert heard.rows() == ()
    heard.watch(DriveNamed(heard.drive.location, "B2"))
    assert heard.rows() == ()


def test_every_byte_is_counted_and_what_is_read_after_writing_is_called_so(heard: Heard) -> None:
    heard.watch(DriveNamed(heard.drive.location, "A1", 2000, 500, num_passes=2))
    with heard.drive.open_writer(NAME) as writer:
        writer.write(bytes(1000))
    (row,) = heard.rows()
    assert (row.label, row.state, row.done_bytes, row.total_bytes, row.moved_bytes) == (
        "A1",
        "writing",
        1000,
        2000,
        1000,
    )
    reader = heard.drive.open_reader(NAME)
    reader.read_into(memoryview(bytearray(5000)), 0)
    reader.close()
    (row,) = heard.rows()
    assert (row.state, row.done_bytes, row.moved_bytes) == ("reading back", 1500, 2000)
    assert row.busy_seconds > 0
    assert not [event for event in heard.events if isinstance(event, DriveNamed)]


def test_a_drive_that_is_done_is_not_shown_beside_work_that_does_not_touch_it(heard: Heard) -> None:
    def labels(activity: str) -> list[str]:
        heard.watch(Progress("rehearse", activity))
        last = heard.events[-1]
        assert isinstance(last, Progress)
        return [row.label for row in last.drives]

    heard.watch(DriveNamed(heard.drive.location, "R1", 10))
    assert labels("reading volumes") == ["R1"]
    heard.drive.write_bytes(NAME, bytes(10))
    with heard.drive.open_writer(NAME) as writer:
        writer.write(bytes(10))
    assert labels("reading volumes") == ["R1"]
    assert labels("trial 1 of 6") == []
    reader = heard.drive.open_reader(NAME)
    reader.read_into(memoryview(bytearray(5)), 0)
    reader.close()
    assert labels("trial 1 of 6") == ["R1"]


def test_one_without_a_label_is_shown_by_its_place_and_never_beyond_its_end(heard: Heard) -> None:
    heard.drive.write_bytes(NAME, bytes(10))
    with heard.drive.open_writer(NAME) as writer:
        writer.write(bytes(700))
    assert [(row.label, row.total_bytes) for row in heard.rows()] == [(heard.drive.location, 0)]
    heard.watch(DriveNamed(heard.drive.location, "A1", 100))
    for _ in range(3):
        reader = heard.drive.open_reader(NAME)
        reader.read_into(memoryview(bytearray(700)), 0)
        reader.close()
    assert [row.done_bytes for row in heard.rows()] == [100]


def test_a_drive_that_does_not_answer_is_waited_for_while_it_does_not(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / NAME).write_bytes(bytes(100))
    answer = threading.Event()
    faulty = FaultyDrive(DirectoryDrive(tmp_path))
    meter = DriveMeter("A1")
    reader = WatchedDrive(faulty, meter).open_reader(NAME)
    reader.read_into(memoryview(bytearray(10)), 0)
    faulty.orders = Orders(reads_wait_for=answer)
    waiting = threading.Thread(target=lambda: reader.read_into(memoryview(bytearray(100)), 0))
    waiting.start()
    try:
        while meter._num_calls == 0:
            pass
        first = meter.row()
        second = meter.row()
        assert first is not None and second is not None
        assert second.busy_seconds > first.busy_seconds, "it goes on while nothing comes"
        assert second.moved_bytes == 10
    finally:
        answer.set()
        waiting.join()


def test_a_fault_passes_and_is_waited_for_no_more(tmp_path: Path) -> None:
    meter = DriveMeter("A1")
    drive = WatchedDrive(FaultyDrive(DirectoryDrive(tmp_path), Orders(fail_writes_of=frozenset({NAME}))), meter)
    with pytest.raises(DriveFailed), drive.open_writer(NAME) as writer:
        writer.write(b"x")
    assert meter._num_calls == 0
    assert list(drive.names()) == []


def test_a_number_that_turned_out_to_be_none_is_none(tmp_path: Path) -> None:
    inner = DirectoryDrive(tmp_path, "S1")
    drive = WatchedDrive(inner, DriveMeter("A1"))
    assert drive.serial == "S1"
    inner.serial = None
    assert drive.serial is None
