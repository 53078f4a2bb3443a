"""What travelled, held against the one packing statement: drives, cases, seals, hand-overs, and what is mounted now."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from packtrain.diligence.hand_over import holdings
from packtrain.diligence.packing import names_statement, statement_named
from packtrain.documents.custody import CustodyEvent
from packtrain.documents.drive import Drive, unread_serial
from packtrain.documents.packing_statement import PackingStatement
from packtrain.documents.shipment import Shipment
from packtrain.errors import CustodyBroken
from packtrain.record.custody import CustodyLine

Outcome = Literal["passed", "hold", "refuse", "not done"]
_SEEN_BEFORE: Final = "an earlier verdict found: "


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found."""

    outcome: Outcome
    detail: str


@dataclass(frozen=True, slots=True)
class SightedDrive:
    """What was read from one mounted drive.

    Attributes:
        location: where it is mounted, for messages.
        serial: the device's own serial number, or None where there is none to read.
        record: its closing record, signature checked, or None.
        record_digest: SHA-256 of the closing record.
        fault: why there is no record.
        is_unreadable: the medium failed, so that the drive may still be one of the shipment.
    """

    location: str
    serial: str | None
    record: Drive | None = None
    record_digest: str | None = None
    fault: str = ""
    is_unreadable: bool = False


def check_coverage(shipment: Shipment, statement: PackingStatement) -> Finding:
    """Find whether the statement names every drive of the shipment exactly once, in its case, with its serial."""
    shipped = {drive.uuid: (drive.case, drive.label, drive.serial) for drive in shipment.drives}
    stated = [
        (drive.uuid, (case.label, drive.label, drive.serial)) for case in statement.cases for drive in case.drives
    ]
    counts = Counter(uuid for uuid, _ in stated)
    faults = [f"{drive.label}: not on the statement" for drive in shipment.drives if drive.uuid not in counts]
    faults += [f"{label}: not of this shipment" for uuid, (_, label, _) in stated if uuid not in shipped]
    faults += [
        f"{shipped[uuid][1]}: on the statement {count} times"
        for uuid, count in counts.items()
        if count > 1 and uuid in shipped
    ]
    faults += [
        f"{label}: stated in case {case} with serial {serial}, "
        f"packed in case {shipped[uuid][0]} with {shipped[uuid][2]}"
        for uuid, (case, label, serial) in stated
        if uuid in shipped and shipped[uuid] != (case, label, serial)
    ]
    if faults:
        return Finding("refuse", "; ".join(faults))
    return Finding("passed", f"one statement covers all {len(shipped)} drives in {len(statement.cases)} cases")


def check_cases(statement: PackingStatement) -> Finding:
    """Find whether every case has a carrier and a seal number of its own."""
    faults = [f"case {case.label}: no carrier" for case in statement.cases if not case.carrier.strip()]
    faults += [f"case {case.label}: no seal" for case in statement.cases if not case.seal.strip()]
    for what, counts in (
        ("seal", Counter(case.seal for case in statement.cases)),
        ("case", Counter(case.label for case in statement.cases)),
    ):
        faults += [f"{what} {name}: given {count} times" for name, count in sorted(counts.items()) if count > 1]
    if faults:
        return Finding("refuse", "; ".join(faults))
    return Finding(
        "passed", "; ".join(f"{case.label}: carrier {case.carrier}, seal {case.seal}" for case in statement.cases)
    )


def check_custody(
    lines: Sequence[CustodyLine], statement: PackingStatement, statement_digest: str, superseded: Collection[str]
) -> Finding:
    """Find whether the custody log tells of these cases, drives and seals and of no others.

    Entries from before the statement's first seal belong to an earlier statement and are not judged; but that earlier
    statement, with its carriers and seals, must be among those that are here, `superseded` (SHA-256).
    """
    try:
        held = holdings(lines, "custody log")
    except CustodyBroken as error:
        return Finding("refuse", error.message)
    sealed = [number for number, line in enumerate(lines) if _is_seal_of(line.event, statement_digest)]
    if not sealed:
        return Finding("hold", "no case was sealed under this packing statement in the custody log")
    since = [line.event for line in lines[sealed[0] :]]
    refused = _strangers(since, statement)
    if refused:
        return Finding("refuse", "; ".join(refused))
    missing = {case.label for case in statement.cases} - {event.cases[0] for event in since if event.verb == "sealed"}
    waiting = statements_left_out(lines, {statement_digest, *superseded})
    waiting += [f"case {label}: not sealed in the log" for label in sorted(missing)]
    waiting += [
        f"case {', '.join(event.cases)}: seal broken{f', {event.note}' if event.note else ''}"
        for event in since
        if event.verb == "seal-broken"
    ]
    if waiting:
        return Finding("hold", "; ".join(waiting))
    where = "; ".join(
        f"case {case} is with the {held[case].holder}"
        + (f", released to the {held[case].released_to}" if held[case].released_to else "")
        for case in sorted(case.label for case in statement.cases)
    )
    return Finding("passed", f"every case sealed under the statement; {where}")


def statements_left_out(lines: Sequence[CustodyLine], here: Collection[str]) -> list[str]:
    """Return which packing statements the log has seals under and that are not among those `here`, a sentence each."""
    named: dict[str, int] = {}
    for line in lines:
        if (statement := statement_named(line.event)) is not None:
            named.setdefault(statement, line.event.sequence)
    return [
        f"packing statement {statement[:12]}, under which entry {sequence} seals a case, is missing"
        for statement, sequence in named.items()
        if statement not in here
    ]


