"""Observing: what the holder of a case saw or lost, signed into the log."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from packtrain.diligence.hand_over import custody_log
from packtrain.documents.shipment import Shipment
from packtrain.errors import CustodyBroken
from packtrain.events import Notice, Sink
from packtrain.record.custody import CustodyLine
from packtrain.record.folder import VoyageFolder
from packtrain.stages.carry.at_hand import present, refuse_while_open

Observation = Literal["sighted", "seal-checked", "seal-broken", "lost", "repaired"]


def observe(
    folder: VoyageFolder,
    observation: Observation,
    sink: Sink,
    *,
    cases: Sequence[str] = (),
    drives: Sequence[str] = (),
    note: str = "",
) -> CustodyLine:
    """Sign what was seen or lost into the log: by the party that holds the cases concerned.

    Args:
        folder: the holder's voyage folder.
        observation: the verb of the entry.
        sink: takes events.
        cases: labels; where a case alone is `lost`, all its drives are.
        drives: labels or UUIDs; each must lie in a sealed case.
        note: place, persons, what was seen.

    Raises:
        CustodyBroken: a case or drive is unknown, or held by another party.
        StageNotReady: nothing is sealed yet, or a release waits for its answer.
    """
    role = folder.voyage_file().voyage.role
    lines, held = present(folder)
    refuse_while_open(held, role, folder)
    place = str(custody_log(folder).path)
    case_of = {uuid: line.event.cases[0] for line in lines if line.event.verb == "sealed" for uuid in line.event.drives}
    labels = {drive.label: drive.uuid for drive in folder.read_signed(Shipment).drives} if folder.has(Shipment) else {}
    drives = [labels.get(drive, drive) for drive in drives]
    unknown = [case for case in cases if case not in held] + [uuid for uuid in drives if uuid not in case_of]
    if unknown:
        raise CustodyBroken(
            "no such sealed case or drive",
            where=place,
            found=", ".join(unknown),
            hint='"packtrain custody show" names the cases and drives of the log'
            if labels or not drives
            else "labels of drives come with the dossier: import it first, or give the UUID",
        )
    if observation == "lost" and cases and drives:
        raise CustodyBroken(
            "one entry is about lost cases or about lost drives",
            where=place,
            expected="--case or --drive",
            found="both",
            hint="note the cases by one entry and the drives by another",
        )
    concerned = sorted({*cases, *(case_of[uuid] for uuid in drives)})
    if strangers := [case for case in concerned if held[case].holder != role]:
        raise CustodyBroken(
            "only the holder of a case writes about it",
            where=place,
            expected=held[strangers[0]].holder,
            found=role,
            hint=f"the {held[strangers[0]].holder} notes it, in its own voyage folder; or take the case over first",
        )
    line = custody_log(folder).append(
        observation,
        shipment=lines[-1].event.shipment,
        by=role,
        signer=folder.signer(),
        trust=folder.trust(),
        cases=concerned,
        drives=tuple(sorted(drives)),
        seals=tuple(held[case].seal for case in concerned),
        note=note,
    )
    sink(
        Notice(
            "carry", f"{observation}: case {', '.join(concerned)}", is_warning=observation in ("lost", "seal-broken")
        )
    )
    return line
