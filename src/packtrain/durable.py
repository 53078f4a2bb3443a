"""Writing that survives a crash: whole or not at all.

A file appears under its name only after its bytes and its folder entry are on the medium. Each point at which a crash
could leave something half done calls `step`, so that a test can kill the process at the n-th of them.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import io
import os
import secrets
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO, Final

from packtrain.errors import DriveFull, VoyageLocked
from packtrain.units import format_bytes

TEMPORARY_SUFFIX: Final = ".part"
_TOGETHER: Final = ".together"
# Larger pieces pass it by: those that write volumes come with a mebibyte, which is not to be copied once more.
_BUFFER_BYTES: Final = 1 << 16

_observer: Callable[[str], None] | None = None


def observe_steps(observer: Callable[[str], None] | None) -> None:
    """Call `observer(name)` at every durable step from now on (tests use it to die there); None stops it."""
    global _observer
    _observer = observer


def step(name: str) -> None:
    """Mark a point at which a crash must be harmless."""
    if _observer is not None:
        _observer(name)


def sync_folder(folder: Path) -> None:
    """Flush a folder's entries: without it a power cut can lose a rename (ext4, xfs)."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_file_system(folder: Path) -> None:
    """Flush all that was written to the file system of `folder`: one call where an fsync a file would take hours.

    Raises:
        DriveFull: delayed bytes found no space.
        OSError: delayed bytes could not be written.
    """
    syncfs = getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)
    if syncfs is None:
        os.sync()
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with _full_is_a_message(folder):
            if syncfs(descriptor) != 0:
                code = ctypes.get_errno()
                raise OSError(code, os.strerror(code), str(folder))
    finally:
        os.close(descriptor)
    step(f"flushed {folder.name}")


@contextlib.contextmanager
def atomic_writer(path: Path, mode: int = 0o644, *, shared: bool = False) -> Iterator[BinaryIO]:
    """Yield a binary stream; on leaving without an error its bytes stand under `path`, durably.

    On an error the temporary file is removed and `path` is as it was.

    Args:
        path: the name that the bytes get at the end.
        mode: rights of the file.
        shared: several hosts may write `path` at once, the same bytes. Each has a temporary name of its own, since not
            every network file system knows locks; what a writer leaves that dies is for the caller to remove.

    Raises:
        DriveFull: no space is left where `path` lies.
        OSError: any other failure of the file system; or, unless `shared`, another process is writing the same file.
    """
    own = f".{secrets.token_hex(8)}" if shared else ""
    temporary = path.with_name(f"{path.name}{own}{TEMPORARY_SUFFIX}")
    path.parent.mkdir(parents=True, exist_ok=True)
    _refuse_to_replace(path)
    if not shared:
        _remove_left(temporary)
    # Removed first: O_EXCL then guards against writing through a link that somebody left under the temporary name.
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try_to_lock(descriptor)
    try:
        with _full_is_a_message(path), io.BufferedWriter(io.FileIO(descriptor, "wb"), _BUFFER_BYTES) as stream:
            yield stream
            stream.flush()
            step(f"written {path.name}")
            os.fsync(descriptor)
        step(f"synced {path.name}")
        temporary.replace(path)
        step(f"renamed {path.name}")
        sync_folder(path.parent)
        step(f"durable {path.name}")
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _refuse_to_replace(path: Path) -> None:
    """Raise FileExistsError where a device, pipe or socket has the name: a rename by root would put a file there."""
    with contextlib.suppress(FileNotFoundError):
        mode = path.lstat().st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISLNK(mode) or stat.S_ISDIR(mode)):
            raise FileExistsError(errno.EEXIST, "Is no file and would be replaced by one", str(path))


