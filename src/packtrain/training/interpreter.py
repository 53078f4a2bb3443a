"""An interpreter that travels in the kit: an archive as it is, or a folder made into one, the same bytes each time."""

from __future__ import annotations

import contextlib
import gzip
import os
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from packtrain.errors import KitError

NAME: Final = "interpreter.tar.gz"
_GZIP: Final = b"\x1f\x8b"


@contextlib.contextmanager
def packed_interpreter(source: Path, scratch: Path) -> Iterator[Path]:
    """Yield the path of a .tar.gz that holds the interpreter; of a folder one is made below `scratch`, and removed.

    Raises:
        KitError: it is not there, is no .tar.gz, or the folder holds no bin/python3, or a link that leads out of it.
    """
    if source.is_dir():
        if not (source / "bin" / "python3").exists():
            raise KitError(
                "folder holds no interpreter that can travel", where=str(source), expected="bin/python3 below it"
            )
        with tempfile.TemporaryDirectory(dir=scratch, prefix="interpreter-") as folder:
            archive = Path(folder) / NAME
            _pack(source, archive)
            yield archive
        return
    try:
        with source.open("rb") as stream:
            head = stream.read(2)
    except OSError as error:
        raise KitError("interpreter is not there", where=str(source), found=error.strerror) from error
    if head != _GZIP:
        raise KitError("interpreter is no .tar.gz", where=str(source), hint="name such an archive, or a folder")
    yield source


def _pack(source: Path, archive: Path) -> None:
    """Write a folder as a .tar.gz: names in order, no times, no owners. Links stay links; caches stay behind."""
    with (
        archive.open("wb") as raw,
        gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0, compresslevel=6) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as tar,
    ):
        for path in sorted(source.rglob("*")):
            relative = path.relative_to(source)
            if "__pycache__" in relative.parts or (path.is_dir() and not path.is_symlink()):
                continue
            if path.is_symlink() and not _stays_inside(path, source):
                # A virtual environment's interpreter is such a link: here it works, and at the site leads nowhere.
                raise KitError(
                    "interpreter holds a link that leads out of its folder",
                    where=str(path),
                    found=str(path.readlink()),
                    hint="an environment (venv) cannot travel: name the folder of the interpreter it was made with",
                )
            info = tar.gettarinfo(path, f"python/{relative.as_posix()}")
            if not (info.isfile() or info.issym()):
                # A second name of a file is written as the file.
                info.type, info.size = tarfile.REGTYPE, path.stat().st_size
            info.uid = info.gid = info.mtime = 0
            info.uname = info.gname = ""
            info.mode = 0o755 if info.mode & 0o100 else 0o644
            if info.issym():
                tar.addfile(info)
            else:
                with path.open("rb") as stream:
                    tar.addfile(info, stream)


def _stays_inside(link: Path, folder: Path) -> bool:
    # By its spelling: at the site nothing of this machine can be asked.
    target = link.readlink()
    return not target.is_absolute() and Path(os.path.normpath(link.parent / target)).is_relative_to(folder)
