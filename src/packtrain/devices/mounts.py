"""What is mounted where, as the kernel tells it: /proc/self/mountinfo and /proc/swaps."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_ESCAPED: Final = re.compile(rb"\\([0-7]{3})")
_SYSTEM_POINTS: Final = frozenset({"/", "/home", "/root", "/tmp"})  # noqa: S108 - compared, never written to
_SYSTEM_TREES: Final = ("/boot", "/efi", "/usr", "/var", "/etc", "/opt", "/nix", "/gnu", "/sysroot", "/snap")
# Where systems with a fixed root keep their /mnt, /home and /media.
_NOT_OF_SYSTEM: Final = ("/var/mnt/", "/var/home/", "/var/run/media/", "/var/media/")


@dataclass(frozen=True, slots=True)
class Mount:
    """One line of mountinfo.

    Attributes:
        number: device number as "major:minor"; "0:N" where the file system hides its device (btrfs).
        root: the folder of the file system that is mounted; "/" unless it is a bind mount or a subvolume.
        point: where it is mounted.
        file_system: its type.
        source: what was mounted, "/dev/sdb1".
        is_read_only: by mount option or by the file system itself.
    """

    number: str
    root: str
    point: Path
    file_system: str
    source: str
    is_read_only: bool

    @property
    def is_of_system(self) -> bool:
        """Return whether the running system lives here."""
        point = str(self.point)
        if f"{point}/".startswith(_NOT_OF_SYSTEM) and f"{point}/" not in _NOT_OF_SYSTEM:
            return False
        return point in _SYSTEM_POINTS or f"{point}/".startswith(tuple(f"{tree}/" for tree in _SYSTEM_TREES))


def read_mounts(proc: Path = Path("/proc")) -> list[Mount]:
    """Return what is mounted, in the order of mounting; nothing where the kernel does not tell."""
    try:
        lines = (proc / "self" / "mountinfo").read_bytes().split(b"\n")
    except OSError:
        return []
    mounts: list[Mount] = []
    for line in lines:
        head, separator, tail = line.partition(b" - ")
        fields, rest = head.split(b" "), tail.split(b" ")
        if not separator or len(fields) < 6 or len(rest) < 3:
            continue
        options = {*fields[5].split(b","), *rest[2].split(b",")}
        mounts.append(
            Mount(
                number=_text(fields[2]),
                root=_text(fields[3]),
                point=Path(_text(fields[4])),
                file_system=_text(rest[0]),
                source=_text(rest[1]),
                is_read_only=b"ro" in options,
            )
        )
    return mounts


def mount_at(path: Path, mounts: Sequence[Mount]) -> Mount | None:
    """Return the mount whose mount point is exactly this folder, the last where several lie over each other."""
    wanted = path.resolve()
    return next((mount for mount in reversed(mounts) if mount.point == wanted), None)


def mounts_below(path: Path, mounts: Sequence[Mount]) -> list[Mount]:
    """Return what is mounted somewhere below this folder (not at it)."""
    wanted = path.resolve()
    return [mount for mount in mounts if mount.point != wanted and mount.point.is_relative_to(wanted)]


def read_swaps(proc: Path = Path("/proc")) -> list[str]:
    """Return the paths of devices and files that the system swaps to."""
    try:
        lines = (proc / "swaps").read_bytes().split(b"\n")[1:]
    except OSError:
        return []
    return [_text(line.split()[0]) for line in lines if line.strip()]


def _text(field: bytes) -> str:
    # The kernel writes space, tab, newline and backslash of a path as octal.
    return os.fsdecode(_ESCAPED.sub(lambda match: bytes([int(match[1], 8) & 0xFF]), field))
