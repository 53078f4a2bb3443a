"""The source files: walked in one order everywhere, named by text that can be turned back into their raw bytes."""

from __future__ import annotations

import contextlib
import hashlib
import heapq
import os
import re
import stat
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, BinaryIO, Final, Literal, Protocol

from packtrain.dataset.kinds.registry import KIND_OF_SUFFIX
from packtrain.digest import sha256_bytes
from packtrain.documents.dataset import Kind
from packtrain.errors import SourceChanged, SourceUnreadable, VoyageFileError

Role = Kind | Literal["paper"]

# Licences and credits travel with the data: CC BY and most open licences ask for it.
_PAPER: Final = re.compile(r"(attribution|licen[cs]e|copying|notice|credits|citation|readme)([._-].*)?", re.IGNORECASE)
_PAPER_SUFFIXES: Final = ("", "md", "txt", "rst", "json", "html", "pdf", "cff", "bib")
_ENTRIES_IN_MEMORY: Final = 200_000  # of one folder; 40 MB of names
_ESCAPE: Final = re.compile(r"\\(\\|x[0-9a-f]{2})")


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One regular source file as the walk saw it; `name` is its root's label and its path below the root."""

    name: str
    size_bytes: int
    mtime_ns: int


@dataclass(frozen=True, slots=True)
class OddEntry:
    """A folder entry that is no regular file."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class SourceTotals:
    """What a walk saw; `digest` is over names, sizes and times of everything in it."""

    digest: str
    num_files: int
    total_bytes: int


def text_of_name(raw: bytes) -> str:
    r"""Return a raw file name as text: bytes that are not UTF-8 become `\xNN`, a backslash becomes two."""
    return raw.replace(b"\\", b"\\\\").decode("utf-8", "backslashreplace")


def name_of_text(text: str) -> bytes:
    """Return the raw file name that `text_of_name` wrote."""
    pieces: list[bytes] = []
    end = 0
    for match in _ESCAPE.finditer(text):
        pieces.append(text[end : match.start()].encode("utf-8"))
        code = match[1]
        pieces.append(b"\\" if code == "\\" else bytes([int(code[1:], 16)]))
        end = match.end()
    pieces.append(text[end:].encode("utf-8"))
    return b"".join(pieces)


def suffix_of(name: str) -> str:
    """Return a file name's suffix in lower case without the dot; of "a.CSV.gz" it is "csv.gz"."""
    parts = name.rpartition("/")[2].lower().split(".")
    if len(parts) >= 3 and parts[-1] == "gz":
        return ".".join(parts[-2:])
    return parts[-1] if len(parts) >= 2 else ""


def role_of(name: str) -> Role | None:
    """Return what a file is to us by its name: a kind of samples, a paper that travels along, or None."""
    suffix = suffix_of(name)
    if suffix in _PAPER_SUFFIXES and _PAPER.fullmatch(name.rpartition("/")[2]):
        return "paper"
    return KIND_OF_SUFFIX.get(suffix)


