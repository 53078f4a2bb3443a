"""Whether a host may take units of work: it sees the folders that all share, and has the same versions installed."""

from __future__ import annotations

import contextlib
import os
import platform
import re
import secrets
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from itertools import islice
from pathlib import Path
from typing import Final

from packtrain import __version__, durable
from packtrain.errors import HostUnfit

_MOST_LOOKED_AT: Final = 10_000
"""Entries of a source folder that are gone through for a file to know it by."""
_MARK_OF_ALL: Final = "here"
_HOST_NAME: Final = re.compile(r"[A-Za-z0-9:][A-Za-z0-9._:%-]{0,254}")
_HINT: Final = (
    "mount sources and voyage folder on every host at the same paths, and install there what is installed here; "
    "then run the same command again"
)


@dataclass(frozen=True, slots=True)
class Witness:
    """A path that a host must see as the first one saw it: a folder, or a file of this size and time of change."""

    path: Path
    size_bytes: int | None
    mtime_ns: int | None


@dataclass(frozen=True, slots=True)
class SharedFolders:
    """What every host must see and have.

    Attributes:
        probe: folder below the voyage folder, with a file of `token`; each host writes a file of its own into it.
        token: drawn for this run, so that a folder of the same name elsewhere is not taken for this one.
        witnesses: of the sources.
        versions: of packtrain, of Python and of the libraries that decide the bytes.
    """

    probe: Path
    token: str
    witnesses: tuple[Witness, ...]
    versions: Mapping[str, str]


@contextlib.contextmanager
def shared_folders(probes: Path, sources: Sequence[Path], packages: Sequence[str]) -> Iterator[SharedFolders]:
    """Yield what hosts are held against; the probe folder is removed at the end.

    Args:
        probes: folder below the voyage folder for the files of this run.
        sources: absolute paths of the sources.
        packages: distributions whose versions must be those that are installed here.
    """
    try:
        yield mark_folder(probes, sources, packages)
    finally:
        shutil.rmtree(probes, ignore_errors=True)


def mark_folder(probes: Path, sources: Sequence[Path], packages: Sequence[str]) -> SharedFolders:
    """Return what hosts are held against, as `shared_folders` does, and leave it there."""
    token = secrets.token_hex(16)
    shutil.rmtree(probes, ignore_errors=True)
    probe = probes / token
    durable.write_bytes(probe / _MARK_OF_ALL, token.encode())
    witnesses = tuple(witness for path in sources for witness in _witnesses(path))
    return SharedFolders(probe, token, witnesses, versions_here(packages))


def is_host_name(name: str) -> bool:
    """Return whether a host may be called so: an address or a name, which is a file name of its own everywhere."""
    return _HOST_NAME.fullmatch(name) is not None


def require_host_name(host: str) -> None:
    """Return if a host may be called so; a cluster says what it is called, and folders and files get its name.

    Raises:
        HostUnfit: it may not.
    """
    if not is_host_name(host):
        raise HostUnfit(
            "this host's name is none of a host",
            where=ascii(host[:300]),
            expected="letters, digits, dots, dashes, and colons of an address",
            hint="let it join the cluster under its address, or under a name of these",
        )


def require_fit(shared: SharedFolders, host: str) -> None:
    """Return if this machine may take units of work; it has then left its mark for `require_mark`.

    Args:
        shared: what it is held against.
        host: what it is called in messages, and its mark's name: letters, digits, dots and dashes.

    Raises:
        HostUnfit: it is called otherwise, sees other folders, cannot write, or has other versions installed.
    """
    require_host_name(host)
    try:
        found = (shared.probe / _MARK_OF_ALL).read_text()
    except OSError as error:
        raise _unfit(host, "does not see the voyage folder", shared.probe.parents[2], _why(error)) from error
    if found != shared.token:
        raise _unfit(host, "sees another voyage folder under the same name", shared.probe.parents[2], None)
    for witness in shared.witnesses:
        _require_seen(witness, host)
    here = versions_here([name for name in shared.versions if name not in ("packtrain", "Python")])
    for name, version in shared.versions.items():
        if here[name] != version:
            raise HostUnfit(
                f"this host has another version of {name}",
                where=host,
                expected=version,
                found=here[name],
                hint=_HINT,
            )
    try:
        durable.write_bytes(shared.probe / host, shared.token.encode(), shared=True)
    except OSError as error:
        raise _unfit(host, "cannot write to the voyage folder", shared.probe.parents[2], _why(error)) from error


def require_mark(shared: SharedFolders, host: str) -> None:
    """Return if the mark that a fit host says it left is seen here.

    Raises:
        HostUnfit: what that host writes does not arrive here, or its name is none.
    """
    require_host_name(host)
    try:
        found = (shared.probe / host).read_text()
    except OSError as error:
        raise _unfit(host, "writes to a folder that is not this one", shared.probe.parents[2], _why(error)) from error
    assert found == shared.token


def _witnesses(source: Path) -> Iterator[Witness]:
    status = source.stat()
    if source.is_file():
        yield Witness(source, status.st_size, status.st_mtime_ns)
        return
    yield Witness(source, None, None)
    # A mount point that nothing is mounted at is a folder too: a file in it tells them apart.
    folders, left = [str(source)], _MOST_LOOKED_AT
    while folders and left > 0:
        with os.scandir(folders.pop()) as entries:
            for entry in islice(entries, left):
                left -= 1
                if entry.is_file(follow_symlinks=False):
                    status = entry.stat(follow_symlinks=False)
                    yield Witness(Path(entry.path), status.st_size, status.st_mtime_ns)
                    return
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)


def _require_seen(witness: Witness, host: str) -> None:
    try:
        status = witness.path.stat()
    except OSError as error:
        raise _unfit(host, "does not see a source", witness.path, _why(error)) from error
    if witness.size_bytes is None:
        if not witness.path.is_dir():
            raise _unfit(host, "does not see a source", witness.path, "no folder")
    elif (status.st_size, status.st_mtime_ns) != (witness.size_bytes, witness.mtime_ns):
        raise _unfit(host, "sees another file", witness.path, f"{status.st_size} bytes, or another time of change")


def _unfit(host: str, what: str, path: Path, found: str | None) -> HostUnfit:
    return HostUnfit(f"this host {what}", where=host, expected=str(path), found=found, hint=_HINT)


def _why(error: OSError) -> str:
    return (error.strerror or str(error)).lower()


def versions_here(packages: Sequence[str]) -> dict[str, str]:
    """Return the versions of packtrain, of Python and of packages ("none" for one that is not installed)."""
    found = {"packtrain": __version__, "Python": platform.python_version()}
    for name in packages:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "none"
    return found
