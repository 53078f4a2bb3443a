"""Does a provenance follow from the signed papers? Everything in it that another document says as well is compared.

Steps, attempts, hosts and position are the consignee's word: they are held against each other and against nothing else.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from packtrain.diligence.kit_chain import LawfulKit
from packtrain.diligence.papers import Papers
from packtrain.documents.admission import Admission
from packtrain.documents.codec import Document
from packtrain.documents.export_list import ExportList
from packtrain.documents.kit import Kit
from packtrain.documents.kit_update import KitUpdate
from packtrain.documents.plan import Plan
from packtrain.documents.provenance import Provenance
from packtrain.documents.ready import Ready
from packtrain.documents.shipment import Shipment

_RANGE: Final = re.compile(r"([0-9]{1,15})(?:-([0-9]{1,15}))?")
_CUT: Final = re.compile(r"\([0-9]{1,15} steps\)")
"""What stands behind ranges that were too many to be told."""


def provenance_faults(provenance: Provenance, papers: Papers) -> tuple[str, ...]:
    """Return where a provenance says something else than the papers beside it, a sentence each; empty where it follows.

    A paper that is not here is compared with nothing.
    """
    return tuple(_faults(provenance, papers))


def faults_against_chain(provenance: Provenance, chain: Sequence[LawfulKit]) -> tuple[str, ...]:
    """Return which kits of a provenance are none of a party's own chain, or not in its order; a sentence each."""
    own = [(each.digest, each.update_digest) for each in chain]
    told = [(each.kit, each.update) for each in provenance.kits]
    if told == own[: len(told)] and (told or not own):
        return ()
    wrong = next((number for number, pair in enumerate(told) if own[number : number + 1] != [pair]), len(told))
    if wrong == len(told):
        return ("it names no kit, and one was sent",)
    return (f"kit {told[wrong][0][:12]}, which it names at place {wrong + 1}, is not the one that was sent there",)


def _faults(provenance: Provenance, papers: Papers) -> Iterator[str]:
    compared: list[tuple[str, object, object | None]] = [
        ("shipment root", provenance.shipment_root, papers.digest(Shipment)),
        ("plan", provenance.plan, papers.digest(Plan)),
    ]
    if (plan := papers.current(Plan)) is not None and provenance.cargo is not None:
        compared.append(("cargo", provenance.cargo, plan.cargo))
    if (export_list := papers.current(ExportList)) is not None:
        compared += [
            ("export list", provenance.export_list, papers.digest(ExportList)),
            ("shipment of the export list", provenance.shipment, export_list.shipment),
            ("admission of the export list", provenance.admission, export_list.admission),
            ("training of the export list", provenance.training, export_list.training),
            ("results", provenance.results, export_list.results),
            ("kit of the export list", provenance.kits[-1].kit if provenance.kits else None, export_list.kit),
            (
                "files of the export list",
                [(file.name, file.bytes, file.sha256) for file in provenance.files],
                [(file.name, file.bytes, file.sha256) for file in export_list.files],
            ),
        ]
        if export_list.kit is None and provenance.kits:
            yield "it names a kit, and the export list none"
    for what, said, paper in compared:
        if paper is not None and said != paper:
            yield f"it says another {what} than the papers"
    here = {paper.digest: paper.document for paper in papers.by_name.values()}
    verdict = here.get(provenance.admission)
    if isinstance(verdict, Admission) and verdict.verdict != "admit":
        yield f"it rests on a verdict that is {verdict.verdict}"
    yield from _kit_faults(provenance, here)
    yield from _step_faults(provenance)


def _kit_faults(provenance: Provenance, here: Mapping[str, Document]) -> Iterator[str]:
    before = None
    for number, trained in enumerate(provenance.kits):
        sheet = here.get(trained.ready) if trained.ready is not None else None
        if isinstance(sheet, Ready) and sheet.kit != trained.kit:
            yield f"the rehearsal that it names for kit {trained.kit[:12]} is of another kit"
        sheets = {name for name, paper in here.items() if isinstance(paper, Ready) and paper.kit == trained.kit}
        if sheets and trained.ready is not None and trained.ready not in sheets:
            yield f"the rehearsal that it names for kit {trained.kit[:12]} is none of those that are here"
        if (trained.update is None) != (number == 0):
            yield f"kit {trained.kit[:12]} came by no update, or the first kit by one"
        update = here.get(trained.update) if trained.update is not None else None
        if isinstance(update, KitUpdate):
            said = (update.number, update.from_kit, update.to_kit)
            if said != (number, before, trained.kit) or trained.ready not in (None, update.ready):
                yield f"kit update {update.number} does not lead to kit {trained.kit[:12]} as it says"
        before = trained.kit
    kits = [here.get(trained.kit) for trained in provenance.kits]
    programs = {kit.program for kit in kits if isinstance(kit, Kit)}
    if kits and all(isinstance(kit, Kit) for kit in kits) and provenance.program not in programs:
        yield "the program that it says to have trained is that of none of its kits"


def _step_faults(provenance: Provenance) -> Iterator[str]:
    kits = {trained.kit for trained in provenance.kits}
    if strangers := sorted({each.kit for each in provenance.attempts if each.kit is not None} - kits):
        yield f"an attempt ran under kit {strangers[0][:12]}, which it does not name among the kits"
    if not provenance.kits:
        return
    ranges: list[tuple[int, int]] = []
    is_cut = False
    for trained in provenance.kits:
        told, ellipsis, rest = trained.steps.partition(" … ")
        if ellipsis and _CUT.fullmatch(rest) is None:
            yield f"the steps under kit {trained.kit[:12]} are no steps"
            return
        is_cut = is_cut or bool(ellipsis)
        for part in filter(None, told.split(", ")):
            match = _RANGE.fullmatch(part)
            if match is None:
                yield f"the steps under kit {trained.kit[:12]} are no steps"
                return
            ranges.append((int(match[1]), int(match[2] or match[1])))
    ranges.sort()
    overlaps = any(before[1] >= after[0] for before, after in itertools.pairwise(ranges))
    if overlaps or any(first > last for first, last in ranges):
        yield "a step is said to have run under two kits"
    elif not is_cut and sum(last - first + 1 for first, last in ranges) != provenance.num_steps:
        yield f"the steps under its kits are not the {provenance.num_steps} that it counts"
