"""Pieces that came home, by whatever ways: which are good, which are to be sent again, and what can be joined."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from packtrain import durable
from packtrain.digest import sha256_file
from packtrain.documents.pieces import Piece, PiecedFile, Pieces
from packtrain.errors import IntegrityError
from packtrain.training.outbox import LIST_NAME
from packtrain.training.pieces import copy_range, open_piece

_READ_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Lacking:
    """A piece that is not here whole.

    Attributes:
        found: "missing", "cut" or "damaged".
        found_bytes: how long what lies in its place is; 0 where nothing does.
    """

    piece: Piece
    file: str
    found: str
    found_bytes: int
    path: Path | None


@dataclass(slots=True)
class Gathered:
    """What was found and made.

    Attributes:
        total_bytes: of all files.
        good_bytes: of the files that stand in the outbox, and of good pieces of others.
        lacking: in the order in which they are best sent.
        joined: names of the files that were joined by this run.
    """

    total_bytes: int = 0
    good_bytes: int = 0
    num_pieces: int = 0
    lacking: list[Lacking] = field(default_factory=list[Lacking])
    joined: list[str] = field(default_factory=list[str])


def gather(
    document: Pieces, folders: Sequence[Path], outbox: Path, tell: Callable[[int], None], *, consume: bool
) -> Gathered:
    """Join the files whose pieces are all here into `outbox`, each whole or not at all, the export list last.

    A file that stands in the outbox with its length is not read again (`accept` reads it), unless pieces of it are to
    be removed, which may be all of it that is good. Killed anywhere, a second run goes on.

    Args:
        document: the list of pieces, its signature checked.
        folders: where pieces may lie; each may hold some, good, cut or damaged.
        outbox: takes the files.
        tell: is called with the bytes of each piece that was looked at.
        consume: remove the pieces of a file from the folders once it is joined.

    Raises:
        IntegrityError: pieces that are good make a file that is not, so that the list contradicts itself.
        DriveFull: no space is left.
    """
    outbox.mkdir(parents=True, exist_ok=True)
    result = Gathered(
        total_bytes=sum(file.bytes for file in document.files),
        num_pieces=sum(len(file.pieces) for file in document.files),
    )
    left = {file.name: file for file in document.files if not _is_here(outbox, file, folders, consume=consume)}
    # The list comes last: an outbox without one is unfinished, and nobody reads it.
    waiting: tuple[PiecedFile, dict[str, Path]] | None = None
    for file in document.files:
        if file.name not in left:
            result.good_bytes += file.bytes
            tell(file.bytes)
        else:
            found = _look(file, folders, result, tell)
            if len(found) < len({piece.sha256 for piece in file.pieces}):
                continue
            if file.name == LIST_NAME:
                waiting = (file, found)
                continue
            _join(file, found, outbox, result)
            del left[file.name]
        if consume:
            _remove(folders, file, left.values())
    if waiting is not None and not result.lacking:
        _join(*waiting, outbox, result)
        if consume:
            _remove(folders, waiting[0], ())
    return result


def _is_here(outbox: Path, file: PiecedFile, folders: Sequence[Path], *, consume: bool) -> bool:
    """Return whether a file stands in the outbox; its bytes are read where pieces of it are about to be removed."""
    if not _stands(outbox, file):
        return False
    has_pieces = any(True for piece in file.pieces for _ in _places(folders, piece))
    return not (consume and has_pieces) or sha256_file(outbox / file.name) == file.sha256


def _stands(outbox: Path, file: PiecedFile) -> bool:
    path = outbox / file.name
    return path.is_file() and not path.is_symlink() and path.stat().st_size == file.bytes


def _look(file: PiecedFile, folders: Sequence[Path], result: Gathered, tell: Callable[[int], None]) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for piece in file.pieces:
        worst = Lacking(piece, file.name, "missing", 0, None)
        for path in _places(folders, piece):
            state, found_bytes = _state_of(path, piece)
            if state == "good":
                found[piece.sha256] = path
                break
            if found_bytes >= worst.found_bytes:
                worst = Lacking(piece, file.name, state, found_bytes, path)
        if piece.sha256 in found:
            result.good_bytes += piece.bytes
        else:
            result.lacking.append(worst)
        tell(piece.bytes)
    return found


def _places(folders: Sequence[Path], piece: Piece) -> Iterator[Path]:
    for folder in folders:
        path = folder / piece.sha256
        if os.path.lexists(path):
            yield path


def _state_of(path: Path, piece: Piece) -> tuple[str, int]:
    stream = open_piece(path)
    if stream is None:
        return "damaged", 0
    with stream:
        size = os.fstat(stream.fileno()).st_size
        if size != piece.bytes:
            return ("cut" if size < piece.bytes else "damaged"), size
        state = hashlib.sha256()
        while chunk := stream.read(_READ_BYTES):
            state.update(chunk)
    return ("good" if state.hexdigest() == piece.sha256 else "damaged"), size


def _join(file: PiecedFile, found: dict[str, Path], outbox: Path, result: Gathered) -> None:
    path = outbox / file.name
    with durable.atomic_writer(path) as target:
        for piece in file.pieces:
            stream = open_piece(found[piece.sha256])
            if stream is None:
                raise IntegrityError("piece is gone", where=str(found[piece.sha256]))
            with stream:
                copy_range(stream, 0, piece.bytes, target)
        target.flush()
        # Read again, not while it was copied: where the file system shares blocks nothing was copied.
        if sha256_file(path.with_name(path.name + durable.TEMPORARY_SUFFIX)) != file.sha256:
            raise IntegrityError(
                "pieces that are each good do not make the file that their list names",
                where=str(path),
                expected=file.sha256[:12],
                hint="a piece changed while it was read; run the same command again",
            )
    result.joined.append(file.name)


def _remove(folders: Sequence[Path], file: PiecedFile, left: Iterable[PiecedFile]) -> None:
    still_wanted = {piece.sha256 for other in left for piece in other.pieces}
    for piece in file.pieces:
        if piece.sha256 not in still_wanted:
            for path in _places(folders, piece):
                path.unlink()
                durable.step(f"consumed {piece.sha256[:12]}")
