"""What of a dossier is taken into a voyage folder: a value, worked out before anything is written.

What this party says itself is made here, and never taken from another. A signed paper changes only in ways that stay
visible: a declaration by its chain of amendments, a packing statement by a later seal in the custody log, an admission
by a later verdict, a run of the rules by one that names it, everything else by a newer attempt.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from packtrain.diligence.amendments import ARCHIVES
from packtrain.diligence.kit_chain import chain_in
from packtrain.diligence.packing import names_statement
from packtrain.diligence.papers import Paper, Papers, place_of
from packtrain.documents.admission import Admission
from packtrain.documents.closing import Closing
from packtrain.documents.customs import Customs
from packtrain.documents.declaration import Declaration
from packtrain.documents.flags import Flags
from packtrain.documents.inspection import Inspection
from packtrain.documents.kit import Kit
from packtrain.documents.kit_update import KitUpdate
from packtrain.documents.packing_statement import PackingStatement
from packtrain.documents.parties import Role
from packtrain.documents.ready import Ready
from packtrain.documents.screening import Screening
from packtrain.errors import AnswerChanged, DossierError
from packtrain.record.custody import CustodyLine

_OF_AN_ATTEMPT: Final = (
    "plan.json",
    "shipment.json",
    "packing-statement.json",
    "customs.json",
    "admission.json",
    "kit-update.json",
)
_OF_THE_KIT: Final = ("kit.json", "ready.json")
_BY_UPDATE: Final = 'a kit changes by "packtrain update" alone'
_BEFORE_PACKING: Final = ("kit.json", "ready.json", "data-scan.json")


@dataclass(slots=True)
class Taken:
    """What an import will do.

    Attributes:
        result: all papers of the folder as they will be.
        digests: documents to copy from the dossier, by name below documents/.
        archived: own documents to copy to their archive first: name -> archive name.
        removed: own documents of an older attempt that go after they were archived.
        newer_attempt: the dossier is of a newer attempt than this folder.
        remarks: what was left aside, and why.
        sources: documents that lie under another name in the dossier: the kit that left, where it was changed since.
    """

    result: Papers
    digests: dict[str, str] = field(default_factory=dict[str, str])
    archived: dict[str, str] = field(default_factory=dict[str, str])
    removed: list[str] = field(default_factory=list[str])
    newer_attempt: bool = False
    remarks: list[str] = field(default_factory=list[str])
    sources: dict[str, str] = field(default_factory=dict[str, str])


def merge(own: Papers, incoming: Papers, role: Role, custody: Sequence[CustodyLine], where: str) -> Taken:
    """Return what is taken of `incoming`.

    Args:
        own: the papers of this folder.
        incoming: those of the dossier, verified and agreeing with each other.
        role: whose folder this is.
        custody: this folder's custody log with what the dossier adds to it.
        where: the dossier, for messages.

    Raises:
        DossierError: it is of another shipment or an older attempt.
        AnswerChanged: a document of the same attempt differs.
    """
    taken = Taken(result=Papers(dict(own.by_name)))
    taken.newer_attempt = _is_newer_attempt(own, incoming, where)
    if taken.newer_attempt:
        _leave_attempt(own, incoming, taken)
    for name, found in sorted(incoming.by_name.items()):
        paper = found
        if name in _OF_THE_KIT and name not in taken.result.by_name and incoming.current(KitUpdate) is not None:
            # Whoever gets the papers for the first time begins with what is on the drives, as the others did.
            left = _as_it_left(incoming, name)
            if left is None:
                continue
            paper, taken.sources[name] = replace(left, name=name), left.name
        before = taken.result.by_name.get(name)
        if (before is not None and before.digest == paper.digest) or place_of(name, role) != name:
            continue
        if _speaks_for(paper, role):
            # Signed with this party's key and not here: of another voyage, or of this one before files here were lost.
            # Its answers must not count again where nobody gave them.
            taken.remarks.append(f"{name} is signed by this party and not of this folder: it was left aside")
            continue
        if not _is_taken(before, paper, own, incoming, custody, taken.remarks, where):
            continue
        if before is not None and (folder := _archive_of(before)) is not None:
            taken.archived[name] = f"{folder}/{before.digest}.json"
        taken.digests[name] = paper.digest
        taken.result.by_name[name] = paper
    for name, archive in taken.archived.items():
        before = own.by_name[name]
        taken.result.by_name[archive] = Paper(archive, before.digest, before.document, before.signers)
    return taken


def _speaks_for(paper: Paper, role: Role) -> bool:
    """Return whether a paper is a party's own word: a verdict, a run, a screening, an answer, a closing."""
    return getattr(paper.document, "by", "operator" if isinstance(paper.document, Admission) else None) == role


def _archive_of(paper: Paper) -> str | None:
    """Return the folder where a paper goes once it is superseded; None where it is overwritten or stays."""
    return None if paper.name.startswith("closings/") else ARCHIVES.get(paper.document.kind)


