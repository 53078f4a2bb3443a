"""The drives of machines that were written down by hand: which stand there, what they are called, who uses them."""

import os
from pathlib import Path

import pytest

from packtrain.devices.block import BlockDrive, drive_at, find_drive, read_drives
from recorded_machines import PCI, Machine, ext4_head, usb_bridge, vital_product_page

SATA = f"{PCI}/0000:00:17.0/ata3/host2/target2:0:0/2:0:0:0"


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path / "machine")


def only(machine: Machine) -> BlockDrive:
    (drive,) = read_drives(machine.roots)
    return drive


def test_a_sata_disk_has_the_id_with_its_model_and_the_serial_of_its_product_page(machine: Machine) -> None:
    machine.drive(
        "sda",
        "8:0",
        SATA,
        by_id=("wwn-0x50014ee2", "ata-WDC_WD40EFAX-68JH4N0_WD-WX11D1234567"),
        files={
            "device/vendor": "ATA     ",
            "device/model": "WDC WD40EFAX-68J",
            "device/vpd_pg80": vital_product_page("WD-WX11D1234567"),
        },
    )
    drive = only(machine)
    assert Path(drive.id).name == "ata-WDC_WD40EFAX-68JH4N0_WD-WX11D1234567"
    assert (drive.model, drive.transport, drive.is_rotational) == ("WDC WD40EFAX-68J", "sata", True)
    assert drive.serial is not None and (drive.serial.text, drive.serial.source) == ("WD-WX11D1234567", "drive")
    assert drive.size_bytes == 4_000_787_030_016
    assert drive.is_offered


def test_an_nvme_drive_tells_its_serial_in_its_device_folder(machine: Machine) -> None:
    machine.drive(
        "nvme0n1",
        "259:0",
        f"{PCI}/0000:01:00.0/nvme/nvme0/nvme0n1",
        by_id=("nvme-eui.0025385", "nvme-Samsung_SSD_980_S64D"),
        files={"device/serial": "S64DNX0R", "device/model": "Samsung SSD 980"},
        rotational=False,
    )
    drive = only(machine)
    assert drive.serial is not None and drive.serial.text == "S64DNX0R"
    assert (drive.transport, Path(drive.id).name) == ("nvme", "nvme-Samsung_SSD_980_S64D")


def test_a_bridge_that_shows_only_itself_gives_a_serial_of_the_bridge(machine: Machine) -> None:
    place = usb_bridge(machine.root, "2-1", "DD56419883891")
    machine.drive("sdb", "8:16", place, files={"device/vpd_pg80": vital_product_page("DD56419883891")})
    drive = only(machine)
    assert drive.transport == "usb"
    assert drive.serial is not None and (drive.serial.text, drive.serial.source) == ("DD56419883891", "bridge")


def test_udev_that_asked_the_drive_behind_a_bridge_is_believed(machine: Machine) -> None:
    place = usb_bridge(machine.root, "2-1", "DD56419883891")
    udev = {"ID_ATA": "1", "ID_BUS": "ata", "ID_SERIAL_SHORT": "ZDH1ABCD"}
    machine.drive("sdb", "8:16", place, udev=udev)
    drive = only(machine)
    assert drive.serial is not None and (drive.serial.text, drive.serial.source) == ("ZDH1ABCD", "drive")


@pytest.mark.parametrize("nothing", ["000000000000", "0123456789ABCDEF", "   ", "Default", "a\x1b[2Jb"])
def test_a_placeholder_is_no_serial(machine: Machine, nothing: str) -> None:
    machine.drive("sdb", "8:16", usb_bridge(machine.root, "2-1", nothing))
    assert only(machine).serial is None


@pytest.mark.parametrize("page", [b"", b"\0\x80", b"\0\x83\0\x04abcd", b"\0\x80\xff\xff", b"\0\x80\0\x04\xff\xfe\0\0"])
def test_a_broken_product_page_is_no_serial(machine: Machine, page: bytes) -> None:
    machine.drive("sda", "8:0", SATA, files={"device/vpd_pg80": page})
    assert only(machine).serial is None


