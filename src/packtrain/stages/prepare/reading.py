"""Pass 1: every unit that has no receipt is read. And the manifests that are made of the receipts."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

import msgspec

from packtrain.dataset import work_units
from packtrain.dataset.kinds.registry import KIND_NAMES
from packtrain.dataset.papers import Licences
from packtrain.dataset.rejects import Reject, RejectRate
from packtrain.dataset.run_unit import after_crash, run_unit
from packtrain.dataset.scan.merge import ScanMerge
from packtrain.dataset.work_units import ReadJob, UnitName, UnitReceipt
from packtrain.errors import IntegrityError
from packtrain.events import Progress
from packtrain.stages.prepare.fitting import BudgetWatch
from packtrain.stages.prepare.ground import STAGE, Given
from packtrain.stages.prepare.jobs import read_jobs

_NAMED_REJECTS: Final = 3
"""How many of what was set aside are named at the end; rejects.parquet has all of them."""


@dataclass(slots=True)
class Read:
    """What pass 1 found.

    Attributes:
        units: all of them, by kind and in the order of the sources.
        num_reused: units whose receipts stood already.
        num_of_kind: sources by kind; of shards with samples of several, the kind of most.
        num_rejects: by kind, "" for what no kind reads.
        first_rejects: a few, to be named.
        left_over: frames at the ends of clips that fill no sample.
        source_bytes, sources_digest: of sources.parquet.
    """

    units: list[UnitName]
    num_reused: int
    scans: ScanMerge
    num_of_kind: dict[str, int] = field(default_factory=dict[str, int])
    num_rejects: dict[str, int] = field(default_factory=dict[str, int])
    first_rejects: list[Reject] = field(default_factory=list[Reject])
    left_over: int = 0
    source_bytes: int = 0
    sources_digest: str = ""


def read_sources(given: Given) -> Read:
    """Read every unit that has no receipt; write sources.parquet and rejects.parquet.

    Raises:
        TooManyRejects: more was set aside than the recipe allows.
        SourceChanged, SourceUnreadable: a source is not what the walk saw; what is done is kept.
        DriveFull: no space is left for what units read.
        IntegrityError: another program removed what a unit wrote.
        HostUnfit: what another host has written is not seen here.
    """
    places, recipe, seen = given.places, given.recipe, given.seen
    rate = RejectRate(seen.num_files, recipe.max_reject_rate)
    watch = BudgetWatch(given)
    target = work_units.slice_target_bytes(seen.total_bytes, seen.num_files)
    units: list[UnitName] = []
    done_bytes = num_reused = 0

    def count(unit: UnitName, receipt: UnitReceipt) -> None:
        nonlocal done_bytes
        done_bytes += unit.source_bytes
        watch.add(receipt)
        rate.add(sum(record.lost for record in receipt.sources), receipt.rejects)
        if rate.is_exceeded():
            _write_early_rejects(given, units)
            raise rate.error(places.early_rejects)
        given.sink(Progress(STAGE, "reading sources", done_bytes, seen.total_bytes, note=watch.note()))

    def jobs() -> Iterator[ReadJob]:
        nonlocal num_reused
        for job in read_jobs(given, target):
            name = job.unit.name
            units.append(name)
            receipt = work_units.finished(places.units, name.unit_id)
            is_asked_again = receipt is not None and given.retry and bool(receipt.rejects)
            if receipt is None or is_asked_again or given.withdrawn.has_overtaken(receipt):
                # Whoever does it would take it for done.
                places.units.receipt(name.unit_id).unlink(missing_ok=True)
                yield job
            else:
                num_reused += 1
                count(name, receipt)

    reading = given.mapper.map(run_unit, jobs(), after_crash)
    with contextlib.closing(reading):
        for job, receipt in reading:
            work_units.await_outputs(places.units, job.unit.unit_id)
            count(job.unit.name, receipt)
    places.early_rejects.unlink(missing_ok=True)
    # Sorting is stable: within a kind units stay in the order of the sources, wherever slices end.
    units.sort(key=lambda unit: KIND_NAMES.index(unit.kind))
    read = Read(units, num_reused, ScanMerge(has_second=recipe.scan_also_with is not None))
    _write_manifests(given, read)
    return read


def receipts(given: Given, units: Iterable[UnitName]) -> Iterator[UnitReceipt]:
    """Yield the receipt of every unit.

    Raises:
        IntegrityError: one is not there any more: its samples would be missing without a word.
    """
    for unit in units:
        receipt = work_units.finished(given.places.units, unit.unit_id)
        if receipt is None:
            raise IntegrityError(
                "what a unit of work wrote is gone",
                where=str(given.places.units.receipt(unit.unit_id)),
                expected="its receipt, and the files that the receipt names",
                hint="run the same command again: this unit is read anew; let no other program write in that folder",
            )
        yield receipt


def _write_early_rejects(given: Given, units: list[UnitName]) -> None:
    from packtrain.dataset.index import REJECT_SCHEMA
    from packtrain.dataset.rows import row_writer

    with row_writer(given.places.early_rejects, REJECT_SCHEMA) as rows:
        for unit in units:
            receipt = work_units.finished(given.places.units, unit.unit_id)
            for reject in () if receipt is None else receipt.rejects:
                rows.add(msgspec.structs.asdict(reject))


def _write_manifests(given: Given, read: Read) -> None:
    """Write sources.parquet and rejects.parquet, and count what goes into them."""
    from packtrain.dataset.index import REJECT_SCHEMA, REJECTS, SOURCE_SCHEMA, SOURCES
    from packtrain.dataset.rows import row_writer

    state = hashlib.sha256()
    licences = Licences(paper.name for paper in given.seen.papers)
    dataset = given.places.dataset
    with (
        row_writer(dataset / SOURCES, SOURCE_SCHEMA) as sources,
        row_writer(dataset / REJECTS, REJECT_SCHEMA) as rejects,
    ):

        def add(reject: Reject) -> None:
            rejects.add(msgspec.structs.asdict(reject))
            if reject.kind and len(read.first_rejects) < _NAMED_REJECTS:
                read.first_rejects.append(reject)
            read.num_rejects[reject.kind] = read.num_rejects.get(reject.kind, 0) + 1

        for reject in given.seen.unread():
            add(reject)
        for receipt in receipts(given, read.units):
            read.left_over += receipt.left_over
            for scan in receipt.scans:
                read.scans.add(scan)
            for record in receipt.sources:
                read.source_bytes += record.bytes
                state.update(f"{record.sha256} {record.bytes} {record.name}\0".encode())
                kind = record.kind or receipt.kind
                read.num_of_kind[kind] = read.num_of_kind.get(kind, 0) + 1
                sources.add(
                    {
                        "path": record.name,
                        "kind": kind,
                        "bytes": record.bytes,
                        "sha256": record.sha256,
                        "samples": record.num_samples,
                        "licence": licences.of(record.name),
                    }
                )
            for reject in receipt.rejects:
                add(reject)
    read.sources_digest = state.hexdigest()
