"""Drives as they are wired: which serial number documents get, what is listed, what a person must type."""

from pathlib import Path

import pytest

from packtrain import drives
from packtrain.devices.directory import DirectoryDrive
from packtrain.errors import DriveInUse, DriveMissing, DuplicateDrive, ForeignDrive
from packtrain.events import Event, Notice, discard
from packtrain.units import KIB
from packtrain.volume.holding import holding
from recorded_machines import PCI, Machine, ext4_head, usb_bridge, vital_product_page
from shipment_parts import make_packing, write_cargo

SATA = f"{PCI}/0000:00:17.0/ata{{0}}/host{{0}}/target{{0}}:0:0/{{0}}:0:0:0"


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path / "machine")


def mounted_sata(machine: Machine, number: int, serial: str, uuid: int) -> Path:
    """Add a SATA drive with a file system and mount it; return the mount point."""
    name = "sd" + "abcdef"[number]
    page = {"device/vpd_pg80": vital_product_page(serial)}
    machine.drive(name, f"8:{16 * number}", SATA.format(number), files=page, content=ext4_head("", bytes([uuid] * 16)))
    return mount(machine, f"8:{16 * number}", name)


def mount(machine: Machine, number: str, name: str) -> Path:
    point = machine.root / "mnt" / name
    point.mkdir(parents=True)
    machine.mount(number, point)
    return point


def opened(machine: Machine, *points: Path) -> tuple[list[str | None], list[str]]:
    """Open the points one after the other; return the serials they end with and what was told."""
    events: list[Event] = []
    opener = drives.DriveOpener(events.append, machine.roots)
    found = [opener(point) for point in points]
    return [drive.serial for drive in found], [event.text for event in events if isinstance(event, Notice)]


def test_a_mounted_drive_has_its_serial_and_a_folder_has_none(machine: Machine) -> None:
    point = mounted_sata(machine, 0, "WD-1", 1)
    (point / "below").mkdir()
    assert opened(machine, point, point / "below") == (["WD-1", None], [])


def test_two_drives_of_a_bridge_that_hides_them_lose_the_number_they_share(machine: Machine) -> None:
    first, second = mounted_sata(machine, 0, "BAY", 1), mounted_sata(machine, 1, "BAY", 2)
    third = mounted_sata(machine, 2, "WD-3", 3)
    serials, told = opened(machine, first, third, second)
    assert serials == [None, "WD-3", None]
    assert len(told) == 1
    assert "both count as unknown" in told[0]


def test_a_number_that_only_the_bridge_has_is_not_the_drives(machine: Machine) -> None:
    place = usb_bridge(machine.root, "2-1", "DD56419883891")
    machine.drive("sdb", "8:16", place, content=ext4_head("A1"))
    assert opened(machine, mount(machine, "8:16", "sdb")) == ([None], [])


def test_two_partitions_of_one_drive_are_told(machine: Machine) -> None:
    block = machine.drive("sda", "8:0", SATA.format(0), files={"device/vpd_pg80": vital_product_page("WD-1")})
    points: list[Path] = []
    for number in (1, 2):
        machine.partition(block, f"8:{number}", size_bytes=1 << 30, content=ext4_head("", bytes([number] * 16)))
        points.append(mount(machine, f"8:{number}", f"sda{number}"))
    serials, told = opened(machine, *points)
    assert serials == ["WD-1", "WD-1"]
    assert told[0].endswith("losing it loses both")


def test_a_path_that_is_no_folder_is_a_missing_drive(machine: Machine, tmp_path: Path) -> None:
    with pytest.raises(DriveMissing):
        drives.DriveOpener(discard, machine.roots)(tmp_path / "none")


def test_the_list_says_what_each_drive_holds(machine: Machine) -> None:
    empty, foreign = mounted_sata(machine, 0, "S0", 1), mounted_sata(machine, 1, "S1", 2)
    (foreign / "holiday.jpg").write_bytes(b"x")
    machine.drive("sdc", "8:32", SATA.format(2))
    machine.mount("8:32", "/")
    listed = drives.list_drives(roots=machine.roots)
    held = [one.holding.text() if one.holding is not None else None for drive in listed for one in drive.parts]
    assert held == ["empty", "foreign: holiday.jpg, ...", None]
    assert [drive.drive.is_offered for drive in listed] == [True, True, False]
    assert empty.is_dir()


def test_a_label_of_a_file_system_names_its_mount_point(machine: Machine) -> None:
    machine.drive("sda", "8:0", SATA.format(0), content=ext4_head("A1"))
    point = mount(machine, "8:0", "sda")
    assert drives.find_folder("A1", machine.roots) == point
    with pytest.raises(DriveMissing):
        drives.find_folder("A2", machine.roots)
    machine.drive("sdb", "8:16", SATA.format(1), content=ext4_head("A1"))
    mount(machine, "8:16", "sdb")
    with pytest.raises(DuplicateDrive):
        drives.find_folder("A1", machine.roots)


