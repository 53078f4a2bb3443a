"""A released outbox without a training: weights and text sealed to the consignor, signed by both ends of the site."""

from pathlib import Path

from packtrain.documents.codec import decode, namespace
from packtrain.documents.export_list import ExportList
from packtrain.documents.parties import Role
from packtrain.documents.provenance import Provenance
from packtrain.documents.shipment import Shipment
from packtrain.record.folder import VoyageFolder
from packtrain.stages.homecoming.provenance import provenance_files
from packtrain.training.export import read_safetensors_header
from packtrain.training.outbox import (
    CONSIGNEE_SIGNATURE,
    LIST_NAME,
    OPERATOR_SIGNATURE,
    PROVENANCE_NAME,
    results_digest,
    seal,
)
from packtrain.training.packed_weights import PACKED_SUFFIX, pack
from provenance_parts import write_provenance
from sample_documents import samples
from three_parties import three_parties
from weights_parts import normal_weights, raw_of, write_safetensors

Folders = dict[Role, VoyageFolder]
WEIGHTS, NOTES = "weights.safetensors", "notes.txt"


def sealed_outbox(root: Path, num_weights: int, bases: tuple[Path, ...] = ()) -> Folders:
    """Make three voyage folders below `root`, and the consignee's outbox, which nobody released yet."""
    folders = three_parties(root)
    shipment = samples()[Shipment]
    assert isinstance(shipment, Shipment)
    consignor, consignee = folders["consignor"], folders["consignee"]
    shipment_root = consignor.write_signed(shipment, consignor.signer())
    made, outbox = root / "made", consignee.root / "outbox"
    made.mkdir()
    outbox.mkdir()
    raw = raw_of(normal_weights(num_weights, 2e-5), "F32")
    weights = write_safetensors(made / WEIGHTS, {"layer.weight": ("F32", (num_weights,), raw)})
    (made / NOTES).write_text("went well\n")
    party = consignor.parties().of("consignor")
    assert party is not None
    packed = pack(weights, made / (WEIGHTS + PACKED_SUFFIX), bases)
    files = (seal(made / NOTES, outbox, party.recipient), seal(weights, outbox, party.recipient, packed))
    sample = samples()[ExportList]
    assert isinstance(sample, ExportList)
    document = ExportList(
        shipment=shipment.shipment,
        shipment_root=shipment_root,
        admission=sample.admission,
        kit=None,
        training=sample.training,
        files=files,
        tensors=read_safetensors_header(weights),
        results=results_digest((file.name, file.sha256) for file in files),
        checks=("nothing was looked for: made for a test",),
        text_budget_bytes=1 << 20,
        made_on=sample.made_on,
    )
    consignee.write_signed(document, consignee.signer())
    (outbox / LIST_NAME).write_bytes(consignee.payload(ExportList))
    (outbox / CONSIGNEE_SIGNATURE).write_bytes(consignee.signature_path(ExportList).read_bytes())
    write_provenance(outbox, consignee, document, "0" * 64)
    return folders


def release(folders: Folders) -> Path:
    """Let the operator sign the list, as `return release` does when all is well; return the outbox."""
    outbox = folders["consignee"].root / "outbox"
    signature = folders["operator"].signer().sign(namespace(ExportList), (outbox / LIST_NAME).read_bytes())
    (outbox / OPERATOR_SIGNATURE).write_text(signature)
    provenance = decode(Provenance, (outbox / PROVENANCE_NAME).read_bytes(), PROVENANCE_NAME)
    for name, payload in provenance_files(folders["operator"], provenance).items():
        (outbox / name).write_bytes(payload)
    return outbox


def contents(folder: Path) -> dict[str, bytes]:
    """Return every file of a folder."""
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}
