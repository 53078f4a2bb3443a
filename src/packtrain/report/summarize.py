"""Reads where a voyage stands, from documents, receipts, custody, journals and logs of one machine's folders alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from packtrain.digest import sha256_bytes
from packtrain.documents.admission import Admission
from packtrain.documents.codec import encode
from packtrain.documents.dataset import Dataset
from packtrain.documents.declaration import Declaration
from packtrain.documents.export_list import ExportList
from packtrain.documents.packing_statement import PackingStatement
from packtrain.documents.pieces import Pieces
from packtrain.documents.placement import PlacementDocument
from packtrain.documents.plan import Plan
from packtrain.documents.ready import Ready
from packtrain.documents.receipt import Receipt
from packtrain.documents.shipment import Shipment
from packtrain.errors import PacktrainError
from packtrain.record.checks import CheckedDrive, read_checks
from packtrain.record.custody import CustodyLine, CustodyLog
from packtrain.record.folder import VoyageFolder
from packtrain.record.receipts import instant
from packtrain.report.attempts_view import AttemptsView, attempts_view
from packtrain.report.custody_view import told_of_custody
from packtrain.report.dataset_view import dataset_view
from packtrain.report.drive_view import DriveFacts, drive_views
from packtrain.report.flag_view import rules_views
from packtrain.report.group_view import GroupFacts, group_views
from packtrain.report.inspection_view import inspections_view
from packtrain.report.live_view import live_view
from packtrain.report.load_view import JOURNAL, LoadedDrives, read_drives, read_progress
from packtrain.report.plan_actual import plan_against_actual
from packtrain.report.quietly import quietly
from packtrain.report.route_view import STAGE_ORDER, RouteFacts, route_of
from packtrain.report.summary import PartySeen, PartyView, Summary
from packtrain.report.training_curve import TrainingCurve
from packtrain.report.training_facts import samples_loaded, training_of


def summarize(
    folders: Sequence[VoyageFolder],
    seen: Sequence[PartySeen] = (),
    shard_folder: Path | None = None,
    curve_of: Callable[[VoyageFolder], TrainingCurve | None] = training_of,
) -> Summary:
    """Return what these folders say. Signed documents are checked; a bad one is left out and named.

    Args:
        folders: one a party, all of one voyage.
        seen: what the stages say of each, in the same order; see `overview`.
        shard_folder: where sample pictures are taken from; None shows none (they may be private).
        curve_of: reads the training of a folder; who watches it reads on from where it was.
    """
    reader = _Reader(folders)
    unread = reader.unread
    seen = [*seen, *(PartySeen() for _ in range(len(folders) - len(seen)))]
    parties = tuple(_party(folder, said, unread) for folder, said in zip(folders, seen, strict=True))
    custody = max((party.custody for party in parties), key=len)
    placement = reader.find(PlacementDocument, signed=False)
    dataset = reader.find(Dataset, signed=False)
    plan, shipment = reader.find(Plan), reader.find(Shipment)
    if shipment is not None and plan is not None and shipment.attempt != plan.attempt:
        shipment = None  # of an earlier attempt
    statement, export_list = reader.find(PackingStatement), reader.find(ExportList)
    admission = reader.find(Admission)
    root = sha256_bytes(encode(shipment)) if shipment is not None else None
    if admission is not None and root is not None and admission.shipment_root != root:
        unread.append(
            "admission.json judges another shipment document than the one that is here: it stands for nothing"
        )
        admission = None
    done = [receipt for party in parties for receipt in party.receipts if _is_of(receipt, root)]
    loads = [receipt for receipt in done if receipt.stage == "load"]
    loading = next((found for folder in folders if (found := read_progress(folder)) is not None), None)
    facts = DriveFacts(
        checks=_checks(folders, plan),
        loaded=_loaded(folders, unread) if not loads else LoadedDrives(),
        load=loads[0] if loads else None,
        custody=custody,
    )
    drives = drive_views(placement, plan, shipment, facts)
    group_facts = GroupFacts(
        folders, drives, facts.bad, {group.group: group for group in loading.groups} if loading else {}, bool(loads)
    )
    closed_by = tuple(party.role for party in parties if _has(party, "close"))
    route, cases = route_of(
        RouteFacts(
            drives=drives,
            custody=custody,
            statement=statement,
            has_export=export_list is not None,
            has_results=any(party.role == "consignor" and _has(party, "return") for party in parties),
            is_closed=bool(closed_by),
            verdict=admission.verdict if admission is not None else None,
            stages_done=frozenset(receipt.stage for receipt in done),
            has_sighted=any(receipt.stage == "admit" and "drives" in receipt.inputs for receipt in done),
        ),
        unread,
    )
    training, attempts = trained(parties, curve_of)
    loaded = max(samples_loaded(folder) for folder in folders)
    return Summary(
        name=folders[0].voyage_file().voyage.name,
        parties=parties,
        placement=placement,
        dataset=dataset,
        ready=reader.find(Ready, signed=False),  # one that is not signed (something was not shown) is worth showing
        declaration=reader.find(Declaration),
        plan=plan,
        shipment=shipment,
        packing_statement=statement,
        admission=admission,
        export_list=export_list,
        training=training,
        samples_loaded=loaded,
        sentences=quietly(lambda: told_of_custody(folders[0]), (), unread),
        read_at=instant(),
        shard_folder=shard_folder,
        route=route,
        cases=cases,
        drives=drives,
        superseded=tuple(shipment.voided.items()) if shipment is not None else (),
        groups=group_views(plan, shipment, group_facts, unread),
        packing=next((party.seen.waves for party in parties if party.seen.waves is not None), None),
        loading=loading,
        rules=rules_views(folders, unread),
        card=dataset_view(dataset, loaded if loads else None) if dataset is not None else None,
        pieces=reader.find(Pieces),
        closed_by=closed_by,
        plan_actual=plan_against_actual(folders),
        attempts=attempts,
        inspections=inspections_view(folders, unread),
        unread=tuple(dict.fromkeys(unread)),
    )


class _Reader:
    """Reads documents from whichever folder holds a good one; what cannot be read is named."""

    def __init__(self, folders: Sequence[VoyageFolder]) -> None:
        self._folders = folders
        self.unread: list[str] = []

    def find(self, document_type: type[Any], *, signed: bool = True) -> Any:
        """Return a document; None where no folder holds a good one."""
        for folder in self._folders:
            if not folder.has(document_type):
                continue
            read = folder.read_signed if signed else folder.read
            found = quietly(
                lambda read=read: read(document_type), None, self.unread, folder.document_path(document_type)
            )
            if found is not None:
                return found
        return None


def _party(folder: VoyageFolder, seen: PartySeen, unread: list[str]) -> PartyView:
    receipts: list[Receipt] = []
    for path in sorted(folder.receipts.glob("*.json")):
        receipt = quietly(lambda path=path: folder.receipt(path.stem), None, unread, path)
        receipts += [receipt] if receipt is not None else []
    receipts.sort(
        key=lambda receipt: (
            STAGE_ORDER.index(receipt.stage) if receipt.stage in STAGE_ORDER else len(STAGE_ORDER),
            receipt.stage,
        )
    )
    log = CustodyLog(folder.documents / "custody.jsonl")
    faults: list[str] = []
    nothing: tuple[CustodyLine, ...] = ()
    custody = quietly(lambda: log.read(folder.trust()), nothing, faults, log.path)
    unread += [*faults, *seen.unread]
    role = folder.voyage_file().voyage.role
    return PartyView(
        role=role,
        folder=folder,
        receipts=tuple(receipts),
        custody=custody,
        custody_error=next(iter(faults), None),
        seen=seen,
        live=live_view(folder, role),
    )


def _is_of(receipt: Receipt, root: str | None) -> bool:
    """Return whether a receipt is of the shipment that is here: one of an earlier attempt says nothing of this one."""
    return root is None or receipt.inputs.get("shipment", root) == root


def _has(party: PartyView, stage: str) -> bool:
    return any(receipt.stage == stage for receipt in party.receipts)


def _checks(folders: Sequence[VoyageFolder], plan: Plan | None) -> dict[str, CheckedDrive]:
    """Return the newest look at each drive, whichever party took it."""
    newest: dict[str, CheckedDrive] = {}
    for folder in folders:
        if plan is None or not folder.has(Plan):
            continue
        kept = read_checks(folder, folder.digest(Plan)) or _checked_whole(folder, plan)
        for label, drive in kept.items():
            if label not in newest or newest[label].at < drive.at:
                newest[label] = drive
    return newest


def _checked_whole(folder: VoyageFolder, plan: Plan) -> dict[str, CheckedDrive]:
    """Return what a receipt says of all drives together: a check that found every one of them whole."""
    try:
        receipt = folder.receipt("check")
    except (PacktrainError, OSError):
        return {}
    if (
        receipt is None
        or receipt.facts.get("verdict") != "whole"
        or receipt.inputs.get("plan") != folder.digest(Plan)
        # A drive that was replaced since has a shipment document of its own.
        or receipt.inputs.get("shipment") != (folder.digest(Shipment) if folder.has(Shipment) else None)
        or receipt.counts.get("drives") != len(plan.drives)
    ):
        return {}
    return {
        drive.label: CheckedDrive(
            label=drive.label, uuid="", at=receipt.finished, is_usable=True, num_volumes=0, volume_bytes=0
        )
        for drive in plan.drives
    }


def _loaded(folders: Sequence[VoyageFolder], unread: list[str]) -> LoadedDrives:
    found = [read_drives(folder) for folder in folders]
    unread += [
        f"{folder.root / JOURNAL}: not read to its end: drives that it knows as lost or damaged may not be named here"
        for folder, drives in zip(folders, found, strict=True)
        if not drives.is_whole
    ]
    return next((drives for drives in found if drives.seen or drives.lost or drives.damaged), LoadedDrives())


def trained(
    parties: Sequence[PartyView], curve_of: Callable[[VoyageFolder], TrainingCurve | None]
) -> tuple[TrainingCurve | None, AttemptsView | None]:
    """Return the training that the most step lines tell of, with its attempts.

    Those at the site, with times, come before metrics at home; a program without step lines has attempts alone.
    """
    curves = {party.folder.root: curve_of(party.folder) for party in parties}
    found = [(curve, party) for party in parties if (curve := curves[party.folder.root]) is not None]
    longest, whose = max(found, key=lambda one: (one[0].has_times, one[0].num_lines), default=(None, None))
    views = [attempts_view(one.folder, curves[one.folder.root], one.live) for one in ([whose] if whose else parties)]
    return longest, next((view for view in views if view is not None), None)
