"""Pass 2: shards and index of the samples that are kept, the miniature, and the removal of what nobody names."""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from packtrain.dataset import shards as shard_files
from packtrain.dataset.recipe import split_names
from packtrain.dataset.work_units import UnitName
from packtrain.documents.dataset import DataFile, Dataset, Shard
from packtrain.durable import TEMPORARY_SUFFIX
from packtrain.events import Progress
from packtrain.record.dataset_folder import DATASET_NAME
from packtrain.stages.prepare.ground import MINIATURE, STAGE, Given, Places

if TYPE_CHECKING:
    from packtrain.dataset.selection import Selection

_COPIED_HERE_BYTES: Final = 256 << 20
"""Of shards that are copies: so many are done here in the time that it takes to start processes for them."""


def write_set(
    given: Given, rows: Iterable[Mapping[str, Any]], total: int, prefix: str = ""
) -> tuple[list[Shard], DataFile]:
    """Write the shards of these samples, and their index; return both.

    Raises:
        SourceChanged: a source has other bytes than when it was read.
        IntegrityError: the media of a unit are not what the unit wrote.
        DriveFull: no space is left for the data set.
    """
    from packtrain.dataset.index import INDEX, INDEX_SCHEMA
    from packtrain.dataset.rows import row_writer

    places = given.places
    order: list[str] = []
    written: dict[str, Shard] = {}
    activity = "writing the miniature" if prefix else "writing shards"
    done = copied_bytes = 0

    def keep(shard: Shard) -> None:
        nonlocal done
        written[shard.name] = shard
        done += shard.num_samples
        given.sink(Progress(STAGE, activity, done_items=done, total_items=total, unit="samples"))

    with row_writer(places.dataset / prefix / INDEX, INDEX_SCHEMA) as index:

        def jobs() -> Iterator[shard_files.WriteJob]:
            nonlocal copied_bytes
            layout = shard_files.lay_out(
                rows,
                given.recipe.shard_bytes,
                given.recipe_digest,
                prefix=prefix,
                in_splits=len(split_names(given.recipe)) > 1,
            )
            for found in layout:
                if not isinstance(found, shard_files.ShardLayout):
                    index.add(found)
                    continue
                order.append(found.name)
                job = shard_files.WriteJob(found, given.sources, places.units, places.shard_receipts, places.dataset)
                shard = shard_files.finished(job)
                if shard is None and found.copied_bytes and copied_bytes < _COPIED_HERE_BYTES:
                    copied_bytes += found.copied_bytes
                    shard = shard_files.write_shard(job)
                if shard is None:
                    yield job
                else:
                    keep(shard)

        if prefix:
            # The miniature is a few files: handing them out would cost more than writing them, and all of it happens in
            # libraries that let go of the interpreter lock.
            with ThreadPoolExecutor(os.cpu_count()) as threads:
                for shard in threads.map(shard_files.write_shard, jobs()):
                    keep(shard)
        else:
            waiting = jobs()
            first = list(itertools.islice(waiting, 2))
            if len(first) == 1:  # is written here while a process would begin
                keep(shard_files.write_shard(first.pop()))
            with contextlib.closing(
                given.mapper.map(shard_files.write_shard, itertools.chain(first, waiting))
            ) as writing:
                for _, shard in writing:
                    keep(shard)
    return [written[name] for name in order], places.data_file(prefix + INDEX)


def write_miniature(given: Given, selection: Selection) -> tuple[list[Shard], DataFile]:
    """Write the stratified subset; return its shards and its index. For errors see `write_set`."""
    from packtrain.dataset.miniature import choose, shares

    there = {(count.kind, count.name): count.num_samples for count in selection.splits()}
    wanted = shares(there, given.recipe.miniature_samples)
    chosen = choose(selection.kept(), wanted, given.recipe.seed)
    return write_set(given, chosen, len(chosen), MINIATURE)


def write_drops(given: Given, selection: Selection) -> None:
    """Write drops.parquet: a row for each sample that was read and is not kept."""
    from packtrain.dataset.index import DROP_SCHEMA, DROPS
    from packtrain.dataset.rows import row_writer

    with row_writer(given.places.dataset / DROPS, DROP_SCHEMA) as writer:
        for row in selection.dropped():
            writer.add(row)


def remove_strays(given: Given, document: Dataset, units: list[UnitName]) -> None:
    """Remove what earlier runs left: shards of another recipe, halves of files, units nobody needs now."""
    places = given.places
    named = {DATASET_NAME} | {
        file.name
        for group in (document.shards, document.files, document.miniature_shards, document.miniature_files)
        for file in group
    }
    _keep_only(places.dataset, named)
    _keep_only(
        places.shard_receipts, {f"{shard.name}.json" for shard in (*document.shards, *document.miniature_shards)}
    )
    folder = places.units
    kept = {
        str(path.relative_to(folder.root))
        for unit in units
        for path in (folder.blobs(unit.unit_id), folder.samples(unit.unit_id), folder.receipt(unit.unit_id))
    }
    _keep_only(folder.root, kept)


def remove_left(places: Places) -> None:
    """Remove what writers of earlier runs left unfinished; one that is still at it, somewhere, cannot finish then."""
    for folder in (places.units.root, places.shard_receipts, places.dataset):
        for path in folder.rglob(f"*{TEMPORARY_SUFFIX}"):
            path.unlink(missing_ok=True)


def _keep_only(root: Path, names: set[str]) -> None:
    """Remove all files below `root` but the named ones, and folders that are empty then."""
    for path in sorted(root.rglob("*"), reverse=True):
        if path.is_dir() and not path.is_symlink():
            with contextlib.suppress(OSError):  # not empty
                path.rmdir()
        elif path.relative_to(root).as_posix() not in names:
            path.unlink(missing_ok=True)
