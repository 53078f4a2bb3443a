"""What tells that files changed, without opening one: names, lengths, times of change."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Final

_MOST_FILES: Final = 20_000
_MOST_FOLDERS_DEEP: Final = 4

Mark = tuple[str, int, int, int, int]
"""Path, length, times of change of the bytes and of the entry in ns, number of the file.

A document that is written anew is another file; and the second time nobody can set back, as a copy sets the first.
"""


def marks_of(paths: Sequence[Path]) -> tuple[Mark, ...]:
    """Return the marks of files, and of all files below folders; of what is not there, none. No link is followed."""
    found: list[Mark] = []
    for path in paths:
        try:
            stat = path.lstat()
        except OSError:
            continue
        if path.is_dir() and not path.is_symlink():
            found += islice(_below(str(path), _MOST_FOLDERS_DEEP), max(0, _MOST_FILES - len(found)))
        else:
            found.append(_mark(str(path), stat))
    return tuple(found)


def _mark(path: str, stat: os.stat_result) -> Mark:
    return path, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino


def _below(folder: str, deep: int) -> Iterator[Mark]:
    try:
        with os.scandir(folder) as entries:
            inside = sorted(entries, key=lambda entry: entry.name)
    except OSError:
        return
    for entry in inside:
        try:
            if entry.is_dir(follow_symlinks=False):
                if deep:
                    yield from _below(entry.path, deep - 1)
                continue
            stat = entry.stat(follow_symlinks=False)
        except OSError:
            continue
        yield _mark(entry.path, stat)
