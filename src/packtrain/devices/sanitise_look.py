"""What lies on a drive that is about to be erased: its closing record, and where some of its volumes begin.

`look` starts this module as a process of its own that mounts the device for reading in a mount namespace of its own:
no mount is left behind, however the process ends, and no other program sees it.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

from packtrain.devices.directory import DirectoryDrive
from packtrain.devices.extents import first_byte_of
from packtrain.errors import DriveFailed

DRIVE_RECORD: Final = "packtrain/drive.json"
"""As the cargo format calls the closing record; its signature has `.sig` behind."""
HEADER_BYTES: Final = 64
_MOST_HEADERS: Final = 256
_MOST_RECORD_BYTES: Final = 64 * 1024
_MOST_SIGNATURE_BYTES: Final = 64 * 1024
_TIMEOUT_SECONDS: Final = 600.0
# Mounted for reading, a file system with a journal would still play it back, and so write.
_OPTIONS: Final = {
    "ext4": "noload",
    "ext3": "noload",
    "ext2": "",
    "xfs": "norecovery,nouuid",
    "exfat": "",
    "vfat": "",
    "ntfs": "",
    "btrfs": "rescue=nologreplay",
}
_OF_A_DRIVE: Final = frozenset(
    {"README.txt", "bagit.txt", "bag-info.txt", "manifest-sha256.txt", "tagmanifest-sha256.txt", "data", "packtrain"}
)
_OF_A_SYSTEM: Final = frozenset({"lost+found", "System Volume Information", "$RECYCLE.BIN"})
_KERNEL_NAMES: Final = {"ntfs": "ntfs3"}


@dataclass(frozen=True, slots=True)
class Header:
    """The first bytes of a volume, and where they stand on the device."""

    offset: int
    content: bytes


@dataclass(frozen=True, slots=True)
class OnDrive:
    """What was found on a file system.

    Attributes:
        record, signature: the closing record's bytes and its signature's.
        headers: where volumes begin, counted from the first byte of the device that was looked at.
        others: names beside those of a drive, at most five: somebody else's files.
    """

    record: bytes
    signature: bytes
    headers: tuple[Header, ...]
    others: tuple[str, ...] = ()


def can_be_mounted(kind: str) -> bool:
    """Return whether a file system of this kind is looked into."""
    return kind in _OPTIONS


def look(device: Path, kind: str) -> OnDrive | None:
    """Return what lies on a device that holds a file system of this kind; None where it is no closed drive.

    None also where it cannot be mounted: what stands there is then not known.
    """
    command = ["unshare", "--mount", "--propagation", "private", sys.executable, "-m", __name__, str(device), kind]
    try:
        done = subprocess.run(
            command, capture_output=True, check=False, timeout=_TIMEOUT_SECONDS, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    if done.returncode != 0:
        return None
    try:
        found = cast("dict[str, Any]", json.loads(done.stdout))
        headers = tuple(Header(int(offset), base64.b64decode(text)) for offset, text in found["headers"])
        others = tuple(str(name) for name in found["others"])
        return OnDrive(base64.b64decode(found["record"]), base64.b64decode(found["signature"]), headers, others)
    except (ValueError, KeyError, TypeError):
        return None


def read_folder(folder: Path) -> OnDrive | None:
    """Return what lies in a folder that plays a drive or at a mount point; None where it is no closed drive."""
    drive = DirectoryDrive(folder)
    try:
        record = drive.read_bytes(DRIVE_RECORD, _MOST_RECORD_BYTES)
        signature = drive.read_bytes(f"{DRIVE_RECORD}.sig", _MOST_SIGNATURE_BYTES)
        names = sorted(name for name in drive.names() if name.startswith("data/"))
    except DriveFailed:
        return None
    step = max(1, len(names) // _MOST_HEADERS)
    headers = [header for name in names[::step][:_MOST_HEADERS] if (header := _header(folder / name)) is not None]
    return OnDrive(record, signature, tuple(headers), strangers_in(folder))


def strangers_in(folder: Path, *, with_hidden: bool = False) -> tuple[str, ...]:
    """Return names in a folder that are none of a drive's, nor of what systems leave on every drive; at most five.

    Hidden files are of the latter sort on a drive, and need not be in a folder: `with_hidden` names them too.
    """
    names = {member.name for member in folder.iterdir()} - _OF_A_DRIVE - _OF_A_SYSTEM
    return tuple(sorted(name for name in names if with_hidden or not name.startswith("."))[:5])


def _header(path: Path) -> Header | None:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        content = os.pread(descriptor, HEADER_BYTES, 0)
        offset = first_byte_of(descriptor)
    except OSError:
        return None
    finally:
        os.close(descriptor)
    return Header(offset, content) if offset is not None and len(content) == HEADER_BYTES and any(content) else None


def _main(device: str, kind: str) -> int:
    """Mount, read, unmount and print; the exit status is 0 where a closing record was found."""
    options = ",".join(filter(None, ("ro,nosuid,nodev,noexec", _OPTIONS[kind])))
    with tempfile.TemporaryDirectory(prefix="packtrain-look-") as point:
        mounting = ["mount", "-t", _KERNEL_NAMES.get(kind, kind), "-o", options, device, point]
        if subprocess.run(mounting, capture_output=True, check=False, stdin=subprocess.DEVNULL).returncode != 0:
            return 2
        try:
            found = read_folder(Path(point))
        finally:
            subprocess.run(["umount", point], capture_output=True, check=False, stdin=subprocess.DEVNULL)
    if found is None:
        return 1
    document = {
        "record": base64.b64encode(found.record).decode(),
        "signature": base64.b64encode(found.signature).decode(),
        "headers": [(header.offset, base64.b64encode(header.content).decode()) for header in found.headers],
        "others": [name.encode("utf-8", "backslashreplace").decode() for name in found.others],
    }
    sys.stdout.write(json.dumps(document))
    return 0


if __name__ == "__main__":
    sys.exit(_main(*sys.argv[1:3]))
