"""A drive that is a mounted file system, or a folder that plays one.

Every file is opened from the drive's root folder component by component without following links, so that a prepared
drive cannot make packtrain read or write anywhere else.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import mmap
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

from packtrain import durable
from packtrain.errors import DriveFailed, DriveFull, DriveMissing
from packtrain.ports import DriveReader, DriveWriter, Readback
from packtrain.units import MIB

# What packtrain generates: no hidden names, no "..", nothing a shell or another system could take amiss.
_NAME: Final = re.compile(r"[A-Za-z0-9_+][A-Za-z0-9_+.-]*(/[A-Za-z0-9_+][A-Za-z0-9_+.-]*){0,15}")
_MAX_NAME_BYTES: Final = 600
# Direct reads want offset, length and memory in multiples of the device's logical block; none is larger than this.
_ALIGNMENT: Final = 4096
_MEMORY_FILE_SYSTEMS: Final = frozenset({"tmpfs", "ramfs"})
_NOT_OURS: Final = frozenset({"lost+found"})
# Some of them wait to be listed: 20 MB of names. A drive of packtrain has a handful, and those of its kit.
_MOST_FOLDERS: Final = 100_000
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})


class DirectoryDrive:
    """A folder or mount point as a drive (see `ports.Drive`).

    Args:
        path: the folder; it must exist.
        serial: the device's serial number where the caller knows it.

    Raises:
        DriveMissing: there is no such folder.
    """

    def __init__(self, path: Path, serial: str | None = None) -> None:
        self.location = str(path)
        self.serial = serial
        self._root = path
        if not path.is_dir():
            raise DriveMissing(
                "drive is not mounted",
                where=str(path),
                expected="a folder or mount point",
                hint="mount it, or correct the path",
            )
        self._in_memory = _file_system_type(path) in _MEMORY_FILE_SYSTEMS

    def free_bytes(self) -> int:
        """Return how many bytes an ordinary user can still write."""
        with self._faults("", "cannot be asked for its free space"):
            status = os.statvfs(self._root)
        return status.f_bavail * status.f_frsize

    def names(self) -> Iterator[str]:
        """Yield the names of all regular files and links; `lost+found` at the top is the file system's own.

        Links are named (so that a foreign drive shows) but can never be opened.
        """
        # A stack and no recursion: whoever fills a drive decides how deep its folders go, and how many there are.
        stack = [(self._root, "")]
        while stack:
            folder, prefix = stack.pop()
            with self._faults(prefix[:100], "cannot be listed"), os.scandir(folder) as found:
                for member in found:
                    if not prefix and member.name in _NOT_OURS:
                        continue
                    if member.is_dir(follow_symlinks=False):
                        stack.append((Path(member.path), f"{prefix}{member.name}/"))
                        if len(stack) > _MOST_FOLDERS:
                            raise DriveFailed(
                                f"drive holds more than {_MOST_FOLDERS} folders",
                                where=self.location,
                                hint='no drive of packtrain does; "packtrain drives clear" empties one',
                            )
                    else:
                        yield prefix + member.name

    def size_bytes(self, name: str) -> int | None:
        """Return a file's length, or None where there is no such regular file."""
        with self._faults(name, "cannot be looked at"):
            try:
                with self._folder(name, make=False) as (folder, base):
                    status = os.stat(base, dir_fd=folder, follow_symlinks=False)
            except (FileNotFoundError, NotADirectoryError):
                return None
        return status.st_size if stat.S_ISREG(status.st_mode) else None

    def open_reader(self, name: str, *, past_cache: bool = False) -> DriveReader:
        """Return an open file; see the port for errors."""
        with self._faults(name, "cannot be opened"), self._folder(name, make=False) as (folder, base):
            return _Reader(self, folder, base, name, past_cache=past_cache, in_memory=self._in_memory)

    @contextlib.contextmanager
    def open_writer(self, name: str) -> Iterator[DriveWriter]:
        """Yield a writer; the file stands under `name` durably once the context is left without an error."""
        inner: BaseException | None = None
        try:
            with (
                self._folder(name, make=True) as (folder, base),
                # Through the descriptor, not by the path again: nobody can swap a folder for a link in between.
                durable.atomic_writer(Path(f"/proc/self/fd/{folder}") / base) as stream,
            ):
                try:
                    yield _Writer(self, name, stream)
                except BaseException as error:
                    inner = error
                    raise
        except (OSError, DriveFull) as error:
            # What the caller's own code raised (a source that cannot be read) is no fault of this drive.
            if error is inner:
                raise
            raise self.fault(error, name, "cannot be written") from error

    def read_bytes(self, name: str, max_bytes: int) -> bytes:
        """Return a whole small file; see the port for errors."""
        reader = self.open_reader(name)
        try:
            if reader.size_bytes > max_bytes:
                raise DriveFailed(
                    "file is longer than it can be",
                    where=f"{self.location}: {name}",
                    expected=f"at most {max_bytes} bytes",
                    found=str(reader.size_bytes),
                )
            payload = bytearray(reader.size_bytes)
            length = reader.read_into(memoryview(payload), 0)
            return bytes(payload[:length])
        finally:
            reader.close()

    def write_bytes(self, name: str, payload: bytes) -> None:
        """Write a whole small file, durably."""
        with self.open_writer(name) as writer:
            writer.write(payload)

    def remove(self, name: str) -> None:
        """Remove a file, durably; no error if it is not there."""
        with self._faults(name, "cannot be removed"):
            try:
                with self._folder(name, make=False) as (folder, base):
                    os.unlink(base, dir_fd=folder)
                    durable.step(f"removed {base}")
                    os.fsync(folder)
            except (FileNotFoundError, NotADirectoryError):
                return

    def fault(self, error: OSError | DriveFull, name: str, what: str) -> DriveFailed | DriveFull:
        """Return the error class for what the kernel said about a file of this drive."""
        where = f"{self.location}: {name}" if name else self.location
        if isinstance(error, DriveFull) or error.errno in _FULL:
            return DriveFull(
                "no space left on the drive",
                where=where,
                hint="give a larger drive or plan again, then run the same command: it goes on where it stopped",
            )
        if error.errno == errno.EFBIG:
            return DriveFull(
                "file is larger than the drive's file system, or this process, may write",
                where=where,
                hint="format the drive with ext4, xfs or exFAT (FAT32 ends at 4 GiB), or lift the limit (`ulimit -f`); "
                "then run the same command: it goes on where it stopped",
            )
        if error.errno == errno.EROFS:
            return DriveFailed(
                "drive is mounted read-only",
                where=self.location,
                hint="mount it writable if it is to be written; a repair can go onto a spare: "
                "--repair --onto LABEL=PATH",
            )
        return DriveFailed(
            f"drive {what}: {error.strerror or error}",
            where=where,
            hint="check cable, bay and kernel log; run the same command again, or replace the drive",
        )

    @contextlib.contextmanager
    def _faults(self, name: str, what: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise self.fault(error, name, what) from error

    @contextlib.contextmanager
    def _folder(self, name: str, *, make: bool) -> Iterator[tuple[int, str]]:
        """Yield an open descriptor of the folder that holds `name`, and the name's last component."""
        if len(name) > _MAX_NAME_BYTES or _NAME.fullmatch(name) is None:
            raise DriveFailed("name is not one that packtrain generates", where=self.location, found=name[:100])
        *parents, base = name.split("/")
        descriptor = os.open(self._root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            for part in parents:
                if make:
                    # The new folder's entry must be on the medium before a file in it counts as written.
                    with contextlib.suppress(FileExistsError):
                        os.mkdir(part, 0o755, dir_fd=descriptor)
                        os.fsync(descriptor)
                below = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=descriptor)
                os.close(descriptor)
                descriptor = below
            yield descriptor, base
        finally:
            os.close(descriptor)


class _Writer:
    def __init__(self, drive: DirectoryDrive, name: str, stream: BinaryIO) -> None:
        self._drive = drive
        self._name = name
        self._stream = stream

    def write(self, data: bytes | bytearray | memoryview) -> None:
        try:
            self._stream.write(data)
        except OSError as error:
            raise self._drive.fault(error, self._name, "cannot be written") from error


class _Reader:
    def __init__(
        self, drive: DirectoryDrive, folder: int, base: str, name: str, *, past_cache: bool, in_memory: bool
    ) -> None:
        self._drive = drive
        self._name = name
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
        self._descriptor = os.open(base, flags, dir_fd=folder)
        try:
            status = os.fstat(self._descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise OSError(errno.EINVAL, "not a regular file")
            self.size_bytes = status.st_size
            self.readback: Readback = "memory"
            self._direct = False
            self._bounce: mmap.mmap | None = None
            if past_cache and not in_memory:
                self._direct = self._open_direct(base, flags, folder)
                if not self._direct:
                    # The file is synced, so its pages are clean and the kernel lets them go.
                    os.posix_fadvise(self._descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
                self.readback = "direct" if self._direct else "dropped"
        except BaseException:
            os.close(self._descriptor)
            raise

    def read_into(self, buffer: memoryview, offset: int) -> int:
        try:
            if not self._direct:
                return self._fill(buffer, offset)
            if _is_aligned(buffer, offset):
                return self._fill(buffer, offset)
            return self._fill_by_bounce(buffer, offset)
        except OSError as error:
            raise self._drive.fault(error, self._name, f"cannot be read at block {offset // MIB}") from error

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
        if self._bounce is not None:
            self._bounce.close()
            self._bounce = None

    def _open_direct(self, base: str, flags: int, folder: int) -> bool:
        """Reopen past the page cache if file system and device can; some say so only when read."""
        try:
            direct = os.open(base, flags | os.O_DIRECT, dir_fd=folder)
        except OSError:
            return False
        try:
            with mmap.mmap(-1, _ALIGNMENT) as probe:
                os.preadv(direct, [probe], 0)
        except OSError as error:
            os.close(direct)
            if error.errno == errno.EINVAL:
                return False
            raise
        os.close(self._descriptor)
        self._descriptor = direct
        return True

    def _fill(self, buffer: memoryview, offset: int) -> int:
        filled = 0
        while filled < len(buffer):
            count = os.preadv(self._descriptor, [buffer[filled:]], offset + filled)
            filled += count
            # A direct read that stops between blocks stands at the end of the file; going on would be unaligned.
            if count == 0 or (self._direct and count % _ALIGNMENT):
                break
        return filled

    def _fill_by_bounce(self, buffer: memoryview, offset: int) -> int:
        if self._bounce is None:
            self._bounce = mmap.mmap(-1, MIB + 2 * _ALIGNMENT)
        filled = 0
        while filled < len(buffer):
            position = offset + filled
            start = position // _ALIGNMENT * _ALIGNMENT
            with memoryview(self._bounce) as whole:
                count = self._fill(whole, start)
                piece = whole[position - start : count][: len(buffer) - filled]
                buffer[filled : filled + len(piece)] = piece
                filled += len(piece)
                at_end = count < len(whole)
                piece.release()
            if at_end:
                break
        return filled


def _is_aligned(buffer: memoryview, offset: int) -> bool:
    if buffer.readonly or offset % _ALIGNMENT or len(buffer) % _ALIGNMENT or not len(buffer):
        return False
    return ctypes.addressof(ctypes.c_char.from_buffer(buffer)) % _ALIGNMENT == 0


def _file_system_type(path: Path) -> str:
    """Return the type of the file system a folder lies on, "" where the kernel does not tell."""
    try:
        device = path.stat().st_dev
        lines = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return ""
    wanted = f"{os.major(device)}:{os.minor(device)}"
    for line in lines:
        fields = line.split(" ")
        if len(fields) > 4 and fields[2] == wanted and "-" in fields:
            return fields[fields.index("-") + 1]
    return ""
