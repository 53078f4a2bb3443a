"""The provenance of results: made at the export, held against the papers at release and on acceptance."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from packtrain import durable
from packtrain.digest import sha256_bytes
from packtrain.diligence.kit_chain import LawfulKit, chain_of, ready_of
from packtrain.diligence.papers import Paper, read_papers
from packtrain.diligence.provenance import faults_against_chain, provenance_faults
from packtrain.diligence.statements import provenance_statement
from packtrain.documents.admission import Admission
from packtrain.documents.codec import encode, namespace
from packtrain.documents.export_list import ExportList
from packtrain.documents.parties import STATEMENT_NAMESPACE, Role
from packtrain.documents.plan import Plan
from packtrain.documents.provenance import Provenance, Result, TrainedKit
from packtrain.documents.receipt import Receipt
from packtrain.errors import ProvenanceBroken, UntrustedSigner
from packtrain.record.folder import VoyageFolder
from packtrain.record.receipts import instant
from packtrain.record.trust import MAX_SIGNATURE_BYTES, Trust
from packtrain.stages.homecoming.told import Told, words_of
from packtrain.training.kit_steps import kits_of_attempts, spelled, steps_by_update
from packtrain.training.metrics import STEPS_NAME, StepLog, encode_metrics, steps_that_count
from packtrain.training.model_card import CARD_NAME, STATEMENT_AT_HOME, model_card
from packtrain.training.outbox import (
    PROVENANCE_NAME,
    PROVENANCE_STATEMENT,
    ReadList,
    read_bounded,
    signature_name,
)

_MAX_PROVENANCE_BYTES: Final = 64 << 20


@dataclass(frozen=True, slots=True)
class ReadProvenance:
    """A provenance that follows from the papers, its files by the names they have in the outbox, and its words."""

    document: Provenance
    files: dict[str, bytes]
    words: bytes


def make_provenance(
    folder: VoyageFolder,
    exported: ExportList,
    admission: Admission,
    training: Receipt,
    chain: Sequence[LawfulKit],
    told: Told,
) -> Provenance:
    """Return how the results of an export list came to be, as far as it is known at the site.

    Args:
        folder: of the consignee.
        exported: the export list.
        admission: the operator's verdict.
        training: the receipt of the training.
        chain: the kits that were in force.
        told: `told_at_site`; its words were searched.

    Raises:
        ProvenanceBroken: the steps in logs/train are not those of the training's receipt.
    """
    logs = folder.logs / "train"
    counted = steps_that_count(StepLog(logs / STEPS_NAME).read())
    if (named := training.facts.get("metrics")) not in (None, sha256_bytes(encode_metrics(counted))):
        raise ProvenanceBroken(
            "the steps in the log are not those of the training that is exported",
            where=str(logs / STEPS_NAME),
            expected=f"steps with metrics {(named or '')[:12]}",
            hint='run "packtrain train" again: it goes on from its newest checkpoint, and writes the receipt anew',
        )
    steps = steps_by_update(counted, kits_of_attempts(logs))
    return Provenance(
        shipment=exported.shipment,
        shipment_root=exported.shipment_root,
        plan=admission.plan,
        cargo=folder.read_signed(Plan).cargo if folder.has(Plan) else None,
        admission=exported.admission,
        kits=tuple(_trained(folder, each, steps.get(each.number, ())) for each in chain),
        program=training.inputs["program"],
        training=exported.training,
        num_steps=len({record.step for record in counted}) or training.counts.get("steps", 0),
        num_samples=training.counts.get("samples", 0),
        attempts=told.attempts,
        position=told.position,
        hosts=told.hosts,
        workers=training.counts.get("workers", 0),
        engine=told.engine,
        versions=dict(told.versions),
        export_list=sha256_bytes(encode(exported)),
        results=exported.results,
        files=tuple(Result(name=file.name, bytes=file.bytes, sha256=file.sha256) for file in exported.files),
        trained_on=training.finished,
        made_on=instant(),
    )


def provenance_files(folder: VoyageFolder, document: Provenance) -> dict[str, bytes]:
    """Return what goes into the outbox: provenance and statement, each with this party's signature."""
    role, signer = folder.voyage_file().voyage.role, folder.signer()
    payloads = {PROVENANCE_NAME: encode(document), PROVENANCE_STATEMENT: provenance_statement(document)}
    spaces = {PROVENANCE_NAME: namespace(Provenance), PROVENANCE_STATEMENT: STATEMENT_NAMESPACE}
    signatures = {
        signature_name(name, role): signer.sign(spaces[name], payload).encode("ascii")
        for name, payload in payloads.items()
    }
    return payloads | signatures


