"""The operator: checks an outbox and countersigns its list."""

from __future__ import annotations

from pathlib import Path

from packtrain import durable
from packtrain.digest import sha256_bytes
from packtrain.diligence import evidence
from packtrain.diligence.judging import judge_voyage, kept_policy, policy_of
from packtrain.diligence.rules.policy import POLICY_FILE
from packtrain.diligence.screening.record import current_screening
from packtrain.documents.admission import Admission
from packtrain.documents.codec import namespace
from packtrain.documents.export_list import ExportList
from packtrain.documents.flags import Flags
from packtrain.documents.provenance import Provenance
from packtrain.documents.receipt import Receipt
from packtrain.errors import ExportDenied, NotAdmitted
from packtrain.events import Notice, Sink
from packtrain.record.folder import VoyageFolder
from packtrain.record.receipts import StageClock
from packtrain.stages.homecoming.kept import STAGE, is_kept, keep
from packtrain.stages.homecoming.provenance import provenance_files, read_provenance, steps_told
from packtrain.training.outbox import (
    LIST_NAME,
    OPERATOR_SIGNATURE,
    check_sealed,
    read_list,
)


def release(folder: VoyageFolder, outbox: Path, sink: Sink) -> Receipt:
    """Check an outbox against its list and this site's admission, and countersign the list; return the receipt.

    The operator sees names, sizes, digests, tensors and checks, and not the contents: they are sealed to the consignor.

    Raises:
        IntegrityError, ExportDenied: see `check_sealed`; or the list is of another admission, or over this site's
            budget, or a STOP or HOLD of the rules is open as of today.
        NotAdmitted: this site's last verdict is no admission.
        StageNotReady, SignatureMissing, SignatureInvalid, UntrustedSigner: see `read_list`.
    """
    found = read_list(outbox, folder.trust(), ("consignee",))
    document = found.document
    clock = StageClock(folder, STAGE, {"export-list": sha256_bytes(found.payload)})
    admission = folder.read_signed(Admission)
    if admission.verdict != "admit":
        # Drives and hand-overs are judged at the gate alone: what was refused there is not let out by the rules.
        raise NotAdmitted(
            f"this site's last verdict on the shipment is {admission.verdict}: no results of it are released",
            where=str(folder.document_path(Admission)),
            expected="admit",
            found=admission.verdict,
            hint='mend what the verdict names, and run "packtrain admit" again',
        )
    expected = (admission.shipment, admission.shipment_root, folder.digest(Admission))
    if (document.shipment, document.shipment_root, document.admission) != expected:
        raise ExportDenied(
            "export list is of another shipment or admission",
            where=str(outbox / LIST_NAME),
            expected=f"shipment {admission.shipment}",
            found=f"shipment {document.shipment}",
        )
    budget = folder.voyage_file().results.text_budget_bytes
    if document.text_budget_bytes > budget:
        raise ExportDenied(
            "export list was made under a larger text budget than this site allows",
            where=str(outbox / LIST_NAME),
            expected=f"at most {budget} bytes",
            found=f"{document.text_budget_bytes} bytes",
        )
    check_sealed(outbox, document)
    provenance = read_provenance(folder, outbox, found, ("consignee",))
    _refuse_open_flags(folder, admission)
    for file in document.files:
        sink(Notice(STAGE, f"released: {file.name}, {file.bytes} bytes"))
    for line in (*_tensors_by_kind(document), *(f"export list says: {check}" for check in document.checks)):
        sink(Notice(STAGE, line))
    for told in steps_told(provenance.document):
        sink(Notice(STAGE, f"trained under {told}"))
    countersigned = provenance_files(folder, provenance.document)
    countersignature = folder.signer().sign(namespace(ExportList), found.payload).encode("ascii")
    kept = {name: payload for name, payload in (provenance.files | countersigned).items() if is_kept(name)}
    keep(folder, found, {OPERATOR_SIGNATURE: countersignature, **kept})
    for name, payload in countersigned.items():
        durable.write_bytes(outbox / name, payload)
    durable.write_bytes(outbox / OPERATOR_SIGNATURE, countersignature)
    return clock.finish(
        outputs=(ExportList, Provenance), counts={"files": len(document.files)}, facts={"results": document.results}
    )


def _tensors_by_kind(document: ExportList) -> list[str]:
    """Return in a line for each kind of numbers how many tensors leave: all names are in the list."""
    kinds: dict[str, list[int]] = {}
    for tensor in document.tensors:
        kinds.setdefault(tensor.dtype, []).append(tensor.bytes)
    return [f"tensors of {kind}: {len(sizes)}, {sum(sizes)} bytes" for kind, sizes in sorted(kinds.items())]


def _refuse_open_flags(folder: VoyageFolder, admission: Admission) -> None:
    """Run the rules before results leave: where the model goes, and to whom, is judged on the day that it goes.

    By the lists of that day, and, where the site has no site.toml, by the policy of its verdict.
    """
    policy = policy_of(folder)
    if policy.sha256 is None:
        policy = kept_policy(folder, admission.policy)
    else:
        evidence.keep(folder, folder.root / POLICY_FILE)
    current_screening(folder, "operator")
    ruled = judge_voyage(folder, "return", policy=policy)
    if ruled.standing.is_blocking:
        raise ExportDenied(
            ruled.standing.sentence,
            where=str(folder.document_path(Flags)),
            hint='"packtrain flags show" says what was found; "packtrain flags answer" signs what a person of this '
            "site found, then release again",
        )