def slug(text: str, max_length: int = 48) -> str:
    """Return a name's readable remainder for keys and file names: lower-case ASCII letters, digits and dashes."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[-max_length:].strip("-") or "source"


def key_prefix(name: str) -> str:
    """Return what the keys of a source's samples begin with: readable, then 12 digits of its name's SHA-256."""
    return f"{slug(name)}-{sha256_bytes(name.encode('utf-8'))[:12]}"


class Digesting(Protocol):
    """What hashlib gives: bytes go in."""

    def update(self, data: bytes, /) -> None:
        """Add bytes."""
        ...


class Sources:
    """The source paths of voyage.toml: each is a file, or a folder that is walked to its leaves.

    Links below a source path are not followed; they are reported. The path itself may be a link.

    Args:
        paths: absolute paths, in the user's order.
        voyage_root: the voyage folder, which must not lie inside a source (it would prepare its own shards).

    Raises:
        SourceUnreadable: a path does not exist or is neither file nor folder.
        VoyageFileError: a path is given twice, lies in another one, or holds the voyage folder.
    """

    def __init__(self, paths: Sequence[Path], voyage_root: Path) -> None:
        self._roots: dict[str, Path] = {}
        seen: list[Path] = []
        for path in paths:
            real = Path(os.path.realpath(path))
            if not (real.is_dir() or real.is_file()):
                raise SourceUnreadable(
                    "source path does not exist, or is neither a file nor a folder",
                    where=str(path),
                    hint="correct [sources] paths in voyage.toml, or mount the disk it lies on",
                )
            if Path(os.path.realpath(voyage_root)).is_relative_to(real):
                raise VoyageFileError(
                    "source path holds the voyage folder itself",
                    where=str(path),
                    hint="name the folder of the data only; packtrain's own shards lie in the voyage folder",
                )
            for other in seen:
                if real.is_relative_to(other) or other.is_relative_to(real):
                    raise VoyageFileError(
                        "source paths overlap: files would be read twice",
                        where=str(path),
                        found=f"the same files as {other}",
                        hint="name each folder once in [sources] paths",
                    )
            seen.append(real)
            self._roots[self._free_label(path)] = real

    def _free_label(self, path: Path) -> str:
        wanted = text_of_name(os.fsencode(path.name)) or "root"
        label, number = wanted, 1
        while label in self._roots:
            number += 1
            label = f"{wanted}-{number}"
        return label

    def labels(self) -> list[str]:
        """Return what the names of sources begin with, one a source path."""
        return list(self._roots)

    def path_of(self, name: str) -> Path:
        """Return where a source file lies."""
        label, _, below = name.partition("/")
        return self._roots[label] / os.fsdecode(name_of_text(below)) if below else self._roots[label]

    def name_of(self, path: Path) -> str | None:
        """Return the name that a file or folder has below the source paths, or None where it is not below any.

        It need not be there any more.
        """
        real = Path(os.path.realpath(path))
        for label, root in self._roots.items():
            if real.is_relative_to(root):
                below = os.fsencode(real.relative_to(root))
                return label if below == b"." else f"{label}/{text_of_name(below)}"
        return None

    def walk(self) -> Iterator[SourceFile | OddEntry]:
        """Yield every entry that is no folder, root by root, each folder in the byte order of its names.

        Raises:
            SourceUnreadable: a folder cannot be listed: what is in it would be missing without a word.
        """
        for label, root in self._roots.items():
            if root.is_file():
                yield _entry(label, root.stat())
            else:
                yield from _walk_folder(label, os.fsencode(root))

    def totals(self) -> SourceTotals:
        """Return digest, number and bytes of all sources, by their folders' entries alone: no file is opened."""
        state = hashlib.sha256()
        num_files = total_bytes = 0
        for entry in self.walk():
            add_to_digest(state, entry)
            if isinstance(entry, SourceFile):
                num_files += 1
                total_bytes += entry.size_bytes
        return SourceTotals(state.hexdigest(), num_files, total_bytes)

    @contextlib.contextmanager
    def open(self, source: SourceFile) -> Iterator[BinaryIO]:
        """Yield a source file's bytes.

        Raises:
            SourceChanged: the file is not the one the walk saw, or changed while it was open.
            SourceUnreadable: this user may not read it.
            OSError: it cannot be opened or read.
        """
        path = self.path_of(source.name)
        # O_NOFOLLOW, O_NONBLOCK: what was a file at the walk may have become a link or a pipe since.
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError as error:
            raise _changed(path, f"{source.size_bytes} bytes", "no such file") from error
        except PermissionError as error:
            # Not a reject: it would stay one when the right to read is granted, since neither size nor time changes.
            raise SourceUnreadable(
                "source file may not be read",
                where=str(path),
                hint="grant read access and run the same command again: finished units are kept",
            ) from error
        with os.fdopen(descriptor, "rb") as stream:
            _check_same(source, stream, path)
            try:
                yield stream
            finally:
                # Also after an error: a file that was written to meanwhile is not a damaged file.
                _check_same(source, stream, path)


