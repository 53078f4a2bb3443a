"""Section 7, screening: against which lists of which days, which candidates, and what persons said of them."""

from __future__ import annotations

from packtrain.diligence.audit.flags_values import CandidateStory, ScreeningStory
from packtrain.diligence.audit.reading import Record, SeenDocument
from packtrain.diligence.audit.telling import told_of
from packtrain.diligence.screening.record import SignedDisposition
from packtrain.diligence.screening.verdict import CandidateState, states_of
from packtrain.documents.declaration import Declaration
from packtrain.documents.disposition import Disposition
from packtrain.documents.packing_statement import PackingStatement
from packtrain.documents.screening import Screening


def screenings(record: Record) -> tuple[ScreeningStory, ...]:
    """Return every screening, the oldest first, each with the state of its candidates after all answers here."""
    given = [
        SignedDisposition(seen.sha256, disposition, seen.signature.key)
        for seen, disposition in record.all_of(Disposition)
    ]
    declaration = record.documents.get("declaration.json")
    signer = declaration.signature.key if declaration is not None else ""
    found = sorted(record.all_of(Screening), key=lambda pair: (pair[1].screened_on, pair[0].name))
    return tuple(_story(record, seen, screening, given, signer) for seen, screening in found)


def _story(
    record: Record, seen: SeenDocument, screening: Screening, given: list[SignedDisposition], signer: str
) -> ScreeningStory:
    is_current = seen.name in ("screening.json", f"screenings/{screening.by}.json")
    remarks: list[str] = []
    for kind, named in (
        (Declaration, screening.declaration),
        (PackingStatement, screening.packing_statement),
    ):
        current = record.documents.get(f"{kind.kind}.json")
        if is_current and current is not None and current.sha256 != named:
            remarks.append(f"it is of another {kind.kind.replace('-', ' ')} than the one in force")
    remarks += [
        f'"{subject.text}": {subject.num_left_out} more candidates were not kept, the best at {subject.best_left_out}'
        for subject in screening.subjects
        if subject.num_left_out
    ]
    return ScreeningStory(
        told=told_of(seen),
        by=screening.by,
        screened_on=screening.screened_on,
        is_current=is_current,
        outcome=screening.outcome,
        lists=tuple(
            f"{each.label} of {each.date}, {each.age_days} days old then, {each.num_entries} entries"
            for each in screening.lists
        ),
        num_subjects=len(screening.subjects),
        candidates=tuple(map(_candidate, states_of(screening, given, signer))),
        remarks=tuple(remarks),
    )


def _candidate(state: CandidateState) -> CandidateStory:
    point = state.open_point
    return CandidateStory(
        subject=state.subject.text,
        entry=f"{state.candidate.text} ({state.candidate.list}, {state.candidate.entry})",
        score=state.candidate.score,
        is_strong=state.is_strong,
        answers=tuple(
            f"{each.disposition.answered_on}: {each.disposition.verdict}, for the {each.disposition.by}: "
            f"{each.disposition.because}"
            for each in state.answers
        ),
        state=f"open: {point.kind}" if point is not None else f"answered: {state.disposition}",
        is_open=point is not None,
    )
