"""One stripe: write its data volumes, read them back past the page cache, code what was read, write the parity.

Parity is computed from what the drives really hold, so that it can never agree with bytes that only memory had. Memory:
2 MiB a column, a little more while writing, whatever the size of the volumes and the number of files.
"""

from __future__ import annotations

import contextlib
import functools
import mmap
import threading
from array import array
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass
from typing import Any, Final, Self

from packtrain.crypto.age import EncryptWriter
from packtrain.digest import BLOCK_BYTES, block_hash, sha256_bytes
from packtrain.erasure.code import Code
from packtrain.errors import DriveFailed
from packtrain.ports import Drive, DriveReader, DriveWriter, Readback
from packtrain.units import KIB
from packtrain.volume import layout
from packtrain.volume.block_list import LINE_BYTES, BlockHasher, encode_block_list, num_blocks
from packtrain.volume.coding import Crew, Row, code_rows
from packtrain.volume.journal import Journal, Member, WrittenVolume
from packtrain.volume.read_back import check_file
from packtrain.volume.sealers import Sealers
from packtrain.volume.sealing import Filler, Found
from packtrain.volume.sealing_process import Task
from packtrain.volume.source import SourceFolders, check_digest, hash_whole
from packtrain.volume.turns import Turn

# More threads than this only wait for each other: a group of 255 drives is not read by 255 cores.
_MAX_THREADS: Final = 64
# About 4 MB of rows; each batch is one transaction, which a disk takes milliseconds to make durable.
_FOUND_ROWS: Final = 20_000
# So many entries in a group are worth the start of other processes; volumes of smaller files than this are theirs.
_WORTH_PROCESSES: Final = 10_000
_SMALL_FILE_BYTES: Final = 64 * KIB


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
        on_read_back: called so with the number of bytes that were read back and are what was written.
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
        on_read_back: Callable[[int], None],
    ) -> None:
        assert len(drives) == k + m
        self._group = group
        self._k = k
        self._m = m
        self._drives = drives
        self._recipient = recipient
        self._journal = journal
        self._on_bytes = on_bytes
        self._on_read_back = on_read_back
        self._code = Code(k, m)
        self._turn = Turn()
        self._found: list[Found] = []
        self._found_lock = threading.Lock()
        self._crew = Crew(min(k + m, _MAX_THREADS), f"group-{group}")
        is_worth_it = journal.totals(group)[0] >= _WORTH_PROCESSES
        self._sealers = Sealers(journal.folder, recipient, k + m) if is_worth_it else None
        # Two rows: one is read while the other is coded. The first of them is also what volumes are filled in.
        # Anonymous maps begin on a page: direct reads need aligned memory.
        self._buffers = [memoryview(mmap.mmap(-1, BLOCK_BYTES)) for _ in range(2 * (k + m))]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._crew.close()
        if self._sealers is not None:
            self._sealers.close()

    def write(self, stripe: int) -> None:
        """Write one stripe whole, with new keys, and record it as finished.

        Raises:
            DriveFailed: a drive cannot be written or read, or returned other bytes than were written.
            DriveFull: no space is left on a drive.
            SourceUnreadable: a source cannot be read.
        """
        tar_bytes = self._journal.tar_bytes(self._group, stripe)
        num_members = self._journal.num_members(self._group, stripe)
        small = {column for column, end in tar_bytes.items() if end < num_members[column] * _SMALL_FILE_BYTES}
        sealers = dict.fromkeys(small, self._sealers)
        writing = self._crew.start(
            lambda column: self._write_data(stripe, column, sealers.get(column)), sorted(tar_bytes)
        )
        # They need no drive, and fill the time in which the others wait for theirs.
        hashing = self._crew.start(self._hash_cut_file, list(self._journal.cut_files_in(self._group, stripe)))
        try:
            written = self._write_and_read_back(stripe, writing)
            self._crew.finish(hashing)
            self._record_found(at_least=1)
        except BaseException as error:
            self._crew.stopped = True
            running: list[Future[Any]] = [*hashing, *writing]
            wait(running)
            if isinstance(error, _Stopped):
                # Another thread of the stripe failed: what it says is what is wrong.
                raise _cause(error, running) from None
            raise
        self._journal.finish_stripe(self._group, written)

    def _write_and_read_back(self, stripe: int, writing: Sequence[Future[_Hashed]]) -> list[WrittenVolume]:
        data = self._crew.finish(writing)
        with contextlib.ExitStack() as opened:
            readers = self._open(opened, stripe, [volume.column for volume in data])
            parity = self._write_parity(stripe, data, readers)
            modes: dict[int, Readback] = {column: reader.readback for column, reader in readers.items()}
        with contextlib.ExitStack() as opened:
            readers = self._open(opened, stripe, [volume.column for volume in parity])
            self._crew.all(lambda volume: self._verify(stripe, volume, readers[volume.column]), parity)
            modes |= {column: reader.readback for column, reader in readers.items()}
        written = [*data, *parity]
        self._crew.all(lambda volume: self._write_block_list(stripe, volume), written)
        return self._records(stripe, written, modes)

    def is_finished(self, stripe: int) -> bool:
        """Return whether the journal has the stripe and its files still stand on the drives at their lengths."""
        volumes = list(self._journal.written(self._group, stripe))
        if len(volumes) != self._k + self._m:
            return False
        return all(self._crew.all(lambda volume: self._stands(stripe, volume), [v for v in volumes if v.bytes]))

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

    def _hash_cut_file(self, member: Member) -> None:
        """Hash a file whose first piece is in this stripe: its pieces are written by several threads at once."""
        # Small enough that what was read is still in the cache when it is hashed.
        buffer = memoryview(bytearray(256 * KIB))
        try:
            with SourceFolders() as folders:
                sha256, changed = hash_whole(
                    folders, member.source, member.file_bytes, member.mtime_ns, buffer, self._go_on
                )
            self._keep_found([(member.file_id, sha256, check_digest(member.known_sha256, sha256, changed))])
        except BaseException:
            # Nobody waits for this thread before all is written: the others need not finish their 4 GiB first.
            self._crew.stopped = True
            raise

    def _write_data(self, stripe: int, column: int, sealers: Sealers | None) -> _Hashed:
        name = layout.volume_name(stripe, column, self._k)
        with self.drive(stripe, column).open_writer(name) as writer:

            def put(piece: memoryview | bytes) -> None:
                self._go_on()
                writer.write(piece)
                self._on_bytes(len(piece))

            if sealers is None:
                return self._seal_here(stripe, column, put)
            with sealers.lent() as sealer:
                self._go_on()
                try:
                    sealed = sealer.seal(Task(self._group, stripe, column), put, self._keep_found)
                except BaseException:
                    # Before the next column has it: for a volume that nobody wants no process is started anew.
                    self._crew.stopped = True
                    raise
        return _Hashed(column, sealed.bytes, sealed.sha256, sealed.blocks)

    def _seal_here(self, stripe: int, column: int, put: Callable[[memoryview | bytes], None]) -> _Hashed:
        hasher = BlockHasher()

        def sink(piece: memoryview | bytes) -> None:
            hasher.update(piece)
            put(piece)

        with EncryptWriter(sink, self._recipient) as sealed:
            filler = Filler(self._turn, self._buffers[column], sealed.write, self._keep_found, self._journal.xattrs)
            filler.fill(self._journal.members_in(self._group, stripe, column))
        sha256, blocks = hasher.finish()
        return _Hashed(column, hasher.total_bytes, sha256, blocks)

    def _keep_found(self, found: Sequence[Found]) -> None:
        """Take what was found of some files; recorded by the thousand, or a disk is flushed for every small volume."""
        with self._found_lock:
            self._found += found
        self._record_found(at_least=_FOUND_ROWS)

    def _record_found(self, at_least: int) -> None:
        with self._found_lock:
            if len(self._found) < at_least:
                return
            found, self._found = self._found, []
        self._journal.record_files(found)

    def _go_on(self) -> None:
        if self._crew.stopped:
            raise _Stopped

    # --- read back, parity -------------------------------------------------------------------------------------

    def _write_parity(self, stripe: int, data: Sequence[_Hashed], readers: dict[int, DriveReader]) -> list[_Hashed]:
        """Read the data volumes in lockstep, check every block, and write the parity of what was read."""
        n = self._k + self._m
        hashers = [BlockHasher() for _ in range(self._m)]
        with contextlib.ExitStack() as opened:
            writers = [
                opened.enter_context(
                    self.drive(stripe, column).open_writer(layout.volume_name(stripe, column, self._k))
                )
                for column in range(self._k, n)
            ]
            code_rows(
                self._crew,
                self._code,
                (Row(self._buffers[:n]), Row(self._buffers[n:])),
                max(volume.bytes for volume in data),
                {
                    volume.column: functools.partial(self._read_into_row, stripe, volume, readers[volume.column])
                    for volume in data
                },
                [functools.partial(self._put_parity, *both) for both in zip(writers, hashers, strict=True)],
            )
        parity: list[_Hashed] = []
        for index, hasher in enumerate(hashers):
            sha256, blocks = hasher.finish()
            parity.append(_Hashed(self._k + index, hasher.total_bytes, sha256, blocks))
        return parity

    def _put_parity(self, writer: DriveWriter, hasher: BlockHasher, block: memoryview) -> None:
        hasher.update(block)
        writer.write(block)
        self._on_bytes(len(block))

    def _read_into_row(self, stripe: int, volume: _Hashed, reader: DriveReader, row: Row, block: int) -> None:
        row.end(volume.column, self._read_block(stripe, volume, reader, block, row.blocks[volume.column]))

    def _verify(self, stripe: int, volume: _Hashed, reader: DriveReader) -> None:
        for block in range(num_blocks(volume.bytes)):
            self._read_block(stripe, volume, reader, block, self._buffers[volume.column])

    def _read_block(self, stripe: int, volume: _Hashed, reader: DriveReader, block: int, buffer: memoryview) -> int:
        """Read one block, hold it against what was written, and return its length: 0 behind the volume's end."""
        self._go_on()
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
        self._on_read_back(length)
        return length

    # --- closing the stripe ------------------------------------------------------------------------------------

    def _write_block_list(self, stripe: int, volume: _Hashed) -> None:
        drive, name = self.drive(stripe, volume.column), layout.blocks_name(stripe, volume.column)
        block_list = encode_block_list(volume.blocks)
        drive.write_bytes(name, block_list)
        # Found now the stripe is written again; found at closing, when group.json is signed, the drive must go.
        check_file(drive, name, sha256_bytes(block_list), self._buffers[volume.column])

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


def _cause(stopped: BaseException, futures: Sequence[Future[Any]]) -> BaseException:
    """Return the error that made others stop: the first that is none of theirs."""
    errors = (future.exception() for future in futures)
    return next((error for error in errors if error is not None and not isinstance(error, _Stopped)), stopped)
