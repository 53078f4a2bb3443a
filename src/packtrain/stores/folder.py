"""A store that is a folder of this machine (or of a file server that it mounts)."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, Final, NoReturn

from packtrain import durable
from packtrain.digest import sha256_bytes, sha256_stream
from packtrain.errors import DriveFailed, DriveFull, HostileArchive
from packtrain.ports import STAGING_NAME
from packtrain.units import quoted

_STAGING_BYTES: Final = os.fsencode(STAGING_NAME)
_NO_NAMES: Final = frozenset((b"", b".", b".."))
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

        A staged folder is not moved: the folder `name` is made, if need be; `finish_folder` does the rest.

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
                if stat.S_ISDIR(staged.lstat().st_mode):
                    os.close(self._make_and_open(parts[-1], parent))
                    staged.rmdir()
                else:
                    _unlocked(parent, lambda: os.rename(staged, parts[-1], dst_dir_fd=parent))
            except OSError as error:
                self._explain(error, name)
        durable.step("published")

    def publish_all(self, staged: Path, members: Sequence[tuple[str, bytes, bool]]) -> None:
        """Publish what lies in the folder `staged`, as `publish` does, with one look at each folder of the store.

        Args:
            staged: holds files, symbolic links and empty folders.
            members: name in that folder, name in the store, whether it is a folder.

        Raises:
            As `publish`.
        """
        source = os.open(staged, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            folder = b""
            parts: tuple[bytes, ...] = ()
            for member, name, is_folder in members:
                if is_folder:
                    self.publish(staged / member, name)
                    continue
                # Names come folder by folder: one that lies in the folder of the last is looked at from there on.
                below, slash, last = name.rpartition(b"/")
                if not slash or below != folder or last in _NO_NAMES or b"\0" in last or len(name) > _MAX_NAME_BYTES:
                    *parents, last = self._parts(name)
                    folder, parts = below, tuple(parents)
                durable.step("publish")
                with self._lock:
                    try:
                        parent = self._open_parent(parts, make=True)
                        assert parent is not None
                        try:
                            os.rename(member, last, src_dir_fd=source, dst_dir_fd=parent)
                        except PermissionError:
                            _open_to_owner(parent)
                            os.rename(member, last, src_dir_fd=source, dst_dir_fd=parent)
                    except OSError as error:
                        self._explain(error, name)
                durable.step("published")
        finally:
            os.close(source)

    def link(self, target: bytes, name: bytes) -> bool:
        """Make `name` another name of the stored regular file `target`; return False where there is no such file.

        What stands under `name` is replaced, unless it is that file already. No link is followed.

        Raises:
            HostileArchive: a name would leave the store, or leads through a link or a file.
            DriveFull: no space is left.
            DriveFailed: the store cannot be written, or its file system has no hard links.
        """
        target_parts, parts = self._parts(target), self._parts(name)
        durable.step("publish")
        with self._lock:
            try:
                found = self._open_parent(target_parts[:-1], make=False)
                if found is None:
                    return False
                source = os.dup(found)
                try:
                    if (status := _regular(target_parts[-1], source)) is None:
                        return False
                    parent = self._open_parent(parts[:-1], make=True)
                    assert parent is not None
                    there = _regular(parts[-1], parent)
                    if there is None or not os.path.samestat(status, there):
                        # Over what may stand there; a rename onto another name of the same file would do nothing.
                        # Several hosts may stage here at once, each other names; what a killed run left is replaced.
                        unfinished = self.staging_folder() / f"link-{sha256_bytes(name)[:32]}"
                        unfinished.unlink(missing_ok=True)
                        os.link(target_parts[-1], unfinished, src_dir_fd=source, follow_symlinks=False)
                        _unlocked(parent, lambda: os.rename(unfinished, parts[-1], dst_dir_fd=parent))
                finally:
                    os.close(source)
            except OSError as error:
                self._explain(error, name)
        durable.step("published")
        return True

    def are_linked(self, target: bytes, name: bytes) -> bool:
        """Return whether both are names of one stored regular file."""
        first, second = self._status(target), self._status(name)
        if first is None or second is None or not stat.S_ISREG(first.st_mode):
            return False
        return os.path.samestat(first, second)

    def finish_folder(self, name: bytes, give: Callable[[int], None]) -> None:
        """Call `give` with the folder `name`, open; it is made if it is not there. No link is followed.

        Raises:
            HostileArchive: the name would leave the store, or leads through a link or a file.
            DriveFull: no space is left.
            DriveFailed: the store cannot be written.
        """
        parts = self._parts(name)
        durable.step("folder")
        with self._lock:
            try:
                parent = self._open_parent(parts[:-1], make=True)
                assert parent is not None
                descriptor = self._make_and_open(parts[-1], parent)
                try:
                    give(descriptor)
                finally:
                    os.close(descriptor)
            except OSError as error:
                self._explain(error, name)

    def size_bytes(self, name: bytes) -> int | None:
        """Return a stored file's length in bytes, or None where there is no such regular file."""
        status = self._status(name)
        return status.st_size if status is not None and stat.S_ISREG(status.st_mode) else None

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

    def is_folder(self, name: bytes) -> bool:
        """Return whether a folder stands under `name`, and no link to one."""
        status = self._status(name)
        return status is not None and stat.S_ISDIR(status.st_mode)

    def is_empty(self) -> bool:
        """Return whether nothing is in the folder but what waits, or there is no folder."""
        try:
            with os.scandir(self._path) as found:
                return all(entry.name == STAGING_NAME for entry in found)
        except FileNotFoundError:
            return True

    def link_target(self, name: bytes) -> bytes | None:
        """Return where a stored symbolic link leads; None where there is none."""
        parts = self._parts(name)
        with self._lock:
            try:
                parent = self._open_parent(parts[:-1], make=False)
                return None if parent is None else os.readlink(parts[-1], dir_fd=parent)
            except OSError as error:
                if error.errno in (errno.EINVAL, errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
                    return None
                raise

    def sha256(self, name: bytes) -> str | None:
        """Return the SHA-256 of a stored file; None where there is no such regular file."""
        with self._opened(name) as stream:
            return None if stream is None else sha256_stream(stream)[0]

    def read_bytes(self, name: bytes, most_bytes: int) -> bytes | None:
        """Return a small stored file; None where there is no such regular file, or a longer one."""
        with self._opened(name) as stream:
            payload = None if stream is None else stream.read(most_bytes + 1)
        return None if payload is None or len(payload) > most_bytes else payload

    @contextlib.contextmanager
    def _opened(self, name: bytes) -> Iterator[BinaryIO | None]:
        """Yield a stored regular file, open; None where there is none. No link is followed."""
        parts = self._parts(name)
        descriptor = -1
        with self._lock, contextlib.suppress(FileNotFoundError, NotADirectoryError):
            parent = self._open_parent(parts[:-1], make=False)
            if parent is not None and _regular(parts[-1], parent) is not None:
                flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
                descriptor = os.open(parts[-1], flags, dir_fd=parent)
        if descriptor < 0:
            yield None
            return
        with os.fdopen(descriptor, "rb") as stream:
            yield stream

    def _parts(self, name: bytes) -> tuple[bytes, ...]:
        parts = tuple(name.split(b"/"))
        if (
            len(name) > _MAX_NAME_BYTES
            or b"\0" in name
            or not _NO_NAMES.isdisjoint(parts)
            or parts[0] == _STAGING_BYTES
        ):
            raise HostileArchive("name would leave the store", where=self.location, found=quoted(name[:256]))
        return parts

    def _status(self, name: bytes) -> os.stat_result | None:
        """Return what the file system says of what stands under a name, or None where nothing does."""
        parts = self._parts(name)
        with self._lock:
            try:
                parent = self._open_parent(parts[:-1], make=False)
                return None if parent is None else os.stat(parts[-1], dir_fd=parent, follow_symlinks=False)
            except (FileNotFoundError, NotADirectoryError):
                return None
            except OSError as error:
                if error.errno == errno.ELOOP:
                    return None
                raise

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
                    below = _open_folder(part, descriptor)
                except FileNotFoundError:
                    if not make:
                        os.close(descriptor)
                        return None
                    below = self._make_and_open(part, descriptor)
                os.close(descriptor)
                descriptor = below
        except BaseException:
            os.close(descriptor)
            raise
        self._parent = (parts, descriptor)
        return descriptor

    def _make_and_open(self, name: bytes, parent: int) -> int:
        with contextlib.suppress(FileExistsError):
            _unlocked(parent, lambda: os.mkdir(name, dir_fd=parent))
        return _open_folder(name, parent)

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
                found=quoted(name[:256]),
            ) from error
        raise self._failed(error) from error

    def _failed(self, error: OSError) -> DriveFailed:
        return DriveFailed(
            f"store cannot be written: {error.strerror or error}",
            where=self.location,
            hint="mend the store, then run the same command again: it goes on where it stopped",
        )


