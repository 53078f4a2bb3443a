"""An outbox cut into pieces, each named by its SHA-256: what any tool can send, in any order, and send again.

The pieces are ciphertext, and neither cutting nor gathering needs a key.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import stat
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, Final

from packtrain import durable
from packtrain.documents.pieces import Piece, PiecedFile, Pieces
from packtrain.errors import ExportDenied, IntegrityError
from packtrain.training.outbox import LIST_NAME

PIECES_NAME: Final = "pieces.json"
PIECES_SIGNATURE: Final = f"{PIECES_NAME}.sig"
_PIECE_NAME: Final = re.compile(r"[0-9a-f]{64}")
_READ_BYTES: Final = 1 << 20
# copy_file_range is not to be had between all file systems, nor on all kernels.
_NO_RANGES: Final = (errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM)
Told = Callable[[int], None]


def sending_order(names: Sequence[str]) -> list[str]:
    """Return names of an outbox in the order in which they are best sent: list and signatures, weights, the rest."""

    def rank(name: str) -> tuple[int, str]:
        return (0 if name.startswith(LIST_NAME) else 1 if ".safetensors." in name else 2, name)

    return sorted(names, key=rank)


def cut(outbox: Path, into: Path, piece_bytes: int, tell: Told) -> tuple[PiecedFile, ...]:
    """Write the pieces of an outbox into a folder; return its files. A second run writes what is not there yet.

    On a file system that shares blocks (XFS, btrfs) the pieces take no room of their own.

    Args:
        outbox: a folder of regular files, checked by the caller.
        into: takes the pieces.
        piece_bytes: bytes of a piece.
        tell: is called with the bytes of each piece.

    Raises:
        ExportDenied: `into` holds what is not packtrain's.
        DriveFull: no space is left.
    """
    into.mkdir(parents=True, exist_ok=True)
    refuse_strangers(into)
    files: list[PiecedFile] = []
    for name in sending_order([path.name for path in outbox.iterdir()]):
        with (outbox / name).open("rb", buffering=0) as source:
            whole = hashlib.sha256()
            pieces: list[Piece] = []
            offset = 0
            while (found := _digest(source, offset, piece_bytes, whole.update)) is not None:
                piece = Piece(sha256=found[0], bytes=found[1])
                _write_piece(source, offset, piece, into / piece.sha256)
                tell(piece.bytes)
                pieces.append(piece)
                offset += piece.bytes
        files.append(PiecedFile(name=name, bytes=offset, sha256=whole.hexdigest(), pieces=tuple(pieces)))
    return tuple(files)


def refuse_strangers(folder: Path) -> None:
    """Refuse a folder of pieces that holds anything else.

    Raises:
        ExportDenied: see above.
    """
    strangers = [path.name for path in sorted(folder.iterdir()) if path.is_dir() or not _is_ours(path.name)]
    if strangers:
        raise ExportDenied(
            "folder of pieces holds files that are not packtrain's",
            where=str(folder),
            found=", ".join(strangers[:20]),
            hint="what lies there would be sent with the pieces; take it out",
        )


def remove_stale(folder: Path, files: Sequence[PiecedFile]) -> None:
    """Remove from a folder of pieces what is no piece of `files`: those of an earlier outbox, and what was cut off."""
    wanted = {PIECES_NAME, PIECES_SIGNATURE, *(piece.sha256 for file in files for piece in file.pieces)}
    for path in sorted(folder.iterdir()):
        if path.name not in wanted and _is_ours(path.name):
            path.unlink()


def check_plausible(document: Pieces, where: str) -> None:
    """Hold a list of pieces against itself.

    Raises:
        IntegrityError: a file twice, no export list, a length that its pieces do not have, or one digest with two
            lengths.
    """
    names = [file.name for file in document.files]
    lengths: dict[str, int] = {}
    for file in document.files:
        if file.bytes != sum(piece.bytes for piece in file.pieces):
            raise IntegrityError("pieces do not add up to their file", where=where, found=file.name)
        for piece in file.pieces:
            if lengths.setdefault(piece.sha256, piece.bytes) != piece.bytes:
                raise IntegrityError("one piece has two lengths", where=where, found=piece.sha256)
    listed = next((file for file in document.files if file.name == LIST_NAME), None)
    if len(set(names)) != len(names) or listed is None or listed.sha256 != document.export_list:
        raise IntegrityError("list of pieces names a file twice, or not the export list", where=where)


def open_piece(path: Path) -> BinaryIO | None:
    """Open a file that may be a piece; None where there is none, or no regular file."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    stream = os.fdopen(descriptor, "rb", buffering=0)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        stream.close()
        return None
    return stream


