"""The drives of this machine: by stable id, with model, serial, size, what lies on them and who uses them.

Read from sysfs, mountinfo and the udev database alone; nothing is written and no program is run. Every root is a
parameter, so that trees recorded from other machines can be tested.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from packtrain.devices.mounts import Mount, mount_at, read_mounts, read_swaps
from packtrain.devices.serials import Serial, find_serial
from packtrain.devices.superblock import MEMBERS, FileSystem, read_file_system

_NO_DRIVES: Final = re.compile(r"(ram|zram|dm-|md|sr|fd|nbd|drbd|zd)\d*")
_SECTOR_BYTES: Final = 512
"""Sizes in sysfs count sectors of 512 bytes, whatever the drive's own are."""
# What says most about a drive first; a wwn alone is a number that is printed nowhere.
_ID_PREFERRED: Final = ("ata-", "nvme-", "mmc-", "scsi-S", "usb-", "virtio-", "scsi-", "wwn-")


@dataclass(frozen=True, slots=True)
class Roots:
    """Where this machine is described: /sys, /proc, /dev, /run, or a recording of them."""

    sys: Path = Path("/sys")
    proc: Path = Path("/proc")
    dev: Path = Path("/dev")
    run: Path = Path("/run")


SYSTEM: Final = Roots()


@dataclass(frozen=True, slots=True)
class Part:
    """A place for a file system: a partition, or the whole drive.

    Attributes:
        name: "sdb1", or "sdb" for the whole drive.
        device: its device file.
        number: its device number, "major:minor".
        file_system: None where nothing known lies there, or where it cannot be read.
        mounts: where it is mounted, also by way of what is built on it (an opened LUKS container).
        free_bytes: what an ordinary user can still write; None where it is not mounted.
        use: why the system needs it, in words; "" if it does not.
    """

    name: str
    device: Path
    number: str
    size_bytes: int
    is_whole: bool
    is_read_only: bool
    file_system: FileSystem | None
    mounts: tuple[Path, ...]
    free_bytes: int | None
    use: str


@dataclass(frozen=True, slots=True)
class BlockDrive:
    """One drive.

    Attributes:
        id: its stable id: a path below /dev/disk/by-id, else by-path, else the backing file of a loop device, else the
            device file.
        serial: None where none can be read.
        transport: "usb", "sata", "sas", "nvme", "virtio", "mmc", "loop" or "scsi"; "" where it is not known.
        is_rotational: whether a disk turns in it, as the kernel was told.
        zoned: "none", "host-aware" or "host-managed" (shingled and says so).
        parts: the whole drive first, then its partitions.
        use: why the system needs it, in words; "" if it does not. Such a drive is listed and never offered.
    """

    id: str
    name: str
    device: Path
    number: str
    model: str
    serial: Serial | None
    size_bytes: int
    transport: str
    is_rotational: bool
    is_removable: bool
    is_read_only: bool
    zoned: str
    parts: tuple[Part, ...]
    use: str

    @property
    def is_offered(self) -> bool:
        """Return whether packtrain may use this drive."""
        return not self.use


@dataclass(frozen=True, slots=True)
class MountedDrive:
    """What is mounted at a folder: the drive, its part, and the mount."""

    drive: BlockDrive
    part: Part
    mount: Mount


def read_drives(roots: Roots = SYSTEM) -> list[BlockDrive]:
    """Return the drives of this machine by name; devices without a medium are left out."""
    folder = roots.sys / "block"
    try:
        names = sorted((path.name for path in folder.iterdir()), key=_natural)
    except OSError:
        return []
    scan = _Scan(roots)
    drives = [scan.drive(name) for name in names if _NO_DRIVES.fullmatch(name) is None]
    return [drive for drive in drives if drive is not None]


def drive_at(path: Path, roots: Roots = SYSTEM) -> MountedDrive | None:
    """Return what is mounted at exactly this folder, if it is a file system of one drive; None for any other folder.

    A folder below a mount point, a bind mount of one, tmpfs, a network share and a RAID of several drives are no drive.
    """
    mount = mount_at(path, read_mounts(roots.proc))
    if mount is None or (mount.root != "/" and mount.file_system != "btrfs"):
        return None
    scan = _Scan(roots)
    found = scan.owner(mount)
    if found is None:
        return None
    disk, name = found
    drive = scan.drive(disk)
    part = next((part for part in drive.parts if part.name == name), None) if drive is not None else None
    return MountedDrive(drive, part, mount) if drive is not None and part is not None else None


def find_drive(device: Path, drives: Sequence[BlockDrive]) -> tuple[BlockDrive, Part] | None:
    """Return the drive and part that a device file or a link to one (by-id, by-path) names."""
    name = Path(os.path.realpath(device)).name
    return next(((drive, part) for drive in drives for part in drive.parts if part.name == name), None)


