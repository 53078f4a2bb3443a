"""What closing records and custody logs say of erased drives, held against the signed sanitisations of them."""

from __future__ import annotations

from collections.abc import Iterator

from packtrain.diligence.audit.faults import Fault
from packtrain.diligence.audit.reading import Record
from packtrain.documents.closing import ClosedDrive, Closing
from packtrain.documents.sanitisation import NOT_SANITISED, Sanitisation, claims_too_much
from packtrain.documents.shipment import Shipment


def sanitisations(record: Record) -> Iterator[Fault]:
    """Yield every sanitisation that claims too much, and every claim that rests on none."""
    found = {seen.sha256: (seen.name, sanitised) for seen, sanitised in record.all_of(Sanitisation)}
    shipment = record.current(Shipment)
    shipped = {drive.uuid: drive for drive in shipment.drives} if shipment is not None else {}
    for name, sanitised in found.values():
        for what in claims_too_much(sanitised):
            yield Fault("contradiction", name, what)
        if shipment is None:
            continue
        drive = shipped.get(sanitised.drive)
        if sanitised.shipment != shipment.shipment or drive is None:
            yield Fault("contradiction", name, f"it is of a drive that this shipment does not name: {sanitised.drive}")
        elif (drive.label, drive.serial) != (sanitised.label, sanitised.shipped_serial):
            yield Fault("contradiction", name, f"the shipment calls this drive {drive.label}, serial {drive.serial}")
    by_digest = {digest: sanitised for digest, (_, sanitised) in found.items()}
    for seen, closing in record.all_of(Closing):
        for closed in closing.drives:
            if closed.record is not None and closed.record not in by_digest:
                what = f"{seen.name} names it for drive {closed.label}, and it is not in this record"
                yield Fault("missing", f"sanitisation {closed.record[:16]}", what)
            elif (what := _unfounded(closed, by_digest)) is not None:
                yield Fault("contradiction", seen.name, f"drive {closed.label}: {what}")
    yield from _erased(record, by_digest)


def _unfounded(closed: ClosedDrive, found: dict[str, Sanitisation]) -> str | None:
    if closed.record is None:
        if closed.sanitisation == NOT_SANITISED:
            return None
        return f"it is called {closed.sanitisation}, and no sanitisation is named that says so"
    sanitised = found[closed.record]
    if (sanitised.drive, sanitised.result) == (closed.uuid, closed.sanitisation):
        return None
    says = f"sanitisation {closed.record[:16]} says {sanitised.result} of drive {sanitised.label}"
    return f"it is called {closed.sanitisation}, and {says}"


def _erased(record: Record, found: dict[str, Sanitisation]) -> Iterator[Fault]:
    """Yield entries that call a drive erased, and rest on no sanitisation of their party that says so."""
    done = {(each.by, each.drive) for each in found.values() if each.result != NOT_SANITISED}
    seen: set[str] = set()
    for log in (record.custody, *record.other_logs.values()):
        for line, event in log.events:
            if event.verb != "erased" or line.digest in seen:
                continue
            seen.add(line.digest)
            bare = [uuid for uuid in event.drives if (event.by, uuid) not in done]
            if bare:
                what = f"the {event.by} notes drives as erased, and no sanitisation says so: {', '.join(bare)[:300]}"
                yield Fault("contradiction", f"{log.name}, line {line.number}", what)
