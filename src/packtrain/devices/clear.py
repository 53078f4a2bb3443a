"""Emptying a drive: everything below one mount point, and nothing else."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Final

from packtrain.devices.block import SYSTEM, MountedDrive, Roots, drive_at
from packtrain.devices.mounts import mounts_below, read_mounts
from packtrain.errors import DriveFailed, DriveInUse, DriveMissing

_KEPT: Final = "lost+found"
_DEEPEST: Final = 200
"""Folders in folders: each takes an open descriptor."""


def clearable(path: Path, roots: Roots = SYSTEM) -> MountedDrive:
    """Return the drive that is mounted at `path`, if it may be emptied.

    Raises:
        DriveMissing: no drive is mounted at exactly this folder.
        DriveInUse: the system runs from it, it is mounted for reading only, or something is mounted below it.
    """
    found = drive_at(path, roots)
    if found is None:
        raise DriveMissing(
            "no drive is mounted here",
            where=str(path),
            expected="the mount point of a drive",
            found="a folder" if path.is_dir() else "nothing",
            hint="packtrain empties mounted drives only; a folder that plays one, empty yourself",
        )
    if found.drive.use:
        raise DriveInUse("the system runs from this drive", where=str(path), found=found.drive.use)
    if found.part.is_read_only:
        raise DriveInUse("drive is mounted for reading only", where=str(path), hint="mount it for writing")
    below = mounts_below(path, read_mounts(roots.proc))
    if below:
        raise DriveInUse(
            "something else is mounted below this drive",
            where=str(path),
            found=", ".join(str(mount.point) for mount in below[:5]),
            hint="unmount that first: what lies on it is no part of this drive",
        )
    return found


def clear_folder(
    root: Path, last: tuple[str, ...] = (), told: Callable[[int], None] | None = None, device: int | None = None
) -> int:
    """Remove all that lies below a folder but `lost+found` at its top; return how many files.

    No link is followed and no other file system is entered.

    Args:
        root: the folder.
        last: names below it that go at the end, in this order: what says whose the rest is.
        told: called with the number of files removed so far, after each folder.
        device: `st_dev` that the folder had before `clearable` looked at it.

    Raises:
        DriveInUse: it has another: the drive went between the look and the first deed. Nothing was removed.
        DriveFailed: something cannot be removed; what was removed before is gone.
    """
    try:
        return _Clearing(root, last, told, device).run()
    except OSError as error:
        raise DriveFailed(
            f"drive cannot be emptied: {error.strerror or error}",
            where=str(root) if error.filename is None else f"{root}: {os.fsdecode(error.filename)}",
            hint="check its mount and the kernel log; run the same command again, or format the drive",
        ) from error


class _Clearing:
    def __init__(
        self, root: Path, last: tuple[str, ...], told: Callable[[int], None] | None, device: int | None
    ) -> None:
        self._root = root
        self._last = set(last)
        self._order = last
        self._told = told
        self._device = device
        self._count = 0

    def run(self) -> int:
        top = os.open(self._root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            device = os.fstat(top).st_dev
            # A drive that fell off leaves a folder of the system's own disk where it was mounted.
            if self._device not in (None, device):
                raise DriveInUse("the drive is not mounted here any more", where=str(self._root), hint="look again")
            self._empty(top, "", device, 0, keep=self._last)
            for name in self._order:
                self._remove_last(top, name, device)
            self._empty(top, "", device, 0, keep=set())
            os.fsync(top)
        finally:
            os.close(top)
        return self._count

    def _empty(self, folder: int, prefix: str, device: int, depth: int, keep: set[str]) -> None:
        if depth > _DEEPEST:
            raise OSError(0, f"folders are nested more than {_DEEPEST} deep", prefix)
        # By descriptor, never by path again: nobody can put a link in the place of a folder in between.
        with os.scandir(folder) as found:
            names = [entry.name for entry in found]
        for name in names:
            whole = prefix + name
            if whole in keep or (not prefix and name == _KEPT):
                continue
            status = os.stat(name, dir_fd=folder, follow_symlinks=False)
            if not stat.S_ISDIR(status.st_mode):
                os.unlink(name, dir_fd=folder)
                self._count += 1
                continue
            if status.st_dev != device:
                raise OSError(0, "another file system is mounted here", whole)
            below = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
            try:
                self._empty(below, f"{whole}/", device, depth + 1, keep)
            finally:
                os.close(below)
            if not any(kept.startswith(f"{whole}/") for kept in keep):
                os.rmdir(name, dir_fd=folder)
        if self._told is not None:
            self._told(self._count)

    def _remove_last(self, top: int, name: str, device: int) -> None:
        folder = os.dup(top)
        try:
            *parents, base = name.split("/")
            for part in parents:
                below = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
                os.close(folder)
                folder = below
            if os.fstat(folder).st_dev == device:
                os.unlink(base, dir_fd=folder)
                self._count += 1
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return
        finally:
            os.close(folder)
