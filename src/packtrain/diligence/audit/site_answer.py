"""Sections 8 to 10: the verdict of the site, what was packed, loaded and trained, and what came home."""

from __future__ import annotations

from collections.abc import Iterator

from packtrain.diligence.audit.answers import CameHome, Closed, SiteVerdict, Trained
from packtrain.diligence.audit.log import SeenLine
from packtrain.diligence.audit.reading import Record
from packtrain.diligence.audit.telling import told_of, told_of_current
from packtrain.documents.admission import Admission
from packtrain.documents.closing import ClosedDrive, Closing
from packtrain.documents.custody import CustodyEvent
from packtrain.documents.export_list import ExportList
from packtrain.documents.kit import Kit
from packtrain.documents.kit_update import KitUpdate
from packtrain.documents.provenance import Provenance
from packtrain.documents.ready import Ready
from packtrain.documents.sanitisation import NOT_SANITISED
from packtrain.documents.shipment import Shipment
from packtrain.units import format_bytes


def site_verdicts(record: Record) -> tuple[SiteVerdict, ...]:
    """Return every verdict, the one in force first, then the newest first."""
    found = sorted(record.all_of(Admission), key=lambda pair: pair[1].decided_on, reverse=True)
    found.sort(key=lambda pair: "/" in pair[0].name)
    return tuple(
        SiteVerdict(
            told=told_of(seen),
            verdict=admission.verdict,
            is_current=seen.name == "admission.json",
            own_site=admission.own_site,
            decided_on=admission.decided_on,
            drives=tuple(f"{drive.label} ({drive.serial}, case {drive.case})" for drive in admission.drives),
            checks=admission.checks,
        )
        for seen, admission in found
    )


def trained(record: Record) -> Trained:
    """Return what signed documents say of packing, loading and training; most of it lies in receipts nobody signs."""
    return Trained(tuple(_packed(record)), tuple(_loaded(record)), tuple(_trained(record)))


def _packed(record: Record) -> list[str]:
    shipment, kit = record.current(Shipment), record.current(Kit)
    told: list[str] = []
    if shipment is not None:
        told.append(
            f"{shipment.num_files:,} files, {format_bytes(shipment.plaintext_bytes)} before redundancy, "
            f"{format_bytes(shipment.stored_bytes)} on {len(shipment.drives)} drives (groups: {len(shipment.groups)}), "
            f"closed {shipment.closed} ({shipment.purpose})"
        )
    if kit is not None:
        told.append(f"training program {kit.program}, started by: {kit.command}")
    return told


def _loaded(record: Record) -> list[str]:
    return [
        f"{event.at}: the {event.by} notes {len(event.drives)} drives as loaded"
        f"{f': {event.note}' if event.note else ''} ({name}, line {line.number})"
        for name, line, event in _all_events(record)
        if event.verb == "loaded"
    ]


def _all_events(record: Record) -> Iterator[tuple[str, SeenLine, CustodyEvent]]:
    """Yield every entry once: at the end each side notes by itself what it did, and has the other's log beside."""
    seen: set[str] = set()
    for log in (record.custody, *record.other_logs.values()):
        for line, event in log.events:
            if line.digest not in seen:
                seen.add(line.digest)
                yield log.name, line, event


def _trained(record: Record) -> list[str]:
    ready, export_list = record.current(Ready), record.current(ExportList)
    told: list[str] = []
    if ready is not None:
        kept = sum(clause.verdict == "kept" for clause in ready.clauses)
        told.append(
            f"rehearsal before departure, finished {ready.finished}: {kept} of {len(ready.clauses)} clauses kept, "
            f"{'ready' if ready.ready_to_leave else 'not ready'} to leave, {ready.num_steps} steps"
        )
    for update in sorted((document for _, document in record.all_of(KitUpdate)), key=lambda each: each.number):
        told.append(f"kit update {update.number}, made {update.created}: {update.reason}")
    if (provenance := record.current(Provenance)) is not None:
        told += [
            f"under kit {each.kit[:16]}{f', brought by update {number}' if number else ', from the drives'}: "
            f"{f'steps {each.steps}' if each.steps else 'no step'}"
            for number, each in enumerate(provenance.kits)
        ]
    if export_list is not None:
        told.append(f"the export list names the receipt of a training by its SHA-256, {export_list.training}")
    return told


def came_home(record: Record) -> CameHome:
    """Return what left the site under both signatures, and every party's closing record."""
    export_list, seen = record.current(ExportList), record.documents.get("export-list.json")
    second = seen.second.words if seen is not None and seen.second is not None else None
    closings = sorted(record.all_of(Closing), key=lambda pair: pair[1].closed_on)
    return CameHome(
        told=told_of_current(record, ExportList),
        second_signature=second if export_list is not None else None,
        made_on=export_list.made_on if export_list is not None else None,
        total_bytes=sum(file.bytes for file in export_list.files) if export_list is not None else 0,
        files=export_list.files if export_list is not None else (),
        tensors=export_list.tensors if export_list is not None else (),
        checks=export_list.checks if export_list is not None else (),
        closings=tuple(
            Closed(
                told=told_of(closing_seen),
                by=closing.by,
                closed_on=closing.closed_on,
                keys_destroyed=closing.keys_destroyed,
                drives=tuple(_became(drive) for drive in closing.drives),
                retention_years=closing.retention_years,
            )
            for closing_seen, closing in closings
        ),
    )


def _became(drive: ClosedDrive) -> str:
    """Return what became of a drive; a text that ends with "not sanitised" is counted as such."""
    if drive.sanitisation == NOT_SANITISED:
        return f"{drive.label}: {drive.sanitisation}"
    return f"{drive.label}: {drive.sanitisation} ({drive.detail}; sanitisation {(drive.record or 'none')[:16]})"
