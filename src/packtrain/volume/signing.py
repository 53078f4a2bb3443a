"""The end of packing: shipment.json, made of the closing records of all drives and signed after the last group."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from packtrain.digest import sha256_bytes
from packtrain.documents.codec import decode, encode, namespace
from packtrain.documents.drive import Drive as DriveDocument
from packtrain.documents.plan import Plan
from packtrain.documents.shipment import Shipment, ShippedDrive, ShippedGroup
from packtrain.ports import Drive, Signer
from packtrain.record.receipts import instant
from packtrain.volume import layout
from packtrain.volume.closing import SignedGroup
from packtrain.volume.journal import Journal
from packtrain.volume.places import Place


@dataclass(frozen=True, slots=True)
class ShipmentWritten:
    """What `write_shipment` wrote.

    Attributes:
        shipment, payload, signature: shipment.json, its bytes and its signature.
        groups: every group.json.
        num_files: entries of the cargo (files, links, empty directories).
        num_volumes: files in the data folders of all drives.
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


def sign_shipment(
    plan: Plan,
    plan_payload: bytes,
    groups: Mapping[int, SignedGroup],
    places: Mapping[str, Place],
    drives: Iterable[Drive],
    signer: Signer,
    journal: Journal,
) -> ShipmentWritten:
    """Sign shipment.json and write it on the drives that are here: nothing of a drive changes after it but this.

    Args:
        plan, plan_payload: the plan and its bytes.
        groups: the documents of all groups, by number.
        places: who stands in each place; all of them are closed.
        drives: those that are here.
        signer: the consignor's.
        journal: has the closing records, also of drives that are in their cases by now.
    """
    documents = tuple(groups[number] for number in sorted(groups))
    assert len(documents) == len(plan.groups), "all groups are closed before the shipment is signed"
    volumes = [volume for signed in documents for volume in signed.group.volumes if volume.bytes]
    shipment = _shipment(plan, plan_payload, documents, places, sum(volume.bytes for volume in volumes), journal)
    payload = encode(shipment)
    signature = signer.sign(namespace(Shipment), payload).encode("ascii")
    for drive in drives:
        for name, content in ((layout.SHIPMENT, payload), (layout.SHIPMENT + layout.SIGNATURE_SUFFIX, signature)):
            if drive.size_bytes(name) != len(content) or drive.read_bytes(name, len(content)) != content:
                drive.write_bytes(name, content)
    return ShipmentWritten(
        shipment=shipment,
        payload=payload,
        signature=signature,
        groups=documents,
        num_files=shipment.num_files,
        num_volumes=len(volumes),
        num_stripes=sum(signed.group.num_stripes for signed in documents),
        plaintext_bytes=shipment.plaintext_bytes,
        stored_bytes=shipment.stored_bytes,
        readback=dict(Counter(volume.readback for volume in volumes)),
    )


def _shipment(
    plan: Plan,
    plan_payload: bytes,
    documents: Sequence[SignedGroup],
    places: Mapping[str, Place],
    stored_bytes: int,
    journal: Journal,
) -> Shipment:
    shipped: list[ShippedDrive] = []
    last_closed = ""
    for place in places.values():
        record_payload = journal.drive_fact(place.uuid, "record")
        assert record_payload is not None, "all drives are closed before the shipment is signed"
        record = decode(DriveDocument, record_payload, layout.DRIVE)
        last_closed = max(last_closed, record.closed)
        shipped.append(
            ShippedDrive(
                uuid=record.uuid,
                replaces=record.replaces,
                label=record.label,
                serial=record.serial,
                case=record.case,
                group=record.group,
                record=sha256_bytes(record_payload),
            )
        )
    return Shipment(
        shipment=plan.shipment,
        attempt=plan.attempt,
        purpose=plan.purpose,
        plan=sha256_bytes(plan_payload),
        groups=tuple(
            ShippedGroup(group=signed.group.group, record=sha256_bytes(signed.payload)) for signed in documents
        ),
        drives=tuple(shipped),
        num_files=sum(signed.group.num_files for signed in documents),
        plaintext_bytes=sum(signed.group.plaintext_bytes for signed in documents),
        stored_bytes=stored_bytes,
        # The time of the last closing record, not of now: signed again after a crash it must be the same document.
        closed=last_closed or instant(),
    )
