"""What a drive says of itself: empty, a packtrain drive (which, of what, open or closed), or somebody else's.

Nothing is verified here: it is for a list that a person reads. `check` and `load` verify.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from itertools import islice
from typing import Final, Literal

from packtrain.documents.codec import MAX_DOCUMENT_BYTES, decode
from packtrain.documents.drive import Drive as DriveRecord
from packtrain.documents.plan import Plan
from packtrain.errors import DriveFailed, PacktrainError
from packtrain.ports import Drive
from packtrain.volume import layout
from packtrain.volume.given import MAX_RECORD_BYTES
from packtrain.volume.losses import printable

State = Literal["empty", "closed", "open", "foreign", "unreadable"]

_SHOWN: Final = 3
_LOOKED_AT: Final = 100
_MAX_CUSTODY_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Holding:
    """What a drive says of itself.

    Attributes:
        state: "closed" and "open" are packtrain's; "foreign" holds other files.
        label, uuid, shipment, attempt: of a packtrain drive, where it says them; "" and 0 else.
        names: a few of the files of a foreign drive.
    """

    state: State
    label: str = ""
    uuid: str = ""
    shipment: str = ""
    attempt: int = 0
    names: tuple[str, ...] = ()

    def text(self) -> str:
        """Return it in words."""
        match self.state:
            case "empty":
                return "empty"
            case "foreign":
                return f"foreign: {', '.join(self.names)}, ..." if self.names else "foreign"
            case "unreadable":
                return "cannot be read"
            case "open" | "closed":
                attempt = f", attempt {self.attempt}" if self.attempt > 1 else ""
                return f"drive {self.label or '?'} of shipment {self.shipment[:8]}{attempt}, {self.state}"

    def to_dict(self) -> dict[str, str | int | list[str]]:
        """Return it as plain values."""
        return {
            "state": self.state,
            "label": self.label,
            "uuid": self.uuid,
            "shipment": self.shipment,
            "attempt": self.attempt,
            "names": list(self.names),
        }


def holding(drive: Drive) -> Holding:
    """Return what a mounted drive says of itself; a drive that cannot be read says so."""
    try:
        if drive.size_bytes(layout.DRIVE) is not None:
            return _closed(drive)
        if drive.size_bytes(layout.PLAN) is not None:
            return _open(drive)
        names = tuple(islice(drive.names(), _LOOKED_AT))
    except DriveFailed:
        return Holding("unreadable")
    shown = tuple(printable(os.fsencode(name)) for name in names[:_SHOWN])
    return Holding("foreign", names=shown) if names else Holding("empty")


def _closed(drive: Drive) -> Holding:
    try:
        record = decode(DriveRecord, drive.read_bytes(layout.DRIVE, MAX_RECORD_BYTES), layout.DRIVE)
    except DriveFailed:
        raise
    except PacktrainError:
        return Holding("foreign", names=(layout.DRIVE,))
    return Holding("closed", record.label, record.uuid, record.shipment, record.attempt)


def _open(drive: Drive) -> Holding:
    try:
        plan = decode(Plan, drive.read_bytes(layout.PLAN, MAX_DOCUMENT_BYTES), layout.PLAN)
    except DriveFailed:
        raise
    except PacktrainError:
        return Holding("foreign", names=(layout.PLAN,))
    log = b""
    if drive.size_bytes(layout.CUSTODY) is not None:
        log = drive.read_bytes(layout.CUSTODY, _MAX_CUSTODY_BYTES)
    # Until drive.json is written its custody log is what tells which drive of the plan it is.
    planned = next((one for one in plan.drives if one.uuid.encode("ascii") in log), None)
    label, uuid = (planned.label, planned.uuid) if planned is not None else ("", "")
    return Holding("open", label, uuid, plan.shipment, plan.attempt)