def is_whole(path: Path, piece: Piece) -> bool:
    """Return whether a regular file holds the bytes of a piece; they are read where the length is right."""
    stream = open_piece(path)
    if stream is None:
        return False
    with stream:
        if os.fstat(stream.fileno()).st_size != piece.bytes:
            return False
        return _digest(stream, 0, piece.bytes + 1, lambda _: None) == (piece.sha256, piece.bytes)


def copy_range(source: BinaryIO, offset: int, num_bytes: int, target: BinaryIO) -> None:
    """Append bytes of one file to another; the file system shares them where it can.

    Raises:
        IntegrityError: the source is shorter.
        OSError: it cannot be read, or no space is left.
    """
    target.flush()
    done = 0
    for copy in (_share, _read_write):
        done += copy(source, offset + done, num_bytes - done, target)
        if done == num_bytes:
            return
    raise IntegrityError("file became shorter while it was read", where=str(getattr(source, "name", "")))


def _share(source: BinaryIO, offset: int, num_bytes: int, target: BinaryIO) -> int:
    done = 0
    place = target.seek(0, os.SEEK_END)
    try:
        while done < num_bytes:
            count = os.copy_file_range(source.fileno(), target.fileno(), num_bytes - done, offset + done, place + done)
            if not count:
                break
            done += count
    except OSError as error:
        if error.errno not in _NO_RANGES:
            raise
    target.seek(0, os.SEEK_END)
    return done


def _read_write(source: BinaryIO, offset: int, num_bytes: int, target: BinaryIO) -> int:
    done = 0
    while done < num_bytes:
        chunk = os.pread(source.fileno(), min(_READ_BYTES, num_bytes - done), offset + done)
        if not chunk:
            break
        target.write(chunk)
        done += len(chunk)
    return done


def _digest(source: BinaryIO, offset: int, piece_bytes: int, also: Callable[[bytes], None]) -> tuple[str, int] | None:
    """Return digest and bytes of the piece that begins at `offset`; None at the end of the file."""
    state = hashlib.sha256()
    done = 0
    for chunk in _chunks(source, offset, piece_bytes):
        state.update(chunk)
        also(chunk)
        done += len(chunk)
    return (state.hexdigest(), done) if done else None


def _chunks(source: BinaryIO, offset: int, num_bytes: int) -> Iterator[bytes]:
    done = 0
    while done < num_bytes and (chunk := os.pread(source.fileno(), min(_READ_BYTES, num_bytes - done), offset + done)):
        yield chunk
        done += len(chunk)


def _write_piece(source: BinaryIO, offset: int, piece: Piece, path: Path) -> None:
    # Cutting again is what a sender does whose pieces came home damaged: here one may be, so its bytes are read.
    if is_whole(path, piece):
        return
    with durable.atomic_writer(path) as target:
        copy_range(source, offset, piece.bytes, target)


def _is_ours(name: str) -> bool:
    base = name.removesuffix(durable.TEMPORARY_SUFFIX)
    return base in (PIECES_NAME, PIECES_SIGNATURE, ".together") or _PIECE_NAME.fullmatch(base) is not None