def test_a_loop_device_is_called_by_its_backing_file(machine: Machine) -> None:
    machine.drive("loop7", "7:7", "devices/virtual", files={"loop/backing_file": "/srv/a1.img"})
    assert (only(machine).id, only(machine).transport) == ("/srv/a1.img", "loop")


def test_what_has_no_medium_or_is_no_drive_is_not_listed(machine: Machine) -> None:
    machine.drive("sdc", "8:32", SATA, size_bytes=0)
    for name in ("ram0", "zram0", "sr0"):
        machine.drive(name, "1:0", "devices/virtual")
    assert read_drives(machine.roots) == []


def test_partitions_carry_file_systems_labels_and_mounts(machine: Machine, tmp_path: Path) -> None:
    block = machine.drive("sda", "8:0", SATA)
    machine.partition(block, "8:1", size_bytes=1 << 30, content=ext4_head("A3"))
    point = tmp_path / "mnt a3"
    point.mkdir()
    machine.mount("8:1", point)
    whole, part = only(machine).parts
    assert (whole.is_whole, part.name, part.mounts) == (True, "sda1", (point,))
    assert part.file_system is not None
    assert (part.file_system.kind, part.file_system.label) == ("ext4", "A3")
    assert part.free_bytes is not None and part.free_bytes > 0


@pytest.mark.parametrize("point", ["/", "/boot/efi", "/var/lib/docker", "/home", "/var/home", "/snap/x/1"])
def test_a_drive_that_the_system_is_mounted_from_is_not_offered(machine: Machine, point: str) -> None:
    block = machine.drive("sda", "8:0", SATA)
    machine.partition(block, "8:1", size_bytes=1 << 30)
    machine.mount("8:1", point)
    assert only(machine).use == f"system: mounted at {point}"
    assert not only(machine).is_offered


@pytest.mark.parametrize("point", ["/mnt/a1", "/media/ada/A1", "/srv/bays/1", "/home/ada/drive", "/var/mnt/a1"])
def test_a_drive_that_is_mounted_elsewhere_is_offered(machine: Machine, point: str) -> None:
    machine.drive("sda", "8:0", SATA)
    machine.mount("8:0", point)
    assert only(machine).is_offered


def test_a_drive_that_is_swapped_to_is_not_offered(machine: Machine) -> None:
    block = machine.drive("sda", "8:0", SATA)
    machine.partition(block, "8:1", size_bytes=1 << 30)
    machine.swap("/dev/sda1")
    assert only(machine).use == "swap"


@pytest.mark.parametrize(("name", "uuid", "use"), [("md0", "", "part of RAID md0"), ("dm-0", "LVM-abc", "LVM")])
def test_a_member_of_a_raid_or_a_volume_group_is_not_offered(machine: Machine, name: str, uuid: str, use: str) -> None:
    block = machine.drive("sda", "8:0", SATA)
    machine.holder(block, name, "253:0", uuid)
    assert use in only(machine).use


def test_a_root_on_lvm_on_luks_makes_the_drive_the_systems(machine: Machine) -> None:
    block = machine.drive("sda", "8:0", SATA)
    part = machine.partition(block, "8:2", size_bytes=1 << 40)
    opened = machine.holder(part, "dm-0", "253:0", "CRYPT-LUKS2-abc")
    machine.holder(opened, "dm-1", "253:1", "LVM-abc")
    machine.mount("253:1", "/")
    assert only(machine).use == "system: mounted at /"


def test_a_member_that_nobody_uses_now_is_not_offered_either(machine: Machine) -> None:
    machine.drive("sda", "8:0", SATA, content=(b"\0" * 512 + b"LABELONE" + b"\0" * 16 + b"LVM2 001"))
    assert only(machine).use == "holds a LVM2_member"


