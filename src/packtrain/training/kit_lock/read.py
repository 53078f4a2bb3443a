"""uv.lock: the packages that a program was resolved to, with their files and digests. Read as hostile bytes.

A form of another version is refused, and so is what this reader does not know how to carry: better here than by a kit
that lacks a package.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from packtrain.errors import LockUnreadable

VERSION: Final = 1
MAX_LOCK_BYTES: Final = 16 << 20
"""The lock of a few hundred packages is 1 to 3 MB."""
MAX_PACKAGES: Final = 20_000
MAX_FILES: Final = 2_000
"""Files of one package; the largest seen has about 120."""
MAX_FILE_BYTES: Final = 64 << 30

_NAME: Final = re.compile(r"[a-z0-9]([a-z0-9._-]{0,254}[a-z0-9])?")
_VERSION_TEXT: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9.!+_-]{0,127}")
_SHA256: Final = re.compile(r"sha256:([0-9a-f]{64})")
_FILE_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+!-]{0,250}")
_SOURCES: Final = ("registry", "path", "url", "git", "directory", "editable", "virtual")


@dataclass(frozen=True, slots=True)
class LockedFile:
    """A wheel or source distribution that the lock names.

    Attributes:
        name: its file name.
        address: an address (https:, http:, file:) or a path; a relative one begins at the lock's folder.
        sha256: its digest, or None: uv writes none for files of a local folder.
        bytes: its length, or None where the lock does not say.
    """

    name: str
    address: str
    sha256: str | None
    bytes: int | None


@dataclass(frozen=True, slots=True)
class Dependency:
    """What a package needs: a name; version and source where there are several; extras; a marker or nothing."""

    name: str
    version: str | None
    source: str | None
    extras: tuple[str, ...]
    marker: str


@dataclass(frozen=True, slots=True)
class LockedPackage:
    """One package of the lock. `source` is how it spells where it comes from: "registry https://…".

    `declared` is what its pyproject.toml asked for when the lock was made: name -> versions, one a line; None for a
    line with a place in their stead. None where the lock does not say.
    """

    name: str
    version: str
    source_kind: str
    source_place: str
    markers: tuple[str, ...]
    dependencies: tuple[Dependency, ...]
    extras: Mapping[str, tuple[Dependency, ...]]
    groups: Mapping[str, tuple[Dependency, ...]]
    wheels: tuple[LockedFile, ...]
    sdist: LockedFile | None
    declared: Mapping[str, tuple[str | None, ...]] | None = None

    @property
    def source(self) -> str:
        """Return kind and place as one text, as dependencies name it."""
        return f"{self.source_kind} {self.source_place}"


@dataclass(frozen=True, slots=True)
class Lock:
    """All of uv.lock; `folder` is where relative paths of it begin."""

    path: Path
    requires_python: str
    packages: tuple[LockedPackage, ...]
    by_name: Mapping[str, tuple[LockedPackage, ...]] = field(repr=False)

    @property
    def folder(self) -> Path:
        """Return where relative paths of the lock begin."""
        return self.path.parent


def read_lock(path: Path) -> Lock:
    """Return what a uv.lock says.

    Raises:
        LockUnreadable: it is not there, too long, no TOML, of another version, or says something that it cannot mean.
    """
    where = str(path)
    try:
        with path.open("rb") as stream:
            payload = stream.read(MAX_LOCK_BYTES + 1)
    except OSError as error:
        raise LockUnreadable("lock cannot be read", where=where, found=error.strerror or "an error") from error
    if len(payload) > MAX_LOCK_BYTES:
        raise LockUnreadable("lock is too long", where=where, expected=f"at most {MAX_LOCK_BYTES} bytes")
    try:
        table = tomllib.loads(payload.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise LockUnreadable(f"lock is not TOML: {error}", where=where, hint='write it again with "uv lock"') from error
    if table.get("version") != VERSION:
        raise LockUnreadable(
            "lock is of a version that is not known here",
            where=where,
            expected=f"version = {VERSION} (uv.lock)",
            found=str(table.get("version"))[:40],
            hint="a newer packtrain may know it; or lock with the uv that this one brings",
        )
    try:
        listed = _tables(table, "package", MAX_PACKAGES)
        packages = tuple(_package(one) for one in listed)
        requires = _text(table, "requires-python", "")
    except (_Malformed, ValueError) as error:  # a ValueError: an address that is none
        raise LockUnreadable(f"lock says what it cannot mean: {error}", where=where) from error
    by_name: dict[str, tuple[LockedPackage, ...]] = {}
    for package in packages:
        by_name[package.name] = (*by_name.get(package.name, ()), package)
    return Lock(path.absolute(), requires, packages, by_name)


class _Malformed(Exception):
    """A part of the lock that is not what uv writes."""


def _package(table: Mapping[str, Any]) -> LockedPackage:
    name = _matching(table, "name", _NAME)
    kind, place = _source(table.get("source"), name)
    # What is built anew each time has no version in the lock.
    version = _matching(table, "version", _VERSION_TEXT) if "version" in table else ""
    if not version and kind not in ("directory", "editable", "virtual"):
        raise _Malformed(f"{name} has no version")
    sdist = table.get("sdist")
    return LockedPackage(
        name=name,
        version=version,
        source_kind=kind,
        source_place=place,
        markers=tuple(_texts(table, "resolution-markers")),
        dependencies=_dependencies(table, "dependencies"),
        extras=_dependency_lists(table, "optional-dependencies"),
        groups=_dependency_lists(table, "dev-dependencies"),
        wheels=tuple(_file(one, name, kind, place) for one in _tables(table, "wheels", MAX_FILES)),
        sdist=_file(sdist, name, kind, place) if isinstance(sdist, dict) else None,
        declared=_declared(table),
    )


def _declared(table: Mapping[str, Any]) -> dict[str, tuple[str | None, ...]] | None:
    told = table.get("metadata")
    if not isinstance(told, dict) or "requires-dist" not in told:
        return None
    found: dict[str, tuple[str | None, ...]] = {}
    for one in _tables(told, "requires-dist", MAX_PACKAGES):
        name = _matching(one, "name", _NAME)
        # Whose source [tool.uv.sources] names has no version here, whatever the project asks for.
        placed = any(key in one for key in _SOURCES)
        found[name] = (*found.get(name, ()), None if placed else _text(one, "specifier", ""))
    return found


def _source(table: object, name: str) -> tuple[str, str]:
    if isinstance(table, dict):
        for kind in _SOURCES:
            place = table.get(kind)
            if isinstance(place, str) and len(place) <= 4096 and "\x00" not in place:
                return kind, place
    raise _Malformed(f"source of {name} is of a kind that is not known here")


def _file(table: Mapping[str, Any], package: str, kind: str, place: str) -> LockedFile:
    address = _text(table, "url", "") or _text(table, "path", "")
    if not address and kind in ("path", "url"):
        address = place  # the source is the file itself
    elif address and "url" not in table and kind == "registry":
        # Files of a local folder are named as they lie in it; `place` is a path or a file: address.
        local = unquote(urlsplit(place).path) if place.startswith("file:") else place
        address = f"{local}/{address}" if not address.startswith("/") else address
    name = _text(table, "filename", "") or unquote(urlsplit(address).path.rsplit("/", 1)[-1])
    if not address or _FILE_NAME.fullmatch(name) is None:
        raise _Malformed(f"a file of {package} has no name or no address")
    size = table.get("size")
    if size is not None and not (isinstance(size, int) and 0 <= size <= MAX_FILE_BYTES):
        raise _Malformed(f"length of {name} is out of range")
    told = _text(table, "hash", "")
    found = _SHA256.fullmatch(told)
    if told and found is None:
        raise _Malformed(f"digest of {name} is no SHA-256")
    return LockedFile(name, address, found[1] if found else None, size)


def _dependency_lists(table: Mapping[str, Any], key: str) -> dict[str, tuple[Dependency, ...]]:
    lists = table.get(key, {})
    if not isinstance(lists, dict):
        raise _Malformed(f"{key} is no table")
    return {str(name): _dependencies(lists, str(name)) for name in lists}


def _dependencies(table: Mapping[str, Any], key: str) -> tuple[Dependency, ...]:
    found: list[Dependency] = []
    for one in _tables(table, key, MAX_PACKAGES):
        name = _matching(one, "name", _NAME)
        source = one.get("source")
        found.append(
            Dependency(
                name=name,
                version=_matching(one, "version", _VERSION_TEXT) if "version" in one else None,
                source=" ".join(_source(source, name)) if source is not None else None,
                extras=tuple(_texts(one, "extra")),
                marker=_text(one, "marker", ""),
            )
        )
    return tuple(found)


def _tables(table: Mapping[str, Any], key: str, most: int) -> list[Mapping[str, Any]]:
    listed = table.get(key, [])
    if not isinstance(listed, list) or not all(isinstance(one, dict) for one in listed):
        raise _Malformed(f"{key} is no list of tables")
    if len(listed) > most:
        raise _Malformed(f"{key} has more than {most} entries")
    return listed


def _texts(table: Mapping[str, Any], key: str) -> Iterator[str]:
    listed = table.get(key, [])
    if not isinstance(listed, list) or len(listed) > MAX_FILES:
        raise _Malformed(f"{key} is no short list")
    for text in listed:
        if not isinstance(text, str) or len(text) > 4096:
            raise _Malformed(f"{key} holds no text")
        yield text


def _text(table: Mapping[str, Any], key: str, default: str) -> str:
    found = table.get(key, default)
    # A marker of a resolution with many forks is long; this bounds it.
    if not isinstance(found, str) or len(found) > 65_536 or "\x00" in found:
        raise _Malformed(f"{key} is no text")
    return found


def _matching(table: Mapping[str, Any], key: str, pattern: re.Pattern[str]) -> str:
    found = _text(table, key, "")
    if pattern.fullmatch(found) is None:
        raise _Malformed(f"{key} is not well formed: {found[:60]!r}")
    return found
