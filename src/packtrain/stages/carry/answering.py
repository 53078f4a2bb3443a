"""Signing for released cases: the same whether the release came as a file or as a code."""

from __future__ import annotations

from collections.abc import Sequence

from packtrain.diligence.hand_over import custody_log, extend
from packtrain.diligence.heads import refuse_contradicted, sign_own_head
from packtrain.documents.custody import CustodyEvent
from packtrain.documents.parties import Role
from packtrain.errors import CustodyBroken
from packtrain.events import Notice, Sink
from packtrain.record.custody import CustodyLine
from packtrain.record.folder import VoyageFolder


def refuse_no_release(event: CustodyEvent, role: Role, where: str) -> None:
    """Refuse an entry that releases nothing to this party."""
    if event.verb == "released" and event.counterpart == role:
        return
    raise CustodyBroken(
        "the last entry is no release to this party",
        where=where,
        expected=f"released to the {role}",
        found=f"{event.verb} by the {event.by}" + (f" to the {event.counterpart}" if event.verb == "released" else ""),
        hint=f"the {event.counterpart} answers this; {role}'s own part comes after: "
        '"packtrain carry adopt" with the answer'
        if event.by == role
        else "ask the other side for the hand-over file or code of these cases",
    )


def answer_release(
    folder: VoyageFolder, own: Sequence[CustodyLine], beyond: Sequence[CustodyLine], sink: Sink, *, note: str
) -> None:
    """Append the other side's entries, of which the last releases cases to this party, and the acceptance; sign a head.

    Args:
        folder: this party's.
        own: its log.
        beyond: the verified entries that follow it; with it, the last is a release to this party.
        sink: takes events.
        note: place, persons, what was seen.
    """
    # Cut off after the release was taken in, and run again: it is the last line of the own log.
    role, log, released = folder.voyage_file().voyage.role, custody_log(folder), (*own, *beyond)[-1]
    refuse_contradicted(folder, (*own, *beyond), str(log.path))
    extend(folder, beyond)
    trust = folder.trust()
    log.append(
        "accepted",
        shipment=released.event.shipment,
        by=role,
        signer=folder.signer(),
        trust=trust,
        cases=released.event.cases,
        seals=released.event.seals,
        counterpart=released.event.by,
        answers=released.digest,
        note=note,
    )
    sign_own_head(folder, log.read(trust))
    seals = ", ".join(f"{case}: {seal}" for case, seal in zip(released.event.cases, released.event.seals, strict=False))
    sink(Notice("carry", f"accepted from the {released.event.by}; the seals should read {seals}"))
