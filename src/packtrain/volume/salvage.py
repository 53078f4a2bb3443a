"""What can still be had of a volume beyond repair: files that lie in good chunks, each proven by its own SHA-256.

The volume's SHA-256 cannot be had, and anyone can encrypt to a public recipient. So nothing here is believed but the
catalog, which is signed through group.json: a file comes back if its content, at its place in the volume, has the
SHA-256 that the catalog names. Headers of members are not read at all.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from packtrain.crypto.age_chunks import SEALED_BYTES, ChunkOpener
from packtrain.digest import BLOCK_BYTES
from packtrain.documents.group import Volume
from packtrain.errors import HostileArchive, PacktrainError
from packtrain.units import KIB
from packtrain.volume.catalog import Catalog, CatalogFile, CatalogPiece
from packtrain.volume.metadata import Metadata
from packtrain.volume.untar import check_name, check_target

_PLAIN_BYTES: Final = 64 * KIB
_FLAGS: Final = os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class Found:
    """A file that was got out, or a piece of one that is cut (its content is at its place in `path` then)."""

    entry: CatalogFile
    piece: CatalogPiece
    path: Path


class Salvage:
    """Takes the blocks of one volume in order, and stages what can be proven.

    Args:
        volume: what group.json says of it.
        catalog: of its group.
        identity: the shipment's.
        folder: where files, and pieces of cut files, are staged.
        metadata: gives files mode, time and the rest.

    Attributes:
        found: what was got out since it was last taken away, see `take_away`.
    """

    def __init__(self, volume: Volume, catalog: Catalog, identity: str, folder: Path, metadata: Metadata) -> None:
        self.found: list[Found] = []
        self._volume = volume
        self._identity = identity
        self._folder = folder
        self._metadata = metadata
        self._opener: ChunkOpener | None = None
        self._held = bytearray()  # ciphertext from the start of chunk `_chunk`
        self._chunk = 0
        members = catalog.members_in(volume.stripe, volume.column)
        self._members = (member for member in members if member[1].kind == "file" and member[0].bytes)
        self._member: tuple[CatalogPiece, CatalogFile] | None = None
        self._descriptor = -1
        self._next = 0  # offset in the plaintext of the next byte of the member
        self._state = hashlib.sha256()
        self._advance()

    def take(self, row: int, block: bytes | None) -> None:
        """Take block `row`, None where it is lost; rows come in order."""
        if row == 0:
            if block is None:
                return  # the key of the volume is in its header: without it nothing opens
            try:
                self._opener = ChunkOpener(block, self._volume.bytes, [self._identity])
            except PacktrainError:
                return
            block = block[self._opener.payload_offset :]
        if self._opener is None:
            return
        if block is None:
            self._skip((row + 1) * BLOCK_BYTES)
            return
        begin = max(row * BLOCK_BYTES, self._opener.payload_offset)
        if not self._held:
            # After a lost block the next whole chunk begins somewhere in here.
            block = block[max(self._opener.payload_offset + self._chunk * SEALED_BYTES - begin, 0) :]
        self._held += block
        while self._chunk < self._opener.num_chunks:
            sealed_bytes = self._opener.sealed_bytes(self._chunk)
            if len(self._held) < sealed_bytes:
                break
            plain = self._opener.open(self._chunk, memoryview(self._held)[:sealed_bytes])
            del self._held[:sealed_bytes]
            if plain is not None:
                self._put(self._chunk * _PLAIN_BYTES, plain)
            self._chunk += 1

    def take_away(self) -> list[Found]:
        """Return what was found since the last call: of a volume of small files all of it would be a million."""
        found, self.found = self.found, []
        return found

    def finish(self) -> None:
        """End; what was not complete by now is not found."""
        while self._member is not None:
            self._advance()

    def _skip(self, offset: int) -> None:
        """Go on at the first chunk that begins at `offset` of the file or later."""
        assert self._opener is not None
        self._held.clear()
        self._chunk = max(self._chunk, -(-(offset - self._opener.payload_offset) // SEALED_BYTES))

    def _put(self, offset: int, plain: bytes) -> None:
        """Give plaintext at its offset in the volume to the members it belongs to."""
        end = offset + len(plain)
        while self._member is not None:
            piece, _ = self._member
            stop = piece.tar_offset + piece.bytes
            if self._next < offset:
                self._advance()  # a part of it is lost
                continue
            if self._next >= end:
                return
            part = memoryview(plain)[self._next - offset : min(stop, end) - offset]
            self._write(part)
            if self._next == stop:
                self._complete()

    def _write(self, part: memoryview) -> None:
        assert self._member is not None
        if self._descriptor < 0:
            piece, _ = self._member
            self._descriptor = os.open(self._folder / f"{piece.file}-{piece.number}", _FLAGS, 0o600)
        self._state.update(part)
        self._next += len(part)
        while part:
            part = part[os.write(self._descriptor, part) :]

    def _complete(self) -> None:
        assert self._member is not None
        piece, entry = self._member
        if piece.count > 1 or self._state.hexdigest() == entry.sha256:
            if piece.count == 1:
                self._metadata.give(self._descriptor, entry)
            self.found.append(Found(entry, piece, self._folder / f"{piece.file}-{piece.number}"))
            os.close(self._descriptor)
            self._descriptor = -1
        self._advance()

    def _advance(self) -> None:
        if self._descriptor >= 0 and self._member is not None:
            # In the clear, and nothing proves it: it does not stay.
            piece, _ = self._member
            (self._folder / f"{piece.file}-{piece.number}").unlink()
            os.close(self._descriptor)
            self._descriptor = -1
        self._member = next(self._members, None)
        self._next = self._member[0].tar_offset if self._member is not None else 0
        self._state = hashlib.sha256()


def without_content(catalog: Catalog, volume: Volume, folder: Path, metadata: Metadata) -> Iterator[Found]:
    """Stage, one by one, what the catalog alone gives back: empty files, symbolic links and folders of a volume.

    Raises:
        OSError: the staging folder cannot be written.
    """
    for piece, entry in catalog.members_in(volume.stripe, volume.column):
        path = folder / f"{piece.file}-{piece.number}"
        try:
            check_name(entry.path)
            if entry.kind == "symlink":
                assert entry.link_target is not None
                check_target(entry.path, entry.link_target)
                path.unlink(missing_ok=True)
                parent = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
                try:
                    os.symlink(entry.link_target, os.fsencode(path.name), dir_fd=parent)
                    metadata.give_link(path.name, parent, entry)
                finally:
                    os.close(parent)
            elif entry.kind == "file" and entry.bytes == 0 and entry.sha256 == _OF_NOTHING:
                descriptor = os.open(path, _FLAGS, 0o600)
                try:
                    metadata.give(descriptor, entry)
                finally:
                    os.close(descriptor)
            elif entry.kind == "directory":
                path.mkdir(exist_ok=True)
            else:
                continue
        except HostileArchive:
            continue
        yield Found(entry, piece, path)


_OF_NOTHING: Final = hashlib.sha256(b"").hexdigest()


def join(parts: Sequence[tuple[CatalogPiece, Path]], whole: Path, target: Path, entry: CatalogFile) -> bool:
    """Put a cut file together; return whether it has the SHA-256 of the catalog.

    Args:
        parts: pieces that were got out of volumes beyond repair.
        whole: the staged file with the pieces of proven volumes in place; it stays as it is.
        target: what is written.
        entry: the file.
    """
    state = hashlib.sha256()
    instead = {piece.file_offset: (piece.bytes, path) for piece, path in parts}
    with target.open("w+b", buffering=0) as stream:
        stream.truncate(entry.bytes)
        if whole.exists():
            with whole.open("rb") as source:
                while data := source.read(BLOCK_BYTES):
                    stream.write(data)
        for offset, (_, path) in instead.items():
            stream.seek(offset)
            with path.open("rb") as source:
                while data := source.read(BLOCK_BYTES):
                    stream.write(data)
        stream.seek(0)
        while data := stream.read(BLOCK_BYTES):
            state.update(data)
    return state.hexdigest() == entry.sha256
