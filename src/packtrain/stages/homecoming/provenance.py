"""The provenance of results: made at the export, held against the papers at release and on acceptance."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

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
from packtrain.documents.provenance import MAX_ATTEMPTS, Provenance, Result, TrainedAttempt, TrainedKit
from packtrain.documents.receipt import Receipt
from packtrain.errors import DataOrderChanged, ExportDenied, ProvenanceBroken, UntrustedSigner
from packtrain.record.folder import VoyageFolder
from packtrain.record.receipts import instant
from packtrain.record.trust import MAX_SIGNATURE_BYTES, Trust
from packtrain.training.batches import Position
from packtrain.training.kit_steps import attempts_of, kits_of_attempts, spelled, steps_by_update
from packtrain.training.metrics import STEPS_NAME, StepLog, encode_metrics, steps_that_count
from packtrain.training.model_card import CARD_NAME, STATEMENT_AT_HOME, model_card
from packtrain.training.outbox import (
    PROVENANCE_NAME,
    PROVENANCE_STATEMENT,
    ReadList,
    read_bounded,
    signature_name,
)

_POSITION: Final = "position.json"
_MAX_POSITION_BYTES: Final = 64 * 1024
_MAX_PROVENANCE_BYTES: Final = 64 << 20
_MAX_REASON: Final = 300
MAX_WORDS_BYTES: Final = 256 << 10
"""Of what a provenance says in words of its own: 2,400 workers, each lost once and named, make some 100 KB."""


@dataclass(frozen=True, slots=True)
class ReadProvenance:
    """A provenance that follows from the papers, and its files by the names they have in the outbox."""

    document: Provenance
    files: dict[str, bytes]


def make_provenance(
    folder: VoyageFolder, exported: ExportList, admission: Admission, training: Receipt, checkpoint: Path
) -> Provenance:
    """Return how the results of an export list came to be, as far as it is known at the site.

    Raises:
        ProvenanceBroken: the steps in logs/train are not those of the training's receipt.
    """
    chain = chain_of(folder)
    logs = folder.logs / "train"
    counted = steps_that_count(StepLog(logs / STEPS_NAME).read())
    if (named := training.facts.get("metrics")) not in (None, sha256_bytes(encode_metrics(counted))):
        raise ProvenanceBroken(
            "the steps in the log are not those of the training that is exported",
            where=str(logs / STEPS_NAME),
            expected=f"steps with metrics {(named or '')[:12]}",
            hint='run "packtrain train" again: it goes on from its newest checkpoint, and writes the receipt anew',
        )
    kits = kits_of_attempts(logs)
    steps = steps_by_update(counted, kits)
    attempts = attempts_of(logs)[-MAX_ATTEMPTS:]
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
        attempts=tuple(
            TrainedAttempt(
                attempt=each.attempt,
                kit=each.kit or (chain[0].digest if chain and each.attempt not in kits else None),
                seconds=each.seconds,
                reason=each.reason[:_MAX_REASON],
            )
            for each in attempts
        ),
        position=_position(checkpoint),
        hosts=tuple(text for text in (training.facts.get("hosts"),) if text),
        workers=training.counts.get("workers", 0),
        engine=training.facts.get("engine", "not noted"),
        versions=dict(training.versions),
        export_list=sha256_bytes(encode(exported)),
        results=exported.results,
        files=tuple(Result(name=file.name, bytes=file.bytes, sha256=file.sha256) for file in exported.files),
        trained_on=training.finished,
        made_on=instant(),
    )


def words_at_site(folder: VoyageFolder, training: Receipt, checkpoint: Path) -> bytes:
    """Return the words that a provenance made now would hold; see `words_of`.

    Raises:
        ExportDenied: there are more than leave.
    """
    reasons = [each.reason[:_MAX_REASON] for each in attempts_of(folder.logs / "train")[-MAX_ATTEMPTS:]]
    facts = (training.facts.get("hosts", ""), training.facts.get("engine", ""), _position(checkpoint))
    return _words([*reasons, *facts, *_told(training.versions)], str(folder.logs / "train"))


def words_of(document: Provenance, where: str) -> bytes:
    """Return what a provenance says in words that no other paper has, each once: text that leaves with the results.

    Raises:
        ExportDenied: there are more than leave.
    """
    reasons = [each.reason for each in document.attempts]
    facts = (*document.hosts, document.engine, document.position)
    return _words([*reasons, *facts, *_told(document.versions)], where)


def _told(versions: Mapping[str, str]) -> list[str]:
    return [f"{name} {version}" for name, version in versions.items()]


def _words(words: Iterable[str], where: str) -> bytes:
    payload = "".join(f"{word}\n" for word in dict.fromkeys(words)).encode("utf-8", "replace")
    if len(payload) > MAX_WORDS_BYTES:
        raise ExportDenied(
            "provenance would take along more words than leave with it",
            where=where,
            expected=f"at most {MAX_WORDS_BYTES} bytes of reasons, hosts and versions, each counted once",
            found=f"{len(payload)} bytes",
            hint="text leaves as a declared file, within its budget",
        )
    return payload


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
    words_of(document, where)
    return ReadProvenance(document, files)


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


def _position(checkpoint: Path) -> str:
    """Return the data position that a checkpoint names in position.json, in words; or that it names none."""
    path = checkpoint / _POSITION
    unknown = f"not known: the checkpoint has no {_POSITION} of packtrain's loader"
    try:
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as stream:
            body: Any = json.loads(stream.read(_MAX_POSITION_BYTES))
        # What the loader says of itself, alone or under its name, as the reference program writes it.
        position = Position.from_dict(cast("dict[str, object]", body.get("position", body)), str(path))
    except (OSError, ValueError, AttributeError, TypeError, RecursionError, DataOrderChanged):
        return unknown
    return (
        f"epoch {position.epoch}, {position.samples_consumed} samples of it consumed, seed {position.seed}, "
        f"order {position.order_version}, index.parquet {position.index_digest}"
    )[:4096]


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