def test_a_drive_behind_a_loop_device_is_in_use(machine: Machine) -> None:
    machine.drive("sda", "8:0", SATA)
    machine.drive("loop0", "7:0", "devices/virtual", files={"loop/backing_file": "/dev/sda"})
    machine.mount("7:0", "/mnt/x")
    disk = next(drive for drive in read_drives(machine.roots) if drive.name == "sda")
    assert disk.use == "behind loop0"
    assert disk.parts[0].mounts == (Path("/mnt/x"),)


def test_a_mount_point_leads_to_its_drive(machine: Machine, tmp_path: Path) -> None:
    block = machine.drive("sda", "8:0", SATA, files={"device/serial": "S1"})
    machine.partition(block, "8:1", size_bytes=1 << 30)
    machine.mount("8:1", tmp_path)
    found = drive_at(tmp_path, machine.roots)
    assert found is not None
    assert (found.drive.name, found.part.name) == ("sda", "sda1")


def test_an_opened_luks_container_leads_to_the_drive_below_it(machine: Machine, tmp_path: Path) -> None:
    block = machine.drive("sda", "8:0", SATA)
    machine.holder(block, "dm-0", "253:0", "CRYPT-LUKS2-abc")
    machine.mount("253:0", tmp_path)
    found = drive_at(tmp_path, machine.roots)
    assert found is not None and found.drive.name == "sda"


def test_btrfs_that_hides_its_device_number_leads_to_its_drive_by_its_source(machine: Machine, tmp_path: Path) -> None:
    machine.drive("sda", "8:0", SATA)
    machine.mount("0:51", tmp_path, kind="btrfs", source="/dev/sda", root="/@data")
    found = drive_at(tmp_path, machine.roots)
    assert found is not None and found.part.mounts == (tmp_path,)


@pytest.mark.parametrize("case", ["folder", "bind mount", "tmpfs", "raid"])
def test_what_is_not_one_mounted_drive_leads_to_none(machine: Machine, tmp_path: Path, case: str) -> None:
    block = machine.drive("sda", "8:0", SATA)
    point = tmp_path / "point"
    (point / "below").mkdir(parents=True)
    match case:
        case "folder":
            machine.mount("8:0", point)
            assert drive_at(point / "below", machine.roots) is None
            return
        case "bind mount":
            machine.mount("8:0", point, root="/somewhere")
        case "tmpfs":
            machine.mount("0:30", point, kind="tmpfs", source="tmpfs")
        case _:
            second = machine.drive("sdb", "8:16", SATA.replace("2:0:0:0", "3:0:0:0"))
            machine.holder(block, "md0", "9:0")
            machine.holder(second, "md0", "9:0")
            machine.mount("9:0", point)
    assert drive_at(point, machine.roots) is None


def test_a_link_by_id_names_its_drive(machine: Machine) -> None:
    machine.drive("sda", "8:0", SATA, by_id=("ata-X_1",))
    drives = read_drives(machine.roots)
    found = find_drive(machine.root / "dev/disk/by-id/ata-X_1", drives)
    assert found is not None and found[1].name == "sda"
    assert find_drive(machine.root / "dev/sdz", drives) is None


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every device")
def test_what_cannot_be_read_is_taken_from_the_udev_database(machine: Machine) -> None:
    udev = {"ID_FS_TYPE": "ext4", "ID_FS_UUID": "1-2", "ID_FS_LABEL_ENC": "A\\x203"}
    machine.drive("sda", "8:0", SATA, udev=udev)
    (machine.root / "dev" / "sda").chmod(0)
    system = only(machine).parts[0].file_system
    assert system is not None and (system.kind, system.label, system.uuid) == ("ext4", "A 3", "1-2")


def test_a_machine_without_sysfs_shows_no_drives(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    (machine.root / "sys" / "block").rmdir()
    assert read_drives(machine.roots) == []
