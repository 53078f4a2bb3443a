"""Units of work: a slice of the sources of one kind in, samples and a receipt out.

A unit is done when its receipt stands; a rerun passes over it. Its identity holds what it was made from: recipe
version, the recipe's fields for its kind, and the name, size and time of every source in it. (The digests of the
sources are in the receipt: to know them before reading would be to read everything twice.)
"""

from __future__ import annotations

import hashlib
import io
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

import msgspec
import rfc8785

from packtrain import durable
from packtrain.dataset.recipe import recipe_digest_of_kind
from packtrain.dataset.rejects import Reject
from packtrain.dataset.scan import presidio
from packtrain.dataset.scan.counts import SCAN_VERSION, SourceScan
from packtrain.dataset.sources import SourceFile, Sources, key_prefix, suffix_of
from packtrain.digest import sha256_bytes, sha256_stream
from packtrain.documents.dataset import Kind
from packtrain.documents.voyage_file import RecipeSection
from packtrain.errors import HostUnfit
from packtrain.units import GIB, KIB, MIB

if TYPE_CHECKING:
    from packtrain.dataset.scan.table import TableScan

_SMALLEST_SLICE_BYTES: Final = 1 * MIB
_LARGEST_SLICE_BYTES: Final = 1 * GIB
_SLICES_WANTED: Final = 256
# What a file costs beside its bytes (open, first seek, decoder set-up), as bytes read in the same time from a disk.
_FILE_COST_BYTES: Final = 128 * KIB
_LONGEST_SLICE: Final = 4  # times the target: bounds the largest unit where cut points happen to be rare
# A USTAR member's length has 11 octal digits.
MAX_MEMBER_BYTES: Final = 8 * GIB - 1
# A client of NFS may remember for 60 s (acdirmax) that a file was not there.
SEEN_AFTER_SECONDS: Final = 120.0
_LOOK_SECONDS: Final = 0.2
LIBRARIES: Final = ("av", "duckdb", "openpyxl", "pillow", "pyarrow", "python-calamine")