def _is_seal_of(event: CustodyEvent, statement_digest: str) -> bool:
    return event.verb == "sealed" and names_statement(event, statement_digest)


def _strangers(events: Sequence[CustodyEvent], statement: PackingStatement) -> list[str]:
    """Return what the log names and the statement does not: PT-1 is exactly this."""
    cases = {case.label: case for case in statement.cases}
    drives = {drive.uuid for case in statement.cases for drive in case.drives}
    faults: list[str] = []
    for event in events:
        about = f"entry {event.sequence} ({event.verb})"
        if event.shipment != statement.shipment:
            faults.append(f"{about}: another shipment")
        faults += [f"{about}: case {case} is not on the packing statement" for case in event.cases if case not in cases]
        faults += [
            f"{about}: drive {uuid} is not on the packing statement" for uuid in event.drives if uuid not in drives
        ]
        if len(event.seals) == len(event.cases):
            faults += [
                f"{about}: case {case} with seal {seal}, stated was {cases[case].seal}"
                for case, seal in zip(event.cases, event.seals, strict=True)
                if case in cases and seal != cases[case].seal
            ]
        elif event.seals:
            faults.append(f"{about}: seals that belong to no case")
    return faults


def check_mounted(
    sighted: Sequence[SightedDrive] | None,
    lines: Sequence[CustodyLine],
    shipment: Shipment,
    statement: PackingStatement,
    lost: Collection[str],
    before: Finding | None = None,
    *,
    no_more: bool = False,
) -> Finding:
    """Find whether the mounted drives are those of the statement: unknown or swapped refuses, missing holds.

    A site with fewer bays than drives cannot show all at once, so a drive that is not shown is missing only where the
    operator says that there are no more; one with a signed `lost` entry passes all the same, and is named. Without
    mounted drives this is not judged, unless the verdict `before` found fault with those of that day: not showing
    them again mends nothing.
    """
    if sighted is None:
        if before is not None and before.outcome in ("hold", "refuse"):
            return _as_before(before, "no drive was mounted")
        return Finding("not done", "no drive was mounted: which drives arrived was not judged")
    shipped = {drive.uuid: drive for drive in shipment.drives}
    stated = {drive.uuid: (case.label, drive.serial) for case in statement.cases for drive in case.drives}
    refused: list[str] = []
    held: list[str] = []
    seen: dict[str, str] = {}
    holders = holdings(lines, "custody log") if lines else {}
    for drive in sighted:
        record = drive.record
        if record is None:
            (held if drive.is_unreadable else refused).append(f"{drive.location}: {drive.fault}")
            continue
        if record.uuid not in stated or record.uuid not in shipped:
            refused.append(f"{drive.location}: drive {record.label} ({record.uuid}) is not on the packing statement")
            continue
        if drive.record_digest != shipped[record.uuid].record:
            refused.append(f"{drive.location}: closing record of {record.label} is not the one that the shipment names")
        if record.uuid in seen:
            refused.append(f"{drive.location}: drive {record.label} is mounted at {seen[record.uuid]} too")
        seen[record.uuid] = drive.location
        case, serial = stated[record.uuid]
        swapped, unknown = serial_faults(drive, serial, record.uuid)
        refused += swapped
        held += unknown
        if record.uuid in lost:
            held.append(f"{drive.location}: drive {record.label} was reported lost, and is here")
        if case in holders and holders[case].holder == "consignor":
            held.append(f"{drive.location}: case {case} is mounted here, and nobody at the site has accepted it")
    absent = [uuid for uuid in stated if uuid in shipped and uuid not in seen]
    noted = [f"{shipped[uuid].label}: lost, by a signed entry" for uuid in absent if uuid in lost]
    not_shown = [shipped[uuid].label for uuid in absent if uuid not in lost]
    if no_more:
        held += [f"{label}: missing, and no entry says why" for label in not_shown]
    if refused or held:
        return Finding("refuse" if refused else "hold", "; ".join([*refused, *held]))
    told = [f"{len(seen)} of {len(stated)} drives mounted, all on the statement", *noted]
    if not_shown and not no_more:
        if before is not None and before.outcome in ("hold", "refuse"):
            return _as_before(before, f"not every drive is shown ({', '.join(not_shown)})")
        return Finding("not done", "; ".join([*told, f"not shown, and not judged: {', '.join(not_shown)}"]))
    return Finding("passed", "; ".join(told))


def _as_before(before: Finding, why: str) -> Finding:
    _, found, detail = before.detail.rpartition(_SEEN_BEFORE)
    return Finding(before.outcome, f"{why}, and {_SEEN_BEFORE}{detail if found else before.detail}")


def serial_faults(drive: SightedDrive, stated: str, uuid: str) -> tuple[list[str], list[str]]:
    """Return what is wrong with a drive's serial: (another one, none that can be read here), in words."""
    # Where packing could read none (a folder, a bridge that hides it) nothing was stated: one that is read here is no
    # other one. A device that hides the stated one is unknown.
    if stated == unread_serial(uuid):
        return [], []
    if drive.serial is not None:
        swapped = drive.serial != stated
        return ([f"{drive.location}: serial {drive.serial}, stated was {stated}"] if swapped else []), []
    return [], [f"{drive.location}: serial cannot be read here, stated was {stated}"]
