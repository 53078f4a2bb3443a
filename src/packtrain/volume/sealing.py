"""Filling one data volume: tar members from the sources into whole mebibytes of plaintext, ready to be encrypted.

Bytes are read to where they are encrypted from, and hashed there. Large reads and all that happens to a full buffer
leave the interpreter to other threads; small files do not, so threads that fill take turns (see `Filler`).
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final

from packtrain.volume import layout, tar
from packtrain.volume.journal import Member
from packtrain.volume.source import ZEROS, SourceFolders, check_digest, difference, opened, read_at, read_whole
from packtrain.volume.turns import LARGE_BYTES, Turn

if TYPE_CHECKING:
    from hashlib import _Hash as Hash  # pyright: ignore[reportPrivateUsage] - typeshed has no other name for it

# How many files' digests are held before they are handed on: 0.2 MB a column, and a stripe may have 255.
_FOUND_ROWS: Final = 1_000

Found = tuple[int, str | None, str | None]
"""A file's number in the journal, its SHA-256 if it was hashed here, and how it differs from the list."""


class Filler:
    """Fills data volumes, one after the other.

    Args:
        turn: shared by all threads that fill. One of them at a time works on small files, the others encrypt, hash,
            write and read: two threads that both need the interpreter for every file only hand it to each other.
        buffer: the plaintext; whole buffers go to `seal`, so its length is to be a multiple of an age chunk.
        seal: takes the plaintext; the memory is used again afterwards.
        record: takes what was found of the files, some thousand at a time; the list is used again afterwards.
        xattrs: returns an entry's extended attributes by its number.
    """

    def __init__(
        self,
        turn: Turn,
        buffer: memoryview,
        seal: Callable[[memoryview], object],
        record: Callable[[list[Found]], None],
        xattrs: Callable[[int], tar.Xattrs],
    ) -> None:
        self._turn = turn
        self._buffer = buffer
        self._seal = seal
        self._record = record
        self._xattrs = xattrs
        self._used = 0
        self._sealed_bytes = 0
        self._found: list[Found] = []
        self._folders = SourceFolders()

    def fill(self, members: Iterable[Member]) -> None:
        """Write the members of one volume and the end of its archive.

        Raises:
            SourceUnreadable: a source cannot be read.

            And what `seal` and `record` raise.
        """
        with self._turn, self._folders:
            self._fill(members)

    def _fill(self, members: Iterable[Member]) -> None:
        buffer, capacity = self._buffer, len(self._buffer)
        for member in members:
            header = member_header(member, self._xattrs(member.file_id) if member.has_xattrs else ())
            at = self._used
            content_at = at + len(header)
            assert self._sealed_bytes + content_at == member.tar_offset, "the packing list and the tar have parted"
            size_bytes = member.bytes
            end = content_at + size_bytes
            padded = end + -size_bytes % tar.BLOCK_BYTES
            if padded > capacity or size_bytes > LARGE_BYTES:
                self._put(header)
                if member.kind == "file":
                    self._put_content(member)
                self._put(tar.padding(size_bytes))
            else:
                buffer[at:content_at] = header
                if member.kind == "file":
                    self._read_small(member, buffer[content_at:end])
                if padded > end:
                    buffer[end:padded] = ZEROS[: padded - end]
                self._used = padded
            if len(self._found) >= _FOUND_ROWS:
                self._record_found()
        self._put(tar.END_OF_ARCHIVE)
        self._flush()
        self._record_found()

    def _read_small(self, member: Member, target: memoryview) -> None:
        if member.num_pieces > 1:
            self._copy_piece(member, target)
            return
        sha256, changed = read_whole(self._folders, member.source, member.bytes, member.mtime_ns, target)
        if member.known_sha256 is not None:
            changed = check_digest(member.known_sha256, sha256, changed)
        self._found.append((member.file_id, sha256, changed))

    def _copy_piece(self, member: Member, target: memoryview) -> None:
        """Read a small piece of a cut file, whose digest is made elsewhere."""
        with opened(self._folders, member.source) as descriptor:
            count = read_at(member.source, descriptor, target, member.file_offset)
            changed = difference(os.fstat(descriptor), member.file_bytes, member.mtime_ns)
        target[count:] = ZEROS[: len(target) - count]
        if changed is not None:
            self._found.append((member.file_id, None, changed))

    def _put_content(self, member: Member) -> None:
        """Read what does not fit into the buffer at once, or is large."""
        state = hashlib.sha256() if member.num_pieces == 1 else None
        left, position = member.bytes, member.file_offset
        with opened(self._folders, member.source) as descriptor:
            while left:
                target = self._room(left)
                if len(target) >= LARGE_BYTES:
                    with self._turn.away:
                        _read_and_hash(member, descriptor, target, position, state)
                else:
                    _read_and_hash(member, descriptor, target, position, state)
                self._used += len(target)
                position += len(target)
                left -= len(target)
            changed = difference(os.fstat(descriptor), member.file_bytes, member.mtime_ns)
        if state is not None:
            sha256 = state.hexdigest()
            self._found.append((member.file_id, sha256, check_digest(member.known_sha256, sha256, changed)))
        elif changed is not None:
            self._found.append((member.file_id, None, changed))

    def _put(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            target = self._room(len(view))
            target[:] = view[: len(target)]
            self._used += len(target)
            view = view[len(target) :]

    def _room(self, wanted_bytes: int) -> memoryview:
        """Return the free part of the buffer, at most `wanted_bytes`; a full buffer is sealed first."""
        if self._used == len(self._buffer):
            self._flush()
        return self._buffer[self._used : self._used + wanted_bytes]

    def _flush(self) -> None:
        with self._turn.away:
            self._seal(self._buffer[: self._used])
        self._sealed_bytes += self._used
        self._used = 0

    def _record_found(self) -> None:
        if self._found:
            with self._turn.away:
                self._record(self._found)
            self._found.clear()


def _read_and_hash(member: Member, descriptor: int, target: memoryview, offset: int, state: Hash | None) -> None:
    count = read_at(member.source, descriptor, target, offset)
    if count < len(target):
        # What the file has less than was listed counts as zeros.
        target[count:] = ZEROS[: len(target) - count]
    if state is not None:
        state.update(target)


def member_header(member: Member, xattrs: tar.Xattrs) -> bytes:
    """Return the tar header of an entry, or of one piece of it."""
    return tar.header(
        member.path if member.num_pieces == 1 else layout.piece_name(member.path, member.number, member.num_pieces),
        member.kind,
        member.bytes,
        member.mode,
        member.mtime_ns // 1_000_000_000,
        member.link_target or b"",
        member.uid,
        member.gid,
        # Of a file that is cut the catalog alone has them: tar would set them on a piece.
        xattrs if member.num_pieces == 1 else (),
    )
