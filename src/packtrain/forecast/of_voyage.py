"""The question that a voyage asks: its drives and groups as they were placed, and [forecast] of voyage.toml."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any, Final

from packtrain.documents.forecast_section import ForecastSection, PricesSection
from packtrain.documents.placement import PlacementDocument
from packtrain.documents.voyage_file import DrivesSection
from packtrain.erasure.placement import DriveSpec, Group, Placement, Survival
from packtrain.errors import VoyageFileError
from packtrain.forecast import words
from packtrain.forecast.asking import question_of
from packtrain.forecast.durations import Days
from packtrain.forecast.prices import PRICED, Prices
from packtrain.forecast.question import Question
from packtrain.units import parse_bytes

_READ_BY: Final[Mapping[str, Callable[[str], object]]] = {
    "start": date.fromisoformat,
    "link": words.parse_bits,
    "prepare": Days.parse,
    "train": Days.parse,
    "customs": Days.parse,
    "results": parse_bytes,
    "drive_rate": words.parse_rate,
    "source_rate": words.parse_rate,
    "store_rate": words.parse_rate,
}


def voyage_question(
    total_bytes: int,
    placement: PlacementDocument,
    drives: DrivesSection,
    section: ForecastSection,
    measured: Mapping[str, tuple[float, str]],
    trained: Days | None,
    where: str,
) -> Question:
    """Return the question.

    Args:
        total_bytes: of the cargo, above 0.
        placement: which drives there are, how large, and their groups.
        drives: bays.
        section: what people told.
        measured: see `question_of`.
        trained: how long training takes by the rehearsal's sheet, where nobody told.
        where: the file that holds `section`, for messages.

    Raises:
        VoyageFileError: a field of [forecast] does not say what it should, or they do not go together.
    """
    told = read_section(section, where)
    if told["train"] is None and trained is not None:
        told["train"] = trained
    specs = tuple(DriveSpec(drive.label, drive.case, drive.capacity_bytes) for drive in placement.drives)
    survive = Survival(placement.survive.cases, placement.survive.drives)
    groups = tuple(Group(group.k, group.m, group.drives) for group in placement.groups)
    pack_bays = drives.pack_bays or len(drives.bays) or len(specs)
    counted: dict[str, Any] = {
        "total_bytes": total_bytes,
        "num_drives": len(specs),
        "num_cases": len({drive.case for drive in specs}),
        "pack_bays": pack_bays,
        "load_bays": drives.load_bays or pack_bays,
        "survive": survive,
        "drives": specs,
        "placed": Placement(groups, survive),
    }
    try:
        return question_of(counted, told, _prices(section.prices), measured)
    except ValueError as error:
        raise VoyageFileError(f"[forecast]: {error}", where=where) from error


def read_section(section: ForecastSection, where: str) -> dict[str, Any]:
    """Return the fields of [forecast] by name, texts read.

    Raises:
        VoyageFileError: one does not say what it should.
    """
    told: dict[str, Any] = {name: getattr(section, name) for name in section.__struct_fields__ if name != "prices"}
    for name, read in _READ_BY.items():
        if told[name] is not None:
            told[name] = _read(name, read, told[name], where)
    told["legs"] = tuple(_read("legs", words.parse_leg, text, where) for text in section.legs) or None
    return told


def _read(name: str, read: Callable[[str], Any], text: str, where: str) -> Any:
    try:
        return read(text)
    except ValueError as error:
        raise VoyageFileError(
            f"[forecast] {name}: {error}", where=where, hint="docs/reference/voyage-toml.md lists every field"
        ) from error


def _prices(section: PricesSection) -> Prices:
    return Prices(**{name: getattr(section, name) for name in PRICED}, currency=section.currency)
