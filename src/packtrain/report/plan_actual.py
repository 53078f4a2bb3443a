"""Plan against actual, for the folders of one machine: what `plan` expected beside what happened."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from packtrain.documents.admission import Admission
from packtrain.documents.custody import CustodyEvent
from packtrain.documents.forecast import Forecast
from packtrain.documents.parties import Role
from packtrain.documents.placement import PlacementDocument
from packtrain.documents.receipt import Receipt
from packtrain.documents.shipment import Shipment
from packtrain.errors import PacktrainError
from packtrain.record.custody import CustodyLog
from packtrain.record.folder import VoyageFolder
from packtrain.report.happened import happened
from packtrain.report.leg_rows import PlanActual, compare


def plan_against_actual(folders: Sequence[VoyageFolder], now: datetime | None = None) -> PlanActual:
    """Return what these folders (one a party) say of the plan and of what happened.

    A document or log that cannot be read or does not verify counts for nothing here; `status` names it elsewhere.
    """
    roles: list[Role] = [folder.voyage_file().voyage.role for folder in folders]
    receipts: list[tuple[Role, Receipt]] = []
    events: dict[tuple[int, str], CustodyEvent] = {}
    forecast: Forecast | None = None
    admitted: str | None = None
    num_drives = 0
    for role, folder in zip(roles, folders, strict=True):
        for stage in ("prepare", "pack", "seal", "admit", "load", "train", "return"):
            if (receipt := _or_none(folder, stage)) is not None:
                receipts.append((role, receipt))
        for event, digest in _events(folder):
            events[event.sequence, digest] = event
        forecast = forecast or _read(folder, Forecast, is_signed=False)
        admission = _read(folder, Admission, is_signed=True)
        if admission is not None and admission.verdict == "admit":
            admitted = admitted or admission.decided_on
        num_drives = num_drives or _num_drives(folder)
    in_order = [event for _, event in sorted(events.items(), key=lambda item: (item[1].at, item[0][0]))]
    spans = happened(receipts, in_order, num_drives, admitted)
    return compare(forecast, spans, roles, now or datetime.now(UTC))


def _or_none(folder: VoyageFolder, stage: str) -> Receipt | None:
    try:
        return folder.receipt(stage)
    except (PacktrainError, OSError):
        return None


def _events(folder: VoyageFolder) -> list[tuple[CustodyEvent, str]]:
    try:
        lines = CustodyLog(folder.documents / "custody.jsonl").read(folder.trust())
    except (PacktrainError, OSError):
        return []
    return [(line.event, line.digest) for line in lines]


def _read(folder: VoyageFolder, kind: type[Any], *, is_signed: bool) -> Any:
    try:
        if not folder.has(kind):
            return None
        return folder.read_signed(kind) if is_signed else folder.read(kind)
    except (PacktrainError, OSError):
        return None


def _num_drives(folder: VoyageFolder) -> int:
    for kind, is_signed in ((Shipment, True), (PlacementDocument, False)):
        if (found := _read(folder, kind, is_signed=is_signed)) is not None:
            return len(found.drives)
    return 0
