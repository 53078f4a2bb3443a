"""What file system lies on a device: read from its first and last bytes, by the marks that every tool looks for."""

from __future__ import annotations

import os
import struct
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from packtrain.units import KIB

_HEAD_BYTES: Final = 128 * KIB
_TAIL_BYTES: Final = 64 * KIB
_RAID_MAGIC: Final = struct.pack("<I", 0xA92B4EFC)


@dataclass(frozen=True, slots=True)
class FileSystem:
    """What a device holds.

    Attributes:
        kind: as `mount -t` spells it; or "gpt", "dos" (a partition table), "swap", "LVM2_member",
            "linux_raid_member", "crypto_LUKS".
        label: its name, "" where it has none or keeps it elsewhere.
        uuid: its UUID or volume id as blkid spells it, "" where there is none.
    """

    kind: str
    label: str = ""
    uuid: str = ""


MEMBERS: Final = frozenset({"swap", "LVM2_member", "linux_raid_member"})
"""Kinds that belong to a system even while nothing uses them."""
TABLES: Final = frozenset({"gpt", "dos"})


def read_file_system(device: Path) -> FileSystem | None:
    """Return what lies on a device; None where nothing known does.

    Raises:
        OSError: the device cannot be read (often: not root).
    """
    descriptor = os.open(device, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        # The kernel's view of the whole disk and of its partition are cached apart: ask the medium where it can be.
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        head = os.pread(descriptor, _HEAD_BYTES, 0)
        size_bytes = os.lseek(descriptor, 0, os.SEEK_END)
        tail = os.pread(descriptor, _TAIL_BYTES, max(0, size_bytes - _TAIL_BYTES))
    finally:
        os.close(descriptor)
    return recognise(head, tail, size_bytes)


def recognise(head: bytes, tail: bytes = b"", size_bytes: int = 0) -> FileSystem | None:
    """Return what these first (and last) bytes of a device say; see `read_file_system`."""
    head = head.ljust(_HEAD_BYTES, b"\0")
    for at in (0, 4096):
        if head[at : at + 4] == _RAID_MAGIC:
            return FileSystem("linux_raid_member", _name(head[at + 32 : at + 64]), _uuid(head[at + 16 : at + 32]))
    if tail and _raid_at_end(tail, size_bytes):
        return FileSystem("linux_raid_member")
    for sector in range(4):
        if head[sector * 512 : sector * 512 + 8] == b"LABELONE" and head[sector * 512 + 24 :][:4] == b"LVM2":
            return FileSystem("LVM2_member")
    if head[:6] == b"LUKS\xba\xbe":
        return FileSystem("crypto_LUKS", uuid=_name(head[168:208]))
    if head[4086:4096] == b"SWAPSPACE2":
        return FileSystem("swap", _name(head[1052:1068]), _uuid(head[1036:1052]))
    if head[:4] == b"XFSB":
        return FileSystem("xfs", _name(head[108:120]), _uuid(head[32:48]))
    if head[0x10040:0x10048] == b"_BHRfS_M":
        return FileSystem("btrfs", _name(head[0x1012B:0x1022B]), _uuid(head[0x10020:0x10030]))
    if head[0x438:0x43A] == b"\x53\xef":
        return _extended(head)
    if head[3:11] == b"EXFAT   ":
        return FileSystem("exfat", uuid=_serial(head[100:104]))
    if head[3:11] == b"NTFS    ":
        return FileSystem("ntfs", uuid=f"{int.from_bytes(head[0x48:0x50], 'little'):016X}")
    if head[3:11] == b"-FVE-FS-":
        return FileSystem("BitLocker")
    if head[82:90] == b"FAT32   ":
        return FileSystem("vfat", _fat_name(head[71:82]), _serial(head[67:71]))
    if head[54:59] in (b"FAT16", b"FAT12"):
        return FileSystem("vfat", _fat_name(head[43:54]), _serial(head[39:43]))
    if head[32:36] == b"NXSB":
        return FileSystem("apfs")
    if head[1024:1026] in (b"H+", b"HX"):
        return FileSystem("hfsplus")
    if head[32769:32774] == b"CD001":
        return FileSystem("iso9660", _fat_name(head[32808:32840]))
    if head[512:520] == b"EFI PART":
        return FileSystem("gpt", uuid=str(uuid.UUID(bytes_le=head[568:584])))
    if head[510:512] == b"\x55\xaa" and any(head[446:510]):
        return FileSystem("dos", uuid=f"{int.from_bytes(head[440:444], 'little'):08x}")
    return None


def _extended(head: bytes) -> FileSystem:
    compatible, incompatible = struct.unpack_from("<II", head, 0x45C)
    # Extents, 64-bit or flexible groups make it ext4; a journal alone is ext3.
    kind = "ext4" if incompatible & 0x2C0 else "ext3" if compatible & 0x4 else "ext2"
    return FileSystem(kind, _name(head[0x478:0x488]), _uuid(head[0x468:0x478]))


def _raid_at_end(tail: bytes, size_bytes: int) -> bool:
    # Versions 0.90 and 1.0 stand in the last 64 and 8 KiB, at a multiple of 64 and 4 KiB.
    start = size_bytes - len(tail)
    old, new = (size_bytes & ~0xFFFF) - 65536, (size_bytes & ~0xFFF) - 8192
    return any(at - start >= 0 and tail[at - start :][:4] == _RAID_MAGIC for at in (old, new))


def _name(field: bytes) -> str:
    return field.partition(b"\0")[0].decode("utf-8", "replace").strip()


def _fat_name(field: bytes) -> str:
    name = field.decode("ascii", "replace").strip(" \0")
    return "" if name == "NO NAME" else name


def _uuid(field: bytes) -> str:
    return str(uuid.UUID(bytes=field)) if any(field) else ""


def _serial(field: bytes) -> str:
    number = int.from_bytes(field, "little")
    return f"{number >> 16:04X}-{number & 0xFFFF:04X}"
