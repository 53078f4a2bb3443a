"""What the voyage folders of one machine say, gathered for people: read from documents, receipts and logs alone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec

from packtrain.documents.admission import Admission
from packtrain.documents.codec import Document
from packtrain.documents.dataset import Dataset
from packtrain.documents.declaration import Declaration
from packtrain.documents.export_list import ExportList
from packtrain.documents.packing_statement import PackingStatement
from packtrain.documents.placement import PlacementDocument
from packtrain.documents.plan import Plan
from packtrain.documents.ready import Ready
from packtrain.documents.receipt import Receipt
from packtrain.documents.shipment import Shipment
from packtrain.errors import PacktrainError
from packtrain.record.custody import CustodyLine, CustodyLog
from packtrain.record.folder import VoyageFolder
from packtrain.report.training_curve import TrainingCurve, read_metrics, read_steps
from packtrain.training.metrics import METRICS_NAME

STAGE_ORDER: Final = (
    "plan",
    "prepare",
    "rehearse",
    "declare",
    "screen",
    "flags",
    "pack",
    "seal",
    "admit",
    "load",
    "train",
    "return",
    "close",
)
STEPS: Final = "train/steps.jsonl"


@dataclass(frozen=True, slots=True)
class PartyView:
    """One party's folder: its role, its receipts in voyage order, its custody log as far as it verifies."""

    role: str
    folder: VoyageFolder
    receipts: tuple[Receipt, ...]
    custody: tuple[CustodyLine, ...]
    custody_error: str | None


@dataclass(frozen=True, slots=True)
class Summary:
    """Everything a report shows. A document that is not there, or does not verify, is None and is named in `unread`.

    Attributes:
        sentences: the custody log in plain words.
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

    def receipt(self, stage: str, role: str | None = None) -> Receipt | None:
        """Return the receipt of a stage from the party that has one (or from `role`)."""
        for party in self.parties:
            if role is None or party.role == role:
                for receipt in party.receipts:
                    if receipt.stage == stage:
                        return receipt
        return None


def summarize(folders: Sequence[VoyageFolder]) -> Summary:
    """Return what these folders (one a party) say. Signed documents are checked; a bad one is left out and named."""
    unread: list[str] = []
    parties = tuple(_party(folder, unread) for folder in folders)

    def find(document_type: type[Any], *, signed: bool) -> Any:
        for folder in folders:
            if not folder.has(document_type):
                continue
            try:
                return folder.read_signed(document_type) if signed else folder.read(document_type)
            except PacktrainError as error:
                unread.append(error.message)
        return None

    return Summary(
        name=folders[0].voyage_file().voyage.name,
        parties=parties,
        placement=find(PlacementDocument, signed=False),
        dataset=find(Dataset, signed=False),
        ready=_ready(folders, unread),
        declaration=find(Declaration, signed=True),
        plan=find(Plan, signed=True),
        shipment=find(Shipment, signed=True),
        packing_statement=find(PackingStatement, signed=True),
        admission=find(Admission, signed=True),
        export_list=find(ExportList, signed=True),
        training=_training(folders),
        samples_loaded=max(samples_loaded(folder) for folder in folders),
        unread=tuple(unread),
    )


def to_builtins(summary: Summary) -> dict[str, Any]:
    """Return the summary as plain values for `--json`."""

    def plain(document: Document | None) -> Any:
        return msgspec.to_builtins(document) if document is not None else None

    return {
        "name": summary.name,
        "parties": [
            {
                "role": party.role,
                "folder": str(party.folder.root),
                "stages": {receipt.stage: msgspec.to_builtins(receipt) for receipt in party.receipts},
                "custody_entries": len(party.custody),
                "custody_error": party.custody_error,
            }
            for party in summary.parties
        ],
        "survives": summary.placement.statement if summary.placement else None,
        "shipment": plain(summary.shipment),
        "ready": plain(summary.ready),
        "admission": plain(summary.admission),
        "export_list": plain(summary.export_list),
        "training": training_summary(summary.training) if summary.training is not None else None,
        "unread": list(summary.unread),
    }


def _training(folders: Sequence[VoyageFolder]) -> TrainingCurve | None:
    """Return the training that the most step lines tell of: those at the site, with times, before metrics at home."""
    found = [curve for folder in folders if (curve := training_of(folder)) is not None]
    return max(found, key=lambda curve: (curve.has_times, curve.num_lines), default=None)


def _party(folder: VoyageFolder, unread: list[str]) -> PartyView:
    receipts: list[Receipt] = []
    for path in sorted(folder.receipts.glob("*.json")):
        try:
            receipt = folder.receipt(path.stem)
        except PacktrainError as error:
            unread.append(error.message)
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
    return PartyView(
        role=folder.voyage_file().voyage.role,
        folder=folder,
        receipts=tuple(receipts),
        custody=custody,
        custody_error=custody_error,
    )


def _ready(folders: Sequence[VoyageFolder], unread: list[str]) -> Ready | None:
    """Return the rehearsal's sheet; one that is not signed (something was not shown) is still worth showing."""
    for folder in folders:
        if folder.has(Ready):
            try:
                return folder.read(Ready)
            except PacktrainError as error:
                unread.append(error.message)
    return None


def training_of(folder: VoyageFolder) -> TrainingCurve | None:
    """Return a training as this party saw it: the step lines at the site; at home the metrics that came back."""
    found = read_steps(folder.logs / STEPS)
    if found is not None:
        return found
    at_home = [folder.root / "results" / METRICS_NAME, folder.logs / METRICS_NAME]
    return next((curve for path in at_home if (curve := read_metrics(path)) is not None), None)


def samples_loaded(folder: VoyageFolder) -> int:
    """Return how many samples the store of this party holds, as its receipt says; 0 where it has none."""
    try:
        receipt = folder.receipt("load")
    except PacktrainError:
        return 0
    return receipt.counts.get("samples_loaded", 0) if receipt is not None else 0


def training_summary(curve: TrainingCurve) -> dict[str, Any]:
    """Return a training as plain values: where it stands, its rates, and where attempts began."""
    steps_a_second, samples_a_second = curve.rate()
    return {
        "last_step": curve.last_step,
        "loss_first": None if math.isnan(curve.first_loss) else curve.first_loss,
        "loss_last": None if math.isnan(curve.last_loss) or curve.not_finite_since is not None else curve.last_loss,
        "losses_not_finite": curve.num_not_finite,
        "samples": curve.num_samples if curve.has_samples else None,
        "steps_per_second": steps_a_second or None,
        "samples_per_second": samples_a_second or None,
        "steps_made_again": curve.num_undone,
        "attempts": [
            {
                "attempt": mark.attempt,
                "first_step": mark.step,
                "steps_made_again": mark.num_undone,
                "after": mark.reason,
            }
            for mark in curve.marks
        ],
        "num_attempts": curve.num_attempts,
    }
