"""plan: which drives form groups, with which code, and what that survives. Writes placement.json."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import rfc8785

from packtrain.digest import sha256_bytes
from packtrain.documents.placement import PlacedDrive, PlacedGroup, PlacementDocument
from packtrain.documents.plan import Survive
from packtrain.documents.receipt import Receipt
from packtrain.documents.voyage_file import CaseSection, DrivesSection
from packtrain.erasure.placement import (
    DriveSpec,
    Survival,
    capacity_bytes,
    place,
    survival_statement,
)
from packtrain.errors import VoyageFileError
from packtrain.events import Notice, Sink
from packtrain.forecast.given_bytes import sizes
from packtrain.ports import Drive
from packtrain.record.carried import check_folder_to_carry
from packtrain.record.folder import VOYAGE_FILE, VoyageFolder
from packtrain.record.receipts import StageClock
from packtrain.units import format_bytes, parse_bytes
from packtrain.volume import layout
from packtrain.volume.formatting import refuse_duplicates

STAGE: Final = "plan"
_MAX_LABEL: Final = 32


def inputs(folder: VoyageFolder) -> dict[str, str]:
    """Return the digests of what the placement is made from: cases and drives, what to survive, bays, bytes of sources.

    Carriers and seals are not among them: who carries a case does not move a byte.

    Raises:
        VoyageFileError, SourceUnreadable: see `check_folder_to_carry`.
    """
    check_folder_to_carry(folder)
    drives = folder.voyage_file().drives
    body = {
        "survive": [drives.survive.cases, drives.survive.drives],
        "bays": _bays(drives),
        "cases": [[case.label, list(case.drives), case.count, case.size] for case in drives.case],
    }
    return {
        "drives": sha256_bytes(rfc8785.dumps(body)),
        "source bytes": sha256_bytes(b"%d" % _source_totals(folder)[1]),
    }


def plan(folder: VoyageFolder, open_drive: Callable[[Path], Drive], sink: Sink) -> Receipt:
    """Choose groups and codes for the drives of voyage.toml; write placement.json and the receipt.

    Raises:
        VoyageFileError: no drives, or a label twice, or a case that names its drives in no way or in two.
        DriveMissing: a drive is not mounted.
        DuplicateDrive: a drive was given twice.
        PlacementImpossible: no grouping survives what was asked.
        SourceUnreadable: a source is not there.
    """
    clock = StageClock(folder, STAGE, inputs(folder))
    section = folder.voyage_file().drives
    named = _labelled(str(folder.root / VOYAGE_FILE), section)
    drives = {label: open_drive(folder.resolve(drive.path)) for label, drive in named.items() if drive.path is not None}
    refuse_duplicates(drives)
    media = _media(drives)
    free = _free_bytes(drives, media)
    free |= {label: drive.size_bytes for label, drive in named.items() if drive.path is None}
    specs = [DriveSpec(label=label, case=drive.case, capacity_bytes=free[label]) for label, drive in named.items()]
    survive = Survival(cases=section.survive.cases, drives=section.survive.drives)
    placement = place(specs, survive, bays=_bays(section))
    capacity = capacity_bytes(placement, free)
    num_files, source_bytes = _source_totals(folder)
    document = PlacementDocument(
        drives=tuple(
            PlacedDrive(
                label=label,
                case=drive.case,
                path=drive.path,
                serial=(drives[label].serial or "folder") if drive.path is not None else None,
                capacity_bytes=free[label],
            )
            for label, drive in named.items()
        ),
        groups=tuple(PlacedGroup(k=group.k, m=group.m, drives=group.drives) for group in placement.groups),
        survive=Survive(cases=survive.cases, drives=survive.drives),
        statement=survival_statement(placement, {label: drive.case for label, drive in named.items()}),
        source_bytes=source_bytes,
        capacity_bytes=capacity,
    )
    folder.write(document)
    codes = ", ".join(f"{group.k}+{group.m}" for group in placement.groups)
    sink(Notice(STAGE, f"{len(named)} drives in groups of {codes}"))
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
            "drives": len(named),
            "cases": len(section.case),
            "groups": len(placement.groups),
            "source_files": num_files,
            "source_bytes": source_bytes,
            "capacity_bytes": capacity,
        },
        facts={"code": codes, "survives": document.statement},
    )


@dataclass(frozen=True, slots=True)
class _Named:
    """One drive of voyage.toml: its path as it is spelt, or None and how much it holds."""

    case: str
    path: str | None
    size_bytes: int = 0


def _labelled(where: str, section: DrivesSection) -> dict[str, _Named]:
    """Return every drive by its label: the case's label and a number from 1."""
    if not section.case:
        raise VoyageFileError(
            "no drives are named",
            where=where,
            expected="one [[drives.case]] or more",
            hint='add a label and its "drives"',
        )
    labelled: dict[str, _Named] = {}
    repeated = sorted(label for label, count in Counter(case.label for case in section.case).items() if count > 1)
    if repeated:
        raise VoyageFileError("two cases have the same label", where=where, found=", ".join(repeated))
    for case in section.case:
        for number, drive in enumerate(_drives_of(where, case), 1):
            label = f"{case.label}{number}"
            if len(label) > _MAX_LABEL or label in labelled:
                raise VoyageFileError(
                    "drive labels (case label and number) are too long or meet",
                    where=where,
                    found=label,
                    hint="choose other labels for the cases, shorter and not ending in digits",
                )
            labelled[label] = drive
    if not section.bays and any(drive.path is None for drive in labelled.values()):
        raise VoyageFileError(
            "drives without a path take their turn in bays, and no bays are named",
            where=where,
            expected="bays = [...] in [drives]",
            hint='name the mount points that drives are plugged into: bays = ["/mnt/bay1", "/mnt/bay2"]',
        )
    return labelled


def _drives_of(where: str, case: CaseSection) -> list[_Named]:
    """Return the drives of a case: by their paths, or by count and size.

    Raises:
        VoyageFileError: both are given, or neither, or the size is none.
    """
    if bool(case.drives) == (case.count is not None) or (case.count is None) != (case.size is None):
        raise VoyageFileError(
            f"case {case.label}: name either the path of each drive, or how many there are and of which size",
            where=where,
            expected="drives = [...], or count and size",
            found=", ".join(name for name in ("drives", "count", "size") if getattr(case, name)) or "none of them",
            hint='for drives that take their turn in the bays write for example count = 15 and size = "2 TB"',
        )
    if case.count is None or case.size is None:
        return [_Named(case.label, text) for text in case.drives]
    try:
        size_bytes = parse_bytes(case.size)
    except ValueError as error:
        raise VoyageFileError(f"case {case.label}: size is {error}", where=where) from error
    return [_Named(case.label, None, size_bytes)] * case.count


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
    mounted_at_once = len(section.bays) if any(case.count for case in section.case) else None
    given = [bays for bays in (section.pack_bays, section.load_bays, mounted_at_once) if bays is not None]
    return min(given) if given else None


def _source_totals(folder: VoyageFolder) -> tuple[int, int]:
    """Return the number of source files and their bytes: regular ones; a file of several names counts once."""
    num_files = total_bytes = 0
    sources = folder.voyage_file().sources
    for text in sources.paths if sources is not None else ():
        for size_bytes in sizes(folder.resolve(text), "correct [sources] in voyage.toml"):
            num_files += 1
            total_bytes += size_bytes
    return num_files, total_bytes
