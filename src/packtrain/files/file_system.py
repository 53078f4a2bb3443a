"""The file system `packtrain://` for fsspec: what lets pandas, polars, datasets and others read a shipment directly.

A URL is the path of the voyage folder and, behind it, the path in the shipment, as if the folder were an archive:
`packtrain://site/shards/a.parquet` from the working directory, `packtrain:///srv/site/shards/a.parquet` from anywhere.
"""

from __future__ import annotations

import contextlib
import datetime
import errno
import functools
import os
import threading
import weakref
from collections.abc import Generator, Iterator, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final, NoReturn

from packtrain.documents.admission import Admission
from packtrain.errors import MissingDependency
from packtrain.files.entries import Entry, ShipmentFiles, Source
from packtrain.files.open_file import ShipmentFile
from packtrain.files.opening import ShipmentOpener
from packtrain.files.packed import PackedFiles
from packtrain.files.proven import Proofs
from packtrain.record import keys
from packtrain.record.folder import VOYAGE_FILE

try:
    from fsspec.registry import register_implementation
    from fsspec.spec import AbstractFileSystem
except ImportError as _error:
    raise MissingDependency(
        "reading a shipment as files needs fsspec", hint="pip install 'packtrain[fsspec]'"
    ) from _error

PROTOCOL: Final = "packtrain"
_OPTIONS: Final = ("folder", "drives", "without", "verify", "partial")
ANY_NAME: Final = "voyage"
"""Where `folder` names the voyage, the first part of a path may be this word."""


