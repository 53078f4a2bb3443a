"""Which device may be erased, and how it is opened: a whole drive that nobody uses, by one name, never by a pattern."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from packtrain.devices import sanitise_look, superblock
from packtrain.devices.block import SYSTEM, BlockDrive, Part, Roots, find_drive, read_drives
from packtrain.devices.sanitise_look import Header, OnDrive
from packtrain.errors import DriveFailed, DriveInUse, DriveMissing, SanitisingFailed
from packtrain.units import MIB, format_bytes

HEAD_BYTES: Final = MIB
"""The first bytes of a drive are erased last: until then they hold the mark of the run."""
SMALLEST_BYTES: Final = 4 * HEAD_BYTES
_SIZE_OF: Final = 0x80081272  # BLKGETSIZE64
_SEQUENCE_OF: Final = 0x80081280  # BLKGETDISKSEQ, since Linux 5.15
_FLUSH: Final = 0x1261  # BLKFLSBUF


def erasable(device: Path, roots: Roots = SYSTEM) -> BlockDrive:
    """Return the drive that a device file names, if it may be erased as a whole.

    Raises:
        DriveMissing: no such drive, or a part of one.
        DriveInUse: the system uses it, or it is mounted, read-only, or part of something that is.
        SanitisingFailed: it cannot be written at every place.
    """
    found = find_drive(device, read_drives(roots))
    if found is None:
        raise DriveMissing(
            "no such drive",
            where=str(device),
            expected="a whole drive, by its device file or a link below /dev/disk/by-id",
            hint='"packtrain drives" lists them',
        )
    drive, part = found
    if drive.use:
        raise DriveInUse("the system uses this drive: it is never erased", where=str(device), found=drive.use)
    points = dict.fromkeys(str(point) for one in drive.parts for point in one.mounts)
    if points:
        raise DriveInUse(
            "drive is mounted", where=str(device), found=", ".join(points), hint="unmount it first: umount MOUNT-POINT"
        )
    if not part.is_whole:
        raise DriveMissing(
            "this is a part of a drive, and drives are erased whole",
            where=str(device),
            found=part.name,
            hint=f"name the drive: {drive.id}",
        )
    if drive.is_read_only:
        raise DriveInUse("drive is read-only", where=str(device), hint="check its write-protect switch")
    if drive.zoned == "host-managed":
        raise SanitisingFailed(
            "a host-managed shingled drive cannot be overwritten from its first byte to its last",
            where=str(device),
            hint='its own sanitise command can erase it: "--plan" shows how it is called',
        )
    if drive.size_bytes < SMALLEST_BYTES:
        raise SanitisingFailed(
            "too small to be a drive of a shipment", where=str(device), found=format_bytes(drive.size_bytes)
        )
    return drive


def look(drive: BlockDrive) -> tuple[OnDrive | None, Part | None]:
    """Return what lies on a drive and on which part; headers are counted from the drive's first byte.

    A header counts only where the device itself shows it: so a later reading that does not find it means something.

    Raises:
        SanitisingFailed: other parts of it hold something as well, or other things lie beside the drive's.
    """
    holding = [part for part in drive.parts if part.file_system is not None and not _is_table(part)]
    for part in holding:
        kind = part.file_system.kind if part.file_system is not None else ""
        if not sanitise_look.can_be_mounted(kind):
            continue
        found = sanitise_look.look(part.device, kind)
        if found is None:
            continue
        if others := [other.name for other in holding if other.name != part.name]:
            raise SanitisingFailed(
                "more lies on this drive than a drive of the shipment, and all of it would go",
                where=str(drive.device),
                found=f"{', '.join(others)} beside {part.name}",
                hint="save what is there; then remove those partitions and run this again",
            )
        if found.others:
            raise SanitisingFailed(
                "other things lie on this drive than those of a drive of the shipment, and all of it would go",
                where=str(drive.device),
                found=", ".join(found.others),
                hint="a copy of the shipment's files on a drive of another use is no drive of it: move away what is to "
                "stay, or the copy",
            )
        start = part_start(drive, part)
        shifted = [Header(start + header.offset, header.content) for header in found.headers]
        return OnDrive(found.record, found.signature, tuple(_shown(drive.device, shifted))), part
    return None, None


def part_start(drive: BlockDrive, part: Part, sys_root: Path = SYSTEM.sys) -> int:
    """Return the byte of a drive at which one of its parts begins."""
    if part.is_whole:
        return 0
    return int((sys_root / "class" / "block" / drive.name / part.name / "start").read_text()) * 512


@contextmanager
def held(device: Path, number: str) -> Iterator[int]:
    """Yield a descriptor that no mount and no other careful program can share; writes and reads pass the cache by.

    Raises:
        DriveInUse: the kernel or another program holds the device, or it is another one than `number`.
        DriveFailed: it cannot be opened.
    """
    flags = os.O_RDWR | os.O_EXCL | os.O_CLOEXEC
    try:
        try:
            descriptor = os.open(device, flags | os.O_DIRECT)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            descriptor = os.open(device, flags)
    except OSError as error:
        if error.errno == errno.EBUSY:
            raise DriveInUse(
                "the kernel or another program holds this device",
                where=str(device),
                hint="it may be mounted in a container, or being erased by another run",
            ) from error
        raise DriveFailed(f"drive cannot be opened: {error.strerror}", where=str(device), hint="run it as root") from (
            error
        )
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISBLK(status.st_mode) or f"{os.major(status.st_rdev)}:{os.minor(status.st_rdev)}" != number:
            raise DriveInUse("device is another one than a moment ago", where=str(device), hint="look again")
        yield descriptor
    finally:
        os.close(descriptor)


def is_direct(descriptor: int) -> bool:
    """Return whether reads and writes through this descriptor pass the page cache by."""
    return bool(fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_DIRECT)


def size_of(descriptor: int) -> int:
    """Return how many bytes an open block device has."""
    answer = fcntl.ioctl(descriptor, _SIZE_OF, bytes(8))
    return int(struct.unpack("=Q", answer)[0])


def attachment_of(descriptor: int) -> int | None:
    """Return which attachment of a disk an open block device is; None where the kernel counts none.

    The kernel gives each disk that is plugged in, and each file behind a loop device, the next number: another disk
    under the same name and number of device is known by it.
    """
    try:
        return int(struct.unpack("=Q", fcntl.ioctl(descriptor, _SEQUENCE_OF, bytes(8)))[0])
    except OSError:
        return None


def forget_cached(descriptor: int) -> None:
    """Write out and drop what the kernel remembers of an open block device."""
    os.fsync(descriptor)
    fcntl.ioctl(descriptor, _FLUSH, 0)


def _is_table(part: Part) -> bool:
    return part.file_system is not None and part.file_system.kind in superblock.TABLES


def _shown(device: Path, headers: list[Header]) -> Iterator[Header]:
    descriptor = os.open(device, os.O_RDONLY | os.O_CLOEXEC)
    try:
        for header in headers:
            if os.pread(descriptor, len(header.content), header.offset) == header.content:
                yield header
    finally:
        os.close(descriptor)
