"""Looking at what was prepared: nothing is written, and no source is needed but for its picture."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packtrain.dataset.looking.look import Look, Wanted
from packtrain.dataset.recipe import recipe_digest
from packtrain.documents.data_scan import DataScan
from packtrain.documents.dataset import Dataset
from packtrain.documents.toml_text import toml_text
from packtrain.errors import IntegrityError, PacktrainError, StageNotReady
from packtrain.events import Progress, Sink, discard
from packtrain.record.adopted import adopted_places
from packtrain.record.folder import VOYAGE_FILE, VoyageFolder
from packtrain.stages.prepare import ground
from packtrain.stages.prepare.ground import Places


def look(folder: VoyageFolder, wanted: Wanted, sink: Sink = discard, *, with_values: bool = True) -> Look:
    """Return what a person is shown of the data set that was prepared in this folder.

    Args:
        folder: the consignor's voyage folder.
        wanted: how much is shown, and by which lot.
        sink: is told what is done now.
        with_values: whether cells of tables may be shown. What the data scan found is not shown in any case.

    Raises:
        StageNotReady: nothing was prepared, or the list of adopted shards is damaged.
        IntegrityError: a table of the data set is not there, or damaged.
        MissingDependency: the extra `prepare` is not installed.
    """
    dataset = _dataset(folder)
    ground.require_extra()
    import duckdb

    from packtrain.dataset.looking.choosing import look_at
    from packtrain.dataset.looking.profiles import allowed_by
    from packtrain.dataset.looking.where import Where

    places = Places(folder)
    try:
        sources = ground.open_sources(folder)
    except PacktrainError:
        sources = None  # a disk that is not mounted: the page says so, and shows what lies here
    adopted = {name: each.place for name, each in adopted_places(folder).items()}
    where = Where(places.dataset, places.units, sources, places.spill, adopted)
    allowed = allowed_by(_scan(folder), dataset.sources, wanted=with_values)
    seed = folder.voyage_file().prepare.seed if wanted.seed is None else wanted.seed
    try:
        return look_at(
            where,
            dataset,
            _recipe_text(folder, dataset),
            allowed,
            wanted,
            seed,
            lambda activity: sink(Progress("look", activity)),
        )
    except duckdb.Error as error:
        raise IntegrityError(
            "tables of the data set cannot be read",
            where=str(places.dataset),
            found=" ".join(str(error).split())[:300],
            hint='"packtrain prepare" writes again what is missing',
        ) from error


@dataclass(frozen=True, slots=True)
class RowsAside:
    """Rows of rejects.parquet or drops.parquet.

    Attributes:
        path: the table.
        num_rows: in all of it.
        rows: those asked for, one after the other.
        is_early: whether the run that wrote it stopped, since too much was set aside.
    """

    path: Path
    num_rows: int
    rows: Iterator[Mapping[str, Any]]
    is_early: bool = False


def rejects(folder: VoyageFolder, first: int, limit: int) -> RowsAside:
    """Return what was set aside, from row `first` on, at most `limit` rows; for errors see `drops`.

    A run that stopped since too much was set aside has left its own table, which is the one to look at.
    """
    early = Places(folder).early_rejects
    if early.is_file():
        return _rows_aside(early, first, limit, is_early=True)
    return _rows_of_set(folder, "rejects.parquet", first, limit)


def drops(folder: VoyageFolder, first: int, limit: int) -> RowsAside:
    """Return samples that were read and not kept, from row `first` on, at most `limit` rows.

    Raises:
        StageNotReady: nothing was prepared.
        IntegrityError: the table is not there, or damaged.
        MissingDependency: the extra `prepare` is not installed.
    """
    return _rows_of_set(folder, "drops.parquet", first, limit)


def _rows_of_set(folder: VoyageFolder, name: str, first: int, limit: int) -> RowsAside:
    _dataset(folder)
    return _rows_aside(Places(folder).dataset / name, first, limit)


def _rows_aside(path: Path, first: int, limit: int, *, is_early: bool = False) -> RowsAside:
    ground.require_extra()
    from packtrain.dataset.looking.set_tables import UNREADABLE_TABLE, table_rows

    try:
        number, rows = table_rows(path, first, limit)
    except UNREADABLE_TABLE as error:
        raise IntegrityError(
            "table cannot be read", where=str(path), hint='"packtrain prepare" writes again what is missing'
        ) from error
    return RowsAside(path, number, rows, is_early)


def _dataset(folder: VoyageFolder) -> Dataset:
    if ground.is_carried_as_it_is(folder):
        raise StageNotReady(
            "nothing is prepared in this voyage, so there is nothing to look at",
            where=str(folder.root / VOYAGE_FILE),
            found='form = "folder": the folder is carried as it is',
        )
    return folder.read(Dataset)


def _scan(folder: VoyageFolder) -> DataScan | None:
    """Return what the data scan found, or None where that cannot be relied on: then no value is shown."""
    try:
        return folder.read_signed(DataScan)
    except PacktrainError:
        return None


def _recipe_text(folder: VoyageFolder, dataset: Dataset) -> str:
    """Return the recipe as voyage.toml has it, defaults left out; or why it is not the one that was used."""
    if recipe_digest(folder.voyage_file().prepare) != dataset.recipe:
        return "# [prepare] in voyage.toml was changed since this was prepared; its README.md has the recipe"
    spelled = tomllib.loads((folder.root / VOYAGE_FILE).read_text(encoding="utf-8")).get("prepare", {})
    return toml_text({"prepare": spelled}, {}) if spelled else "# nothing is set: as packtrain does without a recipe"
