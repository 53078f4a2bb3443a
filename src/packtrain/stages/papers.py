"""papers: sign the customs answers, then write the papers to print that this party's documents allow, each signed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from packtrain import durable
from packtrain.diligence.amendments import ARCHIVES, archive_current
from packtrain.diligence.customs.form import customs_form
from packtrain.diligence.customs.state import CustomsStated, state_customs
from packtrain.diligence.paper_folder import PAPERS, write_papers_folder
from packtrain.diligence.paper_sources import Render, gather
from packtrain.documents.codec import digest
from packtrain.documents.customs import Customs
from packtrain.documents.packing_statement import PackingStatement
from packtrain.documents.toml_file import MAX_TOML_BYTES
from packtrain.errors import DossierError, StageNotReady, WrongRole
from packtrain.events import Notice, Sink
from packtrain.record.folder import VoyageFolder
from packtrain.record.receipts import instant

STAGE: Final = "papers"
CUSTOMS_FILE: Final = "customs.toml"
CUSTOMS_ARCHIVE: Final = ARCHIVES["customs"]
"""Folder below documents/ with the customs answers that were signed before, by digest."""
_NOT_AN_ANSWER: Final = frozenset({"stated_on", "supersedes"})


@dataclass(frozen=True, slots=True)
class WrittenPapers:
    """What was written where: name -> SHA-256; and why the others cannot be made yet, by name."""

    place: Path
    written: dict[str, str]
    not_yet: dict[str, str]


def write_papers(folder: VoyageFolder, render: Render, sink: Sink, *, into: Path | None = None) -> WrittenPapers:
    """Write the papers that this party's documents allow, each with its signature; return what was written.

    The consignor's customs.toml is read and signed first, where there is one and the cases are sealed. Unchanged
    documents give the same bytes.

    Args:
        folder: the voyage folder of any party.
        render: makes the pages.
        sink: takes events.
        into: where to write; papers/ of the voyage folder where None.

    Raises:
        CustomsIncomplete: customs.toml leaves questions open; all are named. The papers that rest on other documents
            are written before.
        CustomsFileError: customs.toml cannot be read, or an answer cannot be right.
        StageNotReady: no document is here that a paper could be made of.
        DossierError: `into` lies on a drive of the shipment, or documents do not belong together.
    """
    place = into if into is not None else folder.root / PAPERS
    _refuse_a_drive(place)
    sources = gather(folder)  # before anything is signed: documents that do not belong together stop here
    stated = _read_customs_file(folder)
    if stated is not None and not stated.missing and _sign_customs(folder, stated.whole(), sink):
        sources = gather(folder)
    if stated is not None and stated.missing:
        # What was signed before is not what customs.toml says now: no paper may be made of it.
        sources = sources.without_customs("customs.toml has open questions")
    rendered = render(sources)
    if not rendered.pages:
        raise StageNotReady(
            "no paper can be made yet",
            where=str(folder.root),
            found="; ".join(sorted(set(rendered.not_yet.values()))),
            hint='the first paper is made of the declaration: "packtrain declare", or import a dossier',
        )
    written = write_papers_folder(place, rendered.pages, folder.signer())
    for name, why in rendered.not_yet.items():
        sink(Notice(STAGE, f"{name} is not made: {why}"))
        if (place / name).is_file():
            sink(Notice(STAGE, f"{place / name} is of an earlier state: do not use it", is_warning=True))
    if stated is not None:
        stated.whole()
    return WrittenPapers(place, written, rendered.not_yet)


def write_form(folder: VoyageFolder, sink: Sink) -> Path:
    """Write customs.toml, to be filled in, with the cases and drives of the packing statement; return its path.

    Raises:
        WrongRole: the folder is not the consignor's.
        StageNotReady: the cases are not sealed, or there is a customs.toml.
    """
    _refuse_others(folder)
    path = folder.root / CUSTOMS_FILE
    if path.exists():
        raise StageNotReady(
            "customs.toml is there already, and is not written over",
            where=str(path),
            hint='answer in it, then run "packtrain papers"; or put it elsewhere and ask for the form again',
        )
    durable.write_bytes(path, customs_form(folder.read_signed(PackingStatement)).encode())
    sink(Notice(STAGE, "the questions of a customs desk are written"))
    return path


def _read_customs_file(folder: VoyageFolder) -> CustomsStated | None:
    path = folder.root / CUSTOMS_FILE
    if not path.is_file():
        return None
    _refuse_others(folder)
    if not folder.has(PackingStatement):
        return None
    with path.open("rb") as stream:
        payload = stream.read(MAX_TOML_BYTES + 1)
    return state_customs(payload, folder.read_signed(PackingStatement), str(path), instant())


def _refuse_others(folder: VoyageFolder) -> None:
    role = folder.voyage_file().voyage.role
    if role != "consignor":
        raise WrongRole("customs answers are the consignor's", where=str(folder.root), expected="consignor", found=role)


def _sign_customs(folder: VoyageFolder, customs: Customs, sink: Sink) -> bool:
    """Sign the answers and return True, unless they are signed as they are; the ones before are kept by digest."""
    if folder.has(Customs):
        before = folder.read_signed(Customs)
        if _says_the_same(before, customs):
            return False
        archive_current(folder, Customs)
        customs = msgspec.structs.replace(customs, supersedes=digest(before))
        sink(
            Notice(
                STAGE,
                "customs answers changed: the ones before are kept as "
                f"documents/{CUSTOMS_ARCHIVE}/{digest(before)}.json",
            )
        )
    folder.write_signed(customs, folder.signer())
    sink(Notice(STAGE, "customs answers signed: customs.json"))
    return True


def _says_the_same(before: Customs, now: Customs) -> bool:
    fields = set(Customs.__struct_fields__) - _NOT_AN_ANSWER
    return all(getattr(before, name) == getattr(now, name) for name in fields)


def _refuse_a_drive(place: Path) -> None:
    for above in (place.absolute(), *place.absolute().parents):
        if any((above / "packtrain" / name).is_file() for name in ("plan.json", "drive.json")):
            raise DossierError(
                "papers do not belong on a drive: they name persons and places, and a thief reads them",
                where=str(place),
                found=f"a drive of a shipment at {above}",
                hint="write them elsewhere, and print them",
            )
