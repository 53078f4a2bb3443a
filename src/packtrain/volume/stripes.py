"""One stripe: write its data volumes, read them back past the page cache, code what was read, write the parity.

Parity is computed from what the drives really hold, so that it can never agree with bytes that only memory had. Memory:
2 MiB a column while writing, 1 MiB while coding, whatever the size of the volumes.
"""

from __future__ import annotations

import contextlib
import mmap
from array import array
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Final, Self, TypeVar

from packtrain.crypto.age import EncryptWriter
from packtrain.digest import BLOCK_BYTES, block_hash, sha256_bytes
from packtrain.erasure.code import Code
from packtrain.errors import DriveFailed
from packtrain.ports import Drive, DriveReader, DriveWriter, Readback
from packtrain.units import MIB
from packtrain.volume import layout, tar
from packtrain.volume.assignment import member_header
from packtrain.volume.block_list import LINE_BYTES, BlockHasher, encode_block_list, num_blocks
from packtrain.volume.journal import Journal, WrittenVolume
from packtrain.volume.source import check_digest, copy_content

_RECORD_BATCH: Final = 1000
# More threads than this only wait for each other: a group of 255 drives is not read by 255 cores.
_MAX_THREADS: Final = 64
T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class _Hashed:
    """A volume as it was written."""

    column: int
    bytes: int
    sha256: str
    blocks: array[int]


class _Stopped(Exception):
    """No error: the way out of a writer whose stripe has failed elsewhere."""


