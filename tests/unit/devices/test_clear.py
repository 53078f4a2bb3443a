"""Emptying a drive removes what is below one mount point and nothing else."""

import os
from pathlib import Path

import pytest

from packtrain.devices.clear import clear_folder, clearable
from packtrain.errors import DriveFailed, DriveInUse, DriveMissing
from recorded_machines import PCI, Machine

SATA = f"{PCI}/0000:00:17.0/ata3/host2/target2:0:0/2:0:0:0"


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    machine = Machine(tmp_path / "machine")
    machine.drive("sda", "8:0", SATA)
    return machine


@pytest.fixture
def point(tmp_path: Path) -> Path:
    point = tmp_path / "point"
    point.mkdir()
    return point


def fill(folder: Path) -> None:
    for name in ("README.txt", "data/a", "data/deep/er/b", ".hidden", "packtrain/plan.json", "packtrain/drive.json"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")


def test_a_mounted_drive_may_be_emptied(machine: Machine, point: Path) -> None:
    machine.mount("8:0", point)
    assert clearable(point, machine.roots).drive.name == "sda"


def test_a_folder_may_not(machine: Machine, point: Path) -> None:
    with pytest.raises(DriveMissing):
        clearable(point, machine.roots)


def test_a_drive_of_the_system_may_not(machine: Machine, point: Path) -> None:
    machine.mount("8:0", point)
    machine.mount("8:0", "/")
    with pytest.raises(DriveInUse, match="mounted at /"):
        clearable(point, machine.roots)


def test_a_drive_with_something_mounted_below_may_not(machine: Machine, point: Path) -> None:
    machine.mount("8:0", point)
    machine.mount("0:50", point / "nfs", kind="nfs4", source="server:/home")
    with pytest.raises(DriveInUse, match="nfs"):
        clearable(point, machine.roots)


def test_all_is_removed_but_what_the_file_system_owns(point: Path) -> None:
    fill(point)
    (point / "lost+found").mkdir()
    (point / "lost+found" / "kept").write_bytes(b"x")
    assert clear_folder(point) == 6
    assert [path.name for path in point.iterdir()] == ["lost+found"]
    assert (point / "lost+found" / "kept").exists()


def test_nothing_is_removed_where_the_drive_is_gone(point: Path) -> None:
    fill(point)
    device = point.stat().st_dev
    with pytest.raises(DriveInUse, match="not mounted here any more"):
        clear_folder(point, device=device + 1)
    assert (point / "data/a").exists()
    assert clear_folder(point, device=device) == 6


def test_links_are_removed_and_not_followed(point: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "file").write_bytes(b"x")
    (point / "folder").symlink_to(tmp_path / "elsewhere")
    (point / "file").symlink_to(tmp_path / "elsewhere" / "file")
    os.mkfifo(point / "pipe")
    clear_folder(point)
    assert list(point.iterdir()) == []
    assert (tmp_path / "elsewhere" / "file").read_bytes() == b"x"


def test_what_says_whose_the_rest_is_goes_last(point: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(point)
    removed: list[str] = []
    real_unlink = os.unlink

    def note(path: str, *, dir_fd: int | None = None) -> None:
        removed.append(path)
        real_unlink(path, dir_fd=dir_fd)

    monkeypatch.setattr(os, "unlink", note)
    clear_folder(point, ("packtrain/plan.json", "packtrain/none.sig"))
    assert removed[-2:] == ["plan.json", "none.sig"]
    assert sorted(removed[:-2]) == [".hidden", "README.txt", "a", "b", "drive.json"]
    assert list(point.iterdir()) == []


def test_an_empty_drive_stays_empty(point: Path) -> None:
    assert clear_folder(point, ("packtrain/plan.json",)) == 0


def test_what_cannot_be_removed_is_named(point: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(point)

    def refuse(path: str, *, dir_fd: int | None = None) -> None:
        raise OSError(5, "Input/output error", path)

    monkeypatch.setattr(os, "unlink", refuse)
    with pytest.raises(DriveFailed, match="Input/output error"):
        clear_folder(point)


def test_folders_deeper_than_any_drive_has_are_an_error_and_no_crash(point: Path) -> None:
    folder = point
    for _ in range(210):
        folder = folder / "d"
        folder.mkdir()
    with pytest.raises(DriveFailed, match="deep"):
        clear_folder(point)
