"""The faulty drive keeps the contract of drives while it has no orders, and does what it is ordered to."""

import os
import threading
from pathlib import Path
from typing import NoReturn

import pytest

from contract.drive_suite import DriveContract
from packtrain.devices.directory import DirectoryDrive
from packtrain.devices.faulty import KILLED, FaultyDrive, Orders
from packtrain.errors import DriveFailed, DriveFull
from packtrain.ports import Drive
from packtrain.units import KIB

PAYLOAD = bytes(range(256)) * 400


class TestContract(DriveContract):
    def make(self, tmp_path: Path) -> Drive:
        (tmp_path / "drive").mkdir()
        return FaultyDrive(DirectoryDrive(tmp_path / "drive"))


@pytest.fixture
def drive(tmp_path: Path) -> FaultyDrive:
    (tmp_path / "drive").mkdir()
    return FaultyDrive(DirectoryDrive(tmp_path / "drive"))


def write(drive: FaultyDrive, name: str, payload: bytes, piece_bytes: int = 10_000) -> None:
    with drive.open_writer(name) as writer:
        for start in range(0, len(payload), piece_bytes):
            writer.write(payload[start : start + piece_bytes])


def read(drive: FaultyDrive, name: str, length: int = len(PAYLOAD)) -> bytes:
    reader = drive.open_reader(name)
    try:
        buffer = bytearray(length)
        return bytes(buffer[: reader.read_into(memoryview(buffer), 0)])
    finally:
        reader.close()


@pytest.mark.parametrize("call", range(1, 13))
def test_the_nth_write_fails_and_leaves_nothing(drive: FaultyDrive, call: int) -> None:
    drive.orders = Orders(fail_writes=frozenset({call}))
    # Begin, eleven pieces but for the last, finish.
    with pytest.raises(DriveFailed, match="Input/output error"):
        write(drive, "data/x", PAYLOAD[:100_000])
    assert drive.num_writes == call
    assert list(drive.names()) == []
    write(drive, "data/x", PAYLOAD)
    assert read(drive, "data/x") == PAYLOAD


def test_a_removal_counts_as_a_write(drive: FaultyDrive) -> None:
    drive.write_bytes("x", b"1")
    drive.orders = Orders(fail_writes=frozenset({drive.num_writes + 1}))
    with pytest.raises(DriveFailed):
        drive.remove("x")
    assert drive.size_bytes("x") == 1


def test_the_nth_read_fails_and_the_next_works(drive: FaultyDrive) -> None:
    write(drive, "x", PAYLOAD)
    for call in (1, 2):
        drive.orders = Orders(fail_reads=frozenset({drive.num_reads + call}))
        with pytest.raises(DriveFailed, match="Input/output error"):
            read(drive, "x")
        assert read(drive, "x") == PAYLOAD


def test_a_file_that_always_fails_does_so_for_reading_and_writing(drive: FaultyDrive) -> None:
    drive.orders = Orders(fail_names=frozenset({"x"}))
    with pytest.raises(DriveFailed):
        drive.write_bytes("x", b"1")
    with pytest.raises(DriveFailed):
        drive.read_bytes("x", 1)
    drive.write_bytes("y", b"1")


def test_the_drive_is_full_after_some_bytes_and_not_before(drive: FaultyDrive) -> None:
    drive.orders = Orders(full_after_bytes=len(PAYLOAD))
    write(drive, "x", PAYLOAD)
    with pytest.raises(DriveFull):
        drive.write_bytes("y", b"1")
    assert list(drive.names()) == ["x"]


def test_a_torn_write_leaves_half_a_piece_under_the_temporary_name(drive: FaultyDrive) -> None:
    child = os.fork()
    if child == 0:
        drive.orders = Orders(torn_write=2)
        write(drive, "x", PAYLOAD)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == KILLED
    assert list(drive.names()) == ["x.part"]
    assert drive.size_bytes("x.part") == 5_000


def test_how_it_dies_may_be_chosen(drive: FaultyDrive) -> None:
    def die() -> NoReturn:
        raise KeyboardInterrupt

    drive.orders = Orders(torn_write=2, die=die)
    with pytest.raises(KeyboardInterrupt):
        write(drive, "x", PAYLOAD)


def test_a_bit_flipped_on_reading_is_right_on_the_medium(drive: FaultyDrive) -> None:
    write(drive, "x", PAYLOAD)
    drive.orders = Orders(flip_on_read={"x": 70_000}, flip_once=True)
    found = read(drive, "x")
    assert [at for at in range(len(PAYLOAD)) if found[at] != PAYLOAD[at]] == [70_000]
    assert read(drive, "x") == PAYLOAD


