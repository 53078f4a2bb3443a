"""The consignor: opens what came home and holds it against what was declared."""

from __future__ import annotations

import shutil
from pathlib import Path

from packtrain import durable
from packtrain.digest import sha256_bytes
from packtrain.diligence.hand_over import custody_log
from packtrain.diligence.kit_chain import chain_of, kept_program
from packtrain.documents.export_list import ExportedTensor, ExportList
from packtrain.documents.provenance import Provenance
from packtrain.documents.receipt import Receipt
from packtrain.documents.shipment import Shipment
from packtrain.errors import ExportDenied, IntegrityError
from packtrain.events import Notice, Progress, Sink
from packtrain.record.folder import VoyageFolder
from packtrain.record.receipts import StageClock
from packtrain.stages.homecoming.kept import STAGE, is_kept, keep
from packtrain.stages.homecoming.provenance import read_provenance, steps_told, write_papers
from packtrain.training.export import (
    DECLARATION_NAME,
    TEXT_SUFFIXES,
    check_text,
    choose_tensors,
    read_rules,
    read_safetensors_header,
)
from packtrain.training.outbox import (
    LIST_NAME,
    check_sealed,
    read_list,
    unseal,
)


def accept(folder: VoyageFolder, outbox: Path, sink: Sink) -> Receipt:
    """Check both signatures, open the outbox into results/, tell the custody log; return the receipt.

    Raises:
        StageNotReady, SignatureMissing, SignatureInvalid, UntrustedSigner: see `read_list`.
        IntegrityError, ExportDenied: see `check_sealed`; or the results are of another shipment or program, or hold
            what this party did not declare.
        WrongKey, AgeFormatError: see `unseal`.
    """
    found = read_list(outbox, folder.trust(), ("consignee", "operator"))
    document = found.document
    clock = StageClock(folder, STAGE, {"export-list": sha256_bytes(found.payload)})
    _check_ours(folder, document, str(outbox / LIST_NAME))
    check_sealed(outbox, document)
    provenance = read_provenance(folder, outbox, found, ("consignee", "operator"))
    opened = folder.work / "homecoming"
    shutil.rmtree(opened, ignore_errors=True)
    opened.mkdir(parents=True)
    tensors: list[ExportedTensor] = []
    for number, file in enumerate(document.files):
        sink(Progress(STAGE, "opening results", done_items=number, total_items=len(document.files), unit="files"))
        path = unseal(file, outbox, folder.identity(), opened)
        if path.suffix in TEXT_SUFFIXES:
            check_text(path)
        else:
            tensors += read_safetensors_header(path)
    if sorted(tensors, key=lambda tensor: tensor.name) != sorted(document.tensors, key=lambda tensor: tensor.name):
        raise IntegrityError("weights hold other tensors than the export list names", where=str(outbox))
    write_papers(opened, provenance, document)
    _move_in(opened, folder.root / "results")
    keep(folder, found, {name: payload for name, payload in provenance.files.items() if is_kept(name)})
    for told in steps_told(provenance.document):
        sink(Notice(STAGE, f"trained under {told}"))
    _tell_custody(folder, document)
    return clock.finish(
        outputs=(ExportList, Provenance),
        counts={
            "files": len(document.files),
            "tensors": len(tensors),
            "result_bytes": sum(file.bytes for file in document.files),
        },
        facts={"results": document.results},
    )


def _check_ours(folder: VoyageFolder, document: ExportList, where: str) -> None:
    shipment = folder.read_signed(Shipment)
    if (document.shipment, document.shipment_root) != (shipment.shipment, folder.digest(Shipment)):
        raise IntegrityError(
            "export list is of another shipment", where=where, expected=shipment.shipment, found=document.shipment
        )
    lawful = [each.digest for each in chain_of(folder)]
    if lawful and document.kit not in lawful:
        raise IntegrityError(
            "results were trained by another kit than the one that was sent",
            where=where,
            expected=" or ".join(digest[:12] for digest in lawful),
            found=(document.kit or "none")[:12],
        )
    budget = folder.voyage_file().results.text_budget_bytes
    if document.text_budget_bytes > budget:
        raise ExportDenied(
            "export list was made under a larger text budget than this party set",
            where=where,
            expected=f"at most {budget} bytes",
            found=f"{document.text_budget_bytes} bytes",
        )
    section = folder.voyage_file().training
    if section is None:
        return
    # What an earlier kit declared may have changed since: the program of the kit that was exported counts.
    kept = kept_program(folder, document.kit) if document.kit is not None else None
    rules = read_rules(kept if kept is not None and kept.is_dir() else folder.resolve(section.program))
    _, undeclared = choose_tensors(rules, document.tensors, where)
    texts = {file.name for file in document.files if not file.name.endswith(".safetensors")}
    if extra := sorted({*undeclared, *(texts - set(rules.text.files))}):
        raise ExportDenied(
            f"results hold what {DECLARATION_NAME} does not declare", where=where, found=", ".join(extra[:20])
        )


def _move_in(opened: Path, results: Path) -> None:
    results.mkdir(parents=True, exist_ok=True)
    for path in sorted(opened.iterdir()):
        path.replace(results / path.name)
    durable.sync_folder(results)
    opened.rmdir()


def _tell_custody(folder: VoyageFolder, document: ExportList) -> None:
    log, trust = custody_log(folder), folder.trust()
    note = f"results {document.results} came home, {len(document.files)} files"
    if any(line.event.verb == "returned" and line.event.note == note for line in log.read(trust)):
        return
    log.append(
        "returned",
        shipment=document.shipment,
        by="consignor",
        counterpart="consignee",
        signer=folder.signer(),
        trust=trust,
        note=note,
    )