@pytest.mark.parametrize(
    ("serial", "head", "word"),
    [
        ("WD-WX11D1234567", ext4_head("A1"), "4567"),
        ("Z-9", ext4_head("A1"), "0e0f"),
        ("", ext4_head("A1"), "0e0f"),
        ("", b"", "sda"),
    ],
)
def test_what_must_be_typed_is_the_serials_end_else_the_volume_ids_else_the_device(
    machine: Machine, serial: str, head: bytes, word: str
) -> None:
    page = {"device/vpd_pg80": vital_product_page(serial)} if serial else {}
    machine.drive("sda", "8:0", SATA.format(0), files=page, content=head)
    deed = drives.formatting(machine.root / "dev" / "sda", "A1", machine.roots)
    assert deed.word == word
    assert deed.is_confirmed_by(f" {word.upper()} ")
    assert not deed.is_confirmed_by("")


def test_two_drives_that_share_a_serial_are_told_apart_by_their_volume_ids(machine: Machine) -> None:
    mounted_sata(machine, 0, "SAME-BAY-1", 1)
    second = mounted_sata(machine, 1, "SAME-BAY-1", 2)
    assert drives.clearing(second, discard, machine.roots).word == "0202"


@pytest.mark.parametrize("how", ["mounted", "partition mounted", "system", "raid", "read-only", "missing"])
def test_a_device_that_anybody_uses_is_never_formatted(machine: Machine, how: str) -> None:
    block = machine.drive("sda", "8:0", SATA.format(0))
    part = machine.partition(block, "8:1", size_bytes=1 << 30)
    device = machine.root / "dev" / "sda"
    match how:
        case "mounted":
            machine.mount("8:0", "/mnt/x")
            device = machine.root / "dev" / "sda1"
        case "partition mounted":
            machine.mount("8:1", "/mnt/x")
        case "system":
            machine.mount("8:1", "/home")
        case "raid":
            machine.holder(part, "md0", "9:0")
        case "read-only":
            (block / "ro").write_text("1\n")
        case _:
            device = machine.root / "dev" / "sdz"
    with pytest.raises((DriveInUse, DriveMissing)):
        drives.formatting(device, "A1", machine.roots)


@pytest.mark.parametrize("label", ["", "A 1", "-A1", "A" * 17, "Ä1", "A/1"])
def test_a_label_that_ext4_or_a_shell_takes_amiss_is_refused(machine: Machine, label: str) -> None:
    with pytest.raises(ValueError, match="letters and digits"):
        drives.formatting(machine.root / "dev" / "sda", label, machine.roots)


def test_clearing_empties_the_drive_and_counts(machine: Machine) -> None:
    point = mounted_sata(machine, 0, "S0-1234", 1)
    (point / "data").mkdir()
    (point / "data" / "x").write_bytes(b"x")
    deed = drives.clearing(point, discard, machine.roots)
    assert deed.word == "1234"
    assert "holds    foreign: data/x, ..." in deed.told
    assert deed.do()[1] == {"mount": str(point), "num_files": 1}
    assert list(point.iterdir()) == []


def test_a_drive_that_was_swapped_while_a_person_typed_is_not_cleared(machine: Machine) -> None:
    point = mounted_sata(machine, 0, "S0-1234", 1)
    (point / "x").write_bytes(b"x")
    deed = drives.clearing(point, discard, machine.roots)
    (machine.root / "dev" / "sda").write_bytes(ext4_head("", bytes([9] * 16)))
    with pytest.raises(DriveInUse, match="another drive"):
        deed.do()
    assert (point / "x").exists()


def test_a_closed_drive_says_which_it_is_and_takes_no_dip_test(tmp_path: Path) -> None:
    write_cargo(tmp_path / "cargo", {"a": 3 * KIB})
    packing = make_packing(tmp_path)
    label = packing.plan.drives[0].label
    folder = packing.folder(label)
    assert holding(DirectoryDrive(folder)).state == "empty"
    packing.write()
    held = holding(DirectoryDrive(folder))
    assert held.text() == f"drive {label} of shipment {packing.plan.shipment[:8]}, closed"
    with pytest.raises(DriveInUse):
        drives.run_dip_test(folder, discard)
    (folder / "packtrain" / "drive.json").unlink()
    assert holding(DirectoryDrive(folder)).text() == held.text().replace("closed", "open")
    (folder / "packtrain" / "plan.json").write_bytes(b"{}")
    assert holding(DirectoryDrive(folder)).state == "foreign"


def test_a_dip_test_of_a_folder_leaves_nothing(tmp_path: Path) -> None:
    report = drives.run_dip_test(tmp_path, discard, asked_bytes=256 * KIB, extent_bytes=128 * KIB)
    assert report.written_bytes == 256 * KIB
    assert list(tmp_path.iterdir()) == []


def test_packing_names_the_command_that_empties_a_foreign_drive(tmp_path: Path) -> None:
    write_cargo(tmp_path / "cargo", {"a": 3 * KIB})
    packing = make_packing(tmp_path)
    folder = packing.folder("A1")
    (folder / "holiday.jpg").write_bytes(b"x")
    with pytest.raises(ForeignDrive) as caught:
        packing.write()
    assert f'"packtrain drives clear {folder}"' in (caught.value.hint or "")
    assert (folder / "holiday.jpg").exists()
