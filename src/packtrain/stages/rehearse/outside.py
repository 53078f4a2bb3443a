"""The outer half of a rehearsal: kit, drives, box, sheet."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec
import rfc8785

from packtrain.digest import sha256_bytes
from packtrain.diligence.kit_chain import keep_lawful_kit
from packtrain.documents.codec import digest
from packtrain.documents.dataset import Dataset
from packtrain.documents.kit import Kit
from packtrain.documents.parties import Parties
from packtrain.documents.ready import Clause, Ready, UndisturbedRun
from packtrain.documents.receipt import Receipt
from packtrain.documents.voyage_file import TrainingSection
from packtrain.errors import RehearsalFailed, VoyageFileError
from packtrain.events import Notice, Progress, Sink
from packtrain.ports import Drive
from packtrain.record import keys
from packtrain.record.folder import VOYAGE_FILE, VoyageFolder
from packtrain.record.receipts import StageClock, instant
from packtrain.stages.rehearse.kit import (
    KitOptions,
    build,
    cannot_run_here,
    kit_inputs,
    python_of,
    section_of,
    target_of,
)
from packtrain.stages.rehearse.miniature import IDENTITY, Packed, miniature_digest, pack_miniature
from packtrain.training import checks, network_witness, rehearsal_job, rehearsal_numbers
from packtrain.training.box import Box, BoxOutcome
from packtrain.training.event_relay import EventTail
from packtrain.training.kit import INSTALLER
from packtrain.training.kit_held import PROGRAM, holds_kit
from packtrain.training.network_witness import Attempt
from packtrain.training.rehearsal import STAGE
from packtrain.training.rehearsal_job import RehearsalJob, RehearsalResult
from packtrain.units import format_seconds

INSTALL_LIMIT_SECONDS: Final = 1800.0
_NOT_SO_FAR: Final = "the rehearsal did not come so far"


def inputs(folder: VoyageFolder) -> dict[str, str]:
    """Return the digests of what a rehearsal is a function of: miniature, program, wheels, settings, Python, box.

    A kit that lost a file is named as well, which no receipt does: the stage then runs again.

    Raises:
        StageNotReady: there is no data set yet.
        VoyageFileError: voyage.toml has no [training], or names folders that are not there.
    """
    found = _inputs(folder)
    if folder.receipt(STAGE) is not None and folder.has(Kit) and not holds_kit(folder.work / "kit", folder.read(Kit)):
        found["kit"] = sha256_bytes(b"gone")
    return found


def could_not_be_tried(folder: VoyageFolder, python: Path | None) -> bool:
    """Return whether the last rehearsal could not try its kit on this machine, and this one can.

    A Python that was named or installed since is in no input: nothing that a sheet says depends on where it lies.
    """
    if not folder.has(Ready) or not (folder.work / "kit" / "target.txt").is_file():
        return False
    if any(part.verdict != "not shown" for part in folder.read(Ready).clauses):
        return False
    return cannot_run_here(folder, section_of(folder), python) is None


def _inputs(folder: VoyageFolder) -> dict[str, str]:
    section = section_of(folder)
    _require_miniature(folder)
    settings = {
        "command": section.command,
        "workers": section.workers,
        "rehearsal_steps": section.rehearsal_steps,
        "rehearsal_hang": section.rehearsal_hang,
    }
    return {
        "miniature": miniature_digest(folder.read(Dataset)),
        **kit_inputs(folder, section),
        "settings": sha256_bytes(rfc8785.dumps(settings)),
        # A sheet that could not show the absence of a network is made again where that can be shown.
        "box": sha256_bytes((Box.probe() or "closed").encode("utf-8")),
    }


def _require_miniature(folder: VoyageFolder) -> None:
    """Refuse to rehearse with a folder that is carried as it is: nobody knows a sample of it from another.

    Raises:
        VoyageFileError: [sources] has form = "folder".
    """
    sources = folder.voyage_file().sources
    if sources is not None and sources.form == "folder":
        raise VoyageFileError(
            "a folder that is carried as it is has no miniature to rehearse with",
            where=str(folder.root / VOYAGE_FILE),
            expected='[sources] form = "files"',
            found='form = "folder"',
            hint="try the program on a part of the data yourself; it gets the whole folder as {data} at the site",
        )


def rehearse(
    folder: VoyageFolder, open_drive: Callable[[Path], Drive], sink: Sink, *, python: Path | None = None
) -> Receipt:
    """Build the kit, rehearse with it, write the sheet; return the receipt.

    The sheet is signed only if nothing was broken, and every clause that is not optional was kept. Where no box can be
    made the program runs without one, the sheet says what was not shown, and stays unsigned.

    Args:
        folder: the consignor's voyage folder.
        open_drive: opens a folder as a drive.
        sink: takes events.
        python: the interpreter to install the kit on, which also provides the packages of the site; if None, the kit's
            own, or one of its target on this machine. Where there is none, nothing is shown and nothing broken.

    Raises:
        StageNotReady: there is no data set yet.
        KitError: the kit cannot be built.
        RehearsalFailed: a clause was broken; the sheet is written, unsigned, and names it and where its log lies.
    """
    clock = StageClock(folder, STAGE, _inputs(folder))
    section, dataset = section_of(folder), folder.read(Dataset)
    keep_lawful_kit(folder)
    # A sheet of an earlier program must not stand beside the new kit, whatever happens from here on.
    for path in (folder.signature_path(Ready), folder.document_path(Ready)):
        path.unlink(missing_ok=True)
    sink(Progress(STAGE, "building the kit"))
    kit = build(folder, section, sink, KitOptions(python=python))
    place = _Place(folder, folder.work / "rehearsal", folder.logs / STAGE)
    place.clear()
    try:
        sink(Progress(STAGE, "packing the miniature"))
        packed = pack_miniature(folder, place.root, dataset, open_drive, sink)
        sink(Notice(STAGE, f"faults injected: {packed.fault}"))
        reason = Box.probe()
        if reason is not None:
            sink(Notice(STAGE, f"no box can be made: {reason}; the network stays there", is_warning=True))
        box = Box(place.root / "box", is_open=reason is not None)
        if (foreign := cannot_run_here(folder, section, python)) is not None:
            sink(Notice(STAGE, f"kit cannot be tried here: {foreign}", is_warning=True))
            seen = _Seen([checks.not_shown(checks.INSTALLS, foreign)])
        else:
            if python is None and section.interpreter is None:
                python = python_of(target_of(section))
            seen = _run_in_box(place, box, packed, section, dataset, python, sink)
    finally:
        # Whatever came of it: the key of this shipment is good for nothing any more.
        keys.destroy(place.identity)
    sheet = _write_sheet(folder, kit, dataset, packed, seen, reason)
    _raise_if_broken(folder, sheet, place)
    if not sheet.ready_to_leave:
        missing = "; ".join(
            f"{part.clause}: {part.evidence}"
            for part in sheet.clauses
            if not checks.is_ready([part]) and not part.evidence.startswith(_NOT_SO_FAR)
        )
        sink(Notice(STAGE, f"ready.json is not signed, because something was not shown: {missing}", is_warning=True))
    shutil.rmtree(place.root, ignore_errors=True)
    return clock.finish(
        outputs=(Kit, Ready),
        counts={
            "clauses_kept": sum(part.verdict == "kept" for part in sheet.clauses),
            "clauses": len(sheet.clauses),
            "steps": sheet.num_steps,
            "workers": section.workers,
            "samples": packed.num_samples,
            "miniature_bytes": packed.total_bytes,
            "kit_files": len(kit.files),
            "kit_bytes": sum(file.bytes for file in kit.files),
        },
        facts={
            "ready_to_leave": "yes, signed"
            if sheet.ready_to_leave
            else "not shown in all clauses that must be kept, not signed",
            "box": sheet.box,
            "shipment": packed.plan.shipment,
            "weights": sheet.weights or "none",
        },
        versions=seen.versions,
    )


@dataclass(frozen=True, slots=True)
class _Place:
    """The folders of one rehearsal."""

    folder: VoyageFolder
    root: Path
    logs: Path

    @property
    def identity(self) -> Path:
        return self.root / IDENTITY

    @property
    def environment(self) -> Path:
        return self.root / "environment"

    def clear(self) -> None:
        keys.destroy(self.identity)
        for path in (self.root, self.logs):
            shutil.rmtree(path, ignore_errors=True)
            path.mkdir(parents=True)


@dataclass(slots=True)
class _Seen:
    """What was seen of the program and of the box, outside and inside."""

    clauses: list[Clause] = field(default_factory=list[Clause])
    weights: str | None = None
    num_steps: int = 0
    measurements: dict[str, float] = field(default_factory=dict[str, float])
    versions: dict[str, str] = field(default_factory=dict[str, str])
    undisturbed: UndisturbedRun | None = None


def _run_in_box(
    place: _Place, box: Box, packed: Packed, section: TrainingSection, dataset: Dataset, python: Path | None, sink: Sink
) -> _Seen:
    """Install the kit in the box and run the inner half there; return the clauses of both."""
    seen = _Seen()
    kit = place.folder.work / "kit"
    sink(Progress(STAGE, "installing the kit in the box"))
    log = place.logs / "install.log"
    installed = box.run(
        ["/bin/sh", str(kit / INSTALLER), str(place.environment), *([str(python)] if python else [])],
        cwd=place.root,
        log=log,
        timeout_seconds=INSTALL_LIMIT_SECONDS,
    )
    if installed.status != 0 or installed.timed_out:
        seen.clauses.append(checks.broken(checks.INSTALLS, f"{_last_line(log)} ({log})"))
        return seen
    seen.measurements["install_seconds"] = round(installed.elapsed_seconds, 3)
    how = f"sh {INSTALLER}, {format_seconds(installed.elapsed_seconds)}"
    if reached := _native_attempts(installed, ()):
        how += f"; {reached}, and it did without"
    if box.is_open:
        seen.clauses.append(checks.not_shown(checks.INSTALLS, f"{how}, but with the network there: {Box.probe()}"))
    else:
        seen.clauses.append(checks.kept(checks.INSTALLS, how))

    witness = place.logs / "network.jsonl"
    for site_packages in (place.environment / "lib").glob("python*/site-packages"):
        network_witness.install(site_packages, witness)
    job_path = place.root / "JOB.json"
    rehearsal_job.write(job_path, _job(place, packed, section, kit, is_boxed=not box.is_open))
    tail = EventTail(job_path.with_name(rehearsal_job.EVENTS), sink)
    log = place.logs / "boxed.log"
    outcome = box.run(
        [str(place.environment / "bin" / "python"), "-m", "packtrain", "boxed", str(job_path)],
        cwd=place.root,
        log=log,
        on_tick=tail.pass_on,
    )
    tail.pass_on()
    if outcome.status != 0:
        raise RehearsalFailed(
            "the inner half of the rehearsal ended without a result",
            where=str(log),
            found=f"{_last_line(log)} (exit {outcome.status})",
            hint="read the log; it runs under the kit's Python, from the kit's packages alone",
        )
    result = rehearsal_job.read(job_path.with_name(rehearsal_job.RESULT), RehearsalResult)
    seen.clauses.append(_network_clause(box, witness, kit / PROGRAM, outcome))
    seen.clauses += result.clauses
    seen.weights, seen.num_steps = result.weights, result.num_steps
    seen.measurements |= result.measurements
    seen.versions, seen.undisturbed = result.versions, result.undisturbed
    seen.measurements |= rehearsal_numbers.at_real_size(
        seen.measurements,
        num_samples=dataset.num_samples,
        num_steps=section.steps,
        sample_bytes=packed.total_bytes / packed.num_samples if packed.num_samples else None,
        site_samples_per_second=section.site_samples_per_second,
    )
    return seen


def _job(place: _Place, packed: Packed, section: TrainingSection, kit: Path, *, is_boxed: bool) -> RehearsalJob:
    return RehearsalJob(
        parties=str(place.folder.document_path(Parties).absolute()),
        plan=str((place.root / "plan.json").absolute()),
        shipment=str((place.root / "shipment.json").absolute()),
        identity=str(place.identity.absolute()),
        drives=tuple(str(drive.absolute()) for drive in packed.drives),
        store=str((place.root / "store").absolute()),
        journal=str((place.root / "load" / "journal.jsonl").absolute()),
        program=str((kit / PROGRAM).absolute()),
        command=section.command,
        runs=str((place.root / "runs").absolute()),
        logs=str(place.logs.absolute()),
        num_workers=section.workers,
        num_steps=section.rehearsal_steps,
        stall_seconds=section.stall_seconds,
        is_boxed=is_boxed,
        with_hang=section.rehearsal_hang,
    )


def _network_clause(box: Box, witness: Path, program: Path, outcome: BoxOutcome) -> Clause:
    """Return NO_NETWORK, by the lines of Python code that tried, and by the kernel's count of what any code tried."""
    attempts = network_witness.read_witness(witness)
    if attempts:
        told = "; ".join(attempt.spelled(program) for attempt in attempts[:8])
        native = _native_attempts(outcome, attempts)
        return checks.broken(checks.NO_NETWORK, f"{len(attempts)} attempts: {told}{native and '; '}{native}")
    if native := _native_attempts(outcome, attempts):
        return checks.broken(checks.NO_NETWORK, f"{native}, by code that is not Python: its line cannot be named")
    if box.is_open:
        return checks.not_shown(checks.NO_NETWORK, f"no attempt of Python code was seen, but no box: {Box.probe()}")
    return checks.kept(checks.NO_NETWORK, "no line of Python tried, no name was asked for, no send without a route")