def test_a_bit_flipped_when_the_file_is_finished_stays_flipped(drive: FaultyDrive) -> None:
    drive.orders = Orders(flip_when_finished={"x": 7})
    write(drive, "x", PAYLOAD)
    assert read(drive, "x")[7] == PAYLOAD[7] ^ 1
    assert drive.read_bytes("x", len(PAYLOAD)) == read(drive, "x")


@pytest.mark.parametrize("pulled_at", range(1, 9))
def test_a_pulled_drive_answers_nothing_until_it_is_plugged_in(drive: FaultyDrive, pulled_at: int) -> None:
    drive.orders = Orders(pulled_at=pulled_at)
    failed = 0
    for _ in range(10):
        try:
            write(drive, "x", PAYLOAD)
            assert read(drive, "x") == PAYLOAD
        except DriveFailed as error:
            assert "No such device" in str(error)
            failed += 1
    assert failed >= 9
    with pytest.raises(DriveFailed):
        drive.free_bytes()
    drive.plug_in()
    write(drive, "x", PAYLOAD)
    assert read(drive, "x") == PAYLOAD


def test_a_byte_that_the_medium_does_not_give_back_spoils_the_piece_that_it_is_in(drive: FaultyDrive) -> None:
    write(drive, "x", PAYLOAD)
    drive.orders = Orders(unreadable={"x": 100})
    with pytest.raises(DriveFailed, match="cannot be read"):
        read(drive, "x")
    with pytest.raises(DriveFailed, match="cannot be read"):
        drive.read_bytes("x", len(PAYLOAD))
    buffer = memoryview(bytearray(len(PAYLOAD) - 101))
    reader = drive.open_reader("x")
    assert reader.read_into(buffer, 101) == len(buffer)
    assert buffer == PAYLOAD[101:]
    reader.close()


def test_a_file_that_cannot_be_written_leaves_the_one_before_and_others_can(drive: FaultyDrive) -> None:
    write(drive, "x", PAYLOAD)
    drive.orders = Orders(fail_writes_of=frozenset(("x",)))
    with pytest.raises(DriveFailed, match="cannot be written"):
        write(drive, "x", PAYLOAD[:5])
    write(drive, "y", PAYLOAD)
    assert read(drive, "x") == read(drive, "y") == PAYLOAD


def test_short_reads_give_half(drive: FaultyDrive) -> None:
    write(drive, "x", PAYLOAD)
    drive.orders = Orders(short_reads=True)
    assert read(drive, "x") == PAYLOAD[: len(PAYLOAD) // 2]


def test_a_drive_that_wraps_overwrites_its_first_bytes_and_nothing_else(drive: FaultyDrive) -> None:
    drive.orders = Orders(real_bytes=100 * KIB)
    for name in "abcdef":
        write(drive, name, name.encode() * 30 * KIB)
    # 180 KiB on 100: a, b and 20 KiB of c are gone; d, e, f wrapped over them.
    assert read(drive, "a", 30 * KIB) == b"d" * 20 * KIB + b"e" * 10 * KIB
    assert read(drive, "b", 30 * KIB) == b"e" * 20 * KIB + b"f" * 10 * KIB
    assert read(drive, "c", 30 * KIB) == b"f" * 20 * KIB + b"c" * 10 * KIB
    for name in "def":
        assert read(drive, name, 30 * KIB) == name.encode() * 30 * KIB
    assert drive.free_bytes() > 100 * KIB


def test_a_drive_that_drops_keeps_only_zeros_beyond_its_end(drive: FaultyDrive) -> None:
    drive.orders = Orders(real_bytes=40 * KIB, beyond="is lost")
    write(drive, "a", b"a" * 30 * KIB)
    write(drive, "b", b"b" * 30 * KIB)
    assert read(drive, "a", 30 * KIB) == b"a" * 30 * KIB
    assert read(drive, "b", 30 * KIB) == b"b" * 10 * KIB + bytes(20 * KIB)


def test_a_file_that_was_written_again_is_not_overwritten_where_it_was(drive: FaultyDrive) -> None:
    drive.orders = Orders(real_bytes=100 * KIB)
    write(drive, "a", b"x" * 30 * KIB)
    write(drive, "a", b"a" * 30 * KIB)
    write(drive, "gone", b"g" * 30 * KIB)
    drive.remove("gone")
    write(drive, "c", b"c" * 30 * KIB)
    assert read(drive, "a", 30 * KIB) == b"a" * 30 * KIB


def test_reads_can_be_held_back(drive: FaultyDrive) -> None:
    write(drive, "x", PAYLOAD)
    gate = threading.Event()
    drive.orders = Orders(reads_wait_for=gate)
    found: list[bytes] = []
    thread = threading.Thread(target=lambda: found.append(read(drive, "x")))
    thread.start()
    assert not found
    gate.set()
    thread.join()
    assert found == [PAYLOAD]
