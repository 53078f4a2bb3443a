"""From the plaintext of one volume to files in the staging folder, each held against the catalog.

Staged files have numbers for names, so that no name from a drive is used as a path before its volume is proven. A piece
of a cut file is written at its place in one staged file, which is complete when the volumes of all its pieces are.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from packtrain.errors import DriveFailed, DriveFull, HostileArchive, IntegrityError
from packtrain.volume import layout
from packtrain.volume.catalog import Catalog, CatalogFile, CatalogPiece
from packtrain.volume.untar import Member, TarReader

# Set-user-id, set-group-id and sticky bits are not taken over: a drive must not plant a program that runs as its owner.
_MODE_BITS: Final = 0o777
_CREATE_FLAGS: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_WHOLE_FLAGS: Final = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class Staging:
    """Where files wait until their volume is proven. One object a shipment.

    Args:
        root: a private folder on the store's file system, kept over runs for the sake of cut files.
    """

    root: Path

    def volume_folder(self, group: int, stripe: int, column: int) -> Path:
        """Return the folder of one volume's files."""
        return self.root / f"volume-{group:04d}-{stripe:07d}-{column:03d}"

    def whole_file(self, group: int, file_id: int) -> Path:
        """Return the file into which the pieces of a cut file are written."""
        return self.root / f"whole-{group:04d}-{file_id}"

    def catalog(self, group: int) -> Path:
        """Return where a group's catalog lies decrypted while the group is read."""
        return self.root / f"catalog-{group:04d}.sqlite"

    def clear(self) -> None:
        """Remove catalogs and volumes in the clear; the pieces of cut files stay: the next run goes on from them."""
        for left in (*self.root.glob("volume-*"), *self.root.glob("catalog-*")):
            shutil.rmtree(left) if left.is_dir() else left.unlink()

    def remove(self) -> None:
        """Remove the folder with all that is in it; the one that it lies in too, if nothing else does."""
        shutil.rmtree(self.root)
        if not any(self.root.parent.iterdir()):
            self.root.parent.rmdir()


def staged_name(index: int) -> str:
    """Return the name of a volume's member number `index` (from 0) in the volume's staging folder."""
    return f"{index:08d}"


