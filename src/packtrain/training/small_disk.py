"""A folder that is soon full: a small file system in memory over it, seen in the rehearsal's box alone."""

from __future__ import annotations

import ctypes
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from packtrain.units import GIB, format_bytes

PAGE_BYTES: Final = 4096
# From <sys/mount.h>.
_MS_NOSUID: Final = 2
_MS_NODEV: Final = 4
_MNT_DETACH: Final = 2
_MOST_BYTES: Final = 2 * GIB
_MOST_OF_FREE_MEMORY: Final = 0.125
_MEMINFO: Final = Path("/proc/meminfo")


def room_for(checkpoint: Path) -> int:
    """Return the bytes of a disk that holds this checkpoint and not a second: half as much again, in whole pages."""
    files = [checkpoint] if checkpoint.is_file() else [path for path in checkpoint.rglob("*") if path.is_file()]
    pages = sum(-(-path.stat().st_size // PAGE_BYTES) for path in files)
    return max(1, pages * 3 // 2) * PAGE_BYTES


def why_not(size_bytes: int, *, is_boxed: bool) -> str:
    """Return why no disk of this size is mounted here, or an empty text."""
    if not is_boxed:
        return "there is no box, and a mount outside one would be seen by everybody"
    most = min(_MOST_BYTES, int(_free_memory_bytes() * _MOST_OF_FREE_MEMORY))
    if size_bytes > most:
        return f"a disk in memory of {format_bytes(size_bytes)} is more than the {format_bytes(most)} that it may take"
    return ""


@contextmanager
def small_disk(folder: Path, size_bytes: int) -> Iterator[None]:
    """Mount an empty disk of this size over a folder; at the end take it away and leave its files in the folder.

    Raises:
        OSError: the kernel does not allow it here.
    """
    _mount(folder, size_bytes)
    kept = folder.with_name(folder.name + ".kept")
    try:
        yield
    finally:
        try:
            shutil.rmtree(kept, ignore_errors=True)
            shutil.copytree(folder, kept, symlinks=True)
        finally:
            _unmount(folder)
    shutil.rmtree(folder)
    kept.rename(folder)


def _mount(folder: Path, size_bytes: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    options = f"size={size_bytes},mode=0755".encode()
    if libc.mount(b"packtrain", os.fsencode(folder), b"tmpfs", _MS_NOSUID | _MS_NODEV, options) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), str(folder))


def _unmount(folder: Path) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    # Detached where a process of the program still holds a file open: it goes when that process does.
    if libc.umount2(os.fsencode(folder), 0) != 0 and libc.umount2(os.fsencode(folder), _MNT_DETACH) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), str(folder))


def _free_memory_bytes() -> int:
    try:
        text = _MEMINFO.read_text(encoding="ascii")
        return next(int(line.split()[1]) * 1024 for line in text.splitlines() if line.startswith("MemAvailable:"))
    except (OSError, StopIteration, ValueError):
        return 0