class SourceRecord(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a unit found in one source; `lost` is the share of it that was set aside, 0 to 1."""

    name: str
    bytes: int
    sha256: str
    num_samples: int
    lost: float


class UnitReceipt(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one unit read and wrote; `scans` of tables that were kept, in the order of the sources."""

    unit: str
    kind: Kind
    sources: tuple[SourceRecord, ...]
    rejects: tuple[Reject, ...]
    num_samples: int
    left_over: int
    blobs_bytes: int
    samples_bytes: int
    libraries: dict[str, str]
    scans: tuple[SourceScan, ...]


@dataclass(frozen=True, slots=True)
class Unit:
    """One slice of the sources: all of one kind.

    Attributes:
        unit_id: SHA-256 of recipe, sources, and for tables the version of the data scan and of its second engine.
        given_up: sources that ended the process which read them; they become rejects unread.
    """

    unit_id: str
    kind: Kind
    files: tuple[SourceFile, ...]
    given_up: frozenset[str] = frozenset()

    @property
    def source_bytes(self) -> int:
        """Return the bytes of all its sources."""
        return sum(file.size_bytes for file in self.files)


@dataclass(frozen=True, slots=True)
class UnitFolder:
    """Where the outputs of units lie, in 256 folders."""

    root: Path

    def blobs(self, unit_id: str) -> Path:
        """Return the file of a unit's media, one after the other."""
        return self._path(unit_id, "blobs")

    def samples(self, unit_id: str) -> Path:
        """Return the table of a unit's samples."""
        return self._path(unit_id, "samples.parquet")

    def receipt(self, unit_id: str) -> Path:
        """Return the receipt: the last file a unit writes."""
        return self._path(unit_id, "receipt.json")

    def reading(self, unit_id: str) -> Path:
        """Return the note that says which source is being read, in case the reader dies of it."""
        return self._path(unit_id, "reading")

    def _path(self, unit_id: str, what: str) -> Path:
        return self.root / unit_id[:2] / f"{unit_id}.{what}"


@dataclass(frozen=True, slots=True)
class ReadJob:
    """What a worker process needs to do one unit."""

    unit: Unit
    sources: Sources
    recipe: RecipeSection
    folder: UnitFolder


def slice_target_bytes(total_bytes: int, num_files: int) -> int:
    """Return how large slices should be: the total over 256 as a power of two, between 1 MiB and 1 GiB.

    A power of two, so that a growing collection keeps its slices until it has doubled.
    """
    wanted = max((total_bytes + num_files * _FILE_COST_BYTES) // _SLICES_WANTED, 1)
    return min(max(1 << (wanted - 1).bit_length(), _SMALLEST_SLICE_BYTES), _LARGEST_SLICE_BYTES)


def slice_sources(files: Iterable[tuple[Kind, SourceFile]], recipe: RecipeSection, target_bytes: int) -> Iterator[Unit]:
    """Yield units of about `target_bytes`, one kind each, in the order of the sources.

    Where a slice ends depends on the name and size of the file at its end and not on what came before: a new file
    changes the slice it falls into and leaves all others, and their receipts, alone.

    Raises:
        MissingDependency: the recipe asks for a second engine that is not installed.
    """
    open_slices: dict[Kind, list[SourceFile]] = {}
    weights: dict[Kind, int] = {}
    for kind, file in files:
        held = open_slices.setdefault(kind, [])
        held.append(file)
        weight = file.size_bytes + _FILE_COST_BYTES
        weights[kind] = weights.get(kind, 0) + weight
        # A cut after this file with the chance weight / target, drawn from its name: slices of `target` on average.
        draw = int.from_bytes(hashlib.sha256(file.name.encode()).digest()[:6], "big")
        if draw * target_bytes < weight << 48 or weights[kind] >= _LONGEST_SLICE * target_bytes:
            yield _unit(kind, held, recipe)
            open_slices[kind], weights[kind] = [], 0
    for kind, held in open_slices.items():
        if held:
            yield _unit(kind, held, recipe)


def _unit(kind: Kind, files: list[SourceFile], recipe: RecipeSection) -> Unit:
    sources = [[file.name, str(file.size_bytes), str(file.mtime_ns)] for file in files]
    made_by = [recipe_digest_of_kind(recipe, kind), *(_scans(recipe) if kind == "table" else [])]
    identity = rfc8785.dumps([*made_by, sources])  # pyright: ignore[reportArgumentType]
    return Unit(sha256_bytes(identity), kind, tuple(files))


def _scans(recipe: RecipeSection) -> list[str]:
    return [f"scan {SCAN_VERSION}", *([presidio.identity()] if recipe.scan_also_with else [])]


def finished(folder: UnitFolder, unit: Unit) -> UnitReceipt | None:
    """Return the receipt of a unit that was done before and whose outputs are still there, or None."""
    try:
        receipt = msgspec.json.decode(folder.receipt(unit.unit_id).read_bytes(), type=UnitReceipt)
        sizes = (folder.blobs(unit.unit_id).stat().st_size, folder.samples(unit.unit_id).stat().st_size)
    except (OSError, msgspec.MsgspecError):
        return None
    whole = receipt.unit == unit.unit_id and sizes == (receipt.blobs_bytes, receipt.samples_bytes)
    return receipt if whole else None


def await_outputs(folder: UnitFolder, unit: Unit, seconds: float = SEEN_AFTER_SECONDS) -> None:
    """Return once this host sees the outputs of a unit that another host has finished.

    Raises:
        HostUnfit: it does not see them in time; a unit must not be left out for that without a word.
    """
    end = time.monotonic() + seconds
    while finished(folder, unit) is None:
        if time.monotonic() > end:
            raise HostUnfit(
                "a unit of work is reported as done, but its files are not seen here",
                where=str(folder.receipt(unit.unit_id)),
                hint="the voyage folder must be one shared file system, at the same path on every host",
            )
        time.sleep(_LOOK_SECONDS)


def library_versions(recipe: RecipeSection) -> dict[str, str]:
    """Return the versions of the libraries that read and write samples, and of a second engine that scans them."""
    own = {name: metadata.version(name) for name in LIBRARIES}
    return {**own, **presidio.versions()} if recipe.scan_also_with else own


def without_the_source_it_died_of(job: ReadJob) -> ReadJob | None:
    """Return the job without the source that its process was reading when it died, or None if that is not known."""
    try:
        name = job.folder.reading(job.unit.unit_id).read_text(encoding="utf-8")
    except OSError:
        return None
    if name in job.unit.given_up or all(name != file.name for file in job.unit.files):
        return None
    return replace(job, unit=replace(job.unit, given_up=job.unit.given_up | {name}))


def read_unit(job: ReadJob) -> UnitReceipt:
    """Read one slice of sources, write its samples, its table of them and its receipt; return the receipt.

    Raises:
        SourceChanged: a source is not the file that was listed.
        DriveFull: no space is left for the unit's outputs.
    """
    from packtrain.dataset.index import SAMPLE_SCHEMA
    from packtrain.dataset.rows import row_writer

    unit, folder = job.unit, job.folder
    already = finished(folder, unit)
    if already is not None:
        return already  # by a host that was taken for dead when it had
    records: list[SourceRecord] = []
    rejects: list[Reject] = []
    scans: list[SourceScan] = []
    left_over = 0
    blobs_path = folder.blobs(unit.unit_id)
    reading = folder.reading(unit.unit_id)
    reading.parent.mkdir(parents=True, exist_ok=True)
    with (
        row_writer(folder.samples(unit.unit_id), SAMPLE_SCHEMA, shared=True) as samples,
        durable.atomic_writer(blobs_path, shared=True) as blobs,
    ):
        for file in unit.files:
            reading.write_text(file.name, encoding="utf-8")
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
    receipt = UnitReceipt(
        unit=unit.unit_id,
        kind=unit.kind,
        sources=tuple(records),
        rejects=tuple(rejects),
        num_samples=samples.num_rows,
        left_over=left_over,
        blobs_bytes=blobs_path.stat().st_size,
        samples_bytes=folder.samples(unit.unit_id).stat().st_size,
        libraries=library_versions(job.recipe),
        scans=tuple(scans),
    )
    durable.write_bytes(folder.receipt(unit.unit_id), msgspec.json.encode(receipt), shared=True)
    reading.unlink(missing_ok=True)
    return receipt


class _OutputFailedError(Exception):
    """Our own disk failed, not the source: a full disk must not become a list of rejects."""

    def __init__(self, error: OSError) -> None:
        super().__init__(str(error))
        self.error = error


class _SourceReader:
    """Reads one source into rows and blobs; a damaged source leaves neither."""

    def __init__(self, job: ReadJob, file: SourceFile, blobs: BinaryIO) -> None:
        self._job = job
        self._file = file
        self._blobs = blobs
        self.sha256 = ""
        self.rows: list[Mapping[str, object]] = []
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

    def _new_scan(self) -> TableScan | None:
        if self._job.unit.kind != "table":
            return None
        from packtrain.dataset.scan.table import TableScan

        second = presidio.engine() if self._job.recipe.scan_also_with else None
        return TableScan(self._file.name, self.sha256, second)

    def _keep(self, piece: object) -> None:
        from packtrain.dataset.kinds.piece import Damaged, Piece

        assert isinstance(piece, Piece)
        file = self._file
        blob_offset, blob_bytes = -1, file.size_bytes
        if piece.payload is not None:
            blob_offset, blob_bytes = self._blobs.tell(), len(piece.payload)
            try:
                self._blobs.write(piece.payload)
            except OSError as error:
                raise _OutputFailedError(error) from error
        if blob_bytes > MAX_MEMBER_BYTES:
            raise Damaged(f"sample of {blob_bytes} bytes does not fit a tar member (at most {MAX_MEMBER_BYTES})")
        prefix = key_prefix(file.name)
        self.rows.append(
            {
                "key": f"{prefix}-{len(self.rows):08d}",
                "kind": self._job.unit.kind,
                "source": file.name,
                "source_sha256": self.sha256,
                "sha256": piece.sha256 or (self.sha256 if piece.payload is None else sha256_bytes(piece.payload)),
                "suffix": piece.suffix,
                "table": f"{prefix}-{piece.group}" if piece.group else "",
                "num_rows": piece.num_rows,
                "unit": self._job.unit.unit_id,
                "blob_offset": blob_offset,
                "blob_bytes": blob_bytes,
                "detail": rfc8785.dumps(dict(piece.detail)).decode("utf-8"),  # pyright: ignore[reportArgumentType]
            }
        )

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
        self.rows.clear()
        self.rejects.clear()
        self.left_over = 0
        self._blobs.seek(start)
        self._blobs.truncate()
        self._blobs.seek(0, io.SEEK_END)