def _remove_left(temporary: Path) -> None:
    """Remove what a writer that died has left under its temporary name.

    Raises:
        OSError: it has not died: its rename would give the name to what is half written here.
    """
    try:
        descriptor = os.open(temporary, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        # Nothing is there, or nothing that a writer of ours has made.
        temporary.unlink(missing_ok=True)
        return
    try:
        if not try_to_lock(descriptor):
            raise OSError(errno.EBUSY, "another process is writing this file", str(temporary))
        temporary.unlink(missing_ok=True)
    finally:
        os.close(descriptor)


def try_to_lock(descriptor: int) -> bool:
    """Lock an open file until it is closed; return False only if another has it: some file systems know no locks."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


def write_bytes(path: Path, payload: bytes, mode: int = 0o644, *, shared: bool = False) -> None:
    """Write `payload` to `path`, whole or not at all; see `atomic_writer` for `shared` and errors."""
    with atomic_writer(path, mode, shared=shared) as stream:
        stream.write(payload)


def write_together(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write several files below `folder`, all or none: after a crash in between `finish_together` writes the rest.

    For what is valid only in pairs, a document and its signature. They are written to one file first, so keep them
    small; only one process may write to the folder.

    Raises:
        DriveFull: no space is left.
    """
    finish_together(folder)
    parts = [b"%d %d\n%b%b" % (len(os.fsencode(n)), len(body), os.fsencode(n), body) for n, body in files.items()]
    write_bytes(folder / _TOGETHER, b"".join(parts))
    finish_together(folder)


def finish_together(folder: Path) -> None:
    """Write what a `write_together` that was cut off has left to be written; nothing if there is none.

    Raises:
        DriveFull: no space is left.
    """
    path = folder / _TOGETHER
    try:
        rest = memoryview(path.read_bytes())
    except FileNotFoundError:
        return
    while rest:
        head = bytes(rest[:40]).partition(b"\n")[0]
        name_bytes, body_bytes = (int(word) for word in head.split())
        start = len(head) + 1 + name_bytes
        write_bytes(folder / os.fsdecode(bytes(rest[len(head) + 1 : start])), bytes(rest[start : start + body_bytes]))
        rest = rest[start + body_bytes :]
    path.unlink()
    sync_folder(folder)
    step(f"together {folder.name}")


def append_line(path: Path, line: bytes) -> None:
    """Add one line to a log, whole or not at all; a last line without its newline is dropped.

    The log is written anew and renamed: a real append, cut by a crash or a full disk, would leave half a line that the
    next line would be glued to. Logs of a voyage have some hundred lines; do not use it for one that grows by the step.

    Raises:
        DriveFull: no space is left; the log is as it was.
    """
    assert b"\n" not in line
    before = path.read_bytes() if path.exists() else b""
    write_bytes(path, before[: before.rfind(b"\n") + 1] + line + b"\n")


def append_records(path: Path, lines: Sequence[bytes]) -> None:
    """Append lines to a long journal and flush it; the file must exist.

    A crash or a full disk may leave half a line at the end: the reader of the journal must cut it off first.

    Raises:
        DriveFull: no space is left.
    """
    with path.open("ab", buffering=0) as stream, _full_is_a_message(path):
        step(f"append {path.name}")
        payload = memoryview(b"".join(line + b"\n" for line in lines))
        while payload:
            payload = payload[stream.write(payload) :]
        os.fsync(stream.fileno())
    step(f"appended {path.name}")


def plain_file(path: Path) -> BinaryIO:
    """Open a file to read it, if it is a plain one: a pipe has no end, and a link leads anywhere; OSError of both."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "is no plain file", str(path))
    return os.fdopen(descriptor, "rb")


def plain_bytes(path: Path, max_bytes: int) -> bytes | None:
    """Return the bytes of a plain file; None where there is none, it cannot be read, or holds more than `max_bytes`."""
    try:
        with plain_file(path) as stream:
            payload = stream.read(max_bytes + 1)
    except OSError:
        return None
    return payload if len(payload) <= max_bytes else None


def require_room(folder: Path, new_bytes: int) -> None:
    """Return if so many bytes more have room below a folder, which must exist; others may take it all the same.

    Raises:
        DriveFull: they have not.
    """
    free_bytes = shutil.disk_usage(folder).free
    if new_bytes > free_bytes:
        raise DriveFull(
            "there is not enough room for what is to be brought here",
            where=str(folder),
            expected=format_bytes(new_bytes),
            found=f"{format_bytes(free_bytes)} free",
            hint="make room, then run the same command again: it goes on where it stopped",
        )


@contextlib.contextmanager
def lock_folder(folder: Path) -> Iterator[None]:
    """Hold the folder's lock file for the time of the context.

    Raises:
        VoyageLocked: another process holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("a+b") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise VoyageLocked(
                "another packtrain process works in this voyage folder",
                where=str(folder),
                hint="wait for it to end; the lock goes with the process, there is nothing to delete",
            ) from error
        yield


def private_folder(parent: Path, prefix: str) -> contextlib.AbstractContextManager[Path]:
    """Make a folder of its owner's alone, and return the context that yields it and removes it at its end.

    It is there, and known as in use, when this returns: `sweep_private_folders` leaves it alone while the process
    lives. Both are to be called with the lock of the same folder held.
    """
    made = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
    descriptor = os.open(made, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try_to_lock(descriptor)

    @contextlib.contextmanager
    def in_use() -> Iterator[Path]:
        try:
            yield made
        finally:
            shutil.rmtree(made, ignore_errors=True)
            os.close(descriptor)

    return in_use()


def sweep_private_folders(parent: Path, prefix: str) -> None:
    """Remove the folders of `private_folder` that processes left which were killed."""
    for left in parent.glob(f"{prefix}*"):
        with contextlib.suppress(OSError):
            descriptor = os.open(left, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                if try_to_lock(descriptor):
                    shutil.rmtree(left, ignore_errors=True)
            finally:
                os.close(descriptor)


@contextlib.contextmanager
def _full_is_a_message(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DriveFull(
                "no space left",
                where=str(path),
                hint="make room or give a larger drive, then run the same command again: it goes on where it stopped",
            ) from error
        raise
