"""A unit of adopted shards: a slice of whole shards in, rows and a receipt out. Nothing of the shards is copied."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, BinaryIO, Final, Literal

import rfc8785

from packtrain import durable
from packtrain.dataset.adopt.row import AdoptedShard, ShardToAdopt
from packtrain.dataset.kinds.registry import KIND_NAMES
from packtrain.dataset.recipe import recipe_digest_of_kind
from packtrain.dataset.rejects import Reject
from packtrain.dataset.scan import presidio
from packtrain.dataset.scan.counts import SourceScan
from packtrain.dataset.sources import SourceFile, Sources
from packtrain.dataset.work_units import (
    ReadJob,
    SourceRecord,
    Unit,
    UnitFolder,
    UnitReceipt,
    finished,
    scan_versions,
    write_receipt,
)
from packtrain.digest import sha256_bytes, sha256_stream
from packtrain.documents.dataset import Kind
from packtrain.documents.recipe import RecipeSection

if TYPE_CHECKING:
    from packtrain.dataset.scan.table import TableScan

ADOPT_VERSION: Final = 1
"""Counted up when the same shards would give other rows: all of them are then read again."""
_LONGEST_SLICE: Final = 4  # times the target, as for files
ShardForm = Literal["tar", "parquet"]


@dataclass(frozen=True, slots=True)
class AdoptJob(ReadJob):
    """What a worker process needs to adopt one slice of shards.

    Attributes:
        shards: those of the unit, in its order, with what is said of them.
    """

    shards: tuple[ShardToAdopt, ...]


def form_of(name: str) -> ShardForm:
    """Return how a shard of this name is read."""
    return "parquet" if name.lower().endswith(".parquet") else "tar"


def slice_shards(
    shards: Iterable[ShardToAdopt], sources: Sources, recipe: RecipeSection, folder: UnitFolder, target_bytes: int
) -> Iterator[AdoptJob]:
    """Yield jobs of about `target_bytes`, of one form each, in the order of the sources; a shard is whole in one.

    Where a slice ends depends on the shard at its end alone, as with files: a new shard changes one slice.
    """
    open_slices: dict[ShardForm, list[ShardToAdopt]] = {}
    weights: dict[ShardForm, int] = {}
    for shard in shards:
        form = form_of(shard.name)
        held = open_slices.setdefault(form, [])
        held.append(shard)
        weights[form] = weights.get(form, 0) + shard.size_bytes
        draw = int.from_bytes(hashlib.sha256(shard.name.encode()).digest()[:6], "big")
        if draw * target_bytes < shard.size_bytes << 48 or weights[form] >= _LONGEST_SLICE * target_bytes:
            yield _job(form, held, sources, recipe, folder)
            open_slices[form], weights[form] = [], 0
    for form, held in open_slices.items():
        if held:
            yield _job(form, held, sources, recipe, folder)


def _job(
    form: ShardForm, held: list[ShardToAdopt], sources: Sources, recipe: RecipeSection, folder: UnitFolder
) -> AdoptJob:
    kinds: tuple[Kind, ...] = ("table",) if form == "parquet" else ("image", "clip")
    made_by = [
        f"adopt {ADOPT_VERSION}",
        form,
        recipe.adopt_check,
        *(kind for kind in kinds if kind in recipe.kinds),
        *(recipe_digest_of_kind(recipe, kind) for kind in kinds),
        *(scan_versions(recipe) if form == "parquet" else []),
    ]
    said = [[each.name, str(each.size_bytes), str(each.mtime_ns), each.sha256, each.kind] for each in held]
    identity = sha256_bytes(rfc8785.dumps([*made_by, said]))  # pyright: ignore[reportArgumentType]
    files = tuple(SourceFile(each.name, each.size_bytes, each.mtime_ns) for each in held)
    return AdoptJob(Unit(identity, kinds[0], files), sources, recipe, folder, shards=tuple(held))


def adopt_unit(job: AdoptJob) -> UnitReceipt:
    """Read one slice of shards, write the table of its samples and its receipt; return the receipt.

    Raises:
        SourceChanged, SourceUnreadable: a shard is not what was listed, or may not be read.
        DriveFull: no space is left.
    """
    from packtrain.dataset.index import SAMPLE_SCHEMA
    from packtrain.dataset.rows import row_writer

    unit, folder = job.unit, job.folder
    already = finished(folder, unit.unit_id)
    if already is not None:
        return already  # by a host that was taken for dead when it had
    folder.receipt(unit.unit_id).unlink(missing_ok=True)
    reading = folder.reading(unit.unit_id)
    reading.parent.mkdir(parents=True, exist_ok=True)
    # A unit of files keeps media here; one of shards keeps none, and says so by an empty file.
    durable.write_bytes(folder.blobs(unit.unit_id), b"", shared=True)
    records: list[SourceRecord] = []
    rejects: list[Reject] = []
    scans: list[SourceScan] = []
    with (
        row_writer(folder.samples(unit.unit_id), SAMPLE_SCHEMA, shared=True) as samples,
        # One file held open: to make one for each picture takes 50 microseconds.
        reading.open("wb", buffering=0) as note,
    ):
        for file, shard in zip(unit.files, job.shards, strict=True):
            found = _adopt(job, file, shard, note)
            for row in found.rows:
                samples.add(row)
            # Not the rows: a unit may have many shards of very many samples.
            records.append(_record(found))
            rejects += found.rejects
            if found.scan is not None:
                scans.append(found.scan)
    return write_receipt(job, records, rejects, scans, num_samples=samples.num_rows)


def without_the_sample_it_died_of(job: ReadJob) -> ReadJob | None:
    """Return the job without the media that its process was decoding when it died, or None if that is not known."""
    try:
        note = job.folder.reading(job.unit.unit_id).read_bytes().decode("utf-8", "replace")
    except OSError:
        return None
    if note in job.unit.given_up or all(note.rpartition("\0")[0] != file.name for file in job.unit.files):
        return None
    return replace(job, unit=replace(job.unit, given_up=job.unit.given_up | {note}))


def _record(found: AdoptedShard) -> SourceRecord:
    return SourceRecord(
        name=found.shard.name,
        bytes=found.shard.size_bytes,
        sha256=found.sha256,
        num_samples=len(found.rows),
        lost=found.lost,
        kind=found.kind,
    )


def _adopt(job: AdoptJob, file: SourceFile, shard: ShardToAdopt, note: BinaryIO) -> AdoptedShard:
    from packtrain.dataset.kinds.piece import Damaged, one_line

    found = AdoptedShard(shard)
    kind = "table" if form_of(shard.name) == "parquet" else ""
    assert shard.kind in ("", *KIND_NAMES)
    try:
        with job.sources.open(file) as stream:
            _read(job, found, stream, note)
        if shard.sha256 and shard.sha256 != found.sha256:
            raise Damaged(f"its SHA-256 is {found.sha256[:12]}, and {shard.sha256[:12]} is what its description says")
        if not found.num_samples and kind in ("", *job.recipe.kinds):
            raise Damaged("there is no sample in it")
    except Damaged as error:
        found.set_aside_whole(str(error), kind)
    except OSError as error:
        found.set_aside_whole(one_line(error), kind, "read")
    found.finish(kind)
    return found


def _read(job: AdoptJob, found: AdoptedShard, stream: BinaryIO, note: BinaryIO) -> None:
    from packtrain.dataset.kinds.piece import Damaged

    name, unit_id = found.shard.name, job.unit.unit_id
    if form_of(name) == "parquet":
        from packtrain.dataset.adopt.parquet import adopt_parquet

        if f"{name}\0" in job.unit.given_up:
            raise Damaged("its reader crashed and took the process with it")
        _note(note, f"{name}\0")
        found.sha256, _ = sha256_stream(stream)
        stream.seek(0)
        if "table" in job.recipe.kinds:
            scan = _new_scan(job, found)
            adopt_parquet(found, stream, unit_id, scan.take)
            found.scan = scan.finish()
        return
    from packtrain.dataset.adopt.webdataset import adopt_tar

    adopt_tar(
        found,
        stream,
        job.recipe,
        unit_id,
        decode=job.recipe.adopt_check == "decode",
        given_up=lambda offset: f"{name}\0{offset}" in job.unit.given_up,
        reading=lambda offset: _note(note, f"{name}\0{offset}"),
    )


def _note(note: BinaryIO, text: str) -> None:
    """Write down what is decoded next: the text that stands there when a process died is what it died of."""
    note.truncate(note.seek(0))
    note.write(text.encode("utf-8"))


def _new_scan(job: AdoptJob, found: AdoptedShard) -> TableScan:
    from packtrain.dataset.scan.table import TableScan

    return TableScan(found.shard.name, found.sha256, presidio.engine() if job.recipe.scan_also_with else None)
