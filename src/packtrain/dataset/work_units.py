"""Units of work: a slice of the sources of one kind in, samples and a receipt out.

A unit is done when its receipt stands; a rerun passes over it. Its identity holds what it was made from: recipe
version, the recipe's fields for its kind, and the name, size and time of every source in it. (The digests of the
sources are in the receipt: to know them before reading would be to read everything twice.)
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Final

import msgspec
import rfc8785

from packtrain import durable
from packtrain.dataset.kinds.registry import KINDS
from packtrain.dataset.recipe import recipe_digest_of_kind
from packtrain.dataset.rejects import Reject
from packtrain.dataset.scan import presidio
from packtrain.dataset.scan.counts import SCAN_VERSION, SourceScan
from packtrain.dataset.sources import SourceFile, Sources
from packtrain.digest import sha256_bytes
from packtrain.documents.dataset import Kind
from packtrain.documents.recipe import RecipeSection
from packtrain.errors import HostUnfit
from packtrain.units import GIB, KIB, MIB

# To make a unit durable takes six flushes, and the step after pass 1 opens every unit's table: 8 MiB are read in the
# time of a few of them.
_SMALLEST_SLICE_BYTES: Final = 8 * MIB
_LARGEST_SLICE_BYTES: Final = 1 * GIB
_SLICES_WANTED: Final = 256
# What a file costs on average beside its bytes; each kind says its own.
_FILE_COST_BYTES: Final = 128 * KIB
_LONGEST_SLICE: Final = 4  # times the target: bounds the largest unit where cut points happen to be rare
# A client of NFS may remember for 60 s (acdirmax) that a file was not there.
SEEN_AFTER_SECONDS: Final = 120.0
_LOOK_SECONDS: Final = 0.2
LIBRARIES: Final = ("av", "duckdb", "numpy", "openpyxl", "pillow", "pyarrow", "python-calamine", "rensa")


class SourceRecord(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a unit found in one source; `lost` is the share of it that was set aside, 0 to 1.

    `kind` is given of adopted shards, whose samples may be of several: that of most of them.
    """

    name: str
    bytes: int
    sha256: str
    num_samples: int
    lost: float
    kind: str = ""


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
class UnitName:
    """What is kept in memory of every unit, however many sources it has."""

    unit_id: str
    kind: Kind
    source_bytes: int


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
    def name(self) -> UnitName:
        """Return the unit without its list of sources."""
        return UnitName(self.unit_id, self.kind, sum(file.size_bytes for file in self.files))


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
    """What a worker process needs to do one unit; `withdrawn` are digests of sources that come in under no name."""

    unit: Unit
    sources: Sources
    recipe: RecipeSection
    folder: UnitFolder
    withdrawn: frozenset[str] = field(default=frozenset(), kw_only=True)


def slice_target_bytes(total_bytes: int, num_files: int) -> int:
    """Return how large slices should be: the total over 256 as a power of two, between 8 MiB and 1 GiB.

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
        weight = file.size_bytes + KINDS[kind].file_cost_bytes
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
    made_by = [recipe_digest_of_kind(recipe, kind), *(scan_versions(recipe) if kind == "table" else [])]
    identity = rfc8785.dumps([*made_by, sources])  # pyright: ignore[reportArgumentType]
    return Unit(sha256_bytes(identity), kind, tuple(files))


def scan_versions(recipe: RecipeSection) -> list[str]:
    """Return what the identity of a unit of tables has of the data scan and of its second engine."""
    return [f"scan {SCAN_VERSION}", *([presidio.identity()] if recipe.scan_also_with else [])]


def finished(folder: UnitFolder, unit_id: str) -> UnitReceipt | None:
    """Return the receipt of a unit that was done before and whose outputs are still there, or None."""
    try:
        receipt = msgspec.json.decode(folder.receipt(unit_id).read_bytes(), type=UnitReceipt)
        sizes = (folder.blobs(unit_id).stat().st_size, folder.samples(unit_id).stat().st_size)
    except (OSError, msgspec.MsgspecError):
        return None
    whole = receipt.unit == unit_id and sizes == (receipt.blobs_bytes, receipt.samples_bytes)
    return receipt if whole else None


def write_receipt(
    job: ReadJob,
    records: Iterable[SourceRecord],
    rejects: Iterable[Reject],
    scans: Iterable[SourceScan],
    *,
    num_samples: int,
    left_over: int = 0,
) -> UnitReceipt:
    """End a unit whose outputs stand: write its receipt and return it.

    Raises:
        DriveFull: no space is left for it.
    """
    unit, folder = job.unit, job.folder
    receipt = UnitReceipt(
        unit=unit.unit_id,
        kind=unit.kind,
        sources=tuple(records),
        rejects=tuple(rejects),
        num_samples=num_samples,
        left_over=left_over,
        blobs_bytes=folder.blobs(unit.unit_id).stat().st_size,
        samples_bytes=folder.samples(unit.unit_id).stat().st_size,
        libraries=library_versions(job.recipe),
        scans=tuple(scans),
    )
    durable.write_bytes(folder.receipt(unit.unit_id), msgspec.json.encode(receipt), shared=True)
    folder.reading(unit.unit_id).unlink(missing_ok=True)
    return receipt


def await_outputs(folder: UnitFolder, unit_id: str, seconds: float = SEEN_AFTER_SECONDS) -> None:
    """Return once this host sees the outputs of a unit that another host has finished.

    Raises:
        HostUnfit: it does not see them in time; a unit must not be left out for that without a word.
    """
    end = time.monotonic() + seconds
    while finished(folder, unit_id) is None:
        if time.monotonic() > end:
            raise HostUnfit(
                "a unit of work is reported as done, but its files are not seen here",
                where=str(folder.receipt(unit_id)),
                hint="the voyage folder must be one shared file system, at the same path on every host",
            )
        time.sleep(_LOOK_SECONDS)


def library_versions(recipe: RecipeSection) -> dict[str, str]:
    """Return the versions of the libraries that read and write samples, and of a second engine that scans them."""
    own = _own_versions()
    return {**own, **presidio.versions()} if recipe.scan_also_with else dict(own)


@cache
def _own_versions() -> dict[str, str]:
    return {name: metadata.version(name) for name in LIBRARIES}


def without_the_source_it_died_of(job: ReadJob) -> ReadJob | None:
    """Return the job without the source that its process was reading when it died, or None if that is not known."""
    try:
        # Not as text: a name may hold any line end. It is cut where the disk was full.
        name = job.folder.reading(job.unit.unit_id).read_bytes().decode("utf-8", "replace")
    except OSError:
        return None
    if name in job.unit.given_up or all(name != file.name for file in job.unit.files):
        return None
    return replace(job, unit=replace(job.unit, given_up=job.unit.given_up | {name}))
