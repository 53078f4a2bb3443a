"""Where a voyage stands: read from the documents, receipts, custody, journals and logs of one machine's folders alone.

It is the one model that `packtrain status`, `--json`, report.html and the live page draw from: what they show is read
from the same object, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

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
from packtrain.report.custody_view import told_of_custody
from packtrain.report.dataset_view import DatasetView, dataset_view
from packtrain.report.drive_view import DriveFacts, DriveView, drive_views
from packtrain.report.flag_view import RulesView, rules_views
from packtrain.report.group_view import GroupFacts, GroupView, group_views
from packtrain.report.leg_rows import PlanActual
from packtrain.report.live_view import LiveView, live_view
from packtrain.report.load_view import JOURNAL, LoadedDrives, LoadProgress, read_drives, read_progress
from packtrain.report.plan_actual import plan_against_actual
from packtrain.report.route_view import STAGE_ORDER, CaseView, RouteFacts, StopView, route_of
from packtrain.report.training_curve import TrainingCurve
from packtrain.report.training_facts import samples_loaded, training_of
from packtrain.report.wave_view import WavesView

Found = TypeVar("Found")


@dataclass(frozen=True, slots=True)
class StageView:
    """One stage of one party: `done`, `to do`, `changed`, `waiting`, `not needed` or `not known`; and more in words."""

    stage: str
    state: str
    detail: str


@dataclass(frozen=True, slots=True)
class PartySeen:
    """What only the stages themselves can say of a party's folder.

    Attributes:
        stages: in the order of the voyage.
        next_command, next_why: what this party does next; None where nothing is left to do here.
        waves: of a packing in waves; None outside of one.
        unread: what kept the stages from saying more.
    """

    stages: tuple[StageView, ...] = ()
    next_command: str | None = None
    next_why: str = ""
    waves: WavesView | None = None
    unread: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PartyView:
    """One party's folder: its role, its receipts in voyage order, its custody log as far as it verifies.

    Attributes:
        seen: what its stages say; empty where nobody asked them.
        live: what runs there, or ran last.
    """

    role: str
    folder: VoyageFolder
    receipts: tuple[Receipt, ...]
    custody: tuple[CustodyLine, ...]
    custody_error: str | None
    seen: PartySeen = PartySeen()
    live: LiveView | None = None

    @property
    def step_told(self) -> str:
        """Return why the next step is what it is, and where to type it; "" where that is here, and needs no reason."""
        try:
            is_here = self.folder.root == Path.cwd()
        except OSError:
            is_here = False  # the working directory is gone
        is_elsewhere = self.seen.next_command is not None and not is_here
        return "; ".join(filter(None, (self.seen.next_why, f"in {self.folder.root}" if is_elsewhere else "")))


@dataclass(frozen=True, slots=True)
class Summary:
    """Everything that is shown. A document that is not there, or does not verify, is None and is named in `unread`.

    Attributes:
        read_at: when the folders were read, a UTC instant.
        route: home, on the way, site, and back; where the voyage stands.
        cases, drives, groups: each with what is known of its health.
        superseded: UUID -> label of drives that failed and were replaced.
        packing, loading: waves of a packing, and how far a load is; None outside of one.
        rules: each party's newest run of the rules.
        card: facts of the data set.
        sentences: the custody log in plain words.
        pieces: what was cut for a thin link; None where nothing was.
        closed_by: parties that closed their voyage.
        plan_actual: each leg as `plan` expected it beside what happened; None where it cannot be told.
        shard_folder: where sample pictures are taken from; None shows none (they may be private).
    """

    name: str
    parties: tuple[PartyView, ...]
    placement: PlacementDocument | None
    dataset: Dataset | None
    ready: Ready | None
    declaration: Declaration | None
    plan: Plan | None
    shipment: Shipment | None
    packing_statement: PackingStatement | None
    admission: Admission | None
    export_list: ExportList | None
    training: TrainingCurve | None
    samples_loaded: int = 0
    unread: tuple[str, ...] = ()
    sentences: tuple[str, ...] = ()
    shard_folder: Path | None = None
    read_at: str = ""
    route: tuple[StopView, ...] = ()
    cases: tuple[CaseView, ...] = ()
    drives: tuple[DriveView, ...] = ()
    superseded: tuple[tuple[str, str], ...] = ()
    groups: tuple[GroupView, ...] = ()
    packing: WavesView | None = None
    loading: LoadProgress | None = None
    rules: tuple[RulesView, ...] = ()
    card: DatasetView | None = None
    pieces: Pieces | None = None
    closed_by: tuple[str, ...] = ()
    plan_actual: PlanActual | None = None

    def receipt(self, stage: str, role: str | None = None) -> Receipt | None:
        """Return the receipt of a stage from the party that has one (or from `role`)."""
        for party in self.parties:
            if role is None or party.role == role:
                for receipt in party.receipts:
                    if receipt.stage == stage:
                        return receipt
        return None

    @property
    def live(self) -> tuple[LiveView, ...]:
        """Return what runs, or ran last, in each folder."""
        return tuple(party.live for party in self.parties if party.live is not None)


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
        training=longest_training(folders, curve_of),
        samples_loaded=loaded,
        sentences=reader.quietly(lambda: told_of_custody(folders[0]), ()),
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
            found = self.quietly(
                lambda folder=folder: folder.read_signed(document_type) if signed else folder.read(document_type), None
            )
            if found is not None:
                return found
        return None

    def quietly(self, read: Callable[[], Found], otherwise: Found) -> Found:
        """Return what `read` returns; `otherwise` where it cannot, and why is noted."""
        try:
            return read()
        except PacktrainError as error:
            self.unread.append(error.message)
        except OSError as error:
            self.unread.append(f"{error.filename}: {error.strerror}")
        return otherwise


def _party(folder: VoyageFolder, seen: PartySeen, unread: list[str]) -> PartyView:
    receipts: list[Receipt] = []
    for path in sorted(folder.receipts.glob("*.json")):
        try:
            receipt = folder.receipt(path.stem)
        except PacktrainError as error:
            unread.append(error.message)
        except OSError as error:
            unread.append(f"{path}: {error.strerror}")
        else:
            receipts += [receipt] if receipt is not None else []
    receipts.sort(
        key=lambda receipt: (
            STAGE_ORDER.index(receipt.stage) if receipt.stage in STAGE_ORDER else len(STAGE_ORDER),
            receipt.stage,
        )
    )
    custody: tuple[CustodyLine, ...] = ()
    custody_error: str | None = None
    try:
        custody = CustodyLog(folder.documents / "custody.jsonl").read(folder.trust())
    except PacktrainError as error:
        custody_error = error.message
        unread.append(error.message)
    except OSError as error:
        custody_error = str(error.strerror)
        unread.append(f"custody.jsonl: {error.strerror}")
    unread += seen.unread
    role = folder.voyage_file().voyage.role
    return PartyView(
        role=role,
        folder=folder,
        receipts=tuple(receipts),
        custody=custody,
        custody_error=custody_error,
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


def longest_training(
    folders: Sequence[VoyageFolder], curve_of: Callable[[VoyageFolder], TrainingCurve | None]
) -> TrainingCurve | None:
    """Return the training that the most step lines tell of: those at the site, with times, before metrics at home."""
    found = [curve for folder in folders if (curve := curve_of(folder)) is not None]
    return max(found, key=lambda curve: (curve.has_times, curve.num_lines), default=None)


__all__ = ["PartySeen", "PartyView", "StageView", "Summary", "longest_training", "summarize"]
