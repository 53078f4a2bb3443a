"""Section 6: in whose hands each case was, period by period, and what no log can show."""

from __future__ import annotations

from packtrain.diligence.audit.answers import CaseHeld, Entry, InWhoseHands
from packtrain.diligence.audit.hands import CaseStory, Hands
from packtrain.diligence.audit.heads import heads_of
from packtrain.diligence.audit.reading import Record
from packtrain.diligence.audit.told import Told
from packtrain.diligence.custody_check import LogCheck
from packtrain.diligence.hand_over import in_words
from packtrain.documents.packing_statement import PackingStatement
from packtrain.documents.shipment import Shipment


def in_whose_hands(record: Record, hands: Hands, statement_told: Told | None) -> InWhoseHands:
    """Return the story of every case, stated or in the log."""
    statement, shipment = record.current(PackingStatement), record.current(Shipment)
    stated = {case.label: case for case in statement.cases} if statement is not None else {}
    labels = {drive.uuid: drive.label for drive in shipment.drives} if shipment is not None else {}
    labels |= {drive.uuid: drive.label for case in stated.values() for drive in case.drives}
    cases: list[CaseHeld] = []
    for label in sorted({*stated, *hands.cases}):
        story, packed = hands.cases.get(label, CaseStory(label)), stated.get(label)
        cases.append(
            CaseHeld(
                case=label,
                carrier=packed.carrier if packed else None,
                stated_seal=packed.seal if packed else None,
                seals=tuple(story.seals),
                drives=tuple(f"{drive.label} ({drive.serial})" for drive in packed.drives) if packed else (),
                periods=tuple(story.periods),
                released_to=story.released_to,
                seals_broken=tuple(story.broken),
                seals_checked=tuple(story.checked),
            )
        )
    log, held = record.custody, heads_of(record)
    return InWhoseHands(
        log=log.name,
        head=log.lines[-1].digest if log.lines else None,
        statement=statement_told,
        cases=tuple(cases),
        drives_lost=tuple(f"{labels.get(uuid, 'unknown drive')} ({uuid}): {told}" for uuid, told in hands.lost.items()),
        entries=tuple(
            Entry(line.number, in_words(line.event) if line.event is not None else None, line.signature.words)
            for line in log.lines
        ),
        proven=held.proven,
        not_provable=_not_provable(record, hands, held),
    )


def _not_provable(record: Record, hands: Hands, held: LogCheck) -> tuple[str, ...]:
    log = record.custody
    if not log.lines:
        return ("there is no custody log here: nothing says who held the cases",)
    told = [
        *(
            ()
            if held.num_proven == held.num_entries
            else (
                f"that the log is whole at its end: it ends at line {len(log.lines)}, {log.lines[-1].digest}; a tail "
                "that was cut shows only against the log of the other party, or a head that it signed",
            )
        ),
        "where a case was between two entries, and whether a seal was copied",
        "that a time is true: each is of the clock of who signed",
    ]
    for label, story in sorted(hands.cases.items()):
        if story.released_to is not None:
            told.append(f"that case {label} reached the {story.released_to}: it was released, and nobody accepted it")
        if story.periods and not story.checked and len(story.periods) > 1:
            told.append(f"that the seal of case {label} was whole when it changed hands: no entry says it was checked")
    return tuple(told)
