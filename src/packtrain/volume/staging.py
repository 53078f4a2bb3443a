"""The folder in a store where files wait until their volume is proven, and what goes wrong with that store."""

from __future__ import annotations

import errno
import fcntl
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Final

from packtrain.errors import DriveFailed, DriveFull, StoreInUse

# After a load was killed, processes that unpacked for it stage what they were given, and end.
_LAST_WORDS_SECONDS: Final = 1.0
_ASK_AGAIN_SECONDS: Final = 0.05


def _draw_run() -> str:
    return secrets.token_hex(4)


@dataclass(frozen=True, slots=True)
class Staging:
    """Where files wait until their volume is proven. One object a shipment.

    Args:
        root: a private folder on the store's file system, kept over runs for the sake of cut files.
        run: drawn for each load. Where a file system keeps no lock between two of them, neither finds half a file of
            the other under a name of its own, and publishes it.
    """

    root: Path
    run: str = field(default_factory=_draw_run)

    @contextmanager
    def held(self) -> Iterator[tuple[int, ...]]:
        """Make the folder, and hold it for one load for the time of the context; yield the descriptors that hold it.

        A lock of a voyage folder is not enough: a copy of it, or a second consignee's, loads into the same store,
        and clears what waits here. Groups that hosts were given are held too: one of those that outlived the process
        that gave them out may still be at its own.

        Raises:
            StoreInUse: another process loads this shipment, or a group of it, into this store.
        """
        with ExitStack() as stack:
            descriptors = [self._hold(stack)]
            for path in sorted(self.root.glob("group-*.lock")):
                descriptors.append(_hold_group(path, self.root, stack))
            yield tuple(descriptors)

    def _hold(self, stack: ExitStack) -> int:
        with store_faults(self.root):
            self.root.mkdir(mode=0o700, exist_ok=True)
            # The folder itself: a file for it would be one more thing that has to go when nothing else is left.
            descriptor = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        stack.callback(os.close, descriptor)
        _require_held(descriptor, self.root, self.root, "this shipment")
        return descriptor

    def volume_folder(self, group: int, stripe: int, column: int) -> Path:
        """Return the folder of one volume's files."""
        return self.root / f"volume-{group:04d}-{stripe:07d}-{column:03d}-{self.run}"

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
class GivenOutStaging(Staging):
    """The same folder for the process that gives its groups to hosts: it holds none of them."""

    @contextmanager
    def held(self) -> Iterator[tuple[int, ...]]:
        """Make and hold the folder for the time of the context; yield the descriptor. Raises: as `Staging.held`."""
        with ExitStack() as stack:
            yield (self._hold(stack),)

    def clear(self, *, with_catalogs: bool = True) -> None:
        """Remove what `Staging.clear` does, but volumes of groups that a host is still at: it would fail at them."""
        with ExitStack() as stack:
            busy: set[str] = set()
            for path in self.root.glob("group-*.lock"):
                try:
                    _hold_group(path, self.root, stack, wait=False)
                except StoreInUse:
                    busy.add(path.stem.removeprefix("group-"))
            for left in self.root.glob("volume-*"):
                if left.name.split("-")[1] not in busy:
                    shutil.rmtree(left)
        for left in self.root.glob("catalog-*") if with_catalogs else ():
            left.unlink()


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
            paths = [self.root / f"group-{group:04d}.lock" for group in self.groups]
            yield tuple(_hold_group(path, self.root, stack) for path in paths)

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


def _hold_group(path: Path, root: Path, stack: ExitStack, *, wait: bool = True) -> int:
    """Hold the lock file of a group until the stack is left; return its descriptor.

    It is open for writing: over NFS a lock on anything else is this machine's alone, or refused.
    """
    with store_faults(root):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    stack.callback(os.close, descriptor)
    number = path.stem.removeprefix("group-").lstrip("0") or "0"
    _require_held(descriptor, path, root, f"group {number}", wait=wait)
    return descriptor


def _require_held(descriptor: int, path: Path, root: Path, what: str, *, wait: bool = True) -> None:
    with store_faults(root):
        # The one who had it may have removed it when it was done.
        is_held = (
            _lock_soon(descriptor, _LAST_WORDS_SECONDS if wait else 0)
            and path.exists()
            and os.path.samestat(os.fstat(descriptor), path.stat())
        )
    if not is_held:
        raise StoreInUse(
            f"another process loads {what} into this store",
            where=str(root.parent.parent),
            hint="wait for it to end, then run the same command again; there is nothing to delete",
        )


def _lock_soon(descriptor: int, seconds: float) -> bool:
    """Lock an open file or folder; return False if another has it, and still has it so much later."""
    given_up_at = time.monotonic() + seconds
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
