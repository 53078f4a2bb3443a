"""Repair in place, without any key: what a drive lost is rebuilt from its group and written back.

Nothing takes its name on a drive before its SHA-256 was held against a document of the drives, whose signature is
checked where a voyage folder says who may sign. Every file is written whole or not at all, so a repair that was killed
is simply run again. What is good on a drive is not touched.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from packtrain.documents.drive import Drive as DriveRecord
from packtrain.documents.group import Group
from packtrain.documents.plan import Plan
from packtrain.documents.shipment import Shipment
from packtrain.durable import TEMPORARY_SUFFIX
from packtrain.events import Sink
from packtrain.ports import Drive
from packtrain.record.trust import Trust
from packtrain.volume import layout
from packtrain.volume.first_names import FirstNames
from packtrain.volume.given import check_distinct, label_of
from packtrain.volume.losses import printable
from packtrain.volume.mend_papers import SHIPMENT_FILES, Papers
from packtrain.volume.mend_report import Mended, MendLog, MendReport
from packtrain.volume.mend_volumes import Rebuild, StripeColumns, Target, write_pieces
from packtrain.volume.scrub import OTHER_SHIPMENT, UNLISTED, Survey, survey
from packtrain.volume.scrub_report import SeenDrive

WITHOUT_RECORD: Final = (
    "without its signed closing record a drive cannot be mended: a copy of its small files, given as a drive, is "
    'enough; else the consignor makes the drive anew ("packtrain pack --replace")'
)
_MAX_THREADS: Final = 64
# Files of a drive that are not of its shipment: so many are named.
_NAMED: Final = 100
# What a load holds against the tag manifest before it reads a volume: mended before the volumes are judged by it.
_FIRST: Final = (
    layout.BAGIT,
    layout.MANIFEST,
    layout.PLAN,
    layout.PLAN + layout.SIGNATURE_SUFFIX,
    layout.GROUP,
    layout.GROUP + layout.SIGNATURE_SUFFIX,
)


def mend(
    drives: Sequence[Drive],
    trust: Trust | None,
    sink: Sink,
    *,
    plan: Plan | None = None,
    shipment: Shipment | None = None,
    stage: str = "check",
) -> MendReport:
    """Repair these drives in place, as far as they and the code allow, and return what was done.

    Args:
        drives: all that are at hand; each may help the others of its group.
        trust: who may sign; None takes the documents of the drives at their word, and the report says so.
        sink: takes the progress.
        plan, shipment: the verified documents, where the caller has them.
        stage: the verb that events name.

    Raises:
        DuplicateDrive: the same folder was given twice.
    """
    check_distinct(drives)
    log = MendLog()
    _mend_first_papers(drives, trust, log)
    seen = survey(drives, trust, sink, plan=plan, shipment=shipment, stage=stage)
    papers = Papers(drives, trust)
    lost = {(i.drive.location, name): column.lost for i in seen.seen for name, column in i.hurt.items() if column.lost}
    columns = StripeColumns(papers.known(), lost)
    with ThreadPoolExecutor(max(1, min(len(drives), _MAX_THREADS))) as pool:
        total_bytes = sum(column.volume.bytes for item in seen.seen for column in item.hurt.values())
        rebuild = Rebuild(columns, pool, log, sink, stage, total_bytes)
        for number, group in sorted(seen.groups.items()):
            hurt = _hurt(seen, number, group)
            for stripe in sorted(hurt):
                rebuild.stripe(group, stripe, hurt[stripe])
    for item in seen.seen:
        _mend_papers(item, papers, log)
        _list_the_rest(item, log)
    return MendReport(
        has_signatures_checked=trust is not None,
        target=None,
        drives=tuple(sorted(log.uuids)),
        mended=tuple(log.mended),
        left=tuple(log.left),
        num_lost_stripes=seen.report.num_lost_stripes,
        cases=log.cases(record for _, record in papers.known()),
    )


def _mend_first_papers(drives: Sequence[Drive], trust: Trust | None, log: MendLog) -> None:
    """Mend the tag manifest, and what it lists that a drive is judged by."""
    papers = Papers(drives, trust)
    for drive in drives:
        record = papers.records.get(drive.location)
        tag_manifest = papers.tag_manifest(drive) if record is not None else None
        if record is None or tag_manifest is None:
            continue  # the survey says why the drive cannot be used
        tags = papers.tags(drive) or {}
        digests = {layout.TAG_MANIFEST: record.tagmanifest, **{name: tags[name] for name in _FIRST if name in tags}}
        with log.writing(drive, record.label):
            for name, sha256 in digests.items():
                if papers.hash(drive, name) == sha256:
                    continue
                pieces = iter((tag_manifest,)) if name == layout.TAG_MANIFEST else papers.pieces(drive, name, sha256)
                if pieces is not None:
                    write_pieces(drive, name, pieces)
                    log.mended.append(Mended(record.label, name, "made anew"))
                    log.uuids.add(record.uuid)


def _hurt(seen: Survey, number: int, group: Group) -> dict[int, dict[int, Target]]:
    """Return by stripe and column which volumes of a group are to be written, and where."""
    hurt: dict[int, dict[int, Target]] = {}
    for item in seen.seen:
        if item.mounted is None or item.mounted.record.group != number or not item.is_usable:
            continue
        record = item.mounted.record
        for volume in group.volumes:
            name = layout.volume_name(volume.stripe, volume.column, group.k)
            if volume.drive == record.planned_uuid and (name in item.hurt or name in item.overlong):
                target = Target(item.drive, record.label, record.uuid)
                hurt.setdefault(volume.stripe, {})[volume.column] = target
    return hurt


def _mend_papers(item: SeenDrive, papers: Papers, log: MendLog) -> None:
    """Mend the other tag files of a drive and remove what an interrupted run left."""
    if item.mounted is None or not item.is_usable or item.drive.location in log.stopped:
        return
    drive, record, tags = item.drive, item.mounted.record, item.mounted.tag_files
    with log.writing(drive, record.label):
        for name in sorted(item.bad_files):
            pieces = papers.pieces(drive, name, tags[name])
            if pieces is None:
                log.leave(record.label, name, _WHY_LEFT.get(name, "no drive here has it whole"))
                continue
            write_pieces(drive, name, pieces)
            log.mended.append(Mended(record.label, name, "made anew"))
            log.uuids.add(record.uuid)
        _mend_shipment(drive, record, papers, log)
        known = {*tags, *item.volume_names, *UNLISTED}
        strangers = FirstNames(_NAMED)
        unfinished: set[str] = set()
        for name in drive.names():
            if name.endswith(TEMPORARY_SUFFIX) and name.removesuffix(TEMPORARY_SUFFIX) in known:
                unfinished.add(name)
            elif name not in known:
                strangers.add(name)
        for name in sorted(unfinished):
            drive.remove(name)
            log.mended.append(Mended(record.label, name, "removed: an unfinished file"))
            log.uuids.add(record.uuid)
        for name in strangers:
            log.leave(
                record.label, printable(os.fsencode(name[:200])), "not a file of this shipment; it is not touched"
            )
        if strangers.num_more:
            log.leave(record.label, "", f"{strangers.num_more} more files that are not of this shipment")


def _mend_shipment(drive: Drive, record: DriveRecord, papers: Papers, log: MendLog) -> None:
    """Copy the shipment document onto a drive that has it, and not whole, or another shipment's."""
    here = [name for name in SHIPMENT_FILES if drive.size_bytes(name) is not None]
    files = papers.shipment_files(record.plan) if here and papers.shipment_on(drive, record.plan) is None else {}
    for name, payload in files.items():
        drive.write_bytes(name, payload)
        log.mended.append(Mended(record.label, name, "copied"))
        log.uuids.add(record.uuid)


_WHY_LEFT: Final = {
    layout.CUSTODY: "only this drive had it: its signed history cannot be made anew; the volumes are not concerned",
}


def _list_the_rest(item: SeenDrive, log: MendLog) -> None:
    """Leave what a repair cannot change: drives without a usable closing record, findings of another kind."""
    label = item.mounted.record.label if item.mounted is not None else label_of(item.drive) or item.drive.location
    if item.mounted is None or not item.is_usable:
        for finding in item.findings:
            log.leave(label, "", f"{finding}; {WITHOUT_RECORD}" if item.mounted is None else finding)
        return
    handled = tuple(f"{name} " for name in (*item.bad_files, *item.overlong, "unknown file"))
    if any((done.drive, done.name) == (label, layout.SHIPMENT) for done in log.mended):
        handled = (*handled, f"{item.drive.location}: {layout.SHIPMENT}", OTHER_SHIPMENT)
    for finding in item.findings:
        if not finding.startswith(handled):
            log.leave(label, "", finding)