class ShipmentFileSystem(AbstractFileSystem):
    """The files of a shipment, read-only: loaded, from the site's store; or still packed, straight from the drives.

    A packed shipment is read by the same right as it is loaded: at the site by the consignee once the operator admitted
    it (that drives were read is noted in the custody log), at home by the consignor. Only the chunks that are asked for
    are decrypted; where a drive is missing or damaged, what is asked for is rebuilt from the others.

    Args:
        folder: the voyage folder; the first part of every path is then its name (or "voyage"). Without it a path
            begins with the path of the voyage folder.
        drives: where the drives are mounted. None: at home those of voyage.toml, at the site the store.
        without: labels or mount points of drives to leave out.
        verify: prove every file by its signed SHA-256 before its first byte is handed out: it is read whole once.
        partial: read what is here, though no drive of some group is, whose names are then not known.
        fo: the voyage folder where URLs are chained: "packtrain://voyage/a.parquet::/srv/site".

    Raises:
        PacktrainError: on first use: the shipment may not be read, or cannot. See `packtrain.errors`.
        FileNotFoundError: no voyage folder lies on the way of a path, or the shipment has no such file.

    >>> fs = ShipmentFileSystem(folder="site", drives=["/mnt/A1", "/mnt/A2"])  # doctest: +SKIP
    >>> fs.ls("voyage/shards", detail=False)  # doctest: +SKIP
    ['voyage/shards/images-000000.tar', 'voyage/shards/images-000001.tar']
    """

    protocol: str | tuple[str, ...] = PROTOCOL
    root_marker = ""

    def __init__(
        self,
        folder: str | os.PathLike[str] | None = None,
        drives: Sequence[str | os.PathLike[str]] = (),
        without: Sequence[str] = (),
        verify: bool = False,
        partial: bool = False,
        fo: str | None = None,
        target_protocol: str | None = None,
        target_options: dict[str, Any] | None = None,
        **options: Any,
    ) -> None:
        for name in options:
            # fsspec takes any option and says nothing: "verfy=True" would prove nothing, unseen.
            if meant := get_close_matches(name, _OPTIONS, 1, 0.8):
                raise TypeError(f"there is no option {name!r}: did you mean {meant[0]!r}?")
        super().__init__(**options)
        if target_protocol not in (None, "file", "local"):
            raise ValueError(f"a voyage folder lies on this machine, not behind {target_protocol}://")
        self._folder = None if folder is None and fo is None else Path(os.fspath(folder or fo or "")).absolute()
        named = [drives] if isinstance(drives, str | os.PathLike) else drives
        # Where they are now: a program may work in another folder later, or hand this to a process that does.
        places = {str(Path(drive)): Path(drive).absolute() for drive in named}
        self._drives = [Path(drive).absolute() for drive in named]
        self._without = [
            str(places.get(str(Path(name)), name)) for name in ([without] if isinstance(without, str) else without)
        ]
        self._verify = verify
        self._partial = partial
        self._names: frozenset[str] | None = None
        self._begin()
        _LIVING[id(self)] = self

    def _begin(self) -> None:
        self._opening = threading.RLock()
        self._opened: dict[Path, ShipmentFiles] = {}
        self._rights: dict[Path, tuple[tuple[int, int] | None, ...]] = {}
        self._proofs = Proofs()

    # --- names ------------------------------------------------------------------------------------------------------

    def ls(self, path: str, detail: bool = True, **options: Any) -> list[Any]:
        """Return what lies directly in a folder: dictionaries as of `info`, or paths."""
        path = _stripped(path)
        prefix, files, name = self._at(path)
        if files is None:
            assert self._folder is not None
            own = {"name": prefix, "size": 0, "type": "directory"}
            return [own] if detail else [prefix]
        entry = self._entry(path, files, name)
        entries = files.children(name) if entry.kind == "directory" else [entry]
        found = [self._info(prefix, entry) for entry in entries]
        return found if detail else [each["name"] for each in found]

    def info(self, path: str, **options: Any) -> dict[str, Any]:
        """Return what is known of a file or folder.

        `name`, `size` in bytes, `type` ("file", "directory", or "other" for a link that leads nowhere); of files and of
        folders that were carried also `mtime` (seconds since 1970), `mode`, and `sha256` where a signed document has
        it; of links `islink` and `destination`.
        """
        path = _stripped(path)
        prefix, files, name = self._at(path)
        if files is None:
            return {"name": path, "size": 0, "type": "directory"}
        return self._info(prefix, self._entry(path, files, name))

    def exists(self, path: str, **options: Any) -> bool:
        """Return whether anything is at a path. A shipment that may not be read raises: that is no "no"."""
        return self._type(path) is not None

    def isfile(self, path: str) -> bool:
        """Return whether a file is at a path."""
        return self._type(path) == "file"

    def isdir(self, path: str) -> bool:
        """Return whether a folder is at a path."""
        return self._type(path) == "directory"

    def _type(self, path: str) -> str | None:
        try:
            return self.info(path)["type"]
        except FileNotFoundError:
            return None

    def checksum(self, path: str) -> int:
        """Return a number that changes with the content."""
        about = self.info(path)
        return int(about["sha256"] or self.ukey(path), 16) if about["type"] == "file" else int(self.ukey(path), 16)

    def modified(self, path: str) -> datetime.datetime:
        """Return when a file was last changed at home."""
        return datetime.datetime.fromtimestamp(self.info(path)["mtime"], tz=datetime.UTC)

    def walk(
        self,
        path: str,
        maxdepth: int | None = None,
        topdown: bool = True,
        on_error: Any = "omit",
        detail: bool = False,
        **options: Any,
    ) -> Generator[Any, None, None]:
        """Yield each folder with what lies in it.

        Links to folders are among that and are not gone into, as of `os.walk`: one may lead up. What lies behind one is
        listed where its own path is asked for.
        """
        for place, dirs, files in super().walk(path, 1, True, on_error, detail=True, **options):
            found = dict(dirs)
            shown = (dirs, files) if detail else (list(dirs), list(files))
            if topdown:
                yield place, *shown
            for name in [*shown[0]] if maxdepth is None or maxdepth > 1 else ():
                if not found[name].get("islink"):
                    deeper = None if maxdepth is None else maxdepth - 1
                    yield from self.walk(found[name]["name"], deeper, topdown, on_error, detail, **options)
            if not topdown:
                yield place, *shown

    # --- bytes ------------------------------------------------------------------------------------------------------

    def _open(  # pyright: ignore[reportIncompatibleMethodOverride] - its file is any that reads, as of local files
        self, path: str, mode: str = "rb", **options: Any
    ) -> ShipmentFile:
        if mode != "rb":
            self._refuse(path)
        path = _stripped(path)
        _, files, name = self._at(path)
        if files is None:
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
        entry = self._entry(path, files, name)
        if entry.kind == "directory":
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
        if entry.kind == "other":
            raise FileNotFoundError(errno.ENOENT, f"it is a link that leads nowhere, or no file: {entry.link}", path)
        return ShipmentFile(
            path, entry, functools.partial(self._source, path, entry), functools.partial(self._open, path)
        )

    def _source(self, path: str, entry: Entry) -> Source:
        """Return the content of a file, in whichever process this is called."""
        _, files, _ = self._at(path)
        assert files is not None
        source = files.open(entry)
        if not self._verify:
            return source
        try:
            return self._proofs.proven(entry, source)
        except BaseException:
            source.close()
            raise

    # --- what a shipment is not for ---------------------------------------------------------------------------------

    def _refuse(self, *paths: object, **options: object) -> NoReturn:
        raise OSError(errno.EROFS, "a shipment is read, never written", str(paths[0]) if paths else None)

    mkdir = makedirs = rmdir = rm = rm_file = _rm = touch = mv = copy = cp_file = put_file = pipe_file = _refuse

    # --- the voyage -------------------------------------------------------------------------------------------------

    def num_rebuilt_blocks(self) -> int:
        """Return how many blocks (of 1 MiB at most) were rebuilt from other drives so far."""
        with self._opening:
            return sum(files.num_rebuilt() for files in self._opened.values() if isinstance(files, PackedFiles))

    def close(self) -> None:
        """Release drives and catalogs; what is used again is opened again."""
        with self._opening:
            for files in self._opened.values():
                files.close()
            self._opened.clear()

    def __del__(self) -> None:
        # An instance that fsspec does not keep: descriptors of drives go with it.
        with contextlib.suppress(Exception):
            self.close()

    def _at(self, path: str) -> tuple[str, ShipmentFiles | None, str]:
        """Return how the voyage is named in a path, its files, and the path in the shipment; no files above it."""
        prefix, folder = self._voyage(path)
        if folder is None:
            return prefix, None, ""
        return prefix, self._files(folder), path[len(prefix) :].strip("/")

    def _voyage(self, path: str) -> tuple[str, Path | None]:
        if self._folder is None:
            return self._found(path)
        if path == "":
            return self._folder.name, None
        if path == str(self._folder) or path.startswith(f"{self._folder}/"):
            return str(self._folder), self._folder
        first = path.partition("/")[0]
        if first not in (names := self._known_names()):
            raise FileNotFoundError(
                errno.ENOENT, f"folder={self._folder} is not called {first!r}, but {' or '.join(sorted(names))}", path
            )
        return first, self._folder

    def _known_names(self) -> frozenset[str]:
        if self._names is None:
            assert self._folder is not None
            name = ShipmentOpener(self._folder).folder.voyage_file().voyage.name
            self._names = frozenset({ANY_NAME, self._folder.name, name})
        return self._names

    def _found(self, path: str) -> tuple[str, Path]:
        """Return the first folder on the way of a path that is a voyage.

        Some programs (Hugging Face datasets) make two slashes of the three that an absolute path begins with: where
        nothing is found from the working directory, the path is taken for such a one.
        """
        for start in (Path(), Path("/")):
            for prefix in _ways(path):
                if (start / prefix / VOYAGE_FILE).is_file():
                    return prefix, (start / prefix).absolute()
        what = f"no folder on this way holds a {VOYAGE_FILE}: name the voyage folder in the URL, or folder="
        raise FileNotFoundError(errno.ENOENT, what, path)

    def _files(self, folder: Path) -> ShipmentFiles:
        with self._opening:
            right = _right(folder)
            if folder in self._opened and self._rights[folder] != right:
                # Another verdict came, or the keys were destroyed: what is open goes by a right that has ended.
                self._opened.pop(folder).close()
            if folder not in self._opened:
                opener = ShipmentOpener(folder)
                self._opened[folder] = opener.open(self._drives, self._without, partial=self._partial)
                self._rights[folder] = right
            return self._opened[folder]

    def _entry(self, path: str, files: ShipmentFiles, name: str) -> Entry:
        found = files.entry(name)
        if found is None:
            unknown = files.unknown()
            raise FileNotFoundError(errno.ENOENT, f"no such file in the shipment{unknown and f' ({unknown})'}", path)
        return found

    def _info(self, prefix: str, entry: Entry) -> dict[str, Any]:
        found: dict[str, Any] = {
            "name": f"{prefix}/{entry.name}" if entry.name else prefix,
            "size": entry.bytes,
            "type": entry.kind,
        }
        if entry.mtime_ns is not None:
            found |= {"mtime": entry.mtime_ns / 1e9, "mode": entry.mode}
        if entry.kind == "file":
            found["sha256"] = entry.sha256
        if entry.link is not None:
            found |= {"islink": True, "destination": entry.link}
        return found