def _regular(name: bytes, parent: int) -> os.stat_result | None:
    """Return what the file system says of a regular file in an open folder, or None."""
    try:
        status = os.stat(name, dir_fd=parent, follow_symlinks=False)
    except FileNotFoundError:
        return None
    return status if stat.S_ISREG(status.st_mode) else None


def _open_folder(name: bytes, parent: int) -> int:
    """Return a folder in an open folder, open: also one that an earlier run left closed to its owner."""
    try:
        return os.open(name, _FOLDER_FLAGS, dir_fd=parent)
    except PermissionError:
        place = os.open(name, _FOLDER_FLAGS | os.O_PATH, dir_fd=parent)
        try:
            # By the descriptor: the name might be a link by now, and chmod follows those.
            mode = stat.S_IMODE(os.fstat(place).st_mode)
            Path(f"/proc/self/fd/{place}").chmod(mode | stat.S_IRWXU)
        finally:
            os.close(place)
        return os.open(name, _FOLDER_FLAGS, dir_fd=parent)


def _unlocked(folder: int, work: Callable[[], None]) -> None:
    """Do `work` in an open folder; where its mode forbids, open it to its owner first. It gets its mode at the end."""
    try:
        work()
    except PermissionError:
        _open_to_owner(folder)
        work()


def _open_to_owner(folder: int) -> None:
    os.fchmod(folder, stat.S_IMODE(os.fstat(folder).st_mode) | stat.S_IRWXU)
