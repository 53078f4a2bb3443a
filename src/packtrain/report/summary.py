"""Where a voyage stands, as values: what `summarize` reads from the folders of one machine.

It is the one model that `packtrain status`, `--json`, report.html and the live page draw from: what they show is read
from the same object, and nowhere else.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from packtrain.documents.admission import Admission
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
from packtrain.record.custody import CustodyLine
from packtrain.record.folder import VoyageFolder
from packtrain.report.attempts_view import AttemptsView
from packtrain.report.dataset_view import DatasetView
from packtrain.report.drive_view import DriveView
from packtrain.report.flag_view import RulesView
from packtrain.report.group_view import GroupView
from packtrain.report.inspection_view import InspectionView
from packtrain.report.leg_rows import PlanActual
from packtrain.report.live_view import LiveView
from packtrain.report.load_view import LoadProgress
from packtrain.report.route_view import CaseView, StopView
from packtrain.report.training_curve import TrainingCurve
from packtrain.report.wave_view import WavesView


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
        attempts: of the training, its hosts and goodput; None where no log tells of them.
        inspections: the newest sheet of each party that inspected the site.
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
    attempts: AttemptsView | None = None
    inspections: tuple[InspectionView, ...] = ()

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
