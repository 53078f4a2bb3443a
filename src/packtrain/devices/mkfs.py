"""Making a file system on a drive: ext4, by mkfs.ext4, on a device that nobody uses."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from packtrain.devices.block import SYSTEM, BlockDrive, Part, Roots, find_drive, read_drives
from packtrain.devices.superblock import FileSystem, read_file_system
from packtrain.errors import DriveFailed, DriveInUse, DriveMissing, MissingDependency
from packtrain.units import GIB, MIB, format_bytes

LONGEST_LABEL_BYTES: Final = 16
"""What an ext4 superblock holds."""
SMALLEST_BYTES: Final = 16 * MIB
_REREAD_PARTITIONS: Final = 0x125F  # BLKRRPART
_WIPED_BYTES: Final = MIB
# One inode for 4 MiB (largefile4) is plenty for volumes; a small drive still carries the wheels of a kit.
_FEWEST_INODES: Final = 8192
_SMALL_BYTES: Final = 32 * GIB


def formattable(device: Path, roots: Roots = SYSTEM) -> tuple[BlockDrive, Part]:
    """Return the drive and part that a device file names, if a file system may be made on it.

    Raises:
        DriveMissing: no such device, or none that is a drive or a partition.
        DriveInUse: it is mounted, part of something mounted, used by the system, read-only, or held by a program.
    """
    found = find_drive(device, read_drives(roots))
    if found is None:
        raise DriveMissing(
            "no such drive",
            where=str(device),
            expected="a drive or partition, by its device file or a link below /dev/disk",
            hint='"packtrain drives" lists them',
        )
    drive, part = found
    affected = drive.parts if part.is_whole else (part,)
    mounted = [point for one in (*affected, *drive.parts[:1]) for point in one.mounts]
    if drive.use:
        raise DriveInUse("the system uses this drive", where=str(device), found=drive.use)
    if mounted:
        raise DriveInUse(
            "drive is mounted",
            where=str(device),
            found=", ".join(dict.fromkeys(str(point) for point in mounted)),
            hint="unmount it first; what is mounted is never formatted",
        )
    if drive.is_read_only or part.is_read_only:
        raise DriveInUse("drive is read-only", where=str(device), hint="check its write-protect switch")
    if part.size_bytes < SMALLEST_BYTES:
        raise DriveMissing(
            "too small for a file system",
            where=str(device),
            expected=f"at least {format_bytes(SMALLEST_BYTES)}",
            found=format_bytes(part.size_bytes),
        )
    return drive, part


def check_label(label: str) -> None:
    """Check that a label can be one of a file system.

    Raises:
        ValueError: it cannot.
    """
    if not label or len(label.encode()) > LONGEST_LABEL_BYTES or not label.isascii() or not label.isalnum():
        raise ValueError(f"a label is 1 to {LONGEST_LABEL_BYTES} letters and digits")


def make_file_system(part: Part, label: str, roots: Roots = SYSTEM) -> FileSystem:
    """Make an ext4 on a part, all space for data, with this label; return what the device then holds.

    Everything on it is lost. It is checked afterwards that the device holds the new file system and, where this process
    may mount, that the kernel mounts it.

    Raises:
        MissingDependency: there is no mkfs.ext4.
        DriveInUse: somebody holds the device.
        DriveFailed: mkfs.ext4 failed, or another file system than the new one is found afterwards.
    """
    program = shutil.which("mkfs.ext4", path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"]))
    if program is None:
        raise MissingDependency("mkfs.ext4 is not installed", hint="install e2fsprogs")
    before = read_file_system(part.device) if os.access(part.device, os.R_OK) else None
    _wipe(part)
    inodes = ["-T", "largefile4", *(["-N", str(_FEWEST_INODES)] if part.size_bytes < _SMALL_BYTES else [])]
    # No -F: what the kernel holds, mkfs refuses as well. The tables are written now and not behind the first pack.
    options = ["-q", "-m", "0", *inodes, "-L", label, "-E", "lazy_itable_init=0,lazy_journal_init=0"]
    done = subprocess.run(
        [program, *options, str(part.device)], capture_output=True, check=False, stdin=subprocess.DEVNULL
    )
    if done.returncode != 0:
        told = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise DriveFailed(
            "mkfs.ext4 failed", where=str(part.device), found=told[-1] if told else f"exit status {done.returncode}"
        )
    found = read_file_system(part.device)
    is_old = before is not None and found is not None and before.uuid == found.uuid
    if found is None or (found.kind, found.label) != ("ext4", label) or is_old:
        raise DriveFailed(
            "the device does not hold the file system that was just made on it",
            where=str(part.device),
            expected=f"ext4, label {label}",
            found=f"{found.kind}, label {found.label or 'none'}" if found is not None else "nothing known",
            hint="the drive or its bridge does not keep what is written: do not use it",
        )
    _try_mount(part)
    return found


def _wipe(part: Part) -> None:
    """Zero the first and last MiB: no partition table, RAID or other mark of before is left beside the new one.

    Raises:
        DriveInUse: the kernel, or another program, holds the device.
    """
    try:
        # O_EXCL on a block device: the kernel itself refuses one that is mounted anywhere, in whatever namespace.
        descriptor = os.open(part.device, os.O_RDWR | os.O_EXCL | os.O_CLOEXEC)
    except OSError as error:
        if error.errno != errno.EBUSY:
            raise
        raise DriveInUse(
            "the kernel or another program holds this device",
            where=str(part.device),
            hint="it may be mounted in a container or belong to a RAID; find who holds it before anything else",
        ) from error
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISBLK(status.st_mode) or f"{os.major(status.st_rdev)}:{os.minor(status.st_rdev)}" != part.number:
            raise DriveInUse("device is another one than a moment ago", where=str(part.device), hint="look again")
        zeros = bytes(_WIPED_BYTES)
        for offset in (0, part.size_bytes - _WIPED_BYTES):
            os.pwrite(descriptor, zeros, offset)
        os.fsync(descriptor)
        if part.is_whole:
            try:
                fcntl.ioctl(descriptor, _REREAD_PARTITIONS)
            except OSError as error:
                if error.errno == errno.EBUSY:
                    raise DriveInUse("a partition of this drive is in use", where=str(part.device)) from error
                # A device that can have no partitions (a loop device without that wish) has none to forget.
    finally:
        os.close(descriptor)


def _try_mount(part: Part) -> None:
    """Mount the new file system for reading and unmount it again, if this process may."""
    if os.geteuid() != 0:
        return
    with tempfile.TemporaryDirectory(prefix="packtrain-format-") as folder:
        _run(["mount", "-t", "ext4", "-o", "ro,nosuid,nodev,noexec", str(part.device), folder], part)
        try:
            os.statvfs(folder)
        finally:
            _run(["umount", folder], part)


def _run(command: Sequence[str], part: Part) -> None:
    done = subprocess.run(command, capture_output=True, check=False, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        raise DriveFailed(
            f"{command[0]} of the new file system failed",
            where=str(part.device),
            found=done.stderr.decode("utf-8", "replace").strip()[:300],
            hint="look into the kernel log",
        )