class _Scan:
    """One look at the machine: mounts, swaps and links are read once for all drives."""

    def __init__(self, roots: Roots) -> None:
        self._roots = roots
        self._mounts = read_mounts(roots.proc)
        self._swaps = {Path(os.path.realpath(path)).name for path in read_swaps(roots.proc)}
        self._links = {kind: _links(roots.dev / "disk" / kind) for kind in ("by-id", "by-path")}
        # A loop device over a whole drive is no holder in sysfs.
        self._loops: dict[str, list[Path]] = {}
        for block in _listing(roots.sys / "block"):
            backing = _read(block / "loop" / "backing_file")
            if backing.startswith("/dev/"):
                self._loops.setdefault(Path(backing).name, []).append(block)

    def drive(self, name: str) -> BlockDrive | None:
        block = Path(os.path.realpath(self._roots.sys / "block" / name))
        size_bytes = _number(block / "size") * _SECTOR_BYTES
        if size_bytes == 0:
            return None
        number = _read(block / "dev")
        udev = self._udev(number)
        usb = _usb_device(block)
        parts = [self._part(block, name, is_whole=True)]
        partitions = [path.name for path in _listing(block) if (path / "partition").is_file()]
        parts += [self._part(block / part, part, is_whole=False) for part in sorted(partitions, key=_natural)]
        uses = dict.fromkeys(part.use for part in parts if part.use)
        backing = _read(block / "loop" / "backing_file")
        return BlockDrive(
            id=self._id(name, backing),
            name=name,
            device=self._roots.dev / name,
            number=number,
            model=_model(block, usb, udev, backing),
            serial=find_serial(block, usb, udev),
            size_bytes=size_bytes,
            transport=_transport(block, name),
            is_rotational=_read(block / "queue" / "rotational") == "1" and not backing,
            is_removable=_read(block / "removable") == "1",
            is_read_only=_read(block / "ro") == "1",
            zoned=_read(block / "queue" / "zoned") or "none",
            parts=tuple(parts),
            use="; ".join(uses),
        )

    def owner(self, mount: Mount) -> tuple[str, str] | None:
        """Return the names of the one drive, and of its part, that a mount lies on."""
        number = mount.number
        folder = self._roots.sys / "dev" / "block" / number
        name = Path(os.path.realpath(folder)).name if folder.exists() else ""
        if not name and mount.source.startswith("/dev/"):
            name = Path(os.path.realpath(self._roots.dev / mount.source.removeprefix("/dev/"))).name
        for _ in range(8):  # LUKS on LVM on a partition is three steps; a loop of slaves would be endless
            block = Path(os.path.realpath(self._roots.sys / "class" / "block" / name)) if name else None
            if block is None or not block.is_dir():
                return None
            slaves = _listing(block / "slaves")
            if not slaves:
                return (block.parent.name if (block / "partition").is_file() else name), name
            if len(slaves) > 1:
                return None
            name = slaves[0].name
        return None

    def _part(self, block: Path, name: str, *, is_whole: bool) -> Part:
        number = _read(block / "dev")
        mounts, use = self._use(block, name, number)
        device = self._roots.dev / name
        points = tuple(dict.fromkeys(mount.point for mount in mounts))
        system = next((mount.point for mount in mounts if mount.is_of_system), None)
        file_system = self._file_system(device, number, mounts)
        if system is not None:
            use = f"system: mounted at {system}"
        elif not use and file_system is not None and file_system.kind in MEMBERS:
            use = f"holds a {file_system.kind}"
        return Part(
            name=name,
            device=device,
            number=number,
            size_bytes=_number(block / "size") * _SECTOR_BYTES,
            is_whole=is_whole,
            is_read_only=_read(block / "ro") == "1" or any(mount.is_read_only for mount in mounts),
            file_system=file_system,
            mounts=points,
            free_bytes=_free_bytes(points),
            use=use,
        )

    def _use(self, block: Path, name: str, number: str) -> tuple[list[Mount], str]:
        """Return the mounts of a device and of all that is built on it, and the system's use of it in words."""
        mounts = [mount for mount in self._mounts if mount.number == number or self._is_source(mount, name)]
        use = "swap" if name in self._swaps else ""
        for loop in self._loops.get(name, []):
            mounts += self._use(loop, loop.name, _read(loop / "dev"))[0]
            use = use or f"behind {loop.name}"
        for holder in _listing(block / "holders"):
            held = Path(os.path.realpath(self._roots.sys / "class" / "block" / holder.name))
            below, deeper = self._use(held, holder.name, _read(held / "dev"))
            mounts += below
            kind = _read(held / "dm" / "uuid")
            if holder.name.startswith("md"):
                use = use or f"part of RAID {holder.name}"
            elif kind.startswith("LVM-"):
                use = use or "part of a volume group (LVM)"
            elif not kind.startswith("CRYPT-") and not deeper:
                use = use or f"used by {_read(held / 'dm' / 'name') or holder.name}"
            use = use or deeper
        return mounts, use

    def _is_source(self, mount: Mount, name: str) -> bool:
        # btrfs hides its device number behind one of its own.
        return mount.number.startswith("0:") and mount.source.startswith("/dev/") and Path(mount.source).name == name

    def _file_system(self, device: Path, number: str, mounts: Sequence[Mount]) -> FileSystem | None:
        try:
            found = read_file_system(device)
        except OSError:
            udev = self._udev(number)
            kind = udev.get("ID_FS_TYPE", "") or (mounts[0].file_system if mounts else "")
            if not kind and "ID_PART_TABLE_TYPE" in udev:
                return FileSystem(udev["ID_PART_TABLE_TYPE"], uuid=udev.get("ID_PART_TABLE_UUID", ""))
            if not kind:
                return None
            return FileSystem(kind, _unescaped(udev.get("ID_FS_LABEL_ENC", "")), udev.get("ID_FS_UUID", ""))
        # Only the kernel tells how a file system it has mounted is called (fuseblk, an image in a loop device).
        return found or (FileSystem(mounts[0].file_system) if mounts else None)

    def _id(self, name: str, backing: str) -> str:
        for kind in ("by-id", "by-path"):
            links = self._links[kind].get(name)
            if links:
                return str(self._roots.dev / "disk" / kind / min(links, key=_id_rank))
        return backing or str(self._roots.dev / name)

    def _udev(self, number: str) -> dict[str, str]:
        try:
            lines = (self._roots.run / "udev" / "data" / f"b{number}").read_bytes()[: 1 << 20].split(b"\n")
        except OSError:
            return {}
        pairs = (line[2:].decode("utf-8", "replace").partition("=") for line in lines if line.startswith(b"E:"))
        return {name: value for name, _, value in pairs}


