"""What every part of the stage stands on: its places, its inputs, and what a run was given."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from packtrain.dataset.adopt.survey import ShardSurvey
from packtrain.dataset.recipe import recipe_digest
from packtrain.dataset.scan import presidio
from packtrain.dataset.scan.counts import SCAN_VERSION
from packtrain.dataset.sources import Sources
from packtrain.dataset.survey import Survey
from packtrain.dataset.withdrawn import Withdrawn
from packtrain.dataset.work_units import UnitFolder
from packtrain.digest import sha256_bytes, sha256_file
from packtrain.documents.dataset import DataFile
from packtrain.documents.recipe import RecipeSection
from packtrain.documents.withdrawals import Withdrawals
from packtrain.errors import MissingDependency, StageNotReady, VoyageFileError
from packtrain.events import Sink
from packtrain.ports import JobMapper
from packtrain.record.adopted import adopted_places
from packtrain.record.dataset_folder import holds_dataset
from packtrain.record.folder import VoyageFolder

STAGE: Final = "prepare"
DATASET_FOLDER: Final = "dataset"
MINIATURE: Final = "miniature/"
_MODULES: Final = ("av", "duckdb", "numpy", "openpyxl", "PIL", "pyarrow", "python_calamine", "rensa")


@dataclass(slots=True)
class Places:
    """Where a run writes: below work/prepare what only `prepare` reads, below work/dataset what travels."""

    folder: VoyageFolder
    work: Path = field(init=False)
    dataset: Path = field(init=False)

    def __post_init__(self) -> None:
        self.work = self.folder.work / STAGE
        self.dataset = self.folder.work / DATASET_FOLDER

    @property
    def units(self) -> UnitFolder:
        """Return where units keep what they read."""
        return UnitFolder(self.work / "units")

    @property
    def shard_receipts(self) -> Path:
        """Return where it is noted what each shard was written from."""
        return self.work / "shards"

    @property
    def spill(self) -> Path:
        """Return where the global step puts what does not fit into memory."""
        return self.work / "spill"

    @property
    def early_rejects(self) -> Path:
        """Return the table of rejects that a run leaves which had too many of them."""
        return self.work / "rejects.parquet"

    @property
    def withdrawn(self) -> Path:
        """Return the table of what is left of withdrawn samples; most voyages have none."""
        return self.work / "withdrawn.parquet"

    def data_file(self, name: str) -> DataFile:
        """Return the document form of a file of the data set."""
        path = self.dataset / name
        return DataFile(name=name, bytes=path.stat().st_size, sha256=sha256_file(path))


@dataclass(frozen=True, slots=True)
class Given:
    """What one run works on.

    Attributes:
        sources, seen: the source files, and what the walk saw of them.
        mapper: runs the units of work.
        retry: read units again that set something aside, though their receipts stand.
        withdrawn: the withdrawals in force.
    """

    places: Places
    sources: Sources
    seen: Survey
    recipe: RecipeSection
    mapper: JobMapper
    retry: bool
    sink: Sink
    withdrawn: Withdrawn = field(default_factory=Withdrawn)

    @property
    def adopts(self) -> bool:
        """Return whether the sources are ready shards, which are indexed where they lie."""
        return isinstance(self.seen, ShardSurvey)

    @property
    def recipe_digest(self) -> str:
        """Return the SHA-256 of the recipe."""
        return recipe_digest(self.recipe)


def inputs(folder: VoyageFolder) -> dict[str, str]:
    """Return what invalidates `prepare`: the recipe, the data set's name, name, size and time of every source, what was
    withdrawn, and the version of the data scan with its second engine. Which version of that is installed is not asked.

    Sources are not opened: a file rewritten with the same length and the same time of change is taken for the old one.
    A data set that is not there any more is named as well, which no receipt does: the stage then runs again.

    Raises:
        VoyageFileError: voyage.toml has no [sources], or its paths overlap.
        SourceUnreadable: a source path is not there, or a folder cannot be listed.
    """
    if is_carried_as_it_is(folder):
        return inputs_of(folder, sha256_bytes(b"carried as it is"))
    found = inputs_of(folder, open_sources(folder).totals().digest)
    if folder.receipt(STAGE) is not None and not _is_there(folder):
        found["data set"] = sha256_bytes(b"gone")
    return found


def _is_there(folder: VoyageFolder) -> bool:
    """Return whether all of the data set is still there, but for adopted shards: these are among the sources."""
    try:
        places = adopted_places(folder)
    except StageNotReady:
        return False  # the list of them is damaged; the stage writes it anew
    return holds_dataset(folder.work / DATASET_FOLDER, with_miniature=True, elsewhere=places)


def inputs_of(folder: VoyageFolder, sources_digest: str) -> dict[str, str]:
    """Return `inputs` where the digest of the walk is known already."""
    voyage_file = folder.voyage_file()
    second = voyage_file.prepare.scan_also_with
    scan = f"version {SCAN_VERSION}" + (f", {second} {presidio.ENTITIES_VERSION}" if second else "")
    found = {
        "recipe": recipe_digest(voyage_file.prepare),
        "sources": sources_digest,
        "name": sha256_bytes(voyage_file.voyage.name.encode("utf-8")),
        "data scan": sha256_bytes(scan.encode()),
    }
    sources = voyage_file.sources
    if sources is not None and sources.form not in ("files", "folder"):
        found["adopted"] = sha256_bytes(sources.form.encode())
    # Only where there is one: a voyage without withdrawals is not prepared again for a document that it has not.
    if folder.has(Withdrawals):
        found["withdrawals"] = folder.digest(Withdrawals)
    return found


def held_out(folder: VoyageFolder) -> Withdrawn:
    """Return the withdrawals in force; none where there is no document of them.

    Raises:
        SignatureMissing, SignatureInvalid, UntrustedSigner: withdrawals.json is not as this party signed it.
    """
    return Withdrawn.of(folder.read_signed(Withdrawals)) if folder.has(Withdrawals) else Withdrawn()


def is_carried_as_it_is(folder: VoyageFolder) -> bool:
    """Return whether the sources are one folder that is packed without being prepared."""
    sources = folder.voyage_file().sources
    return sources is not None and sources.form == "folder"


def open_sources(folder: VoyageFolder) -> Sources:
    """Return the sources that voyage.toml names; see `inputs` for errors."""
    section = folder.voyage_file().sources
    if section is None or not section.paths:
        raise VoyageFileError(
            "there is no [sources] paths to prepare from",
            where=str(folder.root / "voyage.toml"),
            hint='add for example: [sources] paths = ["/data/raw"]',
        )
    return Sources([folder.resolve(text) for text in section.paths], folder.root)


def require_extra() -> None:
    """Refuse to begin without the libraries that read sources.

    Raises:
        MissingDependency: the extra `prepare` is not installed.
    """
    missing = [name for name in _MODULES if importlib.util.find_spec(name) is None]
    if missing:
        raise MissingDependency(
            "libraries that read tables, images and clips are not installed",
            expected=", ".join(_MODULES),
            found=f"no {', '.join(missing)}",
            hint="pip install 'packtrain[prepare]'",
        )
