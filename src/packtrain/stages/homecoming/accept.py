"""The consignor: opens what came home and holds it against what was declared."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from packtrain import durable
from packtrain.digest import sha256_bytes, sha256_file
from packtrain.diligence.hand_over import custody_log
from packtrain.diligence.kit_chain import chain_of, kept_program
from packtrain.documents.dataset import Dataset
from packtrain.documents.export_list import ExportedTensor, ExportList
from packtrain.documents.provenance import Provenance
from packtrain.documents.receipt import Receipt
from packtrain.documents.shipment import Shipment
from packtrain.errors import ExportDenied, IntegrityError
from packtrain.events import Notice, Progress, Sink
from packtrain.record.folder import VoyageFolder
from packtrain.record.receipts import StageClock
from packtrain.stages.homecoming.kept import STAGE, free_name, is_kept, keep
from packtrain.stages.homecoming.provenance import read_provenance, steps_told, write_papers
from packtrain.training import guard
from packtrain.training.canaries import KEPT_FOLDER, canary_names, read_tokens
from packtrain.training.export import (
    DECLARATION_NAME,
    TEXT_SUFFIXES,
    ExportRules,
    check_text,
    choose_tensors,
    read_rules,
    read_safetensors_header,
    values_of,
)
from packtrain.training.metrics import METRICS_NAME
from packtrain.training.metrics_home import metrics_that_leave
from packtrain.training.model_card import CARD_NAME
from packtrain.training.number_shapes import Values
from packtrain.training.outbox import (
    LIST_NAME,
    PROVENANCE_NAME,
    check_sealed,
    read_list,
    unseal,
)
from packtrain.training.packed_weights import FindBase, finder

RESULTS: Final = "results"
ASIDE: Final = "results-before"
"""What stood in results/ under a name that came home again; numbered from the second time on."""


def accept(folder: VoyageFolder, outbox: Path, sink: Sink, bases: Sequence[Path] = ()) -> Receipt:
    """Check both signatures, open the outbox into results/, tell the custody log; return the receipt.

    Weights that are a difference to others need these: they are looked for by their digest in `bases`, in [results]
    base, in results/, and in what was put aside of it.

    Raises:
        StageNotReady, SignatureMissing, SignatureInvalid, UntrustedSigner: see `read_list`.
        IntegrityError, ExportDenied: see `check_sealed`; or the results are of another shipment or program, or hold
            what this party did not declare.
        WrongKey, AgeFormatError, WeightsUnopenable: see `unseal`.
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
    find_base = _base_finder(folder, bases)
    tensors: list[ExportedTensor] = []
    total_bytes, done_bytes = sum(file.bytes for file in document.files), 0
    for number, file in enumerate(document.files):
        sink(
            Progress(STAGE, "opening results", done_bytes, total_bytes, number, len(document.files), "files", file.name)
        )
        done_bytes += file.bytes
        path = unseal(file, outbox, folder.identity(), opened, find_base)
        if path.suffix in TEXT_SUFFIXES:
            _check_text(path)
        else:
            tensors += read_safetensors_header(path)
    if sorted(tensors, key=lambda tensor: tensor.name) != sorted(document.tensors, key=lambda tensor: tensor.name):
        raise IntegrityError("weights hold other tensors than the export list names", where=str(outbox))
    sink(Progress(STAGE, "looking for canaries and digests in what came home"))
    searched = _search_again(folder, document, opened, provenance.words)
    write_papers(opened, provenance, document)
    _move_in(opened, folder.root, document.results, sink)
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
        facts={"results": document.results, "searched again": "; ".join(searched)[:4096]},
    )


def _check_text(path: Path) -> None:
    payload = check_text(path)
    if path.name == METRICS_NAME and metrics_that_leave(payload, str(path)) != payload:
        raise ExportDenied(
            f"{METRICS_NAME} is not written as it leaves a site: more digits, or another order",
            where=str(path),
            hint="digits can carry bytes; ask the consignee to export again",
        )


def _search_again(folder: VoyageFolder, document: ExportList, opened: Path, words: bytes) -> tuple[str, ...]:
    """Look through what came home by what this party kept: the site may have searched with fewer canaries, or none."""
    tokens: tuple[bytes, ...] = ()
    digests: list[str] = []
    if folder.has(Dataset):
        shards = folder.read(Dataset).shards
        tokens = read_tokens(folder.work / KEPT_FOLDER, canary_names(shard.name for shard in shards))
        digests = [shard.sha256 for shard in shards]
    section = folder.voyage_file().training
    if section is None:
        values: dict[str, Values] = {tensor.name: "any" for tensor in document.tensors}
    else:
        values = values_of(_rules_of(folder, document, section.program), document.tensors)
    paths = sorted(opened.iterdir())
    texts = [path for path in paths if path.suffix in TEXT_SUFFIXES]
    packed = folder.receipt("pack")
    planted = packed.counts.get("canaries", 0) if packed is not None else len(tokens)
    weights = [path for path in paths if path not in texts]
    return guard.search_at_home(weights, texts, tokens, digests, values, planted, {PROVENANCE_NAME: words})


def _base_finder(folder: VoyageFolder, bases: Sequence[Path]) -> FindBase:
    stated = folder.voyage_file().results.base
    here = [*bases, *([folder.resolve(stated)] if stated is not None else [])]
    here += [place for place in (folder.root / RESULTS, *sorted(folder.root.glob(f"{ASIDE}*"))) if place.is_dir()]
    return finder(here)


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
    rules = _rules_of(folder, document, section.program)
    _, undeclared = choose_tensors(rules, document.tensors, where)
    texts = {file.name for file in document.files if not file.name.endswith(".safetensors")}
    if extra := sorted({*undeclared, *(texts - set(rules.text.files))}):
        raise ExportDenied(
            f"results hold what {DECLARATION_NAME} does not declare", where=where, found=", ".join(extra[:20])
        )


def _rules_of(folder: VoyageFolder, document: ExportList, program: str) -> ExportRules:
    # What an earlier kit declared may have changed since: the program of the kit that was exported counts.
    kept = kept_program(folder, document.kit) if document.kit is not None else None
    return read_rules(kept if kept is not None and kept.is_dir() else folder.resolve(program))


def _move_in(opened: Path, root: Path, digest: str, sink: Sink) -> None:
    """Move all files into results/; one of the same name and other bytes is put aside, and not written over.

    It may be a model card that a person has gone on writing, or weights that the new ones are a difference to: killed
    after it went, a second run finds them where they are now.
    """
    results = root / RESULTS
    results.mkdir(parents=True, exist_ok=True)
    card = results / CARD_NAME
    if card.is_file() and digest.encode() in card.read_bytes():
        # A person writes in it what the model is good for: one of the same results stays as it is.
        (opened / CARD_NAME).unlink()
    moving = sorted(opened.iterdir())
    others = [path.name for path in moving if _is_another(results / path.name, path)]
    if others:
        aside = free_name(root / ASIDE)
        aside.mkdir()
        for name in others:
            (results / name).rename(aside / name)
        durable.sync_folder(aside)
        durable.sync_folder(results)
        durable.step("put aside")
        sink(
            Notice(STAGE, f"other files of the same names were in {RESULTS}: kept in {aside.name}: {', '.join(others)}")
        )
    for path in moving:
        path.replace(results / path.name)
    durable.sync_folder(results)
    opened.rmdir()


def _is_another(there: Path, new: Path) -> bool:
    if not os.path.lexists(there):
        return False
    if there.is_symlink() or not there.is_file() or there.stat().st_size != new.stat().st_size:
        return True
    return sha256_file(there) != sha256_file(new)


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
