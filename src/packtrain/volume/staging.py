"""The folder in a store where files wait until their volume is proven, and what goes wrong with that store."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final

from packtrain.errors import DriveFailed, DriveFull, StoreInUse

# After a load was killed, processes that unpacked for it stage what they were given, and end.
_LAST_WORDS_SECONDS: Final = 1.0
_ASK_AGAIN_SECONDS: Final = 0.05


@dataclass(frozen=True, slots=True)
class Staging:
    """Where files wait until their volume is proven. One object a shipment.

    Args:
        root: a private folder on the store's file system, kept over runs for the sake of cut files.
    """

    root: Path

    @contextmanager
    def held(self) -> Iterator[tuple[int, ...]]:
        """Make the folder, and hold it for one load for the time of the context; yield the descriptors that hold it.

        A lock of a voyage folder is not enough: a copy of it, or a second consignee's, loads into the same store,
        clears what waits here, and writes to files that the other one is about to publish.

        Raises:
            StoreInUse: another process loads this shipment into this store.
        """
        with store_faults(self.root):
            self.root.mkdir(mode=0o700, exist_ok=True)
            # The folder itself: a file for it would be one more thing that has to go when nothing else is left.
            descriptor = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            _require_held(descriptor, self.root, self.root, "this shipment")
            yield (descriptor,)
        finally:
            os.close(descriptor)

    def volume_folder(self, group: int, stripe: int, column: int) -> Path:
        """Return the folder of one volume's files."""
        return self.root / f"volume-{group:04d}-{stripe:07d}-{column:03d}"

    def whole_file(self, group: int, file_id: int) -> Path:
        """Return the file into which the pieces of a cut file are written."""
        return self.root / f"whole-{group:04d}-{file_id}"

    def salvaged(self, group: int) -> Path:
        """Return the folder of what was got out of volumes beyond repair; pieces of cut files stay there over runs."""
        return self.root / f"salvage-{group:04d}"

    def catalog(self, group: int) -> Path:
        """Return where a group's catalog lies decrypted while the group is read."""
        return self.root / f"catalog-{group:04d}.sqlite"

    @contextmanager
    def one_at_a_time(self) -> Iterator[None]:
        """Let one process of a shared load through; where one loads alone nobody waits."""
        yield

    def clear(self, *, with_catalogs: bool = True) -> None:
        """Remove volumes and catalogs in the clear; the pieces of cut files stay: the next run goes on from them."""
        catalogs = self.root.glob("catalog-*") if with_catalogs else ()
        for left in (*self.root.glob("volume-*"), *catalogs):
            shutil.rmtree(left) if left.is_dir() else left.unlink()

    def remove(self) -> None:
        """Remove the folder with all that is in it; the one that it lies in too, if nothing else does."""
        shutil.rmtree(self.root)
        if not any(self.root.parent.iterdir()):
            self.root.parent.rmdir()


@dataclass(frozen=True, slots=True)
class SharedStaging(Staging):
    """The same folder for one of several hosts that load into a store at once: each has groups of its own in it.

    The folder itself is held by the process that gave out the groups.

    Args:
        groups: those of this host.
    """

    groups: tuple[int, ...] = ()

    @contextmanager
    def held(self) -> Iterator[tuple[int, ...]]:
        """Hold the groups for the time of the context; yield the descriptors that hold them.

        A host that was cut off and taken for lost may still be at its groups: nobody else begins them before it ends.

        Raises:
            StoreInUse: another process loads one of these groups into this store.
        """
        with ExitStack() as stack:
            descriptors: list[int] = []
            for group in self.groups:
                # A file that is open for writing: over NFS a lock on anything else is this machine's alone.
                path = self.root / f"group-{group:04d}.lock"
                with store_faults(self.root):
                    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
                stack.callback(os.close, descriptor)
                _require_held(descriptor, path, self.root, f"group {group}")
                descriptors.append(descriptor)
            yield tuple(descriptors)

    @contextmanager
    def one_at_a_time(self) -> Iterator[None]:
        """Let one host of the load through: a store makes its hard links under one name first."""
        with store_faults(self.root):
            descriptor = os.open(self.root / "links.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def clear(self, *, with_catalogs: bool = True) -> None:
        """Remove what `Staging.clear` does, of the host's own groups; catalogs stay for the process that finishes."""
        for group in self.groups:
            for left in self.root.glob(f"volume-{group:04d}-*"):
                shutil.rmtree(left)

    def remove(self) -> None:
        """Leave the folder to the process that holds it."""


def _require_held(descriptor: int, path: Path, root: Path, what: str) -> None:
    with store_faults(root):
        # The one who had it may have removed it when it was done.
        is_held = _lock_soon(descriptor) and path.exists() and os.path.samestat(os.fstat(descriptor), path.stat())
    if not is_held:
        raise StoreInUse(
            f"another process loads {what} into this store",
            where=str(root.parent.parent),
            hint="wait for it to end, then run the same command again; there is nothing to delete",
        )


def _lock_soon(descriptor: int) -> bool:
    """Lock an open folder; return False if another has it, and still has it a moment later."""
    given_up_at = time.monotonic() + _LAST_WORDS_SECONDS
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= given_up_at:
                return False
            time.sleep(_ASK_AGAIN_SECONDS)
        else:
            return True


class store_faults:
    """Turn what the kernel says about the store's file system into messages.

    Raises:
        DriveFull: no space is left.
        DriveFailed: anything else.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def __enter__(self) -> None:
        return

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not isinstance(error, OSError):
            return
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise DriveFull(
                "no space left in the store",
                where=str(self._root.parent),
                hint="make room, then run the same command again: it goes on where it stopped",
            ) from error
        raise DriveFailed(
            f"store cannot be written: {error.strerror or error}",
            where=str(self._root.parent),
            hint="mend the store, then run the same command again: it goes on where it stopped",
        ) from error