class StripeWriter:
    """Writes the stripes of one group. Use it as a context: it holds threads and buffers.

    Args:
        group: the group's position in the plan.
        k, m: its code.
        drives: its drives in the group's order.
        recipient: the shipment's age recipient.
        journal: packing list in, finished stripes out.
        on_bytes: called with the number of ciphertext bytes that a volume grew by, from several threads.
    """

    def __init__(
        self,
        group: int,
        k: int,
        m: int,
        drives: Sequence[Drive],
        recipient: str,
        journal: Journal,
        on_bytes: Callable[[int], None],
    ) -> None:
        assert len(drives) == k + m
        self._group = group
        self._k = k
        self._m = m
        self._drives = drives
        self._recipient = recipient
        self._journal = journal
        self._on_bytes = on_bytes
        self._code = Code(k, m)
        self._stopped = False
        self._pool = ThreadPoolExecutor(min(k + m, _MAX_THREADS), thread_name_prefix=f"group-{group}")
        # Anonymous maps begin on a page: direct reads need aligned memory.
        self._buffers = [memoryview(mmap.mmap(-1, BLOCK_BYTES)) for _ in range(k + m)]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped = True
        self._pool.shutdown(wait=True, cancel_futures=True)

    def write(self, stripe: int) -> None:
        """Write one stripe whole, with new keys, and record it as finished.

        Raises:
            DriveFailed: a drive cannot be written or read, or returned other bytes than were written.
            DriveFull: no space is left on a drive.
            SourceUnreadable: a source cannot be read.
        """
        self._hash_cut_files(stripe)
        columns = sorted(self._journal.tar_bytes(self._group, stripe))
        data = self._all(lambda column: self._write_data(stripe, column), columns)
        with contextlib.ExitStack() as opened:
            readers = self._open(opened, stripe, [volume.column for volume in data])
            parity = self._write_parity(stripe, data, readers)
            modes: dict[int, Readback] = {column: reader.readback for column, reader in readers.items()}
        with contextlib.ExitStack() as opened:
            readers = self._open(opened, stripe, [volume.column for volume in parity])
            self._all(lambda volume: self._verify(stripe, volume, readers[volume.column]), parity)
            modes |= {column: reader.readback for column, reader in readers.items()}
        written = [*data, *parity]
        self._all(lambda volume: self._write_block_list(stripe, volume), written)
        self._journal.finish_stripe(self._group, self._records(stripe, written, modes))

    def is_finished(self, stripe: int) -> bool:
        """Return whether the journal has the stripe and its files still stand on the drives at their lengths."""
        volumes = list(self._journal.written(self._group, stripe))
        if len(volumes) != self._k + self._m:
            return False
        return all(self._all(lambda volume: self._stands(stripe, volume), [v for v in volumes if v.bytes]))

    def drive(self, stripe: int, column: int) -> Drive:
        """Return the drive that holds a column."""
        return self._drives[layout.drive_of(stripe, column, len(self._drives))]

    def _stands(self, stripe: int, volume: WrittenVolume) -> bool:
        drive = self.drive(stripe, volume.column)
        return (
            drive.size_bytes(layout.volume_name(stripe, volume.column, self._k)) == volume.bytes
            and drive.size_bytes(layout.blocks_name(stripe, volume.column)) == num_blocks(volume.bytes) * LINE_BYTES
        )

    # --- data volumes ------------------------------------------------------------------------------------------

    def _hash_cut_files(self, stripe: int) -> None:
        """Hash whole every file whose first piece is in this stripe: its pieces are written by several threads."""
        buffer = memoryview(bytearray(MIB))
        for item in self._journal.cut_files_in(self._group, stripe):
            sha256, changed = copy_content(item.entry, 0, item.entry.size_bytes, len, buffer)
            self._journal.record_files([(item.file_id, sha256, check_digest(item.entry, sha256, changed))])

    def _write_data(self, stripe: int, column: int) -> _Hashed:
        name = layout.volume_name(stripe, column, self._k)
        hasher = BlockHasher()
        with self.drive(stripe, column).open_writer(name) as writer:

            def sink(piece: memoryview | bytes) -> None:
                if self._stopped:
                    raise _Stopped
                hasher.update(piece)
                writer.write(piece)
                self._on_bytes(len(piece))

            with EncryptWriter(sink, self._recipient) as sealed:
                self._write_members(stripe, column, sealed)
                sealed.write(tar.END_OF_ARCHIVE)
        sha256, blocks = hasher.finish()
        return _Hashed(column, hasher.total_bytes, sha256, blocks)

    def _write_members(self, stripe: int, column: int, sealed: EncryptWriter) -> None:
        buffer = memoryview(bytearray(MIB))
        found: list[tuple[int, str | None, str | None]] = []
        for item in self._journal.pieces_in(self._group, stripe, column):
            entry, piece = item.entry, item.piece
            sealed.write(member_header(entry, piece.number, piece.count, piece.bytes))
            assert sealed.plaintext_bytes == piece.tar_offset, "the packing list and the tar have parted"
            if entry.kind == "file":
                is_whole = piece.count == 1
                sha256, changed = copy_content(
                    entry, piece.file_offset, piece.bytes, sealed.write, buffer, hashed=is_whole
                )
                if is_whole:
                    found.append((item.file_id, sha256, check_digest(entry, sha256, changed)))
                elif changed is not None:
                    found.append((item.file_id, None, changed))
            if len(found) >= _RECORD_BATCH:
                self._journal.record_files(found)
                found.clear()
        if found:
            self._journal.record_files(found)

    # --- read back, parity -------------------------------------------------------------------------------------

    def _write_parity(self, stripe: int, data: Sequence[_Hashed], readers: dict[int, DriveReader]) -> list[_Hashed]:
        """Read the data volumes in lockstep, check every block, and write the parity of what was read."""
        longest = max(volume.bytes for volume in data)
        hashers = [BlockHasher() for _ in range(self._m)]
        for column in range(self._k):
            if column not in readers:
                self._buffers[column][:] = bytes(BLOCK_BYTES)  # a missing column counts as zeros
        with contextlib.ExitStack() as opened:
            writers = [
                opened.enter_context(
                    self.drive(stripe, column).open_writer(layout.volume_name(stripe, column, self._k))
                )
                for column in range(self._k, self._k + self._m)
            ]
            for block in range(num_blocks(longest)):
                self._all(lambda volume, b=block: self._read_block(stripe, volume, readers[volume.column], b), data)
                length = min(BLOCK_BYTES, longest - block * BLOCK_BYTES)
                parts = [buffer[:length] for buffer in self._buffers]
                self._code.encode(parts[: self._k], parts[self._k :])
                self._all(self._put_parity, list(zip(writers, hashers, parts[self._k :], strict=True)))
        parity: list[_Hashed] = []
        for index, hasher in enumerate(hashers):
            sha256, blocks = hasher.finish()
            parity.append(_Hashed(self._k + index, hasher.total_bytes, sha256, blocks))
        return parity

    def _put_parity(self, part: tuple[DriveWriter, BlockHasher, memoryview]) -> None:
        writer, hasher, block = part
        hasher.update(block)
        writer.write(block)
        self._on_bytes(len(block))

    def _verify(self, stripe: int, volume: _Hashed, reader: DriveReader) -> None:
        for block in range(num_blocks(volume.bytes)):
            self._read_block(stripe, volume, reader, block)

    def _read_block(self, stripe: int, volume: _Hashed, reader: DriveReader, block: int) -> None:
        """Read one block into the column's buffer, zeros behind its end, and hold it against what was written."""
        buffer = self._buffers[volume.column]
        expected_bytes = max(0, min(BLOCK_BYTES, volume.bytes - block * BLOCK_BYTES))
        # The whole buffer is asked for, so that direct reads stay aligned; only what the volume has comes back.
        length = reader.read_into(buffer, block * BLOCK_BYTES) if expected_bytes else 0
        if length != expected_bytes or (length and block_hash(buffer[:length]) != volume.blocks[block]):
            raise DriveFailed(
                f"drive returned other bytes than were written, in block {block}",
                where=f"{self.drive(stripe, volume.column).location}: "
                f"{layout.volume_name(stripe, volume.column, self._k)}",
                expected=f"XXH3 {volume.blocks[block]:016x}" if expected_bytes else "the end of the volume",
                found=f"XXH3 {block_hash(buffer[:length]):016x}" if length == expected_bytes else f"{length} bytes",
                hint="do not trust this drive: replace it, and test bay and cable",
            )
        if length < BLOCK_BYTES:
            buffer[length:] = bytes(BLOCK_BYTES - length)

    # --- closing the stripe ------------------------------------------------------------------------------------

    def _write_block_list(self, stripe: int, volume: _Hashed) -> None:
        self.drive(stripe, volume.column).write_bytes(
            layout.blocks_name(stripe, volume.column), encode_block_list(volume.blocks)
        )

    def _records(self, stripe: int, written: Sequence[_Hashed], modes: dict[int, Readback]) -> list[WrittenVolume]:
        by_column = {volume.column: volume for volume in written}
        records: list[WrittenVolume] = []
        for column in range(self._k + self._m):
            volume = by_column.get(column)
            if volume is None:
                nothing = sha256_bytes(b"")
                records.append(WrittenVolume(stripe, column, 0, nothing, nothing, "memory"))
            else:
                blocks_sha256 = sha256_bytes(encode_block_list(volume.blocks))
                records.append(WrittenVolume(stripe, column, volume.bytes, volume.sha256, blocks_sha256, modes[column]))
        return records

    def _open(self, opened: contextlib.ExitStack, stripe: int, columns: Sequence[int]) -> dict[int, DriveReader]:
        readers: dict[int, DriveReader] = {}
        for column in columns:
            reader = self.drive(stripe, column).open_reader(
                layout.volume_name(stripe, column, self._k), past_cache=True
            )
            opened.callback(reader.close)
            readers[column] = reader
        return readers

    def _all(self, work: Callable[[T], R], items: Sequence[T]) -> list[R]:
        """Return what `work` gave for each item, in order; all run at once, the first error stops them all."""
        running = [self._pool.submit(work, item) for item in items]
        wait(running, return_when=FIRST_EXCEPTION)
        errors = [error for done in running if done.done() and (error := done.exception()) is not None]
        if errors:
            # One drive failed: the others need not finish their 4 GiB first.
            self._stopped = True
            wait(running)
            raise errors[0]
        return [done.result() for done in running]
