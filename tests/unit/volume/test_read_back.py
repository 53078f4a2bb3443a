"""Reading back small files: what differs is found at any length, and the memory for it is made once."""

from __future__ import annotations

import mmap
from pathlib import Path

import pytest

from packtrain.devices.directory import DirectoryDrive
from packtrain.digest import BLOCK_BYTES, sha256_bytes
from packtrain.errors import DriveFailed
from packtrain.volume.read_back import check_copy, check_file, pages, write_checked
from shipment_parts import content

LENGTHS = [0, 1, 4095, 4096, 4097, BLOCK_BYTES - 1, BLOCK_BYTES, BLOCK_BYTES + 1, 2 * BLOCK_BYTES]


@pytest.mark.parametrize("length", LENGTHS)
def test_a_file_of_any_length_is_read_to_its_end(tmp_path: Path, length: int) -> None:
    drive, payload = DirectoryDrive(tmp_path), content(length, length)
    drive.write_bytes("file", payload)
    with pages() as buffer:
        check_file(drive, "file", sha256_bytes(payload), buffer)
        for other in (payload + b"\0", payload[:-1] + b"?", payload[:-1] if payload else b"?"):
            (tmp_path / "file").write_bytes(other)
            with pytest.raises(DriveFailed, match="other bytes than were written"):
                check_file(drive, "file", sha256_bytes(payload), buffer)
            with pytest.raises(DriveFailed, match="other bytes than were written"):
                check_copy(drive, "file", 0, buffer)


def test_a_hundred_small_files_are_read_back_through_one_map(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drive = DirectoryDrive(tmp_path)
    for number in range(100):
        drive.write_bytes(f"file-{number}", content(number, number))
    large: list[int] = []

    class Counted(mmap.mmap):
        def __new__(cls, descriptor: int, length: int) -> Counted:
            large.extend([length] if length >= BLOCK_BYTES else [])
            return super().__new__(cls, descriptor, length)

    monkeypatch.setattr(mmap, "mmap", Counted)
    with pages() as buffer:
        for number in range(100):
            check_file(drive, f"file-{number}", sha256_bytes(content(number, number)), buffer)
    assert large == [BLOCK_BYTES]


def test_a_small_file_that_came_out_wrong_does_not_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drive = DirectoryDrive(tmp_path)
    write = drive.write_bytes
    monkeypatch.setattr(drive, "write_bytes", lambda name, payload: write(name, payload[:-1]))
    with pytest.raises(DriveFailed, match="other bytes than were written"):
        write_checked(drive, "file", b"abc")
    assert drive.size_bytes("file") is None