def extract_volume(
    tar: TarReader, catalog: Catalog, staging: Staging, group: int, stripe: int, column: int, where: str
) -> None:
    """Stage all members of one volume, in the order of the catalog; the tar is read to its end.

    Args:
        tar: the volume's plaintext.
        catalog: opened by this thread.
        staging: its volume folder must exist and be empty.
        where: the volume, for messages.

    Raises:
        HostileArchive: the tar breaks the format, or its members are not those of the catalog.
        IntegrityError: a file's SHA-256 is not that of the catalog.
        DriveFull: the store is full.
    """
    folder = os.open(staging.volume_folder(group, stripe, column), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for index, (piece, entry) in enumerate(catalog.members_in(stripe, column)):
            member = tar.next_member()
            if member is None:
                raise HostileArchive("volume ends before the catalog does", where=where, expected=shown(entry.path))
            _compare(member, entry, piece, where)
            with store_faults(staging.root):
                if entry.kind == "symlink":
                    _stage_link(entry, member, folder, index)
                elif entry.kind == "directory":
                    _stage_folder(entry, folder, index)
                elif piece.count == 1:
                    _stage_file(tar, entry, folder, index, where)
                else:
                    _stage_piece(tar, entry, piece, staging.whole_file(group, entry.id))
        extra = tar.next_member()
        if extra is not None:
            raise HostileArchive("volume holds a member that the catalog lacks", where=where, found=shown(extra.name))
    finally:
        os.close(folder)


def finish_whole_file(path: Path, entry: CatalogFile) -> None:
    """Check a cut file of which every piece is in place, and give it mode and time.

    Raises:
        IntegrityError: its SHA-256 is not that of the catalog; it was removed, so that the next run reads it anew.
    """
    state = hashlib.sha256()
    with path.open("rb", buffering=0) as stream:
        while piece := stream.read(1 << 20):
            state.update(piece)
        if state.hexdigest() == entry.sha256:
            os.fchmod(stream.fileno(), entry.mode & _MODE_BITS)
            os.utime(stream.fileno(), ns=(entry.mtime_ns, entry.mtime_ns))
            return
    path.unlink()
    raise IntegrityError(
        "file put together from its pieces differs from the catalog",
        where=shown(entry.path),
        expected=str(entry.sha256)[:12],
        found=state.hexdigest()[:12],
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
    is_in_bounds = (
        piece.file_offset + piece.bytes <= entry.bytes
        if piece.count > 1 and entry.kind == "file"
        else piece.count == 1 and piece.file_offset == 0 and piece.bytes == entry.bytes
    )
    if not is_in_bounds:
        raise HostileArchive("catalog contradicts itself", where=where, found=shown(entry.path))


def _stage_file(tar: TarReader, entry: CatalogFile, folder: int, index: int, where: str) -> None:
    descriptor = os.open(staged_name(index), _CREATE_FLAGS, 0o600, dir_fd=folder)
    try:
        state = hashlib.sha256()
        while piece := tar.read_data():
            state.update(piece)
            _write_all(descriptor, piece)
        if state.hexdigest() != entry.sha256:
            raise IntegrityError(
                f"file {shown(entry.path)} differs from the catalog",
                where=where,
                expected=str(entry.sha256)[:12],
                found=state.hexdigest()[:12],
                hint="the consignor packed it so; ask for the file",
            )
        os.fchmod(descriptor, entry.mode & _MODE_BITS)
        os.utime(descriptor, ns=(entry.mtime_ns, entry.mtime_ns))
    finally:
        os.close(descriptor)


def _stage_piece(tar: TarReader, entry: CatalogFile, piece: CatalogPiece, path: Path) -> None:
    descriptor = os.open(path, _WHOLE_FLAGS, 0o600)
    try:
        os.ftruncate(descriptor, entry.bytes)
        offset = piece.file_offset
        while data := tar.read_data():
            view = data
            while view:
                written = os.pwrite(descriptor, view, offset)
                offset += written
                view = view[written:]
    finally:
        os.close(descriptor)


def _stage_folder(entry: CatalogFile, folder: int, index: int) -> None:
    name = staged_name(index)
    os.mkdir(name, dir_fd=folder)
    # Not by mkdir: the process's umask would take bits away.
    os.chmod(name, entry.mode & _MODE_BITS, dir_fd=folder)
    os.utime(name, ns=(entry.mtime_ns, entry.mtime_ns), dir_fd=folder)


def _stage_link(entry: CatalogFile, member: Member, folder: int, index: int) -> None:
    if member.target != entry.link_target:
        raise HostileArchive(
            f"link {shown(entry.path)} has another target in the volume than in the catalog",
            expected=shown(entry.link_target or b""),
            found=shown(member.target),
        )
    name = staged_name(index)
    os.symlink(member.target, os.fsencode(name), dir_fd=folder)
    os.utime(name, ns=(entry.mtime_ns, entry.mtime_ns), dir_fd=folder, follow_symlinks=False)


def _write_all(descriptor: int, view: memoryview) -> None:
    while view:
        view = view[os.write(descriptor, view) :]


def shown(name: bytes) -> str:
    """Return a raw name as a person can read it; bytes that are no text are shown as escapes."""
    return name[:256].decode("utf-8", "backslashreplace")


@contextmanager
def store_faults(root: Path) -> Iterator[None]:
    """Turn what the kernel says about the store's file system into messages.

    Raises:
        DriveFull: no space is left.
        DriveFailed: anything else.
    """
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise DriveFull(
                "no space left in the store",
                where=str(root.parent),
                hint="make room, then run the same command again: it goes on where it stopped",
            ) from error
        raise DriveFailed(
            f"store cannot be written: {error.strerror or error}",
            where=str(root.parent),
            hint="mend the store, then run the same command again: it goes on where it stopped",
        ) from error


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
            hint="no accident: the cargo is as its consignor signed it. Nothing was written outside the store; ask the "
            "consignor, and use nothing of this shipment before they have explained it",
        ) from error
