"""The consignee: the declared results, sealed to the consignor, and their signed list."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from packtrain import durable
from packtrain.digest import sha256_bytes, sha256_tree
from packtrain.diligence.kit_chain import chain_of
from packtrain.documents.admission import Admission
from packtrain.documents.closing import Closing
from packtrain.documents.codec import encode
from packtrain.documents.export_list import ExportedFile, ExportList
from packtrain.documents.kit import Kit
from packtrain.documents.parties import Parties
from packtrain.documents.provenance import Provenance
from packtrain.documents.receipt import Receipt
from packtrain.errors import ExportDenied, KeyMissing, NotAdmitted, StageNotReady
from packtrain.events import Notice, Progress, Sink
from packtrain.record.folder import VoyageFolder
from packtrain.record.receipts import StageClock, instant
from packtrain.stages.homecoming.kept import STAGE
from packtrain.stages.homecoming.provenance import make_provenance, provenance_files
from packtrain.stages.homecoming.told import told_at_site, words_of
from packtrain.training import guard
from packtrain.training.canaries import canary_names, read_tokens, shards_of
from packtrain.training.export import (
    DECLARATION_NAME,
    TEXT_SUFFIXES,
    ExportRules,
    check_text,
    checkpoint_to_export,
    read_rules,
    take_tensors,
    values_of,
)
from packtrain.training.metrics import METRICS_NAME
from packtrain.training.metrics_home import NUM_DIGITS, metrics_that_leave
from packtrain.training.outbox import (
    CONSIGNEE_SIGNATURE,
    LIST_NAME,
    OPERATOR_SIGNATURE,
    PROVENANCE_NAME,
    SEALED_SUFFIX,
    SIGNED_BESIDE,
    check_plausible,
    results_digest,
    seal,
    sealed_name,
)
from packtrain.training.packed_weights import PACKED_SUFFIX, base_mark, pack
from packtrain.training.weights_codec_base import base_files


def inputs(folder: VoyageFolder) -> dict[str, str]:
    """Return the digests of what an export is a function of.

    An outbox that lost a file before the voyage was closed is named as well, which no receipt does: the stage then runs
    again.

    Raises:
        StageNotReady: nothing was trained yet.
    """
    found = _inputs(folder)
    if folder.has(ExportList) and not folder.has(Closing) and not _outbox_stands(folder):
        found["outbox"] = sha256_bytes(b"gone")
    return found


def _inputs(folder: VoyageFolder) -> dict[str, str]:
    results = folder.voyage_file().results
    return {
        "training": sha256_bytes(encode(_training(folder))),
        "parties": folder.digest(Parties),
        "admission": folder.digest(Admission),
        **({"kit": folder.digest(Kit)} if folder.has(Kit) else {}),
        "text budget": sha256_bytes(str(results.text_budget_bytes).encode()),
        "compression": sha256_bytes(f"{results.compress} {base_mark(_base_paths(folder))}".encode()),
    }


def _base_paths(folder: VoyageFolder) -> list[Path]:
    base = folder.voyage_file().results.base
    return [] if base is None else [folder.resolve(base)]


def _outbox_stands(folder: VoyageFolder) -> bool:
    outbox = folder.root / "outbox"
    files = folder.read_signed(ExportList).files
    beside = [name for name in SIGNED_BESIDE if not name.endswith(".operator.sig")]
    try:
        return all((outbox / name).is_file() for name in (LIST_NAME, CONSIGNEE_SIGNATURE, *beside)) and all(
            (outbox / sealed_name(file)).stat().st_size == file.sealed_bytes for file in files
        )
    except FileNotFoundError:
        return False


def export(folder: VoyageFolder, sink: Sink) -> Receipt:
    """Seal the declared results to the consignor, in outbox/, and sign their list; return the receipt.

    Raises:
        StageNotReady: nothing was trained yet.
        NotAdmitted: the admission is no admission.
        WeightsUnopenable: the base that voyage.toml names is not there.
        ExportDenied: see `take_tensors` and `check_text`; or text over the budget, or training data in a result.
    """
    clock = StageClock(folder, STAGE, _inputs(folder))
    bases = base_files(_base_paths(folder))
    training, admission = _training(folder), folder.read_signed(Admission)
    if admission.verdict != "admit":
        raise NotAdmitted("the operator's verdict does not admit this shipment", found=admission.verdict)
    consignor = folder.parties().of("consignor")
    if consignor is None:
        raise KeyMissing("parties.json names no consignor to seal the results to", where="parties.json")
    program = _unchanged_program(folder, training)
    rules = read_rules(program)
    gathered = folder.work / "export"
    shutil.rmtree(gathered, ignore_errors=True)
    gathered.mkdir(parents=True)

    outbox = folder.root / "outbox"
    _refuse_strangers(outbox)
    budget = folder.voyage_file().results.text_budget_bytes
    texts = _gather_text(folder, rules, gathered, budget)
    marks = {path: _mark(path) for path in texts}

    checkpoint = checkpoint_to_export(folder.work / "checkpoints")
    sink(Progress(STAGE, "looking for training data in the texts"))
    chain = chain_of(folder)
    told = told_at_site(folder.logs / "train", chain, training, checkpoint)
    searched = _search_texts(folder, texts, words_of(told, str(folder.logs / "train")))
    sink(Progress(STAGE, "taking the declared tensors out of the checkpoint"))
    taken = take_tensors(Path(training.facts.get("python", sys.executable)), checkpoint, rules, gathered)
    marks |= {path: _mark(path) for path in taken.files}
    _tell_what_stays(folder, taken.left, texts, sink)
    if texts:
        names = ", ".join(path.name for path in texts)
        sink(Notice(STAGE, f"to be read by a person before it leaves, in {gathered}: {names}"))
    sink(Progress(STAGE, "looking for training data in the weights"))
    looked = guard.search_weights(taken.files, searched.needles, values_of(rules, taken.tensors))

    _clear(outbox)
    total_bytes, done_bytes = sum(path.stat().st_size for path in (*taken.files, *texts)), 0
    sealed: list[ExportedFile] = []
    for path in sorted([*taken.files, *texts]):
        sink(Progress(STAGE, "sealing results", done_bytes, total_bytes, note=path.name))
        done_bytes += path.stat().st_size
        sealed.append(_seal(folder, path, outbox, consignor.recipient, bases, sink))
    files = tuple(sealed)
    _refuse_changed(marks, outbox)
    document = ExportList(
        shipment=admission.shipment,
        shipment_root=admission.shipment_root,
        admission=folder.digest(Admission),
        kit=folder.digest(Kit) if folder.has(Kit) else None,
        training=sha256_bytes(encode(training)),
        files=files,
        tensors=taken.tensors,
        results=results_digest((file.name, file.sha256) for file in files),
        checks=(
            f"tensors: {len(taken.tensors)} as declared, {len(taken.left)} others stayed",
            *_about_texts(texts),
            *searched.checks,
            *looked,
            guard.LIMITS,
        ),
        text_budget_bytes=budget,
        made_on=instant(),
    )
    check_plausible(document, LIST_NAME)
    folder.write_signed(document, folder.signer())
    provenance = make_provenance(folder, document, admission, training, chain, told)
    folder.write_signed(provenance, folder.signer())
    for name, payload in provenance_files(folder, provenance).items():
        durable.write_bytes(outbox / name, payload)
    # The list comes last: an outbox without one is unfinished, and nobody reads it.
    durable.write_bytes(outbox / CONSIGNEE_SIGNATURE, folder.signature_path(ExportList).read_bytes())
    durable.write_bytes(outbox / LIST_NAME, folder.payload(ExportList))
    return clock.finish(
        outputs=(ExportList, Provenance),
        counts={
            "files": len(files),
            "tensors": len(taken.tensors),
            "tensors_left": len(taken.left),
            "result_bytes": sum(file.bytes for file in files),
            "sealed_bytes": sum(file.sealed_bytes for file in files),
        },
        facts={"results": document.results, "checkpoint": checkpoint.name},
    )


def _seal(
    folder: VoyageFolder, path: Path, outbox: Path, recipient: str, bases: Sequence[Path], sink: Sink
) -> ExportedFile:
    """Compress where that is asked for and pays, then seal; the compressed form is removed again."""
    packed = None
    if path.suffix not in TEXT_SUFFIXES and folder.voyage_file().results.compress == "auto":
        packed = pack(path, path.with_name(path.name + PACKED_SUFFIX), bases)
    file = seal(path, outbox, recipient, packed)
    if packed is not None:
        packed[0].unlink()
        of_base = "" if packed[1].base is None else f", as its difference to base {packed[1].base[:12]}"
        sink(Notice(STAGE, f"{path.name}: {packed[1].bytes / file.bytes:.1%} of its bytes{of_base}"))
    return file


def _training(folder: VoyageFolder) -> Receipt:
    training = folder.receipt("train")
    if training is None:
        raise StageNotReady("nothing was trained yet", where=str(folder.root), hint='run "packtrain train" first')
    return training


def _unchanged_program(folder: VoyageFolder, training: Receipt) -> Path:
    section = folder.voyage_file().training
    if section is None:
        raise StageNotReady("there is no [training]", where=str(folder.root / "voyage.toml"))
    program = folder.resolve(section.program)
    found = sha256_tree(program)
    expected = folder.read_signed(Kit).program if folder.has(Kit) else training.inputs["program"]
    if found != expected:
        raise ExportDenied(
            f"program folder, with its {DECLARATION_NAME}, is not the one that was sent",
            where=str(program),
            expected=expected[:12],
            found=found[:12],
            hint="what may leave is declared at home and cannot be widened at the site",
        )
    return program


def _gather_text(folder: VoyageFolder, rules: ExportRules, gathered: Path, budget: int) -> list[Path]:
    texts: list[Path] = []
    total_bytes = 0
    for name in rules.text.files:
        # metrics.jsonl is written by packtrain from the step lines, unless the program writes one itself.
        places = (folder.work / "results" / name, *([folder.logs / name] if name == METRICS_NAME else []))
        source = next((path for path in places if os.path.lexists(path)), None)
        if source is None:
            raise ExportDenied("declared text file is not there", where=str(places[0]))
        payload = check_text(source, budget - total_bytes)
        if name == METRICS_NAME and len(payload) <= budget - total_bytes:
            payload = metrics_that_leave(payload, str(source))
        total_bytes += len(payload)
        if total_bytes > budget:
            raise ExportDenied(
                "declared text is over the budget",
                where=str(source),
                expected=f"at most {budget} bytes in all",
                found=f"{total_bytes} bytes",
                hint="[results] text_budget_bytes; text is the easiest way for data to leave",
            )
        (gathered / name).write_bytes(payload)
        texts.append(gathered / name)
    return texts


def _about_texts(texts: Sequence[Path]) -> tuple[str, ...]:
    """Return what was done to each text, in words."""
    return tuple(
        f"{path.name}: {path.stat().st_size} bytes; "
        + (
            f"written anew from its numbers, {NUM_DIGITS} digits each; what digits could carry is not looked for"
            if path.name == METRICS_NAME
            else "as the program wrote it; what its words mean is for a person to read"
        )
        for path in texts
    )


def _tell_what_stays(folder: VoyageFolder, left: Sequence[str], texts: Sequence[Path], sink: Sink) -> None:
    if left:
        sink(Notice(STAGE, f"{len(left)} entries of the checkpoint are not declared and stay"))
    results = folder.work / "results"
    declared = {path.name for path in texts}
    stay = [path.relative_to(results).as_posix() for path in sorted(results.rglob("*")) if not path.is_dir()]
    if undeclared := [name for name in stay if name not in declared]:
        sink(Notice(STAGE, f"{len(undeclared)} undeclared files stay: {', '.join(undeclared[:10])}", is_warning=True))


def _search_texts(folder: VoyageFolder, texts: Sequence[Path], words: bytes) -> guard.TextsSearched:
    from packtrain.training.folder_samples import MAX_FILE_BYTES, FolderSamples
    from packtrain.training.loader import INDEX_NAME, SampleStore

    root = folder.store_folder()
    shards = shards_of(root)
    # A folder that is carried as it is has no index, and no canaries: see `pack`.
    carried = None if shards or (root / INDEX_NAME).exists() else FolderSamples(root)
    searched = guard.search_texts_at_site(
        texts,
        SampleStore(root) if carried is None else carried,
        read_tokens(root, canary_names(shards)),
        tuple(shards.values()),
        {PROVENANCE_NAME: words},
    )
    if carried is None:
        return searched
    said = (
        f"the store has no index: what is called a sample here is a file, of {carried.num_files} in all, and of a file "
        f"its first {MAX_FILE_BYTES >> 20} MiB; the rest was not looked for"
    )
    return replace(searched, checks=(said, *searched.checks))


def _refuse_strangers(outbox: Path) -> None:
    ours = {LIST_NAME, CONSIGNEE_SIGNATURE, OPERATOR_SIGNATURE, *SIGNED_BESIDE}
    outbox.mkdir(parents=True, exist_ok=True)
    strangers = [
        path.name
        for path in sorted(outbox.iterdir())
        if path.is_dir() or (path.name not in ours and not path.name.endswith(_REMOVABLE))
    ]
    if strangers:
        raise ExportDenied("outbox holds files that are not packtrain's", where=str(outbox), found=", ".join(strangers))


def _mark(path: Path) -> tuple[int, ...]:
    """Return what differs once anybody wrote to a file or put another in its place; no clock call sets all of it."""
    status = path.lstat()
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _refuse_changed(marks: Mapping[Path, tuple[int, ...]], outbox: Path) -> None:
    """Take what was sealed away again where it is not what was looked through: a program may have stayed behind."""
    if changed := sorted(path.name for path, mark in marks.items() if not path.exists() or _mark(path) != mark):
        _clear(outbox)
        raise ExportDenied(
            "results changed between the search and the sealing",
            where=str(next(iter(marks)).parent),
            found=", ".join(changed[:20]),
            hint="nothing was exported; look for a process of the training that still runs, and export again",
        )


def _clear(outbox: Path) -> None:
    # The list goes first: an outbox half cleared must not look whole.
    for path in sorted(outbox.iterdir(), key=lambda path: path.name != LIST_NAME):
        path.unlink()


_REMOVABLE: Final = (SEALED_SUFFIX, durable.TEMPORARY_SUFFIX)
