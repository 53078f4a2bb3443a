"""The directory drive keeps the contract of drives, and is not led out of its folder."""

import errno
import os
import subprocess
from pathlib import Path

import pytest

from contract.drive_suite import DriveContract
from packtrain.devices import directory
from packtrain.devices.directory import DirectoryDrive
from packtrain.errors import DriveFailed, DriveFull, DriveMissing
from packtrain.ports import Drive


class TestContract(DriveContract):
    def make(self, tmp_path: Path) -> Drive:
        (tmp_path / "drive").mkdir()
        return DirectoryDrive(tmp_path / "drive")


@pytest.fixture
def drive(tmp_path: Path) -> DirectoryDrive:
    (tmp_path / "drive").mkdir()
    return DirectoryDrive(tmp_path / "drive")


def test_a_folder_that_is_not_there_is_a_missing_drive(tmp_path: Path) -> None:
    with pytest.raises(DriveMissing):
        DirectoryDrive(tmp_path / "none")


def test_a_linked_file_is_named_but_never_read(drive: DirectoryDrive, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    Path(drive.location, "plan.json").symlink_to(tmp_path / "secret")
    assert list(drive.names()) == ["plan.json"]
    assert drive.size_bytes("plan.json") is None
    with pytest.raises(DriveFailed):
        drive.read_bytes("plan.json", 100)


def test_a_linked_file_is_replaced_and_not_written_through(drive: DirectoryDrive, tmp_path: Path) -> None:
    (tmp_path / "victim").write_bytes(b"old")
    Path(drive.location, "plan.json").symlink_to(tmp_path / "victim")
    drive.write_bytes("plan.json", b"new")
    assert (tmp_path / "victim").read_bytes() == b"old"
    assert drive.read_bytes("plan.json", 3) == b"new"


def test_a_linked_folder_is_not_entered(drive: DirectoryDrive, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "x").write_bytes(b"x")
    Path(drive.location, "data").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(DriveFailed):
        drive.write_bytes("data/y", b"y")
    with pytest.raises(DriveFailed):
        drive.open_reader("data/x")
    assert [path.name for path in (tmp_path / "elsewhere").iterdir()] == ["x"]


def test_a_pipe_does_not_hang_the_reader(drive: DirectoryDrive) -> None:
    os.mkfifo(Path(drive.location, "plan.json"))
    with pytest.raises(DriveFailed):
        drive.open_reader("plan.json")


def test_lost_and_found_at_the_top_is_the_file_systems_own(drive: DirectoryDrive) -> None:
    for folder in ("lost+found", "data/lost+found"):
        Path(drive.location, folder).mkdir(parents=True)
        Path(drive.location, folder, "x").write_bytes(b"x")
    assert list(drive.names()) == ["data/lost+found/x"]


@pytest.mark.parametrize(("depth", "is_listed"), [(1_500, True), (2_500, False)])
def test_folders_in_folders_do_not_overflow(drive: DirectoryDrive, depth: int, is_listed: bool) -> None:
    folder = os.open(drive.location, os.O_RDONLY | os.O_DIRECTORY)
    for _ in range(depth):
        os.mkdir("d", dir_fd=folder)
        below = os.open("d", os.O_RDONLY | os.O_DIRECTORY, dir_fd=folder)
        os.close(folder)
        folder = below
    os.close(os.open("x", os.O_WRONLY | os.O_CREAT, 0o600, dir_fd=folder))
    os.close(folder)
    try:
        if is_listed:
            assert list(drive.names()) == ["d/" * depth + "x"]
        else:
            with pytest.raises(DriveFailed, match="cannot be listed"):  # longer than any path can be
                list(drive.names())
    finally:
        # pytest removes old folders by recursion, and would fail at this one a run later.
        subprocess.run(["rm", "-r", str(Path(drive.location, "d"))], check=True)


def test_a_drive_of_nothing_but_folders_is_not_listed_without_end(
    drive: DirectoryDrive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(directory, "_MOST_FOLDERS", 5)
    for number in range(6):
        Path(drive.location, str(number)).mkdir()
    with pytest.raises(DriveFailed, match="more than 5 folders"):
        list(drive.names())


@pytest.mark.parametrize(("code", "expected"), [(errno.ENOSPC, DriveFull), (errno.EIO, DriveFailed)])
def test_the_kernels_error_names_drive_and_file(
    drive: DirectoryDrive, monkeypatch: pytest.MonkeyPatch, code: int, expected: type[Exception]
) -> None:
    def fail(_descriptor: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(expected) as caught:
        drive.write_bytes("plan.json", b"x")
    assert str(caught.value).startswith(f"{drive.location}: plan.json: ")
    assert list(drive.names()) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_a_full_medium_is_a_full_drive(drive: DirectoryDrive, monkeypatch: pytest.MonkeyPatch) -> None:
    real_open = os.open

    def open_full(path: str | Path, flags: int, *rest: int, **named: int) -> int:
        return (
            real_open("/dev/full", os.O_WRONLY)
            if str(path).endswith(".part")
            else real_open(path, flags, *rest, **named)
        )

    monkeypatch.setattr(os, "open", open_full)
    with pytest.raises(DriveFull), drive.open_writer("plan.json") as writer:
        writer.write(bytes(3 << 20))


def test_tmpfs_says_that_it_is_memory() -> None:
    shared = Path("/dev/shm")
    if not shared.is_dir() or not os.access(shared, os.W_OK):
        pytest.skip("no /dev/shm")
    folder = shared / f"packtrain-test-{os.getpid()}"
    folder.mkdir()
    try:
        drive = DirectoryDrive(folder)
        drive.write_bytes("x", b"x")
        reader = drive.open_reader("x", past_cache=True)
        reader.close()
        assert reader.readback == "memory"
    finally:
        (folder / "x").unlink(missing_ok=True)
        folder.rmdir()


def test_a_file_system_without_direct_reads_drops_its_cache(
    drive: DirectoryDrive, monkeypatch: pytest.MonkeyPatch
) -> None:
    drive.write_bytes("x", b"x" * 5000)
    real_open = os.open

    def refuse_direct(path: str, flags: int, *rest: int, **named: int) -> int:
        if flags & os.O_DIRECT:
            raise OSError(errno.EINVAL, "no direct reads here")
        return real_open(path, flags, *rest, **named)

    monkeypatch.setattr(os, "open", refuse_direct)
    reader = drive.open_reader("x", past_cache=True)
    buffer = bytearray(6000)
    assert reader.read_into(memoryview(buffer), 0) == 5000
    reader.close()
    assert reader.readback in ("dropped", "memory")
