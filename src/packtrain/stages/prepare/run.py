"""One run from the walk to the receipt."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from typing import Any, Final, cast

from packtrain import durable
from packtrain.dataset import withdrawn, work_units
from packtrain.dataset.kinds.registry import KIND_NAMES
from packtrain.dataset.papers import carry_papers
from packtrain.dataset.recipe import check_recipe, split_names, told_on_the_card
from packtrain.dataset.scan import presidio
from packtrain.dataset.survey import survey
from packtrain.dataset.withdrawn import Withdrawn
from packtrain.documents.codec import encode
from packtrain.documents.data_scan import DataScan, NotScanned
from packtrain.documents.dataset import DataFile, Dataset, SampleCount, Shard
from packtrain.documents.receipt import Receipt
from packtrain.documents.toml_text import toml_text
from packtrain.errors import NothingToCarry, VoyageFileError
from packtrain.events import Notice, Sink
from packtrain.ports import JobMapper
from packtrain.record.adopted import write_places
from packtrain.record.dataset_folder import DATASET_NAME
from packtrain.record.folder import VoyageFolder
from packtrain.record.receipts import StageClock
from packtrain.stages.prepare import adopting, fitting, ground, writing
from packtrain.stages.prepare.ground import STAGE, Given, Places
from packtrain.stages.prepare.reading import Read, read_sources

_SCAN_NAMES: Final = ("table", "image", "clip")


def prepare(folder: VoyageFolder, mapper: JobMapper, sink: Sink, *, retry: bool = False) -> Receipt:
    """Turn the sources into shards, index, cards and miniature in work/dataset; write dataset.json and data-scan.json.

    A folder that is carried as it is needs none of this: the receipt says so, and there is neither document. What it
    holds is then not scanned.

    Args:
        folder: the consignor's voyage folder.
        mapper: runs the units of work; where it does changes no byte.
        sink: takes progress and notices.
        retry: read again what was set aside before, for instance after a library that reads it was mended.

    Raises:
        MissingDependency: the extra `prepare` is not installed, or `pii` where the recipe asks for it.
        VoyageFileError: the recipe cannot be meant, or is for files that are carried as they are after a withdrawal.
        KeyMissing: keys/signer, which signs the data scan, is not there.
        SignatureMissing, SignatureInvalid, UntrustedSigner: withdrawals.json is not as this party signed it.
        SourceUnreadable, SourceChanged: sources are missing, or changed while they were read; what is done is kept.
        TooManyRejects: more was set aside than the recipe allows.
        NothingToCarry: no sample is left.
        DriveFull: no space is left for the data set.
        HostUnfit: what another host has written is not seen here.
    """
    held_out = _held_out(folder)
    if ground.is_carried_as_it_is(folder):
        clock = StageClock(folder, STAGE, ground.inputs(folder))
        _forget_dataset(folder)
        sink(Notice(STAGE, 'nothing to prepare: form = "folder" carries the folder as it is; its data is not scanned'))
        return clock.finish(facts={"form": "folder, carried as it is", "data_scan": "not scanned"})
    ground.require_extra()
    recipe = folder.voyage_file().prepare
    check_recipe(recipe, str(folder.root / "voyage.toml"))
    if recipe.scan_also_with:
        presidio.require()
    folder.signer()  # it signs the data scan at the end; without it nothing is read in vain
    form = adopting.form_adopted(folder)
    if form is not None:
        adopting.check_adoption(recipe, form, str(folder.root / "voyage.toml"))
    sources = ground.open_sources(folder)
    places = Places(folder)
    if form is None:
        seen = survey(sources, recipe.kinds, places.work, held_out.names)
    else:
        seen = adopting.survey_of(sources, form, places)
    clock = StageClock(folder, STAGE, ground.inputs_of(folder, seen.digest))
    return _run(Given(places, sources, seen, recipe, mapper, retry, sink, held_out), clock)


def _held_out(folder: VoyageFolder) -> Withdrawn:
    """Return the withdrawals in force.

    Raises:
        VoyageFileError: there are some, and the sources are carried as they are: what was withdrawn would travel.
    """
    held_out = ground.held_out(folder)
    sources = folder.voyage_file().sources
    if held_out.names and sources is not None and sources.form != "files":
        raise VoyageFileError(
            "sources were withdrawn, and files that are carried as they are cannot be cut",
            where=str(folder.root / "voyage.toml"),
            expected='form = "files"',
            found=f'form = "{sources.form}", and {len(held_out.names)} withdrawals in documents/withdrawals.json',
            hint="make a voyage of its own for these files, after a look that none of them holds what was withdrawn",
        )
    return held_out


def _forget_dataset(folder: VoyageFolder) -> None:
    """Remove the documents of a data set that was prepared before: they say of this voyage what is not so any more."""
    write_places(folder, ())
    folder.document_path(Dataset).unlink(missing_ok=True)
    folder.signature_path(DataScan).unlink(missing_ok=True)
    folder.document_path(DataScan).unlink(missing_ok=True)


def _run(given: Given, clock: StageClock) -> Receipt:
    places, seen = given.places, given.seen
    withdrawn.settle(places.withdrawn, given.withdrawn.names, places.units, places.dataset, places.spill)
    if seen.num_files == 0:
        _forget_all_withdrawn(given)
        raise NothingToCarry(
            "no shard that can be adopted in the sources" if given.adopts else "no table, image or clip in the sources",
            found=f"{seen.num_unread} files of other types, {seen.num_other_kinds} of kinds left out,"
            f" {seen.num_withdrawn} withdrawn",
            hint="what there was is withdrawn, and nothing of it is left here; packtrain withdraw --undo lets it in"
            if seen.num_withdrawn
            else "correct [sources] paths, or kinds in [prepare]",
        )
    writing.remove_left(places)
    read = read_sources(given)
    # Imported after pass 1: its processes need not wait for DuckDB to be loaded here, nor share the memory with it.
    from packtrain.dataset.selection import Selection
    from packtrain.stages.prepare import telling

    sample_files = [places.units.samples(unit.unit_id) for unit in read.units]
    sample_files += [places.withdrawn] if places.withdrawn.exists() else []
    with Selection(sample_files, places.spill, given.recipe) as selection:
        selection.settle()
        counts = telling.sample_counts(selection, read)
        total = sum(count.num_samples for count in counts)
        writing.write_drops(given, selection)
        if total == 0:
            _forget_all_withdrawn(given)
            raise NothingToCarry(
                "no sample is left", hint="work/dataset/rejects.parquet and drops.parquet say why each was set aside"
            )
        if given.adopts:
            layout, shards, index = adopting.write_index(given, read, selection.kept(), total)
            small, small_index = adopting.write_miniature(given, layout, selection)
        else:
            write_places(places.folder, ())
            shards, index = writing.write_set(given, selection.kept(), total)
            small, small_index = writing.write_miniature(given, selection)
        suffixes = selection.suffixes()
        groups = selection.groups() if len(split_names(given.recipe)) > 1 else (0, 0.0)
    files, facts = _write_cards(given, counts, suffixes, shards, index, read.source_bytes)
    document = Dataset(
        name=places.folder.voyage_file().voyage.name,
        recipe=given.recipe_digest,
        sources=read.sources_digest,
        num_sources=seen.num_files,
        source_bytes=read.source_bytes,
        counts=tuple(counts),
        shards=tuple(shards),
        files=tuple(files),
        miniature_shards=tuple(small),
        miniature_files=(small_index,),
    )
    writing.remove_strays(given, document, read.units)
    durable.write_bytes(places.dataset / DATASET_NAME, encode(document))
    places.folder.write(document)
    scan = _write_scan(given, read)
    telling.tell(
        *(given, document, read, scan),
        num_bounded=selection.num_bounded,
        num_unnamed=selection.num_unnamed,
        groups=groups,
    )
    fits = fitting.at_the_end(given, document)
    if given.adopts:
        adopting.tell_adopted(given, document)
    return clock.finish(
        outputs=(Dataset, DataScan),
        counts={**telling.numbers(given, document, read), **fits, "scan_findings": scan.num_findings},
        facts={"dataset": str(places.dataset.relative_to(places.folder.root)), **facts},
        versions=work_units.library_versions(given.recipe),
    )


def _forget_all_withdrawn(given: Given) -> None:
    """Remove what was read and prepared before, where nothing is left beside what was withdrawn."""
    if given.withdrawn.names:
        _forget_dataset(given.places.folder)
        for folder in (given.places.dataset, given.places.units.root, given.places.shard_receipts):
            shutil.rmtree(folder, ignore_errors=True)


def _write_cards(
    given: Given,
    counts: list[SampleCount],
    suffixes: Mapping[str, list[str]],
    shards: list[Shard],
    index: DataFile,
    source_bytes: int,
) -> tuple[list[DataFile], dict[str, str]]:
    """Write cards and papers; return all files of the data set beside the shards, and facts for the receipt."""
    from packtrain.dataset.card import CROISSANT, README, CardFacts, croissant, readme
    from packtrain.dataset.index import DROPS, REJECTS, SOURCES

    places = given.places
    papers = carry_papers(given.sources, given.seen.papers, places.dataset)
    card = CardFacts(
        name=places.folder.voyage_file().voyage.name,
        counts=counts,
        suffixes=suffixes,
        shards=[shard.name for shard in shards],
        splits=split_names(given.recipe),
        adopted=adopting.patterns(shards) if given.adopts else None,
        num_sources=given.seen.num_files,
        source_bytes=source_bytes,
        recipe=given.recipe_digest,
        recipe_text=toml_text({"prepare": _said(told_on_the_card(given.recipe))}, {}),
        index=index,
        papers=papers,
        libraries=work_units.library_versions(given.recipe),
    )
    durable.write_bytes(places.dataset / CROISSANT, croissant(card))
    durable.write_bytes(places.dataset / README, readme(card))
    own = [places.data_file(name) for name in (CROISSANT, README, DROPS, REJECTS, SOURCES)]
    return [index, *own, *papers], {"croissant": own[0].sha256, "papers": str(len(papers))}


def _said(value: Any) -> Any:
    """Return a recipe without the fields that nobody set: TOML has no word for them."""
    if isinstance(value, dict):
        fields = cast("dict[str, Any]", value)
        return {name: _said(inner) for name, inner in fields.items() if inner is not None and inner != []}
    return [_said(each) for each in cast("list[Any]", value)] if isinstance(value, list) else value


def _write_scan(given: Given, read: Read) -> DataScan:
    """Write and sign what the scan of the tables counted; return it."""
    folder = given.places.folder
    num_files = {kind: read.num_of_kind.get(kind, 0) for kind in KIND_NAMES}
    scan = read.scans.document(
        folder.voyage_file().voyage.name,
        read.sources_digest,
        NotScanned(
            images=num_files["image"],
            clips=num_files["clip"],
            papers=len(given.seen.papers),
            # What a scan has no name for: files that no kind reads, and kinds that came after the document.
            other_files=given.seen.num_unread + sum(num for kind, num in num_files.items() if kind not in _SCAN_NAMES),
            tables_set_aside=num_files["table"] - read.scans.num_sources,
            long_cells=read.scans.num_long_cells,
        ),
    )
    folder.write_signed(scan, folder.signer())
    return scan