def read_provenance(folder: VoyageFolder, outbox: Path, found: ReadList, roles: Iterable[Role]) -> ReadProvenance:
    """Return the provenance of an outbox, after holding it against the export list, this party's papers and its kits.

    Args:
        folder: of the operator or the consignor.
        outbox: the folder that goes home.
        found: its export list, signatures checked.
        roles: who must have signed.

    Raises:
        ProvenanceBroken: there is none, it does not follow from the papers, or its statement does not follow from it.
        ExportDenied: it takes more words along than leave.
        SignatureMissing, SignatureInvalid, UntrustedSigner, DocumentError: of the provenance or its statement.
    """
    trust, where = folder.trust(), str(outbox / PROVENANCE_NAME)
    payload = read_bounded(outbox / PROVENANCE_NAME, _MAX_PROVENANCE_BYTES)
    statement = read_bounded(outbox / PROVENANCE_STATEMENT, 2 * _MAX_PROVENANCE_BYTES)
    if payload is None or statement is None:
        raise ProvenanceBroken(
            "results come without their provenance",
            where=str(outbox),
            expected=f"{PROVENANCE_NAME} and {PROVENANCE_STATEMENT}",
            hint='the consignee exports again: "packtrain return export"',
        )
    files = {PROVENANCE_NAME: payload, PROVENANCE_STATEMENT: statement}
    document: Provenance | None = None
    for role in roles:
        for name in (PROVENANCE_NAME, PROVENANCE_STATEMENT):
            files |= _signed_by(role, name, files[name], outbox, trust)
        signature = files[signature_name(PROVENANCE_NAME, role)]
        document = trust.open(Provenance, payload, signature, where)
    assert document is not None
    role = folder.voyage_file().voyage.role
    papers = read_papers(folder.documents, trust, role)
    for name, read in (("export-list.json", found.document), (PROVENANCE_NAME, document)):
        papers.by_name[name] = Paper(name, sha256_bytes(encode(read)), read, frozenset())
    faults = [*provenance_faults(document, papers), *faults_against_chain(document, chain_of(folder))]
    if provenance_statement(document) != statement:
        faults.append("its in-toto statement says something else")
    if faults:
        raise ProvenanceBroken(
            f"provenance does not follow from the papers: {'; '.join(faults)}",
            where=where,
            hint="nothing was taken; ask the consignee how these results were made",
        )
    return ReadProvenance(document, files, words_of(document, where))


def steps_told(document: Provenance) -> list[str]:
    """Return a sentence for each kit: what was trained under it."""
    return [
        f"kit {each.kit[:12]}{f', by update {number}' if number else ', from the drives'}: "
        f"{f'steps {each.steps}' if each.steps else 'no step'}"
        for number, each in enumerate(document.kits)
    ]


def _trained(folder: VoyageFolder, lawful: LawfulKit, steps: Sequence[int]) -> TrainedKit:
    return TrainedKit(
        kit=lawful.digest,
        ready=lawful.update.ready if lawful.update is not None else ready_of(folder, lawful),
        update=lawful.update_digest,
        steps=spelled(steps),
    )


def _signed_by(role: Role, name: str, payload: bytes, outbox: Path, trust: Trust) -> dict[str, bytes]:
    file_name = signature_name(name, role)
    signature, where = read_bounded(outbox / file_name, MAX_SIGNATURE_BYTES), str(outbox / file_name)
    if name == PROVENANCE_STATEMENT:
        found = trust.statement_signer(payload, signature, where)
    else:
        found = trust.signer_role(Provenance, payload, signature, where)
    if role not in found:
        raise UntrustedSigner(
            f"{name} is not signed by the {role}", where=where, expected=role, found=", ".join(sorted(found))
        )
    assert signature is not None, "a missing signature was refused"
    return {file_name: signature}


def write_papers(folder: Path, provenance: ReadProvenance, exported: ExportList) -> None:
    """Write what stands beside the results at home: the statement with its signatures, and the model card."""
    for name, payload in provenance.files.items():
        if name.startswith(PROVENANCE_STATEMENT):
            # In capitals: no file of the results can have such a name.
            durable.write_bytes(folder / name.replace(PROVENANCE_STATEMENT, STATEMENT_AT_HOME), payload)
    durable.write_bytes(folder / CARD_NAME, model_card(provenance.document, exported).encode("utf-8"))