def _is_newer_attempt(own: Papers, incoming: Papers, where: str) -> bool:
    here, there = own.attempt(), incoming.attempt()
    if here is None or there is None:
        return False
    if here[0] != there[0]:
        raise DossierError(
            "the dossier is of another shipment",
            where=where,
            expected=here[0],
            found=there[0],
            hint="one voyage folder holds one shipment",
        )
    if there[1] < here[1]:
        raise DossierError(
            "the dossier is of an earlier attempt",
            where=where,
            expected=f"attempt {here[1]}",
            found=f"attempt {there[1]}",
        )
    return there[1] > here[1]


def _leave_attempt(own: Papers, incoming: Papers, taken: Taken) -> None:
    for name, paper in own.by_name.items():
        if (
            name in _OF_AN_ATTEMPT
            or name.startswith("groups/")
            or (name in _BEFORE_PACKING and name in incoming.by_name)
        ):
            if (folder := _archive_of(paper)) is not None:
                taken.archived[name] = f"{folder}/{paper.digest}.json"
            taken.removed.append(name)
            del taken.result.by_name[name]
    taken.remarks.append("a newer attempt of the shipment: the papers of the one before were set aside")


def _is_taken(
    before: Paper | None,
    paper: Paper,
    own: Papers,
    incoming: Papers,
    custody: Sequence[CustodyLine],
    remarks: list[str],
    where: str,
) -> bool:
    older = f"{paper.name} in the dossier is older than the one here, which stays"
    document = paper.document
    if paper.name == "declaration.json":
        # Also when none is current here: the consignor may have withdrawn it by an answer that needs the full form.
        if paper.digest in _superseded_here(own):
            remarks.append(older)
            return False
        if before is None or before.digest in {name for name, _ in incoming.chain()}:
            return True
    elif paper.name == "kit-update.json":
        remarks.append(f"{paper.name} in the dossier brings nothing into force here: {_BY_UPDATE}")
        return False
    elif before is None:
        return True
    elif isinstance(document, PackingStatement):
        here, there = _last_sealed(custody, before.digest), _last_sealed(custody, paper.digest)
        if here != there:
            if there < here:
                remarks.append(older)
            return there > here
    elif isinstance(document, Admission) and isinstance(before.document, Admission):
        if document.decided_on != before.document.decided_on:
            if document.decided_on < before.document.decided_on:
                remarks.append(older)
            return document.decided_on > before.document.decided_on
    elif isinstance(document, Closing) and isinstance(before.document, Closing):
        return document.closed_on > before.document.closed_on
    elif isinstance(document, Inspection) and isinstance(before.document, Inspection):
        return document.finished > before.document.finished
    elif isinstance(document, Screening) and isinstance(before.document, Screening):
        return document.screened_on > before.document.screened_on
    elif isinstance(document, Customs):
        if before.digest in incoming.superseded(Customs):
            return True
        if paper.digest in own.superseded(Customs):
            remarks.append(older)
            return False
    elif isinstance(document, Kit | Ready) and _is_updated(own, incoming):
        remarks.append(f"{paper.name} in the dossier is another than the one here, which stays: {_BY_UPDATE}")
        return False
    elif isinstance(document, Flags) and isinstance(before.document, Flags):
        # A later run names every earlier one; a run that does not would hide one.
        if before.digest in incoming.made_by(Flags, document.by):
            return True
        if paper.digest in own.made_by(Flags, document.by):
            remarks.append(older)
            return False
    assert before is not None
    raise AnswerChanged(
        f"{paper.name} differs from the one here, and nothing signed says why",
        where=where,
        expected=before.digest[:16],
        found=paper.digest[:16],
        hint="a declaration changes by an amendment, a packing statement by a new seal, a run of the rules by one that "
        "names it, the rest by a newer attempt",
    )


def _as_it_left(incoming: Papers, name: str) -> Paper | None:
    """Return the kit that left, or its sheet, of papers in which it was changed since; None where it is not there."""
    left = chain_in(incoming)[0].digest
    for paper in incoming.by_name.values():
        if paper.digest == left and name == "kit.json":
            return paper
        if isinstance(paper.document, Ready) and paper.document.kit == left and name == "ready.json":
            return paper
    return None


def _is_updated(own: Papers, incoming: Papers) -> bool:
    """Return whether a signed update of the kit is here or there: their kits then differ by it."""
    return own.current(KitUpdate) is not None or incoming.current(KitUpdate) is not None


def _superseded_here(own: Papers) -> set[str]:
    known = own.superseded(Declaration)
    current = own.current(Declaration)
    return {
        declaration.supersedes
        for declaration in (*known.values(), *([current] if current is not None else []))
        if declaration.supersedes is not None
    }


def _last_sealed(custody: Sequence[CustodyLine], statement: str) -> int:
    numbers = [
        line.event.sequence
        for line in custody
        if line.event.verb == "sealed" and names_statement(line.event, statement)
    ]
    return max(numbers, default=-1)
