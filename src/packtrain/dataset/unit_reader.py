"""The work of one unit: its sources are read one after the other, each whole or not at all, and a receipt ends it."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from typing import TYPE_CHECKING, BinaryIO, Final

import msgspec

from packtrain import durable
from packtrain.dataset.rejects import Reject
from packtrain.dataset.row_spool import RowSpool
from packtrain.dataset.sample_row import sample_row
from packtrain.dataset.scan import presidio
from packtrain.dataset.scan.counts import SourceScan
from packtrain.dataset.sources import SourceFile, key_prefix, suffix_of
from packtrain.dataset.withdrawn import COPY_OF_WITHDRAWN
from packtrain.dataset.work_units import ReadJob, SourceRecord, UnitReceipt, finished, write_receipt
from packtrain.digest import sha256_bytes, sha256_stream
from packtrain.units import GIB

if TYPE_CHECKING:
    from packtrain.dataset.kinds.piece import Piece
    from packtrain.dataset.scan.table import TableScan
    from packtrain.dataset.table_parts import PartWriter

# A USTAR member's length has 11 octal digits.
MAX_MEMBER_BYTES: Final = 8 * GIB - 1


def read_unit(job: ReadJob) -> UnitReceipt:
    """Read one slice of sources, write its samples, its table of them and its receipt; return the receipt.

    Raises:
        SourceChanged: a source is not the file that was listed.
        DriveFull: no space is left for the unit's outputs.
    """
    from packtrain.dataset.index import SAMPLE_SCHEMA
    from packtrain.dataset.rows import row_writer

    unit, folder = job.unit, job.folder
    already = finished(folder, unit.unit_id)
    if already is not None:
        return already  # by a host that was taken for dead when it had
    # An older receipt, of outputs that are gone, must not vouch for what is written from here on.
    folder.receipt(unit.unit_id).unlink(missing_ok=True)
    records: list[SourceRecord] = []
    rejects: list[Reject] = []
    scans: list[SourceScan] = []
    left_over = 0
    reading = folder.reading(unit.unit_id)
    reading.parent.mkdir(parents=True, exist_ok=True)
    with (
        row_writer(folder.samples(unit.unit_id), SAMPLE_SCHEMA, shared=True) as samples,
        reading.open("wb", buffering=0) as note,
        durable.atomic_writer(folder.blobs(unit.unit_id), shared=True) as blobs,
    ):
        for file in unit.files:
            # One file held open: to make one for each source costs more than to read a small source.
            note.truncate(note.seek(0))
            note.write(file.name.encode("utf-8"))
            try:
                done = _SourceReader(job, file, blobs).read()
            except _OutputFailedError as error:
                raise error.error from error
            for row in done.rows:
                samples.add(row)
            records.append(done.record)
            rejects += done.rejects
            left_over += done.left_over
            if done.scan is not None:
                scans.append(done.scan)
    return write_receipt(job, records, rejects, scans, num_samples=samples.num_rows, left_over=left_over)


class _OutputFailedError(Exception):
    """Our own disk failed, not the source: a full disk must not become a list of rejects."""

    def __init__(self, error: OSError) -> None:
        super().__init__(str(error))
        self.error = error


@contextlib.contextmanager
def _own_disk() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise _OutputFailedError(error) from error


class _SourceReader:
    """Reads one source into rows and blobs; a damaged source leaves neither."""

    def __init__(self, job: ReadJob, file: SourceFile, blobs: BinaryIO) -> None:
        self._job = job
        self._file = file
        self._blobs = blobs
        self.sha256 = ""
        self._parts: PartWriter | None = None
        self.rows = RowSpool(job.folder.blobs(job.unit.unit_id).parent)
        self.rejects: list[Reject] = []
        self.lost = 0.0
        self.left_over = 0
        self.scan: SourceScan | None = None

    @property
    def record(self) -> SourceRecord:
        return SourceRecord(
            name=self._file.name,
            bytes=self._file.size_bytes,
            sha256=self.sha256,
            num_samples=len(self.rows),
            lost=self.lost,
        )

    def read(self) -> _SourceReader:
        from packtrain.dataset.kinds.piece import Damaged, one_line

        if self._file.name in self._job.unit.given_up:
            self._set_aside("decode", "its decoder crashed and took the process with it")
            return self
        start = self._blobs.tell()
        try:
            with self._job.sources.open(self._file) as stream:
                self.sha256, _ = sha256_stream(stream)
                if self.sha256 in self._job.withdrawn:
                    # No damage, and no part of the rate of rejects.
                    self._reject("read", "", COPY_OF_WITHDRAWN, self._file.size_bytes)
                    return self
                stream.seek(0)
                self._take_pieces(stream)
        except Damaged as error:
            self._take_back(start)
            self._set_aside("decode", str(error))
        except OSError as error:
            self._take_back(start)
            self._set_aside("read", one_line(error))
        return self

    def _take_pieces(self, stream: BinaryIO) -> None:
        from packtrain.dataset.kinds import pieces
        from packtrain.dataset.kinds.piece import OpenSource, Piece, Setback

        file = self._file
        source = OpenSource(file.name, suffix_of(file.name), stream, file.size_bytes)
        scan = self._new_scan()
        for found in pieces(self._job.unit.kind, source, self._job.recipe):
            if isinstance(found, Piece):
                self._keep(found)
                if scan is not None:
                    scan.take(found)
            elif isinstance(found, Setback):
                self._set_aside_part(found.place, found.error, found.num_bytes)
            else:
                self.lost = found.num_lost / found.num_parts
                self.left_over = found.left_over
        self.scan = scan.finish() if scan is not None else None
        if self._parts is not None:
            with _own_disk():
                self._parts.close()

    def _new_scan(self) -> TableScan | None:
        if self._job.unit.kind != "table":
            return None
        from packtrain.dataset.scan.table import TableScan

        second = presidio.engine() if self._job.recipe.scan_also_with else None
        return TableScan(self._file.name, self.sha256, second)

    def _keep(self, piece: Piece) -> None:
        from packtrain.dataset.kinds.piece import Damaged

        file = self._file
        blob_offset, blob_bytes = -1, file.size_bytes if piece.block is None else piece.block_bytes
        if piece.payload is not None:
            blob_offset, blob_bytes = self._blobs.tell(), len(piece.payload)
            with _own_disk():
                self._blobs.write(piece.payload)
        if blob_bytes > MAX_MEMBER_BYTES:
            raise Damaged(f"sample of {blob_bytes} bytes does not fit a tar member (at most {MAX_MEMBER_BYTES})")
        prefix = key_prefix(file.name)
        row = sample_row(
            key=f"{prefix}-{len(self.rows):08d}",
            kind=self._job.unit.kind,
            source=file.name,
            source_sha256=self.sha256,
            sha256=piece.sha256 or (self.sha256 if piece.payload is None else sha256_bytes(piece.payload)),
            suffix=piece.suffix,
            unit=self._job.unit.unit_id,
            blob_offset=blob_offset,
            blob_bytes=blob_bytes,
            table=f"{prefix}-{piece.group}" if piece.group else "",
            num_rows=piece.num_rows,
            detail=piece.detail,
            measures=piece.measures,
            fingerprint=piece.fingerprint,
        )
        with _own_disk():
            self.rows.add(row)
            if piece.block is not None:
                self._store_block(piece, row)
            # Rows of an open part are told their place when it is closed.
            self.rows.settle(self._parts.num_open if self._parts is not None else 0)

    def _store_block(self, piece: Piece, row: dict[str, object]) -> None:
        from packtrain.dataset.table_parts import PartWriter

        if self._parts is None:
            self._parts = PartWriter(self._blobs, self._job.recipe.shard_bytes)
        self._parts.add(piece.block, piece.group, piece.block_bytes, row)

    def _set_aside(self, stage: str, error: str) -> None:
        self.lost = 1.0
        self._reject(stage, "", error, self._file.size_bytes)

    def _set_aside_part(self, place: str, error: str, num_bytes: int) -> None:
        self._reject("row", place, error, num_bytes)

    def _reject(self, stage: str, place: str, error: str, num_bytes: int) -> None:
        self.rejects.append(
            msgspec.convert(
                {
                    "path": self._file.name,
                    "sha256": self.sha256,
                    "kind": self._job.unit.kind,
                    "stage": stage,
                    "place": place,
                    "error": error,
                    "bytes": num_bytes,
                },
                Reject,
            )
        )

    def _take_back(self, start: int) -> None:
        """Void what was written of a source that turned out to be damaged further on."""
        if self._parts is not None:
            self._parts.discard()
        self.rows.clear()
        self.rejects.clear()
        self.left_over = 0
        self._blobs.seek(start)
        self._blobs.truncate()
        self._blobs.seek(0, io.SEEK_END)
