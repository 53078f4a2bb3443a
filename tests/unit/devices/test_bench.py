"""What lies below a folder: the way from a device to the bus, on machines as sysfs shows them, and on this one."""

from __future__ import annotations

from pathlib import Path

import pytest

from packtrain.devices.bench import MachineBench
from packtrain.errors import DriveInUse, DriveMissing
from recorded_machines import PCI, Machine


def _behind_hub(machine: Machine, name: str, number: str, port: int) -> Path:
    usb = f"{PCI}/0000:00:14.0/usb2/2-1/2-1.{port}"
    return machine.drive(name, number, f"{usb}/2-1.{port}:1.0/host{port}/target{port}:0:0/{port}:0:0:0")


def test_two_drives_behind_one_hub_share_the_hub_and_not_the_bridge(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    _behind_hub(machine, "sdb", "8:16", 1)
    _behind_hub(machine, "sdc", "8:32", 2)
    bench = MachineBench(machine.roots)

    first, second = (dict(bench.way(number)) for number in ("8:16", "8:32"))

    assert list(first) == ["disk sdb", "usb 2-1.1", "usb 2-1", "usb usb2", "pci 0000:00:14.0"]
    assert next(key for key in first if key in second) == "usb 2-1"
    assert first["usb 2-1"] == "one USB hub or bridge (2-1)"


def test_two_partitions_share_their_disk(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    block = _behind_hub(machine, "sdb", "8:16", 1)
    machine.partition(block, "8:17", size_bytes=1 << 30)
    machine.partition(block, "8:18", size_bytes=1 << 30)
    bench = MachineBench(machine.roots)

    assert bench.way("8:17")[0] == bench.way("8:18")[0] == ("disk sdb", "one disk (sdb)")


def test_an_opened_luks_container_hangs_where_its_disk_does(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    block = _behind_hub(machine, "sdb", "8:16", 1)
    machine.holder(block, "dm-0", "253:0", "CRYPT-LUKS2-abc-safe")
    bench = MachineBench(machine.roots)

    assert [key for key, _ in bench.way("253:0")] == [
        "disk dm-0",
        "disk sdb",
        "usb 2-1.1",
        "usb 2-1",
        "usb usb2",
        "pci 0000:00:14.0",
    ]


def test_a_device_that_nobody_describes_hangs_on_nothing(tmp_path: Path) -> None:
    assert MachineBench(Machine(tmp_path).roots).way("0:55") == ()


def test_a_folder_of_this_machine_has_its_file_system(tmp_path: Path) -> None:
    medium = MachineBench().medium(tmp_path)

    assert medium.file_system
    assert medium.size_bytes >= medium.free_bytes > 0
    assert not medium.is_read_only
    assert medium.way[0][0].startswith("file system ")


def test_a_folder_that_is_not_there_is_missing(tmp_path: Path) -> None:
    with pytest.raises(DriveMissing):
        MachineBench().medium(tmp_path / "gone")


def test_two_measurements_do_not_share_a_folder(tmp_path: Path) -> None:
    bench = MachineBench()

    with bench.hold(tmp_path), pytest.raises(DriveInUse), bench.hold(tmp_path):
        pass
    with bench.hold(tmp_path):
        pass


def test_processor_and_memory_are_those_of_the_kernel(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    (tmp_path / "proc" / "cpuinfo").write_text("processor\t: 0\nmodel name\t: Example 9000\n")
    (tmp_path / "proc" / "meminfo").write_text("MemTotal:       1000 kB\nMemFree: 1 kB\nMemAvailable:    500 kB\n")
    bench = MachineBench(machine.roots)

    assert bench.processor() == "Example 9000"
    assert bench.memory_bytes() == (1_024_000, 512_000)