def add_to_digest(state: Digesting, entry: SourceFile | OddEntry) -> None:
    """Add one entry of a walk to the digest that `Sources.totals` returns."""
    if isinstance(entry, SourceFile):
        state.update(f"{entry.size_bytes} {entry.mtime_ns} {entry.name}\0".encode())
    else:
        state.update(f"- {entry.reason} {entry.name}\0".encode())


def _check_same(source: SourceFile, stream: BinaryIO, path: Path) -> None:
    found = os.fstat(stream.fileno())
    if not stat.S_ISREG(found.st_mode) or (found.st_size, found.st_mtime_ns) != (source.size_bytes, source.mtime_ns):
        raise _changed(path, f"{source.size_bytes} bytes", f"{found.st_size} bytes, or another time of change")


def _changed(path: Path, expected: str, found: str) -> SourceChanged:
    return SourceChanged(
        "source file changed since the sources were listed",
        where=str(path),
        expected=expected,
        found=found,
        hint="let its writer finish, then run the same command again: finished units are kept",
    )


def _entry(name: str, status: os.stat_result) -> SourceFile | OddEntry:
    if stat.S_ISREG(status.st_mode):
        return SourceFile(name, status.st_size, status.st_mtime_ns)
    if stat.S_ISLNK(status.st_mode):
        return OddEntry(name, "symbolic link, not followed")
    return OddEntry(name, "not a regular file")


def _walk_folder(label: str, folder: bytes) -> Iterator[SourceFile | OddEntry]:
    # A stack and no recursion: a path has room for 2,000 folders, the interpreter for 1,000 calls.
    open_folders = [(label, folder, _sorted_entries(folder))]
    while open_folders:
        label, folder, entries = open_folders[-1]
        entry = next(entries, None)
        if entry is None:
            open_folders.pop()
            continue
        raw, is_folder = entry
        name, path = f"{label}/{text_of_name(raw)}", os.path.join(folder, raw)  # noqa: PTH118 - raw bytes
        if is_folder:
            open_folders.append((name, path, _sorted_entries(path)))
            continue
        try:
            status = os.lstat(path)
        except FileNotFoundError:
            continue  # gone between the listing and the look: as if it had gone before
        yield _entry(name, status)


def _sorted_entries(folder: bytes) -> Iterator[tuple[bytes, bool]]:
    """Yield name and whether it is a folder, by the bytes of the names; of a folder of millions by merging runs.

    Raises:
        SourceUnreadable: the folder cannot be listed.
    """
    runs: list[IO[bytes]] = []
    held: list[tuple[bytes, bool]] = []
    try:
        with os.scandir(folder) as listing:
            for entry in listing:
                held.append((entry.name, entry.is_dir(follow_symlinks=False)))
                if len(held) == _ENTRIES_IN_MEMORY:
                    runs.append(_spilled(held))
                    held = []
    except OSError as error:
        raise SourceUnreadable(
            f"source folder cannot be listed: {error.strerror}",
            where=os.fsdecode(folder),
            hint="grant read access, or take the folder out of [sources] paths",
        ) from error
    held.sort()
    if not runs:
        yield from held
        return
    with contextlib.ExitStack() as stack:
        yield from heapq.merge(held, *(_run(stack.enter_context(run)) for run in runs))


def _spilled(entries: list[tuple[bytes, bool]]) -> IO[bytes]:
    run = tempfile.TemporaryFile()  # noqa: SIM115 - closed by who reads it
    for name, is_folder in sorted(entries):
        run.write(name + (b"\0/\n" if is_folder else b"\0-\n"))  # a name may hold a line's end, never a zero byte
    run.seek(0)
    return run


def _run(stream: IO[bytes]) -> Iterator[tuple[bytes, bool]]:
    name = b""
    for line in stream:
        name += line
        if name[-3:-2] == b"\0":
            yield name[:-3], name[-2:-1] == b"/"
            name = b""
