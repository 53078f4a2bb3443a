"""measure on real file systems: read past the cache, mounted read-only, nearly full, gone in the middle. As root."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from loop_drives import loop_device, loop_drive, loop_drives, mounted
from packtrain import durable
from packtrain.devices.bench import MachineBench
from packtrain.devices.directory import DirectoryDrive
from packtrain.errors import DriveFull
from packtrain.events import discard
from packtrain.stages.measure.drives import Asked, Candidate, look_at, measure_alone
from packtrain.stages.measure.together import measure_together
from packtrain.units import MIB

pytestmark = pytest.mark.root

BENCH = MachineBench()
ASKED = Asked(total_bytes=16 * MIB, seconds=20.0, cores=1)
SIZE = 160 * MIB


@pytest.fixture
def point(tmp_path: Path) -> Iterator[Path]:
    with loop_drive(tmp_path / "drive", "ext4", SIZE) as mount_point:
        yield mount_point


def look(point: Path, name: str = "A1", *, is_exact: bool = True) -> Candidate:
    return look_at(name, DirectoryDrive(point), BENCH, ASKED, is_exact=is_exact)


def names(point: Path) -> list[str]:
    return sorted(path.name for path in point.iterdir() if path.name != "lost+found")


def test_a_drive_is_read_past_the_page_cache_and_says_where_its_files_lay(point: Path) -> None:
    found = measure_alone(look(point), BENCH, ASKED, discard)

    assert (found.file_system, found.readback, found.problem) == ("ext4", "direct", "")
    places = [part.at_bytes for part in found.parts]
    assert all(place is not None and 0 < place < SIZE for place in places)
    assert names(point) == []


def test_two_drives_on_one_disk_hang_on_it_both(tmp_path: Path) -> None:
    with loop_drives([tmp_path / "one", tmp_path / "two"], "ext4", SIZE) as points:
        candidates = [look(point, point.name) for point in points]
        measured = [measure_alone(one, BENCH, ASKED, discard) for one in candidates]
        together = measure_together(candidates, measured, BENCH, ASKED, discard)

        ways = [[key for key, _ in one.medium.way] for one in candidates]
        assert together is not None
        assert together.write is not None and together.write.bytes == 2 * 16 * MIB
        # Two file systems, two loop devices, and below both the disk with their files.
        assert ways[0][:2] != ways[1][:2]
        assert ways[0][2:] == ways[1][2:]
        assert [names(point) for point in points] == [[], []]


def test_a_drive_without_room_is_refused_and_not_filled(point: Path) -> None:
    (point / "somebody's own").write_bytes(bytes(60 * MIB))
    free_bytes = DirectoryDrive(point).free_bytes()

    with pytest.raises(DriveFull):
        look_at("A1", DirectoryDrive(point), BENCH, Asked(64 * MIB, 20.0, 1), is_exact=False)
    assert DirectoryDrive(point).free_bytes() == free_bytes


def test_a_drive_that_is_mounted_read_only_is_not_written(tmp_path: Path) -> None:
    with loop_device(tmp_path / "image", SIZE) as device:
        subprocess.run(["mkfs.ext4", "-q", str(device)], check=True, timeout=60)
        with mounted(device, tmp_path / "drive", options="ro") as point:
            found = measure_alone(look(point), BENCH, ASKED, discard)

    assert not found.is_written
    assert found.problem.startswith("nothing was measured: it is mounted read-only")


def test_one_that_goes_in_the_middle_has_no_rates_and_the_next_run_clears_it(tmp_path: Path) -> None:
    with loop_device(tmp_path / "image", SIZE) as device:
        subprocess.run(["mkfs.ext4", "-q", str(device)], check=True, timeout=60)
        with mounted(device, tmp_path / "drive") as point:
            one = look(point)

            def unmount(step: str) -> None:
                if step == "written packtrain-measure-2":
                    subprocess.run(["umount", "--lazy", str(point)], check=True, timeout=60)

            durable.observe_steps(unmount)
            try:
                found = measure_alone(one, BENCH, ASKED, discard)
            finally:
                durable.observe_steps(None)
            assert names(point) == [], "the folder below the mount point is the system's own"
        with mounted(device, tmp_path / "drive") as point:
            left = names(point)
            again = measure_alone(look(point), BENCH, ASKED, discard)
            after = names(point)

    assert (found.write, found.read) == (None, None)
    assert found.problem != ""
    assert left != []
    assert (again.problem, after) == ("", [])
