"""Machines as sysfs, mountinfo and the udev database show them, written by hand in the shape that the kernel documents.

None of them is a recording of hardware: a tree is built below a folder, with the links that a kernel would make.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from packtrain.devices.block import Roots

PCI = "devices/pci0000:00"


@dataclass
class Machine:
    """A machine below `root`; add drives, then look at it with `roots`."""

    root: Path
    mounts: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        for folder in ("sys/block", "sys/class/block", "sys/dev/block", "proc/self", "dev/disk/by-id", "run/udev/data"):
            (self.root / folder).mkdir(parents=True, exist_ok=True)
        self._tell_mounts()

    @property
    def roots(self) -> Roots:
        return Roots(*(self.root / name for name in ("sys", "proc", "dev", "run")))

    def drive(
        self,
        name: str,
        number: str,
        place: str,
        *,
        size_bytes: int = 4_000_787_030_016,
        files: Mapping[str, str | bytes] | None = None,
        by_id: tuple[str, ...] = (),
        udev: Mapping[str, str] | None = None,
        content: bytes = b"",
        rotational: bool = True,
    ) -> Path:
        """Add a drive whose sysfs folder is sys/<place>/block/<name>; return that folder."""
        block = self.root / "sys" / place / "block" / name
        self._device(block, name, number, size_bytes, content)
        _write(block / "queue" / "rotational", "1" if rotational else "0")
        _write(block / "queue" / "zoned", "none")
        _write(block / "removable", "0")
        _link(self.root / "sys" / "block" / name, block)
        device = self.root / "sys" / place
        if device.is_dir():
            _link(block / "device", device)
        for path, text in (files or {}).items():
            _write(block / path, text)
        for link in by_id:
            _link(self.root / "dev" / "disk" / "by-id" / link, self.root / "dev" / name)
        if udev is not None:
            lines = "".join(f"E:{key}={value}\n" for key, value in udev.items())
            _write(self.root / "run" / "udev" / "data" / f"b{number}", f"S:disk/by-id/x\n{lines}")
        return block

    def partition(self, block: Path, number: str, *, size_bytes: int, content: bytes = b"") -> Path:
        """Add the next partition of a drive; return its sysfs folder."""
        count = 1 + sum((path / "partition").is_file() for path in block.iterdir())
        name = f"{block.name}{'p' if block.name[-1].isdigit() else ''}{count}"
        self._device(block / name, name, number, size_bytes, content)
        _write(block / name / "partition", str(count))
        return block / name

    def holder(self, below: Path, name: str, number: str, uuid: str = "", *, size_bytes: int = 1 << 40) -> Path:
        """Put a dm or md device on a part; return its sysfs folder."""
        block = self.root / "sys" / "devices" / "virtual" / "block" / name
        self._device(block, name, number, size_bytes, b"")
        _link(self.root / "sys" / "block" / name, block)
        if uuid:
            _write(block / "dm" / "uuid", uuid)
            _write(block / "dm" / "name", name)
        _link(below / "holders" / name, block)
        _link(block / "slaves" / below.name, below)
        return block

    def mount(
        self,
        number: str,
        point: str | Path,
        *,
        kind: str = "ext4",
        source: str = "",
        options: str = "rw",
        root: str = "/",
    ) -> None:
        """Mount a device number at a place."""
        where = str(point).replace(" ", "\\040")
        self.mounts.append(f"40 20 {number} {root} {where} {options} shared:1 - {kind} {source or '/dev/x'} {options}")
        self._tell_mounts()

    def swap(self, device: str) -> None:
        _write(self.root / "proc" / "swaps", f"Filename\tType\tSize\tUsed\tPriority\n{device}\tpartition\t8\t0\t-2\n")

    def _tell_mounts(self) -> None:
        _write(self.root / "proc" / "self" / "mountinfo", "".join(f"{line}\n" for line in self.mounts))

    def _device(self, block: Path, name: str, number: str, size_bytes: int, content: bytes) -> None:
        _write(block / "size", str(size_bytes // 512))
        _write(block / "dev", number)
        _write(block / "ro", "0")
        _link(self.root / "sys" / "class" / "block" / name, block)
        _link(self.root / "sys" / "dev" / "block" / number, block)
        _write(self.root / "dev" / name, content)


def usb_bridge(root: Path, port: str, serial: str, product: str = "Dock") -> str:
    """Add a USB device with a SCSI target below it; return the place of a drive behind it."""
    usb = f"{PCI}/0000:00:14.0/usb2/{port}"
    for path, text in {"idVendor": "152d", "serial": serial, "product": product, "manufacturer": "JMicron"}.items():
        _write(root / "sys" / usb / path, text)
    return f"{usb}/{port}:1.0/host6/target6:0:0/6:0:0:0"


def vital_product_page(serial: str) -> bytes:
    """Return SCSI page 0x80 with a unit serial number."""
    text = serial.rjust(20).encode()
    return struct.pack(">BBH", 0, 0x80, len(text)) + text


def ext4_head(label: str, uuid: bytes = bytes(range(16))) -> bytes:
    """Return the first bytes of an ext4 as far as its marks go."""
    head = bytearray(4096)
    head[0x438:0x43A] = b"\x53\xef"
    struct.pack_into("<II", head, 0x45C, 0x4, 0x2C2)
    head[0x468:0x478] = uuid
    head[0x478 : 0x478 + len(label)] = label.encode()
    return bytes(head)


def _write(path: Path, content: str | bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else f"{content}\n".encode())


def _link(path: Path, target: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.is_symlink():
        path.symlink_to(os.path.relpath(target, path.parent))
