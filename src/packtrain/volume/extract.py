"""From the plaintext of one volume to files in the staging folder, each held against the catalog.

Staged files have numbers for names, so that no name from a drive is used as a path before its volume is proven. A piece
of a cut file is written at its place in one staged file, which is complete when the volumes of all its pieces are.
"""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

import xxhash

from packtrain.errors import HostileArchive, IntegrityError
from packtrain.units import KIB
from packtrain.volume import layout
from packtrain.volume.catalog import Catalog, CatalogFile, CatalogPiece
from packtrain.volume.metadata import Metadata
from packtrain.volume.staging import Staging, store_faults
from packtrain.volume.turns import LARGE_BYTES, Turn
from packtrain.volume.untar import Member, TarReader

# Holes are found in steps of a page: no file system keeps smaller ones.
_HOLE_BYTES: Final = 4096
_ZEROS: Final = bytes(_HOLE_BYTES)
AS_SIGNED: Final = (
    "no accident: the cargo is as its consignor signed it. Nothing was written outside the store; ask the consignor, "
    "and use nothing of this shipment before they have explained it"
)
"""What a person is told of a volume that is proven and hostile."""
_CREATE_FLAGS: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
MOST_REMEMBERED: Final = 20_000
"""Members of a volume that are kept in memory until it is published; of larger volumes the catalog is asked again."""
_READ_BYTES: Final = 256 * KIB
_WHOLE_FLAGS: Final = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC


class StagedPiece(NamedTuple):
    """A piece of a cut file as it was staged: number of the file in the catalog, of the piece, XXH3-64 in hex."""

    file: int
    number: int
    xxh3: str


class Staged(NamedTuple):
    """What was staged of a volume.

    Attributes:
        members: all of it, or None where that is too much to keep.
        pieces: of cut files.
    """

    members: list[StagedMember] | None
    pieces: tuple[StagedPiece, ...]


class StagedMember(NamedTuple):
    """One member in a volume's staging folder, in the order of members: its path in the store, and what is told of it.

    A piece of a cut file (`is_cut`) is not in that folder but in the whole file, known by `file`.
    """

    path: bytes
    is_folder: bool
    bytes: int
    file: int
    is_cut: bool


def is_hashed(entry: CatalogFile, *, verify_files: bool) -> bool:
    """Return whether a load holds this file's content against the SHA-256 in the catalog.

    The SHA-256 of its volume proved every byte already; that of the file proves that catalog and volume were made of
    the same file. One in 16, chosen by the digest itself, shows a wrong catalog as surely as all of them.
    """
    return verify_files or entry.sha256 is None or entry.sha256.startswith("0")


def staged_name(index: int) -> str:
    """Return the name of a volume's member number `index` (from 0) in the volume's staging folder."""
    return f"{index:08d}"