def _native_attempts(outcome: BoxOutcome, attempts: Sequence[Attempt]) -> str:
    """Return what was asked for or sent beyond what lines of Python are known to have tried, in words."""
    told: list[str] = []
    known = {attempt.address.partition(":")[0].lower() for attempt in attempts}
    if names := [name for name in outcome.names_asked if name not in known]:
        told.append(f"a name service was asked for {', '.join(names[:8])}")
    if outcome.unrouted_sends:
        told.append(f"the kernel counted {outcome.unrouted_sends} sends for which there was no route")
    return "; ".join(told)


def _last_line(log: Path) -> str:
    lines = log.read_bytes()[-4096:].decode("utf-8", "replace").split("\n")
    return next((line.strip()[:300] for line in reversed(lines) if line.strip()), "nothing in its log")


def _write_sheet(
    folder: VoyageFolder, kit: Kit, dataset: Dataset, packed: Packed, seen: _Seen, reason: str | None
) -> Ready:
    by_name = {part.clause: part for part in seen.clauses}
    last = seen.clauses[-1].clause if seen.clauses else ""
    why = f'{_NOT_SO_FAR}: it ended at "{last}"'
    if checks.HANGS in by_name:
        why = "packtrain in the kit is older than packtrain here, and does not look for this"
    clauses = tuple(by_name.get(name) or checks.not_shown(name, why) for name in checks.CLAUSES)
    # Broken ones are told to a person here, who may look into a log; a sheet that is signed travels on drives.
    if checks.is_ready(clauses):
        clauses = tuple(
            msgspec.structs.replace(part, evidence=without_places(part.evidence, folder.root)) for part in clauses
        )
    sheet = Ready(
        shipment=packed.plan.shipment,
        kit=digest(kit),
        miniature=miniature_digest(dataset),
        box=reason or Box.description(),
        clauses=clauses,
        ready_to_leave=checks.is_ready(clauses),
        num_steps=seen.num_steps,
        weights=seen.weights,
        measurements={"miniature_bytes": float(packed.total_bytes), **seen.measurements},
        finished=instant(),
        undisturbed=seen.undisturbed,
    )
    if sheet.ready_to_leave:
        folder.write_signed(sheet, folder.signer())
    else:
        # First the signature goes: an unsigned sheet never stands beside a signature of another.
        folder.signature_path(Ready).unlink(missing_ok=True)
        folder.write(sheet)
    return sheet


def without_places(text: str, root: Path) -> str:
    """Return a text without where this voyage and its owner's home lie: folders bear names of people and projects."""
    places = {f"{place}/": "" for place in (root.resolve(), root.absolute())} | {f"{Path.home()}/": "~/"}
    for place, instead in places.items():
        if len(place) > len("//"):
            text = text.replace(place, instead)
    return text


def _raise_if_broken(folder: VoyageFolder, sheet: Ready, place: _Place) -> None:
    faults = [f"{part.clause}: {part.evidence}" for part in sheet.clauses if part.verdict == "broken"]
    if faults:
        are = "is" if len(faults) == 1 else "are"
        raise RehearsalFailed(
            f"{len(faults)} of {len(sheet.clauses)} clauses of the contract {are} broken: {'; '.join(faults)}",
            where=str(folder.document_path(Ready)),
            hint=f"logs of all runs lie in {place.logs}; mend the program and run the same command again",
        )
