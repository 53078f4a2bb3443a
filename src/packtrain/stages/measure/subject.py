"""What is measured: what was named, and else what voyage.toml says of this party's drives, source and store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from packtrain.documents.placement import PlacementDocument
from packtrain.record.folder import VoyageFolder
from packtrain.stages.measure.work import LARGE_SET_BYTES, SMALLEST_SET_BYTES

DEFAULT_BYTES: Final = 2 * 10**9
DEFAULT_SECONDS: Final = 10.0
_CODE: Final = (6, 2)
"""Where no placement names one: eight bays, of which two drives may be lost."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a person asked for; what is empty or None is taken from the voyage folder, or from defaults.

    Attributes:
        total_bytes: of each drive: no less is measured.
    """

    drives: tuple[Path, ...] = ()
    source: Path | None = None
    store: Path | None = None
    total_bytes: int | None = None
    seconds: float | None = None
    cores: int | None = None


@dataclass(frozen=True, slots=True)
class Subject:
    """What is measured.

    Attributes:
        drives: name (a label, or a path) -> folder.
        is_named: they were named one by one: what cannot be measured as asked is refused, not left out.
        sources, store: empty and None where none is known.
        k, m: the code that packing is measured with.
        total_bytes, seconds: of each drive, and of source and store.
        is_exact: `total_bytes` was asked for: no drive gets less.
        cores: processors to use, or None: all that this process may.
        set_bytes: of what is packed and loaded.
    """

    drives: Mapping[str, Path]
    is_named: bool
    sources: tuple[Path, ...]
    store: Path | None
    k: int
    m: int
    total_bytes: int
    seconds: float
    is_exact: bool
    cores: int | None
    set_bytes: int


def subject_of(wishes: Wishes, folder: VoyageFolder | None) -> Subject:
    """Return what is measured; `folder` is the voyage's, where there is one.

    Raises:
        VoyageFileError, DocumentError: voyage.toml or placement.json cannot be read.
    """
    labelled = _labelled(folder) if folder is not None else {}
    named = {_name_of(path, labelled): path for path in wishes.drives}
    k, m = _code(folder)
    asked_bytes = wishes.total_bytes
    set_bytes = LARGE_SET_BYTES if asked_bytes is None else min(LARGE_SET_BYTES, max(SMALLEST_SET_BYTES, asked_bytes))
    return Subject(
        drives=named or {label: path for label, path in labelled.items() if path.is_dir()},
        is_named=bool(named),
        sources=(wishes.source,) if wishes.source is not None else _sources(folder),
        store=wishes.store if wishes.store is not None else _store(folder),
        k=k,
        m=m,
        total_bytes=asked_bytes if asked_bytes is not None else DEFAULT_BYTES,
        seconds=wishes.seconds if wishes.seconds is not None else DEFAULT_SECONDS,
        is_exact=asked_bytes is not None,
        cores=wishes.cores,
        set_bytes=set_bytes,
    )


def _labelled(folder: VoyageFolder) -> dict[str, Path]:
    """Return this party's drives: by label those with a path, by their mount points the bays."""
    section = folder.voyage_file().drives
    found = {
        f"{case.label}{number}": folder.resolve(text)
        for case in section.case
        for number, text in enumerate(case.drives, 1)
    }
    return found | {text: folder.resolve(text) for text in section.bays}


def _name_of(path: Path, labelled: Mapping[str, Path]) -> str:
    wanted = path.resolve()
    return next((label for label, known in labelled.items() if known.resolve() == wanted), str(path))


def _sources(folder: VoyageFolder | None) -> tuple[Path, ...]:
    if folder is None or (sources := folder.voyage_file().sources) is None:
        return ()
    return tuple(path for text in sources.paths if (path := folder.resolve(text)).exists())


def _store(folder: VoyageFolder | None) -> Path | None:
    if folder is None or folder.voyage_file().voyage.role != "consignee":
        return None
    if folder.store_place() is not None:
        return None
    path = folder.store_folder()
    return path if path.is_dir() else None


def _code(folder: VoyageFolder | None) -> tuple[int, int]:
    if folder is None or not folder.has(PlacementDocument):
        return _CODE
    groups: Sequence[tuple[int, int]] = [(group.k, group.m) for group in folder.read(PlacementDocument).groups]
    return max(groups, key=groups.count)
