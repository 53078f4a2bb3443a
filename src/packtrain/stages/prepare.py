"""prepare: from source files to training shards, in units of work that survive a crash.

Pass 1 reads the sources, a unit at a time. Between the passes duplicates and the order are settled on metadata alone.
Pass 2 writes the shards. What is done is known from receipts in work/prepare; the data set grows in work/dataset.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from packtrain import durable
from packtrain.dataset import shards as shard_files
from packtrain.dataset import work_units
from packtrain.dataset.papers import carry_papers
from packtrain.dataset.pool import map_jobs
from packtrain.dataset.recipe import recipe_digest
from packtrain.dataset.rejects import Reject, RejectRate
from packtrain.dataset.scan import presidio
from packtrain.dataset.scan.counts import SCAN_VERSION
from packtrain.dataset.scan.merge import ScanMerge
from packtrain.dataset.sources import Sources
from packtrain.dataset.survey import Survey, files_by_kind, survey
from packtrain.dataset.work_units import ReadJob, Unit, UnitFolder, UnitReceipt
from packtrain.digest import sha256_bytes, sha256_file
from packtrain.documents.codec import encode
from packtrain.documents.data_scan import DataScan, NotScanned
from packtrain.documents.dataset import DataFile, Dataset, Kind, SampleCount, Shard
from packtrain.documents.receipt import Receipt
from packtrain.documents.voyage_file import RecipeSection
from packtrain.errors import MissingDependency, NothingToCarry, VoyageFileError
from packtrain.events import Notice, Progress, Sink
from packtrain.record.dataset_folder import DATASET_NAME, holds_dataset
from packtrain.record.folder import VoyageFolder
from packtrain.record.receipts import StageClock
from packtrain.units import counted

STAGE: Final = "prepare"
_NAMED_REJECTS: Final = 3
"""How many of what was set aside are named at the end; rejects.parquet has all of them."""
DATASET_FOLDER: Final = "dataset"
MINIATURE: Final = "miniature/"
_KINDS: Final[tuple[Kind, ...]] = ("table", "image", "clip")
_MODULES: Final = ("av", "duckdb", "openpyxl", "PIL", "pyarrow", "python_calamine")


def inputs(folder: VoyageFolder) -> dict[str, str]:
    """Return what invalidates `prepare`: the recipe, the data set's name, name, size and time of every source, and the
    version of the data scan with its second engine. Which version of that is installed is not asked here.

    Sources are not opened: a file rewritten with the same length and the same time of change is taken for the old one.
    A data set that is not there any more is named as well, which no receipt does: the stage then runs again.

    Raises:
        VoyageFileError: voyage.toml has no [sources], or its paths overlap.
        SourceUnreadable: a source path is not there, or a folder cannot be listed.
    """
    if _is_carried_as_it_is(folder):
        return _inputs(folder, sha256_bytes(b"carried as it is"))
    found = _inputs(folder, _sources(folder).totals().digest)
    if folder.receipt(STAGE) is not None and not holds_dataset(folder.work / DATASET_FOLDER, with_miniature=True):
        found["data set"] = sha256_bytes(b"gone")
    return found


def _inputs(folder: VoyageFolder, sources_digest: str) -> dict[str, str]:
    voyage_file = folder.voyage_file()
    second = voyage_file.prepare.scan_also_with
    scan = f"version {SCAN_VERSION}" + (f", {second} {presidio.ENTITIES_VERSION}" if second else "")
    return {
        "recipe": recipe_digest(voyage_file.prepare),
        "sources": sources_digest,
        "name": sha256_bytes(voyage_file.voyage.name.encode("utf-8")),
        "data scan": sha256_bytes(scan.encode()),
    }


def prepare(folder: VoyageFolder, num_workers: int, sink: Sink) -> Receipt:
    """Turn the sources into shards, index, cards and miniature in work/dataset; write dataset.json and data-scan.json.

    A folder that is carried as it is needs none of this: the receipt says so, and there is neither document. What it
    holds is then not scanned.

    Args:
        folder: the consignor's voyage folder.
        num_workers: processes; 0 works in this one.
        sink: takes progress and notices.

    Raises:
        MissingDependency: the extra `prepare` is not installed, or `pii` where the recipe asks for it.
        KeyMissing: keys/signer, which signs the data scan, is not there.
        SourceUnreadable, SourceChanged: sources are missing, or changed while they were read; what is done is kept.
        TooManyRejects: more was set aside than the recipe allows.
        NothingToCarry: no sample is left.
        DriveFull: no space is left for the data set.
    """
    if _is_carried_as_it_is(folder):
        clock = StageClock(folder, STAGE, inputs(folder))
        _forget_dataset(folder)
        sink(Notice(STAGE, 'nothing to prepare: form = "folder" carries the folder as it is; its data is not scanned'))
        return clock.finish(facts={"form": "folder, carried as it is", "data_scan": "not scanned"})
    _require_extra()
    if folder.voyage_file().prepare.scan_also_with:
        presidio.require()
    folder.signer()  # it signs the data scan at the end; without it nothing is read in vain
    sources = _sources(folder)
    seen = survey(sources, folder.voyage_file().prepare.kinds)
    clock = StageClock(folder, STAGE, _inputs(folder, seen.digest))
    return _Preparation(folder, sources, seen, num_workers, sink).run(clock)


def _is_carried_as_it_is(folder: VoyageFolder) -> bool:
    sources = folder.voyage_file().sources
    return sources is not None and sources.form == "folder"


def _forget_dataset(folder: VoyageFolder) -> None:
    """Remove the documents of a data set that was prepared before: they say of this voyage what is not so any more."""
    folder.document_path(Dataset).unlink(missing_ok=True)
    folder.signature_path(DataScan).unlink(missing_ok=True)
    folder.document_path(DataScan).unlink(missing_ok=True)


class _Preparation:
    """One run: the places it writes to, and what it counted."""

    def __init__(self, folder: VoyageFolder, sources: Sources, seen: Survey, num_workers: int, sink: Sink) -> None:
        self.folder = folder
        self.sources = sources
        self.seen = seen
        self.num_workers = num_workers
        self.sink = sink
        self.recipe: RecipeSection = folder.voyage_file().prepare
        self.recipe_digest = recipe_digest(self.recipe)
        work = folder.work / STAGE
        self.units = UnitFolder(work / "units")
        self.shard_receipts = work / "shards"
        self.spill = work / "spill"
        self.early_rejects = work / "rejects.parquet"
        self.dataset = folder.work / DATASET_FOLDER
        self.num_units_reused = 0
        self.first_rejects: list[Reject] = []
        self.scans = ScanMerge(has_second=self.recipe.scan_also_with is not None)

    def run(self, clock: StageClock) -> Receipt:
        from packtrain.dataset.duplicates import SampleTable

        if self.seen.num_files == 0:
            raise NothingToCarry(
                "no table, image or clip in the sources",
                found=f"{len(self.seen.unread)} files of other types, {self.seen.num_other_kinds} of kinds left out",
                hint="correct [sources] paths, or kinds in [prepare]",
            )
        units = self._read_sources()
        num_rejects, left_over, source_bytes, sources_digest = self._write_manifests(units)
        sample_files = [self.units.samples(unit.unit_id) for unit in units]
        with SampleTable(sample_files, self.spill) as table:
            counts = self._counts(table.counts(), num_rejects)
            total = sum(count.num_samples for count in counts)
            if total == 0:
                raise NothingToCarry(
                    "no sample is left", hint="work/dataset/rejects.parquet says why each was set aside"
                )
            self._write_duplicates(table.dropped())
            shards, index = self._write_set(table.kept(), total, "")
            small, small_index = self._write_miniature(table, counts)
            suffixes = table.suffixes()
        files, facts = self._write_cards(counts, suffixes, shards, index, source_bytes)
        document = Dataset(
            name=self.folder.voyage_file().voyage.name,
            recipe=self.recipe_digest,
            sources=sources_digest,
            num_sources=self.seen.num_files,
            source_bytes=source_bytes,
            counts=tuple(counts),
            shards=tuple(shards),
            files=tuple(files),
            miniature_shards=tuple(small),
            miniature_files=(small_index,),
        )
        self._remove_strays(document, units)
        durable.write_bytes(self.dataset / DATASET_NAME, encode(document))
        self.folder.write(document)
        scan = self._write_scan(units, sources_digest)
        self._tell(counts, left_over, scan)
        return clock.finish(
            outputs=(Dataset, DataScan),
            counts={**self._numbers(document, len(units), left_over), "scan_findings": scan.num_findings},
            facts={"dataset": str(self.dataset.relative_to(self.folder.root)), **facts},
            versions=work_units.library_versions(self.recipe),
        )

    # --- pass 1

    def _read_sources(self) -> list[Unit]:
        """Read every unit that has no receipt; return all units, by kind and in the order of the sources."""
        rate = RejectRate(self.seen.num_files, self.recipe.max_reject_rate)
        target = work_units.slice_target_bytes(self.seen.total_bytes, self.seen.num_files)
        files = files_by_kind(self.sources, self.recipe.kinds, self.seen.digest)
        units: list[Unit] = []
        done_bytes = 0

        def count(unit: Unit, receipt: UnitReceipt) -> None:
            nonlocal done_bytes
            done_bytes += unit.source_bytes
            rate.add(sum(record.lost for record in receipt.sources), receipt.rejects)
            if rate.is_exceeded():
                self._write_early_rejects(units)
                raise rate.error(self.early_rejects)
            self.sink(Progress(STAGE, "reading sources", done_bytes, self.seen.total_bytes))

        def jobs() -> Iterator[ReadJob]:
            for unit in work_units.slice_sources(files, self.recipe, target):
                units.append(unit)
                receipt = work_units.finished(self.units, unit)
                if receipt is None:
                    yield ReadJob(unit, self.sources, self.recipe, self.units)
                else:
                    self.num_units_reused += 1
                    count(unit, receipt)

        reading = map_jobs(work_units.read_unit, jobs(), self.num_workers, work_units.without_the_source_it_died_of)
        with contextlib.closing(reading):
            for job, receipt in reading:
                count(job.unit, receipt)
        self.early_rejects.unlink(missing_ok=True)
        # Sorting is stable: within a kind units stay in the order of the sources, wherever slices end.
        return sorted(units, key=lambda unit: _KINDS.index(unit.kind))

    def _receipts(self, units: Iterable[Unit]) -> Iterator[UnitReceipt]:
        for unit in units:
            receipt = work_units.finished(self.units, unit)
            if receipt is not None:
                yield receipt

    def _write_early_rejects(self, units: list[Unit]) -> None:
        from packtrain.dataset.index import REJECT_SCHEMA
        from packtrain.dataset.rows import row_writer

        with row_writer(self.early_rejects, REJECT_SCHEMA) as rows:
            for receipt in self._receipts(units):
                for reject in receipt.rejects:
                    rows.add(msgspec.structs.asdict(reject))

    # --- between the passes

    def _write_manifests(self, units: list[Unit]) -> tuple[dict[str, int], int, int, str]:
        """Write sources.parquet and rejects.parquet; return rejects by kind, frames left over, source bytes, digest."""
        from packtrain.dataset.index import REJECT_SCHEMA, REJECTS, SOURCE_SCHEMA, SOURCES
        from packtrain.dataset.rows import row_writer

        num_rejects: dict[str, int] = {}
        left_over = source_bytes = 0
        state = hashlib.sha256()
        with (
            row_writer(self.dataset / SOURCES, SOURCE_SCHEMA) as sources,
            row_writer(self.dataset / REJECTS, REJECT_SCHEMA) as rejects,
        ):

            def add(reject: Reject) -> None:
                rejects.add(msgspec.structs.asdict(reject))
                if reject.kind and len(self.first_rejects) < _NAMED_REJECTS:
                    self.first_rejects.append(reject)
                num_rejects[reject.kind] = num_rejects.get(reject.kind, 0) + 1

            for reject in self.seen.unread:
                add(reject)
            for receipt in self._receipts(units):
                left_over += receipt.left_over
                for scan in receipt.scans:
                    self.scans.add(scan)
                for record in receipt.sources:
                    source_bytes += record.bytes
                    state.update(f"{record.sha256} {record.bytes} {record.name}\0".encode())
                    sources.add(
                        {
                            "path": record.name,
                            "kind": receipt.kind,
                            "bytes": record.bytes,
                            "sha256": record.sha256,
                            "samples": record.num_samples,
                        }
                    )
                for reject in receipt.rejects:
                    add(reject)
        return num_rejects, left_over, source_bytes, state.hexdigest()

    def _counts(self, found: Mapping[str, tuple[int, int]], num_rejects: Mapping[str, int]) -> list[SampleCount]:
        return [
            SampleCount(
                kind=kind,
                num_samples=found.get(kind, (0, 0))[0],
                num_duplicates=found.get(kind, (0, 0))[1],
                num_rejects=num_rejects.get(kind, 0),
            )
            for kind in _KINDS
            if kind in found or kind in num_rejects
        ]

    def _write_duplicates(self, rows: Iterable[Mapping[str, Any]]) -> None:
        from packtrain.dataset.index import DUPLICATE_SCHEMA, DUPLICATES
        from packtrain.dataset.rows import row_writer

        with row_writer(self.dataset / DUPLICATES, DUPLICATE_SCHEMA) as writer:
            for row in rows:
                writer.add(row)

    # --- pass 2

    def _write_set(self, rows: Iterable[Mapping[str, Any]], total: int, prefix: str) -> tuple[list[Shard], DataFile]:
        """Write the shards of these samples, and their index; return both."""
        from packtrain.dataset.index import INDEX, INDEX_SCHEMA
        from packtrain.dataset.rows import row_writer

        order: list[str] = []
        written: dict[str, Shard] = {}
        activity = "writing the miniature" if prefix else "writing shards"
        done = 0

        def keep(shard: Shard) -> None:
            nonlocal done
            written[shard.name] = shard
            done += shard.num_samples
            self.sink(Progress(STAGE, activity, done_items=done, total_items=total, unit="samples"))

        with row_writer(self.dataset / prefix / INDEX, INDEX_SCHEMA) as index:

            def jobs() -> Iterator[shard_files.WriteJob]:
                for found in shard_files.lay_out(rows, self.recipe.shard_bytes, self.recipe_digest, prefix):
                    if not isinstance(found, shard_files.ShardLayout):
                        index.add(found)
                        continue
                    order.append(found.name)
                    job = shard_files.WriteJob(found, self.sources, self.units, self.shard_receipts, self.dataset)
                    shard = shard_files.finished(job)
                    if shard is None:
                        yield job
                    else:
                        keep(shard)

            # The miniature is a few small files: starting processes would cost more than writing them.
            writing = map_jobs(shard_files.write_shard, jobs(), 0 if prefix else self.num_workers)
            with contextlib.closing(writing):
                for _, shard in writing:
                    keep(shard)
        return [written[name] for name in order], self._file(prefix + INDEX)

    def _write_miniature(self, table: Any, counts: list[SampleCount]) -> tuple[list[Shard], DataFile]:
        from packtrain.dataset.miniature import choose, shares

        wanted = shares({count.kind: count.num_samples for count in counts}, self.recipe.miniature_samples)
        chosen = choose(table.kept(), wanted, self.recipe.seed)
        return self._write_set(chosen, len(chosen), MINIATURE)

    # --- around it

    def _write_cards(
        self,
        counts: list[SampleCount],
        suffixes: Mapping[str, list[str]],
        shards: list[Shard],
        index: DataFile,
        source_bytes: int,
    ) -> tuple[list[DataFile], dict[str, str]]:
        """Write cards and papers; return all files of the data set beside the shards, and facts for the receipt."""
        from packtrain.dataset.card import CROISSANT, README, CardFacts, croissant, readme
        from packtrain.dataset.index import DUPLICATES, REJECTS, SOURCES

        papers = carry_papers(self.sources, self.seen.papers, self.dataset)
        recipe: dict[str, Any] = msgspec.to_builtins(self.recipe)
        card = CardFacts(
            name=self.folder.voyage_file().voyage.name,
            counts=counts,
            suffixes=suffixes,
            tables=shard_files.table_names(shard.name for shard in shards),
            num_sources=self.seen.num_files,
            source_bytes=source_bytes,
            recipe=self.recipe_digest,
            recipe_lines=[f"{name} = {json.dumps(value)}" for name, value in recipe.items() if value is not None],
            index=index,
            papers=papers,
            libraries=work_units.library_versions(self.recipe),
        )
        durable.write_bytes(self.dataset / CROISSANT, croissant(card))
        durable.write_bytes(self.dataset / README, readme(card))
        own = [self._file(name) for name in (CROISSANT, README, DUPLICATES, REJECTS, SOURCES)]
        return [index, *own, *papers], {"croissant": own[0].sha256, "papers": str(len(papers))}

    def _write_scan(self, units: list[Unit], sources: str) -> DataScan:
        """Write and sign what the scan of the tables counted; return it."""
        num_files = {kind: sum(len(unit.files) for unit in units if unit.kind == kind) for kind in _KINDS}
        scan = self.scans.document(
            self.folder.voyage_file().voyage.name,
            sources,
            NotScanned(
                images=num_files["image"],
                clips=num_files["clip"],
                papers=len(self.seen.papers),
                other_files=len(self.seen.unread),
                tables_set_aside=num_files["table"] - self.scans.num_sources,
                long_cells=self.scans.num_long_cells,
            ),
        )
        self.folder.write_signed(scan, self.folder.signer())
        return scan

    def _file(self, name: str) -> DataFile:
        path = self.dataset / name
        return DataFile(name=name, bytes=path.stat().st_size, sha256=sha256_file(path))

    def _remove_strays(self, document: Dataset, units: list[Unit]) -> None:
        """Remove what earlier runs left: shards of another recipe, halves of files, units nobody needs now."""
        named = {DATASET_NAME} | {
            file.name
            for group in (document.shards, document.files, document.miniature_shards, document.miniature_files)
            for file in group
        }
        _keep_only(self.dataset, named)
        _keep_only(
            self.shard_receipts, {f"{shard.name}.json" for shard in (*document.shards, *document.miniature_shards)}
        )
        kept = {
            str(path.relative_to(self.units.root))
            for unit in units
            for path in (
                self.units.blobs(unit.unit_id),
                self.units.samples(unit.unit_id),
                self.units.receipt(unit.unit_id),
            )
        }
        _keep_only(self.units.root, kept)

    def _numbers(self, document: Dataset, num_units: int, left_over: int) -> dict[str, int]:
        numbers = {
            "samples_prepared": document.num_samples,
            "rejects": sum(count.num_rejects for count in document.counts),
            "duplicates": sum(count.num_duplicates for count in document.counts),
            "unread_files": len(self.seen.unread),
            "frames_left_over": left_over,
            "sources": document.num_sources,
            "source_bytes": document.source_bytes,
            "dataset_bytes": sum(file.bytes for file in (*document.shards, *document.files)),
            "miniature_samples": sum(shard.num_samples for shard in document.miniature_shards),
            "shards": len(document.shards),
            "units": num_units,
            "units_reused": self.num_units_reused,
        }
        for count in document.counts:
            numbers[f"{count.kind}_samples"] = count.num_samples
            numbers[f"{count.kind}_rejects"] = count.num_rejects
            numbers[f"{count.kind}_duplicates"] = count.num_duplicates
            numbers[f"{count.kind}_bytes"] = sum(s.bytes for s in document.shards if s.kind == count.kind)
        return numbers

    def _tell(self, counts: list[SampleCount], left_over: int, scan: DataScan) -> None:
        num_rejects = sum(count.num_rejects for count in counts)
        where = "work/dataset/rejects.parquet says which and why"
        if num_rejects:
            named = "; ".join(
                f"{each.path}{f' {each.place}' if each.place else ''}: {each.error.rstrip('.')}"
                for each in self.first_rejects
            )
            text = f"set aside: {counted(num_rejects, 'input')}, first {named}; {where}"
            self.sink(Notice(STAGE, text, is_warning=True))
        if self.seen.unread:
            first = ", ".join(reject.path for reject in self.seen.unread[:_NAMED_REJECTS])
            text = (
                f"of no type that packtrain prepares: {counted(len(self.seen.unread), 'file')}, first {first}; {where}"
            )
            self.sink(Notice(STAGE, text, is_warning=True))
        if self.seen.num_other_kinds:
            self.sink(Notice(STAGE, f"{self.seen.num_other_kinds} files are of kinds that the recipe leaves out"))
        if left_over:
            self.sink(Notice(STAGE, f"{left_over} frames at the ends of clips fill no sample"))
        if scan.num_findings:
            kinds = ", ".join(f"{each.looks_for} ({each.num_findings})" for each in scan.detectors if each.num_findings)
            text = f"the data scan found what looks personal: {kinds}: documents/data-scan.json says in which columns"
            self.sink(Notice(STAGE, text, is_warning=True))


def _sources(folder: VoyageFolder) -> Sources:
    section = folder.voyage_file().sources
    if section is None or not section.paths:
        raise VoyageFileError(
            "there is no [sources] paths to prepare from",
            where=str(folder.root / "voyage.toml"),
            hint='add for example: [sources] paths = ["/data/raw"]',
        )
    return Sources([folder.resolve(text) for text in section.paths], folder.root)


def _require_extra() -> None:
    missing = [name for name in _MODULES if importlib.util.find_spec(name) is None]
    if missing:
        raise MissingDependency(
            "libraries that read tables, images and clips are not installed",
            expected=", ".join(_MODULES),
            found=f"no {', '.join(missing)}",
            hint="pip install 'packtrain[prepare]'",
        )


def _keep_only(root: Path, names: set[str]) -> None:
    """Remove all files below `root` but the named ones, and folders that are empty then."""
    for path in sorted(root.rglob("*"), reverse=True):
        if path.is_dir() and not path.is_symlink():
            with contextlib.suppress(OSError):  # not empty
                path.rmdir()
        elif path.relative_to(root).as_posix() not in names:
            path.unlink(missing_ok=True)
