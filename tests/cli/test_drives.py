"""`packtrain drives` on loop devices, as root: no other device of this machine is ever touched."""

import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest

from loop_drives import loop_device, loop_drive, mounted
from packtrain.devices.superblock import read_file_system
from packtrain.units import MIB


class Ran(Protocol):
    """What a command left behind; see conftest.py."""

    exit_code: int
    stdout: str
    stderr: str


Run = Callable[..., Ran]


@pytest.fixture
def point(tmp_path: Path) -> Iterator[Path]:
    with loop_drive(tmp_path / "a1") as point:
        (point / "data").mkdir()
        (point / "data" / "holiday.jpg").write_bytes(b"x")
        yield point


@pytest.fixture
def device(tmp_path: Path) -> Iterator[Path]:
    with loop_device(tmp_path / "blank.img", 32 * MIB) as device:
        yield device


def _uuid(packtrain: Run, point: Path) -> str:
    listed: list[dict[str, Any]] = json.loads(packtrain("drives", "--json").stdout)
    (uuid,) = [part["uuid"] for drive in listed for part in drive["parts"] if str(point) in part["mounts"]]
    return uuid


def test_the_list_is_answered_on_any_machine(packtrain: Run) -> None:
    ran = packtrain("drives")
    assert ran.exit_code == 0
    assert isinstance(json.loads(packtrain("drives", "--json").stdout), list)


@pytest.mark.root
def test_a_mounted_loop_device_is_listed_with_what_it_holds(packtrain: Run, point: Path) -> None:
    (line,) = [line for line in packtrain("drives").stdout.splitlines() if str(point) in line]
    assert line.startswith("loop")
    assert "ext4" in line
    assert "foreign: data/holiday.jpg" in line


@pytest.mark.root
def test_clearing_without_a_word_is_refused_and_says_what_to_type(packtrain: Run, point: Path) -> None:
    ran = packtrain("drives", "clear", point)
    assert ran.exit_code == 2
    assert f"add --confirm {_uuid(packtrain, point)[-4:]}" in ran.stderr
    assert (point / "data" / "holiday.jpg").exists()


@pytest.mark.root
def test_clearing_with_a_wrong_word_is_refused(packtrain: Run, point: Path) -> None:
    assert packtrain("drives", "clear", point, "--confirm", "zzzz").exit_code == 2
    assert (point / "data" / "holiday.jpg").exists()


@pytest.mark.root
def test_clearing_with_the_word_empties_the_drive(packtrain: Run, point: Path) -> None:
    ran = packtrain("drives", "clear", point, "--confirm", _uuid(packtrain, point)[-4:], "--json")
    assert (ran.exit_code, json.loads(ran.stdout)["num_files"]) == (0, 1)
    assert [path.name for path in point.iterdir()] == ["lost+found"]


@pytest.mark.root
def test_a_mount_below_the_drive_stops_clearing(packtrain: Run, point: Path, device: Path) -> None:
    subprocess.run(["mkfs.ext4", "-q", str(device)], check=True)
    with mounted(device, point / "below") as below:
        (below / "theirs").write_bytes(b"x")
        ran = packtrain("drives", "clear", point, "--confirm", _uuid(packtrain, point)[-4:])
        assert ran.exit_code == 37
        assert (below / "theirs").exists()


@pytest.mark.root
def test_formatting_a_blank_device_makes_an_ext4_that_the_kernel_sees(packtrain: Run, device: Path) -> None:
    refused = packtrain("drives", "format", device, "--label", "A3")
    assert refused.exit_code == 2
    assert f"--confirm {device.name}" in refused.stderr
    assert read_file_system(device) is None
    made = packtrain("drives", "format", device, "--label", "A3", "--confirm", device.name, "--json")
    assert made.exit_code == 0, made.stderr
    found = read_file_system(device)
    assert found is not None
    assert (found.kind, found.label, found.uuid) == ("ext4", "A3", json.loads(made.stdout)["uuid"])


@pytest.mark.root
def test_formatting_removes_what_other_tools_would_still_find(packtrain: Run, device: Path) -> None:
    for offset, mark in ((512, b"EFI PART"), (32 * MIB - 512, b"EFI PART"), (32769, b"CD001")):
        with device.open("r+b") as stream:
            stream.seek(offset)
            stream.write(mark)
    word = packtrain("drives", "format", device, "--label", "A3").stderr.partition("--confirm ")[2].partition(":")[0]
    assert packtrain("drives", "format", device, "--label", "A3", "--confirm", word).exit_code == 0
    done = subprocess.run(["wipefs", "--noheadings", str(device)], capture_output=True, text=True, check=True)
    assert [line.split()[2] for line in done.stdout.splitlines()] == ["ext4"]


@pytest.mark.root
def test_a_mounted_device_is_never_formatted(packtrain: Run, device: Path, tmp_path: Path) -> None:
    subprocess.run(["mkfs.ext4", "-q", str(device)], check=True)
    with mounted(device, tmp_path / "x"):
        ran = packtrain("drives", "format", device, "--label", "A3", "--confirm", device.name)
    assert ran.exit_code == 37
    assert "mounted" in ran.stderr


@pytest.mark.root
def test_the_disk_of_this_machine_is_never_formatted(packtrain: Run) -> None:
    source = subprocess.run(
        ["findmnt", "-no", "SOURCE", "/"], capture_output=True, text=True, check=False
    ).stdout.strip()
    if not source.startswith("/dev/"):
        pytest.skip("the root file system lies on no block device")
    assert packtrain("drives", "format", source, "--label", "A3", "--confirm", "whatever").exit_code in (30, 37)


@pytest.mark.root
def test_a_person_at_a_terminal_is_shown_the_drive_and_asked(point: Path) -> None:
    ours, theirs = pty.openpty()
    program = "from packtrain.cli.main import main; main()"
    process = subprocess.Popen(
        [sys.executable, "-c", program, "drives", "clear", str(point)],
        stdin=theirs,
        stderr=theirs,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    os.close(theirs)
    shown = b""
    while b"type the last four" not in shown:
        shown += os.read(ours, 1000)
    while not shown.rstrip().endswith(b":"):
        shown += os.read(ours, 1000)
    os.write(ours, b"wrong\n")
    assert process.wait(30) == 2
    os.close(ours)
    assert b"foreign: data/holiday.jpg" in shown
    assert (point / "data" / "holiday.jpg").exists()


def test_a_dip_test_says_how_it_went(packtrain: Run, tmp_path: Path) -> None:
    ran = packtrain("drives", "--dip-test", tmp_path, "--dip-bytes", "256KiB", "--dip-extent", "128KiB", "--json")
    assert ran.exit_code == 0
    assert json.loads(ran.stdout)["written_bytes"] == 256 * 1024
    assert json.loads(ran.stdout)["verdict"] == "too short to say"


@pytest.mark.parametrize("extent", ["64KiB", "2MiB", "130001", "soon"])
def test_an_extent_that_no_drive_is_tested_with_is_a_wrong_command_line(
    packtrain: Run, tmp_path: Path, extent: str
) -> None:
    assert packtrain("drives", "--dip-test", tmp_path, "--dip-extent", extent).exit_code == 2


def test_a_folder_is_not_cleared(packtrain: Run, tmp_path: Path) -> None:
    (tmp_path / "mine").write_bytes(b"x")
    ran = packtrain("drives", "clear", tmp_path, "--confirm", "0000")
    assert ran.exit_code == 30
    assert (tmp_path / "mine").exists()
