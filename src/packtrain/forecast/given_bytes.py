"""How much a folder holds, counted fast: names and sizes alone are read, and no link is followed."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from packtrain.errors import SourceUnreadable
from packtrain.units import counted


def sizes(path: Path, hint: str, *, all_of_it: bool = False) -> Iterator[int]:
    """Yield the bytes of every regular file below a folder, or of a file; one of several names counts once.

    Args:
        path: the file or folder.
        hint: what to do where it is not there.
        all_of_it: what cannot be read is an error, and not left out: prepare and pack name it later, others never.

    Raises:
        SourceUnreadable: it is not there, or a folder of it cannot be read.
    """
    if path.is_file():
        yield path.stat().st_size
        return
    if not path.is_dir():
        raise SourceUnreadable("source is not there", where=str(path), expected="a file or folder", hint=hint)
    linked: set[tuple[int, int]] = set()
    waiting, unread = [str(path)], list[str]()
    while waiting:
        with _noting(waiting.pop(), unread) as at, os.scandir(at) as members:
            for member in members:
                with contextlib.suppress(OSError):
                    if member.is_dir(follow_symlinks=False):
                        waiting.append(member.path)
                        continue
                    status = member.stat(follow_symlinks=False)
                    if not stat.S_ISREG(status.st_mode):
                        continue
                    if status.st_nlink > 1:
                        if (key := (status.st_dev, status.st_ino)) in linked:
                            continue
                        linked.add(key)
                    yield status.st_size
    if unread and all_of_it:
        raise SourceUnreadable(
            f"{counted(len(unread), 'folder')} cannot be read: what lies there would be missing in the count",
            where=unread[0],
            hint="ask as somebody who may read all of it, or say how much it is with --bytes",
        )


@contextlib.contextmanager
def _noting(folder: str, unread: list[str]) -> Iterator[str]:
    """Note a folder that cannot be read; one that is gone meanwhile is none."""
    try:
        yield folder
    except FileNotFoundError:
        pass
    except OSError:
        unread.append(folder)