def _model(block: Path, usb: Path | None, udev: Mapping[str, str], backing: str) -> str:
    if backing:
        return "loop device"
    vendor, model = _read(block / "device" / "vendor"), _read(block / "device" / "model")
    if not model and usb is not None:
        vendor, model = _read(usb / "manufacturer"), _read(usb / "product")
    model = model or _read(block / "device" / "name") or udev.get("ID_MODEL", "").replace("_", " ")
    # libata says "ATA" of every drive, and PCI devices give a number.
    named = vendor if vendor != "ATA" and not vendor.startswith("0x") and not model.startswith(vendor) else ""
    return _one_line(f"{named} {model}")


def _transport(block: Path, name: str) -> str:
    if name.startswith(("nvme", "loop")):
        return name[:4]
    if name.startswith("mmcblk"):
        return "mmc"
    for part in block.parts:
        for pattern, transport in ((r"usb\d+", "usb"), (r"ata\d+", "sata"), (r"virtio\d+", "virtio")):
            if re.fullmatch(pattern, part):
                return transport
        if part.startswith("end_device-"):
            return "sas"
    return "scsi" if name.startswith("sd") else ""


def _usb_device(block: Path) -> Path | None:
    if not any(re.fullmatch(r"usb\d+", part) for part in block.parts):
        return None
    return next((folder for folder in block.parents if (folder / "idVendor").is_file()), None)


def _links(folder: Path) -> dict[str, list[str]]:
    """Return device name -> names of the links to it."""
    found: dict[str, list[str]] = {}
    for link in _listing(folder):
        found.setdefault(Path(os.path.realpath(link)).name, []).append(link.name)
    return found


def _id_rank(link: str) -> tuple[int, str]:
    rank = next((number for number, prefix in enumerate(_ID_PREFERRED) if link.startswith(prefix)), len(_ID_PREFERRED))
    # nvme-eui.… and nvme-nvme.… are numbers; the name with the model is for people.
    return (rank + 100 if re.match(r"nvme-(eui|nvme)\.", link) else rank), link


def _free_bytes(points: Sequence[Path]) -> int | None:
    for point in points:
        try:
            status = os.statvfs(point)
        except OSError:
            continue
        return status.f_bavail * status.f_frsize
    return None


def _listing(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def _read(path: Path) -> str:
    try:
        return _one_line(path.read_bytes()[:4096].decode("utf-8", "replace"))
    except OSError:
        return ""


def _number(path: Path) -> int:
    text = _read(path)
    return int(text) if text.isascii() and text.isdigit() else 0


def _one_line(text: str) -> str:
    return " ".join(text.replace("\0", " ").split())


def _unescaped(text: str) -> str:
    return re.sub(r"\\x([0-9a-f]{2})", lambda match: chr(int(match[1], 16)), text)


def _natural(name: str) -> tuple[str | int, ...]:
    return tuple(int(word) if word.isdigit() else word for word in re.split(r"(\d+)", name))
