"""How much a folder holds, counted fast: names and sizes alone are read, and no link is followed."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from packtrain.errors import SourceUnreadable


def sizes(path: Path, hint: str) -> Iterator[int]:
    """Yield the bytes of every regular file below a folder, or of a file; one of several names counts once.

    Args:
        path: the file or folder.
        hint: what to do where it is not there.

    Raises:
        SourceUnreadable: it is not there.
    """
    if path.is_file():
        yield path.stat().st_size
        return
    if not path.is_dir():
        raise SourceUnreadable("source is not there", where=str(path), expected="a file or folder", hint=hint)
    linked: set[tuple[int, int]] = set()
    waiting = [str(path)]
    while waiting:
        # What is gone meanwhile or cannot be read, prepare and pack will name.
        with contextlib.suppress(OSError), os.scandir(waiting.pop()) as members:
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
