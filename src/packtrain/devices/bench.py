"""What lies below a folder, down to the bus: which folders slow each other down, and by what they hang together."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from packtrain import durable
from packtrain.devices.block import SYSTEM, Roots
from packtrain.devices.extents import first_byte_of
from packtrain.devices.mounts import Mount, read_mounts
from packtrain.errors import DriveFailed, DriveInUse, DriveMissing
from packtrain.ports import Medium

_IN_MEMORY: Final = frozenset({"tmpfs", "ramfs"})
_USB: Final = re.compile(r"\d+-\d+(\.\d+)*")
_USB_ROOT: Final = re.compile(r"usb\d+")
_PCI: Final = re.compile(r"[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]")
_LOW: Final = 8
"""LUKS on LVM on a loop device on a partition is four steps; a ring of them would be endless."""


class MachineBench:
    """This machine, or a recording of one (see `ports.Bench`).

    Args:
        roots: where it is described.
    """

    def __init__(self, roots: Roots = SYSTEM) -> None:
        self._roots = roots

    def medium(self, folder: Path) -> Medium:
        """Return what lies below a folder; see the port for errors."""
        try:
            device = folder.stat().st_dev
            status = os.statvfs(folder)
        except OSError as error:
            raise DriveMissing("no such folder", where=str(folder), found=error.strerror) from error
        number = f"{os.major(device)}:{os.minor(device)}"
        mount = self._mount(number)
        file_system = mount.file_system if mount is not None else ""
        is_in_memory = file_system in _IN_MEMORY
        own = (f"file system {number}", f"one file system ({'in memory' if is_in_memory else mount_point(mount)})")
        return Medium(
            file_system=file_system,
            size_bytes=status.f_blocks * status.f_frsize,
            free_bytes=status.f_bavail * status.f_frsize,
            is_read_only=bool(status.f_flag & os.ST_RDONLY),
            is_in_memory=is_in_memory,
            way=(own, *(() if is_in_memory else self.way(number, mount))),
        )

    def way(self, number: str, mount: Mount | None = None) -> tuple[tuple[str, str], ...]:
        """Return identity and words of all that a device hangs on, the nearest first; nothing where sysfs is silent."""
        found: dict[str, str] = {}
        for _ in range(_LOW):
            block = self._block(number, mount)
            if block is None:
                break
            mount = None
            found |= _steps(block)
            below = self._below(block)
            if below is None:
                break
            number = below
        return tuple(found.items())

    def begins_at(self, path: Path) -> int | None:
        """Return the byte of its device at which a file begins; None where nobody can say."""
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError:
            return None
        try:
            return first_byte_of(descriptor)
        finally:
            os.close(descriptor)

    @contextlib.contextmanager
    def hold(self, folder: Path) -> Iterator[None]:
        """Keep other measurements away from a folder; see the port for errors."""
        try:
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise DriveFailed("drive cannot be opened", where=str(folder), found=error.strerror) from error
        try:
            if not durable.try_to_lock(descriptor):
                raise DriveInUse(
                    "another measurement is running here",
                    where=str(folder),
                    hint="wait for it: two at once would measure each other",
                )
            yield
        finally:
            os.close(descriptor)

    def processor(self) -> str:
        """Return the name of the processor, "" where the kernel does not tell."""
        return self._line("cpuinfo", "model name")

    def memory_bytes(self) -> tuple[int, int]:
        """Return the machine's memory and what of it is available; zeros where the kernel does not tell."""
        total, available = (self._line("meminfo", name).split(" ")[0] for name in ("MemTotal", "MemAvailable"))
        return int(total or 0) * 1024, int(available or 0) * 1024

    def _line(self, name: str, field: str) -> str:
        try:
            lines = (self._roots.proc / name).read_bytes()[: 1 << 16].decode("utf-8", "replace").splitlines()
        except OSError:
            return ""
        return next((line.partition(":")[2].strip() for line in lines if line.partition(":")[0].strip() == field), "")

    def _mount(self, number: str) -> Mount | None:
        mounts = [mount for mount in read_mounts(self._roots.proc) if mount.number == number]
        # A bind mount shows a part of it under another name.
        return next((mount for mount in mounts if mount.root == "/"), mounts[0] if mounts else None)

    def _block(self, number: str, mount: Mount | None) -> Path | None:
        """Return the folder of a device in sysfs; of a file system that hides its device, by what was mounted."""
        folder = self._roots.sys / "dev" / "block" / number
        if not folder.exists() and mount is not None and mount.source.startswith("/dev/"):
            name = Path(os.path.realpath(self._roots.dev / mount.source.removeprefix("/dev/"))).name
            folder = self._roots.sys / "class" / "block" / name
        return Path(os.path.realpath(folder)) if folder.exists() else None

    def _below(self, block: Path) -> str | None:
        """Return the number of the one device that this one is built on; None where it is built on none, or on many."""
        with contextlib.suppress(OSError):
            backing = (block / "loop" / "backing_file").read_bytes()[:4096].decode("utf-8", "replace").strip()
            device = Path(backing).stat()
            return f"{os.major(device.st_dev)}:{os.minor(device.st_dev)}"
        with contextlib.suppress(OSError):
            slaves = list((block / "slaves").iterdir())
            if len(slaves) == 1:
                return (slaves[0] / "dev").read_text("ascii").strip()
        return None


def mount_point(mount: Mount | None) -> str:
    """Return where a file system is mounted, in words."""
    return str(mount.point) if mount is not None else "not known where"


def _steps(block: Path) -> dict[str, str]:
    """Return what a device of sysfs hangs on: the disk, then bridges, hubs and controllers, the nearest first."""
    disk = block.parent if (block / "partition").is_file() else block
    found = {f"disk {disk.name}": f"one disk ({disk.name})"}
    for part in reversed(disk.parts):
        if _USB.fullmatch(part):
            found[f"usb {part}"] = f"one USB hub or bridge ({part})"
        elif _USB_ROOT.fullmatch(part):
            found[f"usb {part}"] = f"one USB controller ({part})"
        elif _PCI.fullmatch(part):
            found[f"pci {part}"] = f"one controller or PCI bridge ({part})"
    return found
