"""plan: which drives form groups, with which code, and what that survives. Writes placement.json."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

import rfc8785

from packtrain.digest import sha256_bytes
from packtrain.documents.placement import PlacedDrive, PlacedGroup, PlacementDocument
from packtrain.documents.plan import Survive
from packtrain.documents.receipt import Receipt
from packtrain.documents.voyage_file import DrivesSection
from packtrain.erasure.placement import (
    DriveSpec,
    Survival,
    capacity_bytes,
    place,
    survival_statement,
)
from packtrain.errors import SourceUnreadable, VoyageFileError
from packtrain.events import Notice, Sink
from packtrain.ports import Drive
from packtrain.record.folder import VOYAGE_FILE, VoyageFolder
from packtrain.record.receipts import StageClock
from packtrain.units import format_bytes
from packtrain.volume import layout
from packtrain.volume.formatting import refuse_duplicates

STAGE: Final = "plan"
_MAX_LABEL: Final = 32


def inputs(folder: VoyageFolder) -> dict[str, str]:
    """Return the digests of what the placement is made from: cases and drives, what to survive, bays, bytes of sources.

    Carriers and seals are not among them: who carries a case does not move a byte.
    """
    drives = folder.voyage_file().drives
    body = {
        "survive": [drives.survive.cases, drives.survive.drives],
        "bays": _bays(drives),
        "cases": [[case.label, list(case.drives)] for case in drives.case],
    }
    return {
        "drives": sha256_bytes(rfc8785.dumps(body)),
        "source bytes": sha256_bytes(b"%d" % _source_bytes(folder)),
    }


def plan(folder: VoyageFolder, open_drive: Callable[[Path], Drive], sink: Sink) -> Receipt:
    """Choose groups and codes for the drives of voyage.toml; write placement.json and the receipt.

    Raises:
        VoyageFileError: no drives, or a label twice.
        DriveMissing: a drive is not mounted.
        DuplicateDrive: a drive was given twice.
        PlacementImpossible: no grouping survives what was asked.
        SourceUnreadable: a source is not there.
    """
    clock = StageClock(folder, STAGE, inputs(folder))
    section = folder.voyage_file().drives
    paths = _labelled(str(folder.root / VOYAGE_FILE), section)
    drives = {label: open_drive(folder.resolve(text)) for label, (_, text) in paths.items()}
    refuse_duplicates(drives)
    media = _media(drives)
    free = _free_bytes(drives, media)
    specs = [DriveSpec(label=label, case=case, capacity_bytes=free[label]) for label, (case, _) in paths.items()]
    survive = Survival(cases=section.survive.cases, drives=section.survive.drives)
    placement = place(specs, survive, bays=_bays(section))
    capacity = capacity_bytes(placement, free)
    source_bytes = _source_bytes(folder)
    document = PlacementDocument(
        drives=tuple(
            PlacedDrive(
                label=label,
                case=case,
                path=text,
                serial=drives[label].serial or "folder",
                capacity_bytes=free[label],
            )
            for label, (case, text) in paths.items()
        ),
        groups=tuple(PlacedGroup(k=group.k, m=group.m, drives=group.drives) for group in placement.groups),
        survive=Survive(cases=survive.cases, drives=survive.drives),
        statement=survival_statement(placement, {label: case for label, (case, _) in paths.items()}),
        source_bytes=source_bytes,
        capacity_bytes=capacity,
    )
    folder.write(document)
    codes = ", ".join(f"{group.k}+{group.m}" for group in placement.groups)
    sink(Notice(STAGE, f"{len(paths)} drives in groups of {codes}: survives {document.statement}"))
    _tell_shared(media, sink)
    if source_bytes > capacity:
        # Not refused: prepare may crop, drop and deduplicate. pack refuses before the first byte if it does not fit.
        sink(
            Notice(
                STAGE,
                f"the sources ({format_bytes(source_bytes)}) are larger than what these drives hold "
                f"({format_bytes(capacity)}): give more drives unless prepare makes them smaller",
                is_warning=True,
            )
        )
    return clock.finish(
        outputs=(PlacementDocument,),
        counts={
            "drives": len(paths),
            "cases": len(section.case),
            "groups": len(placement.groups),
            "source_bytes": source_bytes,
            "capacity_bytes": capacity,
        },
        facts={"code": codes, "survives": document.statement},
    )


def _labelled(where: str, section: DrivesSection) -> dict[str, tuple[str, str]]:
    """Return label -> (case, path as it is spelt) of every drive: the case's label and a number from 1."""
    if not section.case:
        raise VoyageFileError(
            "no drives are named",
            where=where,
            expected="one [[drives.case]] or more",
            hint='add a label and its "drives"',
        )
    labelled: dict[str, tuple[str, str]] = {}
    repeated = sorted(label for label, count in Counter(case.label for case in section.case).items() if count > 1)
    if repeated:
        raise VoyageFileError("two cases have the same label", where=where, found=", ".join(repeated))
    for case in section.case:
        for number, text in enumerate(case.drives, 1):
            label = f"{case.label}{number}"
            if len(label) > _MAX_LABEL or label in labelled:
                raise VoyageFileError(
                    "drive labels (case label and number) are too long or meet",
                    where=where,
                    found=label,
                    hint="choose other labels for the cases, shorter and not ending in digits",
                )
            labelled[label] = (case.label, text)
    return labelled


def _media(drives: Mapping[str, Drive]) -> dict[str, int | str]:
    """Return for each drive what tells its file system from others."""
    media: dict[str, int | str] = {}
    for label, drive in drives.items():
        try:
            media[label] = Path(drive.location).stat().st_dev
        except OSError:
            media[label] = label
    return media


def _tell_shared(media: Mapping[str, int | str], sink: Sink) -> None:
    """Say where drives share a file system: folders that play drives, or mount points with nothing mounted."""
    sharers = Counter(media.values())
    if shared := [label for label, medium in media.items() if sharers[medium] > 1]:
        sink(
            Notice(
                STAGE,
                f"drives {', '.join(shared)} share a file system: what is lost with it is lost of all of them at once. "
                "Good for trying out; if they are mount points, nothing is mounted there",
                is_warning=True,
            )
        )


def _free_bytes(drives: Mapping[str, Drive], media: Mapping[str, int | str]) -> dict[str, int]:
    """Return what fits on each drive: free space and what an own earlier attempt holds, shared fairly on one medium."""
    sharers = Counter(media.values())
    free: dict[str, int] = {}
    for label, drive in drives.items():
        held_bytes = 0
        if drive.size_bytes(layout.PLAN) is not None:
            held_bytes = sum(drive.size_bytes(name) or 0 for name in drive.names())
        free[label] = drive.free_bytes() // sharers[media[label]] + held_bytes
    return free


def _bays(section: DrivesSection) -> int | None:
    given = [bays for bays in (section.pack_bays, section.load_bays) if bays is not None]
    return min(given) if given else None


def _source_bytes(folder: VoyageFolder) -> int:
    sources = folder.voyage_file().sources
    if sources is None:
        return 0
    return sum(size_bytes for text in sources.paths for size_bytes in _sizes(folder.resolve(text)))


def _sizes(path: Path) -> Iterator[int]:
    if path.is_file():
        yield path.stat().st_size
        return
    if not path.is_dir():
        raise SourceUnreadable(
            "source is not there", where=str(path), expected="a file or folder", hint="correct [sources] in voyage.toml"
        )
    for place_found, _, names in os.walk(path):
        for name in names:
            try:
                yield os.lstat(f"{place_found}/{name}").st_size
            except OSError:
                continue  # gone meanwhile: prepare will say so