def extract_volume(
    tar: TarReader,
    catalog: Catalog,
    staging: Staging,
    metadata: Metadata,
    group: int,
    stripe: int,
    column: int,
    where: str,
    *,
    turn: Turn,
    verify_files: bool = False,
) -> Staged:
    """Stage all members of one volume, in the order of the catalog; the tar is read to its end; return what was staged.

    Args:
        tar: the volume's plaintext.
        catalog: opened by this thread.
        staging: its volume folder must exist and be empty.
        metadata: gives each file mode, time and the rest.
        where: the volume, for messages.
        turn: held by the caller; given away while a large piece is hashed and written.
        verify_files: hash every file, not one in 16; see `is_hashed`.

    Raises:
        HostileArchive: the tar breaks the format, or its members are not those of the catalog.
        IntegrityError: a file's SHA-256 is not that of the catalog.
        DriveFull: the store is full.
    """
    folder = os.open(staging.volume_folder(group, stripe, column), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        staged: list[StagedMember] = []
        pieces: list[StagedPiece] = []
        linkable: tuple[bytes, int] | None = None  # the last whole file, and which member it was
        faults = store_faults(staging.root)
        for index, (piece, entry) in enumerate(catalog.members_in(stripe, column)):
            member = tar.next_member()
            if member is None:
                raise HostileArchive("volume ends before the catalog does", where=where, expected=shown(entry.path))
            _compare(member, entry, piece, where)
            with faults:
                if entry.kind == "symlink":
                    _stage_link(entry, metadata, folder, index)
                elif entry.kind == "hardlink":
                    _stage_hard_link(entry, linkable, folder, index, where)
                elif entry.kind == "directory":
                    os.mkdir(staged_name(index), dir_fd=folder)  # the rest at the end, see `unplaced`
                elif piece.count == 1:
                    _stage_file(
                        tar,
                        entry,
                        metadata,
                        folder,
                        index,
                        where,
                        turn,
                        is_hashed=is_hashed(entry, verify_files=verify_files),
                    )
                    linkable = entry.path, index
                else:
                    xxh3 = _stage_piece(tar, entry, piece, staging.whole_file(group, entry.id), turn)
                    pieces.append(StagedPiece(entry.id, piece.number, xxh3))
            if index < MOST_REMEMBERED:
                staged.append(
                    StagedMember(entry.path, entry.kind == "directory", entry.bytes, entry.id, piece.count > 1)
                )
        extra = tar.next_member()
        if extra is not None:
            raise HostileArchive("volume holds a member that the catalog lacks", where=where, found=shown(extra.name))
        return Staged(staged if len(staged) < MOST_REMEMBERED else None, tuple(pieces))
    finally:
        os.close(folder)


def finish_whole_file(
    path: Path,
    entry: CatalogFile,
    pieces: Sequence[tuple[CatalogPiece, str]],
    metadata: Metadata,
    *,
    verify_files: bool = False,
) -> None:
    """Check a cut file of which every piece is in place, and give it mode, time and the rest.

    It was put together over volumes, perhaps over runs, so it is read back: each piece must be what was staged of it.

    Args:
        path: the staged file.
        entry: what the catalog says of it.
        pieces: in order, each with the XXH3-64 that its content had when it was staged.
        metadata: gives mode and time.
        verify_files: hold it against the catalog's SHA-256 in any case, see `is_hashed`.

    Raises:
        IntegrityError: it is another file; it was removed, so that the next run reads it anew.
    """
    state = hashlib.sha256() if is_hashed(entry, verify_files=verify_files) else None
    with path.open("rb", buffering=0) as stream:
        buffer = memoryview(bytearray(_READ_BYTES))
        is_good = True
        for piece, expected in pieces:
            found = xxhash.xxh3_64()
            left = piece.bytes
            while left and (count := stream.readinto(buffer[: min(left, _READ_BYTES)])):
                found.update(buffer[:count])
                if state is not None:
                    state.update(buffer[:count])
                left -= count
            is_good &= not left and found.hexdigest() == expected
        if is_good and (state is None or state.hexdigest() == entry.sha256):
            metadata.give(stream.fileno(), entry)
            return
    path.unlink()
    raise IntegrityError(
        "file put together from its pieces differs from the catalog",
        where=shown(entry.path),
        hint="run the same command again: its pieces are read anew",
    )


def _compare(member: Member, entry: CatalogFile, piece: CatalogPiece, where: str) -> None:
    expected = entry.path if piece.count == 1 else layout.piece_name(entry.path, piece.number, piece.count)
    if member.name != expected or member.kind != entry.kind or member.size_bytes != piece.bytes:
        raise HostileArchive(
            "volume and catalog disagree",
            where=where,
            expected=f"{entry.kind} {shown(expected)} of {piece.bytes} bytes",
            found=f"{member.kind} {shown(member.name)} of {member.size_bytes} bytes",
        )
    if member.target != (entry.link_target or b""):
        raise HostileArchive(
            f"link {shown(entry.path)} has another target in the volume than in the catalog",
            where=where,
            expected=shown(entry.link_target or b""),
            found=shown(member.target),
        )
    if member.xattrs != (entry.xattrs if piece.count == 1 else ()):
        raise HostileArchive(
            f"{shown(entry.path)} has other extended attributes in the volume than in the catalog", where=where
        )
    is_in_bounds = (
        piece.file_offset + piece.bytes <= entry.bytes
        if piece.count > 1 and entry.kind == "file"
        else piece.count == 1 and piece.file_offset == 0 and piece.bytes == entry.bytes
    )
    if not is_in_bounds:
        raise HostileArchive("catalog contradicts itself", where=where, found=shown(entry.path))


def _stage_file(
    tar: TarReader,
    entry: CatalogFile,
    metadata: Metadata,
    folder: int,
    index: int,
    where: str,
    turn: Turn,
    *,
    is_hashed: bool,
) -> None:
    descriptor = os.open(staged_name(index), _CREATE_FLAGS, 0o600, dir_fd=folder)
    try:
        state = hashlib.sha256() if is_hashed else None
        piece = tar.read_data()
        if len(piece) == entry.bytes < LARGE_BYTES and not entry.is_sparse:
            # The rule for small files, and all of it: nothing else need be made for them.
            if state is not None:
                state.update(piece)
            if piece:
                _write_all(descriptor, piece)
        else:
            _stage_content(tar, piece, entry, descriptor, turn, None if state is None else state.update)
        if state is not None and state.hexdigest() != entry.sha256:
            raise IntegrityError(
                f"file {shown(entry.path)} differs from the catalog",
                where=where,
                expected=str(entry.sha256)[:12],
                found=state.hexdigest()[:12],
                hint="the consignor packed it so; ask for the file",
            )
        metadata.give(descriptor, entry)
    finally:
        os.close(descriptor)


def _stage_content(
    tar: TarReader,
    piece: memoryview,
    entry: CatalogFile,
    descriptor: int,
    turn: Turn,
    hash_it: Callable[[memoryview], object] | None,
) -> None:
    """Write and hash a file's content, of which the first piece was read."""
    offset = 0

    def take(piece: memoryview) -> int:
        if hash_it is not None:
            hash_it(piece)
        if entry.is_sparse:
            _write_around_holes(descriptor, piece, offset)
        else:
            _write_all(descriptor, piece)
        return len(piece)

    while piece:
        offset += (take if len(piece) < LARGE_BYTES else turn.out_of(take))(piece)
        piece = tar.read_data()
    if entry.is_sparse:
        os.ftruncate(descriptor, entry.bytes)


def _stage_piece(tar: TarReader, entry: CatalogFile, piece: CatalogPiece, path: Path, turn: Turn) -> str:
    descriptor = os.open(path, _WHOLE_FLAGS, 0o600)
    try:
        os.ftruncate(descriptor, entry.bytes)
        offset = piece.file_offset
        # A run before this one may have left other bytes there: only zeros that stand may be left out.
        write = _write_around_holes if entry.is_sparse and _is_hole(descriptor, offset, piece.bytes) else _write_at
        state = xxhash.xxh3_64()

        def take(data: memoryview) -> int:
            state.update(data)
            write(descriptor, data, offset)
            return len(data)

        while data := tar.read_data():
            offset += (take if len(data) < LARGE_BYTES else turn.out_of(take))(data)
        return state.hexdigest()
    finally:
        os.close(descriptor)


def _stage_hard_link(
    entry: CatalogFile, linkable: tuple[bytes, int] | None, folder: int, index: int, where: str
) -> None:
    """Link to the file before it. Of names only the catalog's are compared: none from the drive is used as a path."""
    if linkable is None or linkable[0] != entry.link_target:
        raise HostileArchive("hard link does not follow its file", where=where, found=shown(entry.path))
    os.link(staged_name(linkable[1]), staged_name(index), src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)


def _stage_link(entry: CatalogFile, metadata: Metadata, folder: int, index: int) -> None:
    assert entry.link_target is not None
    name = staged_name(index)
    os.symlink(entry.link_target, os.fsencode(name), dir_fd=folder)
    metadata.give_link(name, folder, entry)


def _write_all(descriptor: int, view: memoryview) -> None:
    while (written := os.write(descriptor, view)) < len(view):
        view = view[written:]


def _write_at(descriptor: int, view: memoryview, offset: int) -> None:
    while view:
        written = os.pwrite(descriptor, view, offset)
        offset += written
        view = view[written:]


def _write_around_holes(descriptor: int, view: memoryview, offset: int) -> None:
    """Write what is not zero, in runs of whole pages of the file; unwritten pages stay holes."""
    begin = at = 0  # of the run that is to be written, and where the search is
    while at < len(view):
        stop = min(len(view), at + _HOLE_BYTES - (offset + at) % _HOLE_BYTES)
        if bytes(view[at:stop]) == _ZEROS[: stop - at]:
            _write_at(descriptor, view[begin:at], offset + begin)
            begin = stop
        at = stop
    _write_at(descriptor, view[begin:], offset + begin)


def _is_hole(descriptor: int, offset: int, count: int) -> bool:
    try:
        return os.lseek(descriptor, offset, os.SEEK_DATA) >= offset + count
    except OSError as error:
        return error.errno == errno.ENXIO  # no data from here to the end


def shown(name: bytes) -> str:
    """Return a raw name as a person can read it; bytes that are no text are shown as escapes."""
    return name[:256].decode("utf-8", "backslashreplace")


def listed(name: bytes) -> str:
    """Return a raw name as one line of a list, whole: what cannot be printed is escaped, line ends too."""
    text = name.decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


@contextmanager
def as_the_consignor_signed_it() -> Iterator[None]:
    """Say what to do about a volume that is proven and hostile.

    Raises:
        HostileArchive: the same, with a hint.
    """
    try:
        yield
    except HostileArchive as error:
        raise HostileArchive(
            error.what,
            where=error.where,
            expected=error.expected,
            found=error.found,
            hint=AS_SIGNED,
        ) from error
