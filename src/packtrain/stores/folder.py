"""A store that is a folder of this machine (or of a file server that it mounts)."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import threading
from pathlib import Path
from typing import Final, NoReturn

from packtrain import durable
from packtrain.errors import DriveFailed, DriveFull, HostileArchive

STAGING_NAME: Final = ".packtrain-staging"
_MAX_NAME_BYTES: Final = 4096
_FOLDER_FLAGS: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class FolderStore:
    """Files below one folder. Every name is walked from the folder's own descriptor, and no step follows a link.

    Args:
        path: the folder; made if it is not there.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.location = str(path)
        self._lock = threading.Lock()
        # The folder that the last name lay in stays open: names come folder by folder.
        self._parent: tuple[tuple[bytes, ...], int] | None = None

    def staging_folder(self) -> Path:
        """Return the folder inside the store for bytes that are not proven yet; it stays over runs.

        Raises:
            HostileArchive: a link stands in its place, and would lead the files elsewhere.
        """
        folder = self._path / STAGING_NAME
        if not self._path.exists():
            self._path.parent.mkdir(parents=True, exist_ok=True)
            # The data is in the clear from here on: a new store is its owner's alone until the owner opens it.
            self._path.mkdir(mode=0o700)
        folder.mkdir(exist_ok=True, mode=0o700)
        if folder.is_symlink():
            raise HostileArchive(
                "a link stands where files wait until they are proven", where=str(folder), hint="remove it"
            )
        return folder

    def publish(self, staged: Path, name: bytes) -> None:
        """Move a staged file, symbolic link or empty folder to `name`; a file of that name is replaced.

        A staged folder is not moved: the folder `name` is made, if need be, and takes its mode and times.

        Raises:
            HostileArchive: the name would leave the store, or leads through a link or a file.
            DriveFull: no space is left.
            DriveFailed: the store cannot be written.
        """
        parts = self._parts(name)
        durable.step("publish")
        with self._lock:
            try:
                parent = self._open_parent(parts[:-1], make=True)
                assert parent is not None
                status = staged.lstat()
                if stat.S_ISDIR(status.st_mode):
                    self._publish_folder(parent, parts[-1], status)
                    staged.rmdir()
                else:
                    os.rename(staged, parts[-1], dst_dir_fd=parent)
            except OSError as error:
                self._explain(error, name)
        durable.step("published")

    def size_bytes(self, name: bytes) -> int | None:
        """Return a stored file's length in bytes, or None where there is no such regular file."""
        parts = self._parts(name)
        with self._lock:
            try:
                parent = self._open_parent(parts[:-1], make=False)
                if parent is None:
                    return None
                status = os.stat(parts[-1], dir_fd=parent, follow_symlinks=False)
            except (FileNotFoundError, NotADirectoryError):
                return None
            except OSError as error:
                if error.errno == errno.ELOOP:
                    return None
                raise
        return status.st_size if stat.S_ISREG(status.st_mode) else None

    def holds(self, name: bytes) -> bool:
        """Return whether anything stands under `name`, or a link or a file in the way to it."""
        parts = self._parts(name)
        with self._lock:
            try:
                parent = self._open_parent(parts[:-1], make=False)
                if parent is not None:
                    os.stat(parts[-1], dir_fd=parent, follow_symlinks=False)
                return parent is not None
            except FileNotFoundError:
                return False
            except OSError as error:
                if error.errno in (errno.ELOOP, errno.ENOTDIR):
                    return True
                raise

    def flush(self) -> None:
        """Return when everything staged and published so far is on the medium.

        Raises:
            DriveFull: bytes that were accepted found no space.
            DriveFailed: they could not be written.
        """
        with self._lock:
            if self._parent is not None:
                os.close(self._parent[1])
                self._parent = None
        try:
            durable.sync_file_system(self._path)
        except OSError as error:
            raise self._failed(error) from error

    def local_path(self) -> Path:
        """Return the folder."""
        return self._path

    def _parts(self, name: bytes) -> tuple[bytes, ...]:
        parts = tuple(name.split(b"/"))
        if (
            len(name) > _MAX_NAME_BYTES
            or b"\0" in name
            or any(part in (b"", b".", b"..") for part in parts)
            or parts[0] == os.fsencode(STAGING_NAME)
        ):
            raise HostileArchive("name would leave the store", where=self.location, found=repr(name[:256]))
        return parts

    def _open_parent(self, parts: tuple[bytes, ...], *, make: bool) -> int | None:
        if self._parent is not None:
            if self._parent[0] == parts:
                return self._parent[1]
            os.close(self._parent[1])
            self._parent = None
        if make:
            self._path.mkdir(parents=True, exist_ok=True)
        # The store itself may be named by a link; it is the user's. What lies below it came from drives.
        descriptor = os.open(self._path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            for part in parts:
                try:
                    below = os.open(part, _FOLDER_FLAGS, dir_fd=descriptor)
                except FileNotFoundError:
                    if not make:
                        os.close(descriptor)
                        return None
                    os.mkdir(part, dir_fd=descriptor)
                    below = os.open(part, _FOLDER_FLAGS, dir_fd=descriptor)
                os.close(descriptor)
                descriptor = below
        except BaseException:
            os.close(descriptor)
            raise
        self._parent = (parts, descriptor)
        return descriptor

    def _publish_folder(self, parent: int, name: bytes, status: os.stat_result) -> None:
        with contextlib.suppress(FileExistsError):
            os.mkdir(name, dir_fd=parent)
        descriptor = os.open(name, _FOLDER_FLAGS, dir_fd=parent)
        try:
            os.fchmod(descriptor, stat.S_IMODE(status.st_mode))
            os.utime(descriptor, ns=(status.st_mtime_ns, status.st_mtime_ns))
        finally:
            os.close(descriptor)

    def _explain(self, error: OSError, name: bytes) -> NoReturn:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DriveFull(
                "no space left in the store",
                where=self.location,
                hint="make room, then run the same command again: it goes on where it stopped",
            ) from error
        if error.errno in (errno.ELOOP, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG):
            raise HostileArchive(
                "name leads through a link or a file, or a folder stands in its place",
                where=self.location,
                found=repr(name[:256]),
            ) from error
        raise self._failed(error) from error

    def _failed(self, error: OSError) -> DriveFailed:
        return DriveFailed(
            f"store cannot be written: {error.strerror or error}",
            where=self.location,
            hint="mend the store, then run the same command again: it goes on where it stopped",
        )
