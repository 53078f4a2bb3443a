"""What every drive must do. An adapter's test subclasses DriveContract and says how a drive is made."""

import mmap
from pathlib import Path

import pytest

from packtrain.errors import DriveFailed
from packtrain.ports import Drive
from packtrain.units import MIB

PAYLOAD = bytes(range(256)) * 6001  # 1.46 MiB, no multiple of anything


class DriveContract:
    """The contract; `make` returns an empty drive."""

    def make(self, tmp_path: Path) -> Drive:
        raise NotImplementedError

    @pytest.fixture
    def drive(self, tmp_path: Path) -> Drive:
        return self.make(tmp_path)

    def test_an_empty_drive_has_no_names_and_some_room(self, drive: Drive) -> None:
        assert list(drive.names()) == []
        assert drive.free_bytes() > 0

    def test_a_written_file_is_there_with_its_bytes(self, drive: Drive) -> None:
        with drive.open_writer("data/0000000-00.tar.age") as writer:
            for start in range(0, len(PAYLOAD), 100_000):
                writer.write(memoryview(PAYLOAD)[start : start + 100_000])
        assert list(drive.names()) == ["data/0000000-00.tar.age"]
        assert drive.size_bytes("data/0000000-00.tar.age") == len(PAYLOAD)
        assert drive.read_bytes("data/0000000-00.tar.age", len(PAYLOAD)) == PAYLOAD

    def test_an_error_while_writing_leaves_nothing_under_the_name(self, drive: Drive) -> None:
        drive.write_bytes("plan.json", b"old")

        class Stop(Exception):
            pass

        with pytest.raises(Stop), drive.open_writer("plan.json") as writer:
            writer.write(b"new")
            raise Stop
        assert drive.read_bytes("plan.json", 10) == b"old"

    def test_an_error_of_the_caller_passes_as_it_is(self, drive: Drive) -> None:
        mine = OSError(5, "somebody else's disk")
        with pytest.raises(OSError) as caught, drive.open_writer("plan.json"):
            raise mine
        assert caught.value is mine

    @pytest.mark.parametrize("past_cache", [False, True])
    @pytest.mark.parametrize("offset", [0, 1, 4096, MIB, MIB + 7, len(PAYLOAD) - 3, len(PAYLOAD), len(PAYLOAD) + 5])
    def test_any_range_is_read_also_over_the_end(self, drive: Drive, past_cache: bool, offset: int) -> None:
        drive.write_bytes("data/x", PAYLOAD)
        reader = drive.open_reader("data/x", past_cache=past_cache)
        try:
            assert reader.size_bytes == len(PAYLOAD)
            for buffer in (
                memoryview(mmap.mmap(-1, MIB)),
                memoryview(bytearray(MIB + 1))[1:],
                memoryview(bytearray(9)),
            ):
                length = reader.read_into(buffer, offset)
                assert bytes(buffer[:length]) == PAYLOAD[offset : offset + len(buffer)]
        finally:
            reader.close()

    def test_a_missing_file_has_no_size_and_cannot_be_read(self, drive: Drive) -> None:
        assert drive.size_bytes("data/none") is None
        with pytest.raises(DriveFailed):
            drive.open_reader("data/none")

    def test_a_file_longer_than_asked_is_not_read(self, drive: Drive) -> None:
        drive.write_bytes("plan.json", b"12345")
        with pytest.raises(DriveFailed):
            drive.read_bytes("plan.json", 4)

    def test_removing_is_done_once_and_asked_twice(self, drive: Drive) -> None:
        drive.write_bytes("data/x", b"1")
        drive.remove("data/x")
        drive.remove("data/x")
        drive.remove("none/x")
        assert list(drive.names()) == []

    @pytest.mark.parametrize(
        "name", ["", "/etc/passwd", "../x", "data/../../x", "data//x", ".hidden", "a\nb", "x" * 700]
    )
    def test_a_name_that_packtrain_does_not_generate_is_refused(self, drive: Drive, name: str) -> None:
        with pytest.raises(DriveFailed):
            drive.write_bytes(name, b"x")
        with pytest.raises(DriveFailed):
            drive.size_bytes(name)