def _right(folder: Path) -> tuple[tuple[int, int] | None, ...]:
    """Return what changes when the right to read does: the admission, and the envelopes of the key."""
    names = (f"documents/{Admission.kind}.json", f"keys/{keys.RELEASE}", f"keys/{keys.CONSIGNOR_ENVELOPE}")
    found: list[tuple[int, int] | None] = []
    for name in names:
        try:
            status = (folder / name).stat()
            found.append((status.st_ino, status.st_mtime_ns))
        except OSError:
            found.append(None)
    return tuple(found)


def _stripped(path: str) -> str:
    return path.removeprefix(f"{PROTOCOL}://").rstrip("/")


def _ways(path: str) -> Iterator[str]:
    """Yield a path's own beginnings, the shortest first."""
    at = path.find("/", 1)
    while at >= 0:
        yield path[:at]
        at = path.find("/", at + 1)
    if path:
        yield path


_LIVING: Final = weakref.WeakValueDictionary[int, ShipmentFileSystem]()


def _begin_anew() -> None:
    """A forked process has its parent's threads in name only, and its locks as they stood: it opens its own."""
    for living in list(_LIVING.values()):
        living._begin()  # pyright: ignore[reportPrivateUsage] - a part of the class


os.register_at_fork(after_in_child=_begin_anew)
register_implementation(PROTOCOL, ShipmentFileSystem, clobber=True)
