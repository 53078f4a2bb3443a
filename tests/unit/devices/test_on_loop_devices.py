"""The drive contract on real file systems, and a small shipment over eight of them: loop devices, as root."""

from collections.abc import Iterator
from pathlib import Path
from shutil import which
from time import monotonic, sleep

import pytest

from contract.drive_suite import PAYLOAD, DriveContract
from load_parts import SIZES, Site, pack_template
from loop_drives import loop_drive, loop_drives
from packtrain.devices.directory import DirectoryDrive
from packtrain.errors import DriveFull
from packtrain.events import discard
from packtrain.ports import Drive
from packtrain.units import MIB
from packtrain.without_folder import check_drives

pytestmark = pytest.mark.root


class _OnFileSystem(DriveContract):
    kind = ""

    @pytest.fixture(scope="class")
    @classmethod
    def mount_point(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
        with loop_drive(tmp_path_factory.mktemp("loop") / "drive", cls.kind) as point:
            yield point

    @pytest.fixture
    def drive(self, mount_point: Path) -> Drive:
        drive = DirectoryDrive(mount_point)
        for name in list(drive.names()):
            drive.remove(name)
        return drive

    def test_a_file_is_read_back_past_the_cache(self, drive: Drive) -> None:
        drive.write_bytes("data/x", PAYLOAD)
        reader = drive.open_reader("data/x", past_cache=True)
        reader.close()
        assert reader.readback == "direct"

    def test_a_full_file_system_is_a_full_drive_and_leaves_nothing(self, drive: Drive) -> None:
        block = memoryview(bytes(4 * MIB))
        with pytest.raises(DriveFull), drive.open_writer("data/x") as writer:
            for _ in range(100):
                writer.write(block)
        assert list(drive.names()) == []
        # xfs gives the blocks of a removed file back in the background.
        given_back_by = monotonic() + 30
        while drive.free_bytes() <= 16 * MIB and monotonic() < given_back_by:
            sleep(0.05)
        assert drive.free_bytes() > 16 * MIB


class TestOnExt4(_OnFileSystem):
    kind = "ext4"


@pytest.mark.skipif(which("mkfs.xfs") is None, reason="no mkfs.xfs (Debian package: xfsprogs)")
class TestOnXfs(_OnFileSystem):
    kind = "xfs"


@pytest.mark.skipif(which("mkfs.exfat") is None, reason="no mkfs.exfat (Debian package: exfatprogs)")
class TestOnExfat(_OnFileSystem):
    kind = "exfat"


def test_a_shipment_over_eight_file_systems_is_packed_checked_and_loaded_without_one_case(tmp_path: Path) -> None:
    labels = [f"{case}{number}" for case in "ABCD" for number in (1, 2)]
    with loop_drives([tmp_path / f"drive-{label}" for label in labels]) as points:
        packing, written = pack_template(tmp_path, SIZES, cases=(2, 2, 2, 2))
        report = check_drives(points, discard)
        assert report.exit_code in (0, 42), report.text()
        by_uuid = {planned.uuid: planned.label for planned in packing.plan.drives}
        drives = {by_uuid[uuid]: drive for uuid, drive in packing.drives.items()}
        site = Site(tmp_path, packing, written, drives)
        site.lose("B1", "B2")
        site.load()
        site.assert_loaded()
        for drive in drives.values():
            reader = drive.open_reader("packtrain/plan.json", past_cache=True)
            reader.close()
            assert reader.readback == "direct"
