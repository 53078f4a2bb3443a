"""The provenance of an export list that a test has made or changed, signed as the consignee would."""

from pathlib import Path
from typing import Any

from msgspec.structs import replace

from packtrain.documents.codec import digest
from packtrain.documents.export_list import ExportList
from packtrain.documents.provenance import Provenance, Result
from packtrain.record.folder import VoyageFolder
from packtrain.stages.homecoming.provenance import provenance_files
from sample_documents import samples


def write_provenance(outbox: Path, consignee: VoyageFolder, listed: ExportList, plan: str, **changes: Any) -> None:
    """Write a provenance that follows from a list into an outbox; `changes` are those of a liar."""
    sample = samples()[Provenance]
    assert isinstance(sample, Provenance)
    made = replace(
        sample,
        shipment=listed.shipment,
        shipment_root=listed.shipment_root,
        plan=plan,
        cargo=None,
        admission=listed.admission,
        kits=(),
        attempts=(),
        training=listed.training,
        export_list=digest(listed),
        results=listed.results,
        files=tuple(Result(name=file.name, bytes=file.bytes, sha256=file.sha256) for file in listed.files),
    )
    for name, payload in provenance_files(consignee, replace(made, **changes)).items():
        (outbox / name).write_bytes(payload)
