"""write_shipment: from a signed plan and a list of files to closed drives. (Being built; the signature is settled.)"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from packtrain.documents.group import Group
from packtrain.documents.plan import Plan
from packtrain.documents.shipment import Shipment
from packtrain.events import Sink
from packtrain.ports import Drive, Signer
from packtrain.volume.cargo import CargoEntry


@dataclass(frozen=True, slots=True)
class SignedGroup:
    """One group document as it lies on its drives."""

    group: Group
    payload: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class ShipmentWritten:
    """What `write_shipment` wrote.

    Attributes:
        shipment, payload, signature: shipment.json, its bytes and its signature.
        groups: every group.json.
        num_files: entries of the cargo (files, links, empty directories).
        plaintext_bytes, stored_bytes: bytes of the files; bytes of all volumes, parity included.
        readback: how volumes were read back -> how many of them.
    """

    shipment: Shipment
    payload: bytes
    signature: bytes
    groups: tuple[SignedGroup, ...]
    num_files: int
    num_volumes: int
    num_stripes: int
    plaintext_bytes: int
    stored_bytes: int
    readback: Mapping[str, int]


def write_shipment(
    plan: Plan,
    plan_files: tuple[bytes, bytes],
    cargo: Iterable[CargoEntry],
    drives: Mapping[str, Drive],
    signer: Signer,
    journal_folder: Path,
    extra_files: Mapping[str, Mapping[str, Path | bytes]],
    sink: Sink,
) -> ShipmentWritten:
    """Write `cargo` on the drives (by UUID of the plan) and close them; see the module."""
    raise NotImplementedError
